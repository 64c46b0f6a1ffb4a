"""A stream as a person reads it: lines joined from their parts, notes, and what is missing.

Nearly all records are lines of one part, and there are millions of them: they are given out as runs, as they stand in
their block, and nothing here costs a step for each. Only what is anything else is taken apart, one by one.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import Enum
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from logchain.format.errors import FormatError
from logchain.format.keystate import KeyState
from logchain.format.limits import MAX_JOINED, MAX_PART, MAX_TIME, PREFIX, TIME_SIZE
from logchain.format.record import LINE, NOTE, Record, format_note, format_time, parse_note, parse_record, parse_time
from logchain.read.gone import gone_note
from logchain.read.live import ENDS_LINE, missing, reason
from logchain.read.sealed import BadBlock, SealedText, offset_at
from logchain.read.segments import StreamFiles, Text, open_stream_files
from logchain.read.view import View

__all__ = ["Entry", "Item", "Kind", "Run", "StreamReader"]

# A line of one part, its digits made zeros: what is not of this form never gets further than to be told as a gap.
_HEAD, _DIGITS = itemgetter(slice(PREFIX)), bytes.maketrans(b"123456789", b"000000000")
_LINE = b"0000-00-00T00:00:00.000000Z - "


class Kind(Enum):
    """What an entry is."""

    LINE = "line"
    PIECE = "piece"  # of a line over MAX_JOINED: the next entry goes on
    CUT = "cut"  # what came of a line whose sender went away
    RESENT = "resent"  # such a line that the next session sent again, whole
    NOTE = "note"
    GAP = "gap"  # what should be here cannot be read; the payload tells why


class Entry(NamedTuple):
    """Something to show: time in µs, where it is from, its number in the stream, its bytes or a gap's reason.

    Verified: whether the user's last `verify` accepted the text that it is in.
    """

    time: int
    vm: str
    stream: str
    number: int
    kind: Kind
    untrusted_payload: bytes
    verified: bool = False


class Run(NamedTuple):
    """Lines of one part, one behind the other: whole records, and the number of each; their text, newlines included.

    Heads are all that stands before payloads: in their order is that of times. Verified: whether the user's last
    `verify` accepted this text as it is.
    """

    vm: str
    stream: str
    numbers: Sequence[int]
    heads: list[bytes]
    untrusted_lines: list[bytes]
    untrusted_text: bytes
    verified: bool = False

    def entries(self) -> Iterator[Entry]:
        """Yield them one by one; FormatError where one has no time."""
        for number, line in zip(self.numbers, self.untrusted_lines, strict=True):
            time = parse_time(line[:TIME_SIZE])
            yield Entry(time, self.vm, self.stream, number, Kind.LINE, line[PREFIX:], self.verified)


Item: TypeAlias = Entry | Run


class StreamReader:
    """Reads a stream between two times (µs since 1970), and goes on where it stopped each time it is asked again.

    A line belongs to the time of its first part. What is sealed is checked against its manifest before it is given out,
    and the manifest against what the user's last `verify` accepted, if that knew it.
    """

    def __init__(self, view: View, vm: str, stream: str, since: int = 0, until: int = MAX_TIME, boot: str = "") -> None:
        self._view, self._vm, self._stream, self._since, self._until = view, vm, stream, since, until
        self._boot = boot  # only segments of this boot; empty: of all
        self._end = format_time(until)
        self._segment = 0  # where reading goes on: segment, place of the record in it, offset in its text
        self._index = self._offset = 0
        self._reached = 0  # the last segment that was found, or missed
        self._told = ""  # the last gap
        self._time = 0
        self._joined: list[bytes] = []  # parts of a line that is not ended
        self._begun = (0, 0)  # the time and number of its first part
        self._pieces = False  # pieces of that line were given out already
        self._skips = False  # the rest of a line that began before what is wanted
        self._passed = False  # the segment before was not looked into
        self._held: list[Entry] = []  # a cut line, and notes behind it, until it shows whether it was sent again
        self._evicted: list[bytes] = []  # notes of segments that went on purpose, until the next one tells a time
        self._verified = False

    def begins(self) -> bytes:
        """Return a time, as in records, before which nothing of this can be; without opening a text."""
        try:
            with open_stream_files(self._view.store, self._vm, self._stream) as files:
                for number in files.numbers():
                    outline = self._view.outline(files, self._vm, self._stream, number)
                    if not outline:
                        break
                    if outline.last_time >= self._since:
                        return format_time(min(outline.first_time, MAX_TIME))
        except FormatError:
            pass
        return b""

    def read(self) -> Iterator[Item]:
        """Yield what has been committed since the last call."""
        try:
            with open_stream_files(self._view.store, self._vm, self._stream) as files:
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
        for begin, end, word, why in self._view.gone.explain(files.try_stream_id(), first, last):
            if word:
                self._evicted.append(gone_note(begin, end, word, why))
            else:
                yield from self._gap(missing(begin, end))

    def _tell_evicted(self, time: int) -> Iterator[Entry]:
        """Tell what went before a segment, at the time at which that begins."""
        notes, self._evicted = self._evicted, []
        for payload in notes:
            yield from self._take(0, Record(time, NOTE, payload))

    def _read_segment(self, files: StreamFiles, number: int, state: KeyState | None) -> Iterator[Item]:
        try:
            is_new = number != self._segment
            if is_new:
                self._segment, self._index, self._offset = number, 0, 0
            outline = self._view.outline(files, self._vm, self._stream, number)
            if outline:  # what is not wanted, or was read already, need not be opened
                if outline.last_time < self._since or (outline.first_time > self._until and self._is_clean):
                    self._evicted, self._passed = [], is_new
                    return
                if self._offset >= outline.size:
                    return
            elif self._view.begins.get((self._vm, self._stream, number), 0) > self._until and self._is_clean:
                self._evicted, self._passed = [], is_new
                return
            elif is_new and self._went(files, number, state):
                yield from self._tell_evicted(state.time if state else self._time)
                return
            with files.open(number, state) as text:
                yield from self._read_text(files, text, is_new)
        except (FormatError, FileNotFoundError) as error:
            yield from self._gap(f"segment {number} cannot be read behind record {self._index}: {reason(error)}")
            if state:  # no more of it, however often we are asked
                self._index, self._offset = state.records, state.end

    def _went(self, files: StreamFiles, number: int, state: KeyState | None) -> bool:
        """Tell whether live/ has a segment of which the ledger says that it went: then it is nobody's word any more.

        Segments are sealed in order. So only one with a sealed one behind it, or an old one in a stream of which
        nothing is sealed, can be such; the ledger need not be read for others.
        """
        if number >= max(files.sealed_numbers(), default=state.segment if state else 0):
            return False
        for _, _, word, _ in self._view.gone.explain(files.try_stream_id(), number, number):
            if word:
                self._evicted.append(gone_note(number, number, word, "", left="live"))
                return True
        return False

    def _read_text(self, files: StreamFiles, text: Text, is_new: bool) -> Iterator[Item]:
        first = text.first_number()
        if is_new:
            if self._boot and text.first_note().fields.get("boot") != self._boot:
                self._offset, self._evicted = text.size, []
                return
            self._verified = self._view.judge(files, text) if isinstance(text, SealedText) else False
            yield from self._tell_evicted(text.first_time())
            yield from self._seek(text)
            yield from self._mark(text)
        for block in text.blocks(self._offset):
            if isinstance(block, BadBlock):
                self._time = max(self._time, block.block.time)
                yield from self._gap(f"segment {text.number}, {block}")
                self._index, self._offset = self._index + block.block.records, self._offset + block.block.size
                continue
            for item in self._take_block(first, block):
                if item is None:  # no later one in this segment can be wanted
                    return
                yield item

    def _seek(self, text: Text) -> Iterator[Entry]:
        """Go to where what is wanted begins, and yield what can go on no more."""
        if self._since <= text.first_time():
            return  # all of it: no block need be opened to find that out
        self._index, self._offset, in_line = text.seek(self._since)
        if self._index:  # else its first note says whether a line goes on
            yield from self.finish()
            self._skips, self._passed = in_line, False  # the rest of a line that began before what is wanted

    def _mark(self, text: Text) -> Iterator[Entry]:
        """Tell, once, that what is sealed from here on is newer than what the user's last `verify` accepted."""
        name = self._vm, self._stream
        if isinstance(text, SealedText) and self._view.accepts and not self._verified and name not in self._view.marked:
            self._view.marked.add(name)
            note = format_note("not-yet-verified", segment=text.number)
            yield from self._take(0, Record(max(text.first_time(), self._since), NOTE, note))

    def _take_block(self, first: int, block: bytes) -> Iterator[Item | None]:
        """Take whole records; yield None where one is later than wanted, and no line that is wanted goes on there."""
        end = len(block)
        if block[block.rfind(b"\n", 0, -1) + 1 :][:TIME_SIZE] > self._end:
            end = offset_at(block, self._end, bisect_right)
        yield from self._take_text(first, block[:end])
        while end < len(block):
            if self._is_clean:
                yield None
                return
            begin, end = end, block.index(b"\n", end) + 1
            yield from self._take_one(first, block[begin : end - 1])

    def _take_text(self, first: int, text: bytes) -> Iterator[Item]:
        lines = text.split(b"\n")
        lines.pop()
        heads = list(map(_HEAD, lines))
        odd: list[int] = []
        if b"".join(heads).translate(_DIGITS) != _LINE * len(lines):
            odd = [place for place, head in enumerate(heads) if head.translate(_DIGITS) != _LINE]
        begin, start = 0, self._offset
        for place in [*odd, len(lines)]:
            while begin < place and not self._is_clean:
                yield from self._take_one(first, lines[begin])
                begin += 1
            if begin < place:
                at, part = self._offset - start, slice(begin, place)
                size = sum(map(len, lines[part])) + place - begin
                yield self._run(first, heads[part], lines[part], text[at : at + size])
            yield from self._take_one(first, lines[place]) if place < len(lines) else ()
            begin = place + 1

    def _run(self, first: int, heads: list[bytes], lines: list[bytes], text: bytes) -> Run:
        """Take records that are lines of one part, none of them the end of another."""
        numbers = range(first + self._index, first + self._index + len(lines))
        self._time = parse_time(lines[-1][:TIME_SIZE])
        self._index, self._offset = self._index + len(lines), self._offset + len(text)
        return Run(self._vm, self._stream, numbers, heads, lines, text, self._verified)

    def _take_one(self, first: int, line: bytes) -> Iterator[Entry]:
        record = parse_record(line)
        self._index, self._offset = self._index + 1, self._offset + len(line) + 1
        yield from self._take(first + self._index - 1, record)

    @property
    def _is_clean(self) -> bool:
        """Whether the next record has nothing to do with one before it."""
        return not (self._joined or self._pieces or self._held or self._skips)

    def _take(self, number: int, record: Record) -> Iterator[Entry]:
        """Turn a record into the entries that it completes."""
        self._time, kind, payload = record
        if kind == NOTE:
            event, fields = parse_note(payload)
            if event == "segment":
                self._skips = (self._skips or self._passed) and "continues" in fields
                self._passed = False
            elif event in ENDS_LINE:
                self._skips = False
                if self._joined or self._pieces:
                    yield from self._release()
                    self._held = [self._join(Kind.CUT)]
            note = self._entry(self._time, number, Kind.NOTE, payload)
            if not self._held:
                yield note
            else:
                self._held.append(note)
            return
        if self._skips:
            self._skips = kind != LINE
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
        if why != self._told and self._view.is_new((self._vm, self._stream, why)):
            self._told = why
            if self._joined or self._pieces:
                yield self._join(Kind.CUT)
            yield self._entry(self._time, 0, Kind.GAP, why.encode())

    def _entry(self, time: int, number: int, kind: Kind, payload: bytes) -> Entry:
        return Entry(time, self._vm, self._stream, number, kind, payload, self._verified)
