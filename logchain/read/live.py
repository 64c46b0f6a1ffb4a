"""Opens a stream as a reader may: key state first, then tags, then text, judged only up to that state.

A writer may be at work in the same moment, and whatever is found may be hostile.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

from logchain.format.errors import FormatError, StoreError
from logchain.format.identity import parse_store
from logchain.format.keystate import KeyState, read_ratchet
from logchain.format.limits import MAX_RECORD, MAX_SMALL_FILE
from logchain.format.record import NOTE, PART, Note, Record, parse_note, parse_record
from logchain.format.slots import FILE_SIZE
from logchain.format.tags import TAG_ENTRY
from logchain.store.layout import FORMAT, RATCHET, Directory, log_name, tags_name

__all__ = [
    "ENDS_LINE",
    "Segment",
    "is_connected",
    "line_goes_on",
    "missing",
    "open_segment",
    "read_keystate",
    "read_store_id",
    "reason",
    "segment_note",
]

ENDS_LINE = ("session-start", "session-end", "recovered", "broken")  # notes that end a line that has not ended

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BLOCKS = (32 << 10, 1 << 20)  # bytes of the first and of the last ones that are read: the first lines come at once
_TRIES = 20  # a writer holds a slot torn for microseconds


def reason(error: Exception) -> str:
    """Return why something could not be read, in words."""
    return "the file is missing" if isinstance(error, FileNotFoundError) else str(error)


def missing(first: int, last: int) -> str:
    """Return words for segments that are not there."""
    return f"segment {first} is missing" if first == last else f"segments {first} to {last} are missing"


def read_store_id(store: Directory) -> bytes:
    """Return a store's id; StoreError where there is none."""
    try:
        return parse_store(store.read(FORMAT, MAX_SMALL_FILE)).store_id
    except (FileNotFoundError, FormatError) as error:
        raise StoreError(f"{store.path} is no store: {reason(error)}") from error


def is_connected(state: KeyState) -> bool:
    """Tell whether a sender is connected, as far as the key state knows: a session of another boot has ended."""
    if not any(state.session):
        return False
    with open(_BOOT_ID, encoding="ascii") as file:
        return state.boot.hex() == file.read().strip().replace("-", "")


def read_keystate(directory: Directory) -> KeyState:
    """Return the key state; FormatError where neither slot is valid, FileNotFoundError where there is none."""
    for _ in range(_TRIES):
        try:
            return read_ratchet(directory.read(RATCHET, FILE_SIZE))
        except FormatError as error:
            found = error
            time.sleep(0.005)
    raise found


class Segment:
    """A segment open for reading, `end` bytes of text and `records` of it committed."""

    def __init__(self, number: int, log: int, tags: int, end: int, records: int) -> None:
        self.number, self.log_fd, self.tags_fd, self.end, self.records = number, log, tags, end, records

    @property
    def size(self) -> int:
        """Bytes of its text that are committed."""
        return self.end

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the text from a record's start on, whole records with their newlines, at most about 1 MiB at a time.

        Raises FormatError where a record does not end.
        """
        rest, size = b"", _BLOCKS[0]
        while start < self.end:
            data = os.pread(self.log_fd, min(size, self.end - start), start)
            size = min(2 * size, _BLOCKS[1])
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
        return int.from_bytes(os.pread(self.tags_fd, 8, (index - 1) * TAG_ENTRY), "little") if index else 0

    def line_at(self, index: int) -> bytes:
        """Return the bytes at a record's place in the segment, up to a newline: perhaps a record."""
        start = self.record_start(index)
        return os.pread(self.log_fd, MAX_RECORD + 1, min(start, self.end)).partition(b"\n")[0]

    def record_at(self, index: int) -> Record:
        """Return one record by its place in the segment; FormatError where it is none."""
        return parse_record(self.line_at(index))

    def tag_at(self, index: int) -> bytes:
        """Return the tag of one record by its place in the segment."""
        return os.pread(self.tags_fd, TAG_ENTRY, index * TAG_ENTRY)[8:]

    def first_note(self) -> Note:
        """Return the `segment` note; FormatError where the segment does not begin with one."""
        return segment_note(self.line_at(0))

    def first_number(self) -> int:
        """Return the number of its first record in the stream; FormatError where it does not tell."""
        return self.first_note().number("first")

    def first_time(self) -> int:
        """Return when its first record was received; FormatError where that is none."""
        return self.record_at(0).time

    def last_time(self) -> int:
        """Return when its last record was received; FormatError where that is none."""
        return self.record_at(self.records - 1).time

    def seek(self, since: int) -> tuple[int, int, bool]:
        """Return place, counted from 0, and offset of the first record that was received at `since` or later.

        And whether it goes on with a line that began before it. FormatError.
        """
        place = bisect_left(range(self.records), since, key=lambda index: self.record_at(index).time)
        return place, self.record_start(place), self._is_in_line(place)

    def _is_in_line(self, place: int) -> bool:
        while place:
            place -= 1
            goes_on = line_goes_on(self.record_at(place))
            if goes_on is not None:
                return goes_on
        return False


def line_goes_on(record: Record) -> bool | None:
    """Tell whether a line goes on behind a record; None where only the record before it can tell."""
    if record.kind != NOTE:
        return record.kind == PART
    event, fields = parse_note(record.payload)
    if event == "segment":
        return "continues" in fields
    return False if event in ENDS_LINE else None


def segment_note(line: bytes) -> Note:
    """Return the note that a segment begins with, from its first record; FormatError where that is no such."""
    record = parse_record(line)
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
            if state and state.segment == number and state.bounds_segment:
                end, records = state.end, state.records
            else:
                end, records = os.fstat(log).st_size, os.fstat(tags).st_size // TAG_ENTRY
            yield Segment(number, log, tags, end, records)
        finally:
            os.close(log)
    finally:
        os.close(tags)
