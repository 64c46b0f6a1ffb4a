"""What `logchain timeline` tells: how many records came when, by VM.

A segment that lies within one bucket is counted whole. One that spans several is counted by the pieces whose times are
at hand: the blocks of its manifest, or records here and there in one that is not sealed. Within a piece records are
taken to lie evenly, but not where the catalog's activity tells that there were none. Nothing is verified, and no text
is read.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from logchain.format.activity import Run
from logchain.format.errors import FormatError, StoreError
from logchain.format.limits import MAX_TIME
from logchain.read.catalog import Catalog, SealedActivity
from logchain.read.sealed import SealedText, read_manifest
from logchain.read.segment_listing import SegmentInfo, list_segments
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.selection import Selection
from logchain.store.layout import Directory

__all__ = ["Timeline", "count_records"]

_SAMPLES = 64  # records of a segment in live/ whose times are looked at
_PATIENCE = 2.0  # s for looking into segments; what is left then is spread over its whole time


class Timeline(NamedTuple):
    """Records in buckets of equal width, from `since` to `until` (µs since 1970, both 0 where there is nothing)."""

    since: int
    until: int
    counts: dict[str, list[int]]  # by VM
    spread: int  # segments of which only the first and last time were looked at, though they span several buckets


class _Piece(NamedTuple):
    """So many records, received between two times, both included."""

    first: int
    last: int
    records: float


def count_records(
    store: Directory, selection: Selection, catalog: Catalog, activity: SealedActivity, buckets: int
) -> Timeline:
    """Count the records of a selection in so many buckets; where it has no limits in time, from the first to the last.

    What a damaged segment has is not counted.
    """
    found = [
        row
        for row in list_segments(store, selection.names(store), catalog)
        if row.records and row.first <= selection.until and row.last >= selection.since
    ]
    since = selection.since or min((row.first for row in found), default=0)
    until = selection.until if selection.until < MAX_TIME else max((row.last for row in found), default=0)
    counter = _Counter(since, max(since, until), buckets)
    deadline = time.monotonic() + _PATIENCE
    spread = 0
    for row in found:
        pieces = [_Piece(row.first, max(row.first, row.last), row.records)]
        if counter.place(row.first) != counter.place(row.last):
            exact = _pieces(store, row, activity) if time.monotonic() < deadline else []
            spread += not exact
            pieces = exact or pieces
        for piece in pieces:
            counter.add(row.vm, piece)
    return Timeline(since, max(since, until), counter.rounded(), spread)


def _pieces(store: Directory, row: SegmentInfo, activity: SealedActivity) -> list[_Piece]:
    """Return the pieces of a segment; none where it cannot be told."""
    with suppress(FormatError, StoreError, FileNotFoundError), open_stream_files(store, row.vm, row.stream) as files:
        found = list(_between([*_known(files, row.segment)], row))
        known = activity.of(row.vm, row.stream, row.segment, files.sealed) if files.sealed else None
        runs = [(item.first, item.last) for item in known[1] if isinstance(item, Run)] if known else []
        return [part for piece in found for part in _within(piece, runs)] if runs else found
    return []


def _within(piece: _Piece, runs: list[tuple[int, int]]) -> list[_Piece]:
    """Return a piece without the times when nothing came: as parts, by their lengths; itself if none would be left."""
    spans = [(max(piece.first, first), min(piece.last, last)) for first, last in runs]
    spans = [(first, last) for first, last in spans if first <= last]
    whole = sum(last - first + 1 for first, last in spans)
    return [_Piece(first, last, piece.records * (last - first + 1) / whole) for first, last in spans] or [piece]


def _known(files: StreamFiles, number: int) -> Iterator[tuple[int, int]]:
    """Yield time and place of records of a segment, in order, the first among them."""
    with suppress(FileNotFoundError):
        if files.sealed:
            place = 0
            for block in read_manifest(files.sealed, number).blocks:
                yield block.time, place
                place += block.records
            return
    state, _ = files.try_state()
    with files.open(number, state) as text:
        if not isinstance(text, SealedText):  # if it was sealed in this moment, nothing is known
            for place in range(0, text.records, max(1, text.records // _SAMPLES)):
                yield text.record_at(place).time, place


def _between(known: list[tuple[int, int]], row: SegmentInfo) -> Iterator[_Piece]:
    for (first, place), (last, behind) in zip(known, [*known[1:], (row.last, row.records)], strict=True):
        yield _Piece(first, max(first, last), behind - place)


class _Counter:
    """The buckets."""

    def __init__(self, since: int, until: int, buckets: int) -> None:
        self._since, self._buckets = since, buckets
        self._width = (until - since + 1) / buckets
        self._counts: dict[str, list[float]] = {}

    def place(self, time_us: int) -> int:
        """Return which bucket a time falls into; -1 and the number of buckets stand for all before and behind."""
        return max(-1, min(self._buckets, int((time_us - self._since) // self._width)))

    def add(self, vm: str, piece: _Piece) -> None:
        """Count a piece, for its part in each bucket."""
        counts = self._counts.setdefault(vm, [0.0] * self._buckets)
        span = piece.last - piece.first + 1
        for place in range(max(0, self.place(piece.first)), min(self._buckets - 1, self.place(piece.last + 1)) + 1):
            begin = self._since + place * self._width
            part = min(piece.last + 1, begin + self._width) - max(piece.first, begin)
            counts[place] += piece.records * max(0.0, part) / span

    def rounded(self) -> dict[str, list[int]]:
        """Return the counts in whole records, the rest of each bucket carried on to the next: no record is lost."""
        found = {}
        for vm, counts in sorted(self._counts.items()):
            rest, whole = 0.0, []
            for count in counts:
                rest += count
                whole.append(round(rest))
                rest -= whole[-1]
            found[vm] = whole
        return found
