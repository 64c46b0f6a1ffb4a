"""Exactly once from the spool while collectors die, and a loss that is counted when it is full.

The journal: tests/end_to_end/test_kill.py.
"""

import os
import re
import socket

from tests.exporter.daemon import Daemon


def notes(lines: list[bytes]) -> list[bytes]:
    """Return the exporter's own lines."""
    return [line for line in lines if b" log-exporter - " in line]


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
