"""What a round does: each thing at its age, once, and nothing twice."""

import errno
import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.compress import work
from logchain.compress.work import Compressor, Stopped
from logchain.format.errors import Busy, Full
from logchain.format.ledger import Birth, Seal
from logchain.format.settings import parse_settings
from logchain.store.clock import SystemClock
from logchain.store.configuration import read_settings
from logchain.store.layout import Directory, open_store
from logchain.store.ledger import open_ledger
from logchain.store.stream import Rolling
from tests.compress.conftest import Working
from tests.conftest import Store
from tests.store.sealing import check, roll

TEXT = "work/main/00000001.log"


def test_the_life_of_a_segment(store: Store, working: Working) -> None:
    """Open, fixed by heads; closed when idle, sealed; LZ4; xz; each at its age."""
    store.log(b"one", b"two")
    working.round()
    assert working.events() == ["genesis", "birth", "heads"]
    assert working.sealed() == []
    working.after(hours=1)
    assert working.sealed() == [TEXT]
    assert not list(store.directory().glob("*.log"))
    assert working.events()[3:] == ["seal"]
    working.after(hours=1)
    assert working.sealed() == [f"{TEXT}.lz4"]
    working.after(hours=71)
    assert working.sealed() == [f"{TEXT}.xz"]
    assert working.events()[4:] == []


def test_a_round_with_nothing_to_do_writes_nothing(store: Store, working: Working) -> None:
    """Neither entries nor lists nor files; only the catalog knows that there was a round."""
    store.log(b"one")
    working.after(hours=1)
    working.after(hours=1)
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    turns = len(working.turns)
    working.after(hours=5)
    after = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    assert {path.name for path in before if before[path] != after.get(path)} <= {"catalog.sqlite"}
    assert before.keys() == after.keys()
    assert len(working.turns) == turns


def test_a_stream_that_is_written_is_left_alone(store: Store, working: Working) -> None:
    """Its closed segments are sealed, the open one is not closed, whatever its age."""
    writer = store.open(rolling=Rolling(size=200))
    writer.start_session(b"session1", "logchain.Append")
    for _ in range(3):
        writer.append(b"-", [b"x" * 100], store.clock.wall())
        writer.commit()
    working.after(hours=5)
    assert len(working.sealed()) == store.state().segment - 1 > 0
    assert len(list(store.directory().glob("*.log"))) == 1
    writer.append(b"-", [b"goes on"], store.clock.wall())
    writer.close()
    assert store.lines()[-1] == b"goes on"


def test_segments_of_another_boot_are_sealed_at_once(store: Store, working: Working) -> None:
    """Nobody will write them any more."""
    store.log(b"one")
    store.clock.boot = b"\x22" * 16
    working.round()
    assert working.sealed() == [TEXT]


def test_heads_come_when_something_changed_and_not_too_often(store: Store, working: Working) -> None:
    """Every five minutes at most, and not when all is as it was."""
    store.log(b"one")
    working.round()
    store.log(b"two")
    working.after(hours=0.05)
    assert working.events().count("heads") == 1
    working.after(hours=0.05)
    assert working.events().count("heads") == 2
    working.after(hours=0.1)
    assert working.events().count("heads") == 2


def test_a_damaged_segment_is_told_once_and_stops_nobody(store: Store, working: Working) -> None:
    """It stays where it is; the other streams are sealed; the log has one line of it."""
    store.log(b"one", vm="bad")
    store.log(b"one", vm="good")
    path = store.directory("bad") / "00000001.log"
    path.write_bytes(path.read_bytes().replace(b" - one", b" ! one"))
    for _ in range(3):
        working.after(hours=1)
    assert working.sealed() == ["good/main/00000001.log.lz4"]
    assert path.exists()
    assert len([line for line in working.logged if "bad/main" in line and "sealed" in line]) == 1


def test_damaged_segments_stand_in_nobodys_way(store: Store, working: Working) -> None:
    """Nine of them, more than are tried at once: they stay and are told of, and those behind them are sealed.

    No round says that there is more to do when there is not.
    """
    for number in range(20):
        store.log(b"line %d" % number)
        roll(store)
    for number in range(1, 10):
        path = store.directory() / f"{number:08}.log"
        path.write_bytes(path.read_bytes().replace(b" - line", b" ! line"))
    left: list[bool] = []
    while not left or left[-1]:
        left.append(working.compressor.round(working.settings))
        assert len(left) < 10
    assert working.sealed() == [f"work/main/{number:08}.log" for number in range(10, 21)]
    turns = len(working.turns)
    working.round()
    assert not [turn for turn in working.turns[turns:] if "sealing" in turn]  # none is read again, for a while
    assert [f"{number:08}.log" in working.told() for number in range(1, 21)] == 9 * [True] + 11 * [False]
    seals = [entry.event.segment for entry in check(store) if isinstance(entry.event, Seal)]
    assert seals == list(range(10, 21))
    assert "the record or its tag was changed" in store.found()
    assert not [text for text in store.found() if "missing" in text]


def test_the_first_note_is_damaged_before_anybody_read_it(store: Store, working: Working) -> None:
    """It told which birth the segments behind it come from: there is but one."""
    for number in range(3):
        store.log(b"line %d" % number)
        roll(store)
    path = store.directory() / "00000001.log"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    working.round()
    assert working.sealed() == ["work/main/00000002.log", "work/main/00000003.log"]
    assert [entry.event.segment for entry in check(store) if isinstance(entry.event, Birth)] == [1]
    assert store.found() == ["the record or its tag was changed"]


def test_what_cannot_be_compressed_is_told_once_too(store: Store, working: Working) -> None:
    """Round after round; and once more when it was well in between."""
    store.log(b"one", vm="bad")
    working.after(hours=1)
    path = store.path / "sealed/bad/main/00000001.log"
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(good.replace(b" - one", b" - two"))

    def told() -> int:
        return len([line for line in working.logged if "segment 1 cannot be compressed" in line])

    for _ in range(3):
        working.after(hours=1)
    assert told() == 1
    path.unlink()
    working.after(hours=1)
    path.write_bytes(good)
    working.after(hours=1)
    assert working.sealed() == ["bad/main/00000001.log.lz4"]


def test_other_settings_are_in_the_ledger(store: Store, working: Working, tmp_path: Path) -> None:
    """Once, when they change, each byte of the file counts, and also when the file is gone."""
    path = tmp_path / "logchain.toml"
    seen = []
    for text in (None, b"# mine\r\n", b"# mine\r\n", b"# mine\n", None, None):
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_bytes(text)
        working.round(read_settings(str(path)) if text is not None else parse_settings(""))
        seen.append(working.events().count("config"))
    assert seen == [0, 1, 1, 2, 3, 3]
    assert sha256(b"# mine\r\n").hexdigest() in (store.path / "ledger/entries").read_text()


def test_a_backlog_holds_up_nobody(store: Store, working: Working) -> None:
    """Heads and evictions come between; a round says that there is more, and the last one that there is not."""
    for number in range(20):
        store.log(b"one", stream=f"s{number:02}")
    working.after(hours=1)
    store.clock.go(3_600 * 80)
    left: list[bool] = []
    for _ in range(3):
        store.log(b"more")
        left.append(working.compressor.round(working.settings))
        store.clock.go(301)
    assert left == [True, True, False]
    assert len([name for name in working.sealed() if name.endswith(".xz")]) == 20
    assert working.events().count("heads") == 3


def test_long_compressing_lets_heads_come_between(store: Store, working: Working) -> None:
    """However much there is to compress: a round ends when it took some seconds, and the next one begins with heads."""
    for number in range(5):
        store.log(b"one", stream=f"s{number}")
    working.after(hours=1)
    store.clock.go(3_600 * 80)

    def slowly(status: str) -> None:
        Working.turn(working, status)
        if status.startswith("compressing"):
            store.clock.go(301)

    working.compressor._turn = slowly
    rounds = 0
    store.log(b"the first")
    while working.compressor.round(working.settings):
        rounds += 1
        store.log(b"another")
        assert rounds < 10
    assert rounds == 4
    assert working.events().count("heads") == 5
    assert len([name for name in working.sealed() if name.endswith(".xz")]) == 5


def test_a_flood_evicts_nothing_young_and_nothing_of_others(store: Store, working: Working) -> None:
    """What is over the quota and old enough goes, with an entry each; the neighbour's oldest stays."""
    settings = parse_settings(
        '[collector]\nreserve = "0 B"\n[tiers]\nxz-after = "7 days"\n'
        '[each-vm]\nquota = "1 MiB"\nkeep-at-least = "2 days"\n'
    )
    store.log(b"the neighbour's", vm="quiet")
    for _ in range(4):
        store.log(*[os.urandom(300).hex().encode() for _ in range(1_000)], vm="flood")
        store.clock.go(86_400)
        working.round(settings)
    flood = [name for name in working.sealed() if name.startswith("flood")]
    assert flood == ["flood/main/00000003.log.lz4", "flood/main/00000004.log"]
    assert working.events().count("evict") == 2
    assert [name for name in working.sealed() if name.startswith("quiet")] == ["quiet/main/00000001.log.lz4"]
    assert any("flood/main: evicted segment 1 (quota)" in line for line in working.logged)


def test_a_command_appends_between_two_rounds(store: Store, working: Working) -> None:
    """The ledger is let go between rounds, and what others appended is taken up."""
    store.log(b"one")
    working.round()
    with open_store(store.path) as root, open_ledger(root, store.clock) as ledger:
        with pytest.raises(Busy):
            working.round()
        number = ledger.number
    working.after(hours=1)
    assert working.events()[number:] == ["seal"]


def test_a_round_ends_when_it_is_told_to(store: Store, working: Working) -> None:
    """Between two steps; the next round goes on."""
    for number in range(3):
        store.log(b"one", stream=f"s{number}")

    def stop(status: str) -> None:
        Working.turn(working, status)
        if len(working.turns) == 2:
            raise Stopped

    working.compressor._turn = stop
    with pytest.raises(Stopped):
        working.after(hours=1)
    assert len(working.sealed()) == 1
    working.round()
    assert len(working.sealed()) == 3
    assert working.events().count("seal") == 3


def test_the_catalog_is_made_again_when_it_is_odd(store: Store, working: Working) -> None:
    """Rubbish in its place, or none, costs one round nothing; a link is not followed."""
    store.log(b"one")
    working.after(hours=1)
    path = store.path / "catalog.sqlite"
    good = path.read_bytes()
    for damage in (lambda: path.write_bytes(b"rubbish" * 1_000), path.unlink, lambda: path.write_bytes(good[:5_000])):
        damage()
        working.after(hours=0.1)
        assert b"main" in path.read_bytes()


def test_a_link_in_the_catalogs_place(store: Store, working: Working, tmp_path: Path) -> None:
    """It is replaced, and what it points to is not touched."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (store.path / "catalog.sqlite").symlink_to(outside)
    working.round()
    assert outside.read_bytes() == b"precious"
    assert not (store.path / "catalog.sqlite").is_symlink()


def test_the_systems_clock_serves_as_well(store: Store) -> None:
    """A round with real time: what is of another boot is sealed."""
    store.log(b"one")
    working = Working(store)
    working.compressor._clock = SystemClock()
    working.round()
    working.close()
    assert working.sealed() == [TEXT]


def test_who_has_many_segments_does_not_hold_up_the_others(store: Store, working: Working) -> None:
    """A few of each stream in a round, and lists in between; the next round goes on at once."""
    writer = store.open("a", rolling=Rolling(size=1))
    writer.start_session(b"session1", "logchain.Append")
    for number in range(30):
        writer.append(b"-", [b"%d" % number], store.clock.wall())
        writer.commit()
    writer.close()
    store.log(b"one", vm="b")
    store.clock.boot = b"\x22" * 16
    assert working.compressor.round(working.settings)
    assert "b/main/00000001.log" in working.sealed()
    assert working.events().count("heads") == 1
    while working.compressor.round(working.settings):
        pass
    assert len([name for name in working.sealed() if name.startswith("a/")]) >= 30


@pytest.mark.parametrize("name", ["id", "00000001.manifest"])
def test_a_file_that_the_disk_refuses_is_of_its_stream_alone(
    store: Store, working: Working, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """EIO in one stream's id, or in place of its manifest, is told once; the others are sealed."""
    for vm in ("a", "b"):
        store.log(b"one", vm=vm)
        writer = store.open(vm)
        writer.roll("size")
        writer.close()
    read = Directory.read

    def refuse(directory: Directory, wanted: str, limit: int) -> bytes:
        if wanted == name and directory.path.endswith("/a/main"):
            raise OSError(errno.EIO, "Input/output error")
        return read(directory, wanted, limit)

    monkeypatch.setattr(Directory, "read", refuse)
    working.round()
    working.round()
    assert working.sealed() == ["b/main/00000001.log"]
    assert len([line for line in working.logged if line.startswith("a/main: ")]) == 1


def test_a_full_disk_does_not_keep_the_old_from_going(
    store: Store, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits to be sealed finds no room; what is over its quota goes, and the round says that the disk is full."""
    settings = parse_settings('[collector]\nreserve = "0 B"\n[each-vm]\nquota = "1 B"\nkeep-at-least = "1 s"\n')
    store.log(b"one")
    working.after(hours=1)
    store.log(b"two")
    store.clock.go(7_200)

    def refuse(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(work, "seal_segment", refuse)
    with pytest.raises(Full):
        working.compressor.round(settings)
    assert working.sealed() == []
    assert working.events()[-1] == "evict"


def test_a_catalog_that_lies_evicts_nothing(store: Store, working: Working) -> None:
    """Ages are looked up where they are signed; rows that are not ours are not looked at."""
    settings = parse_settings('[collector]\nreserve = "0 B"\n[each-vm]\nquota = "1 B"\n')
    store.log(b"one")
    working.after(hours=1)
    for lie in ("age = -100000000", "age = 'x'", "room = 'x'", "vm = '../../x'"):
        with sqlite3.connect(store.path / "catalog.sqlite") as catalog:
            catalog.execute(f"UPDATE segments SET {lie}")
        catalog.close()
        working.compressor.round(settings)
        assert len(working.sealed()) == 1
    assert "evict" not in working.events()


def condensed(store: Store) -> list[tuple[object, ...]]:
    """Return of which segments the catalog has the activity."""
    with closing(sqlite3.connect(store.path / "catalog.sqlite")) as database:
        return database.execute("SELECT segment FROM activity").fetchall()


def closed(store: Store, count: int) -> None:
    """Store some segments that are closed."""
    for number in range(count):
        store.log(b"line %d" % number)
        writer = store.open()
        writer.roll("size")
        writer.close()


def test_what_was_sealed_is_condensed_in_the_same_round(store: Store, working: Working) -> None:
    """Before it is compressed, with a sign of life for each; and once."""
    closed(store, 2)
    store.clock.go(3_600)
    tiers = working.settings.tiers._replace(lz4_after=0)
    working.round(working.settings._replace(tiers=tiers))
    assert condensed(store) == [(1,), (2,)]
    assert working.turns[2:4] == ["condensing work/main 2", "condensing work/main 1"]
    assert working.turns[4] == "compressing work/main 1"
    working.round()
    assert len([turn for turn in working.turns if turn.startswith("condensing")]) == 2


def test_a_round_condenses_no_more_than_it_may(store: Store, working: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is for the next one, which comes at once; also what a stop left."""
    monkeypatch.setattr(work, "_TEXT_AT_ONCE", 1)
    closed(store, 4)
    assert working.compressor.round(working.settings)
    assert condensed(store) == [(4,)]
    assert working.compressor.round(working.settings)
    assert condensed(store) == [(3,), (4,)]
    monkeypatch.setattr(work, "_TEXT_AT_ONCE", 1_000_000)

    def stop(status: str) -> None:
        if status == "condensing work/main 1":
            raise Stopped

    with open_store(store.path) as directory:
        stopping = Compressor(directory, store.clock, lambda *_: None, stop)
        with pytest.raises(Stopped):
            stopping.round(working.settings)
        stopping.close()
    assert condensed(store) == [(2,), (3,), (4,)]
    assert not working.compressor.round(working.settings)
    assert len(condensed(store)) == 4
