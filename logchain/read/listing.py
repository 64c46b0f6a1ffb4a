"""What `logchain list` tells: one row a stream."""

from collections.abc import Iterator
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.keystate import BROKEN, Status
from logchain.read.live import is_connected, open_segment, read_keystate
from logchain.store.layout import Directory, segments, stream_directory, streams

__all__ = ["StreamRow", "list_streams"]

_STATES = {Status.OPEN: "open", Status.CLOSED: "closed", Status.GIVEN_UP: "gave up", **dict.fromkeys(BROKEN, "broken")}


class StreamRow(NamedTuple):
    """A stream: how many records and bytes it has, its first and last receive time (µs, 0: none), and how it stands."""

    vm: str
    stream: str
    segments: int
    records: int
    size: int
    first: int
    last: int
    state: str
    connected: bool


def list_streams(store: Directory) -> Iterator[StreamRow]:
    """Yield a row for every stream, sorted by VM and stream. Quick: nothing is verified."""
    for vm, stream in streams(store):
        with stream_directory(store, vm, stream) as directory:
            yield _row(directory, vm, stream)


def _row(directory: Directory, vm: str, stream: str) -> StreamRow:
    first = size = 0
    try:
        state = read_keystate(directory)
        numbers = [number for number in segments(directory) if number <= state.segment]
        for number in reversed(numbers):
            with open_segment(directory, number, state) as segment:
                size += segment.end
                first = segment.record_at(0).time
    except FormatError:
        return StreamRow(vm, stream, len(segments(directory)), 0, size, first, 0, "damaged", False)
    except FileNotFoundError:
        numbers = segments(directory)  # none: a birth that was cut short
        return StreamRow(vm, stream, len(numbers), 0, size, first, 0, "damaged" if numbers else "empty", False)
    word = _STATES[state.status] if state.segment in (0, *numbers) else "damaged"
    return StreamRow(vm, stream, len(numbers), state.next_number, size, first, state.time, word, is_connected(state))
