"""An instance's code in this process, and what happens when the machine has no more for another."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from logchain.collect import instance
from logchain.collect.descriptor import APPEND
from logchain.collect.instance import Order, be_instance, format_order, parse_order
from logchain.format.errors import Busy, Full, LogchainError, StoreError, UsageError, WriteFailed
from logchain.store.layout import open_store
from tests.collect.conftest import Doors
from tests.collect.door import until
from tests.conftest import STREAM, VM, Store

MIB = 1 << 20
CALL = b"logchain.Append+main work\0x\n"
ORDER = Order(
    APPEND,
    VM,
    STREAM,
    rate=MIB,
    burst=MIB,
    reserve=0,
    floor=1024,
    saved=MIB,
    quota=0,
    segment=64 * MIB,
    segment_age=86_400,
)

FAILS_ONCE = """
real, left = {name}, {good} * [False] + [True]
def fail(*given):
    if left and left.pop(0):
        raise OSError(11, "Resource temporarily unavailable")
    return real(*given)
{name} = fail
"""


def test_an_order_arrives_as_it_was_sent() -> None:
    """The fork server reads what the acceptor wrote."""
    assert parse_order(format_order(ORDER)) == ORDER


@pytest.fixture
def signals() -> Iterator[None]:
    """Leave this process's signals as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_what_an_instance_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Done here, but for the confinement: that is tried elsewhere. It confines itself to the stream's directory.

    A signal is told to the acceptor's end of the control socket, and to nothing once that may be closed.
    """
    confined: list[tuple[str, int, int]] = []

    def confine(fd: int, parent: int) -> None:
        signals_go_to = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(signals_go_to)
        confined.append((os.readlink(f"/proc/self/fd/{fd}"), parent, signals_go_to))

    monkeypatch.setattr(instance, "confine", confine)
    sender, connection = socket.socketpair()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    sender.sendall(b"x\n")
    sender.shutdown(socket.SHUT_WR)
    root = open_store(store.path)
    assert be_instance(ORDER, connection, ours, theirs, root, store.clock, 7, pytest.fail) == 0
    assert confined == [(str(store.directory()), 7, ours.fileno())]
    assert root.fd == -1
    assert sender.recv(1_000).startswith(b"logchain/1 session=")
    assert store.lines() == [b"x"]
    assert signal.set_wakeup_fd(-1) == -1
    for one in (sender, connection, ours, theirs):
        one.close()


@pytest.mark.parametrize("error", [Busy, Full, WriteFailed, StoreError, UsageError, RuntimeError])
def test_an_error_of_another_process(error: type[Exception]) -> None:
    """What kept a stream from being made ready is raised here: as it was, if the sender has to be told another way."""

    def fail() -> None:
        raise error("for a reason")

    with pytest.raises(LogchainError, match="for a reason") as caught:
        instance._apart(fail)
    assert type(caught.value) is (error if error in (Busy, Full, WriteFailed) else StoreError)


def test_no_other_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender may come again."""

    def fail() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fail)
    with pytest.raises(Busy, match="temporarily unavailable"):
        instance._apart(lambda: None)


def test_another_process_that_is_killed() -> None:
    """Nobody knows what it did, so the call is not served."""
    with pytest.raises(StoreError, match="connect again"):
        instance._apart(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_nothing_of_another_process_stays() -> None:
    """What it had in memory is gone, and it leaves no descriptor and no process behind."""
    seen: list[int] = []
    before = os.listdir("/proc/self/fd")
    instance._apart(lambda: seen.append(1))
    assert seen == []
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_no_process_for_an_instance(store: Store, new_door: Doors) -> None:
    """The caller hears `busy`, and the next is served."""
    door = new_door(FAILS_ONCE.format(name="os.fork", good=3))  # the server, its look at the kernel, the first weighing
    assert door.refused(CALL) == b"busy"
    door.store_line()
    assert door.errors() == "<4>log-collector: cannot fork: Resource temporarily unavailable\n"
    assert store.lines() == [b"line"]


def test_no_descriptors_for_an_instance(new_door: Doors) -> None:
    """The caller hears that nothing can be stored, and the next is served."""
    door = new_door(FAILS_ONCE.format(name="acceptor.socket.socketpair", good=1))  # the fork server's own
    assert door.refused(CALL) == b"error cannot store; the LogVM's journal tells why"
    door.store_line()
    assert "temporarily unavailable" in door.errors()


def test_the_fork_server_is_out_of_descriptors(new_door: Doors) -> None:
    """Calls that it has no room for end without a word, and the next is served when there is."""
    door = new_door("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))")
    calls = [door.call(f"s{number}", vm=f"vm{number}") for number in range(30)]
    answers = [call.answer() for call in calls]
    served = [call for call, answer in zip(calls, answers, strict=True) if answer.startswith(b"logchain/1")]
    assert 5 < len(served) < 30
    for call in served:
        call.send(b"x\n")
        call.until_ok(1)
    for call in calls:
        call.close()
    until(lambda: not door.instances())
    door.store_line(vm="after")


def test_a_connection_that_cannot_be_accepted(new_door: Doors) -> None:
    """It waits in the kernel until it can."""
    door = new_door(FAILS_ONCE.format(name="acceptor.socket.socket.accept", good=0))
    door.store_line()
    assert door.errors() == ""


def test_the_fork_server_is_killed(store: Store, new_door: Doors) -> None:
    """Its instances commit and end, and the acceptor says so and ends: whoever started it starts it again."""
    door = new_door()
    call = door.call(data=b"x\n")
    call.greeting()
    call.until_ok(1)
    os.kill(door.fork_server(), signal.SIGKILL)
    assert door.process.wait(20) == 3
    assert "the process that forks instances has ended" in door.errors()
    assert call.last_words() == [b"ok 1"]
    assert store.lines() == [b"x"]
