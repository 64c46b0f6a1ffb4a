"""rsyslog and syslog-ng send to the LogVM with the snippets of examples/syslog, with log-exporter and without."""

import os
import re
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from log_exporter.line import unescape
from tests.collect.door import until
from tests.examples.conftest import Qube
from tests.examples.daemons import Daemon, lacks, rsyslog, syslog_ng

Run = Callable[[Path, str], AbstractContextManager[Daemon]]

needs_rsyslog = pytest.mark.skipif(lacks("rsyslogd"), reason="rsyslog is missing: apt install rsyslog")
needs_syslog_ng = pytest.mark.skipif(
    lacks("syslog-ng"), reason="syslog-ng is missing: unpack it below PEERS (docs/measured.md)"
)

_LINE = re.compile(rb"<13>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) \S+ app 12 - (?:-|\[.*\]) (.*)")


def words(qube: Qube, stream: str) -> list[str]:
    """Return what was logged, of a stream's lines that are RFC 5424 lines of the program `app`."""
    found = []
    for line in qube.store.lines(qube.name, stream):
        match = _LINE.fullmatch(line)
        assert match or b" app " not in line, line
        found += [match[1].strip().decode()] if match else []
    return found


def some(count: int, first: int = 0) -> list[str]:
    """Return so many different words."""
    return [f'event number {number}, äöü \\ "quoted"' for number in range(first, first + count)]


@pytest.mark.parametrize(
    ("run", "example"),
    [
        pytest.param(rsyslog, "rsyslog-append.conf", marks=needs_rsyslog),
        pytest.param(rsyslog, "rsyslog-stdin.conf", marks=needs_rsyslog),
        pytest.param(syslog_ng, "syslog-ng-append.conf", marks=needs_syslog_ng),
        pytest.param(syslog_ng, "syslog-ng-stdin.conf", marks=needs_syslog_ng),
    ],
)
def test_a_daemon_sends(qube: Qube, run: Run, example: str) -> None:
    """Each line that programs log comes to the store, in order, as RFC 5424; a line of several lines as one."""
    with run(qube.here, qube.example(f"syslog/{example}")) as daemon:
        daemon.log(some(500))
        until(lambda: len(words(qube, "syslog")) >= 500)
        daemon.log(["one\ntwo"])
        until(lambda: len(words(qube, "syslog")) >= 501)
        daemon.stop()
    assert words(qube, "syslog")[:500] == some(500)
    assert words(qube, "syslog")[500] in ("one two", "one#012two")
    assert len(words(qube, "syslog")) == 501
    assert not qube.store.found()


@pytest.mark.parametrize(
    ("run", "example"),
    [
        pytest.param(rsyslog, "rsyslog-to-exporter.conf", marks=needs_rsyslog),
        pytest.param(syslog_ng, "syslog-ng-to-exporter.conf", marks=needs_syslog_ng),
    ],
)
def test_a_daemon_sends_to_the_exporter(qube: Qube, run: Run, example: str) -> None:
    """What a daemon sends to log-exporter's port comes to the store, in order; several lines stay one."""
    port = free_port()
    text = qube.example(f"syslog/{example}").replace("1601", port)
    with qube.exporter(qube.example("syslog/log-exporter.toml").replace("1601", port)):
        until(lambda: listens(port))
        with run(qube.here, text) as daemon:
            daemon.log([*some(500), "one\ntwo"])
            until(lambda: len(words(qube, "syslog")) >= 501)
            daemon.stop()
    stored = words(qube, "syslog")
    assert [unescape(word.encode()).decode() for word in stored[:500]] == some(500)
    assert stored[500] in (r"one\ntwo", "one#012two")
    assert len(stored) == 501


def listens(port: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", int(port))) == 0


def free_port() -> str:
    """Return a TCP port of this machine that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@needs_rsyslog
def test_rsyslog_without_our_exporter_waits_for_each_line(qube: Qube) -> None:
    """With qubes.Log and confirmMessages no line is lost, though the collector is killed."""
    example = qube.example("syslog/rsyslog-qubes-log.conf").replace('Interval="10"', 'Interval="1"')
    with rsyslog(qube.here, example) as daemon:
        daemon.log(some(30))
        until(lambda: len(words(qube, "qubes.Log")) >= 10)
        for instance in qube.door.instances():
            os.kill(instance, signal.SIGKILL)
        daemon.log(some(10, 30))
        until(lambda: words(qube, "qubes.Log")[-1:] == some(1, 39))
        daemon.stop()
    stored = words(qube, "qubes.Log")
    assert list(dict.fromkeys(stored)) == some(40)  # none is missing; the one under way may be there twice
    assert len(stored) <= 41
    assert not qube.store.found()
