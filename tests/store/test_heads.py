"""Lists of heads: each says what is new since the last, and stays as long as it says something."""

import os
import random
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.errors import Full, StoreError
from logchain.format.heads import Head, parse_heads
from logchain.format.ledger import Birth, Entry, Evict, Heads, Seal
from logchain.format.record import LINE
from logchain.format.slots import WIPED
from logchain.store.archive import evict
from logchain.store.heads import KeptLists, OpenHeads
from logchain.store.sealer import seal_segment
from logchain.store.segments import closed_segments
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import check, entries, identity, opened, roll, seal, texts
from tests.store.test_durable import Disk


def record(store: Store, heads: OpenHeads | None = None) -> bool:
    """Record heads, in an opening of its own."""
    with opened(store) as (directory, ledger):
        return (heads or OpenHeads()).record(directory, ledger)


def lists(store: Store) -> dict[int, tuple[Head, ...]]:
    """Return what is listed, by the number of the entry."""
    paths = sorted((store.path / "ledger/heads").iterdir())
    return {int(path.name): parse_heads(path.read_bytes())[1] for path in paths}


def head(store: Store, segment: int = 1, stream: str = STREAM) -> Head:
    """Return the head that a segment should have now."""
    text, state = texts(store, stream=stream)[segment], store.state(stream=stream)
    assert state.segment == segment
    cut = text[: state.end]
    digest = sha256(cut).digest()
    return Head(identity(store, stream=stream), segment, cut.count(b"\n"), len(cut), state.tag, digest)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("again", [False, True], ids=["one daemon", "a new one each time"])
def test_only_what_is_new_is_listed(store: Store, again: bool) -> None:
    """Also by a daemon that was started anew: it reads the lists that are there."""
    keeps = OpenHeads()

    def heads() -> OpenHeads:
        return OpenHeads() if again else keeps

    assert not record(store, heads())
    store.log(b"x")
    store.log(b"y", stream="other")
    assert record(store, heads())
    assert not record(store, heads())
    assert lists(store) == {3: tuple(sorted([head(store), head(store, stream="other")]))}
    store.log(b"z")
    assert record(store, heads())
    assert lists(store)[4] == (head(store),)
    roll(store)
    seal(store)
    assert not record(store, heads())
    store.log(b"next")
    assert record(store, heads())
    assert lists(store)[6] == (head(store, 2),)
    events = [type(entry.event) for entry in check(store)[1:]]
    assert events == [Birth, Birth, Heads, Heads, Seal, Heads]


@pytest.mark.usefixtures("unsynced")
def test_a_sealed_segment_that_was_put_back_hides_none(store: Store) -> None:
    """Those behind it are listed all the same."""
    store.log(b"x")
    kept = {path: path.read_bytes() for path in store.directory().glob("0*")}
    roll(store)
    kept |= {path: path.read_bytes() for path in kept}
    seal(store)
    store.log(b"next")
    for path, data in kept.items():
        path.write_bytes(data)
    assert record(store)
    (listed,) = lists(store).values()
    assert listed == (head(store, 2),)


@pytest.mark.usefixtures("unsynced")
def test_lists_that_somebody_else_made(store: Store) -> None:
    """A command may record heads between the daemon's rounds: what it listed is not listed again."""
    heads = OpenHeads()
    store.log(b"x")
    record(store, heads)
    store.log(b"y")
    record(store)
    assert not record(store, heads)
    store.log(b"z")
    record(store, heads)
    assert [found[0].size for found in lists(store).values()] == sorted({head(store).size, *sizes(store)})


def sizes(store: Store) -> set[int]:
    """Return the sizes that are listed."""
    return {found.size for listed in lists(store).values() for found in listed}


@pytest.mark.usefixtures("unsynced")
def test_no_byte_is_read_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash of an open segment goes on where it was."""
    heads = OpenHeads()
    read: list[tuple[int, int]] = []
    real = os.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(".log") and size < 65_000:
            read.append((offset, offset + size))
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    ends = [0]
    for number in range(5):
        store.log(b"x" * 1_000 * number)
        record(store, heads)
        ends.append(store.state().end)
        assert read[-1] == (ends[-2], ends[-1])
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_what_is_not_committed_is_not_listed(store: Store) -> None:
    """A writer may be at work: the key state says how far."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"x" * 60_000] * 10, store.clock.wall())  # more than waits in memory
    assert (store.directory() / "00000001.log").stat().st_size > 300_000
    record(store)
    (listed,) = lists(store)[2]
    assert (listed, listed.records) == (head(store), 1)
    writer.commit()
    record(store)
    (listed,) = lists(store)[3]
    assert (listed.size > 600_000, listed) == (True, head(store))
    writer.close()


@pytest.mark.usefixtures("unsynced")
def test_what_is_closed_and_not_sealed_is_listed_too(store: Store) -> None:
    """Perhaps it cannot be sealed."""
    store.log(b"x")
    roll(store)
    expected = head(store)
    store.log(b"y")
    record(store)
    assert lists(store)[2] == (expected, head(store, 2))
    assert not record(store)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("name", ["00000001.log", "00000001.tags", "id", "ratchet"])
def test_what_is_damaged_stands_in_nobodys_way(store: Store, name: str) -> None:
    """Other streams are listed; a text that is shorter than its key state says is not."""
    store.log(b"x")
    store.log(b"y", stream="other")
    path = store.directory() / name
    path.write_bytes(path.read_bytes()[:100])
    record(store)
    listed = {found.stream_id for found in lists(store)[max(lists(store))]}
    assert identity(store, stream="other") in listed
    assert (len(listed) == 2) == (name == "00000001.tags")  # the key state tells its last tag


@pytest.mark.usefixtures("unsynced")
def test_more_than_a_list_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is more than one entry, each with its list."""
    monkeypatch.setattr("logchain.store.heads.MAX_HEADS", 3)
    for number in range(7):
        store.log(b"x", stream=f"s{number}")
    assert record(store)
    assert [len(found) for found in lists(store).values()] == [3, 3, 1]
    found = [head for listed in lists(store).values() for head in listed]
    assert found == sorted(found)
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_births_are_entered(store: Store) -> None:
    """Of each stream, with its first segment, whether it has one yet or not."""
    store.open(stream="a").close()
    assert record(store)
    assert not record(store)
    store.log(b"x", stream="a")
    store.log(b"x", stream="b")
    (store.directory(stream="a") / "ratchet").write_bytes(WIPED * 2)
    store.open(stream="a").close()
    record(store)
    a, b = identity(store, stream="a"), identity(store, stream="b")
    found = [entry.event for entry in check(store)[1:] if isinstance(entry.event, Birth)]
    assert found == [Birth(1, a, 1), Birth(3, a, 2), Birth(2, b, 1)]


def test_no_room_for_a_list_or_its_entry(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No list stays without its entry, and the next time there is one."""
    heads = OpenHeads()
    store.log(b"x")
    store.open(stream="other").close()
    disk = Disk(monkeypatch)
    disk.error = 28
    with opened(store) as (directory, ledger):
        heads.record(directory, ledger)
        store.log(b"y")
        for name in (".00000004.new", "ledger"):
            disk.fails = lambda *call, name=name: call == ("write", name)
            with pytest.raises(Full):
                heads.record(directory, ledger)
            disk.fails = lambda *_: False
            assert list(lists(store)) == [3]
        assert heads.record(directory, ledger)
    assert lists(store)[4] == (head(store),)
    check(store)


def test_a_list_behind_the_commit_point(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows whether the entry was made, its list stays for it."""
    heads = OpenHeads()
    store.log(b"x")
    disk = Disk(monkeypatch)
    with opened(store) as (directory, ledger):
        disk.fails = lambda what, name: (what, name) == ("sync", "entries") and ledger.number == 3
        ledger.append(Birth(1, identity(store), 1))
        with pytest.raises(StoreError):
            heads.record(directory, ledger)
    disk.fails = lambda *_: False
    assert list(lists(store)) == [2]
    assert not record(store, heads)  # it was: the next opening saw to it
    assert check(store)[-1].event == Heads(((1, 1),), sha256(_list(store, 2)).digest())


def needed(found: list[Entry]) -> set[int]:
    """Return the lists that must be kept, by the rule of the page (docs/spec/heads.md, 5)."""
    births = {entry.event.birth: entry.event.stream_id for entry in found if isinstance(entry.event, Birth)}
    gone = {(entry.event.stream_id, entry.event.segment) for entry in found if isinstance(entry.event, Evict)}
    kept = set()
    for entry in found:
        if isinstance(entry.event, Heads):
            named = {(births[birth], segment) for birth, segment in entry.event.segments}
            kept |= {entry.number} if named - gone else set()
    return kept


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("again", [False, True], ids=["one daemon", "a new one each time"])
@pytest.mark.parametrize("chance", range(8))
def test_lists_are_dropped_by_the_rule(tmp_path: Path, chance: int, again: bool) -> None:
    """Those and only those are there that name a segment that is not gone, whatever the clock does."""
    chances = random.Random(chance)
    store, heads, kept = Store.make(tmp_path / "store"), OpenHeads(), KeptLists()
    dropped = 0
    for _ in range(60):
        stream = chances.choice("abc")
        store.clock.now += chances.choice([0, 10**6, 10**9, -(10**9)])
        match chances.choice(["log", "log", "roll", "heads", "heads", "seal", "evict", "drop"]):
            case "log":
                store.log(b"x", stream=stream)
            case "roll":
                roll(store, stream=stream)
            case "heads":
                record(store, heads)
            case "seal":
                seal(store, stream=stream)
            case "evict":
                with opened(store) as (directory, ledger):
                    for path in sorted((store.path / "sealed" / VM / stream).glob("*.manifest"))[:2]:
                        evict(directory, ledger, VM, stream, int(path.name[:8]), "quota")
            case _:
                before = len(lists(store))
                with opened(store) as (directory, ledger):
                    (KeptLists() if again else kept).drop(directory, ledger)
                assert set(lists(store)) == needed(check(store))
                dropped += before - len(lists(store))
    with opened(store) as (directory, ledger):
        for stream in "abc":
            roll(store, stream=stream)
            for segment in closed_segments(directory, VM, stream):
                seal_segment(directory, ledger, VM, stream, segment)
            for path in sorted((store.path / "sealed" / VM / stream).glob("*.manifest")):
                evict(directory, ledger, VM, stream, int(path.name[:8]), "cap")
        kept.drop(directory, ledger)
    assert lists(store) == {}
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_only_lists_of_what_went_are_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store has a hundred thousand lists after a year, and a round comes every few seconds."""
    kept = KeptLists()
    for stream in "abcd":
        store.log(b"x", stream=stream)
        record(store)
        roll(store, stream=stream)
        seal(store, stream=stream)
    read = []

    def parse(data: bytes) -> tuple[bytes, tuple[Head, ...]]:
        read.append(data)
        return parse_heads(data)

    monkeypatch.setattr("logchain.store.heads.parse_heads", parse)
    with opened(store) as (directory, ledger):
        for stream, expected in (("", 4), ("", 0), ("c", 1), ("", 0)):
            if stream:
                evict(directory, ledger, VM, stream, 1, "quota")
            kept.drop(directory, ledger)
            assert len(read) == expected
            read.clear()
    assert len(lists(store)) == 3


def _list(store: Store, number: int) -> bytes:
    return (store.path / f"ledger/heads/{number:08}").read_bytes()


@pytest.mark.usefixtures("unsynced")
def test_lists_that_cannot_be_read_stay(store: Store) -> None:
    """They are evidence, of what nobody knows; as does a file that is no list, or has no entry."""
    store.log(b"x")
    record(store)
    roll(store)
    seal(store)
    heads = store.path / "ledger/heads"
    for name, data in (("00000002", b"nonsense"), ("00000001", b"x"), ("x", b"x")):
        (heads / name).unlink(missing_ok=True)
        (heads / name).write_bytes(data)
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 1, "cap")
        KeptLists().drop(directory, ledger)
    assert len(list(heads.iterdir())) == 3
    assert len(entries(store)) == 5
