"""The catalog's reader: what it says is what the files say, or the files are read; nothing hostile in it does harm."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from logchain.compress.catalog import Catalog as Writer
from logchain.read.catalog import Catalog, read_catalog
from logchain.read.listing import StreamRow, list_streams
from logchain.store.layout import SEALED, open_store, stream_directory
from tests.read.archived import Archive


@pytest.fixture
def archive(tmp_path: Path, unsynced: None) -> Archive:  # noqa: ARG001 (a fixture)
    """A store with sealed, evicted, closed and open segments, and a catalog that is current."""
    archive = Archive.make(tmp_path / "store")
    for vm in ("work", "vault", "empty"):
        for number in range(3):
            archive.log(b"x" * 100, b"y" * number, vm=vm)
            archive.roll(vm)
            archive.clock.go(3_600)
        if vm != "empty":
            archive.seal(vm)
    archive.compress(".xz")
    archive.evict(1)
    archive.log(b"open")
    catalogued(archive)
    return archive


def catalogued(archive: Archive) -> None:
    """Bring the catalog up to the files, as if they had changed some time ago."""
    before = time.time_ns() - 10_000_000_000
    for path in (archive.path / "sealed").glob("*/*"):
        os.utime(path, ns=(before, before))
    with open_store(archive.path) as store, closing(Writer(store)) as writer:
        writer.refresh()
        writer.tell(round=5, complaints="")


def listed(archive: Archive) -> tuple[list[StreamRow], list[StreamRow], Catalog]:
    """Return what is listed with the catalog, and without it, and the catalog."""
    with open_store(archive.path) as store:
        catalog = read_catalog(store)
        return list(list_streams(store, catalog)), list(list_streams(store)), catalog


def counts(archive: Archive, vm: str = "work") -> bool:
    """Tell whether the catalog's rows of a stream count."""
    with open_store(archive.path) as store, stream_directory(store, vm, "main", SEALED) as sealed:
        return read_catalog(store).rows(vm, "main", sealed) is not None


def test_it_says_what_the_files_say(archive: Archive) -> None:
    """The list is the same with it and without it; and with it no manifest is opened."""
    fast, slow, catalog = listed(archive)
    assert fast == slow
    assert [(row.vm, row.segments) for row in fast] == [("empty", 3), ("vault", 3), ("work", 3)]
    assert not catalog.missing
    assert catalog.state == {"round": 5, "complaints": ""}
    manifest = archive.sealed("vault") / "00000002.manifest"
    manifest.chmod(0o640)
    manifest.write_bytes(b"not looked at")
    assert listed(archive)[0] == fast


def test_what_changed_since_is_read_from_the_files(archive: Archive) -> None:
    """A directory with another time has other files; the rows of the other streams still count."""
    archive.evict(2)
    assert not counts(archive)
    assert counts(archive, "vault")
    fast, slow, _ = listed(archive)
    assert fast == slow
    archive.seal("empty")
    assert not counts(archive, "empty")
    fast, slow, _ = listed(archive)
    assert fast == slow
    catalogued(archive)
    assert counts(archive)
    assert counts(archive, "empty")
    assert listed(archive)[0] == slow


def test_a_stream_with_nothing_sealed_has_no_rows(archive: Archive) -> None:
    """Its directory in sealed/ is not there, and nothing has to be looked up."""
    with open_store(archive.path) as store:
        assert read_catalog(store).rows("empty", "main", None) == []


def test_without_a_catalog(archive: Archive) -> None:
    """The files are read, and it is said why."""
    (archive.path / "catalog.sqlite").unlink()
    fast, slow, catalog = listed(archive)
    assert fast == slow
    assert catalog.missing == "there is none yet"


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _sql(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            for statement in statements:
                database.execute(statement)

    return spoil


SPOILED: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no database": lambda path: path.write_bytes(b"nonsense" * 1000),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(3 * 4096)),
    "link": _link,
    "directory": _directory,
    "version": _sql("PRAGMA user_version = 1"),
    "another table": _sql("CREATE TABLE more (x)"),
    "a trigger": _sql("CREATE TRIGGER t AFTER DELETE ON state BEGIN DELETE FROM segments; END"),
    "a view for a table": _sql(
        "DROP TABLE state",
        "CREATE VIEW state AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n",
    ),
    "another type": _sql("UPDATE segments SET records = 'many'"),
    "a real number": _sql("UPDATE segments SET first = 1.5"),
    "below nothing": _sql("UPDATE segments SET size = -1"),
    "beyond the last segment": _sql("UPDATE segments SET segment = 1000000 WHERE vm = 'work' AND segment = 2"),
    "a time after 9999": _sql("UPDATE segments SET last_time = 1 << 62"),
    "another tier": _sql("UPDATE segments SET tier = '.gz'"),
    "a bad name": _sql("UPDATE segments SET vm = '../x' WHERE vm = 'work'"),
    "a name in bytes": _sql("UPDATE segments SET stream = x'6d61696e'"),
    "bytes that are no text, in a table's name": lambda path: path.write_bytes(
        path.read_bytes().replace(b"activity", b"activit\xd3").replace(b"CREATE TABLE activit", b"CREATE TABLX activit")
    ),
    "bytes that are no text": _sql("UPDATE state SET value = CAST(x'ff' AS TEXT)"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_what_is_no_catalog_of_ours(archive: Archive, spoil: Callable[[Path], object]) -> None:
    """It is as if there were none."""
    spoil(archive.path / "catalog.sqlite")
    fast, slow, catalog = listed(archive)
    assert fast == slow
    assert catalog.missing
    assert not counts(archive)


def test_a_time_of_another_type_is_no_time(archive: Archive) -> None:
    """What `streams` says otherwise is not what a directory's time can be."""
    _sql("UPDATE streams SET changed = CAST(changed AS BLOB)")(archive.path / "catalog.sqlite")
    assert not counts(archive)


def test_it_does_not_wait_for_ever(archive: Archive) -> None:
    """While somebody holds the file, and for as long as a hostile one may take, the files are read."""
    with closing(sqlite3.connect(archive.path / "catalog.sqlite", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with open_store(archive.path) as store:
            assert read_catalog(store).missing == "database is locked"
        assert time.monotonic() - began < 10


def test_many_rows_take_no_longer_than_they_may(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that keeps SQLite busy beyond the limit is let go."""
    query = (
        "INSERT OR IGNORE INTO streams WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) "
        "SELECT 'a' || i, 'b', 1 FROM n"
    )
    _sql(query)(archive.path / "catalog.sqlite")
    monkeypatch.setattr("logchain.read.catalog._PATIENCE", -1.0)
    with open_store(archive.path) as store:
        assert read_catalog(store).missing == "interrupted"
