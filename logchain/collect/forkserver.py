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
from logchain.collect.instance import Order, be_instance, format_order, parse_order
from logchain.store.clock import Clock
from logchain.store.layout import Directory

__all__ = ["ForkServer"]

_FAREWELL = 20.0  # s for all instances to commit when the acceptor ends
_MAX_ORDER = 512  # bytes
_STOPS = {signal.SIGTERM, signal.SIGINT}


class ForkServer:
    """The acceptor's end: a process that forks instances as it is ordered to; `log` takes lines for our own log."""

    def __init__(self, store: Directory, clock: Clock, log: Callable[[str], None]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # one to the server must not reach our own descriptor
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _close_all_but(store.fd, theirs.fileno())
                signal.set_wakeup_fd(-1)
                for number in _STOPS:  # they end an instance, and not the server: it ends when the acceptor does
                    signal.signal(number, lambda *_: None)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
                _Server(theirs, store, clock, log).run()
            except BaseException:
                _log_fault(log)
            finally:
                os._exit(0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the server has ended, which it does not by itself."""
        return self._channel.fileno()

    def serve(self, order: Order, connection: socket.socket, ours: socket.socket, theirs: socket.socket) -> None:
        """Have an instance forked that serves a connection, with `theirs` as its end of a control socket."""
        socket.send_fds(self._channel, [format_order(order)], [one.fileno() for one in (connection, ours, theirs)])

    def close(self) -> None:
        """Have all instances commit, and wait until they and the server have ended."""
        self._channel.close()
        os.waitpid(self._pid, 0)


def _log_fault(log: Callable[[str], None]) -> None:
    import traceback  # late: every instance would pay for it, and this is never

    log(traceback.format_exc())


def _close_all_but(*fds: int) -> None:
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in fds:
            with suppress(OSError):  # the listing's own
                os.close(fd)


class _Instance(NamedTuple):
    """A process that serves one connection: its stream, and the control socket's end that is closed when it ends."""

    pid: int
    name: str
    control: socket.socket


class _Server:
    """The process that forks."""

    def __init__(self, channel: socket.socket, store: Directory, clock: Clock, log: Callable[[str], None]) -> None:
        self._channel, self._store, self._clock, self._log = channel, store, clock, log
        self._pid = os.getpid()
        self._instances: dict[int, _Instance] = {}  # by descriptors that become readable when they end

    def run(self) -> None:
        """Fork as ordered, until the acceptor is gone; then end what is left."""
        self._probe()
        gc.freeze()  # what is there now is shared with every instance, and never written by a collection
        while True:
            ready = self._wait(None)
            if self._channel.fileno() in ready:
                try:
                    data, fds, _, _ = socket.recv_fds(self._channel, _MAX_ORDER, 3)
                except OSError:  # no descriptor is left for what was sent with it
                    continue
                if not data:
                    break
                self._fork(parse_order(data), [socket.socket(fileno=fd) for fd in fds])
        for number in (signal.SIGTERM, signal.SIGKILL):
            for instance in self._instances.values():
                os.kill(instance.pid, number)
            end = time.monotonic() + _FAREWELL
            while self._instances and time.monotonic() < end:
                self._wait(end)

    def _wait(self, end: float | None) -> set[int]:
        """Wait for something to happen, and bury the instances that have ended."""
        poll = select.poll()
        for fd in self._instances:
            poll.register(fd, select.POLLIN)
        if end is None:
            poll.register(self._channel, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if end is None else max(0.0, 1000 * (end - time.monotonic())))}
        for fd in ready & self._instances.keys():
            instance = self._instances.pop(fd)
            os.close(fd)
            _, status = os.waitpid(instance.pid, 0)
            if os.WIFSIGNALED(status):
                self._log(f"{instance.name}: an instance was killed, signal {os.WTERMSIG(status)}")
            instance.control.close()
        return ready

    def _fork(self, order: Order, sockets: list[socket.socket]) -> None:
        connection, ours, theirs = sockets
        with connection, ours:
            try:
                pid = os.fork()
            except OSError as error:  # no memory, no process: those who are served go on
                self._log(f"cannot fork: {error.strerror}")
                with suppress(OSError):
                    answers_for(order.service, connection.fileno()).busy()
                theirs.close()
                return
            if pid == 0:
                code = 3
                try:
                    self._channel.close()
                    for fd, instance in self._instances.items():
                        os.close(fd)
                        instance.control.close()
                    code = be_instance(order, connection, ours, theirs, self._store, self._clock, self._pid, self._log)
                except BaseException:
                    _log_fault(self._log)
                finally:
                    os._exit(code)
        self._instances[os.pidfd_open(pid)] = _Instance(pid, f"{order.vm}/{order.stream}", theirs)

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
