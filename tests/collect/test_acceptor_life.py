"""One writer a stream, and how instances and the acceptor end: nothing that was acknowledged is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from logchain.store.closing import being_written, close_written
from logchain.store.layout import open_store
from tests.collect.call import PATIENCE
from tests.collect.conftest import Doors
from tests.collect.door import Door, DoorCall, descriptors, until
from tests.conftest import Store

OFTEN = "each-vm.calls-per-minute = 100_000"


def reasons(store: Store, vm: str = "work") -> list[str]:
    """Return why the sessions of a stream ended."""
    return [note.fields["reason"] for note in store.notes(vm) if note.event == "session-end"]


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is only not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def acknowledged(call: DoorCall, data: bytes) -> None:
    """Send lines, and wait until they are durable."""
    call.send(data)
    call.until_ok(data.count(b"\n"))


def stalled(door: Door) -> tuple[DoorCall, int]:
    """Call work/main, and stop the process that serves it: it does nothing until it is told SIGCONT."""
    call = door.call()
    call.greeting()
    [pid] = door.instances()
    os.kill(pid, signal.SIGSTOP)
    return call, pid


def test_busy_while_the_holder_is_alive(store: Store, door: Door) -> None:
    """A second call of the same stream is turned away, and the first has noticed nothing."""
    holder = door.call()
    holder.greeting()
    acknowledged(holder, b"one\n")
    for _ in range(3):
        assert door.refused(b"logchain.Append+main work\0x\n") == b"busy"
    holder.send(b"two\n")
    holder.until_ok(2)
    assert store.lines() == [b"one", b"two"]
    assert reasons(store) == []


def test_a_silent_holder_makes_way(store: Store, new_door: Doors) -> None:
    """Not before its time; what it sent is committed, and the log tells why it ended."""
    door = new_door("session._SILENCE = 0.5", OFTEN)
    holder = door.call()
    holder.greeting()
    acknowledged(holder, b"one\ntwo\n")
    spoke = time.monotonic()
    holder.send(b"cut")
    newcomer = door.call_until_greeted()
    assert time.monotonic() - spoke >= 0.5
    assert holder.last_words()[-1] == b"ok 2"
    assert reasons(store) == ["superseded"]
    acknowledged(newcomer, b"three\n")
    assert store.lines() == [b"one", b"two", b"three"]
    assert store.verdict() == Verdict.INTACT


def test_the_newcomer_knows_what_to_resume(store: Store, new_door: Doors) -> None:
    """Its greeting has the displaced session with all its durable lines; what it sent with its call is stored."""
    door = new_door("session._SILENCE = 0")
    holder = door.call()
    session = holder.greeting().session
    acknowledged(holder, b"one\ntwo\n")
    holder.send(b"cut")
    newcomer = door.call(data=b"three\n")
    assert newcomer.greeting().resume == {session: 2}
    newcomer.until_ok(1)
    assert holder.last_words() == [b"ok 2"]
    assert reasons(store) == ["superseded"]
    assert store.lines() == [b"one", b"two", b"three"]
    assert store.verdict() == Verdict.INTACT


def test_a_holder_that_takes_no_answers_makes_way(store: Store, new_door: Doors) -> None:
    """It goes on sending, but a peer whose answers are stuck is as good as gone."""
    door = new_door("session._KEEP_ALIVE = 0.0001; session._SILENCE = 0.5; session._FAREWELL = 0.2", OFTEN)
    holder = door.call()
    holder.greeting()
    ended = threading.Event()

    def send() -> None:
        with suppress(OSError):  # it made way
            while not ended.is_set():
                holder.send(b"still here\n")
                ended.wait(0.01)

    thread = threading.Thread(target=send)
    thread.start()
    door.call_until_greeted()
    ended.set()
    thread.join()
    assert reasons(store) == ["superseded"]
    assert set(store.lines()) == {b"still here"}


def test_two_who_wait(store: Store, new_door: Doors) -> None:
    """The first is served when the holder has made way, the second is told `busy` at once."""
    door = new_door("session._SILENCE = 0")
    _, pid = stalled(door)
    first = door.call(data=b"first\n")
    assert door.refused(b"logchain.Append+main work\0second\n") == b"busy"
    os.kill(pid, signal.SIGCONT)
    first.greeting()
    first.until_ok(1)
    assert store.lines() == [b"first"]


def test_a_holder_that_does_not_answer(store: Store, new_door: Doors) -> None:
    """It has its time, then the caller is told `busy`; others are served meanwhile."""
    door = new_door("acceptor._DISPLACE_TIME = 0.3")
    holder, pid = stalled(door)
    waiting = door.call(data=b"x\n")
    door.store_line(vm="web")
    assert waiting.last_words() == [b"busy"]
    os.kill(pid, signal.SIGCONT)
    acknowledged(holder, b"alive\n")
    assert store.lines() == [b"alive"]


def test_a_caller_that_gives_up_waiting(store: Store, new_door: Doors) -> None:
    """The stream is free for the next all the same."""
    door = new_door("session._SILENCE = 0")
    _, pid = stalled(door)
    door.call(data=b"given up\n").close()
    door.store_line(vm="web")  # the acceptor has seen the call before this one
    os.kill(pid, signal.SIGCONT)
    until(lambda: not door.instances())
    door.store_line(b"next")
    assert store.lines()[-1] == b"next"


def test_a_caller_who_waited_in_vain(store: Store, door: Door) -> None:
    """The holder is gone, and so is the store: the one who waited hears it, and the service goes on."""
    _, pid = stalled(door)
    waiting = door.call(data=b"x\n")
    door.store_line(vm="web")
    (store.path / "format").rename(store.path / "other")
    os.kill(pid, signal.SIGKILL)
    assert waiting.last_words() == [b"error cannot store; the LogVM's journal tells why"]
    (store.path / "other").rename(store.path / "format")
    door.store_line(b"after")
    assert store.lines() == [b"after"]


def test_a_vm_whose_calls_are_all_dead_can_call_again(new_door: Doors) -> None:
    """Taking a holder's place is no connection more, though the VM and the collector are at their limits."""
    door = new_door("session._SILENCE = 0", "collector.connections = 2\neach-vm.connections = 2")
    dead = [door.call("a"), door.call("b")]
    for call in dead:
        call.greeting()
    assert door.refused(b"logchain.Append+c work\0") == b"busy"
    for name in "ab":
        call = door.call(name, data=b"x\n")
        call.greeting()
        call.until_ok(1)


def test_a_holder_that_was_killed(store: Store, door: Door) -> None:
    """The next call is served at once, and nothing that was acknowledged is lost."""
    holder = door.call()
    session = holder.greeting().session
    acknowledged(holder, b"one\ntwo\n")
    holder.send(b"three\n" * 10_000)
    os.kill(door.instances()[0], signal.SIGKILL)
    call = door.call()
    assert call.greeting().resume[session] == len(store.lines()) >= 2
    assert door.errors() == "<4>log-collector: work/main: an instance was killed, signal 9\n"
    call.half_close()
    call.last_words()
    assert store.verdict() == Verdict.INTACT


def test_one_instance_is_told_to_stop(store: Store, door: Door) -> None:
    """It commits and ends alone."""
    calls = {vm: door.call(vm=vm) for vm in ("a", "b", "c")}
    for call in calls.values():
        call.greeting()
        acknowledged(call, b"one\n")
    calls["b"].send(b"two\n")
    os.kill(door.instances()[1], signal.SIGTERM)
    assert calls["b"].last_words()[-1] in (b"ok 1", b"ok 2")
    assert reasons(store, "b") == ["stop"]
    for vm in "ac":
        calls[vm].send(b"two\n")
        calls[vm].until_ok(2)
        assert reasons(store, vm) == []
    assert len(door.instances()) == 2
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_with_many_instances(store: Store, door: Door, number: signal.Signals) -> None:
    """Every stream is committed, every sender hears its last `ok`, and the exit code is 0."""
    calls = {f"vm{count}": door.call(vm=f"vm{count}") for count in range(20)}
    for call in calls.values():
        call.greeting()
        acknowledged(call, b"one\n")
        call.send(b"begun")
    begun = door.connect(b"logchain.App")
    os.kill(door.pid, number)
    assert door.process.wait(PATIENCE) == 0
    for vm, call in calls.items():
        assert call.last_words()[-1] == b"ok 1"
        assert reasons(store, vm) == ["stop"]
    assert begun.last_words() == []
    assert store.verdict() == Verdict.INTACT
    assert door.errors() == ""


def test_stopped_while_a_caller_waits(store: Store, door: Door) -> None:
    """It is told `busy`, and not served by an instance that nobody stops."""
    _, pid = stalled(door)
    waiting = door.call(data=b"x\n")
    door.store_line(vm="web")
    os.kill(door.pid, signal.SIGTERM)
    assert waiting.last_words() == [b"busy"]
    os.kill(pid, signal.SIGCONT)
    assert door.process.wait(PATIENCE) == 0
    assert store.lines() == []
    assert reasons(store) == ["stop"]


def test_an_instance_that_does_not_end(new_door: Doors) -> None:
    """The acceptor does not wait for it for ever: it is killed."""
    door = new_door("forkserver._FAREWELL = 0.2")
    _, pid = stalled(door)
    door.stop()
    assert not alive(pid)
    assert "work/main: an instance was killed, signal 9" in door.errors()


def test_the_acceptor_is_killed(store: Store, new_door: Doors) -> None:
    """Its instances commit and end, and a new one serves the same streams with the right resume."""
    door = new_door()
    calls = {vm: door.call(vm=vm) for vm in ("a", "b", "c")}
    sessions = {}
    for vm, call in calls.items():
        sessions[vm] = call.greeting().session
        acknowledged(call, b"one\n")
        call.send(b"two\ncut")
    instances = door.instances()
    door.process.kill()
    door.process.wait()
    until(lambda: not any(map(alive, instances)))
    again = new_door()
    for vm, call in calls.items():
        assert call.last_words()[-1] in (b"ok 1", b"ok 2")
        assert reasons(store, vm) == ["stop"]
        assert again.call(vm=vm).greeting().resume == {sessions[vm]: len(store.lines(vm))}
    assert store.verdict() == Verdict.INTACT


def test_a_hostile_instance_cannot_hang_the_acceptor(new_door: Doors) -> None:
    """One that closes its end of the control socket and stays keeps its own VM's stream, and nothing else."""
    hostile = "session.Session.run = lambda self, _: (os.close(self._control), session.time.sleep(1_000))"
    door = new_door(f"{hostile}; acceptor._DISPLACE_TIME = forkserver._FAREWELL = 0.2")
    door.call()
    until(door.instances)
    assert door.refused(b"logchain.Append+main work\0x\n") == b"busy"
    door.call(vm="web")
    until(lambda: len(door.instances()) == 2)
    instances = door.instances()
    door.stop()
    assert not any(map(alive, instances))


def test_an_instance_has_nothing_of_the_acceptor_or_of_others(new_door: Doors) -> None:
    """Its descriptors are its own: three sockets and a twin, its stream's files, and the log."""
    door = new_door()
    waiting = door.connect(b"logchain")
    for vm in ("a", "b", "c"):
        door.call(vm=vm).greeting()
    waiting.send(b".Append+main d\0")
    waiting.greeting()
    for vm, pid in zip("abcd", door.instances(), strict=True):
        open_here = descriptors(pid)
        sockets = [name for name in open_here if name.startswith("socket:")]
        files = {name.removeprefix(str(door.store.path)) for name in open_here if name.startswith(str(door.store.path))}
        home = f"/live/{vm}/main"
        assert files == {home, f"{home}/lock", f"{home}/ratchet", f"{home}/00000001.log", f"{home}/00000001.tags"}
        assert len(sockets) == 4  # the sender's, twice; the control socket's two ends
        assert not [name for name in open_here if name.startswith("pipe:")]


def test_a_socket_of_its_own(store: Store, tmp_path: Path) -> None:
    """`--listen PATH`: it is made, served, and taken away; one that is there is left alone."""
    path = tmp_path / "own"
    command = [sys.executable, "-c", "from logchain.collect.main import main; main()"]
    command += ["--store", str(store.path), "--listen", str(path)]
    process = subprocess.Popen(command)

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as trial:
            return trial.connect_ex(str(path)) == 0

    until(listens)
    call = DoorCall(str(path))
    call.send(b"logchain.Append+main work\0x\n")
    call.greeting()
    call.until_ok(1)
    second = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert second.returncode == 2
    assert b"cannot make a socket at" in second.stderr
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not path.exists()
    call.close()


@pytest.mark.parametrize("full", [False, True])
def test_nobody_reads_our_own_log(store: Store, tmp_path: Path, full: bool) -> None:
    """Its reader is gone, or reads no more: that ends nothing and holds nobody up."""
    path = tmp_path / "own"
    readable, writable = os.pipe()
    if full:
        os.set_blocking(writable, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writable, bytes(4_096))
        os.set_blocking(writable, True)
    else:
        os.close(readable)
    (tmp_path / "config").write_text("[each-vm]\nstreams = 1\n")
    command = [sys.executable, "-c", "from logchain.collect.main import main; main()", "--store", str(store.path)]
    process = subprocess.Popen([*command, "--listen", path, "--config", tmp_path / "config"], stderr=writable)
    until(path.exists)
    for stream, answer in (("one", b"logchain/1"), ("two", b"full"), ("one", b"logchain/1")):
        call = DoorCall(str(path))
        call.send(f"logchain.Append+{stream} work\0".encode())
        assert call.answer().startswith(answer)
        call.half_close()
        call.last_words()
        call.close()
    process.terminate()
    assert process.wait(PATIENCE) == 0
    os.close(writable)
    if full:
        os.close(readable)


@pytest.mark.parametrize("listening", [False, True])
def test_what_systemd_hands_over_is_no_listening_socket(store: Store, tmp_path: Path, listening: bool) -> None:
    """A connection, or a file: one line that says which setting of the unit is wrong."""
    with socket.socket(socket.AF_UNIX) as connection, (tmp_path / "file").open("wb") as file:
        fd = connection.fileno() if listening else file.fileno()
        start = f"import os; os.dup2({fd}, 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))"
        code = f"{start}; from logchain.collect.main import main; main()"
        command = [sys.executable, "-c", code, "--store", str(store.path)]
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=[fd], timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "its unit needs Accept=no" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_segment_is_closed_when_somebody_wants_it_sealed(store: Store, new_door: Doors) -> None:
    """A confined instance sees a mark beside its segment, closes it, and goes on in the next; an old mark is none."""
    call = new_door("session._MARK = 0.01").call()
    call.greeting()
    acknowledged(call, b"first\n")
    with open_store(store.path) as opened:
        wanted = being_written(opened, [("work", "main"), ("nobody", "main")])
        assert wanted == {("work", "main"): 1}
        close_written(opened, wanted)
        assert being_written(opened, [("work", "main")]) == {}
        (store.path / "live/work/main/00000001.close").touch()
        for number in range(2, 9):
            call.send(b"more\n")
            call.until_ok(number)
        assert being_written(opened, [("work", "main")]) == {("work", "main"): 2}
    call.socket.shutdown(socket.SHUT_WR)
    call.last_words()
    notes = [
        (note.event, note.fields.get("reason")) for note in store.notes("work") if note.event in ("segment", "end")
    ]
    assert notes == [("segment", None), ("end", "sealed"), ("segment", None)]
    assert store.verdict() == Verdict.INTACT
