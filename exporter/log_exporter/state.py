"""The file in which a source keeps its cursor: records that outlive a crash.

    5f1c9a22 {"exporter": 1, "session": "9f81…", …}     CRC-32 of the text, then a record
    0b64d7e0 {"run": 3, "from": 100}

`replace` writes all anew, `append` adds. Both are durable when they return, and only then may a line be sent
that they stand for. So a torn or missing end is nothing to worry about: nothing was sent on its word. Where one
fails, on a full disk, nothing is sent until a `replace` has worked, as the next call begins with.
"""

import fcntl
import json
import os
import stat
import zlib
from collections.abc import Iterable

from log_exporter.errors import StateError, UsageError
from log_exporter.messages import printable_path
from log_exporter.runs import Record


class State:
    """One cursor file, held by one process."""

    def __init__(self, directory: str | os.PathLike[str], stream: str) -> None:
        directory = os.fspath(directory)
        self.path = os.path.join(directory, f"{stream}.cursor")
        self.appended = 0  # records since the last replace
        self._new = f"{self.path}.new"
        self._file = -1
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._lock = os.open(
                os.path.join(directory, f"{stream}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise UsageError(f"{printable_path(directory)}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another log-exporter uses {printable_path(self.path)}: stop it first") from error

    def load(self) -> list[Record]:
        """Return the records up to the first that is torn; none if there is no file.

        Raises ValueError if not even the first is good: `replace` leaves no such file.
        """
        try:
            # O_NONBLOCK: a FIFO in its place must not hang us
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise UsageError(f"{printable_path(self.path)}: is no regular file; move it away")
                untrusted_lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"{printable_path(self.path)}: {error.strerror}") from error
        records = []
        for untrusted_line in untrusted_lines:
            record = _parse(untrusted_line)
            if record is None:
                break
            records.append(record)
        if not records:
            raise ValueError("the first record is torn")
        return records

    def replace(self, records: Iterable[Record]) -> None:
        """Write all anew."""
        try:
            self._close_file()
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._new, flags, 0o600)
            self._write(records)
            os.fsync(self._file)
            os.rename(self._new, self.path)
            os.fsync(self._directory)  # the commit point
        except OSError as error:
            self._close_file()
            raise self._failed(error) from error
        self.appended = 0

    def append(self, records: list[Record]) -> None:
        """Add to what `replace` wrote."""
        if self._file < 0:
            raise StateError(f"cannot save {printable_path(self.path)}: it could not be written anew")
        try:
            self._write(records)
            os.fdatasync(self._file)  # the commit point
        except OSError as error:
            self._close_file()  # what is on disk is unknown: nothing is added to it
            raise self._failed(error) from error
        self.appended += len(records)

    def close(self) -> None:
        """Let another process have the file."""
        self._close_file()
        os.close(self._directory)
        os.close(self._lock)

    def _write(self, records: Iterable[Record]) -> None:
        with open(self._file, "wb", closefd=False) as file:  # one after the other: there may be many
            file.writelines(map(_format, records))

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _failed(self, error: OSError) -> StateError:
        return StateError(f"cannot save {printable_path(self.path)}: {error.strerror}")


def _format(record: Record) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parse(untrusted_line: bytes) -> Record | None:
    crc, _, text = untrusted_line.partition(b" ")
    if crc != b"%08x" % zlib.crc32(text):
        return None
    try:
        record: Record = json.loads(text)
    except (ValueError, RecursionError):  # nobody but we write it, but who knows
        return None
    return record
