"""The lists of heads: what the ledger fixed of segments while they were open, held against their text.

A list says of a segment how long it was, its last tag, and the hash of its text so far. So whoever rewrites an open
segment later is found out by the ledger's public key alone, and so is who removes one.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from struct import Struct
from typing import NamedTuple, Self

from logchain.format.errors import FormatError
from logchain.format.heads import Head, parse_heads
from logchain.format.limits import MAX_HEADS_FILE
from logchain.read.findings import Finding
from logchain.read.ledger import Ledger, Listed
from logchain.read.verify_records import is_end
from logchain.store.layout import HEADS, LEDGER, Directory, heads_name

__all__ = ["Beside", "HeadsLists", "Line", "Prefix", "lines"]

_LINE = Struct("<4Q32s32s")  # as Line: many are kept until their segment is looked at


class Line(NamedTuple):
    """A line of a list, and of which entry: a segment reached so far, with this tag and this text."""

    entry: int
    time: int
    records: int
    size: int
    tag: bytes
    digest: bytes


def lines(packed: bytes | bytearray) -> list[Line]:
    """Return the lines of one segment, in the order of their entries."""
    return [Line._make(found) for found in _LINE.iter_unpack(packed)]


class HeadsLists:
    """All lists that are there. Those of segments that went on purpose are left out."""

    def __init__(self, store: Directory, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self.findings: list[Finding] = []
        self.time = 0  # of the last list that is good
        self._lines: dict[bytes, dict[int, bytearray]] = {}  # by stream id and segment
        self._missing: list[Listed] = []

    def read(self) -> None:
        """Read the lists that the ledger has named so far."""
        try:
            with self._store.directory(LEDGER) as ledger, ledger.directory(HEADS) as directory:
                for listed in self._ledger.lists:
                    self._read_list(directory, listed)
        except FileNotFoundError:
            self._missing = list(self._ledger.lists)
        except FormatError as error:
            self.findings.append(Finding(True, f"the lists of heads are lost: {error}"))

    def _read_list(self, directory: Directory, listed: Listed) -> None:
        try:
            data = directory.read(heads_name(listed.entry), MAX_HEADS_FILE)
            if sha256(data).digest() != listed.digest:
                raise FormatError("the list is not the one that the entry names")
            store_id, heads = parse_heads(data)
            if store_id != self._ledger.store_id or sorted(self._ledger.named(listed)) != [head[:2] for head in heads]:
                raise FormatError("the list is of another store, or has other segments than its entry names")
        except FileNotFoundError:
            self._missing.append(listed)
        except FormatError as error:
            self.findings.append(Finding(True, f"the list of open segments: {error}", entry=listed.entry))
        else:
            self.time = max(self.time, listed.time)
            for head in heads:
                self._add(listed, head)

    def _add(self, listed: Listed, head: Head) -> None:
        history = self._ledger.of(head.stream_id)
        if history.is_gone(head.segment):
            return
        sealed = history.sealed.get(head.segment)
        packed = self._lines.setdefault(head.stream_id, {}).setdefault(head.segment, bytearray())
        before = _LINE.unpack_from(packed, len(packed) - _LINE.size)[2:4] if packed else (0, 0)
        if (sealed and sealed.entry < listed.entry) or head.records < before[0] or head.size < before[1]:
            text = f"segment {head.segment} of stream {head.stream_id.hex()} is listed out of order"
            self.findings.append(Finding(True, text, entry=listed.entry))
            return
        packed += _LINE.pack(listed.entry, listed.time, *head[2:])

    def take(self, stream_id: bytes) -> dict[int, bytes]:
        """Return the lines of a stream's segments, packed; they are not asked for again."""
        return {segment: bytes(packed) for segment, packed in self._lines.pop(stream_id, {}).items()}

    def take_one(self, stream_id: bytes, segment: int) -> bytes:
        """Return the lines of one segment, packed, empty where it has none; they are not asked for again."""
        return bytes(self._lines.get(stream_id, {}).pop(segment, b""))

    def left(self) -> Iterator[Finding]:
        """Yield what was listed of streams that nobody took, for they are not there."""
        for stream_id, found in self._lines.items():
            for segment, packed in found.items():
                if self._ledger.of(stream_id).is_gone(segment):
                    continue
                text = f"segment {segment} of stream {stream_id.hex()} was listed, and is gone"
                yield Finding(True, text, entry=lines(packed)[-1].entry)

    def missing(self) -> Iterator[Finding]:
        """Yield the lists that are gone and had to be kept, for a segment of theirs is not (docs/spec/heads.md, 5)."""
        for listed in self._missing:
            there = [name for name in self._ledger.named(listed) if not self._ledger.of(name[0]).is_gone(name[1])]
            if there:
                text = f"the list of open segments is missing, with segment {there[0][1]} of stream {there[0][0].hex()}"
                yield Finding(True, text, entry=listed.entry)


class Prefix:
    """Hashes a segment's text as it is read, and holds it against the lines that lists have of it."""

    def __init__(self, found: list[Line]) -> None:
        self._lines, self._place = found, 0
        self._hash, self._offset = sha256(), 0
        self.good: Line | None = None  # the last line that fits
        self.bad: Line | None = None  # the first that does not
        self.overrun = False  # a segment that had its end goes on
        self._ended = False  # what fits ends with the end of a segment

    def feed(self, text: bytes) -> None:
        """Take the next bytes of the text."""
        start, end = 0, self._offset + len(text)
        view = memoryview(text)
        while not self.bad and self._place < len(self._lines) and self._lines[self._place].size <= end:
            line = self._lines[self._place]
            cut = line.size - self._offset
            self._hash.update(view[start:cut])
            start = cut
            if self._hash.digest() != line.digest:
                self.bad = line
            else:
                self.good, self._place = line, self._place + 1
                with suppress(FormatError):  # its form is checked elsewhere
                    self._ended = is_end(text[text.rfind(b"\n", 0, cut - 1) + 1 : cut - 1])
        if not self.bad and self._place < len(self._lines):
            self._hash.update(view[start:])
        self._offset = end
        self.overrun = self.overrun or (self._ended and self.good is not None and end > self.good.size)

    def finish(self) -> Line | None:
        """Return the first line that does not fit, those included that the text is too short for."""
        if not self.bad and self._place < len(self._lines):
            self.bad = self._lines[self._place]
        return self.bad


class Beside:
    """Feeds a Prefix in a thread, a block behind: the same bytes are hashed for their block in this one meanwhile."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix, self._pool = prefix, ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def feed(self, text: bytes) -> None:
        """Take the next bytes of the text."""
        self.settle()
        self._last = self._pool.submit(self._prefix.feed, text)

    def settle(self) -> None:
        """Wait until all is hashed."""
        if self._last:
            self._last.result()
