"""The smallest and the largest that an index, a range, a proof and a header may say, and what lies one beyond."""

import pytest

from logchain.format.errors import FormatError
from logchain.format.evidence import (
    EvidenceIndex,
    IndexedSegment,
    IndexedStream,
    format_index,
    parse_index,
)
from logchain.format.evidence_range import covering, cut, is_within
from logchain.format.limits import MAX_EXPORTED
from logchain.format.manifest import Block, Manifest
from logchain.format.record import format_time
from logchain.format.tlog_proof import MAX_PROOF, TlogProof, format_tlog_proof, parse_tlog_proof
from logchain.format.ustar import format_header

TIME = 1_795_405_501_000_000
ONE = IndexedSegment(1, 5)


def index(*streams: IndexedStream, since: int = TIME, until: int = TIME) -> EvidenceIndex:
    """Return an index of some streams, with as many entries as they need."""
    entries = 1 + max((segment.entry for stream in streams for segment in stream.segments), default=5)
    return EvidenceIndex(bytes(16), since, until, entries, streams)


def stream(*segments: IndexedSegment, vm: str = "work", name: str = "main", number: int = 1) -> IndexedStream:
    """Return a stream whose names are not proven."""
    return IndexedStream(vm, name, bytes([number]) * 32, None, segments or (ONE,))


@pytest.mark.parametrize(
    "good",
    [
        index(stream()),
        index(stream(IndexedSegment(1, 5), IndexedSegment(2, 6), IndexedSegment(4, 9))),
        index(stream(), stream(IndexedSegment(1, 6), name="other", number=2)),
        index(stream(IndexedSegment(7, 6)), stream(IndexedSegment(3, 5), vm="work-2", number=2)),
    ],
)
def test_indexes_that_are_just_good(good: EvidenceIndex) -> None:
    """A range of one moment, segments with gaps, streams of one VM and of several."""
    assert parse_index(format_index(good)) == good


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (index(), "no streams or segments"),
        (index(stream(), since=TIME + 1), "ends before it begins"),
        (index(stream(), stream(IndexedSegment(1, 6), number=2)), "streams out of order, or one twice"),
        (index(stream(vm="b"), stream(IndexedSegment(1, 6), vm="a", number=2)), "streams out of order"),
        (index(stream(), stream(IndexedSegment(1, 6), name="other")), "two streams with one id"),
        (index(stream(), stream(name="other", number=2)), "two segments of one entry"),
        (index(stream(ONE, IndexedSegment(1, 6))), "segments out of order"),
        (index(stream(IndexedSegment(2, 5), IndexedSegment(1, 6))), "segments out of order"),
        (index(stream(IndexedSegment(1, 6), IndexedSegment(2, 5))), "segments out of order"),
        (index(stream())._replace(entries=7), "more or fewer entries"),
        (index(stream(), stream(name="other", number=2)._replace(segments=())), "a stream without segments"),
        (
            index(
                *(
                    stream(IndexedSegment(1, at), name=f"s{at:04}")._replace(stream_id=at.to_bytes(32, "big"))
                    for at in range(1, MAX_EXPORTED + 2)
                )
            ),
            "too many of them",
        ),
    ],
)
def test_indexes_that_are_just_bad(bad: EvidenceIndex, told: str) -> None:
    """Each has one fault, and cannot be written."""
    with pytest.raises(FormatError, match=told):
        format_index(bad)


def manifest(*times: int, last: int) -> Manifest:
    """Return a manifest with a block for each time at which one begins."""
    blocks = tuple(Block(100 * place, 100, 1, time, bytes(32)) for place, time in enumerate(times))
    zeros = bytes(32)
    return Manifest(bytes(16), zeros, 1, 1, len(blocks), 0, times[0], last, 0, 100 * len(blocks), zeros, zeros, blocks)


@pytest.mark.parametrize(
    ("since", "until", "places", "within"),
    [
        (10, 40, [0, 1, 2], [0, 1, 2]),
        (11, 40, [0, 1, 2], [1, 2]),
        (10, 39, [0, 1, 2], [0, 1]),
        (20, 20, [0, 1], []),  # records of one time may lie on both sides of a block's beginning
        (21, 29, [1], []),
        (20, 30, [0, 1, 2], [1]),
        (40, 99, [2], []),
        (41, 99, [], []),
        (0, 9, [], []),
        (0, 10, [0], []),
    ],
)
def test_the_blocks_of_a_range(since: int, until: int, places: list[int], within: list[int]) -> None:
    """Three blocks, which begin at 10, 20 and 30; the last record is of 40."""
    found = manifest(10, 20, 30, last=40)
    assert list(covering(found, since, until)) == places
    assert [place for place in range(3) if is_within(found, place, since, until)] == within


@pytest.mark.parametrize(
    ("since", "until", "before", "inside"),
    [(0, 9, 0, 4), (0, 1, 0, 1), (1, 2, 0, 3), (2, 2, 1, 2), (3, 3, 3, 0), (2, 1, 1, 0)],
)
def test_the_records_of_a_range(since: int, until: int, before: int, inside: int) -> None:
    """Records at 1, 2, 2 and 9, counted from the range's moment on; both ends are in it."""
    lines = [format_time(TIME + at) + b" - x\n" for at in (1, 2, 2, 9)]
    found = b"".join(lines[before : before + inside])
    assert cut(b"".join(lines), TIME + since, TIME + until) == (before, inside, found)


def test_proofs_of_any_length() -> None:
    """Up to 63 hashes; what is longer, or no proof, is refused."""
    for count in (0, 1, 63):
        proof = TlogProof(5, tuple(bytes([number]) * 32 for number in range(count)), b"checkpoint\n")
        assert parse_tlog_proof(format_tlog_proof(proof)) == proof
    for bad in (TlogProof(5, (bytes(32),) * 64, b""), TlogProof(5, (bytes(31),), b"")):
        with pytest.raises(FormatError, match="too many hashes, or of the wrong size"):
            format_tlog_proof(bad)
    good = format_tlog_proof(TlogProof(5, (bytes(32),), b""))
    line = good.split(b"\n")[2] + b"\n"
    whole = good + b"x" * (MAX_PROOF - len(good))
    assert parse_tlog_proof(whole).checkpoint == whole[len(good) :]
    for data in (
        whole + b"x",
        good.rstrip(b"\n"),
        good.replace(b"index", b"indexx"),
        good.replace(b"@v1", b"@v2"),
        good.replace(b"index 5", b"index 5 5"),
        good.replace(b"index", "índex".encode()),
        good.replace(line, line * 64),
    ):
        with pytest.raises(FormatError):
            parse_tlog_proof(data)


@pytest.mark.parametrize(
    ("path", "size", "good"),
    [
        ("a", 0, True),
        ("p/" + "n" * 100, 0, True),
        ("p/" + "n" * 101, 0, False),
        ("p" * 155 + "/n", 0, True),
        ("p" * 156 + "/n", 0, False),
        ("p/", 0, False),
        ("\u00e9/n", 0, False),
        ("a", -1, False),
    ],
)
def test_names_that_fit_a_header(path: str, size: int, good: bool) -> None:
    """100 characters behind the last slash, 155 before it, and ASCII."""
    if good:
        assert len(format_header(path, size)) == 512
    else:
        with pytest.raises(FormatError):
            format_header(path, size)
