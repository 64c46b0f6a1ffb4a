"""How fast a stream is read: its share of its VM's rate, and not while the disk is nearly full.

Nothing is dropped for it: what is not read waits in the pipe, and then in the sender. Holds no clock: every call is
told the time, in s.
"""

__all__ = ["Allowance"]

_LOOK = 1.0  # s between two looks at the room on the disk


class Allowance:
    """A token bucket of `rate` bytes a second and `burst` bytes, and a `reserve` of free disk, bytes."""

    def __init__(self, rate: int, burst: int, reserve: int, now: float) -> None:
        self._vm_rate, self._burst, self._reserve = rate, burst, reserve
        self._rate, self._tokens, self._at = float(rate), float(burst), now
        self._blocked_until = 0.0

    @property
    def rate(self) -> int:
        """The stream's share of the VM's rate, bytes a second."""
        return int(self._rate)

    def share(self, streams: int, now: float) -> None:
        """Divide the VM's rate by the streams that it has open."""
        self._refill(now)
        self._rate = self._vm_rate / max(streams, 1)

    def took(self, size: int, now: float) -> None:
        """Count what was read."""
        self._refill(now)
        self._tokens -= size

    def found(self, free: int, now: float) -> None:
        """Hear how much room is left on the disk, bytes."""
        self._blocked_until = now + _LOOK if free < self._reserve else 0.0

    def pause(self, now: float) -> tuple[float, str]:
        """Return for how long not to read, s, and why: `reserve`, `rate`, or nothing."""
        if now < self._blocked_until:
            return self._blocked_until - now, "reserve"
        self._refill(now)
        return (-self._tokens / self._rate, "rate") if self._tokens < 0 else (0.0, "")

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
