"""Births: numbers without a gap, secrets that follow from the audit secret, and are gone when they were given."""

import os
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from threading import Timer

import pytest

from logchain.format.errors import Busy, FormatError, StoreError
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, format_births, parse_births
from logchain.format.limits import MAX_BIRTHS
from logchain.format.ratchet import seed, stream_secret, successor
from logchain.format.slots import SLOT_SIZE, WIPED, format_slot, format_slots, newest
from logchain.read.verify import Verdict
from logchain.store.layout import open_directory
from logchain.store.opening import lock_stream
from tests.conftest import Store


def births(store: Store) -> BirthState:
    """Return what the store's `births` says."""
    return parse_births(newest(BIRTHS_MAGIC, (store.path / "births").read_bytes()).body)


def put(store: Store, state: BirthState) -> None:
    """Replace the store's `births`."""
    (store.path / "births").write_bytes(format_slots(BIRTHS_MAGIC, format_births(state)))


@pytest.mark.usefixtures("unsynced")
def test_each_birth_has_the_next_number_and_secret(store: Store) -> None:
    """The vault can derive what each stream began with, and the store's own secret of it is gone."""
    secret = seed(store.audit.secret, store.audit.store_id)
    for number, stream in enumerate(["a", "b", "c"], 1):
        store.open(stream=stream).close()
        state = store.state(stream=stream)
        identity = bytes.fromhex((store.directory(stream=stream) / "id").read_text().split()[-1])
        assert (state.birth, state.next) == (number, stream_secret(secret, identity))
        for file in [path for path in store.path.rglob("*") if path.is_file()]:
            assert secret not in file.read_bytes()
        secret = successor(secret)
        assert births(store) == BirthState(number + 1, secret)
        assert (store.path / "births").read_bytes().count(WIPED) == 1
    assert store.verdict() == Verdict.CANNOT_TELL  # there is no record to check


OPEN = """
import sys
from tests.conftest import FakeClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream
sys.stdin.read()
for number in range(5):
    with open_store(sys.argv[1]) as store:
        open_stream(store, "work", sys.argv[2] + str(number), FakeClock()).close()
"""


def test_births_of_many_at_once(store: Store) -> None:
    """Processes that want births in the same moment get one after the other, none twice and none left out."""
    command = [sys.executable, "-c", OPEN, str(store.path)]
    asking = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, cwd=os.getcwd()) for name in ("a", "b", "c")]
    for process in asking:
        assert process.stdin
        process.stdin.close()
    assert [process.wait() for process in asking] == [0, 0, 0]
    numbers = [store.state(stream=f"{name}{number}").birth for name in "abc" for number in range(5)]
    assert sorted(numbers) == list(range(1, 16))
    assert all(one < other for start in (0, 5, 10) for one, other in pairwise(numbers[start : start + 5]))
    assert births(store).birth == 16
    for name in "abc":
        store.log(b"x", stream=f"{name}0")
    assert store.verdict() == Verdict.INTACT


@pytest.mark.usefixtures("unsynced")
def test_the_last_birth(store: Store) -> None:
    """It is given, and then no other: a stream that is there goes on."""
    put(store, BirthState(MAX_BIRTHS, b"s" * 32))
    store.log(b"x", stream="last")
    assert births(store).birth == MAX_BIRTHS + 1
    with pytest.raises(StoreError, match="begin a new store"):
        store.open(stream="one-more")
    store.log(b"y", stream="last")
    assert store.lines(stream="last") == [b"x", b"y"]


@pytest.mark.usefixtures("unsynced")
def test_a_birth_that_was_cut_short_leaves_no_secret_behind(store: Store) -> None:
    """What it left of a key state is overwritten before another stream gets its number."""
    store.log(b"x", stream="first")
    state = births(store)
    secret = os.urandom(32)
    left = store.path / "live" / "work" / "cut"
    left.mkdir()
    (left / ".ratchet.new").write_bytes(secret * 100)
    put(store, state._replace(pending=("work", "cut")))
    inode = os.open(left / ".ratchet.new", os.O_RDONLY)
    store.log(b"x", stream="first")
    assert not any(os.read(inode, 8_192))
    os.close(inode)
    assert list(left.iterdir()) == []
    assert births(store) == state
    assert store.verdict() == Verdict.INTACT


def test_a_secret_that_a_crash_left_unwiped_is_wiped_before_a_line_is_stored(store: Store) -> None:
    """A kill between the new slot and the wipe of the old one leaves the secret of a birth that was given."""
    store.log(b"x")
    data = (store.path / "births").read_bytes()
    slot = newest(BIRTHS_MAGIC, data)
    left = format_slot(BIRTHS_MAGIC, slot.generation - 1, format_births(BirthState(1, b"s" * 32, ("work", "main"))))
    halves = [left, left]
    halves[slot.place] = data[slot.place * SLOT_SIZE :][:SLOT_SIZE]
    (store.path / "births").write_bytes(b"".join(halves))
    store.log(b"y")
    assert b"s" * 32 not in (store.path / "births").read_bytes()
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("pending", [("work", "nothing"), ("nobody", "main"), ("work", "odd"), ("work", "given")])
def test_a_birth_under_way_that_was_cut_short(store: Store, pending: tuple[str, str]) -> None:
    """It counts as given only if the stream's key state holds it; whatever else lies there does not."""
    store.log(b"x", stream="given")
    (store.path / "live/work/odd").mkdir()
    (store.path / "live/work/odd/ratchet").symlink_to("../given/ratchet")
    put(store, BirthState(1, seed(store.audit.secret, store.audit.store_id), pending))
    store.open(stream="next").close()
    assert store.state(stream="next").birth == (2 if pending[1] == "given" else 1)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("lost", [b"", WIPED * 2, format_slots(BIRTHS_MAGIC, b"nonsense")])
def test_births_that_are_lost(store: Store, lost: bytes) -> None:
    """No stream can be born any more, verify says damaged; a stream that is there goes on."""
    store.log(b"x")
    (store.path / "births").write_bytes(lost)
    with pytest.raises((StoreError, FormatError)):
        store.open(stream="new")
    assert store.verdict() == Verdict.DAMAGED
    store.log(b"y")
    assert store.lines() == [b"x", b"y"]


@pytest.mark.parametrize("what", ["a directory", "a link", "a directory that is not empty"])
def test_a_hostile_stream_keeps_nobody_from_a_birth(store: Store, what: str) -> None:
    """Its own birth fails, whatever stands in the way; the number is spent, and everybody else's streams go on."""
    store.log(b"before", stream="healthy")
    store.log(b"x", stream="hostile")
    home = store.directory(stream="hostile")
    (home / "ratchet").write_bytes(bytes(8_192))
    if what == "a link":
        (home / ".ratchet.new").symlink_to("/dev/full")
    else:
        (home / ".ratchet.new").mkdir()
    if what.endswith("not empty"):
        (home / ".ratchet.new" / "file").touch()
    with suppress(StoreError):
        store.log(b"y", stream="hostile")
    store.log(b"after", stream="healthy")
    store.log(b"new", stream="newborn")
    assert store.lines(stream="healthy") == [b"before", b"after"]
    assert store.lines(stream="newborn") == [b"new"]


@pytest.mark.parametrize(("removals", "told"), [(2, ""), (99, "is being removed")])
@pytest.mark.parametrize("name", ["work", "main"])
def test_a_directory_that_is_removed_while_the_stream_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, removals: int, told: str
) -> None:
    """log-compressor removes what it finds empty: it is made again, and nobody hears of it."""
    left, mkdir = ["", *[name] * removals], os.mkdir

    def make(made: str, mode: int, dir_fd: int) -> None:
        if made != left[-1]:
            mkdir(made, mode, dir_fd=dir_fd)
            return
        left.pop()
        if name == "work":
            mkdir(made, mode, dir_fd=dir_fd)  # and it is gone before it is opened
            os.rmdir(made, dir_fd=dir_fd)
        else:
            (store.path / "live" / "work").rmdir()
            mkdir(made, mode, dir_fd=dir_fd)  # in a directory that is gone

    monkeypatch.setattr(os, "mkdir", make)
    if told:
        with pytest.raises(Busy, match=told):
            store.open()
    else:
        store.log(b"a line")
        assert store.lines() == [b"a line"]


def test_a_stream_that_is_looked_at_before_it_is_born(store: Store) -> None:
    """Whoever holds the lock of a directory in which there is nothing yet is waited for, a moment."""
    live = store.directory()
    live.mkdir(parents=True)
    with open_directory(live) as directory:
        lock = lock_stream(directory)
        with pytest.raises(Busy, match="is being removed"):
            store.open()
        timer = Timer(0.05, os.close, [lock])
        timer.start()
        store.log(b"a line")
        timer.join()
    assert store.lines() == [b"a line"]
