"""How fast a stream is read: its share of its VM's rate, slower over the quota, and not while the disk is nearly full.

Nothing is dropped for it: what is not read waits in the pipe, and then in the sender. Holds no clock: every call is
told the time, in s.
"""

from collections.abc import Container
from enum import IntEnum

__all__ = ["Allowance", "Bursts", "Quota"]

_LOOK = 1.0  # s between two looks at the room on the disk


class Quota(IntEnum):
    """How a VM's room on the disk compares with its quota."""

    WITHIN = 0
    OVER = 1  # read no faster than the floor: only young segments are left, or the compressor is behind
    SPENT = 2  # what the floor may take beyond the quota is used up as well: not read


class Allowance:
    """A token bucket of one stream.

    `rate`, `floor`: bytes a second of its VM, the floor over the quota. `burst`: bytes that can be saved; `saved`:
    those that it begins with. `reserve`: bytes of free disk that are left alone.
    """

    def __init__(
        self, *, rate: int, burst: int, reserve: int, floor: int, now: float, saved: int, quota: Quota = Quota.WITHIN
    ) -> None:
        self._of_vm = {Quota.WITHIN: rate, Quota.OVER: min(floor, rate), Quota.SPENT: 0}
        self._most = {Quota.WITHIN: burst, Quota.OVER: floor, Quota.SPENT: 0}
        self._reserve = reserve
        self._quota, self._streams = Quota.WITHIN, 1
        self._tokens, self._at = float(saved), now
        self._blocked_until = 0.0
        if quota:
            self.bound(quota, now)

    @property
    def rate(self) -> int:
        """The stream's share of what its VM may have now, bytes a second."""
        return self._of_vm[self._quota] // self._streams

    def share(self, streams: int, now: float) -> None:
        """Divide the VM's rate by the streams that it has open."""
        self._refill(now)
        self._streams = max(streams, 1)

    def bound(self, quota: Quota, now: float) -> None:
        """Hear how the VM stands to its quota."""
        self._refill(now)
        self._quota = quota
        if quota:
            self._tokens = min(self._tokens, 0.0)  # what was saved is gone

    def took(self, size: int, now: float) -> None:
        """Count what was read."""
        self._refill(now)
        self._tokens -= size

    def found(self, free: int, now: float) -> None:
        """Hear how much room is left on the disk, bytes."""
        self._blocked_until = now + _LOOK if free < self._reserve else 0.0

    def pause(self, now: float) -> tuple[float, str]:
        """Return for how long not to read, s, and why: `reserve`, `quota`, `rate`, or nothing."""
        if now < self._blocked_until:
            return self._blocked_until - now, "reserve"
        if self._quota == Quota.SPENT:
            return _LOOK, "quota"
        self._refill(now)
        if self._tokens >= 0:
            return 0.0, ""
        return -self._tokens / max(self.rate, 1), "rate" if self._quota == Quota.WITHIN else "quota"

    def _refill(self, now: float) -> None:
        self._tokens = min(self._most[self._quota], self._tokens + (now - self._at) * self.rate)
        self._at = now


class Bursts:
    """What each VM has saved of its rate for streams to come: who calls again and again gets no more than who stays."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}  # VM: bytes that were given out and are not made up for, when

    def take(self, vm: str, burst: int, rate: int, now: float) -> int:
        """Give all that a VM has saved to a stream, bytes."""
        spent, at = self._spent.get(vm, (0.0, now))
        saved = burst - max(0.0, spent - (now - at) * rate)
        self._spent[vm] = (float(burst), now)
        return int(saved)

    def forget(self, vms: Container[str]) -> None:
        """Drop VMs that are not among these: an hour is enough to save a burst again."""
        self._spent = {vm: spent for vm, spent in self._spent.items() if vm in vms}
