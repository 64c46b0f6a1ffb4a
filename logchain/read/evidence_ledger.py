"""Checks what an evidence file has of the ledger: each entry, and what they say of the streams in it.

What is sealed twice, or left out between segments that are there, is found here: nobody can change old entries.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logchain.format.errors import FormatError, SignatureError
from logchain.format.evidence import EvidenceIndex, IndexedStream
from logchain.format.ledger import Broken, Entry, Forget, Genesis, Restored, Seal, split_entries
from logchain.format.limits import MAX_ENTRY
from logchain.format.manifest import NO_MANIFEST
from logchain.format.merkle import leaf_hash
from logchain.format.signed_note import Vkey
from logchain.read.findings import Finding
from logchain.read.ledger import prove_entry

__all__ = ["EvidenceLedger", "Sealing"]

_STEP = 2_000_000  # µs: ages are whole seconds, and clocks drift


class Sealing(NamedTuple):
    """An entry that seals a segment here, the key that signed it, and its hash as a leaf of the tree, 32 bytes."""

    entry: Entry
    key: Vkey
    leaf: bytes
    previous: bytes  # SHA-256 of the manifest of this stream that was sealed before, or NO_MANIFEST
    time: int  # µs since 1970: the latest that an entry so far tells. Its own may have been set back by who signed it


class _Stream:
    """What the entries said so far of a stream."""

    def __init__(self, stream: IndexedStream) -> None:
        self.here = {segment.segment for segment in stream.segments}
        self.between = range(min(self.here), max(self.here))
        self.last, self.previous = 0, NO_MANIFEST  # the newest segment that was sealed, its manifest
        self.found: dict[str, Finding] = {}  # one of a kind: who made the file decides how many there could be


class EvidenceLedger:
    """The entries of an evidence file; what it knows of them is whole once all that `read` yields was taken."""

    def __init__(self, index: EvidenceIndex) -> None:
        self._index = index
        self._streams = {stream.stream_id: _Stream(stream) for stream in index.streams}
        self._wanted = {segment.entry for stream in index.streams for segment in stream.segments}
        self.sealing: dict[int, Sealing] = {}  # by entry: those that are proven
        self.genesis: Genesis | None = None
        self.head: Entry | None = None  # the last that is proven
        self.last = b""  # its bytes
        self.time = 0  # µs since 1970: the latest that an entry tells
        self.begins_in_doubt = self.ends_in_doubt = False  # the clock was set back around that end of the range
        self._set_back = 0, 0  # the most by which it was, µs; before which entry
        self._restored = 0, 0  # how often the store came back from a backup; in which entry last

    def read(self, pieces: Iterable[bytes]) -> Iterator[Finding]:
        """Check all entries, which come in any pieces; yield what was found."""
        rest, error = b"", ""
        for data in pieces:
            if error:
                continue
            found, rest = split_entries(rest + data)
            for one in found:
                try:
                    self._take(one)
                except (FormatError, SignatureError) as refused:
                    error = str(refused)
                    break
            if len(rest) > MAX_ENTRY:
                error = "what follows is no ledger"
        count = self.head.number + 1 if self.head else 0
        if error:
            yield Finding(True, f"{error}; from here on nothing in the ledger is proven", entry=count)
        elif rest or count != self._index.entries:
            text = f"the ledger has not the {self._index.entries:,} entries that the index says"
            yield Finding(True, text, entry=count)
        if self._set_back[0]:
            seconds = f"{self._set_back[0] / 1e6:,.0f} s"
            text = f"the store's clock was set back, by {seconds} at most: what came later can have earlier times"
            yield Finding(False, text, entry=self._set_back[1])
        if self._restored[0]:
            times = f"{self._restored[0]:,} time{'s' * (self._restored[0] != 1)}"
            text = f"the store came back from a backup, {times}: what it had received since that was made is gone"
            yield Finding(False, text, entry=self._restored[1])

    def found(self, stream_id: bytes) -> list[Finding]:
        """Return what was found of a stream that the index names."""
        return list(self._streams[stream_id].found.values())

    def _take(self, data: bytes) -> None:
        """Take the next entry; FormatError, SignatureError where it does not follow."""
        key = self.head.next if self.head else None
        entry = prove_entry(data, self._index.store_id, self.head, self.last)
        if self.head:
            self._compare_clocks(self.head, entry)
        self.head, self.last, self.time = entry, data, max(self.time, entry.time)
        match entry.event:
            case Genesis():
                self.genesis = entry.event
            case Restored():
                self._restored = self._restored[0] + 1, entry.number
            case Seal() | Broken() | Forget() if stream := self._streams.get(entry.event.stream_id):
                previous = stream.previous
                self._note(stream, entry, entry.event)
                if key and entry.number in self._wanted:
                    self.sealing[entry.number] = Sealing(entry, key, leaf_hash(data), previous, self.time)

    def _compare_clocks(self, before: Entry, entry: Entry) -> None:
        """Take note where running time grew by more than the clock: what then has a time of these may be anywhere."""
        ran = (entry.age - before.age) * 1_000_000
        back = ran - (entry.time - before.time)
        if back > _STEP:
            self._set_back = max(self._set_back, (back, entry.number))
            first, last = entry.time - ran, before.time + ran
            self.begins_in_doubt |= first <= self._index.since <= last
            self.ends_in_doubt |= first <= self._index.until <= last

    def _note(self, stream: _Stream, entry: Entry, event: Seal | Broken | Forget) -> None:
        """Take note of what happened to a stream that is in the file."""
        segment, damage, text = event.segment, True, ""
        match event:
            case Seal():
                if segment <= stream.last:
                    text = "the segment is sealed twice, or out of order: somebody wrote it anew"
                else:
                    stream.last, stream.previous = segment, event.manifest
                    if segment in stream.between and segment not in stream.here:
                        text = "the segment was sealed, and is left out"
            case Broken():
                damage = False
                text = f"the stream had to begin anew behind it ({event.reason}): what was there was lost or changed"
            case Forget():
                damage, text = False, "the stream was forgotten, up to here"
                stream.last = max(stream.last, segment)
        if text:
            stream.found.setdefault(text, Finding(damage, text, segment, entry=entry.number))
