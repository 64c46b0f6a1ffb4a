"""What `logchain list --segments` tells: one row a segment, sealed or not."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from logchain.format.errors import FormatError, StoreError
from logchain.format.keystate import KeyState
from logchain.format.limits import SEGMENT_ROOM
from logchain.read.catalog import Catalog
from logchain.read.sealed import peek
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.store.layout import TIERS, Directory, log_name, manifest_name, sealed_name, segments, tags_name

__all__ = ["SegmentInfo", "list_segments"]

_STATES = {"": "sealed", ".lz4": "lz4", ".xz": "xz"}


class SegmentInfo(NamedTuple):
    """A segment. Times in µs since 1970, sizes in bytes; all but the names is 0 where it is damaged."""

    vm: str
    stream: str
    segment: int
    state: str  # open, closed; sealed, lz4, xz: sealed, and how it is compressed; damaged
    records: int = 0
    number: int = 0  # of its first record in the stream
    size: int = 0  # of its text
    room: int = 0  # on the disk, as it counts against the quota
    first: int = 0
    last: int = 0


def list_segments(store: Directory, names: Iterable[tuple[str, str]], catalog: Catalog) -> Iterator[SegmentInfo]:
    """Yield a row for every segment of these streams, in order. Nothing is verified.

    What is sealed is taken from the catalog where that is current, else from the files. A stream that may not be
    looked into has no rows.
    """
    for vm, stream in names:
        with suppress(FormatError, StoreError), open_stream_files(store, vm, stream) as files:
            state, _ = files.try_state()
            live = segments(files.live) if files.live else []  # before sealed/, where they go
            sealed = _sealed(files, vm, stream, catalog)
            for number in sorted({*live, *sealed}):
                with suppress(FileNotFoundError):  # it went meanwhile
                    yield sealed.get(number) or _live(files, vm, stream, number, state)


def _sealed(files: StreamFiles, vm: str, stream: str, catalog: Catalog) -> dict[int, SegmentInfo]:
    rows = catalog.rows(vm, stream, files.sealed)
    if rows is not None:
        return {
            row.segment: SegmentInfo(
                *(vm, stream, row.segment, _STATES[row.tier], row.records, row.first, row.size),
                *(row.room + SEGMENT_ROOM, row.first_time, row.last_time),
            )
            for row in rows
        }
    assert files.sealed
    found = {}
    names = frozenset(files.sealed.names())
    for number in files.sealed_numbers():
        tiers = [tier for tier in TIERS if sealed_name(number, tier) in names]
        try:
            one = peek(files.sealed, number)
            rooms = [files.sealed.allocated(name) for name in (manifest_name(number), sealed_name(number, tiers[0]))]
        except (FormatError, IndexError):
            found[number] = SegmentInfo(vm, stream, number, "damaged")
            continue
        except FileNotFoundError:
            continue
        numbers = one.records, one.first, one.size, sum(rooms) + SEGMENT_ROOM, one.first_time, one.last_time
        found[number] = SegmentInfo(vm, stream, number, _STATES[tiers[0]], *numbers)
    return found


def _live(files: StreamFiles, vm: str, stream: str, number: int, state: KeyState | None) -> SegmentInfo:
    """Return the row of a segment that is not sealed; FileNotFoundError."""
    assert files.live
    try:
        if not state or number > state.segment:  # nothing says how far it is committed
            return SegmentInfo(vm, stream, number, "damaged")
        with files.open(number, state) as text:
            first = text.first_number()
            times = text.first_time(), text.last_time()
            word = "open" if number == state.segment and state.bounds_segment else "closed"
            room = sum(files.live.allocated(name) for name in (log_name(number), tags_name(number))) + SEGMENT_ROOM
            return SegmentInfo(vm, stream, number, word, text.records, first, text.size, room, *times)
    except FormatError:
        return SegmentInfo(vm, stream, number, "damaged")
