"""The ledger: one chain whatever happens, each key used once and gone then, and nothing written over what is there."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from logchain.format.errors import Busy, Full, StoreError, WriteFailed
from logchain.format.ledger import Config, Forget, Heads, entry_key_name, log_key_name, split_entries
from logchain.format.ledger_keys import parse_log_key, read_ledger_keys
from logchain.format.signed_note import open_note, parse_note, sign
from logchain.format.slots import WIPED
from logchain.read.verify import Verdict
from logchain.store.layout import open_store
from logchain.store.ledger import Ledger, open_ledger
from tests.conftest import Store
from tests.store.sealing import check, entries, opened
from tests.store.test_durable import Disk

EVENT = Config(b"c" * 32)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that can fail."""
    return Disk(monkeypatch)


def append(store: Store, count: int = 1) -> None:
    """Append entries in an opening of their own."""
    with opened(store) as (_, ledger):
        for _ in range(count):
            ledger.append(EVENT)


def files(store: Store) -> dict[str, bytes]:
    """Return every file of ledger/ and keys/."""
    found = (path for part in ("ledger", "keys") for path in (store.path / part).rglob("*") if path.is_file())
    return {str(path.relative_to(store.path)): path.read_bytes() for path in found}


@pytest.mark.usefixtures("unsynced")
def test_entries_are_one_chain(store: Store) -> None:
    """Whatever is appended in one opening or several, each entry is signed by the key that the one before names."""
    append(store)
    append(store, 20)
    found = check(store)
    assert len(found) == 22
    with opened(store) as (_, ledger):
        assert ledger.number == 22
        assert ledger.state.config == EVENT.digest


@pytest.mark.usefixtures("unsynced")
def test_keys_of_before_are_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each append one seed is on the disk, the next one's; and none that signed."""
    seeds: list[bytes] = []
    real = os.urandom

    def remembered(size: int) -> bytes:
        seeds.append(real(size))
        return seeds[-1]

    monkeypatch.setattr(os, "urandom", remembered)
    append(store)
    with opened(store) as (_, ledger):
        for _ in range(5):
            ledger.append(EVENT)
            there = b"".join(path.read_bytes() for path in store.path.rglob("*") if path.is_file())
            assert [seed in there for seed in seeds] == [False] * (len(seeds) - 1) + [True]
    assert len(seeds) == 6


@pytest.mark.usefixtures("unsynced")
def test_a_manifest_is_signed_with_the_key_of_the_next_entry(store: Store) -> None:
    """The key that the last entry names; so what is signed has to be named before anything else is."""
    with opened(store) as (_, ledger):
        for _ in range(3):
            note = ledger.sign(b"text\n")
            assert open_note(note, entries(store)[-1].next, 1_000) == b"text\n"
            ledger.append(EVENT)


@pytest.mark.usefixtures("unsynced")
def test_age_is_running_time(store: Store) -> None:
    """Seconds since the store was made, over all boots; the wall clock may jump; fractions add up."""
    ages = []
    with opened(store) as (_, ledger):
        for seconds in (0.4, 0.4, 0.4, 10.9, 0.0):
            store.clock.go(seconds)
            store.clock.now -= 10**12
            assert ledger.append(EVENT).age == ledger.age()
            ages.append(ledger.age())
    assert ages == [0, 0, 1, 12, 12]
    store.clock.boot, store.clock.up = b"\x22" * 16, 7_900_000
    with opened(store) as (_, ledger):
        assert ledger.age() == 12 + 7  # since this boot began: what ran after the last entry is not known
        store.clock.go(1)
        assert ledger.append(EVENT).age == 20
        store.clock.go(0.2)
        assert ledger.age() == 21  # 7.9 + 1 + 0.2 s in this boot
        assert ledger.append(EVENT).age == 21
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_one_writer(store: Store) -> None:
    """Who comes second is told so; between rounds others may append, and this is noticed."""
    with open_store(store.path) as directory:
        ledger = open_ledger(directory, store.clock)
        with pytest.raises(Busy):
            open_ledger(directory, store.clock)
        ledger.let_go()
        assert ledger.take_up()
        ledger.append(EVENT)
        ledger.let_go()
        other = open_ledger(directory, store.clock)
        with pytest.raises(Busy):
            ledger.take_up()
        other.close()
        assert ledger.take_up()
        ledger.let_go()
        append(store)
        assert not ledger.take_up()
        ledger.close()
    assert len(check(store)) == 3


def pending(store: Store) -> bytes:
    """Append an entry, and take it out of `entries` again, as if its append had not begun; return its bytes."""
    append(store, 2)
    path = store.path / "ledger/entries"
    data = path.read_bytes()
    last = split_entries(data)[0][-1]
    path.write_bytes(data.removesuffix(last))
    return last


@pytest.mark.usefixtures("unsynced")
def test_a_lock_that_the_system_refuses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told as any error of the store, when it is taken and when it is let go; the next round goes on."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with open_store(store.path) as directory, open_ledger(directory, store.clock) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", refuse)
            with pytest.raises(StoreError, match="Input/output error"):
                ledger.let_go()
            with pytest.raises(StoreError, match="Input/output error"):
                open_ledger(directory, store.clock)
        assert ledger.take_up()
        ledger.append(Config(bytes(32)))


def test_a_pending_entry_is_appended(store: Store) -> None:
    """Whichever part of it is there, the rest follows, the same bytes; and the checkpoint."""
    last = pending(store)
    path = store.path / "ledger/entries"
    before = path.read_bytes()
    for size in [*range(0, len(last), 37), len(last)]:
        path.write_bytes(before + last[:size])
        (store.path / "ledger/checkpoint").unlink()
        with opened(store) as (_, ledger):
            assert ledger.number == 3
        assert path.read_bytes() == before + last
        check(store)


def test_an_append_of_which_some_sectors_are_missing(store: Store) -> None:
    """What was not written reads as zeros: it is a torn end to `verify`, and the same bytes are written again."""
    append(store)
    path, checkpoint = store.path / "ledger/entries", store.path / "ledger/checkpoint"
    before, said = path.read_bytes(), checkpoint.read_bytes()
    append(store)
    last = path.read_bytes()[len(before) :]
    for torn in (bytes(len(last)), bytes(200) + last[200:], last[:200] + bytes(300) + last[500:], last[:-9] + bytes(9)):
        path.write_bytes(before + torn)
        checkpoint.write_bytes(said)
        assert store.verdict() != Verdict.DAMAGED, store.found()
        append(store, 0)
        assert path.read_bytes() == before + last
        check(store)


NO_PREFIX: dict[str, Callable[[bytes, bytes], bytes]] = {
    "a changed byte": lambda before, last: before + last[:100] + b"!" + last[101:],
    "more behind": lambda before, last: before + last + b"l",
    "more zeros than bytes": lambda before, last: before + bytes(len(last) + 1),
    "another entry": lambda before, last: before + last.replace(b"time 2", b"time 1"),
    "one entry less": lambda before, _: b"".join(split_entries(before)[0][:-1]),
    "cut in the one before": lambda before, _: before[:-1],
    "nothing": lambda *_: b"",
    "an entry twice": lambda before, last: before + last + last,
}


@pytest.mark.parametrize("case", NO_PREFIX)
@pytest.mark.usefixtures("unsynced")
def test_what_is_not_the_pending_entry_is_never_overwritten(store: Store, case: str) -> None:
    """Nothing is appended and nothing changed where `entries` does not end as the keys say."""
    last = pending(store)
    path = store.path / "ledger/entries"
    path.write_bytes(NO_PREFIX[case](path.read_bytes(), last))
    before = files(store)
    for _ in range(2):
        with pytest.raises(StoreError, match="does not end as keys/ledger says"):
            append(store)
        assert files(store) == before


@pytest.mark.parametrize("word", [b"config", b"genesis", b"next", b"previous", b"index 1", b"store", b"sha256"])
@pytest.mark.usefixtures("unsynced")
def test_a_ledger_that_was_changed(store: Store, word: bytes) -> None:
    """Whatever was changed in it, nothing is appended any more: the chain of hashes ends in our keys."""
    append(store, 3)
    path = store.path / "ledger/entries"
    data = path.read_bytes()
    path.write_bytes(data.replace(word, word.swapcase(), 1))
    before = files(store)
    with pytest.raises(StoreError, match="was changed at entry"):
        append(store)
    assert files(store) == before


@pytest.mark.usefixtures("unsynced")
def test_a_line_more(store: Store) -> None:
    """Entries that do not come to ten lines each are refused."""
    append(store, 3)
    path = store.path / "ledger/entries"
    path.write_bytes(path.read_bytes().replace(b"\nage", b"\n\nage", 1)[1:])
    with pytest.raises(StoreError, match="was changed at entry"):
        append(store)


def checkpoint(store: Store, size: int, root: bytes) -> bytes:
    """Return a checkpoint that the log key signed."""
    key = parse_log_key((store.path / "keys/log").read_bytes())
    name = log_key_name(key.store_id)
    return sign(format_checkpoint(Checkpoint(name, size, root)), name, key.seed)


@pytest.mark.usefixtures("unsynced")
def test_a_checkpoint_is_made_anew(store: Store) -> None:
    """One that is behind, or cannot be read, is of no use; one that is right stays, with what others signed."""
    path = store.path / "ledger/checkpoint"
    behind = path.read_bytes()
    append(store, 3)
    right = path.read_bytes()
    for data in (behind, b"", b"nonsense", right[:-2], right.replace(b"\n4\n", b"\n5\n"), right + right):
        path.write_bytes(data)
        append(store, 0)
        assert path.read_bytes() == right
    cosigned = right + "\N{EM DASH} witness AAAAAAA=\n".encode()
    path.write_bytes(cosigned)
    append(store, 0)
    assert path.read_bytes() == cosigned
    path.unlink()
    append(store, 0)
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_a_checkpoint_that_knows_more(store: Store) -> None:
    """A ledger that is older than its checkpoint, or another than it says, would fork if it went on."""
    append(store, 3)
    path = store.path / "ledger/checkpoint"
    root = parse_checkpoint(parse_note(path.read_bytes(), 10_000).text).root
    for size, found in ((5, root), (4, b"r" * 32), (2, b"r" * 32)):
        path.write_bytes(checkpoint(store, size, found))
        before = files(store)
        with pytest.raises(StoreError, match="checkpoint"):
            append(store)
        assert files(store) == before


LOST = {  # what is moved away, or replaced
    "no ledger": ("ledger", None),
    "no entries": ("ledger/entries", None),
    "no heads": ("ledger/heads", None),
    "no keys": ("keys", None),
    "no key": ("keys/ledger", None),
    "key wiped": ("keys/ledger", WIPED * 2),
    "no log key": ("keys/log", None),
    "log key empty": ("keys/log", b""),
}


@pytest.mark.parametrize("case", LOST)
@pytest.mark.usefixtures("unsynced")
def test_what_is_lost_is_told(store: Store, case: str) -> None:
    """The ledger cannot go on; the error says what is missing, and collectors do not mind."""
    name, data = LOST[case]
    (store.path / name).rename(store.path / "elsewhere")
    if data is not None:
        (store.path / name).write_bytes(data)
    with pytest.raises(StoreError, match="lost"):
        append(store)
    store.log(b"x")
    assert store.lines() == [b"x"]


@pytest.mark.usefixtures("unsynced")
def test_a_log_key_of_another(store: Store) -> None:
    """The key that signs checkpoints has to be the one that genesis names."""
    path = store.path / "keys/log"
    path.write_bytes(path.read_bytes()[:-10] + b"012345678\n")
    with pytest.raises(StoreError, match="not the key that the ledger began with"):
        append(store)


@pytest.mark.usefixtures("unsynced")
def test_a_list_without_an_entry(store: Store) -> None:
    """What a crash left of a list that was never entered goes, before another entry gets its number."""
    heads = store.path / "ledger/heads"
    for name in ("00000001", ".00000001.new", "00000002"):
        (heads / name).write_bytes(b"x")
    append(store)
    assert [path.name for path in heads.iterdir()] == ["00000002"]  # not ours to remove, for no crash made it


@pytest.mark.usefixtures("unsynced")
def test_lists_that_are_gone_are_not_remembered(store: Store) -> None:
    """Of the entries `heads`, which are most, only those stay in memory whose lists are there."""
    with opened(store) as (_, ledger):
        for number in (1, 2, 3):
            (store.path / f"ledger/heads/0000000{number}").write_bytes(b"x")
            ledger.append(Heads(((1, 1),), b"h" * 32))
    (store.path / "ledger/heads/00000002").unlink()
    with opened(store) as (_, ledger):
        assert ledger.state.lists == {1, 3}


def fail(ledger: Ledger, disk: Disk, what: str, name: str, number: int = 1) -> None:
    """Append an entry while the disk refuses one call, and see that it is not made again."""
    calls = 0

    def fails(*call: str) -> bool:
        nonlocal calls
        calls += call == (what, name)
        return call == (what, name) and calls == number

    disk.fails = fails
    with pytest.raises((WriteFailed, Full)):
        ledger.append(EVENT)
    disk.fails = lambda *_: False
    assert calls == number or name.startswith("."), "tried again"  # a file that is not in place yet is removed


@pytest.mark.parametrize(
    ("what", "name", "number", "made"),
    [
        ("write", "ledger", 1, False),
        ("sync", "ledger", 1, True),  # as far as anyone can tell: the pages are there
        ("write", "ledger", 2, True),  # the wipe
        ("sync", "ledger", 2, True),
        ("write", "entries", 1, True),
        ("sync", "entries", 1, True),
        ("write", ".checkpoint.new", 1, True),
        ("sync", ".checkpoint.new", 1, True),
    ],
)
def test_a_disk_that_refuses(store: Store, disk: Disk, what: str, name: str, number: int, made: bool) -> None:
    """After a failure nothing more is written; opened again, the entry is there if its slot was, and once."""
    with opened(store) as (_, ledger):
        ledger.append(EVENT)
        fail(ledger, disk, what, name, number)
        assert not ledger.usable
        before = files(store)
        for again in (lambda: ledger.append(EVENT), lambda: ledger.sign(b"text\n")):
            with pytest.raises(StoreError, match="has to be opened again"):
                again()
        assert files(store) == before
    append(store)
    assert len(check(store)) == 3 + made


@pytest.mark.usefixtures("unsynced")
def test_no_room_for_the_slot_changes_nothing(store: Store, disk: Disk) -> None:
    """The ledger is as it was, and takes the next entry when there is room."""
    with opened(store) as (_, ledger):
        disk.error = 28
        before = files(store)
        fail(ledger, disk, "write", "ledger")
        assert (ledger.usable, ledger.number, files(store)) == (True, 1, before)
        ledger.append(EVENT)
    assert len(check(store)) == 2


@pytest.mark.parametrize("number", [1, 2])
def test_no_room_behind_the_commit_point(store: Store, disk: Disk, number: int) -> None:
    """Where the slot is written the entry is made, though nobody can tell the caller: the next opening appends it."""
    with opened(store) as (_, ledger):
        disk.error = 28
        fail(ledger, disk, "write", ["entries", "ledger"][number - 1], number)
        assert not ledger.usable
    assert len(entries(store)) == 1
    append(store, 0)
    assert len(check(store)) == 2


def test_no_room_for_the_checkpoint(store: Store, disk: Disk) -> None:
    """It waits for the next entry: on a full disk a segment can be evicted all the same."""
    with opened(store) as (_, ledger):
        disk.error, disk.fails = 28, lambda *call: call == ("write", ".checkpoint.new")
        for _ in range(3):
            ledger.append(EVENT)
        assert ledger.usable
    with opened(store) as (_, ledger):
        assert ledger.number == 4
        disk.fails = lambda *_: False
        ledger.append(EVENT)
    assert len(check(store)) == 5


def test_no_sync_is_missing(store: Store, disk: Disk) -> None:
    """The order of an append, call by call (docs/spec/ledger.md, 13)."""
    with opened(store) as (_, ledger):
        disk.calls.clear()
        ledger.append(EVENT)
    slot = [("write", "ledger"), ("sync", "ledger"), ("write", "ledger")]
    entry = [("write", "entries"), ("sync", "entries"), ("sync", "ledger")]
    point = [("write", ".checkpoint.new"), ("sync", ".checkpoint.new"), ("sync", "ledger")]
    assert disk.calls == slot + entry + point


def test_genesis_is_appended_as_every_entry(tmp_path: Path, disk: Disk) -> None:
    """Making a store leaves no key of entry 0, and a slot that was wiped."""
    store = Store.make(tmp_path / "new")
    calls = [call for call in disk.calls if call[1] in ("entries", "ledger")]
    wiped = ("sync", "ledger")
    assert calls[-4:] == [("write", "entries"), ("sync", "entries"), wiped, ("sync", "ledger")]  # the directory
    (entry,) = check(store)
    keys = read_ledger_keys((store.path / "keys/ledger").read_bytes())
    assert (keys.number, keys.offset, entry.next.name) == (1, 0, entry_key_name(entry.store_id))


@pytest.mark.usefixtures("unsynced")
def test_a_full_disk_leaves_the_checkpoint_one_behind_at_most(store: Store, disk: Disk) -> None:
    """It is overwritten where there is no room for another file. Without room for that only what makes room goes on.

    More than one behind would read as a store of which a part was rolled back.
    """
    append(store)
    path = store.path / "ledger/checkpoint"

    def behind() -> int:
        return len(entries(store)) - parse_checkpoint(parse_note(path.read_bytes(), 1 << 17).text).size

    disk.error = errno.ENOSPC
    with opened(store) as (_, ledger):
        disk.fails = lambda what, name: (what, name) == ("write", ".checkpoint.new")
        for _ in range(3):
            ledger.append(EVENT)
            assert behind() == 0
        disk.fails = lambda what, name: what == "write" and "checkpoint" in name
        ledger.append(EVENT)
        assert behind() == 1
        for _ in range(2):
            with pytest.raises(Full):
                ledger.append(EVENT)
        assert behind() == 1
        assert ledger.usable
        ledger.append(Forget(b"f" * 32, 0))
        disk.fails = lambda *_: False
        ledger.append(EVENT)
        assert behind() == 0
    check(store)
