"""A stream as a person reads it: lines joined from their parts, notes, and what is missing."""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.keystate import KeyState
from logchain.format.limits import MAX_JOINED, MAX_PART, MAX_TIME
from logchain.format.record import LINE, NOTE, PART, Record, parse_note, parse_record
from logchain.read.live import Segment, missing, open_segment, read_keystate, reason
from logchain.store.layout import RATCHET, Directory, segments, stream_directory

__all__ = ["Entry", "Kind", "StreamReader"]

_ENDS_LINE = ("session-start", "session-end", "recovered", "broken")


class Kind(Enum):
    """What an entry is."""

    LINE = "line"
    PIECE = "piece"  # of a line over MAX_JOINED: the next entry goes on
    CUT = "cut"  # what came of a line whose sender went away
    RESENT = "resent"  # such a line that the next session sent again, whole
    NOTE = "note"
    GAP = "gap"  # what should be here cannot be read; the payload tells why


class Entry(NamedTuple):
    """Something to show: time in µs, where it is from, its number in the stream, its bytes or a gap's reason."""

    time: int
    vm: str
    stream: str
    number: int
    kind: Kind
    untrusted_payload: bytes


class StreamReader:
    """Reads a stream between two times (µs since 1970), and goes on where it stopped each time it is asked again."""

    def __init__(self, store: Directory, vm: str, stream: str, since: int = 0, until: int = MAX_TIME) -> None:
        self._store, self._vm, self._stream, self._since, self._until = store, vm, stream, since, until
        self._segment = 0  # where reading goes on: segment, place of the record in it, offset in its text
        self._index = self._offset = 0
        self._reached = 0  # the last segment that was found, or missed
        self._told = ""  # the last gap
        self._time = 0
        self._joined: list[bytes] = []  # parts of a line that is not ended
        self._begun = (0, 0)  # the time and number of its first part
        self._pieces = False  # pieces of that line were given out already
        self._held: list[Entry] = []  # a cut line, and notes behind it, until it shows whether it was sent again

    def read(self) -> Iterator[Entry]:
        """Yield what has been committed since the last call."""
        try:
            with stream_directory(self._store, self._vm, self._stream) as directory:
                state = read_keystate(directory)
                numbers = [number for number in segments(directory) if self._segment <= number <= state.segment]
                for number in [*numbers, state.segment + 1]:
                    if number > self._reached + 1:
                        yield from self._gap(missing(self._reached + 1, number - 1))
                    self._reached = max(self._reached, min(number, state.segment))
                    if number <= state.segment:
                        yield from self._read_segment(directory, number, state)
        except (FormatError, FileNotFoundError) as error:
            if self._is_unborn():
                return
            yield from self._gap(f"the key state cannot be read: {reason(error)}")

    def _is_unborn(self) -> bool:
        """Tell whether nothing was ever stored here: a birth is under way, or was cut short."""
        with (
            suppress(FormatError, FileNotFoundError),
            stream_directory(self._store, self._vm, self._stream) as directory,
        ):
            return RATCHET not in directory.names() and not segments(directory)
        return False

    def finish(self) -> Iterator[Entry]:
        """Yield what was held back, when nothing more is to come."""
        if self._joined or self._pieces:
            yield from self._release()
            yield self._join(Kind.CUT)
        yield from self._held
        self._held = []

    def _read_segment(self, directory: Directory, number: int, state: KeyState) -> Iterator[Entry]:
        is_new = number != self._segment
        if is_new:
            self._segment, self._index, self._offset = number, 0, 0
        try:
            with open_segment(directory, number, state) as segment:
                first = segment.first_note().number("first")
                if is_new:
                    self._index = _seek(segment, self._since)
                    self._offset = segment.record_start(self._index)
                for text in segment.blocks(self._offset):
                    for line in text[:-1].split(b"\n"):
                        record = parse_record(line)
                        if record.time > self._until:  # no later one in this segment can be wanted
                            return
                        self._index, self._offset = self._index + 1, self._offset + len(line) + 1
                        yield from self._take(first + self._index - 1, record)
        except (FormatError, FileNotFoundError) as error:
            yield from self._gap(f"segment {number} cannot be read behind record {self._index}: {reason(error)}")
            self._index, self._offset = state.records, state.end  # no more of it, however often we are asked

    def _take(self, number: int, record: Record) -> Iterator[Entry]:
        """Turn a record into the entries that it completes."""
        self._time, kind, payload = record
        if kind == LINE and not (self._joined or self._pieces or self._held):  # nearly always
            yield Entry(self._time, self._vm, self._stream, number, Kind.LINE, payload)
            return
        if kind == NOTE:
            if (self._joined or self._pieces) and parse_note(payload).event in _ENDS_LINE:
                yield from self._release()
                self._held = [self._join(Kind.CUT)]
            note = self._entry(self._time, number, Kind.NOTE, payload)
            if not self._held:
                yield note
            else:
                self._held.append(note)
            return
        if not self._joined and not self._pieces:
            self._begun = (self._time, number)
        self._joined.append(payload)
        if kind == LINE:
            yield from self._release()
            yield self._join(Kind.LINE)
        elif len(self._joined) * MAX_PART >= MAX_JOINED:
            yield from self._release()
            yield self._join(Kind.PIECE)

    def _release(self) -> Iterator[Entry]:
        """Yield what was held back: now it shows whether the cut line is the one that begins here."""
        if self._held:
            cut, *notes = self._held
            again = b"".join(self._joined).startswith(cut.untrusted_payload)
            yield cut._replace(kind=Kind.RESENT) if again else cut
            yield from notes
            self._held = []

    def _join(self, kind: Kind) -> Entry:
        self._pieces = kind == Kind.PIECE
        payload = b"".join(self._joined)
        self._joined = []
        return self._entry(*self._begun, kind, payload)

    def _gap(self, why: str) -> Iterator[Entry]:
        """Yield a gap, but the same one only once, however often we are asked."""
        if why != self._told:
            self._told = why
            if self._joined or self._pieces:
                yield self._join(Kind.CUT)
            yield self._entry(self._time, 0, Kind.GAP, why.encode())

    def _entry(self, time: int, number: int, kind: Kind, payload: bytes) -> Entry:
        return Entry(time, self._vm, self._stream, number, kind, payload)


def _seek(segment: Segment, since: int) -> int:
    """Return the place of the first record of a segment, counted from 0, that was received at `since` or later."""
    place = bisect_left(range(segment.records), since, key=lambda index: segment.record_at(index).time)
    while 0 < place < segment.records and segment.record_at(place - 1).kind == PART:
        place -= 1  # into the middle of a line: begin where the line does
    return place
