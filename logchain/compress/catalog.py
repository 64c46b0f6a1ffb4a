"""The catalog's writer: a row a segment, and its activity, so that nobody has to open every file to say what there is.

It is a convenience, made from the files whenever it is missing or odd, and no authority: nothing that decides about
evidence believes it. It holds what the LogVM itself made, and nothing of a log's text (docs/spec/catalog.md).
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress

from logchain.format.activity import Condenser, Item, format_activity
from logchain.format.catalog import CATALOG_VERSION, SCHEMA, SegmentRow, parse_row
from logchain.format.errors import FormatError, LogchainError, OddFile
from logchain.store.layout import (
    CATALOG,
    CATALOG_JOURNAL,
    SEALED,
    Directory,
    manifest_name,
    manifests,
    sealed_name,
    stream_directory,
    streams,
)
from logchain.store.sealed import read_manifest, tier_of
from logchain.store.tiers import read_blocks

__all__ = ["Catalog"]

_SETTLED = 2_000_000_000  # ns: a directory that changed since may change again and keep its time, on any file system
_ODD = (sqlite3.Error, UnicodeDecodeError)  # the second comes of text that is none, as its own message quotes it
_FAILURES = (*_ODD, OSError, OddFile)
_OF_STREAM = "WHERE vm = ? AND stream = ?"
_OF_SEGMENT = f"{_OF_STREAM} AND segment = ?"
_TABLES = ("activity", "segments", "streams")


class Catalog:
    """catalog.sqlite, open for writing; in memory where it cannot be, for on a full disk there is much to evict."""

    def __init__(self, store: Directory) -> None:
        self._store = store
        self.stored = True  # not in memory only
        try:
            self._database = self._open()
        except _FAILURES:
            self._database = self._anew()

    def _open(self) -> sqlite3.Connection:
        # through the descriptor: the store may be renamed, and no link is followed in the file's own place
        with suppress(FileNotFoundError):
            os.close(self._store.file(CATALOG))
        database = _connect(f"/proc/self/fd/{self._store.fd}/{CATALOG}")
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if not version:
                _make_tables(database)
                os.chmod(CATALOG, 0o640, dir_fd=self._store.fd)
            found = database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
            if version not in (0, CATALOG_VERSION) or tuple(sql for (sql,) in found) != SCHEMA:
                raise sqlite3.DatabaseError("another version")
        except BaseException:
            database.close()
            raise
        return database

    def _anew(self) -> sqlite3.Connection:
        """Begin with an empty one: what is there is odd, of another version, or cannot be written."""
        with suppress(*_FAILURES):
            for name in (CATALOG_JOURNAL, CATALOG):  # a journal left behind would be rolled back into the next
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._store.fd)
            return self._open()
        return self._in_memory()

    def _in_memory(self) -> sqlite3.Connection:
        self.stored = False
        database = _connect(":memory:")
        _make_tables(database)
        return database

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def refresh(self) -> None:
        """Bring the rows up to what is in sealed/; where that fails, in one that is made anew."""
        try:
            self._refresh()
            return
        except _ODD:
            self._database.close()
        self._database = self._anew()
        try:
            self._refresh()
            return
        except _ODD:
            self._database.close()
        self._database = self._in_memory()
        self._refresh()

    def rebuild(self) -> None:
        """Make all rows again from the files."""
        with suppress(sqlite3.Error):  # refresh meets it too, and knows what to do
            for table in _TABLES:
                self._database.execute(f"DELETE FROM {table}")
        self.refresh()

    def forget(self, vm: str) -> None:
        """Bring the rows up to what is in sealed/, and leave no trace of a VM's name in the file."""
        self.refresh()
        try:
            self._database.execute("DELETE FROM state WHERE instr(value, ?)", (vm,))
            self._database.execute("VACUUM")  # pages that are free hold what was in them
        except sqlite3.Error:
            self._database.close()
            self._database = self._anew()
            self.refresh()

    def _refresh(self) -> None:
        query = "SELECT vm, stream, changed FROM streams"
        known = {(vm, stream): changed for vm, stream, changed in self._database.execute(query)}
        self._database.execute("BEGIN")
        for vm, stream in streams(self._store, SEALED):
            before = known.pop((vm, stream), 0)
            with suppress(FileNotFoundError, OddFile), stream_directory(self._store, vm, stream, SEALED) as sealed:
                changed = os.fstat(sealed.fd).st_mtime_ns  # before it is read
                if changed != before:
                    settled = changed < time.time_ns() - _SETTLED
                    whole = self._refresh_stream(sealed, vm, stream)
                    row = vm, stream, changed if whole and settled else 0
                    self._database.execute("INSERT OR REPLACE INTO streams VALUES (?, ?, ?)", row)
        for name in known:
            for table in _TABLES:
                self._database.execute(f"DELETE FROM {table} {_OF_STREAM}", name)
        self._database.execute("COMMIT")

    def _refresh_stream(self, sealed: Directory, vm: str, stream: str) -> bool:
        """Bring a stream's rows up to its directory; say whether they are all there."""
        query = f"SELECT segment, tier, changed FROM segments {_OF_STREAM}"
        known = {segment: (tier, changed) for segment, tier, changed in self._database.execute(query, (vm, stream))}
        there, names = manifests(sealed), frozenset(sealed.names())
        for segment in known.keys() - there:
            self._drop(vm, stream, segment)
        whole = True
        for segment in there:
            tier = tier_of(names, segment)
            if tier is None:  # damage is for `logchain verify`
                whole = False
                continue
            try:
                now, before = (tier, _changed(sealed, segment)), known.get(segment, ("", -1))
                if now[1] != before[1]:  # another manifest, perhaps of another text
                    self._drop(vm, stream, segment)
                if now != before:
                    self._put(_row(sealed, vm, stream, segment, tier))
            except (FormatError, FileNotFoundError):
                whole = False
        return whole

    def _drop(self, vm: str, stream: str, segment: int) -> None:
        for table in ("activity", "segments"):
            self._database.execute(f"DELETE FROM {table} {_OF_SEGMENT}", (vm, stream, segment))

    def _put(self, row: SegmentRow) -> None:
        self._database.execute(f"INSERT OR REPLACE INTO segments VALUES ({','.join(len(row) * '?')})", row)

    def tell(self, **values: int | str) -> None:
        """Keep something for `logchain status`: how the compressor is."""
        with suppress(sqlite3.Error):
            self._database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))

    def sealed(self) -> list[SegmentRow]:
        """Return the sealed segments, in order."""
        return self._select("SELECT * FROM segments ORDER BY vm, stream, segment")

    def uncondensed(self) -> list[SegmentRow]:
        """Return the sealed segments whose activity is not here, the last sealed first; sqlite3.Error.

        None where it could not stay.
        """
        query = (
            "SELECT segments.* FROM segments LEFT JOIN activity USING (vm, stream, segment) WHERE told IS NULL "
            "ORDER BY age DESC, vm, stream, segment DESC"
        )
        return self._select(query) if self.stored else []

    def _select(self, query: str) -> list[SegmentRow]:
        """Return rows of `segments`; those that are not such as we write are left out."""
        found = []
        for values in self._database.execute(query).fetchall():
            with suppress(FormatError):  # the file may be anybody's
                found.append(parse_row(values))
        return found

    def condense(self) -> Iterator[SegmentRow]:
        """Keep the activity of the sealed segments that have none here: yield each, then read its text.

        The last sealed comes first: its text is in memory still. Of a text that cannot be read, or has more to tell
        than may be kept, it is kept that it has to be read. Ends early where nothing can be written: refresh will see.
        """
        with suppress(sqlite3.Error):
            for row in self.uncondensed():
                yield row
                try:
                    told = format_activity(_activity(self._store, row))
                except (LogchainError, OSError):
                    told = ""
                # Of a segment that has still its row only: whoever forgets a qube meanwhile leaves no trace of it.
                query = f"INSERT OR REPLACE INTO activity SELECT vm, stream, segment, ? FROM segments {_OF_SEGMENT}"
                self._database.execute(query, (told, row.vm, row.stream, row.segment))


def _activity(store: Directory, row: SegmentRow) -> Iterator[Item]:
    """Yield a segment's activity, with a block of its text in memory; LogchainError, OSError."""
    condenser = Condenser()
    with stream_directory(store, row.vm, row.stream, SEALED) as sealed:
        manifest = read_manifest(sealed, row.segment)
        tier = tier_of(frozenset(sealed.names()), row.segment) or ""
        with open(sealed.file(sealed_name(row.segment, tier)), "rb", buffering=0) as file:
            for text in read_blocks(file.fileno(), tier, manifest):
                yield from condenser.take(text)
    yield from condenser.rest()


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=10)
    database.execute("PRAGMA synchronous = OFF")  # what a power cut takes, the next round makes again
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    database.executescript(f"BEGIN; {'; '.join(SCHEMA)}; PRAGMA user_version = {CATALOG_VERSION}; COMMIT")


def _row(sealed: Directory, vm: str, stream: str, segment: int, tier: str) -> SegmentRow:
    room = sum(sealed.allocated(name) for name in (sealed_name(segment, tier), manifest_name(segment)))
    one = read_manifest(sealed, segment)
    times = one.first_time, one.last_time, one.age
    changed = _changed(sealed, segment)
    return SegmentRow(vm, stream, segment, tier, room, one.records, one.first, one.size, *times, changed)


def _changed(sealed: Directory, segment: int) -> int:
    """Return when a segment's manifest was written, ns since 1970."""
    return max(0, os.stat(manifest_name(segment), dir_fd=sealed.fd, follow_symlinks=False).st_mtime_ns)
