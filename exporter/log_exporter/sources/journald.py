"""The journal, each entry exactly once: through rotation, vacuum, restarts, and the boot of another day."""

import time
from contextlib import suppress
from typing import Any

from log_exporter.choice import Names
from log_exporter.config import Check, one_of, path, priority, texts
from log_exporter.errors import SourceError, UsageError
from log_exporter.messages import printable, say
from log_exporter.resumed import Resumed
from log_exporter.setup import Setup, choice, current_boot_id
from log_exporter.sources import Gap, Piece, Place, Reader, libsystemd
from log_exporter.sources.entry import FIELDS, LONGEST_READ, Entries
from log_exporter.sources.position import Position
from log_exporter.transport import which

SETTINGS: dict[str, Check] = {
    "boot": one_of("all", "current"),
    "priority": priority,
    "units": texts,
    "exclude_units": texts,
    "directory": path,
}
NEEDED: list[str] = []

_ENTRIES = 1000  # read at once, at most,
_BYTES = 256 * 1024  # or until there is so much to send
_REOPEN = 5000  # entries after which what libsystemd has mapped is let go, so that it does not count as our memory,
_REOPEN_AFTER = 60.0  # or seconds: a directory that was not there when the journal was opened is not watched


def make(setup: Setup, settings: dict[str, Any]) -> Resumed:
    """Return the source of these settings."""
    units = Names(settings.get("units", ()), settings.get("exclude_units", ()))
    chosen, most = choice(settings), settings.get("priority", 7)
    entries = Entries(setup.host, chosen, units, most, own_unit())
    current = settings.get("boot") == "current"
    reader = _reader(entries, settings.get("directory", ""), current, setup.stream)
    return setup.resumed(reader, repr((chosen.digest, units.digest, most, current, settings.get("directory"))))


def _reader(entries: Entries, directory: str, current: bool, stream: str) -> Reader:
    try:
        library = libsystemd.load()
    except OSError as error:
        if not which("journalctl"):
            raise UsageError(f"{stream}: neither libsystemd.so.0 nor journalctl is here") from error
        from log_exporter.sources.journalctl import Journalctl  # seldom needed

        say(f"{stream}: libsystemd.so.0 cannot be used: reading through journalctl")
        return Journalctl(entries, directory, current)
    return Journald(library, entries, directory, current)


def own_unit() -> bytes:
    """Return the unit that we run in, if it is one: what it logs is not sent."""
    try:
        with open("/proc/self/cgroup", "rb") as file:
            unit = file.read().strip().rpartition(b"/")[2]
    except OSError:
        return b""
    return unit if unit.endswith(b".service") else b""


class Journald:
    """A Reader of the journal through libsystemd. A place is that of a Position."""

    caught_up = True
    pause = _REOPEN_AFTER

    def __init__(self, library: Any, entries: Entries, directory: str, current_boot: bool) -> None:
        self._journal = libsystemd.Journal(library, directory, LONGEST_READ + len(b"MESSAGE="))
        self._entries = entries
        self._directory = directory
        self._position = Position(current_boot_id(), current_boot)
        self._at_entry = False  # the journal stands at an entry that was not read
        self._gap: Gap | None = None
        self._opened, self._read = 0.0, 0

    def _open(self) -> None:
        self._opened, self._read = time.monotonic(), 0
        self._journal.open(self._match)
        self._gap = self._go()

    def fileno(self) -> int | None:
        """Return what becomes readable when the journal grows; nothing where it could not be opened."""
        return self._journal.descriptor if self._journal.descriptor >= 0 else None

    def take(self) -> None:
        """Let libsystemd take in what has happened to the files."""
        try:
            if self._journal.process() == libsystemd.INVALIDATE:
                self._gap = self._go()
        except OSError:
            self._journal.close()  # `read` opens it anew, and tells if that cannot be

    def go(self, place: Place | None) -> Gap | None:
        """Go behind the entry; return what was lost if it is no longer there."""
        self._position.go(place)
        self._gap = None
        self._journal.close()
        with suppress(OSError):  # then `read` tries once more, and tells
            self._open()
        gap, self._gap = self._gap, None
        return gap

    @property
    def _match(self) -> bytes:
        boot = self._position.only
        return f"_BOOT_ID={boot}".encode() if boot else b""

    def _go(self) -> Gap | None:
        """Go behind the last entry that was read, or to the first one behind it if it is gone."""
        self._at_entry = False
        last = self._position.last()
        if not last:
            self._journal.head()
            return None
        name = self._position.cursor
        if self._journal.seek(name) and self._journal.is_at(name):
            return None
        if not self._first(last.boot):
            self._journal.head()
            return self._position.lost(last)
        self._at_entry = self._journal.seek(name)
        return self._position.gap(self._journal.cursor()) if self._at_entry else None

    def _first(self, boot: str) -> str:
        """Return the cursor of a boot's first entry, nothing if there is none; the journal stands elsewhere then."""
        self._journal.match(f"_BOOT_ID={boot}".encode())
        self._journal.head()
        first = self._journal.cursor() if self._journal.next() else ""
        self._journal.match(self._match)
        return first

    def _set_back(self, found: str = "") -> bool:
        """Whether this boot has entries before the one that was found, or at all if none was."""
        if not self._position.may_be_set_back:
            return False
        first = self._first(self._position.now)
        self._journal.seek(found or self._position.cursor)
        return bool(first) and first != found

    def _again(self) -> Piece:
        """Go to the place once more: what was read behind it is thrown away."""
        self._gap = self._go()
        return Piece(b"", 0, self._position.place)

    def read(self) -> Piece | Gap | None:
        """Return the next entries as lines."""
        overdue = self._read >= _REOPEN or time.monotonic() - self._opened >= _REOPEN_AFTER
        if overdue or self._journal.descriptor < 0:
            try:
                self._open()
            except OSError as error:
                raise SourceError(f"{printable(self._directory or 'the journal')}: {error.strerror}") from error
        if self._gap:
            gap, self._gap = self._gap, None
            return gap
        lines: list[bytes] = []
        size = count = 0
        journal, position, line = self._journal, self._position, self._entries.line
        now, in_boot = bytes.fromhex(position.now), bytes.fromhex(position.boot)
        last = ""
        while count < _ENTRIES and size < _BYTES and (self._at_entry or journal.next()):
            self._at_entry = False
            count += 1
            times = journal.times()
            if times[2] != in_boot:
                in_boot = times[2]
                position.boot = in_boot.hex()
                if not position.passing and in_boot == now and self._set_back(journal.cursor()):
                    position.passing = True
                    return self._again()
            if position.passing:
                if in_boot == now:
                    continue
                last = journal.cursor()
            text = line(*times, journal.values(FIELDS), journal.value)
            if text:
                lines.append(text)
                size += len(text)
        if not count:
            return self._at_the_end()
        last = last or position.cursor if position.passing else journal.cursor()
        # A file that is new may have entries that stand before those that were just read: it was made before they
        # were written, so that it is known now. And if a file is gone, so may be what comes next.
        if journal.process() == libsystemd.INVALIDATE:
            return self._again()
        self._read += count
        position.read(last)
        return Piece(b"".join(lines), len(lines), position.place)

    def _at_the_end(self) -> Piece | None:
        boot = self._position.next_boot(self._set_back)
        if boot is None:
            return None
        self._position.turn(boot)
        self._journal.match(self._match)
        return self._again()

    def stored(self, place: Place) -> None:
        """Do nothing: journald deletes by itself."""

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()
