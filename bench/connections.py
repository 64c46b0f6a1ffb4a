"""What a connection costs that stands, and one that is busy: memory and CPU time of whoever listens.

Idle is after one line, for IDLE_SECONDS; ours tells each sender `ok 1` every 25 s. Busy is RATE lines a second.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from bench import programs
from bench.processes import call, connect, cpu, family, new_vm, pss
from bench.rounds import Cost

CONNECTIONS, RATE, AT_ONCE = 50, 100, 10  # lines a second of each, lines at once
IDLE = float(os.environ.get("IDLE_SECONDS", "30"))
BUSY = 10.0  # s
LINE = b"<13>Nov 23 03:45:01 work app: " + b"x" * 119 + b"\n"
SETTLED = 3.0  # s: the last key is wiped then, the last buffer is written


def of_ours() -> socket.socket:
    """Connect to our collector, as a new qube."""
    return call(new_vm())


def of_peer(command: Sequence[str], config: str, here: Path) -> tuple[Cost, Cost]:
    """Measure a syslog daemon."""
    here.mkdir()
    with programs.serving_peer(command, config, here) as pid:
        connect(here / "socket").close()
        return measure(pid, partial(connect, here / "socket"))


def measure(listener: int, connection: Callable[[], socket.socket]) -> tuple[Cost, Cost]:
    """Return what each connection costs, idle and busy: MiB of memory (PSS), ms of CPU time a second."""
    time.sleep(1)  # who was connected before is gone
    alone = weight(listener)
    with ExitStack() as stack:
        kept = [stack.enter_context(connection()) for _ in range(CONNECTIONS)]
        for one in kept:
            one.sendall(LINE)
        time.sleep(SETTLED)
        hear(kept)
        used, idle = spent(listener), weight(listener)
        time.sleep(IDLE)
        used, before = spent(listener) - used, spent(listener)
        say(kept)
        busy = weight(listener)
        time.sleep(1)
        return (
            Cost((idle - alone) / CONNECTIONS, max(0.0, used) / IDLE / CONNECTIONS),  # a thread may have ended
            Cost((busy - alone) / CONNECTIONS, (spent(listener) - before) / BUSY / CONNECTIONS),
        )


def say(kept: list[socket.socket]) -> None:
    """Let all send at their rate, one after the other."""
    begun, pause = time.monotonic(), AT_ONCE / RATE / CONNECTIONS
    for number in range(int(BUSY / pause)):
        kept[number % CONNECTIONS].sendall(LINE * AT_ONCE)
        hear(kept[number % CONNECTIONS :][:1])
        time.sleep(max(0.0, begun + number * pause - time.monotonic()))


def hear(kept: list[socket.socket]) -> None:
    """Take what they were told."""
    for one in kept:
        with suppress(BlockingIOError):
            one.recv(65_536, socket.MSG_DONTWAIT)


def weight(listener: int) -> float:
    """Return the memory of a process and its descendants, MiB."""
    return sum(map(pss, family(listener))) / (1 << 20)


def spent(listener: int) -> float:
    """Return their CPU time, ms."""
    return sum(map(cpu, family(listener)))
