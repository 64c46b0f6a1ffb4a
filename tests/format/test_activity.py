"""What a segment is condensed to: the same wherever its text is cut, written one way only, refused otherwise."""

from collections.abc import Iterator
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.activity import Condenser, Item, Mark, Run, format_activity, parse_activity
from logchain.format.errors import FormatError
from logchain.format.limits import MAX_ACTIVITY, MAX_SEGMENT_RECORDS, MAX_TIME
from logchain.format.record import LINE, NOTE, PART, Record, format_time
from tests.format.pages import example, flips

START = b"session-start session=9f81ca46d2e0b7a1 service=logchain.Append"
END = b"session-end session=9f81ca46d2e0b7a1 reason=eof lines=3"
CLOCK = b"clock last=2026-11-23T03:45:01.123456Z now=2026-11-23T03:44:01.123456Z boot-clock=5"
TELLING = [START, END, CLOCK, b"throttled reason=rate rate=1024", b"broken reason=keys", b"unheard-of so=1"]
SILENT = [b"segment format=logchain/1 number=4", b"end reason=size records=9"]
EXAMPLE = example("catalog.md", 2).decode().removesuffix("\n")

GAPS = st.sampled_from([0, 0, 1, 999, 1_000_000, 86_400_000_000]) | st.integers(0, 10_000_000)
LINES = st.sampled_from([b"", b"a line", b"# session-end", b"2026-11-23T03:45:01.123456Z # end", b"x" * 300])
KINDS = st.one_of(
    st.tuples(st.just(LINE), LINES),
    st.tuples(st.just(PART), LINES.filter(bool)),
    st.tuples(st.just(NOTE), st.sampled_from([*TELLING, *SILENT])),
)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Return the records of a segment, none to forty, whose times do not go back."""
    found = draw(st.lists(st.tuples(GAPS, KINDS), max_size=40))
    times = accumulate((gap for gap, _ in found), initial=draw(st.sampled_from([0, 1_795_405_501_123_456])))
    return [Record(time, *kind) for time, (_, kind) in zip(list(times)[1:], found, strict=True)]


def text(found: list[Record]) -> bytes:
    """Return records as they stand in a `.log`."""
    return b"".join(b"%s %s %s\n" % (format_time(time), kind, payload) for time, kind, payload in found)


def naive(found: list[Record]) -> Iterator[Item]:
    """Yield what records come to, one by one: what the Condenser has to find without looking at each."""
    run: list[Record] = []
    for record in [*found, None]:
        if record and record.kind != NOTE:
            run.append(record)
        elif record is None or record.payload in TELLING:
            if run:
                lines = sum(one.kind == LINE for one in run)
                silence = max((later.time - one.time for one, later in pairwise(run)), default=0)
                yield Run(run[0].time, run[-1].time, lines, silence)
            run = []
            if record:
                yield Mark(record.time, record.payload)
    if found:
        yield Mark(found[-1].time, b"")


def condensed(blocks: list[bytes]) -> list[Item]:
    """Return what blocks of text come to."""
    condenser = Condenser()
    items = [item for block in blocks for item in condenser.take(block)]
    return items + list(condenser.rest())


@given(records(), st.sets(st.integers(1, 39)))
def test_it_is_what_the_records_come_to_one_by_one(found: list[Record], cuts: set[int]) -> None:
    """Whatever notes, lines, parts and silences there are, and wherever blocks begin; and it is written and read."""
    bounds = [0, *sorted(cut for cut in cuts if cut < len(found)), len(found)]
    items = condensed([text(found[begin:end]) for begin, end in pairwise(bounds) if begin < end])
    assert items == list(naive(found))
    if items:
        assert parse_activity(format_activity(items)) == items


def test_the_example_of_the_page() -> None:
    """It is what a segment with a session in it comes to."""
    items = parse_activity(EXAMPLE)
    assert [type(item) for item in items] == [Mark, Run, Mark, Mark]
    assert format_activity(items) == EXAMPLE


@given(flips(EXAMPLE.encode()) | st.binary() | st.lists(flips(EXAMPLE.encode()), min_size=2).map(b"\n".join))
def test_canonical_or_refused(data: bytes) -> None:
    """Any text is refused, or is written so again."""
    found = data.decode(errors="surrogateescape")
    try:
        items = parse_activity(found)
    except FormatError:
        return
    assert format_activity(items) == found


@pytest.mark.parametrize(
    "found",
    [
        "",
        "\n",
        "5\n",
        "05",
        "-5",
        "5 ",
        "\u0665",
        str(MAX_TIME + 1),
        "5 session-end session=9f81ca46d2e0b7a1 reason=eof\n6",
        "5 session-end session=9f81ca46d2e0b7a1 lines=03\n6",
        "5 session-end session=9f81ca46d2e0b7a1 lines=3 partial=x\n6",
        "5 clock last=5 now=4\n6",
        "5 end reason=size records=9\n6",
        "5 broken reason=keys",
        "5 broken reason=\x1b[0m\n6",
        "5 broken reason=keys\n4",
        "5 6 1 0",
        "5 6 1 2\n6",
        "6 5 1 0\n6",
        "5 6 1 0\n5",
        "5 6 1 0\n6 7 1 0\n7",
        f"5 6 {MAX_SEGMENT_RECORDS + 1} 0\n6",
        "5 6 1 0 0\n6",
        "5 6 1\n6",
        "5\n5",
        "5\n5 broken reason=keys\n6",
    ],
)
def test_what_no_segment_comes_to(found: str) -> None:
    """Numbers that are none, notes that lack what they must tell, times that go back, an end before the end, none."""
    with pytest.raises(FormatError):
        parse_activity(found)


def test_limits() -> None:
    """The last time, the most lines, the longest text that is kept, and one byte more."""
    items: list[Item] = [Run(0, MAX_TIME, MAX_SEGMENT_RECORDS, MAX_TIME), Mark(MAX_TIME, b"")]
    assert parse_activity(format_activity(items)) == items
    line = f"5 unheard-of so={'1' * 1_007}\n"  # 1 KiB
    longest = line * 511 + f"5 unheard-of so={'1' * 1_006}\n5"
    assert len(longest) == MAX_ACTIVITY
    items = parse_activity(longest)
    with pytest.raises(FormatError, match="too long"):
        parse_activity(longest + "5")
    with pytest.raises(FormatError, match="too long"):
        format_activity([*items[:-1], Mark(55, b"")])


@given(st.lists(st.binary(max_size=200) | st.just(text([Record(5, LINE, b"a"), Record(7, NOTE, START)]))))
def test_any_bytes(blocks: list[bytes]) -> None:
    """They are condensed, or refused; and what came before that is not lost."""
    condenser, whole = Condenser(), 0
    try:
        for block in blocks:
            items = list(condenser.take(block))
            whole += items[-1:] == [Mark(7, START)]
    except FormatError:
        pass
    end = list(condenser.rest())
    assert not whole or isinstance(end[-1], Mark)
    assert list(Condenser().rest()) == []
