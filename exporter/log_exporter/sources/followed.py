"""One file that is read as it grows, and known again after a restart."""

import os
import stat
import time
from _blake2 import blake2b  # hashlib would load OpenSSL, which needs more memory than all else here
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from log_exporter.choice import LONGEST
from log_exporter.line import after_lines, whole_characters
from log_exporter.runs import Place, Record, Run
from log_exporter.sources.shape import Message, Shape

CHUNK = LONGEST  # bytes that are read at once
SETTLED = 2.0  # seconds without a change, after which nobody finishes a line of a file that was rotated away

_TICK = 1_000_000_000  # ns, far more than the grain of a file's times
_FAR = 1 << 30  # bytes from a place that was saved: the next is saved long before
_SCAN = 4  # such chunks of a long line are looked through before others get their turn

_HEAD = 256  # bytes by which a file is known: its first,
_TAIL = 64  # and those before a place

Key: TypeAlias = tuple[int, int]  # device and inode


class Rewritten(Exception):
    """What was read is no longer in the file: it was truncated, or written anew."""


class Found(NamedTuple):
    """Lines of a file; of a line that is too long to hold only where it is."""

    file: "Followed"
    run: Run
    data: bytes | None
    messages: list[bytes] | None = None  # instead of data, where the shape is not plain lines


class Followed:
    """An open file, and where in it the next line begins.

    The descriptor stays open, so that a file that was renamed or deleted is still read to its end.
    """

    __slots__ = (
        "_before",
        "_changed",
        "_descriptor",
        "_head",
        "_limit",
        "_offset",
        "_once",
        "_scanned",
        "_seen",
        "_shape",
        "_size",
        "away",
        "deleted",
        "done",
        "key",
        "matched",
        "number",
        "path",
        "predecessor",
        "scanning",
    )  # there may be thousands

    def __init__(self, number: int, path: str, descriptor: int, shape: Shape, *, once: bool) -> None:
        status = os.fstat(descriptor)
        self.path = path  # the name by which it was found first
        self.key: Key = (status.st_dev, status.st_ino)
        self.predecessor: Followed | None = None  # had the name before, and comes first
        self.away = self.deleted = False
        self.matched = True
        self._once = once
        self._shape = shape
        self._descriptor = descriptor
        self.restart(number)

    def restart(self, number: int) -> None:
        """Begin at the start, as another file."""
        self.number = number
        self.done = False  # there was nothing to read when it was last asked
        self.scanning = False  # then the end of a long line was looked for, and there is more to look through
        self._limit = os.fstat(self._descriptor).st_size if self._once else None
        self._size = -1
        self._changed = time.monotonic()
        self._head = os.pread(self._descriptor, _HEAD, 0)
        self.seek(0)

    def seek(self, offset: int) -> None:
        """Go on from there; what stands before it is taken for what was read."""
        self._offset = self._scanned = offset
        self._seen: tuple[int, int] | None = None  # size and time when it was last asked: a quiet file costs no more
        tail = min(offset, _TAIL)
        self._before = os.pread(self._descriptor, tail, offset - tail)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    @property
    def offset(self) -> int:
        """Where the next line begins."""
        return self._offset

    @property
    def settled(self) -> bool:
        """Whether it has not changed for a while."""
        return self.quiet > SETTLED

    @property
    def quiet(self) -> float:
        """Seconds since it was seen to change."""
        return time.monotonic() - self._changed

    def look(self, matches: Mapping[Key, str]) -> None:
        """Find out what became of its name, from what the patterns found."""
        before = self.away, self.deleted
        self.matched = self.key in matches
        if matches.get(self.key) == self.path:
            self.away = self.deleted = False
        else:
            self.deleted = os.fstat(self._descriptor).st_nlink == 0
            try:
                named = os.lstat(self.path)
                self.away = (named.st_dev, named.st_ino) != self.key
            except OSError:
                self.away = True
        if (self.away, self.deleted) != before:
            self.done = False  # now a line without an end may be one

    def check(self) -> None:
        """Raise Rewritten if what stood before the offset has changed."""
        tail = len(self._before)
        if os.pread(self._descriptor, tail, self._offset - tail) != self._before:
            raise Rewritten

    def lines(self) -> Found | None:
        """Return the next lines, if there is a whole one; raise Rewritten if they are not the next ones."""
        status = os.fstat(self._descriptor)
        seen = status.st_size, status.st_mtime_ns
        if self.done and seen == self._seen:
            return None
        self._seen = None
        found = self._read()
        if time.time_ns() - status.st_mtime_ns > _TICK:  # else it may change once more without a newer time
            self._seen = seen
        return found

    def _read(self) -> Found | None:
        self.done = self.scanning = False
        tail = len(self._before)
        # One read for both, so that nobody can change the file in between.
        data = os.pread(self._descriptor, tail + CHUNK, self._offset - tail)
        if data[:tail] != self._before:
            raise Rewritten
        data = data[tail:]
        if self._limit is not None:
            data = data[: max(0, self._limit - self._offset)]
        if not self._shape.is_lines:
            return self._shaped(data)
        if end := data.rfind(b"\n") + 1:
            return self._found(data[:end], self._offset + end, data.count(b"\n"))
        end = self._end_of_long_line() if len(data) == CHUNK else 0
        if end:
            return self._found(None, end, 1)
        if self.scanning:
            return None
        return self._unfinished(data)

    def _shaped(self, data: bytes) -> Found | None:
        """Return messages, which may be more than a line, and not all that there are."""
        found = self._shape.messages(data, final=len(data) == CHUNK)
        if not found:
            size = self._offset + len(data)
            if size != self._size:
                self._size, self._changed = size, time.monotonic()
            # A message may go on with the next line, but nobody waits for that for ever. What has no newline goes
            # only when its file was renamed or deleted.
            over = self.away and self._limit is None
            whole = len(data) if over else data.rfind(b"\n") + 1
            self.done = not data or not (whole or over)
            if not whole or not (self.settled or (self._limit is not None)):
                return None
            return self._found_messages(data[:whole], self._shape.messages(data[:whole], final=True), cut=True)
        return self._found_messages(data, found, cut=False)

    def _found_messages(self, data: bytes, found: list[Message], *, cut: bool) -> Found:
        messages = [message for _, message in found if message is not None]
        end = found[-1][0]
        plain = self._found(data[:end], self._offset + end, len(messages), cut=cut)
        return plain._replace(data=None, messages=messages)

    def _end_of_long_line(self) -> int:
        """Return where it ends, 0 if that is not known, or not yet: then `scanning` is true.

        A line is not begun before its end is there.
        Otherwise one that is never finished would keep all other files waiting.
        """
        for _ in range(_SCAN):
            data = os.pread(self._descriptor, CHUNK, self._scanned)
            if self._limit is not None:
                data = data[: max(0, self._limit - self._scanned)]
            if end := data.find(b"\n") + 1:
                return self._scanned + end
            if not data:
                return 0
            self._scanned += len(data)
        self.scanning = True
        self._changed = time.monotonic()
        return 0

    def _unfinished(self, data: bytes) -> Found | None:
        size = self._offset + len(data) if len(data) < CHUNK else self._scanned
        if size != self._size:
            self._size, self._changed = size, time.monotonic()
        cut = bool(data) and self.away and self._limit is None
        if cut and self.settled:
            return self._found(data if len(data) < CHUNK else None, size, 1, cut=True)
        self.done = not cut
        return None

    def _found(self, data: bytes | None, end: int, lines: int, *, cut: bool = False) -> Found:
        start = self._offset
        if start == 0 and len(self._head) < _HEAD:
            self._head = os.pread(self._descriptor, _HEAD, 0)[:end]
        if data is None:
            self.seek(end)
        else:
            self._before = (self._before + data[-_TAIL:])[-_TAIL:]
            self._offset = self._scanned = end
        # What the file alone does not tell, or only to who reads much of it, is noted with its end.
        run = Run(self.number, start, Place(end, _digest(self._before)), lines, cut or data is None)
        return Found(self, run, data + b"\n" if cut and data is not None else data)

    def parts(self, run: Run) -> Iterator[bytes]:
        """Yield a line that is too long to hold, without its newline, cut between characters."""
        assert run.end
        start = run.start
        while start < run.end.offset:
            part = os.pread(self._descriptor, min(CHUNK, run.end.offset - start), start)
            if not part:
                break  # truncated under our hands: `lines` will tell
            part = part[: whole_characters(part) or len(part)]
            start += len(part)
            yield part.replace(b"\n", b"")

    def place(self, offset: int) -> Place:
        """Return the place there, with what stands before it now."""
        tail = min(offset, _TAIL)
        return Place(offset, _digest(os.pread(self._descriptor, tail, offset - tail)))

    def after(self, start: int, lines: int, end: int | None) -> tuple[int, int]:
        """Return where so many lines from `start` end, and how many of them were not there, or too far away."""
        if not self._shape.is_lines:
            return self._after_messages(start, lines, end)
        offset = behind_newline = start
        while True:
            data = os.pread(self._descriptor, CHUNK, offset)
            data = data if end is None else data[: end - offset]
            count = data.count(b"\n")
            if count >= lines:
                return offset + after_lines(data, lines), 0
            if not data or offset > start + _FAR:
                return behind_newline, lines
            if count:
                behind_newline = offset + data.rfind(b"\n") + 1
            lines -= count
            offset += len(data)

    def _after_messages(self, start: int, lines: int, end: int | None) -> tuple[int, int]:
        offset = start
        while lines and offset <= start + _FAR:
            data = os.pread(self._descriptor, CHUNK, offset)
            data = data if end is None else data[: end - offset]
            found = self._shape.messages(data, final=len(data) == CHUNK or offset + len(data) == end)
            if not found:
                break
            for behind, message in found:
                lines -= message is not None
                if not lines:
                    return offset + behind, 0
            offset += found[-1][0]
        return offset, lines

    def record(self, place: Place) -> Record:
        """Return what `is_same` needs to know the file again."""
        device, inode = self.key
        return {
            "file": self.number,
            "path": self.path,
            "device": device,
            "inode": inode,
            "head": [len(self._head), _digest(self._head)],
            "at": place.offset,
            "tail": place.tail,
        }

    def is_same(self, record: Record, place: Place) -> bool:
        """Whether this is the file of the record, and still has what was read up to the place.

        The device is left out: its number need not be the same after a boot.
        """
        length, digest = record["head"]
        return (
            self.key[1] == record["inode"]
            and os.fstat(self._descriptor).st_size >= place.offset
            and _digest(os.pread(self._descriptor, length, 0)) == digest
            and self.place(place.offset) == place
        )


def open_regular(path: str) -> int:
    """Open a file that is to be followed; raises OSError, also if it is a link or no regular file."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(0, "not a regular file")  # looked at before: to open a device may do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return descriptor


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest() if data else ""
