"""Where lines come from: one file a source, all with the interface below."""

from typing import Protocol

from log_exporter.wire import Greeting


class Source(Protocol):
    """Something that has lines.

    The loop asks `read` whenever the last bytes have gone. What `read` returned and no `ok` covered is
    read again after the next `begin`: a source either finds it again where it was, or keeps it.
    """

    @property
    def pause(self) -> float | None:
        """Seconds after which to ask `read` again when it had nothing; None if `fileno` tells."""

    @property
    def finished(self) -> bool:
        """Whether `read` has returned all that there will ever be."""

    def fileno(self) -> int | None:
        """Return a descriptor to wait for, also between calls; None if nothing should be taken now."""

    def take(self) -> None:
        """Take in what the descriptor has."""

    def begin(self, greeting: Greeting) -> None:
        """Go to the first line that is not stored; durably note this session before returning."""

    def read(self) -> bytes:
        """Return what to send next, in any split: each newline in it ends a line. Empty if nothing is there."""

    def acknowledge(self, lines: int) -> None:
        """Know that so many lines of this session are durable."""

    def close(self) -> str:
        """Save what is to be saved; return in words what is not delivered, and will not be; nothing if all is well."""
