"""A full disk under cursor and spool: what can be read again waits, what cannot is counted, and all goes on."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import disk_of
from tests.exporter.daemon import Daemon

STREAMS = """
[streams.files]
source = "files"
paths = ["{}/logs/*.log"]
[streams.count]
source = "exec"
plain = true
command = ["sh", "-c", "until [ -e {}/go ]; do sleep 0.1; done; seq 2000; exec sleep 600"]
[streams.syslog]
source = "syslog"
listen = ["unix:{}/log"]
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    with disk_of(8, tmp_path / "disk") as disk:
        yield disk


def fill(disk: Path) -> None:
    """Leave nothing."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            return


def test_a_full_disk_ends_no_stream(daemon: Daemon, disk: Path) -> None:
    """Files and a command wait, syslog drops and counts; when there is room all that waited comes, each line once."""
    where = daemon.directory
    daemon.configure(STREAMS.replace("{}", str(where)))
    text = daemon.config.read_text().replace(f'"{where}/state"', f'"{disk}/state"')
    daemon.config.write_text(text.replace(f'"{where}/spool"', f'"{disk}/spool"'))
    (where / "logs" / "a.log").write_bytes(b"first\n")
    daemon.start()
    daemon.until_stored("files", b"first")
    daemon.until(lambda: (disk / "state" / "syslog.cursor").exists() and (disk / "state" / "count.cursor").exists())

    fill(disk)
    for number in range(50):  # more than the cursor's last block has room for
        (where / "logs" / f"{number}.log").write_bytes(b"second\n")
    (where / "go").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        for number in range(100):
            log.sendto(b"<13>me: %d" % number, str(where / "log"))
    calls = where / "store-files" / "calls"
    before = len(calls.read_text().split())
    daemon.until(lambda: len(calls.read_text().split()) > before)  # its call ends, and it makes others
    with (where / "logs" / "a.log").open("ab") as file:
        file.write(b"third\n")

    (disk / "ballast").unlink()
    daemon.until(lambda: len(daemon.stored("files")) >= 52)
    words = [line.rpartition(b" ")[2] for line in daemon.stored("files")]
    assert sorted(words) == [b"first", *[b"second"] * 50, b"third"]
    daemon.until(lambda: len(daemon.stored("count")) >= 2000)
    assert daemon.stored("count") == [b"%d" % number for number in range(1, 2001)]
    daemon.until(lambda: b" dropped - " in b"".join(daemon.stored("syslog")))
    counted = re.findall(rb" dropped - (\d+) lines were dropped", b"\n".join(daemon.stored("syslog")))
    assert sum(map(int, counted)) == 100
    assert "files: cannot save " in daemon.stop()


def test_a_spool_leaves_room_for_the_cursor(daemon: Daemon, disk: Path) -> None:
    """While nobody answers it would fill the disk; it does not, and so goes on when somebody does."""
    where = daemon.directory
    daemon.configure(STREAMS.split("[streams.count]")[0].replace("{}", str(where)), off=str(where / "off"))
    spool = f'[streams.yes]\nsource = "exec"\nplain = true\ncommand = ["{where}/yes"]\n'
    (where / "yes").write_text("#!/bin/sh\nyes 0123456789abcdef | head -n 300000\nexec sleep 600\n")
    (where / "yes").chmod(0o755)
    text = daemon.config.read_text().replace(f'"{where}/state"', f'"{disk}/state"')
    daemon.config.write_text(text.replace(f'"{where}/spool"', f'"{disk}/spool"') + spool)
    (where / "off").touch()
    daemon.start()
    free = os.statvfs(disk)
    daemon.until(lambda: os.statvfs(disk).f_bavail * free.f_frsize < 4 << 20)
    (where / "off").unlink()
    daemon.until(lambda: len(daemon.stored("yes")) >= 300_000, 60)
    assert set(daemon.stored("yes")) == {b"0123456789abcdef"}
    assert len(daemon.stored("yes")) == 300_000
    daemon.stop()
