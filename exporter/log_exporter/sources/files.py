"""Files that match patterns: followed, through rotation and truncation, and over restarts.

What has been read is kept as runs (log_exporter.runs) in a cursor file. On each call the collector says how many
lines of the last session it has; the runs turn that into a place in each file, and reading goes on from there.
"""

import os
import time
from _blake2 import blake2b  # see followed.py
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from log_exporter.config import Check, flag, paths, pattern, text
from log_exporter.errors import StateError
from log_exporter.line import Form, Plain, Rfc5424, dress, own_line
from log_exporter.messages import printable_path
from log_exporter.runs import Place, Record, Run, Runs, Said
from log_exporter.setup import Setup, choice
from log_exporter.sources.followed import Followed, Found, Rewritten
from log_exporter.sources.shape import LINES, Shape
from log_exporter.sources.watch import Watch
from log_exporter.state import State
from log_exporter.wire import Greeting

SETTINGS: dict[str, Check] = {"paths": paths, "plain": flag, "app": text, "begins": pattern}
NEEDED = ["paths"]

_VERSION = 1  # of the cursor file
_ROUND = 4 * 1024 * 1024  # bytes that are taken between two writes of the cursor file
_AT_ONCE = 16  # rounds of which nothing is sent, before others get their turn
_LOOK_EVERY = 0.5  # seconds between two looks at files that do not grow,
_SCAN_EVERY = 1.0  # at the patterns,
_SAVE_EVERY = 5.0  # and two compact cursor files;
_MANY = 2000  # with more files than that each of the three is longer in proportion, so that many are no burden
# A compact cursor file comes earlier
_SAVE_RECORDS = 2000  # after so many records that were added, or as many as there are files,
_SAVE_BYTES = 64 << 20  # or after so many bytes that were stored: as many are read to find a line again


def make(setup: Setup, settings: dict[str, Any]) -> "Files":
    """Return the source of these settings."""
    form: Form = Plain() if settings.get("plain") else Rfc5424(setup.host, settings.get("app", ""))
    shape = Shape(settings.get("begins", ""), choice(settings))
    return Files(settings["paths"], form, setup.host, setup.state, shape, once=False)


class Files:
    """The lines of all files that match, each file from its start."""

    def __init__(
        self, patterns: Iterable[str], form: Form, host: str, state: State, shape: Shape = LINES, *, once: bool
    ) -> None:
        self.finished = False
        self._form = form
        self._host = host
        self._state = state
        self._once = once
        self._shape = shape
        self._watch = Watch(patterns, shape, once=once)
        self._paths: dict[int, str] = {}  # also of files that are gone and have runs
        self._lap: deque[Followed] = deque()  # who is still to be asked
        self._more: list[Followed] = []  # who had something in this lap
        self._look_at = 0.0  # when all are asked again
        self._runs = Runs()
        self._session = self._newest_before = ""
        self._acknowledged = 0
        self._notes: list[Said] = []
        self._reshaped = False  # the lines of the last session were counted with another shape
        self._output: Iterator[bytes] = iter(())
        self._scanned = self._saved = -_SAVE_EVERY
        self._restore()

    def fileno(self) -> None:
        """Return nothing to wait for: a file is always readable."""

    def take(self) -> None:
        """Do nothing: there is no descriptor to take from."""

    # The life of a session

    def begin(self, greeting: Greeting) -> None:
        """Find the first line that is not stored, and durably note the new session with that start."""
        for file in self._watch.files:
            with suppress(OSError):
                self._check(file)
        places = self._stored_places(greeting) if self._session else {}
        for file in self._watch.files:
            file.seek(places.get(file.number, Place()).offset)
        self._session, self._newest_before = greeting.session, greeting.newest
        self._acknowledged = 0
        self.finished = False
        self._lap.clear()
        self._more.clear()
        self._look_at = 0.0
        self._runs = Runs(0, places)
        self._output = self._encoded(self._take_notes([]), [])
        self._save()

    def _stored_places(self, greeting: Greeting) -> dict[int, Place]:
        stored, notes = greeting.resumed(self._session, self._newest_before, self._acknowledged)
        for event, words in notes:
            self._note(event, words)
        if self._reshaped and stored > self._runs.base:
            words = f"what is sent of a file has changed: up to {stored - self._runs.base} lines may come twice"
            self._note("configuration", words)
            stored = self._runs.base
        self._reshaped = False
        split = self._runs.split(stored)
        files = {file.number: file for file in self._watch.files}
        if split.inside and split.inside.file in files:
            run = split.inside
            end = run.end.offset if run.end else None
            offset, missing = files[run.file].after(run.start, split.skip, end)
            split.places[run.file] = files[run.file].place(offset)
            split.beyond += missing
        if split.beyond:
            self._note("unknown", f"the collector has {split.beyond} lines that no file explains")
        for left in split.left:
            if isinstance(left, Run) and left.file not in files:
                self._note_lost(left, split.skip if left is split.inside else 0)
        self._notes[:0] = [said for said in split.left if isinstance(said, Said)]
        return split.places

    def acknowledge(self, lines: int) -> None:
        """Forget the runs that are stored; now and then save a compact cursor file."""
        before = self._runs.base
        self._acknowledged = lines
        self._runs.acknowledge(lines)
        due = time.monotonic() - self._saved >= self._every(_SAVE_EVERY)
        due |= self._state.appended >= max(_SAVE_RECORDS, len(self._watch.files)) or self._runs.moved >= _SAVE_BYTES
        if due and self._runs.base > before:
            self._save()

    def close(self) -> str:
        """Save where everything stands; return what `once` left undelivered, in words: nothing is lost otherwise."""
        if self._session:
            with suppress(StateError):  # what is on disk is older, and as good
                self._save()
        self._watch.close()
        self._state.close()
        return "files that cannot be read were not delivered" if self._once and self._watch.unreadable else ""

    # Reading

    @property
    def pause(self) -> float:
        """Seconds after which to ask again."""
        return 0.0 if self._behind else max(0.0, self._look_at - time.monotonic())

    @property
    def _behind(self) -> bool:
        return bool(self._lap or self._more)

    def _every(self, seconds: float) -> float:
        return seconds * max(1.0, len(self._watch.files) / _MANY)

    def read(self) -> bytes:
        """Return the next piece of the round, and make a new round when it is at its end."""
        for _ in range(_AT_ONCE):
            data = next(self._output, b"")
            if data or self.finished:
                return data
            self._output = self._round()
            if not self._behind:
                return next(self._output, b"")
        return b""

    def _round(self) -> Iterator[bytes]:
        """Ask the files in turn; return what they have, once it is durable what came from where."""
        records: list[Record] = []
        if not self._lap:
            self._next_lap(records)
        all_found: list[Found] = []
        size = 0
        scanning = False
        while self._lap and size < _ROUND and not scanning:
            file = self._lap.popleft()
            if found := self._lines(file):
                all_found.append(found)
                size += found.run.end.offset - found.run.start if found.run.end else 0
            scanning = file.scanning
            if found or scanning:
                self._more.append(file)
        notes = self._take_notes(records)
        for found in all_found:
            if found.run.start == 0:  # only now its first bytes are known
                records.append(self._record(found.file))
            records += self._runs.add(found.run)
        if records:
            self._state.append(records)
        if any(not found.run.lines for found in all_found):
            self.acknowledge(self._acknowledged)  # of these no `ok` will tell
        self.finished = self._once and not self._behind and not notes and not self._watch.vanished
        return self._encoded(notes, all_found)

    def _next_lap(self, records: list[Record]) -> None:
        """Ask all files if it is time to, or those that had something."""
        now = time.monotonic()
        more, self._more = self._more, []
        if now < self._look_at and not self._once:
            self._lap.extend(more)
            return
        if now - self._scanned >= self._every(_SCAN_EVERY) or self._watch.vanished:
            records += [self._record(file) for file in self._watch.scan(self._held())]
            self._scanned = now
        self._look_at = now + self._every(_LOOK_EVERY)
        self._lap.extend(self._watch.files)

    def _lines(self, file: Followed) -> Found | None:
        if file.predecessor and not file.predecessor.done:
            return None
        file.predecessor = None
        try:
            return file.lines()
        except Rewritten:
            self._restart(file)
        except OSError as error:
            file.done = True
            self._watch.fail(file.path, error.strerror or str(error))
        return None

    def _encoded(self, notes: list[Said], all_found: list[Found]) -> Iterator[bytes]:
        if notes:
            yield b"".join(note.text.encode() + b"\n" for note in notes)
        for found in all_found:
            head = self._form.head_of_file(os.fsencode(found.file.path))
            if found.messages is not None:
                if found.messages:
                    yield b"".join(head + self._form.message(message) + b"\n" for message in found.messages)
            elif found.data is not None:
                yield dress(head, self._form.body(found.data))
            else:
                if head:
                    yield head  # never nothing: that is the end of what is here
                for part in found.file.parts(found.run):
                    yield self._form.body(part)
                yield b"\n"

    def _check(self, file: Followed) -> None:
        try:
            file.check()
        except Rewritten:
            self._restart(file)

    def _restart(self, file: Followed) -> None:
        path, offset = printable_path(file.path), file.offset
        self._note("truncated", f"{path} was truncated or rewritten: lines behind byte {offset}, if any, are lost")
        file.restart(self._watch.next_number())

    # The cursor file

    def _save(self) -> None:
        """Write the cursor file anew: where each file stood at the last acknowledged run, and the runs since."""
        places = self._runs.places
        files = (self._record(file, places.get(file.number, Place())) for file in self._watch.files)
        gone = self._held() - {file.number for file in self._watch.files}
        header = {
            "exporter": _VERSION,
            "session": self._session,
            "newest-before": self._newest_before,
            "configuration": self._configuration(),
            "shape": self._shape.digest,
            "lines": self._runs.base,
        }
        names = [{"gone": number, "path": self._paths[number]} for number in sorted(gone)]
        self._state.replace(chain([header], files, names, self._runs.records()))
        self._saved, self._runs.moved = time.monotonic(), 0

    def _record(self, file: Followed, place: Place = Place()) -> Record:  # noqa: B008  (it is frozen)
        self._paths[file.number] = file.path
        return file.record(place)

    def _held(self) -> set[int]:
        """Return the files with lines that are not acknowledged."""
        return {run.file for run in self._runs if isinstance(run, Run)}

    def _configuration(self) -> str:
        parts = [type(self._form).__name__, *self._watch.patterns]
        return blake2b(b"".join(os.fsencode(part) + b"\0" for part in parts), digest_size=16).hexdigest()

    def _restore(self) -> None:
        try:
            records = self._state.load()
            if records:
                self._resume_from(records)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
            # Rather twice than never.
            self._note("unknown", "the cursor file was damaged: all files are sent from their start")
            self._runs, self._session, self._acknowledged = Runs(), "", 0

    def _resume_from(self, records: list[Record]) -> None:
        header = records[0]
        if header["exporter"] != _VERSION:
            raise ValueError("another version")
        known = {record["file"]: record for record in records if "file" in record}
        places = {number: Place(record["at"], record["tail"]) for number, record in known.items()}
        self._paths = {record.get("file") or record["gone"]: record["path"] for record in records if "path" in record}
        self._runs = Runs(header["lines"], places)
        self._runs.replay(record for record in records if {"run", "to", "said"} & record.keys())
        self._session, self._newest_before = header["session"], header["newest-before"]
        self._acknowledged = header["lines"]
        latest = places | {run.file: run.end for run in self._runs if isinstance(run, Run) and run.end}
        for record in self._watch.find(known, latest):
            path, offset = printable_path(record["path"]), latest[record["file"]].offset
            self._note("gone", f"{path} is gone or rewritten: lines behind byte {offset}, if any, are lost")
        self._reshaped = header.get("shape", "") != self._shape.digest
        if header["configuration"] != self._configuration():
            self._note("configuration", "the exporter's patterns or line format have changed")

    # What has to be said

    def _note(self, event: str, words: str) -> None:
        """Say it in the stream: whoever reads the log must know."""
        self._notes.append(Said(own_line(self._host, event, words)[:-1].decode()))

    def _note_lost(self, run: Run, stored: int) -> None:
        count = f"{run.lines - stored} lines" if run.end else "an unknown number of lines"
        path = printable_path(self._paths[run.file])
        self._note("lost", f"{count} of {path} are lost: read, not stored, and no longer in the file")

    def _take_notes(self, records: list[Record]) -> list[Said]:
        notes, self._notes = self._notes, []
        for note in notes:
            records += self._runs.add(note)
        return notes
