"""What would go if a person removed it, and what would stay, as the files say: no catalog decides what is removed."""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.limits import SEGMENT_ROOM
from logchain.read.live import open_segment
from logchain.read.sealed import Outline, peek
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.store.layout import TIERS, Directory, manifest_name, sealed_name, segments

__all__ = ["Removal", "find_removal"]


class Removal(NamedTuple):
    """Of one stream: the sealed segments that ended in time, what they take on the disk, and in words what stays."""

    stream: str
    segments: list[Outline]
    room: int
    stays: list[str]


def find_removal(store: Directory, vm: str, stream: str, until: int) -> Removal:
    """Return what goes of a stream if what was received at `until` or before, µs since 1970, is to go.

    It goes from its begin on, whatever the clock did: a segment can say why the one before it has no end.
    """
    gone: list[Outline] = []
    stays: list[str] = []
    room = kept = 0
    with open_stream_files(store, vm, stream) as files:
        for number in files.sealed_numbers():
            assert files.sealed
            try:
                outline = peek(files.sealed, number)
            except FileNotFoundError:  # evicted just now
                continue
            except FormatError as error:
                stays.append(f"segment {number}: {error}")
                continue
            if outline.last_time <= until and not kept:
                gone.append(outline)
                room += _room(files.sealed, number)
            elif outline.first_time <= until:
                stays.append(f"segment {number}: it goes on behind that time" if not kept else _behind(number, kept))
            if outline.last_time > until:
                kept = kept or number
        stays += _live(files, until)
    return Removal(stream, gone, room, stays)


def _behind(number: int, kept: int) -> str:
    return f"segment {number}: segment {kept} before it stays"


def _live(files: StreamFiles, until: int) -> Iterator[str]:
    """Yield what is not sealed and began in time."""
    state, _ = files.try_state()
    sealed = files.sealed_numbers()
    for number in segments(files.live) if files.live else []:
        if not files.live or number in sealed or (state and number > state.segment):
            continue
        with suppress(FormatError, FileNotFoundError), open_segment(files.live, number, state) as segment:
            if segment.record_at(0).time <= until:
                yield f"segment {number}: it is not sealed yet"


def _room(sealed: Directory, number: int) -> int:
    """Return what a sealed segment takes on the disk, as it counts against the quota."""
    room = SEGMENT_ROOM
    for name in (manifest_name(number), *(sealed_name(number, tier) for tier in TIERS)):
        with suppress(FileNotFoundError):
            room += sealed.allocated(name)
    return room
