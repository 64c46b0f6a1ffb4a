"""Makes an evidence file of a store, part after part, the same bytes each time (docs/spec/evidence.md).

Nothing is written here, and nothing of the text is held but the block that is at hand. Blocks are checked against
their manifests as they are read; whether all of it is proven is for `check_evidence`, which the command asks first.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from logchain.format.errors import FormatError, StoreError, UsageError
from logchain.format.evidence import (
    ENTRIES,
    GENESIS_PEM,
    INDEX,
    LOG_PEM,
    README,
    EvidenceIndex,
    IndexedSegment,
    IndexedStream,
    block_path,
    format_index,
    manifest_path,
    pem,
    proof_path,
    text_path,
)
from logchain.format.evidence_range import covering, cut, is_within
from logchain.format.evidence_readme import README_TEXT
from logchain.format.identity import parse_salt
from logchain.format.limits import MAX_EXPORTED, MAX_EXPORTED_SEGMENTS, MAX_MANIFEST, MAX_MEMBER, MAX_SMALL_FILE
from logchain.format.manifest import Manifest, parse_manifest
from logchain.format.ratchet import stream_id
from logchain.format.signed_note import parse_note
from logchain.format.ustar import END, format_header, padding
from logchain.read.export_ledger import LedgerPart
from logchain.read.live import read_store_id
from logchain.read.sealed import Outline, open_sealed, peek
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.times import format_local
from logchain.store.layout import ID, SEALED, Directory, manifest_name, segments, stream_directory

__all__ = ["Evidence", "Unsealed", "plan_evidence", "unsealed"]


class Unsealed(NamedTuple):
    """A stream that has records of the range in a segment that is not sealed, which begins then (µs since 1970)."""

    vm: str
    stream: str
    begins: int


class _Run(NamedTuple):
    """What goes in of a stream: a run of segments without a gap, the SHA-256 of each one's manifest; bytes of text."""

    vm: str
    stream: str
    stream_id: bytes
    salt: bytes | None
    segments: dict[int, bytes]
    size: int


class Evidence:
    """What goes into an evidence file; what is sealed must not change until the last chunk is made."""

    def __init__(self, store: Directory, since: int, until: int, runs: list[_Run]) -> None:
        self._store, self._runs = store, runs
        self._ledger = LedgerPart(store, [(run.stream_id, *one) for run in runs for one in run.segments.items()])
        streams = tuple(IndexedStream(*run[:4], tuple(self._segments(run))) for run in runs)
        self.index = EvidenceIndex(read_store_id(store), since, until, self._ledger.count, streams)

    @property
    def size(self) -> int:
        """About how many bytes it has; exactly only when it is made."""
        return self._ledger.size + 2 * sum(run.size for run in self._runs)

    def _segments(self, run: _Run) -> Iterator[IndexedSegment]:
        for segment in run.segments:
            yield IndexedSegment(segment, self._ledger.sealing[run.stream_id, segment])

    def chunks(self) -> Iterator[bytes]:
        """Yield the file; FormatError where a block is not what its manifest says any more, FileNotFoundError."""
        genesis = self._ledger.genesis
        yield from _whole(README, README_TEXT)
        yield from _whole(INDEX, format_index(self.index))
        yield from _whole(GENESIS_PEM, pem(genesis.key))
        yield from _whole(LOG_PEM, pem(genesis.log))
        yield format_header(ENTRIES, self._ledger.size)
        yield from self._ledger.pieces()
        yield padding(self._ledger.size)
        for entry, proof in self._ledger.proofs():
            yield from _whole(proof_path(entry), proof)
        for stream, run in zip(self.index.streams, self._runs, strict=True):
            try:
                with stream_directory(self._store, run.vm, run.stream, SEALED) as sealed:
                    yield from self._stream(sealed, stream, run)
            except FormatError as error:
                raise FormatError(f"{run.vm}/{run.stream}: {error}; 'logchain verify' tells more") from error
        yield END

    def _stream(self, sealed: Directory, stream: IndexedStream, run: _Run) -> Iterator[bytes]:
        since, until = self.index.since, self.index.until
        for segment in run.segments:
            data, manifest = _read_manifest(sealed, segment)
            yield from _whole(manifest_path(stream, segment), data)
            for place, block in _blocks(sealed, manifest, since, until):
                yield from _whole(block_path(stream, segment, manifest.blocks[place].offset), block)
        yield format_header(text_path(stream), run.size)
        for segment in run.segments:
            manifest = _read_manifest(sealed, segment)[1]
            for place, block in _blocks(sealed, manifest, since, until):
                yield block if is_within(manifest, place, since, until) else cut(block, since, until)[2]
        yield padding(run.size)


def _blocks(sealed: Directory, manifest: Manifest, since: int, until: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a segment that can have records of the range, each with its place; FormatError."""
    with open_sealed(sealed, manifest) as text:
        for place in covering(manifest, since, until):
            yield place, text.block(place)


def _whole(path: str, data: bytes) -> Iterator[bytes]:
    yield format_header(path, len(data))
    yield data
    yield padding(len(data))


def unsealed(store: Directory, names: Iterable[tuple[str, str]], since: int, until: int) -> Iterator[Unsealed]:
    """Yield those of the streams that have records of the range in a segment that is not sealed. FormatError."""
    for vm, stream in names:
        with open_stream_files(store, vm, stream) as files:
            begins = _first_unsealed(files, since, until)
        if begins is not None:
            yield Unsealed(vm, stream, begins)


def _first_unsealed(files: StreamFiles, since: int, until: int) -> int | None:
    """Return when the first segment begins that is not sealed, and has records of the range; None where none has."""
    sealed = files.sealed_numbers()
    state, _ = files.try_state()
    for number in segments(files.live) if files.live else []:
        if number not in sealed and not (state and number > state.segment):
            with suppress(FileNotFoundError), files.open(number, state) as text:
                begins = text.first_time()
                if begins <= until and text.last_time() >= since:
                    return begins
    return None


def plan_evidence(store: Directory, names: Iterable[tuple[str, str]], since: int, until: int) -> Evidence:
    """Find what goes into the evidence of these streams and times, µs since 1970, both included.

    Raises UsageError where there is nothing, or too much; StoreError where a part is not sealed; both StoreError and
    FormatError where the store is not as it should be.
    """
    names = list(names)
    if found := next(unsealed(store, names, since, until), None):
        raise StoreError(
            f"{found.vm}/{found.stream}: what came since {_when(found.begins)} is not sealed: its sender is connected, "
            "or more is wrong ('logchain seal' tells). End the sender and try again, or take out with --until what is "
            "before that"
        )
    runs = []
    for vm, stream in names:
        try:
            with open_stream_files(store, vm, stream) as files:
                run = _plan_stream(files, vm, stream, since, until)
        except FormatError as error:
            raise FormatError(f"{vm}/{stream}: {error}; 'logchain verify' tells more") from error
        if run:
            runs.append(run)
    if not runs:
        raise UsageError("nothing of that is sealed, so there is nothing to prove; 'logchain list' tells what there is")
    if len(runs) > MAX_EXPORTED:
        raise UsageError(f"these are {len(runs)} streams, and {MAX_EXPORTED} go into a file: choose some with --vm")
    if sum(len(run.segments) for run in runs) > MAX_EXPORTED_SEGMENTS:
        raise UsageError(
            f"more than {MAX_EXPORTED_SEGMENTS:,} segments do not go into a file: choose less with --since"
        )
    return Evidence(store, since, until, runs)


def _plan_stream(files: StreamFiles, vm: str, stream: str, since: int, until: int) -> _Run | None:
    """Return what goes in of a stream, None where nothing of it is sealed; FormatError."""
    name = f"{vm}/{stream}"
    chosen = _choose([peek(files.sealed, number) for number in files.sealed_numbers() if files.sealed], since, until)
    if not chosen or not files.sealed:
        return None
    touched = [outline for outline in chosen if _touches(outline, since, until)] or chosen[:1]
    identity = touched[0].stream_id
    other = next((outline for outline in touched if outline.stream_id != identity), None)
    if other:
        raise UsageError(f"{name} lost its id before segment {other.segment}; {_split(other)}")
    found: dict[int, bytes] = {}
    size, previous = 0, b""
    for outline in chosen:
        if outline.stream_id == identity:
            data, manifest = _read_manifest(files.sealed, outline.segment)
            if found and manifest.previous != previous:
                if outline.first_time > until:
                    break  # the neighbours alone do not join
                if size:
                    raise UsageError(
                        f"{name}: a segment is missing before segment {outline.segment}; {_split(outline)}"
                    )
                found.clear()
            found[outline.segment] = previous = sha256(data).digest()
            size += _measure(files.sealed, manifest, since, until)
    if size > MAX_MEMBER:
        raise UsageError(
            f"{name}: these are {size:,} bytes, and {MAX_MEMBER:,} go into a file: choose less with --since"
        )
    return _Run(vm, stream, identity, _salt(files, vm, stream, identity), found, size)


def _touches(outline: Outline, since: int, until: int) -> bool:
    return outline.first_time <= until and outline.last_time >= since


def _choose(outlines: list[Outline], since: int, until: int) -> list[Outline]:
    """Return the segments with records of the range, all between them, and one on either side.

    Of these only the manifest goes in: by it anyone sees that nothing of the range is missing there.
    """
    places = [place for place, outline in enumerate(outlines) if _touches(outline, since, until)]
    if places:
        first, last = places[0] - 1, places[-1] + 1
    else:  # nothing came: the last before, and the first behind
        first = max((place for place, outline in enumerate(outlines) if outline.last_time < since), default=-1)
        last = first + 1
    return outlines[max(0, first) : last + 1]


def _split(outline: Outline) -> str:
    return f"take out what is before {_when(outline.first_time)}, and what is behind it, by itself"


def _when(time: int) -> str:
    return format_local(time, None)[:19]


def _read_manifest(sealed: Directory, number: int) -> tuple[bytes, Manifest]:
    data = sealed.read(manifest_name(number), MAX_MANIFEST)
    return data, parse_manifest(parse_note(data, MAX_MANIFEST, most=1).text)


def _measure(sealed: Directory, manifest: Manifest, since: int, until: int) -> int:
    """Return the bytes of a segment's text that are of the range; only blocks at its ends are read."""
    size = 0
    with open_sealed(sealed, manifest) as text:
        for place in covering(manifest, since, until):
            if is_within(manifest, place, since, until):
                size += manifest.blocks[place].size
            else:
                size += len(cut(text.block(place), since, until)[2])
    return size


def _salt(files: StreamFiles, vm: str, stream: str, identity: bytes) -> bytes | None:
    """Return the salt that ties names and id; None where it is lost, or another one's."""
    try:
        data = files.live.read(ID, MAX_SMALL_FILE) if files.live else b""
        salt = parse_salt(data, vm, stream)
    except (FileNotFoundError, FormatError):
        return None
    return salt if stream_id(salt, vm, stream) == identity else None
