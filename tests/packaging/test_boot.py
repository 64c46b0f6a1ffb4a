"""The exporter as systemd runs it, confined as its unit says: it starts when wanted, and what is logged arrives."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.collect.door import Door, doors, until
from tests.conftest import Store
from tests.packaging.machine import Machine, lacking
from tests.packaging.test_units import NAME, PACKAGING

pytestmark = pytest.mark.skipif(bool(lacking()), reason=lacking())

ROOT = PACKAGING.parents[1]
SWITCH = "/var/run/qubes-service/log-exporter"
EXPORTER = """\
#!/usr/bin/python3
import sys
sys.path.insert(0, "/usr/lib/lab/exporter")
from log_exporter.main import main
sys.exit(main())
"""
QREXEC = """\
#!/bin/sh
exec /usr/bin/python3 -S /usr/lib/lab/qrexec.py /run/sys-log/socket work qrexec-client-vm "$@"
"""
CONFIGURATION = """\
[streams.journal]
source = "journald"

[streams.syslog]
source = "syslog"
listen = ["tcp:127.0.0.1:1601", "unix:/run/log-exporter/log"]
"""


@pytest.fixture
def new_door(store: Store, tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Start the collector of a LogVM."""
    yield from doors(store, tmp_path)


@pytest.fixture
def machine(new_door: Callable[..., Door], tmp_path: Path) -> Iterator[Machine]:
    """A machine on which the exporter is installed as docs/guides/service.md says, but not switched on."""
    socket = Path(new_door().path)
    socket.chmod(0o666)
    socket.parent.chmod(0o755)
    files = {
        "/usr/bin/log-exporter": program(tmp_path / "log-exporter", EXPORTER),
        "/usr/bin/qrexec-client-vm": program(tmp_path / "qrexec-client-vm", QREXEC),
        "/usr/lib/lab/exporter": ROOT / "exporter",
        "/usr/lib/lab/qrexec.py": ROOT / "tests" / "examples" / "qrexec.py",
        "/etc/log-exporter.toml": program(tmp_path / "log-exporter.toml", CONFIGURATION),
        f"/usr/lib/systemd/system/{NAME}": PACKAGING / NAME,
        "/usr/lib/sysusers.d/log-exporter.conf": PACKAGING / "log-exporter.sysusers",
        "/usr/lib/tmpfiles.d/log-exporter.conf": PACKAGING / "log-exporter.tmpfiles",
        "/usr/lib/systemd/system-preset/75-log-exporter.preset": PACKAGING / "log-exporter.preset",
        "/run/sys-log": socket.parent,
    }
    machine = Machine(tmp_path, files)
    yield machine
    machine.stop()


def program(path: Path, text: str) -> Path:
    """Write a file that anybody may read and run."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_unit_runs_confined_and_ships(machine: Machine, store: Store) -> None:
    """Off until its service is on; then journal and syslog are stored, over a restart once; not its own words."""
    machine.run("systemd-sysusers")
    machine.run("systemd-tmpfiles", "--create", "log-exporter.conf")
    machine.run("systemctl", "preset", NAME)
    assert machine.run("systemctl", "is-enabled", NAME) == "enabled"
    machine.run("systemctl", "start", NAME)
    assert (machine.property(NAME, "ConditionResult"), machine.property(NAME, "ActiveState")) == ("no", "inactive")

    machine.run("mkdir", "-p", os.path.dirname(SWITCH))
    machine.run("touch", SWITCH)
    machine.run("systemctl", "start", NAME)
    pid = machine.property(NAME, "MainPID")
    assert machine.run("stat", "-c", "%U", f"/proc/{pid}") == "log-exporter"
    machine.run("logger", "-t", "lab", "before the restart")
    until(lambda: logged(store, "journal", "before the restart"))
    message = "<13>1 2026-11-23T03:45:00Z h app 1 - - over tcp"
    machine.run("bash", "-c", f"echo '{message}' > /dev/tcp/127.0.0.1/1601")
    until(lambda: logged(store, "syslog", "over tcp"))
    machine.run("setpriv", "--reuid=nobody", "logger", "-u", "/run/log-exporter/log", "from nobody")
    until(lambda: logged(store, "syslog", "from nobody"))

    # What it says itself is in the journal, and is not sent.
    machine.run("bash", "-c", f"kill -KILL $(cat /proc/{pid}/task/{pid}/children)")
    until(lambda: "trying again" in machine.run("journalctl", f"_SYSTEMD_UNIT={NAME}", "-o", "cat"))
    machine.run("logger", "-t", "lab", "behind it")
    until(lambda: logged(store, "journal", "behind it"))
    assert not [line for line in store.lines("work", "journal") if b"trying again" in line]

    machine.run("kill", "-KILL", pid)
    machine.run("logger", "-t", "lab", "while it is dead")
    machine.run("systemctl", "restart", NAME)
    until(lambda: logged(store, "journal", "while it is dead"))
    assert [logged(store, "journal", words) for words in ("before the restart", "while it is dead")] == [1, 1]


def logged(store: Store, stream: str, words: str) -> int:
    """Return how many lines of a stream end so."""
    try:
        return sum(line.endswith(words.encode()) for line in store.lines("work", stream))
    except FileNotFoundError:
        return 0
