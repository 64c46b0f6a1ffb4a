"""Which files match, and which of them is which, whatever their names become."""

import os
import resource
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from log_exporter.messages import printable_path, say
from log_exporter.runs import Place, Record
from log_exporter.sources.followed import Followed, Key, open_regular
from log_exporter.sources.pattern import find, has_wildcard
from log_exporter.sources.shape import Shape

COMPRESSED = (".bz2", ".gz", ".lz4", ".xz", ".zip", ".zst")

_FORGET_AFTER = 3600.0  # quiet seconds after which a file that no pattern finds any more is let go
_LOOK_AGAIN = (0.01, 0.03, 0.1)  # seconds after which a file that was not found is looked for once more


class Watch:
    """The open files, in the order in which they are read."""

    def __init__(self, patterns: Iterable[str], shape: Shape, *, once: bool) -> None:
        self.patterns = sorted({os.path.abspath(pattern) for pattern in patterns})
        self.files: list[Followed] = []
        self._shape = shape
        self._once = once
        self._newest: dict[str, Followed] = {}  # of those that were found by the same name
        self._numbers = 0
        self._complained: set[str] = set()
        self.unreadable = False  # a file that was asked for
        self.vanished = False  # a file that was found was gone when it was opened: renamed just now
        self._looked = False
        _raise_limit_of_open_files()

    def find(self, known: Mapping[int, Record], places: Mapping[int, Place]) -> list[Record]:
        """Open the files of the records again; return the records of those that are gone, and not replaced."""
        self._numbers = max(known, default=0)
        found: dict[Key, Followed] = {}
        gone = list(known.values())
        for pause in _LOOK_AGAIN:
            gone = self._find(gone, places, found)
            if not gone:
                break
            time.sleep(pause)  # a rotation right now moves names under our hands
        for file in sorted(found.values(), key=lambda file: file.number):
            self._append(file)
        # A later record of the same inode was written when it was seen, and said, what became of the earlier.
        last = {record["inode"]: number for number, record in sorted(known.items())}
        return [record for record in gone if last[record["inode"]] == record["file"]]

    def _find(self, records: list[Record], places: Mapping[int, Place], found: dict[Key, Followed]) -> list[Record]:
        names = self._names_by_inode({os.path.dirname(record["path"]) for record in records})
        gone = []
        # The latest first: a file that was truncated has two numbers, and is what the later one says.
        for record in sorted(records, key=lambda record: -record["file"]):
            number = record["file"]
            for path in names.get(record["inode"], []):
                file = self._open(path, number, record["path"])
                if file and file.key not in found and file.is_same(record, places[number]):
                    found[file.key] = file
                    break
                if file:
                    file.close()
            else:
                gone.append(record)
        return gone

    def _names_by_inode(self, directories: Iterable[str]) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for directory in directories:
            with suppress(OSError), os.scandir(directory) as entries:
                for entry in entries:
                    names.setdefault(entry.inode(), []).append(entry.path)
        for (_, inode), path in self._matches().items():
            if path not in names.setdefault(inode, []):
                names[inode].append(path)
        return names

    def scan(self, held: set[int]) -> list[Followed]:
        """Look at all names; let go of files that are over and not held, return those that are new."""
        self.vanished = False
        matches = self._matches()
        for file in list(self.files):
            file.look(matches)
            lost_sight = file.away and not file.matched and file.quiet > _FORGET_AFTER
            over = lost_sight or (file.deleted and file.settled)
            if over and file.done and file.number not in held:
                self.files.remove(file)
                if self._newest[file.path] is file:
                    del self._newest[file.path]
                file.close()
        if not self._looked:
            self._looked = True
            for path in (pattern for pattern in self.patterns if not has_wildcard(pattern)):
                self._explain(path)
        known = {file.key for file in self.files}
        new = [self._open(path, self.next_number(), path) for key, path in matches.items() if key not in known]
        return [self._append(file) for file in new if file]

    def next_number(self) -> int:
        """Return a number for a file, or for a new beginning of one."""
        self._numbers += 1
        return self._numbers

    def fail(self, path: str, reason: str) -> None:
        """Tell the user, once per file, why one that should be read is not."""
        self.unreadable = True
        self._complain(path, reason)

    def _complain(self, path: str, reason: str) -> None:
        if path not in self._complained:
            self._complained.add(path)
            say(f"{printable_path(path)}: {reason}")

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files:
            file.close()

    def _append(self, file: Followed) -> Followed:
        file.predecessor = self._newest.get(file.path)
        self._newest[file.path] = file
        self.files.append(file)
        return file

    def _open(self, path: str, number: int, first_path: str) -> Followed | None:
        try:
            descriptor = open_regular(path)
            try:
                return Followed(number, first_path, descriptor, self._shape, once=self._once)
            except OSError:
                os.close(descriptor)
                raise
        except FileNotFoundError:
            self.vanished = True  # the next look finds it
            return None
        except OSError as error:
            self.fail(path, error.strerror or str(error))
            return None

    def _explain(self, path: str) -> None:
        """Complain of a path that was named as it is, and cannot be read."""
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            self.fail(path, error.strerror or str(error))
            return
        if path.endswith(COMPRESSED):
            self.fail(path, "is compressed, and not read")
        elif stat.S_ISLNK(mode):
            self.fail(path, "is a link, and not followed")
        elif not stat.S_ISREG(mode):
            self.fail(path, "is no regular file")

    def _matches(self) -> dict[Key, str]:
        """Return the files that match, the one that changed last at the end."""
        matches = []
        for pattern in self.patterns:
            for path in find(pattern):
                if path.endswith(COMPRESSED):
                    continue
                with suppress(OSError):  # just renamed
                    status = os.lstat(path)
                    if stat.S_ISREG(status.st_mode):
                        matches.append((status.st_mtime_ns, path, (status.st_dev, status.st_ino)))
                    elif stat.S_ISLNK(status.st_mode):
                        self._complain(path, "is a link, and not followed")
        return {key: path for _, path, key in sorted(matches)}


def _raise_limit_of_open_files() -> None:
    """Each followed file holds a descriptor; the soft limit of 1024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
