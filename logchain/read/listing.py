"""What `logchain list` tells: one row a stream."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logchain.format.catalog import SegmentRow
from logchain.format.errors import FormatError, StoreError
from logchain.format.keystate import BROKEN, KeyState, Status
from logchain.format.limits import SEGMENT_ROOM
from logchain.read.catalog import Catalog
from logchain.read.gone import Gone
from logchain.read.live import is_connected
from logchain.read.sealed import SealedText
from logchain.read.segments import StreamFiles, all_streams, open_stream_files
from logchain.store.layout import TIERS, Directory, sealed_name, segments

__all__ = ["StreamRow", "list_streams"]

_STATES = {
    Status.OPEN: "open",
    Status.CLOSED: "closed",
    Status.GIVEN_UP: "gave up",
    Status.RESTORED: "restored",
    **dict.fromkeys(BROKEN, "broken"),
}


class StreamRow(NamedTuple):
    """A stream: how many records and bytes it has, its first and last receive time (µs, 0: none), and how it stands.

    Records and bytes are those of the segments that are there, sealed or not. Id (hex) and birth are those of now,
    empty and 0 where they are lost. `room`: bytes on the disk, as they count against the quota. `sealed`, `compressed`:
    so many of the segments are.
    """

    vm: str
    stream: str
    segments: int
    records: int
    size: int
    first: int
    last: int
    state: str
    connected: bool
    id: str = ""
    birth: int = 0
    room: int = 0
    sealed: int = 0
    compressed: int = 0


def list_streams(
    store: Directory, catalog: Catalog | None = None, names: Iterable[tuple[str, str]] | None = None
) -> Iterator[StreamRow]:
    """Yield a row for every stream, sorted by VM and stream, or for those in `names`. Quick: nothing is verified.

    What is sealed is taken from the catalog where one is given and is current, else from the files.
    """
    gone = Gone(store)
    for vm, stream in all_streams(store) if names is None else names:
        try:
            with open_stream_files(store, vm, stream) as files:
                yield _row(files, vm, stream, gone, catalog or Catalog())
        except FormatError:
            yield StreamRow(vm, stream, 0, 0, 0, 0, 0, "damaged", False)
        except StoreError:
            yield StreamRow(vm, stream, 0, 0, 0, 0, 0, "no access", False)


def _row(files: StreamFiles, vm: str, stream: str, gone: Gone, catalog: Catalog) -> StreamRow:
    if files.is_unborn:
        return StreamRow(vm, stream, 0, 0, 0, 0, 0, "empty", False)
    state, _ = files.try_state()
    live = segments(files.live) if files.live else []
    rows = catalog.rows(vm, stream, files.sealed)  # after live/: a segment is in sealed/ before it goes from there
    known = {row.segment: row for row in rows or ()}
    room, sealed, compressed = _sealed(files, rows)
    room += files.live.room() if files.live else 0
    numbers = sorted({*live, *(files.sealed_numbers() if rows is None else known)})
    if state:
        numbers = [number for number in numbers if number <= state.segment]
    number = first = size = 0
    try:
        for segment in reversed(numbers):
            number, first, length = _extent(files, segment, state, known)
            size += length
    except (FormatError, FileNotFoundError):
        state = None
    if not state:
        return StreamRow(vm, stream, len(numbers), 0, size, first, 0, "damaged", False, room=room)
    whole = state.segment in (0, *numbers) or _is_gone(files, state.segment, gone)
    return StreamRow(
        vm,
        stream,
        len(numbers),
        state.next_number - number if numbers else 0,
        size,
        first,
        state.time,
        _STATES[state.status] if whole else "damaged",
        is_connected(state),
        files.try_stream_id().hex(),
        state.birth,
        room,
        sealed,
        compressed,
    )


def _sealed(files: StreamFiles, rows: list[SegmentRow] | None) -> tuple[int, int, int]:
    """Return what is sealed of a stream: bytes on the disk, segments, and how many of these are compressed."""
    if rows is not None:
        return sum(row.room + SEGMENT_ROOM for row in rows), len(rows), sum(1 for row in rows if row.tier)
    assert files.sealed
    names = frozenset(files.sealed.names())
    texts = [[sealed_name(number, tier) in names for tier in TIERS] for number in files.sealed_numbers()]
    return files.sealed.room(), len(texts), sum(1 for plain, *packed in texts if any(packed) and not plain)


def _extent(
    files: StreamFiles, segment: int, state: KeyState | None, known: dict[int, SegmentRow]
) -> tuple[int, int, int]:
    """Return number and time of a segment's first record, and the bytes of its text; FormatError, FileNotFoundError."""
    outline = known.get(segment) or files.outline(segment)
    if outline:
        return outline.first, outline.first_time, outline.size
    with files.open(segment, state) as text:
        if isinstance(text, SealedText):  # since we looked
            return text.manifest.first, text.manifest.first_time, text.manifest.size
        return text.first_number(), text.record_at(0).time, text.end


def _is_gone(files: StreamFiles, segment: int, gone: Gone) -> bool:
    return all(word for _, _, word, _ in gone.explain(files.try_stream_id(), segment, segment))
