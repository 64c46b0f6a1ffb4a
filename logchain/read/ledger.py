"""The ledger as a reader has it: each entry checked against the one before, and what they say of streams and segments.

Reading can go on where it stopped, for a compressor may append in the same moment. From the first entry that is not
good nothing more is proven; what is behind is still taken for what it says, so that one bad bit is one finding.
"""

import os
from array import array
from collections.abc import Iterator
from hashlib import sha256
from itertools import starmap
from struct import Struct
from typing import NamedTuple

from logchain.format.errors import FormatError, SignatureError
from logchain.format.ledger import (
    Birth,
    Broken,
    Delete,
    Entry,
    Evict,
    Export,
    Forget,
    Genesis,
    Heads,
    Restored,
    Seal,
    fingerprint,
    open_entry,
    open_genesis,
    split_entries,
    unverified_entry,
)
from logchain.format.limits import MAX_ENTRIES, MAX_ENTRY, MAX_TIME
from logchain.format.manifest import NO_MANIFEST
from logchain.format.merkle import leaf_hash, root
from logchain.format.signed_note import Vkey
from logchain.read.findings import Finding
from logchain.read.live import reason
from logchain.store.layout import ENTRIES, LEDGER, Directory

__all__ = ["Gone", "History", "Ledger", "Listed", "SealedEntry", "prove_entry"]

_CHUNK = 1 << 20
_MOST_JUNK = 1_000  # entries that are none, behind the first bad one
_NAMED = Struct("<2I")


class SealedEntry(NamedTuple):
    """A segment that was sealed and did not go since, as the ledger has it."""

    entry: int
    age: int  # that the entry tells, s
    time: int  # that it tells, µs since 1970
    manifest: bytes  # SHA-256 of the file
    previous: bytes  # of the manifest of this stream that was sealed before
    key: bytes  # the public key that signed the entry, and so the manifest; empty where it is lost
    proven: bool


class Gone(NamedTuple):
    """A segment that went on purpose before it was old enough to be asked for."""

    stream_id: bytes
    segment: int
    entry: int
    what: str  # `evicted (quota)`, `deleted`
    age: int  # s since it was sealed, as the LogVM's running time has it
    sealed: int  # when that was, µs since 1970


class Listed(NamedTuple):
    """A `heads` entry: what its list has to be."""

    entry: int
    time: int
    segments: bytes  # that it has, packed: pairs of birth and segment, u32le each
    digest: bytes


class History:
    """What the ledger says of one stream id."""

    __slots__ = ("_gone", "_upto", "births", "forgotten", "last", "previous", "sealed", "went")

    def __init__(self) -> None:
        self.births: list[tuple[int, int]] = []  # (first segment under it, birth)
        self.sealed: dict[int, SealedEntry] = {}  # segments that have to be there
        self.last = 0  # the highest that was ever sealed
        self.previous = NO_MANIFEST  # SHA-256 of its manifest
        self.forgotten: int | None = None  # with all segments up to this one
        self._upto, self._gone = 0, set[int]()  # all up to here went, and these
        self.went: dict[int, bytes] = {}  # SHA-256 of the manifests of those that went: what is left of one is its own

    def is_gone(self, segment: int) -> bool:
        """Tell whether a segment was sealed, and went on purpose."""
        return segment <= max(self._upto, self.forgotten or 0) or segment in self._gone

    def drop(self, segment: int) -> None:
        """Take note that a sealed segment went."""
        self.went[segment] = self.sealed.pop(segment).manifest
        self._gone.add(segment)
        while self._upto + 1 in self._gone:  # the oldest go first: little is to be remembered
            self._upto += 1
            self._gone.remove(self._upto)

    def birth_of(self, segment: int) -> int:
        """Return the birth that a segment's key comes from, 0 where none is recorded."""
        return max(((first, birth) for first, birth in self.births if first <= segment), default=(0, 0))[1]


def prove_entry(data: bytes, store_id: bytes, before: Entry | None, last: bytes) -> Entry:
    """Return the entry that follows `before`, whose bytes are `last`, or genesis where there is none before.

    Raises FormatError, SignatureError where it does not.
    """
    entry = open_entry(data, before.next) if before else open_genesis(data)[0]
    if entry.store_id != store_id:
        raise FormatError("an entry of another store")
    if before and (entry.number, entry.previous) != (before.number + 1, sha256(last).digest()):
        raise FormatError("an entry that does not follow the one before it")  # of genesis its form says it
    if before and entry.age < before.age:
        raise FormatError("an entry whose age goes back")
    return entry


class Ledger:
    """All that was read so far. `findings` grow with `advance`."""

    def __init__(self, store: Directory, store_id: bytes) -> None:
        self._store, self.store_id = store, store_id
        self.findings: list[Finding] = []
        self.genesis: Genesis | None = None
        self.fingerprint = ""
        self.head: Entry | None = None  # the last entry that is proven
        self.size = 0  # entries that were read
        self.end = 0  # bytes of them
        self.last = b""  # the bytes of the last one
        self.torn = b""  # what follows it
        self.intact = True  # all that was read is proven
        self.streams: dict[bytes, History] = {}
        self.births: dict[int, Birth] = {}
        self.lists: list[Listed] = []
        self.broken: list[tuple[int, Broken]] = []
        self.restored: list[tuple[int, int]] = []  # entry, the first birth behind it
        self.backups = 0  # how often the store came back, runs of `logchain restored` that were cut short left out
        self._restoring = False  # nothing but births came behind a `restored`
        self.evicted = self.deleted = self.exported = 0
        self.forgotten: list[tuple[int, Forget]] = []
        self._gone: list[Gone] = []
        self._times = array("q")  # of all entries, µs since 1970
        self.owing = 0  # the last entry that is no removal: nothing but these may follow an entry without a checkpoint
        self.leap = 0, 0  # the most s by which running time grew more than the clock; at which entry
        self._next: Vkey | None = None  # the key that signs the next entry; None where it is lost
        self._leaves = bytearray()
        self._junk = 0
        self._stuck = False

    @property
    def proven(self) -> int:
        """How many entries are proven, from the first on."""
        return self.head.number + 1 if self.head else 0

    @property
    def sealed(self) -> int:
        """How many segments are sealed, and have to be there."""
        return sum(len(history.sealed) for history in self.streams.values())

    def of(self, stream_id: bytes) -> History:
        """Return what is known of a stream; nothing at first."""
        return self.streams.get(stream_id) or History()

    def named(self, listed: Listed) -> Iterator[tuple[bytes, int]]:
        """Yield the segments of a list, as its entry names them: stream id, empty where the ledger has none; number."""
        for birth, segment in _NAMED.iter_unpack(listed.segments):
            yield (self.births[birth].stream_id if birth in self.births else b""), segment

    def root(self, size: int) -> bytes:
        """Return the Merkle root over the first `size` entries."""
        return root(bytes(self._leaves[at : at + 32]) for at in range(0, 32 * size, 32))

    def advance(self) -> None:
        """Read what was appended since the last time; raises StoreError where that is not allowed."""
        if self._stuck:
            return
        self.torn = b""
        try:
            with self._store.directory(LEDGER) as directory:
                fd = directory.file(ENTRIES)
        except (FileNotFoundError, FormatError) as error:
            self._stop(f"the ledger is lost: {reason(error)}")
            return
        try:
            self._read(fd)
        except OSError as error:  # a disk that fails
            self._stop(f"the ledger cannot be read: {error.strerror}")
        finally:
            os.close(fd)

    def _read(self, fd: int) -> None:
        if os.fstat(fd).st_size < self.end or not os.fstat(fd).st_size:
            self._stop("the ledger is empty, or became shorter while it was read")
        while not self._stuck:
            data = os.pread(fd, _CHUNK, self.end + len(self.torn))
            entries, self.torn = split_entries(self.torn + data)
            for entry in entries:
                self._take(entry)
            if len(self.torn) >= MAX_ENTRY or self._junk > _MOST_JUNK or self.size >= MAX_ENTRIES:
                self._stop("what follows is no ledger")
            if not data:
                break
        if not self.size and not self._stuck:
            self._stop("it has no first entry")

    def _stop(self, text: str) -> None:
        self._stuck, self.intact, self.torn = True, False, b""
        self.findings.append(Finding(True, text, entry=self.size))

    def _take(self, data: bytes) -> None:
        key, entry = self._next, None
        if self.intact:
            try:
                entry = self.head = self._prove(data)
            except (FormatError, SignatureError) as error:
                self.intact = False
                text = f"{error}; from here on nothing in the ledger is proven"
                self.findings.append(Finding(True, text, entry=self.size))
        if not entry:
            try:
                entry = unverified_entry(data)
            except FormatError:
                self._junk += 1
        self._next = entry.next if entry else None
        self._times.append(entry.time if entry else MAX_TIME)
        if entry:
            for text in self._apply(entry, key.key if key else b""):
                if self.intact:
                    self.findings.append(Finding(True, text, entry=entry.number))
        self.size, self.end, self.last = self.size + 1, self.end + len(data), data
        self._leaves += leaf_hash(data)

    def _prove(self, data: bytes) -> Entry:
        """Return an entry that follows from the one before; FormatError, SignatureError."""
        entry = prove_entry(data, self.store_id, self.head, self.last)
        if isinstance(entry.event, Genesis):
            self.genesis, self.fingerprint = entry.event, fingerprint(entry.event.key)
        if self.head:
            passed = (entry.time - self.head.time) // 1_000_000
            self.leap = max(self.leap, (entry.age - self.head.age - passed, entry.number))
        return entry

    def _apply(self, entry: Entry, key: bytes) -> Iterator[str]:
        """Take note of what happened; yield what contradicts the entries before."""
        event = entry.event
        if not isinstance(event, Evict | Delete | Forget):
            self.owing = entry.number
        match event:
            case Birth():
                if event.birth in self.births:
                    yield f"birth {event.birth} is recorded twice"
                self.births.setdefault(event.birth, event)
                self._history(event.stream_id).births.append((event.segment, event.birth))
            case Heads():
                packed = b"".join(starmap(_NAMED.pack, event.segments))
                self.lists.append(Listed(entry.number, entry.time, packed, event.digest))
            case Seal():
                yield from self._seal(entry, event, key)
            case Evict() | Delete():
                yield from self._drop(entry, event)
            case Forget():
                yield from self._forget(entry, event)
            case Broken():
                self.broken.append((entry.number, event))
            case Restored():
                self.backups += not self._restoring
                self.restored.append((entry.number, event.birth))
            case Export():
                self.exported += 1
                if not self.births.keys() >= set(event.births):
                    yield "what was taken out is of a birth that nobody has"
        self._restoring = isinstance(event, Restored) or (self._restoring and isinstance(event, Birth))

    def young(self, age: int, now: float) -> list[Gone]:
        """Return what went sooner than `age`, s, after its seal; `now`, s since 1970, is of whoever verifies.

        By whichever clock says less: who has the keys of now sets age and time of what he signs. But running takes
        time, and nothing happened later than what came behind it, or than now.
        """
        found, latest, place = [], int(now * 1_000_000), len(self._times)
        for gone in reversed(self._gone):
            while place > gone.entry:
                place -= 1
                latest = min(latest, self._times[place])
            kept = min(gone.age, (latest - gone.sealed) // 1_000_000)
            if kept < age:
                found.append(gone._replace(age=kept))
        return found[::-1]

    def _history(self, stream_id: bytes) -> History:
        return self.streams.setdefault(stream_id, History())

    def _seal(self, entry: Entry, event: Seal, key: bytes) -> Iterator[str]:
        history = self._history(event.stream_id)
        if event.segment <= history.last or history.is_gone(event.segment):
            yield f"segment {event.segment} of stream {event.stream_id.hex()} is sealed twice, or out of order"
            return
        history.sealed[event.segment] = SealedEntry(
            entry.number, entry.age, entry.time, event.manifest, history.previous, key, self.intact
        )
        history.last, history.previous = event.segment, event.manifest

    def _drop(self, entry: Entry, event: Evict | Delete) -> Iterator[str]:
        history = self._history(event.stream_id)
        sealed = history.sealed.get(event.segment)
        if not sealed or sealed.manifest != event.manifest:
            yield f"segment {event.segment} of stream {event.stream_id.hex()} goes, and was not sealed"
            return
        history.drop(event.segment)
        if isinstance(event, Evict):
            self.evicted, what = self.evicted + 1, f"evicted ({event.reason})"
        else:
            self.deleted, what = self.deleted + 1, "deleted"
        self._gone.append(Gone(event.stream_id, event.segment, entry.number, what, entry.age - sealed.age, sealed.time))

    def _forget(self, entry: Entry, event: Forget) -> Iterator[str]:
        history = self._history(event.stream_id)
        if event.segment < history.last:
            yield f"stream {event.stream_id.hex()} is forgotten up to {event.segment}, and later segments were sealed"
        history.forgotten = max(history.forgotten or 0, event.segment)
        for number in [number for number in history.sealed if number <= event.segment]:
            history.went[number] = history.sealed.pop(number).manifest
        self.forgotten.append((entry.number, event))
