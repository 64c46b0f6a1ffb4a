"""Lines on disk that could not be read again: a Reader of what was appended, bounded.

    /var/spool/log-exporter/syslog/1795000000.lines     whole lines, as they will be sent
                                   1795000001.lines     the one that grows

A file is deleted when all in it is stored. Lines are written before they are sent, and so outlive the exporter; they
are not synced, so those that were not yet sent may be lost when the qube itself is killed.
"""

import os
import time
from contextlib import suppress

from log_exporter.errors import UsageError
from log_exporter.line import own_line
from log_exporter.messages import printable_path
from log_exporter.sources import Gap, Piece, Place

_READ = 256 * 1024
_FILES = 8  # in so many files of the same size goes what fits
_LEFT = 4 << 20  # bytes of the disk that are left free: without a cursor nothing could be sent, and so nothing deleted


class Spool:
    """Append at one end, read and read again at the other; what is too much is dropped, counted, and told."""

    pause = None
    caught_up = True

    def __init__(self, directory: str, host: str, limit: int) -> None:
        self._path = directory
        self._host = host
        self.limit = limit  # bytes
        self.dropped = 0  # lines, since the start
        self.untold = 0  # of them, those that no line tells of
        self._dropping = False
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._sizes = {number: self._whole(number) for number in self._numbers()}
        except OSError as error:
            raise UsageError(f"{printable_path(directory)}: {error.strerror}") from error
        self._writing = self._reading = -1  # descriptors
        self._file, self._at = 0, 0  # where the next line is read

    def _numbers(self) -> list[int]:
        names = [name.removesuffix(".lines") for name in os.listdir(self._directory) if name.endswith(".lines")]
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def _open(self, number: int, flags: int) -> int:
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(f"{number}.lines", flags, 0o600, dir_fd=self._directory)

    def _whole(self, number: int) -> int:
        """Return where a file's last whole line ends: a crash may have torn the one behind it."""
        descriptor = self._open(number, os.O_RDONLY)
        try:
            end = os.fstat(descriptor).st_size
            while end > 0:
                start = max(0, end - _READ)
                found = os.pread(descriptor, end - start, start).rfind(b"\n")
                end = start + found + 1
                if found >= 0:
                    break
                end = start
            return end
        finally:
            os.close(descriptor)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    @property
    def full(self) -> bool:
        """Whether there is no room for another line, within the limit or on the disk."""
        disk = os.fstatvfs(self._directory)  # has no blocks where nobody counts them
        return self.size >= self.limit or (disk.f_bavail * disk.f_frsize < _LEFT and disk.f_blocks > 0)

    # One end

    def append(self, lines: bytes, *, patient: bool = False) -> None:
        """Keep whole lines, or drop and count them if there is no room.

        Whoever is patient looks at `full` before, and then may go beyond the limit once.
        """
        fits = not self.full and (patient or self.size + len(lines) <= self.limit)
        if lines and fits and self._tell_dropped() and self._write(lines):
            return
        if lines:
            self._drop(lines.count(b"\n"))

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self.untold += lines
        if not self._dropping:
            # Written at once, so that it is there even if we are killed before we know how many.
            self._dropping = self._write(own_line(self._host, "dropping", "the spool is full: lines are dropped"))

    def _tell_dropped(self) -> bool:
        if self.untold:
            words = f"{self.untold} lines were dropped: the spool was full"
            if not self._write(own_line(self._host, "dropped", words)):
                return False
        self.untold, self._dropping = 0, False
        return True

    def _write(self, data: bytes) -> bool:
        """Append to the newest file; False, and nothing is written, if the disk does not take it."""
        try:
            if self._writing < 0 or self._sizes[max(self._sizes)] >= self.limit // _FILES:
                self._begin_file()
            number = max(self._sizes)
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(self._writing, left) :]
            except OSError:
                os.ftruncate(self._writing, self._sizes[number])
                raise
        except OSError:
            return False
        self._sizes[number] += len(data)
        return True

    def _begin_file(self) -> None:
        # Never a number that was there before, also if somebody emptied the directory.
        number = max(max(self._sizes, default=0) + 1, int(time.time()))
        new = self._open(number, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self._end_file()
        self._writing = new
        self._sizes[number] = 0

    def _end_file(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
        self._writing = -1

    # The other end

    def go(self, place: Place | None) -> Gap | None:
        """Go to a place, or to the first line that there is."""
        if self._reading >= 0:
            os.close(self._reading)
        self._reading = -1
        if place is not None and place["file"] in self._sizes:
            self._file, self._at = place["file"], place["at"]
            return None
        self._file, self._at = min(self._sizes, default=0), 0
        return Gap("what was in the spool is gone", None, self._place()) if place is not None else None

    def _place(self) -> Place:
        return {"file": self._file, "at": self._at}

    def read(self) -> Piece | Gap | None:
        """Return the next lines, or that a file of them cannot be read."""
        while self._at >= (size := self._sizes.get(self._file, 0)):
            later = [number for number in self._sizes if number > self._file]
            if later:
                if self._reading >= 0:
                    os.close(self._reading)
                self._reading, self._file, self._at = -1, min(later), 0
            elif self._at and self.full:
                return self._over_to_new_file()
            elif not self.untold or self.full or self.size > self.limit // 2 or not self._tell_dropped():
                return None
        try:
            return self._read(size)
        except OSError as error:
            self._at = size
            if self._file == max(self._sizes):
                self._end_file()  # what is added to it could not be read either
            return Gap(f"a file of the spool cannot be read: {error.strerror}", None, self._place())

    def _over_to_new_file(self) -> Piece | None:
        """Leave the last file: only what stands before the place is deleted, and there would never be room again."""
        with suppress(OSError):
            self._begin_file()
            return Piece(b"", 0, {"file": max(self._sizes), "at": 0})
        return None

    def _read(self, size: int) -> Piece:
        if self._reading < 0:
            self._reading = self._open(self._file, os.O_RDONLY)
        length = _READ
        while True:
            data = os.pread(self._reading, min(length, size - self._at), self._at)
            end = data.rfind(b"\n") + 1
            if end or len(data) < length:
                break
            length *= 2
        self._at += end or size - self._at  # without a newline somebody else changed the file
        return Piece(data[:end], data.count(b"\n", 0, end), self._place())

    def stored(self, place: Place) -> None:
        """Delete the files before the place."""
        for number in [number for number in self._sizes if number < place["file"]]:
            with suppress(OSError):
                os.unlink(f"{number}.lines", dir_fd=self._directory)
            del self._sizes[number]

    def fileno(self) -> None:
        """Return nothing to wait for: who appends has a descriptor."""

    def take(self) -> None:
        """Do nothing: there is no descriptor to take from."""

    def close(self) -> None:
        """Let go of the files; what was dropped is told at the next start, whoever counted it is gone then."""
        self._tell_dropped()
        for descriptor in (self._reading, self._writing, self._directory):
            if descriptor >= 0:
                os.close(descriptor)
