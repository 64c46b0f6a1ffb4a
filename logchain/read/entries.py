"""A stream as a person reads it: lines joined from their parts, notes, and what is missing."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.keystate import KeyState
from logchain.format.limits import MAX_JOINED, MAX_PART, MAX_TIME
from logchain.format.record import LINE, NOTE, Record, parse_note, parse_record
from logchain.read.gone import Gone, gone_note
from logchain.read.live import missing, reason
from logchain.read.sealed import BadBlock
from logchain.read.segments import StreamFiles, Text, open_stream_files
from logchain.store.layout import Directory

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
    """Reads a stream between two times (µs since 1970), and goes on where it stopped each time it is asked again.

    Sealed text is checked against its manifest before it is given out; the manifest is for `logchain verify`.
    """

    def __init__(
        self,
        store: Directory,
        vm: str,
        stream: str,
        since: int = 0,
        until: int = MAX_TIME,
        gone: Gone | None = None,
    ) -> None:
        self._store, self._vm, self._stream, self._since, self._until = store, vm, stream, since, until
        self._gone = gone or Gone(store)  # one for all streams
        self._segment = 0  # where reading goes on: segment, place of the record in it, offset in its text
        self._index = self._offset = 0
        self._reached = 0  # the last segment that was found, or missed
        self._told = ""  # the last gap
        self._time = 0
        self._joined: list[bytes] = []  # parts of a line that is not ended
        self._begun = (0, 0)  # the time and number of its first part
        self._pieces = False  # pieces of that line were given out already
        self._held: list[Entry] = []  # a cut line, and notes behind it, until it shows whether it was sent again
        self._evicted: list[bytes] = []  # notes of segments that went on purpose, until the next one tells a time

    def read(self) -> Iterator[Entry]:
        """Yield what has been committed since the last call."""
        try:
            with open_stream_files(self._store, self._vm, self._stream) as files:
                if files.is_unborn:
                    return
                state, why = files.try_state()
                numbers = files.numbers() if state else files.sealed_numbers()  # the key state bounds the others
                last = state.segment if state else max(numbers, default=0)
                for number in [*(number for number in numbers if self._segment <= number <= last), last + 1]:
                    if number > self._reached + 1:
                        yield from self._missing(files, self._reached + 1, number - 1)
                    self._reached = max(self._reached, min(number, last))
                    if number <= last:
                        yield from self._read_segment(files, number, state)
                yield from self._tell_evicted(state.time if state else self._time)
                if why:
                    yield from self._gap(why)
        except FormatError as error:
            yield from self._gap(f"the stream cannot be read: {error}")

    def finish(self) -> Iterator[Entry]:
        """Yield what was held back, when nothing more is to come."""
        if self._joined or self._pieces:
            yield from self._release()
            yield self._join(Kind.CUT)
        yield from self._held
        self._held = []

    def _missing(self, files: StreamFiles, first: int, last: int) -> Iterator[Entry]:
        """Tell of segments that are not there: a gap, but for those that went on purpose."""
        for begin, end, word, why in self._gone.explain(files.try_stream_id(), first, last):
            if word:
                self._evicted.append(gone_note(begin, end, word, why))
            else:
                yield from self._gap(missing(begin, end))

    def _tell_evicted(self, time: int) -> Iterator[Entry]:
        """Tell what went before a segment, at the time at which that begins."""
        notes, self._evicted = self._evicted, []
        for payload in notes:
            yield from self._take(0, Record(time, NOTE, payload))

    def _read_segment(self, files: StreamFiles, number: int, state: KeyState | None) -> Iterator[Entry]:
        try:
            is_new = number != self._segment
            if is_new:
                self._segment, self._index, self._offset = number, 0, 0
            outline = files.outline(number)
            if outline:  # what is not wanted, or was read already, need not be opened
                if outline.last_time < self._since:
                    self._evicted = []
                    return
                if self._offset >= outline.size:
                    return
            with files.open(number, state) as text:
                yield from self._read_text(text, is_new)
        except (FormatError, FileNotFoundError) as error:
            yield from self._gap(f"segment {number} cannot be read behind record {self._index}: {reason(error)}")
            if state:  # no more of it, however often we are asked
                self._index, self._offset = state.records, state.end

    def _read_text(self, text: Text, is_new: bool) -> Iterator[Entry]:
        first = text.first_number()
        if is_new:
            yield from self._tell_evicted(text.first_time())
            self._index, self._offset = text.seek(self._since)
        for block in text.blocks(self._offset):
            if isinstance(block, BadBlock):
                yield from self._gap(f"segment {text.number}, {block}")
                self._index, self._offset = self._index + block.block.records, self._offset + block.block.size
                continue
            for line in block[:-1].split(b"\n"):
                record = parse_record(line)
                if record.time > self._until:  # no later one in this segment can be wanted
                    return
                self._index, self._offset = self._index + 1, self._offset + len(line) + 1
                yield from self._take(first + self._index - 1, record)

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
