"""What one VM may take of the collector. Rules without a clock: every call is told the time, in s."""

from collections import defaultdict, deque
from typing import NamedTuple

__all__ = ["Limits", "Meter"]


class Limits(NamedTuple):
    """How much of what a VM may have, and all of them together."""

    connections: int = 120  # qrexec itself lets 128 calls into a VM
    connections_per_vm: int = 16
    calls_per_minute: int = 120
    streams_per_vm: int = 64
    births_per_day: int = 200


class Meter:
    """Counts a VM's events in a sliding window, and refuses what would be too many."""

    def __init__(self, most: int, window: float) -> None:
        self._most, self._window = most, window
        self._events: dict[str, deque[float]] = defaultdict(deque)

    def take(self, vm: str, now: float) -> bool:
        """Count an event, or tell that it would be one too many."""
        events = self._events[vm]
        while events and now - events[0] >= self._window:
            events.popleft()
        if len(events) >= self._most:
            return False
        events.append(now)
        return True

    def forget(self, now: float) -> None:
        """Drop VMs that have been quiet, so that a thousand names an hour do not add up."""
        quiet = [vm for vm, events in self._events.items() if not events or now - events[-1] >= self._window]
        for vm in quiet:
            del self._events[vm]
