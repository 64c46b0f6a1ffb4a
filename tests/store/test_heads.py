"""Lists of heads: each says what is new since the last, and stays as long as it says something."""

import os
import random
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.errors import Full, StoreError
from logchain.format.heads import Head, parse_heads
from logchain.format.ledger import Birth, Delete, Entry, Evict, Heads, Seal
from logchain.format.manifest import parse_manifest
from logchain.format.record import LINE, parse_record
from logchain.format.signed_note import parse_note
from logchain.format.slots import WIPED
from logchain.store.archive import evict
from logchain.store.heads import OpenHeads, drop_lists
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
    assert check(store)[-1].event == Heads(1, sha256((store.path / "ledger/heads/00000002").read_bytes()).digest())


def needed(store: Store, found: list[Entry]) -> set[int]:
    """Return the lists that must be kept, by the rule of the page (docs/spec/heads.md, 5)."""
    sealed: dict[tuple[bytes, int], int] = {}
    for entry in found:
        if isinstance(entry.event, Seal):
            sealed[entry.event.stream_id, entry.event.segment] = entry.number
        elif isinstance(entry.event, Evict | Delete):
            del sealed[entry.event.stream_id, entry.event.segment]
    there: list[tuple[int, float]] = []
    for path in (store.path / "sealed").rglob("*.manifest"):
        manifest = parse_manifest(parse_note(path.read_bytes(), 1 << 20, most=1).text)
        there.append((manifest.first_time, sealed[manifest.stream_id, manifest.segment]))
    live = [path.read_bytes().partition(b"\n")[0] for path in (store.path / "live").rglob("*.log")]
    there += [(parse_record(line).time, float("inf")) for line in live]
    heads = [entry for entry in found if isinstance(entry.event, Heads)]
    return {entry.number for entry in heads if any(time <= entry.time and end > entry.number for time, end in there)}


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("chance", range(15))
def test_lists_are_dropped_by_the_rule(tmp_path: Path, chance: int) -> None:
    """What must be kept is, whatever the clock does; what speaks of segments that are gone only, goes then."""
    chances = random.Random(chance)
    store, heads = Store.make(tmp_path / "store"), OpenHeads()
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
                before = set(lists(store))
                with opened(store) as (directory, ledger):
                    drop_lists(directory, ledger)
                found, left = check(store), set(lists(store))
                assert needed(store, found) & before <= left
                for number in left - needed(store, found):  # kept for a segment that it names: that is allowed
                    there = {(head.stream_id, head.segment) for head in parse_heads(_list(store, number))[1]}
                    assert there - gone(found)
                dropped += len(before - left)
    with opened(store) as (directory, ledger):
        for stream in "abc":
            roll(store, stream=stream)
            for segment in closed_segments(directory, VM, stream):
                seal_segment(directory, ledger, VM, stream, segment)
            for path in sorted((store.path / "sealed" / VM / stream).glob("*.manifest")):
                evict(directory, ledger, VM, stream, int(path.name[:8]), "cap")
        drop_lists(directory, ledger)
    assert lists(store) == {}
    check(store)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("sealed_after", [False, True])
def test_a_list_that_names_only_what_is_gone(store: Store, sealed_after: bool) -> None:
    """It is kept for a segment that it does not repeat, began before it, and was sealed by the very next entry."""
    store.log(b"x", stream="a")
    store.log(b"x", stream="b")
    record(store)
    if not sealed_after:
        roll(store, stream="b")
        seal(store, stream="b")
    store.log(b"y", stream="a")
    record(store)
    second = max(lists(store))
    assert [head.stream_id for head in lists(store)[second]] == [identity(store, stream="a")]
    for stream in "ba":
        roll(store, stream=stream)
        seal(store, stream=stream)
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, "a", 1, "quota")
        drop_lists(directory, ledger)
        assert (second in lists(store)) == sealed_after
        evict(directory, ledger, VM, "b", 1, "quota")
        drop_lists(directory, ledger)
    assert lists(store) == {}


def _list(store: Store, number: int) -> bytes:
    return (store.path / f"ledger/heads/{number:08}").read_bytes()


def gone(found: list[Entry]) -> set[tuple[bytes, int]]:
    """Return what was evicted."""
    return {(entry.event.stream_id, entry.event.segment) for entry in found if isinstance(entry.event, Evict)}


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
        drop_lists(directory, ledger)
    assert len(list(heads.iterdir())) == 3
    assert len(entries(store)) == 5
