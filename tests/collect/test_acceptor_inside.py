"""The acceptor's code in this process: what a fork does after it, and what happens when the machine has no more."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from logchain.collect import acceptor as acceptor_module
from logchain.collect.acceptor import Acceptor
from logchain.collect.descriptor import APPEND, Descriptor
from logchain.format.settings import DEFAULT_SETTINGS
from logchain.store.layout import Directory, open_store
from logchain.store.opening import hold_stream
from tests.collect.door import DoorCall
from tests.conftest import STREAM, VM, Store

CALL = b"logchain.Append+main work\0x\n"


class Inside:
    """An acceptor that this process runs."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.path, self.logged = str(directory / "socket"), list[str]()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.stop, self._writable = os.pipe2(os.O_NONBLOCK)
        self._before = signal.set_wakeup_fd(self._writable)
        self.root: Directory = open_store(store.path)
        self.acceptor = Acceptor(self.listener, self.root, store.clock, self.stop, self.logged.append, DEFAULT_SETTINGS)

    def run(self, data: bytes, lines: int = 1) -> list[bytes]:
        """Serve one call in a thread's company, until so many lines came down; return these."""
        answers: list[bytes] = []

        def call() -> None:
            call = DoorCall(self.path)
            call.send(data)
            answers.extend(call.answer() for _ in range(lines))
            call.close()
            os.write(self._writable, b"\x0f")

        thread = threading.Thread(target=call)
        thread.start()
        self.acceptor.run()
        thread.join()
        return answers

    def close(self) -> None:
        """Leave this process as it was."""
        signal.set_wakeup_fd(self._before)
        self.root.close()
        self.listener.close()
        for fd in (self.stop, self._writable):
            os.close(fd)


@pytest.fixture
def inside(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    """An acceptor here, which does not ask the kernel what it lacks."""
    monkeypatch.setattr(Acceptor, "_probe", lambda _: None)
    inside = Inside(store, tmp_path)
    yield inside
    inside.close()


@pytest.mark.parametrize("name", ["os.fork", "socket.socketpair"])
def test_a_machine_that_has_no_more(inside: Inside, store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No process or no descriptor for an instance: the caller hears it, and the stream's lock is free again."""

    def fail() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(name, fail)
    before = len(os.listdir("/proc/self/fd"))
    assert inside.run(CALL) == [b"error cannot store; the LogVM's journal tells why"]
    assert len(os.listdir("/proc/self/fd")) == before - 1  # the listener
    assert "temporarily unavailable" in inside.logged[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    store.open().close()


def test_a_connection_that_cannot_be_accepted(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in the kernel until it can."""
    real, failures = inside.listener.accept, [OSError(24, "Too many open files"), ConnectionAbortedError()]

    class Listener:
        """The listener, which fails at first."""

        def __getattr__(self, name: str) -> object:
            return getattr(inside.listener, name)

        def accept(self) -> tuple[socket.socket, object]:
            """Accept, in the end."""
            if failures:
                raise failures.pop()
            return real()

    monkeypatch.setattr(inside.acceptor, "_listener", Listener())
    assert inside.run(b"\0") == [b"error not a service descriptor"]
    assert not failures


def test_the_instances_side(inside: Inside, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a forked child does, done here, but for the confinement: that is tried elsewhere."""
    confined: list[tuple[int, int]] = []
    monkeypatch.setattr(acceptor_module, "confine", lambda fd, parent: confined.append((fd, parent)))
    sender, connection = socket.socketpair()
    waiting, other = socket.socketpair()
    ours, theirs = socket.socketpair()
    caller = acceptor_module._Caller(connection, 0.0)
    caller.call = Descriptor(APPEND, VM, STREAM)
    inside.acceptor._callers[other.fileno()] = acceptor_module._Caller(other, 0.0)
    sender.sendall(b"x\n")
    sender.shutdown(socket.SHUT_WR)
    held = hold_stream(inside.root, VM, STREAM)
    assert inside.acceptor._be_instance(caller, held, ours, theirs) == 0
    assert [parent for _, parent in confined] == [os.getpid()]
    assert waiting.recv(1) == b""  # nothing of the others is open here
    assert sender.recv(1_000).startswith(b"logchain/1 session=")
    assert store.lines() == [b"x"]
    assert signal.set_wakeup_fd(-1) == ours.fileno()
    inside.stop, inside._writable = os.pipe()  # it has closed its own
    for one in (sender, connection, waiting, ours, theirs):
        one.close()
