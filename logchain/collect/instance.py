"""An instance: serves one connection of one stream, and can do nothing else by the time it reads a sender's byte."""

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from logchain.collect.allowance import Allowance, Quota
from logchain.collect.answers import answers_for
from logchain.collect.confine import confine
from logchain.collect.serving import serve
from logchain.format.errors import Busy, Full, StoreError, WriteFailed
from logchain.store.clock import Clock
from logchain.store.layout import Directory
from logchain.store.opening import hold_stream, prepare_stream
from logchain.store.stream import Rolling, StreamWriter

__all__ = ["STOPS", "Order", "be_instance", "format_order", "parse_order"]

STOPS = {signal.SIGTERM, signal.SIGINT}  # blocked in who forks an instance
_REFUSALS = {error.__name__: error for error in (Busy, Full, WriteFailed)}


class Order(NamedTuple):
    """What to serve, of checked names, and how.

    Rate and floor in bytes a second; burst, reserve, saved (of the burst) and segment in bytes; quota as in Quota; age
    in s.
    """

    service: str
    vm: str
    stream: str
    rate: int
    burst: int
    reserve: int
    floor: int
    saved: int
    quota: int
    segment: int
    segment_age: int


def format_order(order: Order) -> bytes:
    """Return the order as the acceptor sends it."""
    return " ".join(map(str, order)).encode()


def parse_order(data: bytes) -> Order:
    """Return the order that the acceptor, who is trusted, has sent."""
    service, vm, stream, *numbers = data.decode().split(" ")
    return Order(service, vm, stream, *map(int, numbers))


def be_instance(
    order: Order,
    connection: socket.socket,
    acceptors_end: socket.socket,
    control: socket.socket,
    store: Directory,
    clock: Clock,
    parent: int,
    log: Callable[[str], None],
) -> int:
    """Serve a connection, in a process of its own; return the exit code.

    `control` is our end of the control socket; `parent` is the process that forked this one.
    """
    name = f"{order.vm}/{order.stream}"
    signal.set_wakeup_fd(acceptors_end.fileno())  # a signal comes as a word from the acceptor does,
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # also one that came before
    # a descriptor of its own: reading and sending wait for the same socket separately
    answers = answers_for(order.service, os.dup(connection.fileno()))
    allowance = Allowance(
        rate=order.rate,
        burst=order.burst,
        reserve=order.reserve,
        floor=order.floor,
        now=time.monotonic(),
        saved=order.saved,
        quota=Quota(order.quota),
    )

    def open_writer() -> StreamWriter:
        _apart(lambda: prepare_stream(store, order.vm, order.stream))
        held = hold_stream(store, order.vm, order.stream)
        store.close()
        confine(held.directory.fd, parent)
        return held.open(clock, Rolling(order.segment, order.segment_age * 1_000_000))

    try:
        return serve(
            connection.fileno(),
            answers,
            open_writer,
            clock,
            control.fileno(),
            order.service,
            lambda message: log(f"{name}: {message}"),
            allowance,
        )
    finally:
        signal.set_wakeup_fd(-1)  # the sockets are closed before the process has ended


def _apart(action: Callable[[], None]) -> None:
    """Do something in a process of its own: the secrets of births never come into this one's memory."""
    try:
        readable, writable = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise Busy(f"no process to be had: {error.strerror}") from error
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        except Exception as error:
            os.write(writable, f"{type(error).__name__} {error}".encode())
        finally:
            os._exit(code)
    os.close(writable)
    with open(readable, "rb") as file:
        kind, _, words = file.read().decode().partition(" ")
    _, status = os.waitpid(pid, 0)
    if status:
        raise _REFUSALS.get(kind, StoreError)(words or "a stream could not be made ready; connect again")
