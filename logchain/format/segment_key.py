"""The key of one segment, which the vault hands out so that its records can be checked (docs/spec/segment-key.md)."""

from typing import NamedTuple

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError
from logchain.format.fields import BIRTH, SEGMENT, STORE_ID, STREAM_ID, format_words, hexed, parse_words
from logchain.format.ratchet import KEY_SIZE, seed, segment_key, stream_secret, successor
from logchain.format.small_files import format_lines, parse_lines

__all__ = ["SegmentKey", "derive_segment_key", "format_segment_key", "parse_segment_key"]

_FIRST = "logchain segment key v1"
_STREAM, _KEY = (STREAM_ID, SEGMENT), hexed(KEY_SIZE)


class SegmentKey(NamedTuple):
    """K of a segment's first record, and which segment that is."""

    store_id: bytes
    stream_id: bytes
    segment: int
    birth: int  # that the key comes from
    key: bytes


def derive_segment_key(audit: AuditSecret, birth: int, stream_id: bytes, segment: int) -> SegmentKey:
    """Derive a segment's key from the audit secret (docs/spec/ratchet.md); what is given is within its limits."""
    secret = stream_secret(successor(seed(audit.secret, audit.store_id), birth - 1), stream_id)  # R_1
    key = segment_key(successor(secret, segment - 1), stream_id, segment)
    return SegmentKey(audit.store_id, stream_id, segment, birth, key)


def format_segment_key(found: SegmentKey) -> bytes:
    """Return the file, or raise FormatError on what parse_segment_key refuses."""
    return format_lines(
        _FIRST,
        store=STORE_ID.format(found.store_id),
        stream=format_words(_STREAM, (found.stream_id, found.segment)),
        birth=BIRTH.format(found.birth),
        key=_KEY.format(found.key),
    )


def parse_segment_key(data: bytes) -> SegmentKey:
    """Return what the file says, or raise FormatError."""
    store, stream, birth, key = parse_lines(data, _FIRST, "store", "stream", "birth", "key")
    words = [STORE_ID.parse(store), *parse_words(_STREAM, stream), BIRTH.parse(birth), _KEY.parse(key)]
    found = SegmentKey._make(words)
    if format_segment_key(found) != data:
        raise FormatError("a segment key that is not canonical")
    return found
