"""The `.tags` file: where each record ends, and its tag (docs/spec/tags.md)."""

from collections.abc import Iterable, Iterator
from struct import Struct

from logchain.format.errors import FormatError

__all__ = ["TAG_ENTRY", "format_tags", "parse_tags"]

TAG_ENTRY = 40
_ENTRY = Struct("<Q32s")


def format_tags(ends: Iterable[int], tags: Iterable[bytes]) -> bytes:
    """Return the entries for records that end at `ends`, behind their newlines, with these tags."""
    return b"".join(map(_ENTRY.pack, ends, tags))


def parse_tags(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (end, tag) of each entry; FormatError where the size is no multiple of 40."""
    if len(data) % TAG_ENTRY:
        raise FormatError("a torn tags file")
    return _ENTRY.iter_unpack(data)
