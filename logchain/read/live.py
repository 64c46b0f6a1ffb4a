"""Opens a stream as a reader may: key state first, then tags, then text, judged only up to that state.

A writer may be at work in the same moment, and whatever is found may be hostile.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from logchain.format.errors import FormatError
from logchain.format.keystate import RATCHET_MAGIC, KeyState, Status, parse_keystate
from logchain.format.limits import MAX_RECORD
from logchain.format.record import NOTE, Note, Record, parse_note, parse_record
from logchain.format.slots import FILE_SIZE, newest
from logchain.format.tags import TAG_ENTRY
from logchain.store.layout import LIVE, RATCHET, Directory, log_name, segment_number, tags_name

__all__ = ["Segment", "open_segment", "open_stream", "read_keystate", "read_segments"]

_BLOCK = 1 << 20
_TRIES = 20  # a writer holds a slot torn for microseconds


@contextmanager
def open_stream(store: Directory, vm: str, stream: str) -> Iterator[Directory]:
    """Open a stream's directory; FileNotFoundError where there is none."""
    with store.directory(LIVE) as live, live.directory(vm) as vm_directory, vm_directory.directory(stream) as directory:
        yield directory


def read_keystate(directory: Directory) -> KeyState:
    """Return the key state; FormatError where neither slot is valid, FileNotFoundError where there is none."""
    for _ in range(_TRIES):
        try:
            return parse_keystate(newest(RATCHET_MAGIC, directory.read(RATCHET, FILE_SIZE)).body)
        except FormatError as error:
            found = error
            time.sleep(0.005)
    raise found


def read_segments(directory: Directory) -> list[int]:
    """Return the numbers of the segments whose text is there, in order."""
    return [number for name in directory.names() if (number := segment_number(name)) is not None]


class Segment:
    """A segment open for reading, `end` bytes of text and `records` of it committed."""

    def __init__(self, number: int, log: int, tags: int, end: int, records: int) -> None:
        self.number, self.log, self.tags, self.end, self.records = number, log, tags, end, records

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the text from a record's start on, whole records with their newlines, about 1 MiB at a time.

        Raises FormatError where a record does not end.
        """
        rest = b""
        while start < self.end:
            data = os.pread(self.log, min(_BLOCK, self.end - start), start)
            start += len(data)
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield whole + newline
            if not data or len(rest) > MAX_RECORD:
                break
        if rest or start < self.end:
            raise FormatError("a record that does not end")

    def record_start(self, index: int) -> int:
        """Return the offset at which a record begins, by its place in the segment."""
        return int.from_bytes(os.pread(self.tags, 8, (index - 1) * TAG_ENTRY), "little") if index else 0

    def record_at(self, index: int) -> Record:
        """Return one record by its place in the segment; FormatError where it is none."""
        start = self.record_start(index)
        return parse_record(os.pread(self.log, MAX_RECORD + 1, min(start, self.end)).partition(b"\n")[0])

    def first_note(self) -> Note:
        """Return the `segment` note; FormatError where the segment does not begin with one."""
        record = self.record_at(0)
        note = parse_note(record.payload) if record.kind == NOTE else None
        if not note or note.event != "segment":
            raise FormatError("a segment that does not begin with its note")
        return note


@contextmanager
def open_segment(directory: Directory, number: int, state: KeyState | None) -> Iterator[Segment]:
    """Open a segment up to what `state` says is committed; FileNotFoundError where it is not there."""
    tags = directory.file(tags_name(number))
    try:
        log = directory.file(log_name(number))
        try:
            if state and state.segment == number and state.status in (Status.OPEN, Status.GIVEN_UP):
                end, records = state.end, state.records
            else:
                end, records = os.fstat(log).st_size, os.fstat(tags).st_size // TAG_ENTRY
            yield Segment(number, log, tags, end, records)
        finally:
            os.close(log)
    finally:
        os.close(tags)
