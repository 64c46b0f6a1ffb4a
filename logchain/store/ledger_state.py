"""What the ledger's entries come to: which births and segments it knows of, and what became of them."""

from typing import NamedTuple

from logchain.format.ledger import (
    NO_ENTRY,
    Birth,
    Broken,
    Config,
    Delete,
    Event,
    Evict,
    Forget,
    Genesis,
    Heads,
    Recover,
    Restored,
    Seal,
)
from logchain.format.manifest import NO_MANIFEST
from logchain.format.signed_note import Vkey

__all__ = ["LedgerState", "Sealed", "StreamHistory"]


class Sealed(NamedTuple):
    """A sealed segment: number of the entry that names it, SHA-256 of its manifest."""

    entry: int
    manifest: bytes


class StreamHistory:
    """What the ledger says of one stream id."""

    __slots__ = ("_gone", "births", "forgotten", "last", "noted", "previous", "sealed")

    def __init__(self) -> None:
        self.births: list[tuple[int, int]] = []  # (birth, first segment under it)
        self.sealed: dict[int, Sealed] = {}  # segments that are to be there
        self.last = 0  # the highest that was ever sealed
        self.previous = NO_MANIFEST  # SHA-256 of its manifest
        self.noted: set[Recover | Broken] = set()
        self.forgotten: int | None = None  # up to this segment
        self._gone = bytearray()  # a byte a segment: a store keeps far fewer segments than it had

    def birth_of(self, segment: int) -> int:
        """Return the birth that a segment's key comes from, 0 where none is recorded."""
        return max((birth for birth, first in self.births if first <= segment), default=0)

    def is_gone(self, segment: int) -> bool:
        """Tell whether a segment was sealed, and then evicted, deleted or forgotten."""
        return segment <= (self.forgotten or 0) or (segment < len(self._gone) and bool(self._gone[segment]))

    def seal(self, event: Seal, entry: int) -> None:
        """Take note of a seal."""
        self.sealed[event.segment] = Sealed(entry, event.manifest)
        if event.segment > self.last:
            self.last, self.previous = event.segment, event.manifest

    def drop(self, segment: int) -> None:
        """Take note that a sealed segment went."""
        self.sealed.pop(segment, None)
        self._gone.extend(bytes(max(0, segment + 1 - len(self._gone))))
        self._gone[segment] = 1

    def forget(self, segment: int) -> None:
        """Take note that all went up to a segment."""
        self.forgotten = segment
        for number in [number for number in self.sealed if number <= segment]:
            del self.sealed[number]


class LedgerState:
    """All of it, entry after entry."""

    def __init__(self) -> None:
        self.log_key: Vkey | None = None  # that signs checkpoints; known from the first entry on
        self.streams: dict[bytes, StreamHistory] = {}
        self.births: dict[int, bytes] = {}  # recorded birth: the stream id that had it first
        self.lists: set[int] = set()  # numbers of the entries `heads` whose lists are there
        self.config = NO_ENTRY  # SHA-256 of the settings' file
        self.restored = 0  # the first birth behind the last backup that came back

    def of(self, stream_id: bytes) -> StreamHistory:
        """Return what is known of a stream; nothing at first."""
        return self.streams.get(stream_id) or StreamHistory()

    def apply(self, number: int, event: Event) -> None:
        """Take note of an entry's event; entries come in order."""
        match event:
            case Genesis():
                self.log_key = event.log
            case Heads():
                self.lists.add(number)
            case Config():
                self.config = event.digest
            case Restored():
                self.restored = event.birth
            case Birth() | Seal() | Evict() | Delete() | Forget() | Recover() | Broken():
                self._of_stream(number, event)

    def _of_stream(self, number: int, event: Birth | Seal | Evict | Delete | Forget | Recover | Broken) -> None:
        history = self.streams.setdefault(event.stream_id, StreamHistory())
        match event:
            case Birth():
                history.births.append((event.birth, event.segment))
                self.births.setdefault(event.birth, event.stream_id)
            case Seal():
                history.seal(event, number)
            case Evict() | Delete():
                history.drop(event.segment)
            case Forget():
                history.forget(event.segment)
            case _:
                history.noted.add(event)
