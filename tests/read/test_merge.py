"""Streams are merged by time, whatever comes in one batch; and opened when their turn comes."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from logchain.read.merge import Batch, Source, merge

SORTED = st.lists(st.integers(0, 9)).map(sorted)
Things = list[tuple[int, int, int]]


def source(place: int, times: list[int], size: int, opened: list[int] | None = None) -> Source[tuple[int, int, int]]:
    """Return a source of things: time, source, number; so many in a batch."""
    things = [(time, place, number) for number, time in enumerate(times)]

    def batches() -> Iterator[Batch[tuple[int, int, int]]]:
        if opened is not None:
            opened.append(place)
        for start in range(0, len(things), size):
            part = things[start : start + size]
            yield Batch([b"%d" % time for time, _, _ in part], part)

    return Source(b"%d" % times[0] if times else b"", batches)


@given(st.lists(st.tuples(SORTED, st.integers(1, 4)), max_size=5))
def test_all_comes_in_the_order_of_time(streams: list[tuple[list[int], int]]) -> None:
    """And what is of one time and one stream in the stream's order; nothing twice, nothing lost."""
    parts = list(merge([source(place, times, size) for place, (times, size) in enumerate(streams)]))
    found = [thing for part in parts for thing in part]
    assert all(parts)
    assert sorted(found) == sorted(
        (time, n, at) for n, (times, _) in enumerate(streams) for at, time in enumerate(times)
    )
    assert [time for time, _, _ in found] == sorted(time for time, _, _ in found)
    for place in range(len(streams)):
        numbers = [number for _, other, number in found if other == place]
        assert numbers == sorted(numbers)


@given(st.lists(st.tuples(st.lists(st.integers(0, 9)), st.integers(1, 4)), max_size=4))
def test_times_that_go_back_lose_nothing(streams: list[tuple[list[int], int]]) -> None:
    """As where somebody changed them: it ends, and everything is there, once."""
    found = [
        thing for part in merge([source(n, times, size) for n, (times, size) in enumerate(streams)]) for thing in part
    ]
    assert sorted(found) == sorted(
        (time, n, at) for n, (times, _) in enumerate(streams) for at, time in enumerate(times)
    )


def test_a_source_is_opened_when_its_turn_comes() -> None:
    """What is before its first thing is given out before."""
    opened: list[int] = []
    merged = merge([source(0, [1, 2, 5], 9, opened), source(1, [4, 6], 9, opened), source(2, [8], 9, opened)])
    assert next(merged) == [(1, 0, 0), (2, 0, 1)]
    assert opened == [0]
    assert [thing[0] for part in merged for thing in part] == [4, 5, 6, 8]
    assert opened == [0, 1, 2]
