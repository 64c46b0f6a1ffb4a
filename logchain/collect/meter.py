"""How often a VM does something. Rules without a clock: every call is told the time, in s."""

from collections import defaultdict, deque

__all__ = ["Meter"]


class Meter:
    """Counts a VM's events in a sliding window, and refuses what would be too many."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._events: dict[str, deque[float]] = defaultdict(deque)

    def take(self, vm: str, most: int, now: float) -> bool:
        """Count an event, or tell that it would be more than `most` within the window."""
        events = self._events[vm]
        while events and now - events[0] >= self._window:
            events.popleft()
        if len(events) >= most:
            return False
        events.append(now)
        return True

    def forget(self, now: float) -> None:
        """Drop VMs that have been quiet, so that a thousand names an hour do not add up."""
        quiet = [vm for vm, events in self._events.items() if not events or now - events[-1] >= self._window]
        for vm in quiet:
            del self._events[vm]
