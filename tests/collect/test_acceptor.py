"""The acceptor's door: descriptors in every shape, limits with their answers, and bytes that mean nothing."""

import random
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.format.limits import MAX_PART
from logchain.read.verify import Verdict
from tests.collect.conftest import Doors
from tests.collect.door import Door, until
from tests.collect.test_descriptor import BAD
from tests.conftest import Store

NO_DESCRIPTOR = b"error not a service descriptor"


def tree(store: Store) -> list[str]:
    """Return what is in the store, by name."""
    return sorted(str(path.relative_to(store.path)) for path in store.path.rglob("*"))


def test_a_call_from_its_beginning_to_its_end(store: Store, door: Door) -> None:
    """Descriptor and data in one write; a half close ends it, and the last `ok` comes after that."""
    call = door.connect(b"logchain.Append+journal work\0one\n\ntwo\0\r\ncut")
    assert call.greeting().resume == {}
    call.half_close()
    assert call.last_words()[-1] == b"ok 3"
    assert store.lines("work", "journal") == [b"one", b"", b"two\0\r"]
    assert store.notes("work", "journal")[-1].fields["reason"] == "eof"
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("data", [b"logchain.Append dom0\0", b"logchain.Append+ dom0\0"])
def test_without_an_argument(store: Store, door: Door, data: bytes) -> None:
    """From dom0 perhaps without `+`: the stream is main."""
    call = door.connect(data + b"x\n")
    call.greeting()
    call.until_ok(1)
    assert store.lines("dom0", "main") == [b"x"]


def test_byte_by_byte(store: Store, door: Door) -> None:
    """However it is cut, nothing of the data is lost, and none is taken for the descriptor."""
    call = door.connect()
    for byte in b"logchain.Append+main work\0logchain.Append+other work\0\n\0\nz\n":
        call.send(bytes([byte]))
    call.greeting()
    call.until_ok(3)
    assert store.lines() == [b"logchain.Append+other work\0", b"\0", b"z"]


@pytest.mark.parametrize("cut", range(0, 27, 5))
def test_split_in_two(store: Store, door: Door, cut: int) -> None:
    """The first part is read before the second is sent."""
    data = b"logchain.Append+main work\0" + b"first\n"
    call = door.connect(data[:cut])
    door.store_line(vm="other")  # whose call comes after: the first part was read
    call.send(data[cut:])
    call.greeting()
    call.until_ok(1)
    assert store.lines() == [b"first"]


def test_much_data_at_once(store: Store, door: Door) -> None:
    """The descriptor's reader leaves what follows to the instance, to the last byte."""
    lines = [b"%06d" % number for number in range(20_000)]
    call = door.call(data=b"\n".join(lines) + b"\n")
    call.greeting()
    call.until_ok(len(lines))
    assert store.lines() == lines


@pytest.mark.parametrize("words", BAD, ids=range(len(BAD)))
def test_what_is_no_call_creates_nothing(store: Store, door: Door, words: tuple[bytes, str]) -> None:
    """Hostile names as well: it is answered with an error, and the service goes on."""
    before = tree(store)
    assert door.refused(words[0] + b"\0lines\n").startswith(b"error " + words[1].encode())
    assert tree(store) == before


def test_other_beginnings(store: Store, door: Door) -> None:
    """Nothing but a NUL, nothing at all, garbage without an end, a name of 511 bytes and one of 512."""
    before = tree(store)
    assert door.refused(b"\0logchain.Append+main work\0x\n") == NO_DESCRIPTOR
    empty = door.connect()
    empty.half_close()
    assert empty.last_words() == [NO_DESCRIPTOR]
    begun = door.connect(b"logchain.Append+main work")
    begun.half_close()
    assert begun.last_words() == [NO_DESCRIPTOR]
    assert door.refused(b"\xff" * 100_000) == NO_DESCRIPTOR
    assert door.refused(b"logchain.Append+main " + b"w" * 490 + b"\0").startswith(b"error not a VM name")
    assert door.refused(b"logchain.Append+main " + b"w" * 491) == NO_DESCRIPTOR  # at once: no NUL can help it now
    assert tree(store) == before
    door.store_line()


def test_a_descriptor_that_does_not_come(store: Store, new_door: Doors) -> None:
    """It has its time; then the caller hears why, and others have not waited for it."""
    door = new_door("acceptor._HEADER_TIME = 0.3")
    silent, slow = door.connect(), door.connect(b"logchain.Append+ma")
    door.store_line()
    assert silent.last_words() == slow.last_words() == [b"error no service descriptor came"]
    assert [path.name for path in (store.path / "live").rglob("*") if path.is_dir()] == ["work", "main", "quarantine"]


def test_more_without_a_descriptor_than_are_awaited(new_door: Doors) -> None:
    """They wait in the kernel, and are served when the first have had their time."""
    door = new_door("acceptor._HEADER_TIME = 0.2; acceptor._HEADERS = 4")
    silent = [door.connect() for _ in range(12)]
    door.store_line()
    assert all(call.last_words() == [b"error no service descriptor came"] for call in silent)


def test_a_caller_that_is_gone_before_its_answer(door: Door) -> None:
    """Nobody hears it, and the service goes on."""
    for data in (b"", b"x", b"\0", b"logchain.Append+main work\0", b"qubes.Log work\0", b"logchain.Append+/ work\0"):
        call = door.connect(data)
        call.close()
    until(lambda: not door.instances())
    door.store_line()


def test_random_bytes(door: Door) -> None:
    """Five hundred connections of noise and of calls with some bytes changed: it serves all the same."""
    rng = random.Random(7)
    for _ in range(500):
        noise = bytearray(rng.choice([rng.randbytes(rng.randrange(700)), b"logchain.Append+main work\0x\n"]))
        for _ in range(rng.randrange(3)):
            if noise:
                noise[rng.randrange(len(noise))] = rng.randrange(256)
        call = door.connect()
        try:
            call.send(bytes(noise))
            if rng.random() < 0.5:
                call.half_close()
        except OSError:  # refused meanwhile
            pass
        call.close()
    until(lambda: not door.instances())
    door.store_line(vm="after")
    assert door.errors() == ""


def test_connections_of_one_vm_and_of_all(new_door: Doors) -> None:
    """Who has too many gets `busy`; another VM is served until all together have too many."""
    door = new_door(settings="collector.connections = 3\neach-vm.connections = 2")
    calls = [door.call("a"), door.call("b")]
    for call in calls:
        call.greeting()
    assert door.refused(b"logchain.Append+c work\0x\n") == b"busy"
    other = door.call("a", "web")
    other.greeting()
    assert door.refused(b"logchain.Append+a mail\0x\n") == b"busy"
    calls[0].half_close()
    assert calls[0].last_words()[-1] == b"ok 0"
    until(lambda: len(door.instances()) == 2)
    door.store_line(vm="mail")


def test_calls_a_minute(new_door: Doors) -> None:
    """Refused calls count as well, one VM's alone."""
    door = new_door(settings="each-vm.calls-per-minute = 3")
    for _ in range(2):
        door.store_line()
        until(lambda: not door.instances())
    held = door.call("held")
    held.greeting()
    assert [door.refused(b"logchain.Append+main work\0") for _ in range(3)] == [b"busy"] * 3
    door.store_line(vm="web")
    held.send(b"x\n")
    held.until_ok(1)


def test_streams_of_one_vm(store: Store, new_door: Doors) -> None:
    """One more is `full`, and its directory is not made; those that are there are written all the same."""
    door = new_door(settings="each-vm.streams = 2")
    door.store_line(stream="a")
    door.store_line(stream="b")
    assert door.refused(b"logchain.Append+c work\0x\n") == b"full"
    assert sorted(path.name for path in (store.path / "live" / "work").iterdir()) == ["a", "b"]
    assert "work has 2 streams" in door.errors()
    until(lambda: not door.instances())
    door.store_line(stream="a")
    door.store_line(stream="c", vm="web")


def test_births_of_a_day(store: Store, new_door: Doors) -> None:
    """One more is `busy`, also where streams were taken away meanwhile; those that are there are written."""
    door = new_door(settings="each-vm.births-per-day = 2")
    door.store_line(stream="a")
    door.store_line(stream="b")
    assert door.refused(b"logchain.Append+c work\0x\n") == b"busy"
    until(lambda: not door.instances())
    shutil.rmtree(store.directory("work", "a"))
    assert door.refused(b"logchain.Append+c work\0x\n") == b"busy"
    assert not store.directory("work", "c").exists()
    door.store_line(stream="b")
    door.store_line(stream="c", vm="web")


def test_stock_dialect(store: Store, door: Door) -> None:
    """`OK` first, one for each line that is not empty, and nothing else; what it is refused is told by the end."""
    call = door.connect(b"qubes.Log+ work\0")
    assert call.answer() == b"OK"
    for number in range(5):
        call.send(b"<13>line %d\n" % number)
        assert call.answer() == b"OK"
        assert len(store.lines("work", "qubes.Log")) == number + 1  # it is in the store when it is acknowledged
    second = door.connect(b"qubes.Log work\0x\n")
    assert second.last_words() == []
    call.send(b"\n\nlast\n\nrest")
    call.half_close()
    assert call.last_words() == [b"OK"]
    assert store.lines("work", "qubes.Log")[5:] == [b"", b"", b"last", b""]
    assert store.notes("work", "qubes.Log")[1].fields["service"] == "qubes.Log"
    assert store.verdict() == Verdict.INTACT


def test_a_line_that_never_ends(store: Store, door: Door) -> None:
    """It is stored in parts as it comes; memory stays flat."""
    call = door.call()
    call.greeting()
    [pid] = door.instances()

    def resident() -> int:
        [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) << 10

    before = resident()
    for _ in range(48):
        call.send(b"x" * (1 << 20))
        assert resident() - before < 24 << 20
    call.half_close()
    assert call.last_words()[-1] == b"ok 0"
    assert store.notes()[-1].fields["partial"] == str(48 << 20)


def test_a_peer_that_never_reads(store: Store, new_door: Doors) -> None:
    """Its lines are stored, whatever becomes of the answers."""
    door = new_door("session._KEEP_ALIVE = 0.001; session._FAREWELL = 0.2")
    call = door.call()
    call.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for number in range(20):
        call.send(b"%d\n" % number + b"y" * MAX_PART + b"\n")
    until(lambda: len(store.lines()) == 40)
    call.half_close()
    until(lambda: not door.instances())
    assert len(store.lines()) == 40
    assert store.verdict() == Verdict.INTACT


def test_one_byte_at_a_time_beside_a_flood(store: Store, door: Door) -> None:
    """Each VM's lines are in its own directory, and the slow one is acknowledged while the other floods."""
    flood, sent = door.call(vm="flood"), 0
    flood.socket.setblocking(False)
    slow = door.call(vm="slow")
    slow.greeting()
    for byte in b"slow line\n" * 3:
        slow.send(bytes([byte]))
        with suppress(BlockingIOError):
            while True:
                sent += flood.socket.send((b"flood\n" * 5_000)[sent % 6 :])
    slow.until_ok(3)
    assert store.lines("slow") == [b"slow line"] * 3
    until(lambda: len(store.lines("flood")) == sent // 6)
    assert set(store.lines("flood")) == {b"flood"}
