"""Reads the catalog: what is sealed, without opening every manifest. No authority; where it is not current, the files.

Whatever is in the file may be hostile: only our own tables are asked, nothing else in it is run, and not for long.
"""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from logchain.format.activity import Item, parse_activity
from logchain.format.catalog import CATALOG_VERSION, SCHEMA, SegmentRow, parse_row
from logchain.format.errors import FormatError, LogchainError
from logchain.store.layout import CATALOG, TIERS, Directory, manifest_name, sealed_name

__all__ = ["Catalog", "SealedActivity", "open_activity", "read_catalog"]

_ODD = (sqlite3.Error, UnicodeDecodeError)  # the second comes of text that is none, as its own message quotes it
_PATIENCE = 2.0  # s; a catalog of a hundred thousand segments takes less than one
_STEPS = 10_000  # of SQLite's machine, between two looks at the time
_MOST = 4 << 20  # bytes of a value: beyond any that we write
_OF_SEGMENT = (
    "SELECT changed, first_time, last_time, told FROM segments JOIN activity USING (vm, stream, segment) "
    "WHERE vm = ? AND stream = ? AND segment = ?"
)


class Catalog:
    """What a catalog says; `missing` tells why there is none, empty where there is one."""

    def __init__(self, missing: str = "") -> None:
        self.missing = missing
        self.state: dict[str, int | str] = {}
        self._segments: dict[tuple[str, str], list[SegmentRow]] = {}
        self._changed: dict[tuple[str, str], int] = {}

    def read(self, database: sqlite3.Connection) -> None:
        """Take in all that it says; FormatError, _ODD where it is none."""
        for vm, stream, changed in database.execute("SELECT * FROM streams"):
            self._changed[vm, stream] = changed
        for values in database.execute("SELECT * FROM segments ORDER BY segment"):
            row = parse_row(values)
            self._segments.setdefault((row.vm, row.stream), []).append(row)
        for key, value in database.execute("SELECT * FROM state"):
            if type(key) is str and type(value) in (int, str):
                self.state[key] = value

    def rows(self, vm: str, stream: str, sealed: Directory | None) -> list[SegmentRow] | None:
        """Return what is sealed of a stream, by number; None where only `sealed`, its directory, can tell."""
        if not sealed:
            return []
        changed = self._changed.get((vm, stream), 0)
        if not changed or os.fstat(sealed.fd).st_mtime_ns != changed:
            return None
        return self._segments.get((vm, stream), [])


class SealedActivity:
    """What a catalog says of the activity in sealed segments, asked segment by segment."""

    def __init__(self, database: sqlite3.Connection | None = None) -> None:
        self._database = database

    def of(self, vm: str, stream: str, segment: int, sealed: Directory) -> tuple[int, list[Item]] | None:
        """Return when a segment begins, µs since 1970, and its activity; None where its text has to be read.

        It counts while the manifest is the file that it was made with, and a text is there; what is in the text is
        not looked at. A catalog that is odd in one row is not asked again.
        """
        if not self._database:
            return None
        try:
            _be_patient(self._database)
            row = self._database.execute(_OF_SEGMENT, (vm, stream, segment)).fetchone()
            if not row or not row[3]:
                return None
            changed, first_time, last_time, told = row
            if [type(value) for value in row] != [int, int, int, str]:
                raise FormatError("a catalog with a value of another type")
            items = parse_activity(told)
            if not 0 <= first_time <= items[0][0] <= items[-1][0] == last_time:
                raise FormatError("a catalog with an activity of another segment")
        except (FormatError, *_ODD):
            self._database = None
            return None
        return (first_time, items) if _is_there(sealed, segment, changed) else None


def _is_there(sealed: Directory, segment: int, changed: int) -> bool:
    """Tell whether a segment's manifest is the one that changed then, and its text is there."""
    with suppress(OSError):
        if os.stat(manifest_name(segment), dir_fd=sealed.fd, follow_symlinks=False).st_mtime_ns == changed:
            return any(_is_file(sealed, sealed_name(segment, tier)) for tier in TIERS)
    return False


def _is_file(directory: Directory, name: str) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.stat(name, dir_fd=directory.fd, follow_symlinks=False).st_mode)
    return False


def _be_patient(database: sqlite3.Connection) -> None:
    """Let what is asked next take as long as it may."""
    deadline = time.monotonic() + _PATIENCE
    database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)


@contextmanager
def _open(store: Directory) -> Iterator[sqlite3.Connection]:
    """Open the file, in one moment of it; FileNotFoundError, LogchainError, _ODD where it is no catalog."""
    os.close(store.file(CATALOG))  # no link, no device
    path = f"file:/proc/self/fd/{store.fd}/{CATALOG}?mode=ro"
    with closing(sqlite3.connect(path, uri=True, isolation_level=None, timeout=_PATIENCE)) as database:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST)
        _be_patient(database)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("BEGIN")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        found = database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        if version != CATALOG_VERSION or tuple(sql for (sql,) in found) != SCHEMA:
            raise FormatError("no catalog, or one of another version")
        yield database


def read_catalog(store: Directory) -> Catalog:
    """Return the store's catalog; an empty one, that says why, where it is missing or odd."""
    catalog = Catalog()
    try:
        with _open(store) as database:
            catalog.read(database)
    except FileNotFoundError:
        return Catalog("there is none yet")
    except (LogchainError, *_ODD) as error:
        return Catalog(str(error))
    return catalog


@contextmanager
def open_activity(store: Directory) -> Iterator[SealedActivity]:
    """Open what the store's catalog says of activity; nothing where it is missing or odd."""
    with ExitStack() as stack:
        database = None
        with suppress(FileNotFoundError, LogchainError, *_ODD):
            database = stack.enter_context(_open(store))
            database.execute("COMMIT")  # what is asked from here on holds up no writer
        yield SealedActivity(database)
