"""log-compressor as a process: rounds, signals, the one instance, what systemd hears."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logchain.compress.main import main
from tests.collect.call import PATIENCE
from tests.collect.door import until
from tests.conftest import Store

START = [sys.executable, "-c", "from logchain.compress.main import main; main()"]
QUICK = '[store]\nidle = "1 s"\nheads = "1 s"\n[collector]\nreserve = "0 B"\n'


class Daemon:
    """One that runs on a store, heard as systemd hears it."""

    def __init__(self, store: Store, directory: Path, *arguments: str, start: list[str] = START) -> None:
        self.config, self.errors = directory / "logchain.toml", directory / "errors"
        self.config.write_text(QUICK)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(directory / "notify"))
        self.systemd.settimeout(PATIENCE)
        environment = os.environ | {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "200000"}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*start, "--store", str(store.path), "--config", str(self.config), *arguments],
                env=environment,
                stderr=errors,
            )

    def hear(self, words: str) -> None:
        """Wait until systemd heard these words."""
        end = time.monotonic() + PATIENCE
        while words not in self.systemd.recv(4_096).decode():
            assert time.monotonic() < end, "it never came"

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it, whatever the test has done."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.systemd.close()
        assert "Traceback" not in self.errors.read_text()


@pytest.fixture
def daemon(store: Store, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon on a store with one line, of another boot."""
    store.log(b"one")
    daemon = Daemon(store, tmp_path)
    yield daemon
    daemon.close()


def sealed(store: Store) -> list[str]:
    """Return the names of sealed texts."""
    return sorted(path.name for path in (store.path / "sealed").rglob("*.log*"))


def test_it_works_until_it_is_told_to_end(store: Store, daemon: Daemon) -> None:
    """Ready, alive, waiting, and a clean end with exit code 0."""
    daemon.hear("READY=1")
    daemon.hear("WATCHDOG=1\nSTATUS=sealing work/main 1")
    daemon.hear("WATCHDOG=1\nSTATUS=waiting for work")
    assert sealed(store) == ["00000001.log"]
    daemon.hear("WATCHDOG=1\nSTATUS=waiting for work")  # the watchdog is fed while there is nothing to do
    assert daemon.end() == 0
    daemon.hear("STOPPING=1")
    assert "<6>log-compressor: work/main: sealed segment 1" in daemon.errors.read_text()


def test_a_hangup_is_the_word_to_look_for_work(store: Store, daemon: Daemon) -> None:
    """With the settings as they are then; settings that make no sense change nothing."""
    daemon.hear("waiting for work")
    store.log(b"two", stream="other")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.hear("sealing work/other")
    daemon.config.write_text("[store]\nidle = 5\n")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "line 2: idle has to be a time" in daemon.errors.read_text())
    assert "the settings stay as they are" in daemon.errors.read_text()
    assert daemon.end(signal.SIGINT) == 0


def test_there_is_one(store: Store, daemon: Daemon) -> None:
    """A second one says so and ends."""
    daemon.hear("READY=1")
    second = subprocess.run([*START, "--store", store.path, "--once"], capture_output=True, text=True, check=False)
    assert second.returncode == 3
    assert second.stderr == f"<3>log-compressor: log-compressor runs on {store.path}\n"


def test_a_lock_that_the_system_refuses(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is one line and exit code 3."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(os, "umask", lambda _: 0)  # of all tests
    monkeypatch.setattr(sys, "argv", ["log-compressor", "--once", "--store", str(store.path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert capsys.readouterr().err == (
        f"<3>log-compressor: cannot lock {store.path}/keys/compressor: Input/output error\n"
    )


FAILING = """
import os
real, left = os.scandir, [1]
def scandir(path):
    if left and os.readlink(f"/proc/self/fd/{path}").endswith("/ledger"):
        left.pop()
        raise OSError(5, "Input/output error")
    return real(path)
os.scandir = scandir
from logchain.compress.main import main
main()
"""


@pytest.mark.parametrize("once", [True, False])
def test_a_disk_that_cannot_be_read(store: Store, tmp_path: Path, once: bool) -> None:
    """Is one line; with --once the end, else the next round goes on."""
    store.log(b"one")
    daemon = Daemon(store, tmp_path, *["--once"][:once], start=[sys.executable, "-c", FAILING])
    complaint = "the disk refused to be read: Input/output error; look at dmesg in the LogVM"
    if once:
        assert daemon.process.wait(PATIENCE) == 3
    else:
        daemon.hear(f"STATUS={complaint}")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.hear("STATUS=waiting for work")
        assert daemon.end() == 0
    assert daemon.errors.read_text().count(f"<3>log-compressor: {complaint}\n") == 1
    daemon.close()


def test_once(store: Store, tmp_path: Path) -> None:
    """All that there is to do, and no more waiting than that."""
    store.log(b"one")
    daemon = Daemon(store, tmp_path, "--once")
    assert daemon.process.wait(PATIENCE) == 0
    daemon.close()
    assert sealed(store) == ["00000001.log"]


@pytest.mark.parametrize(
    ("damage", "told", "code"),
    [
        (lambda store: (store.path / "keys" / "ledger").unlink(), "are lost", 3),
        (lambda store: (store.path / "format").unlink(), "is no store", 3),
        (lambda store: (store.path / "ledger" / "entries").write_bytes(b"rubbish"), "does not end as", 3),
    ],
)
def test_what_it_cannot_work_with(store: Store, tmp_path: Path, damage: object, told: str, code: int) -> None:
    """One line that says what, and nothing is changed."""
    assert callable(damage)
    damage(store)
    daemon = Daemon(store, tmp_path, "--once")
    assert daemon.process.wait(PATIENCE) == code
    daemon.close()
    assert told in daemon.errors.read_text()
    assert daemon.errors.read_text().count("\n") == 1


def test_a_store_without_a_ledger(store: Store) -> None:
    """One made by an earlier version: the error says what to do."""
    (store.path / "keys").rename(store.path / "away")
    done = subprocess.run([*START, "--store", store.path], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make a new store with 'logchain init'" in done.stderr


def test_it_is_killed_again_and_again(store: Store, tmp_path: Path) -> None:
    """Wherever a kill finds it, the next one goes on; in the end each segment is sealed once."""
    for number in range(30):
        store.log(b"line %d" % number * 50, stream=f"s{number}")
    for number in range(12):
        place = tmp_path / str(number)
        place.mkdir()
        daemon = Daemon(store, place)
        daemon.hear(f"STATUS=sealing work/s{(number * 7) % 3}" if number < 3 else "STATUS=")
        daemon.process.kill()
        daemon.close()
    last = tmp_path / "last"
    last.mkdir()
    daemon = Daemon(store, last, "--once")
    assert daemon.process.wait(PATIENCE) == 0
    daemon.close()
    assert sealed(store) == 30 * ["00000001.log"]
    entries = (store.path / "ledger" / "entries").read_text()
    assert entries.count("\nseal ") == 30
    assert entries.count("\nbirth ") == 30
