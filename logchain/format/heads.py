"""The list of open segments that a `heads` entry hashes (docs/spec/heads.md)."""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import (
    DIGEST,
    SEGMENT,
    STORE_ID,
    STREAM_ID,
    format_line,
    format_words,
    hexed,
    number,
    parse_line,
    parse_words,
)
from logchain.format.limits import MAX_HEADS, MAX_HEADS_FILE, MAX_SEGMENT_BYTES, MAX_SEGMENT_RECORDS

__all__ = ["Head", "format_heads", "parse_heads"]

_FIRST = "logchain heads v1"
_STORE = {"store": (STORE_ID,)}
_HEAD = (STREAM_ID, SEGMENT, number(1, MAX_SEGMENT_RECORDS), number(1, MAX_SEGMENT_BYTES), hexed(32), DIGEST)


class Head(NamedTuple):
    """How far an open segment reaches: records, bytes, the last tag, SHA-256 of those bytes."""

    stream_id: bytes
    segment: int
    records: int
    size: int
    tag: bytes
    digest: bytes


def format_heads(store_id: bytes, heads: Iterable[Head]) -> bytes:
    """Return the file, sorted; FormatError on what parse_heads refuses."""
    found = sorted(heads)
    if not 1 <= len(found) <= MAX_HEADS:
        raise FormatError("a list of no heads, or of too many")
    if any(head[:2] == after[:2] for head, after in pairwise(found)):
        raise FormatError("a list with a segment twice")
    lines = [f"{format_words(_HEAD, head)}\n" for head in found]
    return "".join([f"{_FIRST}\n", format_line(_STORE, "store", [store_id]), *lines]).encode()


def parse_heads(data: bytes) -> tuple[bytes, tuple[Head, ...]]:
    """Return store id and heads, or raise FormatError."""
    if len(data) > MAX_HEADS_FILE or not data.isascii():
        raise FormatError("a list of heads too long, or not ASCII")
    lines = data.decode().split("\n")
    if len(lines) < 4 or lines[0] != _FIRST or lines.pop():
        raise FormatError("not a list of heads")
    (store_id,) = parse_line(_STORE, "store", lines[1])
    heads = tuple(Head._make(parse_words(_HEAD, line)) for line in lines[2:])
    if format_heads(store_id, heads) != data:  # not sorted
        raise FormatError("a list of heads that is not canonical")
    return store_id, heads
