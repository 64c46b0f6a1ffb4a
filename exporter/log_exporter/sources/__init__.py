"""Where lines come from: one file a source, with one of the interfaces below (docs/guides/exporter.md).

Source   what a call needs: exactly the bytes to send, and again after a call was lost
├── Resumed(Reader)            lines that can be read twice: the source knows places, Resumed the sessions
└── Spooled(Intake, Spool)     lines that come once: they are on disk before they are sent
"""

from typing import Any, NamedTuple, Protocol, TypeAlias

from log_exporter.wire import Greeting

Place: TypeAlias = dict[str, Any]  # what a Reader needs to find a place again; goes through JSON


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


class Piece(NamedTuple):
    """Lines that follow each other, each with its newline, and the place behind them.

    There may be none: then the place has moved over what is not to be sent.
    """

    data: bytes
    lines: int
    place: Place


class Gap(NamedTuple):
    """What is said of lines that were there and are no more."""

    words: str
    lines: int | None  # how many, at most; None if nobody can tell
    place: Place  # behind it


class Reader(Protocol):
    """Something that can be read again from a place: the same lines in the same order, as long as they are there."""

    @property
    def pause(self) -> float | None:
        """Seconds after which to ask `read` again when it had nothing; None if `fileno` tells."""

    @property
    def caught_up(self) -> bool:
        """Whether there was really nothing when `read` returned None, and not only nothing yet."""

    def fileno(self) -> int | None:
        """Return a descriptor that is readable when there may be more."""

    def take(self) -> None:
        """Take in what the descriptor has."""

    def go(self, place: Place | None) -> Gap | None:
        """Go behind that place, None is where a new reader begins; return what is missing right behind it."""

    def read(self) -> Piece | Gap | None:
        """Return the next lines, at most about 256 KiB, or what is missing here; None if there is nothing."""

    def stored(self, place: Place) -> None:
        """Know that nobody will ever go to before this place again."""

    def close(self) -> None:
        """Let go of everything."""


class Intake(Protocol):
    """Something whose lines come once: it hands them over as they will be sent."""

    patient: bool  # whoever writes can wait when the spool is full; otherwise lines are dropped and counted

    @property
    def finished(self) -> bool:
        """Whether no more lines will ever come."""

    def fileno(self) -> int | None:
        """Return a descriptor that is readable when there is something; an epoll's, if there are several."""

    def take(self) -> bytes:
        """Return whole lines, each with its newline; perhaps none."""

    def close(self) -> None:
        """Let go of everything."""
