"""Very many lines at once: each is stored once, in order, and nothing is dropped.

`make storm` does it with a million lines each, a day of a busy qube.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from tests.collect.call import PATIENCE
from tests.collect.door import Door, until
from tests.conftest import Store
from tests.examples.conftest import Qube
from tests.exporter.journal import Journald

LINES = int(os.environ.get("STORM", "40000"))  # of each
ROOM = 'each-vm.rate = "999 GiB/s"\neach-vm.burst = "999 GiB"\neach-vm.quota = "999 GiB"\n'
SOON = "from log_exporter import call, main; main.main(timing=call.Timing(longest_retry=1.0))"
STREAMS = """
[streams.journal]
source = "journald"
directory = "{journal}"
[streams.syslog]
source = "syslog"
listen = ["unix:{here}/log"]
spool = 1024
[streams.files]
source = "files"
paths = ["{here}/*.log*"]
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journald]:
    """A journald, whose files are small enough for several rotations."""
    directory = tmp_path / "journal"
    directory.mkdir()
    journal = Journald(directory, "32M")
    yield journal
    journal.stop()


def test_a_boot_storm(store: Store, new_door: Callable[..., Door], journal: Journald, tmp_path: Path) -> None:
    """The LogVM comes up in the midst of it: journal, socket and files have more than anybody reads at once."""
    qube = Qube(tmp_path, store, new_door(settings=ROOM), "work")
    real = (tmp_path / "usr/bin/qrexec-client-vm").read_text()
    qube.program("qrexec-client-vm", "false")
    qube.program("log-exporter", sys.executable, "-c", SOON)
    (tmp_path / "old.log").write_bytes(b"".join(b"say %d\n" % number for number in range(LINES // 2)))
    with qube.exporter(STREAMS.format(journal=journal.directory, here=tmp_path)):
        until((tmp_path / "log").exists)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log, (tmp_path / "new.log").open("wb") as file:
            log.connect(str(tmp_path / "log"))
            for number in range(LINES):
                journal.log(b"say %d" % number, SYSLOG_IDENTIFIER="boot", PRIORITY="6")
                log.send(b"<30>boot: say %d" % number)
                if number >= LINES // 2:
                    file.write(b"say %d\n" % number)
                if number == LINES // 2:
                    (tmp_path / "usr/bin/qrexec-client-vm").write_text(real)
        until_all(store)
    for stream in ("journal", "syslog"):
        assert said(store, stream) == list(range(LINES)), stream
    old, new = range(LINES // 2), range(LINES // 2, LINES)
    files = said(store, "files")
    assert [[number for number in files if number in part] for part in (old, new)] == [list(old), list(new)]
    assert len(files) == LINES
    assert store.verdict() is Verdict.INTACT


def until_all(store: Store) -> None:
    """Wait until all is stored, or nothing has come for so long that the rest is lost."""
    size, grew = -1, time.monotonic()
    while time.monotonic() - grew < PATIENCE:
        time.sleep(0.3)
        logs = list(store.path.glob("live/work/*/*.log"))
        now = sum(path.stat().st_size for path in logs)
        if now == size and sum(path.read_bytes().count(b" say ") for path in logs) == 3 * LINES:
            return
        if now != size:
            size, grew = now, time.monotonic()


def said(store: Store, stream: str) -> list[int]:
    """Return the numbers of a stream, as people get them; there is nothing else but what journald says of itself."""
    show = ["show", "--store", str(store.path), "--vm", "work", "--stream", stream, "-o", "raw"]
    command = [sys.executable, "-c", "from logchain.cli.main import main; main()", *show]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        lines = [line for line in process.stdout if b" systemd-journald " not in line]
    assert process.returncode == 0
    return [int(line.rpartition(b" say ")[2]) for line in lines]
