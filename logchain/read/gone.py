"""Which segments and streams went on purpose, as the ledger has it; its signatures are for `logchain verify`."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_ENTRY
from logchain.format.record import format_note
from logchain.store.layout import ENTRIES, LEDGER, Directory

__all__ = ["Gone", "gone_note"]

_CHUNK = 1 << 20
_EVENT = re.compile(
    rb"\n(evict|delete) ([0-9a-f]{64}) ([1-9][0-9]{0,5}) sha256:[0-9a-f]{64}(?: (quota|cap|reserve))?(?=\n)"
)
_FORGET = re.compile(rb"\nforget ([0-9a-f]{64}) (?:0|[1-9][0-9]{0,5})(?=\n)")
_WORDS = {b"evict": "evicted", b"delete": "deleted"}


class Gone:
    """What the ledger of a store says of segments and streams that went. It is read when it is first asked."""

    def __init__(self, store: Directory) -> None:
        self._store, self._offset = store, 0
        self._segments: dict[bytes, dict[int, tuple[str, str]]] = {}  # by stream id: what happened, why
        self._forgotten: set[str] = set()

    def explain(self, stream_id: bytes, first: int, last: int) -> Iterator[tuple[int, int, str, str]]:
        """Yield these segments in groups: first, last, `evicted` or `deleted` or nothing, and for want of what."""
        found = self._segments.get(stream_id, {})
        if any(number not in found for number in range(first, last + 1)):
            self._read()  # it may have grown
            found = self._segments.get(stream_id, {})
        for (word, why), group in groupby(range(first, last + 1), lambda number: found.get(number, ("", ""))):
            numbers = list(group)
            yield numbers[0], numbers[-1], word, why

    def forgotten(self) -> frozenset[str]:
        """Return the ids (hex) of the streams that were forgotten up to now."""
        self._read()
        return frozenset(self._forgotten)

    def _read(self) -> None:
        with suppress(FileNotFoundError, FormatError), self._store.directory(LEDGER) as ledger:
            fd = ledger.file(ENTRIES)
            try:
                while data := os.pread(fd, _CHUNK, self._offset):
                    for match in _EVENT.finditer(data):
                        word, stream_id, number, why = match.groups()
                        segments = self._segments.setdefault(bytes.fromhex(stream_id.decode()), {})
                        segments[int(number)] = _WORDS[word], (why or b"").decode()
                    self._forgotten.update(match[1].decode() for match in _FORGET.finditer(data))
                    if len(data) <= MAX_ENTRY:
                        break
                    self._offset += len(data) - MAX_ENTRY  # an entry may go on in the next piece
            finally:
                os.close(fd)


def gone_note(first: int, last: int, word: str, why: str, left: str = "") -> bytes:
    """Return a note of segments that went on purpose, as the ledger has it; it is not the collector's.

    `left` is where text of them is all the same: a crash left it, or somebody put it there.
    """
    fields = ({"reason": why} if why else {}) | ({"left": left} if left else {})
    segments = str(first) if first == last else f"{first}-{last}"
    return format_note(word, segments=segments, **fields, verified="no")
