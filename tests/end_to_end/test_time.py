"""Time goes wrong: a qube is paused, the LogVM hangs, the machine sleeps, clocks are set. Each line is stored once."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logchain.format.record import LINE
from logchain.read.verify import Verdict
from tests.collect.door import Door, children, until
from tests.collect.stepped import SharedClocks
from tests.conftest import Store
from tests.examples.conftest import Qube

BEGIN = 1_795_405_501_123_456  # µs since 1970: 2026-11-23
HOURS = 8 * 3600.0
YEARS = 10 * 365 * 86_400.0
STREAMS = """
[streams.syslog]
source = "syslog"
listen = ["unix:{here}/log"]
[streams.files]
source = "files"
paths = ["{here}/a.log"]
"""

# Both programs as they are, but less patient; what they take for the time is in a file that the test changes.
EXPORTER = """
import time
from pathlib import Path
from log_exporter import call, main
from tests.collect.stepped import SharedClocks
clocks = SharedClocks(Path({clocks!r}))
time.time, time.time_ns = lambda: clocks.wall() / 1e6, lambda: clocks.wall() * 1000
main.main(timing=call.Timing(greeting=2.0, silence=4.0, first_retry=0.02, longest_retry=0.2))
"""
COLLECTOR = """
from pathlib import Path
from logchain.store import clock
from tests.collect.stepped import SharedClocks
clocks = SharedClocks(Path({clocks!r}))
clock.SystemClock.wall, clock.SystemClock.running = clocks.wall, clocks.running
session._KEEP_ALIVE = 0.2
"""


class Machine:
    """A sender and a LogVM, each with a clock, and what was logged."""

    def __init__(self, store: Store, new_door: Callable[..., Door], here: Path) -> None:
        self.here, self.store = here, store
        self.senders, self.logvms = (SharedClocks.make(here / name, BEGIN) for name in ("sender", "logvm"))
        self.door = new_door(COLLECTOR.format(clocks=str(here / "logvm")))
        self.qube = Qube(here, store, self.door, "work")
        self.qube.program("log-exporter", sys.executable, "-c", EXPORTER.format(clocks=str(here / "sender")))
        self.logged = 0
        self.exporter = 0  # its process

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Run the exporter."""
        with self.qube.exporter(STREAMS.format(here=self.here)) as process:
            self.exporter = process.pid
            until((self.here / "log").exists)
            yield

    def log(self, count: int = 10) -> None:
        """Log some lines, into a file and over the socket."""
        with (self.here / "a.log").open("ab") as file, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.connect(str(self.here / "log"))
            for number in range(self.logged, self.logged + count):
                file.write(b"say %d\n" % number)
                log.send(b"<13>me: say %d" % number)
        self.logged += count

    def until_stored(self) -> None:
        """Wait until as many lines are stored as were logged."""
        until(lambda: all(len(self.store.lines(stream=stream)) >= self.logged for stream in ("files", "syslog")))

    def check(self) -> None:
        """Each line is there once, in order, and nothing else; the store is intact."""
        for stream in ("files", "syslog"):
            found = [int(line.rpartition(b" say ")[2]) for line in self.store.lines(stream=stream)]
            assert found == list(range(self.logged)), stream
        assert self.store.verdict() is Verdict.INTACT

    def sessions(self) -> dict[str, int]:
        """Return how many sessions each stream has had."""
        return {stream: self.store.events(stream=stream).count("session-start") for stream in ("files", "syslog")}

    def qrexec(self) -> list[int]:
        """Return what carries the calls."""
        return children(self.exporter)

    def logvm(self) -> list[int]:
        """Return all processes of the LogVM."""
        return [self.door.pid, self.door.fork_server(), *self.door.instances()]

    def said(self) -> str:
        """Return what the exporter said."""
        return (self.here / "exporter-said").read_text()


@pytest.fixture
def machine(store: Store, new_door: Callable[..., Door], tmp_path: Path) -> Machine:
    """One with nothing logged."""
    return Machine(store, new_door, tmp_path)


def tell(processes: list[int], number: signal.Signals) -> None:
    """Send a signal to processes."""
    for process in processes:
        os.kill(process, number)


def test_a_qube_that_is_paused_keeps_its_calls(machine: Machine) -> None:
    """Longer than it has patience: when it goes on, the acknowledgements are there, and nobody calls again."""
    with machine.sending():
        machine.log()
        machine.until_stored()
        tell([machine.exporter], signal.SIGSTOP)
        machine.log()
        time.sleep(5)
        tell([machine.exporter], signal.SIGCONT)
        machine.log()
        machine.until_stored()
    machine.check()
    assert machine.sessions() == {"files": 1, "syslog": 1}
    assert machine.said() == ""


def test_a_logvm_that_hangs_is_noticed_by_its_silence(machine: Machine) -> None:
    """No keep-alive comes: the exporter hangs up, calls again and again, and when the LogVM goes on nothing is lost."""
    with machine.sending():
        machine.log()
        machine.until_stored()
        hangs = machine.logvm()
        tell(hangs, signal.SIGSTOP)
        machine.log()
        until(lambda: machine.said().count("the collector has gone silent") == 2)
        until(lambda: machine.said().count("no greeting came") == 2)
        machine.log()
        tell(hangs, signal.SIGCONT)
        machine.until_stored()
    machine.check()
    assert min(machine.sessions().values()) > 1


def test_a_machine_that_sleeps(machine: Machine) -> None:
    """All stop, hours go by on every clock, all go on: the same calls, and the time of each line is its own."""
    with machine.sending():
        machine.log()
        machine.until_stored()
        everybody = [machine.exporter, *machine.qrexec(), *machine.logvm()]
        tell(everybody, signal.SIGSTOP)
        machine.senders.suspend(HOURS)
        machine.logvms.suspend(HOURS)
        tell(everybody, signal.SIGCONT)
        machine.log()
        machine.until_stored()
    machine.check()
    assert machine.sessions() == {"files": 1, "syslog": 1}
    assert machine.said() == ""
    stored = [record for record in machine.store.records(stream="syslog") if record.kind == LINE]
    evening, morning = BEGIN, BEGIN + round(HOURS * 1_000_000)
    assert [record.time for record in stored] == [evening] * 10 + [morning] * 10
    assert [sent(record.payload) for record in stored] == ["2026-11-23T03"] * 10 + ["2026-11-23T11"] * 10


def sent(line: bytes) -> str:
    """Return date and hour that the sender put before its line."""
    match = re.match(rb"<13>1 (\S{13})", line)
    assert match
    return match[1].decode()


@pytest.mark.parametrize("first", [-YEARS, YEARS])
def test_clocks_that_are_set(machine: Machine, first: float) -> None:
    """Forth and back by years at both ends, the exporter killed in between: the order is that of logging."""
    for seconds in (first, -2 * first, first):
        with machine.sending():
            machine.log()
            machine.until_stored()
            machine.senders.step(seconds)
            machine.logvms.step(-seconds)
            machine.log()
            machine.until_stored()
            machine.senders.step(-seconds / 2)
            machine.log()
            machine.until_stored()
            os.kill(machine.exporter, signal.SIGKILL)
        (machine.here / "log").unlink()
    with machine.sending():
        machine.until_stored()
    machine.check()
    assert machine.store.events(stream="files").count("clock") == (2 if first > 0 else 1)
