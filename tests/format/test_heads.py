"""Lists of heads: docs/spec/heads.md."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.heads import Head, format_heads, parse_heads
from logchain.format.limits import MAX_HEADS, MAX_HEADS_FILE, MAX_SEGMENT, MAX_SEGMENT_BYTES, MAX_SEGMENT_RECORDS
from tests.format.pages import DIGESTS, SEGMENTS, STORES, example, flips, refused_or_the_same

PAGE = example("heads.md")
HEADS = st.builds(
    Head, DIGESTS, SEGMENTS, st.integers(1, MAX_SEGMENT_RECORDS), st.integers(1, MAX_SEGMENT_BYTES), DIGESTS, DIGESTS
)
LISTS = st.lists(HEADS, min_size=1, max_size=20, unique_by=lambda head: head[:2])
HEAD = Head(bytes(32), 1, 1, 31, bytes(32), bytes(32))


def again(data: bytes) -> bytes:
    """Parse a list and write it."""
    return format_heads(*parse_heads(data))


def test_the_page_s_example() -> None:
    """The list of the page says what it does, and has the hash that the page gives."""
    store_id, (head,) = parse_heads(PAGE)
    assert store_id.hex() == "5b0c7a3f6f6f0b0e9b3f0c55a1d20a11"
    assert (head.segment, head.records, head.size) == (1, 2, 360)
    assert sha256(PAGE).hexdigest().startswith("423956ce")


@given(STORES, LISTS)
def test_lists_come_back(store_id: bytes, heads: list[Head]) -> None:
    """What is written is read, in order."""
    assert parse_heads(format_heads(store_id, heads)) == (store_id, tuple(sorted(heads)))


@given(st.one_of(flips(PAGE), st.binary(), st.binary().map(lambda data: PAGE + data)))
def test_changed_lists(data: bytes) -> None:
    """A changed list is refused, or says something else that is written so."""
    refused_or_the_same(data, again)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"heads v1", b"heads v2"),
        (b"store 5b", b"stare 5b"),
        (b"store 5b", b"store 5B"),
        (b" 1 2 360 ", b" 0 2 360 "),
        (b" 1 2 360 ", b" 1 0 360 "),
        (b" 1 2 360 ", b" 1 2 0 "),
        (b" 1 2 360 ", b" 01 2 360 "),
        (b" 1 2 360 ", b" 1 2 360 7 "),
        (b" 1 2 360 ", b" 1 2 "),
        (b" 1 2 360 ", b" %d 2 360 " % (MAX_SEGMENT + 1)),
        (b" 1 2 360 ", b" 1 %d 360 " % (MAX_SEGMENT_RECORDS + 1)),
        (b" 1 2 360 ", b" 1 2 %d " % (MAX_SEGMENT_BYTES + 1)),
        (b"sha256:", b"sha256-"),
        (b"sha256:", b""),
    ],
)
def test_bad_lists(old: bytes, new: bytes) -> None:
    """Each list is refused."""
    assert old in PAGE
    with pytest.raises(FormatError):
        parse_heads(PAGE.replace(old, new, 1))


def test_bad_order() -> None:
    """A list that is out of order, has a line twice, or none, is refused."""
    first, store, line, end = PAGE.split(b"\n")
    lower = b"0" + line[1:]
    for lines in (
        [first, store, line, lower, end],
        [first, store, line, line, end],
        [first, store, line.replace(b" 1 2 ", b" 10 2 "), line.replace(b" 1 2 ", b" 9 2 "), end],
        [first, store, line, end, end],
        [first, store, line],
        [first, store, end],
        [first, store],
        [store, first, line, end],
    ):
        with pytest.raises(FormatError):
            parse_heads(b"\n".join(lines))
    good = b"\n".join([first, store, lower, line.replace(b" 1 2 ", b" 9 2 "), line.replace(b" 1 2 ", b" 10 2 "), end])
    assert again(good) == good


def test_limits() -> None:
    """64 of the longest lines are the page's 14,777 bytes; none, one more, or a longer file is refused."""
    longest = HEAD._replace(records=MAX_SEGMENT_RECORDS, size=MAX_SEGMENT_BYTES)
    heads = [longest._replace(segment=MAX_SEGMENT - place) for place in range(MAX_HEADS)]
    data = format_heads(bytes(16), heads)
    assert len(data) == 14_777 <= MAX_HEADS_FILE
    assert again(data) == data
    for wrong in ([], [*heads, HEAD], [HEAD, HEAD], [HEAD, HEAD._replace(records=2)], [HEAD._replace(size=0)]):
        with pytest.raises(FormatError):
            format_heads(bytes(16), wrong)
    with pytest.raises(FormatError, match="too long"):
        parse_heads(PAGE + bytes(MAX_HEADS_FILE))
