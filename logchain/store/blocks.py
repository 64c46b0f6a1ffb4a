"""Cuts a segment's text into blocks, and sees that it is records as the collector writes them."""

import os
from collections.abc import Iterator
from itertools import accumulate

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_RECORD, PREFIX, TIME_SIZE
from logchain.format.record import LINE, NOTE, PART, Note, parse_note, parse_record, parse_time
from logchain.format.tags import TAG_ENTRY, parse_tags

__all__ = ["BLOCK_SIZE", "TextCheck", "block_end", "cut_blocks"]

BLOCK_SIZE = 256 << 10
_NO_LINE = b"\n"
_INCIDENTS = {("recovered", "torn"), ("recovered", "io"), ("broken", "keys"), ("broken", "id"), ("broken", "text")}


def cut_blocks(log: int, size: int, most: int = BLOCK_SIZE) -> Iterator[bytes]:
    """Yield the text of a file of this size, block by block; FormatError where it does not end with a newline."""
    at = 0
    while at < size:
        data = os.pread(log, min(most, size - at), at)
        if not data:
            raise FormatError("a text that became shorter")
        end = block_end(data, whole=at + len(data) == size)
        yield data[:end]
        at += end


def block_end(data: bytes, whole: bool) -> int:
    """Return where the block ends that `data` begins with: all of it where it is the `whole` rest of a text.

    Behind the last record that is no part; where all are parts, behind the last (docs/spec/manifest.md, 11).
    """
    end = data.rfind(b"\n") + 1
    if not end or (whole and end < len(data)):
        raise FormatError("a record that does not end")
    if whole:
        return end
    behind = end
    while behind:
        start = data.rfind(b"\n", 0, behind - 1) + 1
        if data[start + PREFIX - 2 : start + PREFIX - 1] != PART:
            return behind
        behind = start
    return end


class TextCheck:
    """What the records of a segment come to, block after block; its tags have to fit them."""

    def __init__(self, tags: int) -> None:
        self._tags = tags
        self._line = _NO_LINE  # how the last line began: time and kind were good, so they are where another begins so
        self._ended = False
        self.records = self.size = 0
        self.first_time = self.last_time = 0
        self.tag = b""  # of the last record
        self.begin = Note("", {})  # the `segment` note
        self.incidents: set[tuple[str, str]] = set()  # what notes say that went wrong: event and reason

    def take(self, text: bytes) -> tuple[int, int]:
        """Take the next block, whole records; return how many they are, and the time of the first.

        Raises FormatError where they are no records, their times go back, or their tags are not where they should be.
        """
        lines = text.split(b"\n")[:-1]
        ends = list(accumulate((len(line) + 1 for line in lines), initial=self.size))
        tags = os.pread(self._tags, len(lines) * TAG_ENTRY, self.records * TAG_ENTRY)
        if len(tags) != len(lines) * TAG_ENTRY or [end for end, _ in parse_tags(tags)] != ends[1:]:
            raise FormatError("tags that do not fit the text")
        for line in lines:
            if line[:PREFIX] != self._line or len(line) > MAX_RECORD:
                self._parse(line)
        first_time = parse_time(lines[0][:TIME_SIZE])
        if not self.records:
            self.first_time = first_time
        self.records, self.size, self.tag = self.records + len(lines), ends[-1], tags[-32:]
        return len(lines), first_time

    def _parse(self, line: bytes) -> None:
        time, kind, payload = parse_record(line)
        if time < self.last_time or self._ended:
            raise FormatError("a time that goes back, or a record behind the end")
        self.last_time = time
        self._line = line[:PREFIX] if kind == LINE else _NO_LINE
        note = parse_note(payload) if kind == NOTE else Note("", {})
        self._ended = note.event == "end"
        if (note.event == "segment") == bool(self.begin.event):
            raise FormatError("a text that does not begin with its note, or has a second one")
        if note.event == "segment":
            self.begin = note
        self.incidents |= _INCIDENTS & {(note.event, note.fields.get("reason", ""))}  # few, however many notes
