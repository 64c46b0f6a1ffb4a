"""The catalog's writer: a row a segment, so that nobody has to open every manifest to say what there is.

It is a convenience, made from the files whenever it is missing or odd, and no authority: nothing that decides about
evidence believes it. It holds what the LogVM itself made, and nothing of a log's text (docs/spec/catalog.md).
"""

import os
import sqlite3
from contextlib import closing, suppress

from logchain.format.errors import FormatError, OddFile
from logchain.store.layout import CATALOG, SEALED, Directory, manifests, sealed_name, stream_directory, streams
from logchain.store.sealed import read_manifest, tier_of

__all__ = ["Catalog"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE segments (
    vm TEXT, stream TEXT, segment INTEGER, tier TEXT, size INTEGER, records INTEGER, first INTEGER, bytes INTEGER,
    first_time INTEGER, last_time INTEGER, age INTEGER, PRIMARY KEY (vm, stream, segment)
) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class Catalog:
    """catalog.sqlite, open for writing."""

    def __init__(self, store: Directory) -> None:
        self._store = store
        try:
            self._database = self._open()
        except (sqlite3.DatabaseError, OddFile):  # or of another version: it is made from the files again
            with suppress(FileNotFoundError):
                os.unlink(CATALOG, dir_fd=store.fd)
            self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        # through the descriptor: the store may be renamed, and no link is followed in the file's own place
        with suppress(FileNotFoundError):
            os.close(self._store.file(CATALOG))
        database = sqlite3.connect(f"/proc/self/fd/{self._store.fd}/{CATALOG}", isolation_level=None, timeout=10)
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                if version:
                    raise sqlite3.DatabaseError("another version")
                database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT")
            os.chmod(CATALOG, 0o640, dir_fd=self._store.fd)
            database.execute("PRAGMA synchronous = OFF")  # what a power cut takes, the next round makes again
            database.execute("SELECT count(*) FROM segments").fetchone()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def refresh(self) -> None:
        """Bring the rows up to what is in sealed/."""
        known: dict[tuple[str, str], dict[int, str]] = {}
        with closing(self._database.execute("SELECT vm, stream, segment, tier FROM segments")) as rows:
            for vm, stream, segment, tier in rows:
                known.setdefault((vm, stream), {})[segment] = tier
        self._database.execute("BEGIN")
        for vm, stream in streams(self._store, SEALED):
            self._refresh_stream(vm, stream, known.pop((vm, stream), {}))
        for (vm, stream), segments in known.items():
            self._drop(vm, stream, segments)
        self._database.execute("COMMIT")

    def _refresh_stream(self, vm: str, stream: str, known: dict[int, str]) -> None:
        with stream_directory(self._store, vm, stream, SEALED) as sealed:
            there = manifests(sealed)
            self._drop(vm, stream, known.keys() - there)
            for segment in there:
                with suppress(FormatError, FileNotFoundError):  # damage is for `logchain verify`
                    tier = tier_of(sealed, segment)
                    if tier is None or known.get(segment) == tier:
                        continue
                    found = os.stat(sealed_name(segment, tier), dir_fd=sealed.fd, follow_symlinks=False)
                    one = read_manifest(sealed, segment)
                    times = one.first_time, one.last_time, one.age
                    row = vm, stream, segment, tier, found.st_blocks * 512, one.records, one.first, one.size, *times
                    self._database.execute(f"INSERT OR REPLACE INTO segments VALUES ({','.join(len(row) * '?')})", row)

    def _drop(self, vm: str, stream: str, segments: "set[int] | dict[int, str]") -> None:
        rows = [(vm, stream, segment) for segment in segments]
        self._database.executemany("DELETE FROM segments WHERE vm = ? AND stream = ? AND segment = ?", rows)

    def tell(self, **values: int | str) -> None:
        """Keep something for `logchain status`: how the compressor is."""
        self._database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))

    def sealed(self) -> list[tuple[str, str, int, str, int, int]]:
        """Return (vm, stream, segment, tier, bytes on disk, age) of every sealed segment."""
        query = "SELECT vm, stream, segment, tier, size, age FROM segments ORDER BY vm, stream, segment"
        return self._database.execute(query).fetchall()
