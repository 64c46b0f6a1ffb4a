"""The journal is stored once, whoever is killed and when: exporter, qrexec, journalctl, one collector, the LogVM.

KILLS=1000 is a soak; KILL_SEED repeats a run. The same for files: tests/exporter/test_kill.py.
"""

import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from tests.collect.door import Door, children, until
from tests.conftest import Store
from tests.examples.conftest import QREXEC, Qube
from tests.exporter.journal import Journald

KILLS = int(os.environ.get("KILLS", "25"))
EXPORTER = """
from log_exporter import call, main
from log_exporter.sources import journalctl, libsystemd
if {through!r} == "journalctl":
    libsystemd._LIBRARY = "not-here.so"
journalctl._RESTART = 0.05
main.main(timing=call.Timing(greeting=2.0, silence=2.0, first_retry=0.02, longest_retry=0.2))
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journald]:
    """A journald of this test's own."""
    directory = tmp_path / "journal"
    directory.mkdir()
    journal = Journald(directory)
    yield journal
    journal.stop()


class Killing:
    """A qube that logs, a LogVM, and who is killed next."""

    def __init__(
        self, qube: Qube, journal: Journald, new_door: Callable[..., Door], chance: random.Random, kinds: set[str]
    ) -> None:
        self.qube, self.journal, self.chance, self._kinds = qube, journal, chance, kinds
        self.written, self.killed = 0, Counter[str]()
        self._new_door = new_door

    def log(self) -> None:
        """Log for a random while; perhaps the journal is rotated."""
        pause = time.monotonic() + self.chance.expovariate(1 / 0.15)
        while time.monotonic() < pause:
            for _ in range(self.chance.randrange(1, 6)):
                self.journal.log(b"say %d\n\xff" % self.written, SYSLOG_IDENTIFIER="test")
                self.written += 1
            if self.chance.random() < 0.01:
                self.journal.rotate()
            time.sleep(0.005)

    def run(self, config: str) -> None:
        """Kill until it is enough, each of them at least once; then let all arrive."""
        while not self._enough():
            with self.qube.exporter(config) as exporter:
                while not self._enough():
                    self.log()
                    if self.chance.random() < 0.3:
                        exporter.kill()
                        self.killed["exporter"] += 1
                        break
                    self._kill_another(exporter.pid)
        with self.qube.exporter(config):
            until(lambda: len(self.said()) >= self.written)

    def _enough(self) -> bool:
        return self.killed.total() >= KILLS and self.killed.keys() == self._kinds

    def _kill_another(self, exporter: int) -> None:
        kind = self.chance.choice(["child", "collector", "collector", "LogVM"])
        if kind == "LogVM":
            self._kill([("LogVM", self.qube.door.fork_server()), ("LogVM", self.qube.door.pid)])
            self.qube.door = self._new_door()
            self.qube.program(
                "qrexec-client-vm", sys.executable, "-S", str(QREXEC), self.qube.door.path, "work", "qrexec-client-vm"
            )
        elif kind == "collector":
            self._kill([("collector", pid) for pid in children(self.qube.door.fork_server())])
        else:
            self._kill([(name(pid), pid) for pid in children(exporter) if self.chance.random() < 0.7])

    def _kill(self, whom: list[tuple[str, int]]) -> None:
        for kind, pid in whom:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed[kind] += 1

    def said(self) -> list[int]:
        """Return the numbers that are stored."""
        lines = (
            self.qube.store.lines("work", "journal") if self.qube.store.directory("work", "journal").exists() else []
        )
        found = (re.search(rb"\] say (\d+)\\n\\xff$", line) for line in lines)
        return [int(match[1]) for match in found if match]


def name(pid: int) -> str:
    """Return what a child of the exporter is."""
    with suppress(FileNotFoundError, ProcessLookupError):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "journalctl":
            return "journalctl"
    return "qrexec"


@pytest.mark.parametrize("through", ["libsystemd", "journalctl"])
def test_the_journal_is_stored_once(
    store: Store, new_door: Callable[..., Door], journal: Journald, tmp_path: Path, through: str
) -> None:
    """While it is written to and rotated, random kills lose, double and reorder nothing; the store is intact."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**9)))
    print(f"KILL_SEED={seed}")  # noqa: T201  (shown when the test fails)
    qube = Qube(tmp_path, store, new_door(), "work")
    qube.program("log-exporter", sys.executable, "-c", EXPORTER.format(through=through))
    kinds = {"exporter", "collector", "LogVM", "qrexec"} | ({"journalctl"} if through == "journalctl" else set())
    killing = Killing(qube, journal, new_door, random.Random(seed), kinds)
    killing.run(f'[streams.journal]\nsource = "journald"\ndirectory = "{journal.directory}"\n')
    assert killing.said() == list(range(killing.written))
    assert not [line for line in store.lines("work", "journal") if b" log-exporter - " in line]
    assert store.verdict() is Verdict.INTACT
