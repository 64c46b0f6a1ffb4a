"""How fast a stream is read: its share of its VM's rate, slower over the quota, and not while the disk is nearly full.

Nothing is dropped for it: what is not read waits in the pipe, and then in the sender. Holds no clock: every call is
told the time, in s.
"""

from enum import IntEnum

__all__ = ["Allowance", "Quota"]

_LOOK = 1.0  # s between two looks at the room on the disk


class Quota(IntEnum):
    """How a VM's room on the disk compares with its quota."""

    WITHIN = 0
    OVER = 1  # read no faster than the floor: only young segments are left, or the compressor is behind
    SPENT = 2  # what the floor may take beyond the quota is used up as well: not read


class Allowance:
    """A token bucket, bytes a second and bytes; a `reserve` of free disk, bytes; `floor` is the rate over quota."""

    def __init__(self, *, rate: int, burst: int, reserve: int, floor: int, now: float) -> None:
        self._of_vm = {Quota.WITHIN: rate, Quota.OVER: min(floor, rate), Quota.SPENT: 0}
        self._most = {Quota.WITHIN: burst, Quota.OVER: floor, Quota.SPENT: 0}
        self._reserve = reserve
        self._quota, self._streams = Quota.WITHIN, 1
        self._tokens, self._at = float(burst), now
        self._blocked_until = 0.0

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
        self._tokens = min(self._tokens, self._most[quota])

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
