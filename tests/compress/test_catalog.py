"""The catalog's writer: rows as the files say, made anew where it is odd, and no name left of who was forgotten."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from logchain.compress.catalog import Catalog
from logchain.format.limits import SEGMENT_ROOM
from logchain.store.layout import open_store
from logchain.store.room import usage
from tests.read.archived import Archive

WHEN = 1_700_000_000_000_000_000  # ns, long ago


@pytest.fixture
def archive(tmp_path: Path, unsynced: None) -> Archive:  # noqa: ARG001 (a fixture)
    """A store with two qubes' sealed segments."""
    archive = Archive.make(tmp_path / "store")
    for vm in ("work", "vault"):
        for _ in range(3):
            archive.log(b"x" * 100, b"y", vm=vm)
            archive.roll(vm)
        archive.seal(vm)
    return archive


def settle(archive: Archive) -> None:
    """Let the directories of sealed/ have changed long ago."""
    for path in (archive.path / "sealed").glob("*/*"):
        os.utime(path, ns=(WHEN, WHEN))


def refresh(archive: Archive) -> None:
    """Bring the catalog up to the files."""
    with open_store(archive.path) as store:
        catalog = Catalog(store)
        catalog.refresh()
        assert catalog.stored
        catalog.close()


def rows(archive: Archive, query: str = "SELECT * FROM segments") -> list[tuple[object, ...]]:
    """Ask the catalog's file."""
    with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database:
        return database.execute(query).fetchall()


def test_a_row_a_segment(archive: Archive) -> None:
    """Each sealed segment has one, and their room is what counts against the quota."""
    refresh(archive)
    assert [row[:4] for row in rows(archive)] == [(vm, "main", n, "") for vm in ("vault", "work") for n in (1, 2, 3)]
    with open_store(archive.path) as store:
        shutil.rmtree(archive.path / "live")
        used = sum(usage(store).values())
    (room,) = rows(archive, "SELECT sum(room) FROM segments")
    assert room == (used - 6 * SEGMENT_ROOM,)


def test_rows_follow_the_files(archive: Archive) -> None:
    """What was compressed, evicted or sealed since has other rows, or none, or new ones."""
    refresh(archive)
    archive.compress(".lz4")
    archive.evict(1, vm="vault")
    archive.log(b"z")
    archive.roll()
    archive.seal()
    refresh(archive)
    found = [row[:1] + row[2:4] for row in rows(archive)]
    assert found == [("vault", 2, ""), ("vault", 3, ""), *(("work", n, ".lz4") for n in (1, 2, 3)), ("work", 4, "")]
    shutil.rmtree(archive.path / "sealed" / "work")
    refresh(archive)
    assert {row[0] for row in rows(archive)} == {"vault"}


def test_a_directory_that_changed_just_now_may_change_again(archive: Archive) -> None:
    """Its rows count only once its time is old enough to tell of the next change."""
    refresh(archive)
    assert rows(archive, "SELECT changed FROM streams") == [(0,), (0,)]
    settle(archive)
    refresh(archive)
    assert rows(archive, "SELECT changed FROM streams") == [(WHEN,), (WHEN,)]


def test_a_manifest_that_cannot_be_read(archive: Archive) -> None:
    """It has no row, and the stream's rows do not count: a reader shall meet the damage."""
    path = archive.sealed() / "00000002.manifest"
    path.chmod(0o640)
    path.write_bytes(b"nonsense")
    settle(archive)
    refresh(archive)
    assert [row[2] for row in rows(archive) if row[0] == "work"] == [1, 3]
    assert rows(archive, "SELECT vm, changed FROM streams") == [("vault", WHEN), ("work", 0)]


@pytest.mark.parametrize(
    "spoil",
    [
        "PRAGMA user_version = 2",
        "CREATE TABLE more (x)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE state",
        "ALTER TABLE segments ADD COLUMN x",
    ],
)
def test_another_ones_tables(archive: Archive, spoil: str) -> None:
    """What is not our catalog to the character is made anew."""
    refresh(archive)
    with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database:
        database.execute(spoil)
    refresh(archive)
    assert len(rows(archive)) == 6


def test_a_torn_file(archive: Archive) -> None:
    """Pages that a power cut took are found when they are met, and the catalog is made anew."""
    refresh(archive)
    path = archive.path / "catalog.sqlite"
    path.write_bytes(path.read_bytes()[:4096] + bytes(3 * 4096))
    refresh(archive)
    assert len(rows(archive)) == 6


def test_an_old_journal_is_not_rolled_back(archive: Archive) -> None:
    """A file that is made anew does not get what a killed writer of the old one left."""
    (archive.path / "catalog.sqlite").write_bytes(b"nonsense" * 1000)
    (archive.path / "catalog.sqlite-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(4096))
    refresh(archive)
    assert len(rows(archive)) == 6


def test_where_no_file_can_be_written(archive: Archive) -> None:
    """It works in memory: what has to be evicted from a full disk is known all the same."""
    (archive.path / "catalog.sqlite").mkdir()
    with open_store(archive.path) as store:
        catalog = Catalog(store)
        catalog.refresh()
        assert not catalog.stored
        assert len(catalog.sealed()) == 6
        catalog.tell(round=1)
        catalog.close()


def test_rebuild_believes_no_row(archive: Archive) -> None:
    """Rows that are wrong, and call themselves current, are made anew."""
    settle(archive)
    refresh(archive)
    good = rows(archive)
    with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database, database:
        database.execute("UPDATE segments SET records = 7, tier = ''")
    refresh(archive)
    assert rows(archive) != good
    with open_store(archive.path) as store:
        catalog = Catalog(store)
        catalog.rebuild()
        catalog.close()
    assert rows(archive) == good


def test_no_name_stays_of_who_was_forgotten(archive: Archive) -> None:
    """Not in a row, not in a complaint, not in a page that is free."""
    for number in range(40):
        archive.log(b"a", vm="secretive", stream=f"s{number}")
        archive.roll("secretive", f"s{number}")
        archive.seal("secretive", f"s{number}", 4096)
    refresh(archive)
    with open_store(archive.path) as store:
        catalog = Catalog(store)
        catalog.tell(round=5, complaints="secretive/s3: segment 1 cannot be compressed")
        catalog.close()
        assert b"secretive" in (archive.path / "catalog.sqlite").read_bytes()
        archive.forget("secretive")
        catalog = Catalog(store)
        catalog.forget("secretive")
        catalog.close()
    assert b"secretive" not in (archive.path / "catalog.sqlite").read_bytes()
    assert sorted(path.name for path in archive.path.glob("catalog*")) == ["catalog.sqlite"]
    assert len(rows(archive)) == 6
    assert rows(archive, "SELECT key FROM state") == [("round",)]
