"""Merges what several streams give out, by time, in rounds: a step for each line would cost more than the line."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["Batch", "Source", "merge"]

T = TypeVar("T")


class Batch(NamedTuple, Generic[T]):
    """Things in their order, and the time of each, as records have it: the order of times, if nobody tampered."""

    times: list[bytes]
    items: list[T]


_NOTHING: Batch[Any] = Batch([], [])


class Source(NamedTuple, Generic[T]):
    """A stream: the time before which nothing comes, and what opens it and gives batches, none of them empty."""

    begins: bytes
    batches: Callable[[], Iterator[Batch[T]]]


class _Open(Generic[T]):
    """A source that is being read: its batch, and how much of that was given out."""

    def __init__(self, batches: Iterator[Batch[T]]) -> None:
        self.batches, self.place = batches, 0
        self.times: list[bytes] = []
        self.items: list[T] = []

    def load(self) -> bool:
        """Go on to the next batch where this one was given out; False where there is none."""
        if self.place == len(self.times):
            self.times, self.items = next(self.batches, _NOTHING)
            self.place = 0
        return bool(self.times)


def merge(sources: Sequence[Source[T]]) -> Iterator[list[T]]:
    """Yield all that the sources give, in the order of times; those of one time in the order of their sources.

    A source is opened when its turn comes, and not before all that is earlier was given out: the first lines do not
    wait for a hundred streams. It holds one batch. What it gives out of order, as after a clock that was set back,
    comes as soon as it can.
    """
    waiting = [(source.begins, place) for place, source in enumerate(sources)]
    heapq.heapify(waiting)
    active: dict[int, _Open[T]] = {}
    while waiting or active:
        bound = min((source.times[-1] for source in active.values()), default=b"")
        if waiting and (not active or waiting[0][0] <= bound):
            begins, place = heapq.heappop(waiting)
            items = _take(active, begins, bisect_left)
            if items:
                yield items
            opened = _Open(sources[place].batches())
            if opened.load():
                active[place] = opened
            continue
        items = _take(active, bound, bisect_right)
        if items:
            yield items
        active = {place: source for place, source in active.items() if source.load()}


def _take(active: dict[int, _Open[T]], bound: bytes, bisect: Callable[[Sequence[bytes], bytes, int], int]) -> list[T]:
    """Take what is up to a time from all that are open. A batch that ends there is taken whole, whatever its order."""
    times: list[bytes] = []
    items: list[T] = []
    parts = 0
    for place in sorted(active):
        source = active[place]
        is_last = source.times[-1] <= bound and bisect is bisect_right
        end = len(source.times) if is_last else bisect(source.times, bound, source.place)
        if end > source.place:
            times += source.times[source.place : end]
            items += source.items[source.place : end]
            source.place, parts = end, parts + 1
    if parts > 1:
        items.sort(key=partial(next, iter(times)))  # asked of each item, in their order: its time
    return items
