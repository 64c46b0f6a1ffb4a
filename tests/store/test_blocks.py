"""Cutting a text into blocks: whole records, all of them, and none in the middle of a line if it can be helped."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.record import LINE, NOTE, PART, format_note, format_time, parse_record
from logchain.format.tags import format_tags
from logchain.store.blocks import TextCheck, block_end, cut_blocks

TIME = 1_795_405_501_123_456
PAYLOADS = st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"\n", b" "))
RECORDS = st.lists(st.tuples(st.sampled_from([LINE, PART, PART]), PAYLOADS, st.integers(0, 3)), max_size=30)


def record(kind: bytes, payload: bytes, time: int = TIME) -> bytes:
    """Return a record with its newline."""
    return b"%s %s %s\n" % (format_time(time), kind, payload)


SEGMENT = record(NOTE, format_note("segment", number=1, first=0))
LONGEST = len(record(LINE, b"x" * 60))


@contextmanager
def files(text: bytes, tags: bytes | None = None) -> Iterator[tuple[int, int]]:
    """Put a text and its tags into files; without given tags those that fit."""
    if tags is None:
        lines = text.split(b"\n")[:-1]
        tags = format_tags(accumulate(len(line) + 1 for line in lines), [b"t" * 32] * len(lines))
    with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as tag_file:
        os.write(log.fileno(), text)
        os.write(tag_file.fileno(), tags)
        yield log.fileno(), tag_file.fileno()


def taken(text: bytes, most: int, tags: bytes | None = None) -> tuple[list[bytes], TextCheck]:
    """Cut a text, and check it block by block."""
    with files(text, tags) as (log, tag_file):
        check = TextCheck(tag_file)
        blocks = []
        for block in cut_blocks(log, len(text), most):
            records, time = check.take(block)
            assert records == block.count(b"\n")
            assert time == parse_record(block.partition(b"\n")[0]).time
            blocks.append(block)
    return blocks, check


@given(RECORDS, st.integers(LONGEST, 500))
def test_blocks_are_whole_records_and_all_of_them(records: list[tuple[bytes, bytes, int]], most: int) -> None:
    """A block ends behind the last record that fits and is no part; or is the rest; or all parts, as many as fit."""
    times = accumulate((later for _, _, later in records), initial=TIME)
    found = [SEGMENT] + [record(kind, payload, time) for (kind, payload, _), time in zip(records, times, strict=False)]
    text = b"".join(found)
    blocks, check = taken(text, most)
    assert b"".join(blocks) == text
    for block in blocks:
        fits = [count for count, size in enumerate(accumulate(map(len, found)), 1) if size <= most]
        good = [count for count in fits if parse_record(found[count - 1][:-1]).kind != PART]
        end = len(found) if len(fits) == len(found) else (good or fits)[-1]
        assert block == b"".join(found[:end])
        del found[:end]
    assert (check.records, check.size) == (text.count(b"\n"), len(text))
    ends = [parse_record(line).time for line in (text.split(b"\n")[0], text.split(b"\n")[-2])]
    assert [check.first_time, check.last_time] == ends
    assert check.tag == b"t" * 32


def test_the_end_of_a_block() -> None:
    """Behind the last record that is no part; where all are, behind the last; all of what is whole."""
    line, part = record(LINE, b"x"), record(PART, b"y")
    for text, whole, end in (
        (line + part + b"begun", False, len(line)),
        (part + line + part + part, False, len(part + line)),
        (part + part + b"beg", False, 2 * len(part)),
        (line + part + part, True, len(line + part + part)),
    ):
        assert block_end(text, whole) == end
    for text, whole in ((b"begun", False), (b"", False), (b"begun", True), (line + b"begun", True)):
        with pytest.raises(FormatError):
            block_end(text, whole)


LINE_RECORD = record(LINE, b"x", TIME + 5)
BAD = {
    "no note first": LINE_RECORD,
    "another note first": record(NOTE, b"clock"),
    "a second begin": SEGMENT + LINE_RECORD + SEGMENT,
    "a time that goes back": SEGMENT + LINE_RECORD + record(LINE, b"x", TIME + 4),
    "a time that goes back, and the same line": SEGMENT + LINE_RECORD + record(LINE, b"x", TIME) + LINE_RECORD,
    "no record": SEGMENT + b"x\n",
    "an empty line": SEGMENT + b"\n",
    "another kind": SEGMENT + LINE_RECORD.replace(b" - ", b" ! "),
    "a bad time": SEGMENT + b"2026-13" + LINE_RECORD[7:],
    "a bad note": SEGMENT + record(NOTE, b"session-start x"),
    "an empty part": SEGMENT + record(PART, b""),
    "a record too long": SEGMENT + record(LINE, b"x" * 65_537),
    "a record too long, behind another": SEGMENT + LINE_RECORD + LINE_RECORD[:-1] + b"x" * 65_537 + b"\n",
    "a line behind the end": SEGMENT + LINE_RECORD + record(NOTE, b"end", TIME + 5) + LINE_RECORD,
    "a note behind the end": SEGMENT + record(NOTE, b"end") + record(NOTE, b"clock"),
    "no newline at the end": SEGMENT + LINE_RECORD[:-1],
    "zeros": SEGMENT + bytes(100) + b"\n",
}


@pytest.mark.parametrize("case", BAD)
def test_what_no_collector_writes(case: str) -> None:
    """It is refused, whether it is the first block or another."""
    for most in (256 << 10, 66_000):
        with pytest.raises(FormatError):
            taken(BAD[case], most)


def test_tags_have_to_fit() -> None:
    """One for each record, ends where the record ends."""
    text = SEGMENT + LINE_RECORD * 20
    ends = list(accumulate(len(line) + 1 for line in text.split(b"\n")[:-1]))
    tags = format_tags(ends, [bytes([number]) * 32 for number in range(len(ends))])
    assert taken(text, 256, tags)[1].tag == bytes([20]) * 32
    for bad in (b"", tags[:-40], tags[:-1], tags[40:], tags[:40] + b"!" + tags[41:], bytes(len(tags))):
        with pytest.raises(FormatError, match="tags that do not fit"):
            taken(text, 256, bad)


def test_a_text_that_becomes_shorter() -> None:
    """It is refused, and the loop ends."""
    with files(SEGMENT) as (log, _), pytest.raises(FormatError):
        list(cut_blocks(log, len(SEGMENT) + 10, 256))
