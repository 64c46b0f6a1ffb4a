"""Where records lie in time, about: so that the newest can be found without reading what is before them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.selection import Selection
from logchain.read.view import View

__all__ = ["Extents"]

_SECOND = 1_000_000


class _Extent(NamedTuple):
    """A segment: its times, how many records it has, and bytes."""

    first: int
    last: int
    records: int
    size: int

    def part(self, since: int, until: int) -> float:
        """Return how much of it lies between two times, 0 to 1, if it lies evenly."""
        begin, end = max(since, self.first), min(until, self.last)
        return max(0, end - begin + 1) / (self.last - self.first + 1)


class Extents:
    """The segments that a selection is in. What cannot be read has no extent, and is met all the same.

    `is_ordered`: no segment begins before the one before it ends, as where a clock was set back.
    """

    def __init__(self, view: View, selection: Selection) -> None:
        found: list[_Extent] = []
        self.is_ordered = True
        for vm, stream in selection.names(view.store):
            try:
                with open_stream_files(view.store, vm, stream) as files:
                    extents = list(_extents(view, files, vm, stream))
            except FormatError:
                continue
            self.is_ordered &= all(before.last <= extent.first for before, extent in pairwise(extents))
            found += extents
        self._found = sorted(found, key=lambda extent: extent.last, reverse=True)

    def back(self, until: int, count: int) -> int:
        """Return a time from which on about so many records, or some more, lie up to `until`; 0: there are fewer."""
        end = next((extent.last for extent in self._found if extent.first <= until), 0)
        end, span = min(end, until), _SECOND
        while span < end:
            near = 0.0
            for extent in self._found:
                if extent.last < end - span:
                    break
                near += extent.records * extent.part(end - span, end)
                if near >= count:
                    return end - span
            span *= 2
        return 0

    def size(self, since: int, until: int) -> int:
        """Return how many bytes, about, lie between two times."""
        return int(sum(extent.size * extent.part(since, until) for extent in self._found))

    def cuts(self, since: int, until: int, size: int) -> list[int]:
        """Return times between which about so many bytes lie."""
        steps = []  # where bytes a µs become more, or fewer
        for extent in self._found:
            begin, end = max(since, extent.first), min(until, extent.last) + 1
            if begin < end:
                rate = extent.size / (extent.last + 1 - extent.first)
                steps += [(begin, rate), (end, -rate)]
        found, rate, bytes_since = [], 0.0, 0.0
        for (begin, change), (end, _) in pairwise(sorted(steps)):
            rate += change
            while rate > 0 and begin < end and bytes_since + rate * (end - begin) >= size:
                begin = min(end, begin + max(1, round((size - bytes_since) / rate)))
                found.append(begin)
                bytes_since = 0.0
            bytes_since += rate * (end - begin)
        return found


def _extents(view: View, files: StreamFiles, vm: str, stream: str) -> Iterator[_Extent]:
    state, _ = files.try_state()
    for number in files.numbers():
        try:
            outline = view.outline(files, vm, stream, number)
            if outline:
                last = max(outline.first_time, outline.last_time)
                yield _Extent(outline.first_time, last, outline.records, outline.size)
                continue
            if not state or number > state.segment:
                continue
            with files.open(number, state) as text:
                first = view.begins[vm, stream, number] = text.first_time()
                last = state.time if number == state.segment else text.last_time()
                yield _Extent(first, max(first, last), text.records, text.size)
        except (FormatError, FileNotFoundError):
            continue
