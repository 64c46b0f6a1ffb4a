"""The file of a segment's key: canonical or refused, and derived as the page says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError
from logchain.format.limits import MAX_BIRTHS
from logchain.format.segment_key import SegmentKey, derive_segment_key, format_segment_key, parse_segment_key
from tests.format.pages import DIGESTS, KEYS, SEGMENTS, STORES, example, flips, refused_or_the_same
from tests.format.vectors import Vector, raw, vectors

FILES = st.builds(SegmentKey, STORES, DIGESTS, SEGMENTS, st.integers(1, MAX_BIRTHS), KEYS)
EXAMPLE = example("segment-key.md")
STORE, STREAM = parse_segment_key(EXAMPLE)[:2]


def test_the_example_is_a_vector() -> None:
    """The page shows what the second reading of it has derived."""
    assert derive_segment_key(AuditSecret(STORE, b"\x05" * 32), 3, STREAM, 12) == parse_segment_key(EXAMPLE)


@given(FILES)
def test_round_trip(key: SegmentKey) -> None:
    """What is written is read as it was."""
    assert parse_segment_key(format_segment_key(key)) == key


@given(flips(EXAMPLE) | st.binary(max_size=300))
def test_canonical_or_refused(data: bytes) -> None:
    """Whatever is read prints back to the same bytes."""
    refused_or_the_same(data, lambda data: format_segment_key(parse_segment_key(data)))


@vectors("segment-key.json", "good", "segment key")
def test_good(vector: Vector) -> None:
    """Read and written the same way again; and derived, where the audit secret is given."""
    key = parse_segment_key(raw(vector, "text"))
    assert format_segment_key(key) == raw(vector, "text")
    numbers = vector["segment"], vector["birth"]
    assert tuple(key) == (raw(vector, "store"), raw(vector, "stream"), *numbers, raw(vector, "key"))
    if "audit_secret_hex" in vector:
        audit = AuditSecret(key.store_id, raw(vector, "audit_secret"))
        assert derive_segment_key(audit, key.birth, key.stream_id, key.segment) == key


@vectors("segment-key.json", "bad", "segment key")
def test_refused(vector: Vector) -> None:
    """Each is one failure."""
    with pytest.raises(FormatError):
        parse_segment_key(raw(vector, "text"))


def test_what_is_not_read_is_not_written() -> None:
    """A number beyond its limit, a key of another length."""
    good = parse_segment_key(EXAMPLE)
    for bad in (good._replace(segment=0), good._replace(birth=MAX_BIRTHS + 1), good._replace(key=b"short")):
        with pytest.raises(FormatError):
            format_segment_key(bad)
