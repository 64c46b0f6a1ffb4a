"""The manifest of a sealed segment: what its text is, block by block (docs/spec/manifest.md)."""

import re
from itertools import islice, pairwise
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import (
    BIRTH,
    DIGEST,
    SEGMENT,
    STORE_ID,
    STREAM_ID,
    TIME,
    format_line,
    hexed,
    number,
    parse_line,
)
from logchain.format.limits import MAX_BLOCK, MAX_MANIFEST, MAX_SEGMENT_BYTES, MAX_SEGMENT_RECORDS
from logchain.format.record import parse_time
from logchain.format.signed_note import Vkey, open_note, parse_note

__all__ = [
    "NO_MANIFEST",
    "Block",
    "Manifest",
    "format_manifest",
    "open_manifest",
    "parse_manifest",
    "unverified_manifest",
]

NO_MANIFEST = bytes(32)  # before a stream's first

_FIRST = "logchain manifest v1"
_COUNT = number(1, MAX_SEGMENT_RECORDS)
_LINES = {  # in the order of Manifest's fields
    "store": (STORE_ID,),
    "stream": (STREAM_ID, SEGMENT),
    "birth": (BIRTH,),
    "records": (_COUNT, number()),
    "time": (TIME, TIME),
    "age": (number(),),
    "bytes": (number(1, MAX_SEGMENT_BYTES),),
    "tag": (hexed(32),),
    "previous": (DIGEST,),
}
# The canonical form of such a line, and no other: a segment has hundreds, and who looks for one reads them all.
_BLOCK_LINE = re.compile(
    r"block (0|[1-9][0-9]{0,18}) ([1-9][0-9]{0,18}) ([1-9][0-9]{0,18}) ([^ ]{27}) sha256:([0-9a-f]{64})"
)
_BLOCK = {"block": (number(0, MAX_SEGMENT_BYTES), number(1, MAX_BLOCK), _COUNT, TIME, DIGEST)}


class Block(NamedTuple):
    """A part of the text that is hashed, and compressed, by itself: whole records."""

    offset: int
    size: int
    records: int
    time: int  # of its first record
    digest: bytes  # SHA-256 of its text


class Manifest(NamedTuple):
    """All that is known of a segment for ever."""

    store_id: bytes
    stream_id: bytes
    segment: int
    birth: int  # that its key comes from
    records: int
    first: int  # number of its first record in the stream
    first_time: int
    last_time: int
    age: int  # running time of the LogVM when it was sealed, s
    size: int  # bytes of its text
    tag: bytes  # of its last record
    previous: bytes  # SHA-256 of the stream's manifest before, or NO_MANIFEST
    blocks: tuple[Block, ...]


def format_manifest(manifest: Manifest) -> bytes:
    """Return the text that is signed, or raise FormatError on what parse_manifest refuses."""
    lines = [format_line(_BLOCK, "block", block) for block in manifest.blocks]
    _check_blocks(manifest)
    return "".join([*_head(manifest), *lines]).encode()


def _head(manifest: Manifest) -> list[str]:
    values = iter(manifest[:-1])
    return [
        f"{_FIRST}\n",
        *(format_line(_LINES, word, islice(values, len(fields))) for word, fields in _LINES.items()),
    ]


def parse_manifest(text: bytes) -> Manifest:
    """Return what a manifest's text says, or raise FormatError."""
    if len(text) > MAX_MANIFEST or not text.isascii():
        raise FormatError("a manifest too long, or not ASCII")
    first, *lines = text.decode().split("\n")
    if first != _FIRST or len(lines) <= len(_LINES) or lines.pop():
        raise FormatError("not a manifest")
    values = [value for word, line in zip(_LINES, lines, strict=False) for value in parse_line(_LINES, word, line)]
    manifest = Manifest._make([*values, tuple(map(_parse_block, lines[len(_LINES) :]))])
    _check_blocks(manifest)
    if not text.startswith("".join(_head(manifest)).encode()):
        raise FormatError("a manifest that is not canonical")
    return manifest


def _parse_block(line: str) -> Block:
    match = _BLOCK_LINE.fullmatch(line)
    if not match:
        raise FormatError("not the line of a block")
    offset, size, records = map(int, match.group(1, 2, 3))
    if offset > MAX_SEGMENT_BYTES or size > MAX_BLOCK or records > MAX_SEGMENT_RECORDS:
        raise FormatError("a number out of range")
    return Block(offset, size, records, parse_time(match[4].encode()), bytes.fromhex(match[5]))


def open_manifest(data: bytes, vkey: Vkey) -> Manifest:
    """Return what a manifest says that this key, of the entry that names it, signed; FormatError, SignatureError."""
    from logchain.format.ledger import entry_key_name  # whoever only reads manifests need not load it

    manifest = parse_manifest(open_note(data, vkey, MAX_MANIFEST, most=1))
    if vkey.name != entry_key_name(manifest.store_id):
        raise FormatError("a manifest of another store")
    return manifest


def unverified_manifest(data: bytes) -> Manifest:
    """Return what a manifest says, whoever signed it, or raise FormatError."""
    return parse_manifest(parse_note(data, MAX_MANIFEST, most=1).text)


def _check_blocks(manifest: Manifest) -> None:
    blocks = manifest.blocks
    ends = [0, *(block.offset + block.size for block in blocks)]
    if not blocks or [*(block.offset for block in blocks), manifest.size] != ends:
        raise FormatError("a manifest whose blocks leave a gap, overlap, or are not all")
    if sum(block.records for block in blocks) != manifest.records:
        raise FormatError("a manifest whose blocks have not its records")
    times = [*(block.time for block in blocks), manifest.last_time]
    if times[0] != manifest.first_time or any(later < time for time, later in pairwise(times)):
        raise FormatError("a manifest whose times go back")
