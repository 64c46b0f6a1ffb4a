"""When to commit: soon for a quiet sender, seldom for a busy one. Holds no clock: every call is told the time, in s."""

from math import inf

__all__ = ["Pace"]

_REST = 0.020  # between commits, at least
_SHARE = 4  # and this many times what the last one took, so that syncs leave the disk to others
_LATEST = 0.200  # a line waits no longer
_MOST = 4 << 20  # bytes that may wait


class Pace:
    """Tells when the next commit is due (docs/durability.md)."""

    def __init__(self) -> None:
        self._since = inf  # when the oldest uncommitted byte was appended
        self._earliest = -inf

    def appended(self, now: float) -> None:
        """Something waits to be committed."""
        self._since = min(self._since, now)

    def committed(self, began: float, ended: float) -> None:
        """All that waited is durable."""
        self._since = inf
        self._earliest = ended + max(_REST, _SHARE * (ended - began))

    def due(self, now: float, *, dry: bool, waiting: int) -> bool:
        """Tell whether to commit now: `waiting` bytes are uncommitted, and the input has, or has not, run dry."""
        overdue = now - self._since >= _LATEST or waiting >= _MOST
        return overdue or (dry and self._since < inf and now >= self._earliest)

    def wait(self, now: float) -> float:
        """Return how long to wait for input before asking `due` again, in s; inf where nothing is uncommitted."""
        if self._since == inf:
            return inf
        return max(0.0, min(self._earliest, self._since + _LATEST) - now)
