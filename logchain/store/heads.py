"""Fixing how far the open segments have come: the lists that `heads` entries hash (docs/spec/heads.md)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from logchain.format.errors import FormatError, Full, StoreError
from logchain.format.heads import Head, format_heads, parse_heads
from logchain.format.ledger import Heads
from logchain.format.limits import (
    MAX_HEADS,
    MAX_HEADS_FILE,
    MAX_SEGMENT_BYTES,
    MAX_SEGMENT_RECORDS,
)
from logchain.store.durable import put, reading, remove
from logchain.store.layout import (
    HEADS,
    LEDGER,
    LIVE,
    Directory,
    heads_name,
    lists,
    log_name,
    segments,
    stream_directory,
    streams,
)
from logchain.store.ledger import Ledger
from logchain.store.sealer import record_births
from logchain.store.segments import durable_state, extent, read_stream_id

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["KeptLists", "OpenHeads"]

_CHUNK = 1 << 20
_LOOK_BACK = 500  # lists that a new start reads, for it to list nothing twice
_Key: TypeAlias = tuple[bytes, int]  # stream id, segment


class OpenHeads:
    """What the lists say already, and the hashes of open segments so far: no byte is hashed twice."""

    def __init__(self) -> None:
        self._listed: dict[_Key, int] = {}  # bytes of it that the last list with it has
        self._last = -1  # the entry of the last list that we know
        self._hashes: dict[_Key, tuple[int, _Hash]] = {}
        self.complaints: list[str] = []  # of the last time: a line for each stream of which not all could be listed

    def record(self, store: Directory, ledger: Ledger) -> bool:
        """Append `birth` and `heads` entries for what is new since the last time; say whether there was anything.

        What is wrong with one stream is a complaint, and the others are listed. Raises Full, WriteFailed, StoreError of
        the ledger.
        """
        self.complaints = []
        if max(ledger.state.lists, default=0) != self._last:  # at first, and when somebody else made one
            self._listed |= _read_lists(store)
        before = ledger.number
        found: list[Head] = []
        seen: set[_Key] = set()
        refused: list[StoreError] = []
        for vm, stream in streams(store, LIVE, refused):
            try:
                with suppress(FileNotFoundError), stream_directory(store, vm, stream) as live:
                    for key, head in self._of_stream(ledger, live, vm, stream):
                        seen.add(key)
                        if head:
                            found.append(head)
            except (FormatError, StoreError) as error:
                if isinstance(error, Full) or not ledger.usable:
                    raise
                self.complaints.append(f"{vm}/{stream}: {error}")
        self.complaints += map(str, refused)
        self._hashes = {key: known for key, known in self._hashes.items() if key in seen}
        self._listed = {key: size for key, size in self._listed.items() if key in seen}
        for start in range(0, len(found), MAX_HEADS):
            self._append(store, ledger, sorted(found)[start : start + MAX_HEADS])
        self._last = max(ledger.state.lists, default=0)
        return ledger.number > before

    def _of_stream(self, ledger: Ledger, live: Directory, vm: str, stream: str) -> Iterator[tuple[_Key, Head | None]]:
        """Yield the segments of a stream that are not sealed, with a head where there is more of it than was listed."""
        state = durable_state(live)
        identity = read_stream_id(live, vm, stream)
        record_births(ledger, live, identity, state)
        history = ledger.state.of(identity)
        foreign = {birth for birth, _ in history.births if ledger.state.births[birth] != identity}
        for segment in segments(live):
            # one beyond the key state was never committed; one from before the first birth is another id's
            known = segment in history.sealed or history.is_gone(segment) or not history.birth_of(segment)
            if known or segment > state.segment:
                continue
            if history.birth_of(segment) in foreign:  # an entry names segments by their births: it would be the other's
                birth = history.birth_of(segment)
                told = f"birth {birth} is another's too: no list says how far it came; 'logchain verify' names both"
                complaint = f"{vm}/{stream}: {told}"
                self.complaints += [complaint] * (complaint not in self.complaints)
                continue
            key, head = (identity, segment), None
            with suppress(FileNotFoundError, FormatError):
                records, size, tag = extent(live, state, segment)
                if size > MAX_SEGMENT_BYTES or records > MAX_SEGMENT_RECORDS:
                    raise FormatError("a segment larger than any collector writes")
                if size > self._listed.get(key, 0):
                    head = Head(*key, records, size, tag, self._digest(live, key, size))
            yield key, head

    def _digest(self, live: Directory, key: _Key, size: int) -> bytes:
        """Return SHA-256 of the first `size` bytes of a segment's text."""
        at, hashed = self._hashes.get(key, (0, sha256()))
        hashed = hashed.copy()
        fd = live.file(log_name(key[1]))
        try:
            while at < size:
                with reading(f"{live.path}/{log_name(key[1])}"):
                    data = os.pread(fd, min(_CHUNK, size - at), at)
                if not data:
                    raise FormatError("a text that is shorter than its key state says")
                hashed.update(data)
                at += len(data)
        finally:
            os.close(fd)
        self._hashes[key] = size, hashed
        return hashed.digest()

    def _append(self, store: Directory, ledger: Ledger, heads: list[Head]) -> None:
        data = format_heads(ledger.store_id, heads)
        name = heads_name(ledger.number)
        births = (ledger.state.of(head.stream_id).birth_of(head.segment) for head in heads)
        segments = tuple(sorted(zip(births, (head.segment for head in heads), strict=True)))
        with store.directory(LEDGER) as top, top.directory(HEADS) as directory:
            put(directory, name, [data], 0o440)
            try:
                ledger.append(Heads(segments, sha256(data).digest()))  # the commit point
            except Full:
                if ledger.usable:  # the entry was not made, and another may get its number
                    remove(directory, [name])
                raise
        for head in heads:
            self._listed[head[:2]] = head.size


def _read_lists(store: Directory) -> dict[_Key, int]:
    """Return how many bytes of each segment the newest lists have. What only older ones have is listed again."""
    listed: dict[_Key, int] = {}
    with store.directory(LEDGER) as top, top.directory(HEADS) as directory:
        for number in lists(directory)[-_LOOK_BACK:]:
            with suppress(FormatError, OSError):
                for head in parse_heads(directory.read(heads_name(number), MAX_HEADS_FILE))[1]:
                    listed[head[:2]] = head.size
    return listed


class KeptLists:
    """Which lists still say something: each is known by one of its segments that is not gone, while there is one."""

    def __init__(self) -> None:
        self._known: dict[_Key, list[int]] = {}
        self._last = 0  # the last list that we looked at

    def drop(self, store: Directory, ledger: Ledger) -> None:
        """Remove the lists of which all segments are gone (docs/spec/heads.md, 5). One that cannot be read stays."""
        new = [number for number in ledger.state.lists if number > self._last]
        went = [key for key in self._known if ledger.state.of(key[0]).is_gone(key[1])]
        loose = sorted([*new, *(number for key in went for number in self._known.pop(key))])
        if not loose:
            return
        with store.directory(LEDGER) as top, top.directory(HEADS) as directory:
            unneeded = [number for number in loose if not self._find(ledger, directory, number)]
            remove(directory, map(heads_name, unneeded))
        ledger.state.lists.difference_update(unneeded)
        self._last = max(self._last, loose[-1])

    def _find(self, ledger: Ledger, directory: Directory, number: int) -> bool:
        """Find a segment of a list that is not gone; tell whether the list must stay."""
        try:
            heads = parse_heads(directory.read(heads_name(number), MAX_HEADS_FILE))[1]
        except (FormatError, OSError):
            return True
        for head in heads:
            if not ledger.state.of(head.stream_id).is_gone(head.segment):
                self._known.setdefault(head[:2], []).append(number)
                return True
        return False
