"""An instance: serves one connection of one stream, and can do nothing else by the time it reads a sender's byte."""

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from logchain.collect.allowance import Allowance
from logchain.collect.answers import answers_for
from logchain.collect.confine import confine
from logchain.collect.serving import serve
from logchain.format.errors import Busy, Full, StoreError, WriteFailed
from logchain.store.clock import Clock
from logchain.store.layout import Directory
from logchain.store.opening import hold_stream, prepare_stream
from logchain.store.stream import Rolling, StreamWriter

__all__ = ["Order", "be_instance", "format_order", "parse_order"]

_REFUSALS = {error.__name__: error for error in (Busy, Full, WriteFailed)}


class Order(NamedTuple):
    """What to serve, of checked names; how fast, in bytes a second and bytes; when to roll, in bytes and s."""

    service: str
    vm: str
    stream: str
    rate: int
    burst: int
    reserve: int
    floor: int
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
    ours: socket.socket,
    theirs: socket.socket,
    store: Directory,
    clock: Clock,
    parent: int,
    log: Callable[[str], None],
) -> int:
    """Serve a connection, in a process of its own; return the exit code. `theirs` is our end of the control socket."""
    name = f"{order.vm}/{order.stream}"
    signal.set_wakeup_fd(ours.fileno())  # a signal reaches the session as a word from the acceptor does
    # a descriptor of its own: reading and sending wait for the same socket separately
    answers = answers_for(order.service, os.dup(connection.fileno()))
    allowance = Allowance(order.rate, order.burst, order.reserve, order.floor, time.monotonic())

    def open_writer() -> StreamWriter:
        _apart(lambda: prepare_stream(store, order.vm, order.stream))
        held = hold_stream(store, order.vm, order.stream)
        store.close()
        confine(held.directory.fd, parent)
        return held.open(clock, Rolling(order.segment, order.segment_age * 1_000_000))

    return serve(
        connection.fileno(),
        answers,
        open_writer,
        clock,
        theirs.fileno(),
        order.service,
        lambda message: log(f"{name}: {message}"),
        allowance,
    )


def _apart(action: Callable[[], None]) -> None:
    """Do something in a process of its own: the secrets of births never come into this one's memory."""
    readable, writable = os.pipe()
    pid = os.fork()
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
