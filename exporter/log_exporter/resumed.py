"""Each line of a Reader stored exactly once: which line of a session came from where.

The collector counts lines, a Reader knows places. The cursor file holds a place, and how many lines of the session
stand before it. After any crash the Reader goes there, and as many lines are read and not sent as the collector has
more. So nothing is written for a line, only now and then for many.

    {"exporter": 1, "session": "9f81…", "lines": 1000, "place": {…}, "skip": 0, …}
    {"text": "<44>1 …", "at": 1017, …}       a line of the exporter's own, durable before it is sent
"""

import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from log_exporter.errors import StateError
from log_exporter.line import after_lines, own_line
from log_exporter.sources import Gap, Piece, Place, Reader
from log_exporter.state import State
from log_exporter.wire import Greeting

_VERSION = 1  # of the cursor file
_SAVE_EVERY = 5.0  # seconds between two cursor files,
_SAVE_PIECES = 32  # or so many pieces: what is stored need not be in the spool
_AT_ONCE = 16  # pieces without a line that are read over before others get their turn


class _Said(NamedTuple):
    text: str  # a line of the exporter's own, without its newline
    at: int  # how many lines of the session stand before it
    missed: int = 0  # how many lines it says are missing


class _Base(NamedTuple):
    lines: int = 0  # so many lines of the session stand
    place: Place | None = None  # before this place,
    skip: int = 0  # and the first of the lines behind it, which an earlier session stored;
    told: int = 0  # so many lines that are missing behind it were told of


class Resumed:
    """A Source from a Reader."""

    finished = False

    def __init__(self, reader: Reader, host: str, state: State, configuration: str) -> None:
        self._reader = reader
        self._host = host
        self._state = state
        self._configuration = configuration
        self._session = self._newest_before = ""
        self._sent = self._acknowledged = 0  # lines of the session
        self._base = _Base()  # all before it is acknowledged
        self._pieces: deque[_Base] = deque()  # what the base will become
        self._said: deque[_Said] = deque()  # not before the base
        self._skip = 0  # so many of the lines that the reader has next are stored,
        self._told = 0  # and so many that it misses were told of
        self._at_end = False
        self._behind = False  # `read` gave up its turn before it came to a line
        self._notes: list[tuple[str, str]] = []
        self._saved = 0.0
        self._moved = 0  # pieces by which the base has moved since it was saved
        self._changed = False  # the configuration, since the session that is in the cursor file
        self._live = False
        self._restore()

    @property
    def pause(self) -> float | None:
        """Seconds after which to ask again."""
        return 0.0 if self._behind else self._reader.pause

    @property
    def at_end(self) -> bool:
        """Whether the reader had nothing left when it was last asked."""
        return self._live and self._at_end

    def fileno(self) -> int | None:
        """Return the reader's descriptor, while there is somebody to send to."""
        return self._reader.fileno() if self._live else None

    def take(self) -> None:
        """Let the reader know that its descriptor has something."""
        self._reader.take()

    # The life of a session

    def begin(self, greeting: Greeting) -> None:
        """Find the first line that is not stored, and durably note the new session with that start."""
        self._skip, unsent = self._not_stored(greeting) if self._session else (0, [])
        gap = self._reader.go(self._base.place)
        if gap:
            words, _ = self._explained(gap)
            self._notes += [("missed", words)] if words else []
        self._session, self._newest_before = greeting.session, greeting.newest
        self._sent = self._acknowledged = 0
        self._base = _Base(0, gap.place if gap else self._base.place, self._skip, self._told)
        self._pieces.clear()
        unsent += [own_line(self._host, event, words)[:-1].decode() for event, words in self._take_notes()]
        self._said = deque(_Said(text, at) for at, text in enumerate(unsent))
        self._live = True
        self._save()

    def _not_stored(self, greeting: Greeting) -> tuple[int, list[str]]:
        """Return how many lines behind the base's place to skip, and which of our own were not stored."""
        stored, notes = greeting.resumed(self._session, self._newest_before, self._acknowledged)
        self._notes += notes
        self._advance(stored)
        self._told = self._base.told + sum(said.missed for said in self._said)
        unsent = [said.text for said in self._said if said.at >= stored]
        skip = self._base.skip + stored - self._base.lines - (len(self._said) - len(unsent))
        if self._changed:
            # What was kept or left out then cannot be told from the lines now.
            words = "the configuration of the source has changed"
            self._notes.append(("configuration", words + (f": up to {skip} lines may come twice" if skip else "")))
            skip = 0
        self._changed = False
        return skip, unsent

    def _explained(self, gap: Gap) -> tuple[str, int]:
        """Return what is to be said of it, if anything, and how many lines that says are missing.

        Lines that were stored, or told of, are not missed.
        """
        if gap.lines is None:
            skip, self._skip, self._told = self._skip, 0, 0
            return gap.words + (f"; up to {skip} lines may come twice" if skip else ""), 0
        told = min(gap.lines, self._told)
        stored = min(gap.lines - told, self._skip)
        self._told -= told
        self._skip -= stored
        missed = gap.lines - told - stored
        return (f"up to {missed} lines: {gap.words}" if missed else ""), missed

    def acknowledge(self, lines: int) -> None:
        """Move the base; now and then save it."""
        self._acknowledged = lines
        self._advance(lines)
        self._save_if_due()

    def _advance(self, lines: int) -> None:
        while self._pieces and self._pieces[0].lines <= lines:
            self._base = self._pieces.popleft()
            self._moved += 1
        while self._said and self._said[0].at < self._base.lines:
            self._said.popleft()

    def close(self) -> str:
        """Save where everything stands; nothing is ever lost by it."""
        if self._session and self._moved:
            with suppress(StateError):  # what is on disk is older, and as good
                self._save()
        self._reader.close()
        self._state.close()
        return ""

    # Reading

    def read(self) -> bytes:
        """Return our own lines that are due, else the reader's next."""
        unsent = [said.text for said in self._said if said.at >= self._sent]
        if unsent:
            self._sent += len(unsent)
            return "".join(f"{text}\n" for text in unsent).encode()
        self._behind = self._at_end = False
        for _ in range(_AT_ONCE):
            found = self._reader.read()
            if found is None:
                return self._nothing()
            if data := self._missing(found) if isinstance(found, Gap) else self._lines(found):
                return data
        self._save_if_due()
        self._behind = True
        return b""

    def _lines(self, piece: Piece) -> bytes:
        skipped = min(self._skip, piece.lines)
        self._skip -= skipped
        self._sent += piece.lines - skipped
        self._came_to(piece.place)
        return piece.data[after_lines(piece.data, skipped) :] if skipped else piece.data

    def _came_to(self, place: Place) -> None:
        self._pieces.append(_Base(self._sent, place, self._skip, self._told))
        self._advance(self._acknowledged)  # where nothing was sent no `ok` will come

    def _nothing(self) -> bytes:
        if self._skip and self._reader.caught_up:
            left, self._skip = self._skip, 0
            return self._say("unknown", f"the collector has {left} lines that the source does not explain")
        self._at_end = self._reader.caught_up
        self._save_if_due()
        return b""

    def _missing(self, gap: Gap) -> bytes:
        words, missed = self._explained(gap)
        data = self._say("missed", words, missed) if words else b""
        self._came_to(gap.place)
        return data

    def _say(self, event: str, words: str, missed: int = 0) -> bytes:
        """Return a line of our own in the middle of the session, once it is durable that it is there."""
        said = _Said(own_line(self._host, event, words)[:-1].decode(), self._sent, missed)
        self._said.append(said)
        self._state.append([said._asdict()])
        self._sent += 1
        return said.text.encode() + b"\n"

    def _take_notes(self) -> list[tuple[str, str]]:
        notes, self._notes = self._notes, []
        return notes

    # The cursor file

    def _save_if_due(self) -> None:
        due = self._moved >= _SAVE_PIECES or time.monotonic() - self._saved >= _SAVE_EVERY
        if self._moved and due:
            self._save()

    def _save(self) -> None:
        header = {
            "exporter": _VERSION,
            "session": self._session,
            "newest-before": self._newest_before,
            "configuration": self._configuration,
            **self._base._asdict(),
        }
        self._state.replace([header, *(said._asdict() for said in self._said)])
        self._saved, self._moved = time.monotonic(), 0
        if self._base.place is not None:
            self._reader.stored(self._base.place)

    def _restore(self) -> None:
        try:
            records = self._state.load()
            if not records:
                return
            header = records[0]
            if header["exporter"] != _VERSION:
                raise ValueError("another version")
            place = header["place"]
            if not isinstance(place, dict | None):
                raise TypeError("no place")
            base = _Base(int(header["lines"]), place, int(header["skip"]), int(header["told"]))
            said = [_Said(str(record["text"]), int(record["at"]), int(record["missed"])) for record in records[1:]]
            changed = header["configuration"] != self._configuration
            self._session, self._newest_before = str(header["session"]), str(header["newest-before"])
            self._base, self._acknowledged, self._changed = base, base.lines, changed
            self._said.extend(said)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            # Rather twice than never.
            self._notes.append(("unknown", "the cursor file was damaged: all is sent from the start"))
