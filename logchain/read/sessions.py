"""Who was connected when: a stream's sessions, the silences in and between them, and why each ended.

All of it follows from the collector's notes and the times of records: from what a segment is condensed to, from its
text now, or by the compressor once (format/activity). Nothing is verified.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from logchain.format.activity import Condenser, Item, Run
from logchain.format.errors import FormatError
from logchain.format.keystate import KeyState, Status
from logchain.format.record import parse_note, parse_time
from logchain.read.catalog import SealedActivity
from logchain.read.entries import Kind
from logchain.read.gone import Gone, gone_note
from logchain.read.live import is_connected, missing, reason
from logchain.read.sealed import BadBlock, SealedText
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.selection import Selection
from logchain.store.layout import Directory, segments

__all__ = ["Event", "Session", "list_sessions"]

_MUNDANE = ("session-start", "session-end")  # notes that are no event of their own
_ENDS_SESSION = ("session-start", "recovered", "broken")  # where one that ended without a word has ended


@dataclass(slots=True)
class Session:
    """One connection of a sender. Times in µs since 1970, spans in µs."""

    vm: str
    stream: str
    session: str  # 16 hex digits; empty where they cannot be read
    start: int  # 0: cannot be read
    end: int  # its last record; 0 while it is connected
    before: int | None  # the silence since the session before it; None: none, or it cannot be read
    duration: int = 0
    longest: int = 0  # silence within it
    lines: int = 0
    cut: int = 0  # bytes of a line that did not end
    why: str = ""  # as `session-end` says; or connected, crashed, lost

    @property
    def time(self) -> int:
        """The first that is known of it."""
        return self.start or self.end


class Event(NamedTuple):
    """A note of something unusual, or a gap (then `time` is that of the last record before it, 0 without one)."""

    time: int
    vm: str
    stream: str
    kind: Kind
    untrusted_text: bytes


def list_sessions(
    store: Directory, selection: Selection, now: int, activity: SealedActivity | None = None
) -> list[Session | Event]:
    """Return the sessions of which something falls into the selected time, and events, in the order of their starts.

    `now`, µs since 1970, is how long sessions last that are still connected. Gaps are always told. Of what `activity`
    knows no text is read.
    """
    found: list[Session | Event] = []
    gone = Gone(store)
    for vm, stream in selection.names(store):
        rows = _StreamSessions(vm, stream, activity or SealedActivity()).read(store, now, gone)
        found += (row for row in rows if _is_wanted(row, selection))
    return sorted(found, key=lambda row: row.time)


def _is_wanted(row: Session | Event, selection: Selection) -> bool:
    if isinstance(row, Event):
        return row.kind == Kind.GAP or selection.since <= row.time <= selection.until
    return row.time <= selection.until and (not row.end or row.end >= selection.since)


class _StreamSessions:
    """Reads a stream once, from its first record to its last."""

    def __init__(self, vm: str, stream: str, activity: SealedActivity) -> None:
        self._vm, self._stream, self._activity = vm, stream, activity
        self._session: Session | None = None  # that is open
        self._heard = 0  # when the sender last did something, on the clock of now; 0: cannot be read
        self._time = 0  # of the last record that was looked at
        self._evicted: list[bytes] = []  # notes of segments that went on purpose
        self._live: set[int] = set()  # segments that are read from live/

    def read(self, store: Directory, now: int, gone: Gone) -> Iterator[Session | Event]:
        """Yield sessions as they end, and events, up to what is committed."""
        try:
            with open_stream_files(store, self._vm, self._stream) as files:
                if files.is_unborn:
                    return
                state, why = files.try_state()
                self._live = set(segments(files.live)) if files.live else set()
                numbers = files.numbers() if state else files.sealed_numbers()  # the key state bounds the others
                last = state.segment if state else max(numbers, default=0)
                reached = 0
                for number in [*(number for number in numbers if number <= last), last + 1]:
                    if number > reached + 1:
                        yield from self._missing(files, gone, reached + 1, number - 1)
                    if number <= last:
                        yield from self._read_segment(files, number, state)
                    reached = number
                if state:
                    yield from self._finish(state, now)
                else:
                    yield from self._gap(why)
        except FormatError as error:
            yield from self._gap(f"the stream cannot be read: {error}")

    def _missing(self, files: StreamFiles, gone: Gone, first: int, last: int) -> Iterator[Session | Event]:
        """Tell of segments that are not there: a gap, but for those that went on purpose."""
        for begin, end, word, why in gone.explain(files.try_stream_id(), first, last):
            if word:
                yield from self._close("lost")
                self._heard = 0
                self._evicted.append(gone_note(begin, end, word, why))
            else:
                yield from self._gap(missing(begin, end))

    def _read_segment(self, files: StreamFiles, number: int, state: KeyState | None) -> Iterator[Session | Event]:
        known = self._look_up(files, number)
        if known:
            first_time, items = known
            yield from self._tell_evicted(first_time)
            yield from self._replay(items)
            return
        condenser = Condenser()
        try:
            with files.open(number, state) as segment:
                if not isinstance(segment, SealedText):
                    segment.first_note()
                yield from self._tell_evicted(segment.first_time())
                for block in segment.blocks():
                    if isinstance(block, BadBlock):
                        yield from self._replay(condenser.rest())
                        yield from self._gap(f"segment {number}, {block}")
                    else:
                        yield from self._replay(condenser.take(block))
                yield from self._replay(condenser.rest())
        except (FormatError, FileNotFoundError) as error:
            yield from self._replay(condenser.rest())
            yield from self._gap(f"segment {number} cannot be read: {reason(error)}")

    def _look_up(self, files: StreamFiles, number: int) -> tuple[int, list[Item]] | None:
        """Return what is known of a segment without its text; of one in live/, nothing."""
        if not files.sealed or number in self._live:
            return None
        return self._activity.of(self._vm, self._stream, number, files.sealed)

    def _tell_evicted(self, time: int) -> Iterator[Event]:
        """Tell of what went before a segment, at the time at which it begins."""
        evicted, self._evicted = self._evicted, []
        for payload in evicted:
            yield Event(time, self._vm, self._stream, Kind.NOTE, payload)

    def _replay(self, items: Iterable[Item]) -> Iterator[Session | Event]:
        for item in items:
            if isinstance(item, Run):
                self._take_run(item)
            else:
                self._time = item.time
                if item.note:
                    yield from self._take_note(item.note)

    def _take_run(self, run: Run) -> None:
        session = self._hear(run.first)
        longest = max(session.longest, run.longest)
        self._hear(run.last)
        session.lines, session.longest = session.lines + run.lines, longest

    def _take_note(self, payload: bytes) -> Iterator[Session | Event]:
        note = parse_note(payload)
        event, fields = note
        if event in _ENDS_SESSION:
            yield from self._close("error" if fields.get("reason") == "io" else "crashed")
        if event == "session-start":
            self._begin(fields.get("session", ""), self._time)
        elif event == "session-end":
            session = self._hear(self._time)
            session.session = fields.get("session", "")
            session.lines = note.number("lines")  # all of them, also where some cannot be read
            session.cut = note.number("partial") if "partial" in fields else 0
            yield from self._close(fields.get("reason", ""))
        elif event == "clock" and self._heard:
            # The clock was set back, and what was heard on the old one moves with it: no silence is negative.
            self._heard -= parse_time(fields["last"].encode()) - parse_time(fields["now"].encode())
        if event not in _MUNDANE:
            yield Event(self._time, self._vm, self._stream, Kind.NOTE, payload)

    def _begin(self, session: str, start: int) -> Session:
        before = max(0, self._time - self._heard) if self._heard else None
        self._session = Session(self._vm, self._stream, session, start, self._time, before)
        self._heard = self._time
        return self._session

    def _hear(self, time: int) -> Session:
        """Let time pass up to a record of the session; where there is none open, its start could not be read."""
        session = self._session
        if session is None:
            self._time, self._heard = time, 0
            session = self._begin("", 0)
        passed = max(0, time - self._heard)
        session.duration += passed
        session.longest = max(session.longest, passed)
        self._heard = session.end = time
        return session

    def _close(self, why: str) -> Iterator[Session]:
        session, self._session = self._session, None
        if session:
            session.why = why
            yield session

    def _finish(self, state: KeyState, now: int) -> Iterator[Session | Event]:
        """Close the last session: nothing has ended it so far."""
        for payload in self._evicted:  # nothing is behind them
            yield Event(state.time, self._vm, self._stream, Kind.NOTE, payload)
        if is_connected(state):
            session = self._hear(now)
            session.session, session.end = state.session.hex(), 0
            yield from self._close("connected")
        yield from self._close("error" if state.status == Status.GIVEN_UP else "crashed")

    def _gap(self, why: str) -> Iterator[Session | Event]:
        """Tell of a gap; what comes behind it may be of another session."""
        yield from self._close("lost")
        self._heard = 0
        yield Event(self._time, self._vm, self._stream, Kind.GAP, why.encode())
