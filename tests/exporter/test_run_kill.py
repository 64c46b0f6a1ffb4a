"""Exactly once from the journal and the spool, whoever is killed: exporter, collector, journalctl."""

import os
import random
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.exporter.bench import children
from tests.exporter.daemon import Daemon
from tests.exporter.journal import Journald

KILLS = int(os.environ.get("KILLS", "25"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that is gone when the test is."""
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.communicate()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journald]:
    """A journald of this test's own."""
    directory = tmp_path / "journal"
    directory.mkdir()
    journal = Journald(directory)
    yield journal
    journal.stop()


def notes(lines: list[bytes]) -> list[bytes]:
    """Return the exporter's own lines."""
    return [line for line in lines if b" log-exporter - " in line]


@pytest.mark.parametrize("through", ["libsystemd", "journalctl"])
def test_the_journal_is_stored_once(daemon: Daemon, journal: Journald, through: str) -> None:
    """While it is written to and rotated, random kills lose, double and reorder nothing."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**9)))
    print(f"KILL_SEED={seed}")  # noqa: T201  (shown when the test fails)
    chance = random.Random(seed)
    daemon.configure(f'[streams.journal]\nsource = "journald"\ndirectory = "{journal.directory}"\n')
    environment = {"WITHOUT_LIBSYSTEMD": "1"} if through == "journalctl" else {}
    daemon.start(**environment)
    written, killed = 0, Counter[str]()
    while killed.total() < KILLS:
        pause = time.monotonic() + chance.expovariate(1 / 0.15)
        while time.monotonic() < pause:
            for _ in range(chance.randrange(1, 6)):
                journal.log(b"say %d\n\xff" % written, SYSLOG_IDENTIFIER="test")
                written += 1
            if chance.random() < 0.01:
                journal.rotate()
            time.sleep(0.005)
        assert daemon.process
        if chance.random() < 0.4:
            daemon.kill()
            daemon.start(**environment)
            killed["exporter"] += 1
            continue
        for child in children(daemon.process.pid):
            with suppress(ProcessLookupError, FileNotFoundError):
                name = Path(f"/proc/{child}/comm").read_text().strip()
                if chance.random() < 0.6:
                    os.kill(child, signal.SIGKILL)
                    killed[name] += 1

    def said() -> list[int]:
        found = (re.search(rb"\] say (\d+)\\n\\xff$", line) for line in daemon.stored("journal"))
        return [int(match[1]) for match in found if match]

    daemon.until(lambda: len(said()) >= written, 60)
    daemon.stop()
    assert said() == list(range(written))
    assert notes(daemon.stored("journal")) == []
    assert ("journalctl" in killed) == (through == "journalctl")


def test_what_comes_once_is_stored_once_while_collectors_die(daemon: Daemon) -> None:
    """A program logs as fast as it can, and each call ends in the middle: nothing is lost, and nothing doubled."""
    daemon.bad = "--bad dies --after 4000"
    path = str(daemon.directory / "log")
    daemon.configure(f'[streams.syslog]\nsource = "syslog"\nlisten = ["unix:{path}"]\n')
    daemon.start()
    daemon.until(lambda: os.path.exists(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        for number in range(30_000):
            log.sendto(b"<13>me: %d" % number, path)
    daemon.until(lambda: len(daemon.stored("syslog")) >= 30_000, 60)
    daemon.stop()
    assert [line.rpartition(b" ")[2] for line in daemon.stored("syslog")] == [
        b"%d" % number for number in range(30_000)
    ]


def test_a_full_spool_loses_what_it_says(daemon: Daemon) -> None:
    """Nobody takes lines until the spool is full: what arrives later and what was dropped make up what was sent."""
    path, off = str(daemon.directory / "log"), daemon.directory / "off"
    off.touch()
    daemon.configure(f'[streams.syslog]\nsource = "syslog"\nlisten = ["unix:{path}"]\nspool = 1\n', f"{off}")
    daemon.start()
    daemon.until(lambda: os.path.exists(path))
    sent = 20_000
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        for number in range(sent):
            log.sendto(b"<13>me: %d %b" % (number, b"x" * 100), path)
        off.unlink()
        log.sendto(b"<13>me: last", path)

    def arrived() -> list[int]:
        found = (re.search(rb"\] (\d+) x+$", line) for line in daemon.stored("syslog"))
        return [int(match[1]) for match in found if match]

    def told() -> list[int]:
        found = (re.search(rb" dropped - (\d+) lines were dropped", line) for line in notes(daemon.stored("syslog")))
        return [int(match[1]) for match in found if match]

    daemon.until(lambda: len(arrived()) + sum(told()) >= sent)
    daemon.stop()
    assert arrived() == sorted(set(arrived()))
    assert sum(told()) in (sent - len(arrived()), sent + 1 - len(arrived()))  # the last one may be among them
    assert sum(b" dropping - " in line for line in daemon.stored("syslog")) == len(told()) > 0
