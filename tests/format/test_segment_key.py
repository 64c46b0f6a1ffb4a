"""The file of a segment's key: canonical or refused, and derived as the page says."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError
from logchain.format.limits import MAX_BIRTHS
from logchain.format.segment_key import SegmentKey, derive_segment_key, format_segment_key, parse_segment_key
from tests.format.pages import DIGESTS, KEYS, SEGMENTS, STORES, example, flips, refused_or_the_same

FILES = st.builds(SegmentKey, STORES, DIGESTS, SEGMENTS, st.integers(1, MAX_BIRTHS), KEYS)
EXAMPLE = example("segment-key.md")


def test_the_example_is_derived_as_the_page_says() -> None:
    """Step by step, as docs/spec/ratchet.md has it."""

    def kdf(key: bytes, label: bytes, *fields: bytes) -> bytes:
        framed = b"".join(len(field).to_bytes(2, "little") + field for field in fields)
        return blake2b(framed, digest_size=32, key=key, person=label).digest()

    found = parse_segment_key(EXAMPLE)
    secret = kdf(b"\x05" * 32, b"births", found.store_id)
    for _ in range(found.birth - 1):
        secret = kdf(secret, b"next")
    secret = kdf(secret, b"stream", found.stream_id)
    for _ in range(found.segment - 1):
        secret = kdf(secret, b"next")
    assert found.key == kdf(secret, b"segment", found.stream_id, found.segment.to_bytes(8, "little"))
    audit = AuditSecret(found.store_id, b"\x05" * 32)
    assert derive_segment_key(audit, found.birth, found.stream_id, found.segment) == found


@given(FILES)
def test_round_trip(key: SegmentKey) -> None:
    """What is written is read as it was."""
    assert parse_segment_key(format_segment_key(key)) == key


@given(flips(EXAMPLE) | st.binary(max_size=300))
def test_canonical_or_refused(data: bytes) -> None:
    """Whatever is read prints back to the same bytes."""
    refused_or_the_same(data, lambda data: format_segment_key(parse_segment_key(data)))


@pytest.mark.parametrize(
    "change",
    [
        (b"v1", b"v2"),
        (b" 12\n", b" 012\n"),
        (b" 12\n", b" 0\n"),
        (b" 12\n", b" 1000000\n"),
        (b" 12\n", b"\n"),
        (b" 12\n", b" 12 \n"),
        (b"birth 3", b"birth 0"),
        (b"birth 3", b"birth 10000001"),
        (b"birth 3\n", b""),
        (b"a277", b"A277"),
        (b"key ", b"key 00"),
        (b"store 5b0c", b"store 5b"),
        (b"\n", b"\r\n"),
    ],
)
def test_refused(change: tuple[bytes, bytes]) -> None:
    """Each is one fault."""
    with pytest.raises(FormatError):
        parse_segment_key(EXAMPLE.replace(*change))
    with pytest.raises(FormatError):
        parse_segment_key(EXAMPLE + EXAMPLE)


def test_what_is_not_read_is_not_written() -> None:
    """A number beyond its limit, a key of another length."""
    good = parse_segment_key(EXAMPLE)
    for bad in (good._replace(segment=0), good._replace(birth=MAX_BIRTHS + 1), good._replace(key=b"short")):
        with pytest.raises(FormatError):
            format_segment_key(bad)
