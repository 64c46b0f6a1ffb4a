"""Cutting what arrives into lines and parts: whatever the reads, the same records, and no byte lost."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logchain.collect.lines import LineSplitter
from logchain.format.limits import MAX_PART
from logchain.format.record import LINE, PART
from tests.format.vectors import Vector, vectors

Pieces = list[tuple[bytes, bytes]]

RUNS = st.integers(0, 3 * MAX_PART).map(lambda size: b"x" * size)
LIMITS = st.sampled_from(
    [b"y" * size for size in (MAX_PART - 1, MAX_PART, MAX_PART + 1, 2 * MAX_PART, 2 * MAX_PART + 1)]
)
CHUNKS = st.one_of(st.binary(max_size=20), st.sampled_from([b"\n", b"\n\n", b"\0", b"\r\n"]), RUNS, LIMITS)
READS = st.lists(CHUNKS, max_size=12)


def feed(reads: list[bytes]) -> tuple[Pieces, LineSplitter]:
    """Return all pieces of these reads, one by one, and the splitter."""
    splitter, pieces = LineSplitter(), []
    for data in reads:
        for kind, payloads in splitter.feed(data):
            assert payloads
            pieces += [(kind, payload) for payload in payloads]
        assert len(splitter.rest) <= MAX_PART  # memory is bounded, whatever comes
    return pieces, splitter


@given(READS)
@example([b"z" * MAX_PART, b"z", b"\n"])
@example([b"z" * MAX_PART, b"\n"])
@example([b"z" * (3 * MAX_PART), b"", b"\n\n"])
def test_no_byte_is_lost_whatever_the_reads(reads: list[bytes]) -> None:
    """Pieces and rest joined are what arrived, and are the same as of one single read."""
    pieces, splitter = feed(reads)
    assert b"".join(payload + b"\n" * (kind == LINE) for kind, payload in pieces) + splitter.rest == b"".join(reads)
    whole, other = feed([b"".join(reads)])
    assert (pieces, splitter.rest, splitter.unfinished) == (whole, other.rest, other.unfinished)


@given(READS)
def test_pieces_are_as_the_page_says(reads: list[bytes]) -> None:
    """A line of more than 65,536 bytes is parts of just that, and a last part with the rest; no other is cut."""
    pieces, splitter = feed(reads)
    lines = b"".join(reads).split(b"\n")
    expected = []
    for line in lines[:-1]:
        while len(line) > MAX_PART:
            expected.append((PART, line[:MAX_PART]))
            line = line[MAX_PART:]
        expected.append((LINE, line))
    while len(lines[-1]) > MAX_PART:
        expected.append((PART, lines[-1][:MAX_PART]))
        lines[-1] = lines[-1][MAX_PART:]
    assert pieces == expected
    assert splitter.rest == lines[-1]
    assert splitter.unfinished == len(b"".join(reads).rpartition(b"\n")[2])


@vectors("record.json", "good", "line")
def test_vectors(vector: Vector) -> None:
    """A line of this length becomes these records, ended by a newline or with the session."""
    pieces, splitter = feed([b"x" * vector["length"] + b"\n" * vector["ended"]])
    if splitter.rest:
        pieces.append((PART, splitter.rest))  # as StreamWriter.end_session stores it
    assert [[kind.decode(), len(payload)] for kind, payload in pieces] == vector["parts"]


@pytest.mark.parametrize("size", [1, 2, 7, 4_096])
def test_small_reads(size: int) -> None:
    """Read byte by byte, or nearly so, it is all the same."""
    data = b"\n\nab\r\n\0\n" + b"x" * 20_000 + b"\n" + b"tail"
    assert feed([data[at : at + size] for at in range(0, len(data), size)])[0] == feed([data])[0]


def test_what_is_cut_is_counted_with_its_parts() -> None:
    """`cut` is how much of the unfinished line has arrived, and nothing once it ended."""
    splitter = LineSplitter()
    assert splitter.unfinished == 0
    list(splitter.feed(b"x" * (2 * MAX_PART + 5)))
    list(splitter.feed(b"y" * 3))
    assert (splitter.unfinished, splitter.rest) == (2 * MAX_PART + 8, b"xxxxxyyy")
    list(splitter.feed(b"\nab"))
    assert splitter.unfinished == 2
