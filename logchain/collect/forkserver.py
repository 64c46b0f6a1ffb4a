"""The process that every instance is forked from: made early, it holds no key, no log line, and no connection but one.

The acceptor keeps `ForkServer`, and sends it an order for each call, with three descriptors: the connection, and both
ends of the instance's control socket. The server keeps the instance's end until the instance has ended, so the acceptor
hears of that by the end of its own. When the acceptor ends, whatever way, the server ends the instances and itself.
"""

import gc
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from logchain.collect.answers import answers_for
from logchain.collect.confine import confine
from logchain.collect.instance import STOPS, Order, be_instance, format_order, parse_order
from logchain.collect.serving import describe_fault
from logchain.collect.weights import weigh
from logchain.store.clock import Clock
from logchain.store.layout import Directory

__all__ = ["ForkServer"]

_FAREWELL = 20.0  # s for all instances to commit when the acceptor ends
_MAX_ORDER = 512  # bytes
_WEIGH = b"weigh"


class ForkServer:
    """The acceptor's end: a process that forks instances as it is ordered to; `log` takes lines for our own log."""

    def __init__(self, store: Directory, clock: Clock, log: Callable[[str], None]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # one to the server must not reach our own descriptor
        self._pid = os.fork()
        if self._pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                _close_all_but(store.fd, theirs.fileno())
                # they stay blocked: they end an instance, as soon as it is one, and never the server
                for number in STOPS:
                    signal.signal(number, lambda *_: None)
                _Server(theirs, store, clock, log).run()
            except BaseException as error:
                log(describe_fault(error))
            finally:
                os._exit(0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the server has ended, which it does not by itself."""
        return self._channel.fileno()

    def serve(self, order: Order, connection: socket.socket) -> socket.socket:
        """Have an instance forked that serves a connection; return our end of its control socket. Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._send(format_order(order), connection.fileno(), ours.fileno(), theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def weigh(self) -> int:
        """Have all logs weighed; return the pipe by which `weights.weigh` will tell. Raises OSError."""
        readable, writable = os.pipe()
        try:
            self._send(_WEIGH, writable)
        except OSError:
            os.close(readable)
            raise
        finally:
            os.close(writable)
        return readable

    def _send(self, order: bytes, *fds: int) -> None:
        socket.send_fds(self._channel, [order], fds)

    def close(self) -> None:
        """Have all instances commit, and wait until they and the server have ended."""
        self._channel.close()
        os.waitpid(self._pid, 0)


def _close_all_but(*fds: int) -> None:
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in fds:
            with suppress(OSError):  # the listing's own
                os.close(fd)


class _Child(NamedTuple):
    """A process that was forked: its name in our log, and the descriptors that are closed when it has ended."""

    pid: int
    name: str
    kept: list[int]


class _Server:
    """The process that forks."""

    def __init__(self, channel: socket.socket, store: Directory, clock: Clock, log: Callable[[str], None]) -> None:
        self._channel, self._store, self._clock, self._log = channel, store, clock, log
        self._pid = os.getpid()
        self._children: dict[int, _Child] = {}  # by descriptors that become readable when they end

    def run(self) -> None:
        """Fork as ordered, until the acceptor is gone; then end what is left."""
        self._probe()
        gc.freeze()  # what is there now is shared with every instance, and never written by a collection
        while True:
            ready = self._wait(None)
            if self._channel.fileno() in ready:
                order, fds, _, _ = socket.recv_fds(self._channel, _MAX_ORDER, 3)
                if not order:
                    break
                self._obey(order, fds)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for child in self._children.values():
                os.kill(child.pid, number)
            end = time.monotonic() + _FAREWELL
            while self._children and time.monotonic() < end:
                self._wait(end)

    def _wait(self, end: float | None) -> set[int]:
        """Wait for something to happen, and bury the children that have ended."""
        poll = select.poll()
        for fd in self._children:
            poll.register(fd, select.POLLIN)
        if end is None:
            poll.register(self._channel, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if end is None else max(0.0, 1000 * (end - time.monotonic())))}
        for fd in ready & self._children.keys():
            child = self._children.pop(fd)
            _, status = os.waitpid(child.pid, 0)
            if os.WIFSIGNALED(status):
                self._log(f"{child.name}: an instance was killed, signal {os.WTERMSIG(status)}")
            for kept in (fd, *child.kept):
                os.close(kept)
        return ready

    def _obey(self, order: bytes, fds: list[int]) -> None:
        """Fork what is ordered. What it needs of the descriptors it has then; here only the control socket stays."""
        kept: list[int] = []
        try:
            if order == _WEIGH and len(fds) == 1:
                self._fork("weighing", lambda: weigh(self._store, fds[0]), kept)
            elif len(fds) == 3:
                kept = fds[2:]
                self._serve(parse_order(order), fds, kept)
            else:
                self._log("no descriptors left: a call is not served")  # recvmsg(2) drops what there is no room for
        except OSError as error:  # no process, no memory, no descriptor: those who are served go on
            self._log(f"cannot fork: {error.strerror}")
            kept = []
        for fd in set(fds).difference(kept):
            os.close(fd)

    def _serve(self, order: Order, fds: list[int], kept: list[int]) -> None:
        def be() -> None:
            connection, acceptors_end, control = (socket.socket(fileno=fd) for fd in fds)
            be_instance(order, connection, acceptors_end, control, self._store, self._clock, self._pid, self._log)

        try:
            self._fork(f"{order.vm}/{order.stream}", be, kept)
        except OSError:
            with suppress(OSError):
                answers_for(order.service, fds[0]).busy()
            raise

    def _fork(self, name: str, action: Callable[[], None], kept: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._channel.close()
                for fd, child in self._children.items():
                    for other in (fd, *child.kept):
                        os.close(other)
                action()
            except BaseException as error:
                self._log(f"{name}: {describe_fault(error)}")
            finally:
                os._exit(0)
        try:
            self._children[os.pidfd_open(pid)] = _Child(pid, name, kept)
        except OSError:  # it could not be waited for
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise

    def _probe(self) -> None:
        """Tell, once, in our own log, what this kernel lacks to confine the instances."""
        pid = os.fork()
        if pid == 0:
            try:
                lacking = confine(self._store.fd, self._pid)
                if lacking:
                    words = "instances are confined less than they should be"
                    self._log(f"this kernel lacks {', '.join(lacking)}: {words}")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
