"""The journal through `journalctl`, where there is no libsystemd: the same lines, at half the speed."""

import os
import subprocess
import time
from collections import deque
from contextlib import suppress

from log_exporter.errors import SourceError
from log_exporter.messages import printable
from log_exporter.setup import current_boot_id
from log_exporter.sources import Gap, Piece, Place
from log_exporter.sources.entry import FIELDS, LONGEST_READ, MESSAGE_ID, USER_UNIT, Entries
from log_exporter.sources.export import Export, Fields
from log_exporter.sources.position import Position

_READ = 256 * 1024
_QUIET = 2.0  # seconds without output after which what there was has come
_RESTART = 1.0  # seconds before it is started again when it has ended


class Journalctl:
    """A Reader of `journalctl -o export`. A place is that of a Position."""

    pause = _RESTART

    def __init__(self, entries: Entries, directory: str, current_boot: bool) -> None:
        self._entries = entries
        self._directory = directory
        names = b",".join((*FIELDS, USER_UNIT, MESSAGE_ID)).decode()
        # --merge, as --follow otherwise leaves out all boots but the last; then other machines' files count too.
        self._command = ["journalctl", "--quiet", "--merge", "--output=export", "--all", f"--output-fields={names}"]
        self._command += [f"--directory={directory}"] if directory else [f"_MACHINE_ID={_machine_id()}"]
        self._position = Position(current_boot_id(), current_boot)
        self._looked = False  # whether this boot was looked for, since it was quiet
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = 0.0  # when it was started, or ended, or had something to say
        self._export = Export(LONGEST_READ)
        self._pending: deque[Fields] = deque()  # entries that were not taken
        self._first = False  # the next entry has to be the one of the cursor

    @property
    def caught_up(self) -> bool:
        """Whether it runs and has been quiet, so that nothing is on its way."""
        return self._process is not None and time.monotonic() - self._changed > _QUIET

    def fileno(self) -> int | None:
        """Return its output."""
        return self._process.stdout.fileno() if self._process and self._process.stdout else None

    def take(self) -> None:
        """Do nothing: `read` takes."""

    def go(self, place: Place | None) -> Gap | None:
        """Start it behind the entry; if that is gone `read` tells, but for a journal that lost its whole boot."""
        self._end()
        self._position.go(place)
        if self._directory and not os.path.isdir(self._directory):
            return None  # `read` tells
        last = self._position.last()
        gap = self._position.lost(last) if last and not self._has_boot(last.boot) else None
        self._start()
        return gap

    def _has_boot(self, boot: str) -> bool:
        for _ in range(5):
            with self._said(["--lines=1", f"_BOOT_ID={boot}"]) as process:
                found = process.stdout.read() if process.stdout else b""
            if process.returncode >= 0:
                return bool(found)
        return True  # killed each time: nobody knows that it is gone

    def _set_back(self, found: str = "") -> bool:
        """Whether this boot has entries before the one that was found, or at all if none was."""
        if not self._position.may_be_set_back:
            return False
        with self._said([f"_BOOT_ID={self._position.now}"]) as process:
            first = process.stdout.readline() if process.stdout else b""
            process.kill()
        return first.startswith(b"__CURSOR=") and first != f"__CURSOR={found}\n".encode()

    def _said(self, more: list[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self._command, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _at_the_end(self) -> Piece | None:
        if not self.caught_up or self._looked:
            return None
        self._looked = True
        boot = self._position.next_boot(self._set_back)
        if boot is None:
            return None
        self._end()
        self._position.turn(boot)
        self._start()
        return Piece(b"", 0, self._position.place)

    def _start(self) -> None:
        position = self._position
        where = [f"--cursor={position.cursor}"] if position.cursor else []
        where += [f"_BOOT_ID={position.only}"] if position.only else []
        self._first = bool(position.cursor)
        self._export = Export(LONGEST_READ)
        self._pending.clear()
        self._changed = time.monotonic()
        with suppress(OSError):  # it may be there again in a moment
            self._process = subprocess.Popen(
                [*self._command, "--follow", "--no-tail", *where],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            os.set_blocking(self._process.stdout.fileno(), False)  # type: ignore[union-attr]

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
        self._process = None
        self._changed = time.monotonic()

    def read(self) -> Piece | Gap | None:
        """Return the next entries as lines."""
        descriptor = self.fileno()
        if descriptor is None:
            if self._directory and not os.path.isdir(self._directory):
                raise SourceError(f"{printable(self._directory)}: No such file or directory")
            if time.monotonic() - self._changed < _RESTART:
                return None
            self._start()
            return None
        if not self._pending:
            try:
                data = os.read(descriptor, _READ)
            except BlockingIOError:
                return self._at_the_end()
            self._changed, self._looked = time.monotonic(), False
            if not data:  # killed, or the journal was too much for it: what it had begun to say comes again
                self._end()
                return None
            self._pending.extend(self._export.feed(data))
        return self._lines()

    def _lines(self) -> Piece | Gap | None:
        position = self._position
        lines: list[bytes] = []
        while self._pending:
            fields = self._pending.popleft()
            name = fields[b"__CURSOR"].decode("ascii", "replace")
            if self._first:
                self._first = False
                if name == position.cursor:
                    continue
                if gap := position.gap(name):
                    self._pending.appendleft(fields)
                    return gap
            boot = fields[b"_BOOT_ID"].decode("ascii", "replace")
            if boot != position.boot:
                position.boot = boot
                position.passing = position.passing or (boot == position.now and self._set_back(name))
            if position.passing and boot == position.now:
                continue
            text = self._line(fields)
            if text:
                lines.append(text)
            position.read(name)
        return Piece(b"".join(lines), len(lines), position.place)

    def _line(self, fields: Fields) -> bytes:
        values = [fields.get(name, b"") for name in FIELDS]
        boot = bytes.fromhex(fields[b"_BOOT_ID"].decode("ascii"))
        realtime, monotonic = int(fields[b"__REALTIME_TIMESTAMP"]), int(fields[b"__MONOTONIC_TIMESTAMP"])
        return self._entries.line(realtime, monotonic, boot, values, lambda name: fields.get(name, b""))

    def stored(self, place: Place) -> None:
        """Do nothing: journald deletes by itself."""

    def close(self) -> None:
        """End it."""
        self._end()


def _machine_id() -> str:
    with open("/etc/machine-id") as file:
        return file.read().strip()
