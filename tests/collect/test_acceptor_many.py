"""Many at once, for long, and with no room: nothing adds up in the acceptor, and nobody is mixed up with another."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.processes import pss
from logchain.read.verify import Verdict
from tests.collect.conftest import Doors
from tests.collect.door import Door, DoorCall, descriptors, until
from tests.conftest import Store, disk_of


def test_nothing_adds_up(store: Store, new_door: Doors) -> None:
    """After 300 connections of every kind: no descriptor more, no process that was not waited for."""
    door = new_door("session._SILENCE = 0", "each-vm.calls-per-minute = 1_000")
    door.store_line()
    until(lambda: not door.instances())

    def at_rest() -> bool:  # the listener and the fork server; both ends of the signals' pipe
        kinds = Counter(name.split(":")[0] for name in descriptors(door.pid))
        return (kinds["socket"], kinds["pipe"]) == (2, 2)

    until(at_rest)
    before = len(descriptors(door.pid))
    for number in range(60):
        door.store_line(stream=f"s{number % 7}")
        holder = door.call("held")
        holder.greeting()
        newcomer = door.call("held")
        newcomer.greeting()
        assert door.refused(b"logchain.Append+.. work\0").startswith(b"error")
        for call in (holder, newcomer, door.connect(b"logch")):
            call.close()
    until(lambda: not door.instances())
    door.store_line()
    until(lambda: not door.instances())
    until(at_rest)
    assert len(descriptors(door.pid)) == before
    assert store.verdict() == Verdict.INTACT
    assert door.errors() == ""


def test_the_memory_of_120_connections(door: Door) -> None:
    """All that the collector may have, idle after a line each, and the acceptor itself; they share what they can."""
    calls = [door.call(vm=f"vm{number}", data=b"x\n") for number in range(120)]
    for call in calls:
        call.greeting()
        call.until_ok(1)
    total = sum(map(pss, [door.pid, door.fork_server(), *door.instances()]))
    assert len(door.instances()) == 120
    assert door.refused(b"logchain.Append+main more\0") == b"busy"
    # here the fork server has loaded more than log-collector's has, and coverage adds to every process; what it takes
    # by itself is measured by `make bench-door`
    assert total < (600_000_000 if "coverage" in sys.modules else 380_000_000)


def test_128_at_once(store: Store, new_door: Doors) -> None:
    """All call before one is answered; each VM finds its own lines in its own directory, and no others."""
    door = new_door(settings="collector.connections = 128")
    calls = {f"vm{number}": DoorCall(door.path) for number in range(128)}
    for vm, call in calls.items():
        call.send(f"logchain.Append+journal {vm}\0".encode() + 100 * f"{vm} says this\n".encode())
    for call in calls.values():
        call.greeting()
        call.half_close()
    for call in calls.values():
        assert call.last_words()[-1] == b"ok 100"
        call.close()
    for vm in calls:
        assert store.lines(vm, "journal") == [f"{vm} says this".encode()] * 100
    assert sorted(path.name for path in (store.path / "live").iterdir()) == sorted(calls)
    assert store.verdict() == Verdict.INTACT


def test_half_open_peers(store: Store, door: Door) -> None:
    """Those that said nothing more than their call leave everybody else alone."""
    silent = [door.call(f"s{number}", vm=f"vm{number % 5}") for number in range(50)]
    for call in silent:
        call.greeting()
    for number in range(5):
        door.store_line(vm=f"vm{number}")
    for call in silent:
        call.close()
    until(lambda: not door.instances())
    assert store.verdict() == Verdict.INTACT


def test_a_store_that_vanishes(store: Store, door: Door) -> None:
    """Its callers hear that nothing can be stored, and not where; when it is there again they are served."""
    door.store_line()
    held = door.call("held")
    held.greeting()
    away = store.path.with_name("away")
    (store.path / "live").rename(away)
    (store.path / "format").rename(store.path / "other")
    answer = door.refused(b"logchain.Append+main work\0x\n")
    assert answer == b"error cannot store; the LogVM's journal tells why"
    held.send(b"x\n")  # its directory is open
    held.until_ok(1)
    away.rename(store.path / "live")
    (store.path / "other").rename(store.path / "format")
    until(lambda: len(door.instances()) == 1)
    door.store_line()
    assert "is no store, or not a whole one" in door.errors()


def test_a_store_that_is_gone_for_good(store: Store, door: Door) -> None:
    """The service answers, and stops in order."""
    door.store_line()
    shutil.rmtree(store.path)
    for data in (b"logchain.Append+main work\0x\n", b"logchain.Append+new work\0x\n", b"logchain.Append+main new\0"):
        assert door.refused(data) == b"error cannot store; the LogVM's journal tells why"


def test_something_else_in_a_streams_place(store: Store, door: Door, tmp_path: Path) -> None:
    """A link where a directory belongs is not followed, and a FIFO hangs nobody: its stream begins anew."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.path / "live" / "linked").symlink_to(outside)
    (store.path / "live" / "work").mkdir()
    (store.path / "live" / "work" / "main").symlink_to(outside)
    (store.path / "live" / "work" / "other").mkdir()
    os.mkfifo(store.path / "live" / "work" / "other" / "ratchet")
    for data in (b"logchain.Append+main linked\0", b"logchain.Append+main work\0"):
        assert door.refused(data) == b"error cannot store; the LogVM's journal tells why"
    door.store_line(stream="other")
    assert list(outside.iterdir()) == []
    door.store_line(vm="web")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    with disk_of(3, tmp_path / "small") as place:
        yield place


def fill(place: Path) -> Path:
    """Leave no room; return the file that takes it."""
    path = place / "ballast"
    with path.open("wb", buffering=0) as file, suppress(OSError):  # as it has to end
        while True:
            file.write(bytes(4_096))
    assert not shutil.disk_usage(place).free
    return path


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """New callers hear `full`; who is connected waits, and goes on when there is room."""
    store = Store.make(small_disk / "store")
    door = Door(store, tmp_path, settings='collector.reserve = "0 B"')
    try:
        holder = door.call(vm="held")
        holder.greeting()
        holder.send(b"kept\n")
        holder.until_ok(1)
        ballast = fill(small_disk)
        for _ in range(20):  # more than a block may have left
            holder.send(b"y" * 10_000 + b"\n")
        until(lambda: "the sender has to wait" in door.errors())
        assert door.refused(b"logchain.Append+new web\0x\n") == b"full"
        assert "no space left" in door.errors().lower() or "no room" in door.errors()
        ballast.unlink()
        holder.until_ok(21)
        door.store_line(vm="web", stream="new")
        assert store.lines("held") == [b"kept", *[b"y" * 10_000] * 20]
        (note,) = (note for note in store.notes("held") if note.event == "throttled")
        assert note.fields == {"reason": "full", "rate": "0"}
        holder.half_close()
        holder.last_words()
        until(lambda: not door.instances())
        assert store.verdict() == Verdict.INTACT
    finally:
        door.close()


def test_a_kernel_that_confines_less(store: Store, new_door: Doors) -> None:
    """Its instances serve all the same, and the acceptor says so once, before the first call."""
    door = new_door("confine._filter = None; confine._SET_NO_NEW_PRIVS = -1; confine._CREATE_RULESET = 100_000")
    for number in range(5):
        door.store_line(stream=f"s{number}")
    lacks = "this kernel lacks no_new_privs, Landlock, seccomp: instances are confined less than they should be"
    assert door.errors() == f"<4>log-collector: {lacks}\n"
    assert store.verdict() == Verdict.INTACT


def test_tidying_keeps_the_last_minute(new_door: Doors) -> None:
    """The counts are tidied while calls go on, and what is younger stays."""
    door = new_door("acceptor._TIDY = 0.001", "each-vm.calls-per-minute = 2")
    for vm in ("a", "b", "a", "b"):
        door.store_line(vm=vm)
        until(lambda: not door.instances())
    assert door.refused(b"logchain.Append+main a\0") == b"busy"
