"""What `status` adds up: room, rate, standing, what waits, what needs a person; the same with a catalog and without."""

import fcntl
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from logchain.compress.catalog import Catalog
from logchain.format.settings import DEFAULT_SETTINGS, Settings, parse_settings
from logchain.read.status import BudgetStatus, Status, read_status
from logchain.store.layout import open_store
from logchain.store.room import ledger_usage, usage
from logchain.store.stream import Rolling
from tests.read.archived import Archive

DAY = 86_400


@pytest.fixture
def archive(tmp_path: Path, unsynced: None) -> Archive:  # noqa: ARG001 (a fixture)
    """A store in which the compressor just ended a round."""
    archive = Archive.make(tmp_path / "store")
    (archive.path / "keys" / "compressor").touch()
    return archive


def catalogued(archive: Archive, **state: int | str) -> None:
    """Bring the catalog up to the files, as if they had changed some time ago."""
    before = time.time_ns() - 10_000_000_000
    for path in (archive.path / "sealed").glob("*/*"):
        os.utime(path, ns=(before, before))
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        catalog.tell(round=archive.clock.now, **state)


def status(archive: Archive, settings: str | Settings = "") -> Status:
    """Look at the store, with the catalog and without it: both have to say the same."""
    settings = parse_settings(settings) if isinstance(settings, str) else settings
    with open_store(archive.path) as store:
        found = read_status(store, settings, archive.clock.now)
        path = archive.path / "catalog.sqlite"
        if path.exists():
            path.rename(archive.path / "hidden")
            slow = read_status(store, settings, archive.clock.now)
            (archive.path / "hidden").rename(path)
            assert replace(found, catalog="", compressor=slow.compressor, free=slow.free) == replace(slow, catalog="")
    return found


def budget(found: Status, name: str) -> BudgetStatus:
    """Return one row."""
    (row,) = [row for row in found.budgets if row.name == name]
    return row


def test_an_empty_store(archive: Archive) -> None:
    """Nothing is used but the ledger, and nothing waits."""
    found = status(archive)
    assert found.budgets == []
    assert found.total == found.ledger_room > 0
    assert (found.ledger.entries, found.ledger.time, found.ledger.problem) == (1, archive.clock.now, "")
    assert len(found.ledger.fingerprint) == 64
    assert found.catalog == "there is none yet"


def test_room_is_what_counts_against_the_quota(archive: Archive) -> None:
    """To the byte as collector and compressor weigh it: open, closed, sealed, compressed, in quarantine."""
    for vm in ("work", "vault"):
        for number in range(3):
            archive.log(b"x" * 100 * number, vm=vm)
            archive.roll(vm)
    archive.seal("work", block_size=4096)
    archive.compress(".lz4")
    archive.log(b"more")
    quarantine = archive.directory("vault") / "quarantine"
    quarantine.mkdir(exist_ok=True)
    (quarantine / "1-00000001.log").write_bytes(b"x" * 10_000)
    catalogued(archive)
    found = status(archive)
    with open_store(archive.path) as store:
        assert {row.name: row.used for row in found.budgets} == {vm: size for (vm, _), size in usage(store).items()}
        assert found.ledger_room == ledger_usage(store)
        assert found.total == sum(usage(store).values()) + ledger_usage(store)


def test_segments_and_what_waits(archive: Archive) -> None:
    """Sealed, open, and closed ones that the compressor has not sealed yet, with the oldest of them."""
    clock = archive.clock
    for _ in range(2):
        archive.log(b"x")
        archive.roll()
        clock.go(60)
    archive.seal()
    sealed = sum(path.stat().st_size for path in archive.sealed().glob("*.log"))
    archive.log(b"x")
    archive.roll()
    oldest = clock.now
    closed = (archive.directory() / "00000003.log").stat().st_size
    clock.go(60)
    archive.log(b"y")
    catalogued(archive)
    found = status(archive).segments
    assert (found.sealed, found.sealed_size, found.open) == (2, sealed, 1)
    assert (found.waiting, found.waiting_size, found.oldest) == (1, closed, oldest)


def test_a_segment_in_both_places_counts_once(archive: Archive) -> None:
    """As a crash leaves it between its seal and its removal from live/."""
    archive.log(b"x")
    archive.roll()
    kept = {name: (archive.directory() / name).read_bytes() for name in ("00000001.log", "00000001.tags")}
    archive.seal()
    for name, data in kept.items():
        (archive.directory() / name).write_bytes(data)
    catalogued(archive)
    found = status(archive)
    assert (found.segments.sealed, found.segments.waiting) == (1, 0)
    assert budget(found, "work").text == len(kept["00000001.log"])


def test_the_rate_is_that_of_the_last_seven_days(archive: Archive) -> None:
    """A segment that began before counts for the part of its time that falls into them."""
    writer = archive.open(rolling=Rolling(age=1_000 * DAY * 1_000_000))
    writer.start_session(b"session1", "logchain.Append")
    writer.append(b"-", [b"x" * 100], archive.clock.now)
    archive.clock.go(10 * DAY)
    writer.append(b"-", [b"x" * 100], archive.clock.now)
    writer.close()
    row = budget(status(archive), "work")
    assert row.rate == pytest.approx(row.text * 7 / 10 / 7, rel=0.01)
    archive.clock.go(8 * DAY)
    row = budget(status(archive), "work")
    assert (row.rate, row.days) == (0, None)


def test_the_rate_of_a_young_vm(archive: Archive) -> None:
    """It is counted from its first record on, but over a day at least: who begins sends much."""
    archive.log(b"x" * 1000)
    row = budget(status(archive), "work")
    assert row.rate == row.text
    archive.clock.go(2 * DAY)
    assert budget(status(archive), "work").rate == pytest.approx(row.text / 2)


def test_a_clock_that_was_set_back(archive: Archive) -> None:
    """Times in the future are no reason to fail, and no rate below nothing."""
    archive.clock.go(100 * DAY)
    archive.log(b"x")
    archive.clock.now -= 100 * DAY * 1_000_000
    row = budget(status(archive), "work")
    assert row.rate >= 0
    assert row.last > archive.clock.now


def test_how_long_the_quota_lasts(archive: Archive) -> None:
    """What is left of it, at that rate, if text takes as much room as it does now."""
    archive.log(b"x" * 100_000)
    archive.clock.go(4 * DAY)
    row = budget(status(archive, '[each-vm]\nquota = "1 MiB"'), "work")
    assert row.days == pytest.approx(((1 << 20) - row.used) / (row.used / 4))
    assert budget(status(archive, '[each-vm]\nquota = "4 KiB"'), "work").days == 0


def test_disposables_are_one_row(archive: Archive) -> None:
    """They share a quota; one that has settings of its own stands alone."""
    for vm in ("disp1", "disp22", "disp333", "dispatcher"):
        archive.log(b"x", vm=vm)
    found = status(archive, '[vm.disp333]\nrate = "1 MiB/s"')
    assert {(row.name, row.vms) for row in found.budgets} == {("disp*", 2), ("disp333", 1), ("dispatcher", 1)}
    assert budget(found, "disp*").quota == 1 << 30
    with open_store(archive.path) as store:
        used = usage(store)
    assert budget(found, "disp*").used == used["disp1", "main"] + used["disp22", "main"]


def _quota(size: int, cap: int | None = None) -> Settings:
    vm = DEFAULT_SETTINGS.each_vm._replace(quota=size)
    store = DEFAULT_SETTINGS.store._replace(cap=cap) if cap is not None else DEFAULT_SETTINGS.store
    return DEFAULT_SETTINGS._replace(each_vm=vm, store=store)


def test_standing(archive: Archive) -> None:
    """Within the quota; over it when it is full; spent when a quarter more is; over where the store is at its cap."""
    archive.log(b"x" * 1000)
    used = budget(status(archive), "work").used
    total = status(archive).total
    for settings, standing in (
        (_quota(used + 1), "within"),
        (_quota(used), "over"),
        (_quota(used * 4 // 5 + 1), "over"),
        (_quota(used * 4 // 5), "spent"),
        (_quota(used + 1, cap=total + 1), "within"),
        (_quota(used + 1, cap=total), "over"),
    ):
        assert budget(status(archive, settings), "work").standing == standing, settings


def test_the_fullest_come_first(archive: Archive) -> None:
    """By the share of their own quota."""
    archive.log(b"x" * 100_000, vm="big")
    archive.log(b"x", vm="small")
    archive.log(b"x", vm="tiny")
    found = status(archive, '[vm.tiny]\nquota = "8 KiB"')
    assert [row.name for row in found.budgets] == ["tiny", "big", "small"]


def test_last_seen_and_connected(archive: Archive) -> None:
    """The newest record of all its streams; connected while a session of this boot is open."""
    archive.log(b"x", stream="a")
    archive.clock.go(60)
    archive.log(b"x", stream="b")
    row = budget(status(archive), "work")
    assert (row.last, row.connected) == (archive.clock.now, 0)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    archive.clock.boot = bytes.fromhex(boot)
    writer = archive.open(stream="a")
    writer.start_session(b"session1", "logchain.Append")
    writer.commit()
    assert budget(status(archive), "work").connected == 1
    writer.abandon()


def test_who_is_seen_when_nothing_is_live(archive: Archive) -> None:
    """A sealed stream without its live directory has been seen last at its last record."""
    archive.log(b"x")
    archive.roll()
    archive.seal()
    (archive.directory() / "ratchet").unlink()
    found = status(archive)
    assert budget(found, "work").last == archive.clock.now
    assert found.unreadable == ["work/main"]
    assert "work/main cannot be read; 'logchain verify' tells what holds" in found.attention


def test_all_is_well(archive: Archive) -> None:
    """A compressor that runs and ended a round: nobody has to look."""
    archive.log(b"x")
    catalogued(archive, complaints="")
    with (archive.path / "keys" / "compressor").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = status(archive)
        assert (found.compressor.runs, found.compressor.round) == (True, archive.clock.now)
        assert found.attention == []
        archive.clock.go(3_700)
        assert status(archive).attention == ["log-compressor has ended no round for over an hour; its log tells why"]
    assert status(archive).compressor.runs is False


def test_a_look_takes_nobodys_lock(archive: Archive) -> None:
    """After it the compressor can start."""
    status(archive)
    with (archive.path / "keys" / "compressor").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_compressor_that_may_not_be_looked_at(archive: Archive) -> None:
    """Then its last round has to tell; where that is not known either, nobody can."""
    (archive.path / "keys").rename(archive.path / "aside")
    (archive.path / "keys").symlink_to("aside")
    found = status(archive)
    assert found.compressor.runs is None
    assert found.attention == ["nobody can tell whether log-compressor runs; ask as root, or as the store's owner"]
    catalogued(archive)
    assert status(archive).attention == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('[store]\ncap = "1 KiB"', "the store is over its cap"),
        ('[collector]\nreserve = "900000 TiB"', "less is free on the disk than the reserve"),
        ('[each-vm]\nquota = "1 KiB"', "work has used its quota and a quarter more"),
    ],
)
def test_what_needs_a_person(archive: Archive, settings: str, told: str) -> None:
    """Each has a line that says what to do."""
    archive.log(b"x")
    assert [line for line in status(archive, settings).attention if line.startswith(told)]
    assert not [line for line in status(archive).attention if line.startswith(told)]


def test_complaints(archive: Archive) -> None:
    """What the compressor could not do is told as it left it."""
    catalogued(archive, complaints="work/main: one\nwork/main: two")
    found = status(archive)
    assert found.compressor.complaints == ["work/main: one", "work/main: two"]
    assert "log-compressor could not do all: see above" in found.attention


def test_a_ledger_that_cannot_be_read(archive: Archive) -> None:
    """Torn at its end it is as it was; empty, broken or gone it needs a person."""
    archive.log(b"x")
    archive.list_heads()
    path = archive.path / "ledger" / "entries"
    good = path.read_bytes()
    assert status(archive).ledger.entries == 3
    for torn in (1, 300, len(good) - good.rfind(b"logchain ledger v1") - 1):
        path.write_bytes(good[:-torn])
        assert (status(archive).ledger.entries, status(archive).ledger.problem) == (2, "")
    for bad in (b"", b"x" * 10_000, good + b"x" * 5_000, good.replace(b"genesis", b"Genesis")):
        path.write_bytes(bad)
        found = status(archive)
        assert found.ledger.problem
        assert [line for line in found.attention if line.startswith("the ledger cannot be read")]
    path.unlink()
    assert status(archive).ledger.problem == "there is none"


def test_a_stream_that_was_never_written(archive: Archive) -> None:
    """A birth that was cut short is nothing to worry about."""
    archive.directory("work", "new").mkdir(parents=True)
    found = status(archive)
    assert found.unreadable == []
    assert budget(found, "work").last == 0
