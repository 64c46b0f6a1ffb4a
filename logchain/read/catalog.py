"""Reads the catalog: what is sealed, without opening every manifest. No authority; where it is not current, the files.

Whatever is in the file may be hostile: only our own tables are asked, nothing else in it is run, and not for long.
"""

import os
import sqlite3
import time
from contextlib import closing

from logchain.format.catalog import CATALOG_VERSION, SCHEMA, SegmentRow, parse_row
from logchain.format.errors import FormatError, LogchainError
from logchain.store.layout import CATALOG, Directory

__all__ = ["Catalog", "read_catalog"]

_PATIENCE = 2.0  # s; a catalog of a hundred thousand segments takes less than one
_STEPS = 10_000  # of SQLite's machine, between two looks at the time


class Catalog:
    """What a catalog says; `missing` tells why there is none, empty where there is one."""

    def __init__(self, missing: str = "") -> None:
        self.missing = missing
        self.state: dict[str, int | str] = {}
        self._segments: dict[tuple[str, str], list[SegmentRow]] = {}
        self._changed: dict[tuple[str, str], int] = {}

    def read(self, database: sqlite3.Connection) -> None:
        """Take in all that it says; FormatError, sqlite3.Error where it is none."""
        deadline = time.monotonic() + _PATIENCE
        database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("BEGIN")  # all of one moment
        (version,) = database.execute("PRAGMA user_version").fetchone()
        found = database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        if version != CATALOG_VERSION or tuple(sql for (sql,) in found) != SCHEMA:
            raise FormatError("no catalog, or one of another version")
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


def read_catalog(store: Directory) -> Catalog:
    """Return the store's catalog; an empty one, that says why, where it is missing or odd."""
    catalog = Catalog()
    try:
        os.close(store.file(CATALOG))  # no link, no device
        path = f"file:/proc/self/fd/{store.fd}/{CATALOG}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, isolation_level=None, timeout=_PATIENCE)) as database:
            catalog.read(database)
    except FileNotFoundError:
        return Catalog("there is none yet")
    except (LogchainError, sqlite3.Error) as error:
        return Catalog(str(error))
    return catalog
