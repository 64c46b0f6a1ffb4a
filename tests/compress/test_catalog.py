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


def condense(archive: Archive) -> list[tuple[str, int]]:
    """Bring the catalog up to the files, and return VM and number of the segments that were condensed, in order."""
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        return [(one.vm, one.segment) for one in catalog.condense()]


def known(archive: Archive) -> list[tuple[object, ...]]:
    """Return which segments have a row of activity, and whether it tells anything."""
    return rows(archive, "SELECT vm, segment, told != '' FROM activity")


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
        "PRAGMA user_version = 1",
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


def test_a_name_that_is_no_text(archive: Archive) -> None:
    """A catalog whose tables have names of any bytes is made anew."""
    refresh(archive)
    path = archive.path / "catalog.sqlite"
    path.write_bytes(
        path.read_bytes().replace(b"activity", b"activit\xd3").replace(b"CREATE TABLE activit", b"CREATE TABLX activit")
    )
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
    condense(archive)
    sessions = {str(told).partition("session=")[2][:16] for (told,) in rows(archive, "SELECT told FROM activity")}
    assert len(sessions) == 46
    with open_store(archive.path) as store:
        catalog = Catalog(store)
        catalog.tell(round=5, complaints="secretive/s3: segment 1 cannot be compressed")
        catalog.close()
        assert b"secretive" in (archive.path / "catalog.sqlite").read_bytes()
        archive.forget("secretive")
        catalog = Catalog(store)
        catalog.forget("secretive")
        catalog.close()
    left = (archive.path / "catalog.sqlite").read_bytes()
    assert b"secretive" not in left
    assert sum(session.encode() in left for session in sessions) == 6
    assert sorted(path.name for path in archive.path.glob("catalog*")) == ["catalog.sqlite"]
    assert len(rows(archive)) == 6
    assert rows(archive, "SELECT key FROM state") == [("round",)]


def test_activity_is_kept_once(archive: Archive) -> None:
    """Each segment is read once, the last sealed first; what it comes to stays when its text is compressed."""
    archive.clock.go(10)
    archive.log(b"z")
    archive.roll()
    archive.seal()
    assert condense(archive) == [("work", 4), *(("vault", n) for n in (3, 2, 1)), *(("work", n) for n in (3, 2, 1))]
    before = rows(archive, "SELECT * FROM activity")
    assert [row[:3] for row in before] == [
        *(("vault", "main", n) for n in (1, 2, 3)),
        *(("work", "main", n) for n in (1, 2, 3, 4)),
    ]
    start, lines, end, last = str(before[3][3]).split("\n")
    assert lines == f"{last} {last} 2 0"
    assert start.startswith(f"{last} session-start session=")
    assert end.startswith(f"{last} session-end session=")
    archive.compress(".xz")
    assert condense(archive) == []
    assert rows(archive, "SELECT * FROM activity") == before


def test_a_manifest_from_before_1970(archive: Archive) -> None:
    """Its segment has a row as any other."""
    os.utime(archive.sealed() / "00000002.manifest", ns=(-5, -5))
    assert len(condense(archive)) == 6
    assert rows(archive, "SELECT vm, segment, changed FROM segments WHERE changed = 0") == [("work", 2, 0)]


def test_activity_goes_with_its_segment(archive: Archive) -> None:
    """When it was evicted, and when another manifest is in its place."""
    condense(archive)
    archive.evict(1, vm="vault")
    path = archive.sealed() / "00000002.manifest"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(WHEN, WHEN))
    refresh(archive)
    assert known(archive) == [("vault", 2, 1), ("vault", 3, 1), ("work", 1, 1), ("work", 3, 1)]
    assert condense(archive) == [("work", 2)]
    shutil.rmtree(archive.path / "sealed" / "work")
    refresh(archive)
    assert known(archive) == [("vault", 2, 1), ("vault", 3, 1)]


@pytest.mark.parametrize("tier", ["", ".lz4", ".xz"])
def test_what_cannot_be_condensed(archive: Archive, tier: str) -> None:
    """Text that was changed, or is gone, or is no file: that it has to be read is kept, and it is not tried again."""
    if tier:
        archive.compress(tier)
    refresh(archive)
    for segment, spoil in ((1, os.unlink), (2, lambda path: path.write_bytes(b"?" * path.stat().st_size))):
        archive.text(segment).chmod(0o640)
        spoil(archive.text(segment))
    path = archive.text(3)
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")
    assert len(condense(archive)) == 6
    assert known(archive)[3:] == [("work", 1, 0), ("work", 2, 0), ("work", 3, 0)]
    assert condense(archive) == []


def test_more_than_may_be_kept(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects too often in one segment has it read."""
    monkeypatch.setattr("logchain.format.activity.MAX_ACTIVITY", 400)
    for number in range(3):
        archive.log(b"z%d" % number)
    archive.roll()
    archive.seal()
    condense(archive)
    assert known(archive)[3:] == [("work", 1, 1), ("work", 2, 1), ("work", 3, 1), ("work", 4, 0)]


def test_who_is_forgotten_meanwhile_leaves_no_trace(archive: Archive) -> None:
    """Where a segment is being read while its qube is forgotten, nothing of it is kept."""
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        condensing = catalog.condense()
        assert next(condensing).vm == "vault"
        archive.forget("vault")
        with closing(Catalog(store)) as other:
            other.forget("vault")
        assert next(condensing).vm == "vault"
        assert {one.vm for one in condensing} == {"vault", "work"}
    assert known(archive) == [("work", n, 1) for n in (1, 2, 3)]
    assert b"vault" not in (archive.path / "catalog.sqlite").read_bytes()


def test_nothing_is_condensed_where_it_cannot_stay(archive: Archive) -> None:
    """A catalog in memory, or one that cannot be written any more."""
    (archive.path / "catalog.sqlite").mkdir()
    assert condense(archive) == []
    (archive.path / "catalog.sqlite").rmdir()
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        condensing = catalog.condense()
        next(condensing)
        with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database:
            database.execute("DROP TABLE activity")
        assert list(condensing) == []


def test_rebuild_believes_no_activity(archive: Archive) -> None:
    """Rows that are canonical and wrong are made anew."""
    condense(archive)
    good = rows(archive, "SELECT * FROM activity")
    with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database, database:
        database.execute("UPDATE activity SET told = '5'")
    assert condense(archive) == []
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.rebuild()
        assert len(list(catalog.condense())) == 6
    assert rows(archive, "SELECT * FROM activity") == good
