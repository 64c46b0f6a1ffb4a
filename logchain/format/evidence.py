"""What an evidence file says it is, and where its parts stand (docs/spec/evidence.md)."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from logchain.format.errors import FormatError, UsageError
from logchain.format.fields import (
    SEGMENT,
    STORE_ID,
    STREAM_ID,
    TIME,
    Field,
    base64,
    format_line,
    hexed,
    number,
    parse_line,
)
from logchain.format.limits import MAX_ENTRIES, MAX_EXPORTED, MAX_EXPORTED_SEGMENTS, MAX_INDEX
from logchain.format.names import check_stream, check_vm
from logchain.format.ratchet import stream_id
from logchain.format.signed_note import Vkey

__all__ = [
    "ENTRIES",
    "GENESIS_PEM",
    "INDEX",
    "LOG_PEM",
    "README",
    "EvidenceIndex",
    "IndexedSegment",
    "IndexedStream",
    "block_path",
    "format_index",
    "manifest_path",
    "parse_index",
    "pem",
    "proof_path",
    "text_path",
]

README, INDEX, ENTRIES = "evidence/README", "evidence/index", "evidence/ledger/entries"
GENESIS_PEM, LOG_PEM = "evidence/keys/genesis.pem", "evidence/keys/log.pem"

_FIRST = "logchain evidence v1"
_ENTRY = number(1, MAX_ENTRIES - 1)
_PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
_ED25519 = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of an Ed25519 key, RFC 8410 §4


def _named(check: Callable[[str], str]) -> Field:
    """Return the field of a name; one that `check` refuses is FormatError here, not UsageError."""

    def same(text: str) -> str:
        try:
            return check(text)
        except UsageError as error:
            raise FormatError(str(error)) from error

    return Field(same, same)


_SALT = hexed(32)
_OR_NONE = Field(
    lambda salt: "-" if salt is None else _SALT.format(salt), lambda text: None if text == "-" else _SALT.parse(text)
)
_LINES = {
    "store": (STORE_ID,),
    "range": (TIME, TIME),
    "entries": (number(2, MAX_ENTRIES),),
    "stream": (_named(check_vm), _named(check_stream), STREAM_ID, _OR_NONE),
    "segment": (SEGMENT, _ENTRY),
}


class IndexedSegment(NamedTuple):
    """A segment's number, and the index of the ledger's entry that seals it."""

    segment: int
    entry: int


class IndexedStream(NamedTuple):
    """A stream, and its segments in order; the salt ties the names to the id, None where it is lost."""

    vm: str
    stream: str
    stream_id: bytes
    salt: bytes | None
    segments: tuple[IndexedSegment, ...]


class EvidenceIndex(NamedTuple):
    """All that tells which parts follow: times in µs since 1970, both included; how many entries of the ledger."""

    store_id: bytes
    since: int
    until: int
    entries: int
    streams: tuple[IndexedStream, ...]


def format_index(index: EvidenceIndex) -> bytes:
    """Return the file, or raise FormatError on what parse_index refuses."""
    _check(index)
    lines = [
        f"{_FIRST}\n",
        format_line(_LINES, "store", [index.store_id]),
        format_line(_LINES, "range", [index.since, index.until]),
        format_line(_LINES, "entries", [index.entries]),
    ]
    for stream in index.streams:
        lines.append(format_line(_LINES, "stream", stream[:-1]))
        lines += [format_line(_LINES, "segment", segment) for segment in stream.segments]
    return "".join(lines).encode()


def parse_index(data: bytes) -> EvidenceIndex:
    """Return what the file says, or raise FormatError."""
    if len(data) > MAX_INDEX or not data.isascii():
        raise FormatError("an index too long, or not ASCII")
    first, *lines = data.decode().split("\n")
    if first != _FIRST or len(lines) < 6 or lines.pop():
        raise FormatError("not the index of an evidence file, or of another version")
    head = [value for word, line in zip(_LINES, lines[:3], strict=False) for value in parse_line(_LINES, word, line)]
    found: list[tuple[list[Any], list[IndexedSegment]]] = []
    segments: list[IndexedSegment] = []
    for line in lines[3:]:
        if line.startswith("stream "):
            segments = []
            found.append((parse_line(_LINES, "stream", line), segments))
        else:  # one before the first stream is in none: not canonical
            segments.append(IndexedSegment._make(parse_line(_LINES, "segment", line)))
    streams = tuple(IndexedStream._make([*values, tuple(its)]) for values, its in found)
    index = EvidenceIndex._make([*head, streams])
    if format_index(index) != data:
        raise FormatError("an index that is not canonical")
    return index


def _check(index: EvidenceIndex) -> None:
    segments = [segment for stream in index.streams for segment in stream.segments]
    if index.since > index.until:
        raise FormatError("a range that ends before it begins")
    if not 1 <= len(index.streams) <= MAX_EXPORTED or not 1 <= len(segments) <= MAX_EXPORTED_SEGMENTS:
        raise FormatError("no streams or segments, or too many of them")
    if any(one[:2] >= after[:2] for one, after in pairwise(index.streams)):
        raise FormatError("streams out of order, or one twice")
    if len({stream.stream_id for stream in index.streams}) != len(index.streams):
        raise FormatError("two streams with one id")
    if len({segment.entry for segment in segments}) != len(segments):
        raise FormatError("two segments of one entry")
    for stream in index.streams:
        if not stream.segments or any(one[0] >= after[0] or one[1] >= after[1] for one, after in pairwise(stream[-1])):
            raise FormatError("a stream without segments, or with segments out of order")
        if stream.salt is not None and stream_id(stream.salt, stream.vm, stream.stream) != stream.stream_id:
            raise FormatError("a stream id that is not of these names")
    if index.entries != 1 + max(segment.entry for segment in segments):
        raise FormatError("more or fewer entries than up to the last that seals a segment here")


def proof_path(entry: int) -> str:
    """Return the place of the proof that an entry is in the ledger."""
    return f"evidence/ledger/proofs/{entry:08}.tlog-proof"


def _stream_path(stream: IndexedStream) -> str:
    return f"evidence/streams/{stream.vm}/{stream.stream}"


def manifest_path(stream: IndexedStream, segment: int) -> str:
    """Return the place of a segment's manifest."""
    return f"{_stream_path(stream)}/{segment:08}.manifest"


def block_path(stream: IndexedStream, segment: int, offset: int) -> str:
    """Return the place of the block that begins at an offset of a segment's text."""
    return f"{_stream_path(stream)}/{segment:08}/{offset:09}"


def text_path(stream: IndexedStream) -> str:
    """Return the place of what was received within the range."""
    return f"{_stream_path(stream)}/text"


def pem(vkey: Vkey) -> bytes:
    """Return a public key as other tools take it."""
    return _PEM.format(base64(_ED25519 + vkey.key)).encode()
