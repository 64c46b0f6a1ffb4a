"""Where records lie in time, about: so that the newest can be found without reading what is before them."""

from collections.abc import Iterator
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.selection import Selection
from logchain.read.view import View

__all__ = ["Extents"]

_SECOND = 1_000_000


class _Extent(NamedTuple):
    """A segment: its times, and how many records it has."""

    first: int
    last: int
    records: int

    def behind(self, since: int, until: int) -> float:
        """Return how many records lie between two times, if they lie evenly."""
        begin, end = max(since, self.first), min(until, self.last)
        if begin > end:
            return 0
        return self.records * (end - begin + 1) / (self.last - self.first + 1)


class Extents:
    """The segments that a selection is in. What cannot be read has no extent, and is met all the same."""

    def __init__(self, view: View, selection: Selection) -> None:
        found: list[_Extent] = []
        for vm, stream in selection.names(view.store):
            try:
                with open_stream_files(view.store, vm, stream) as files:
                    found += _extents(view, files, vm, stream)
            except FormatError:
                continue
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
                near += extent.behind(end - span, end)
                if near >= count:
                    return end - span
            span *= 2
        return 0


def _extents(view: View, files: StreamFiles, vm: str, stream: str) -> Iterator[_Extent]:
    state, _ = files.try_state()
    for number in files.numbers():
        try:
            outline = view.outline(files, vm, stream, number)
            if outline:
                yield _Extent(outline.first_time, max(outline.first_time, outline.last_time), outline.records)
                continue
            if not state or number > state.segment:
                continue
            with files.open(number, state) as text:
                first = text.first_time()
                last = state.time if number == state.segment else text.last_time()
                yield _Extent(first, max(first, last), text.records)
        except (FormatError, FileNotFoundError):
            continue
