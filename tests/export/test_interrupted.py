"""Exports that are cut short, in the way of others, or told to go where nothing can: nothing half done is left."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logchain.format.recipient import Recipient, format_recipient
from tests.cli.conftest import SCRIPTS, Run, run_in
from tests.cli.test_seal import events
from tests.export.files import check

TEXT = b"".join(b"line %d of many, long enough that all of them take a while\n" % number for number in range(300_000))


@pytest.fixture(scope="module")
def filled(stockroom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that takes a while to be exported."""
    directory = tmp_path_factory.mktemp("filled")
    shutil.copytree(stockroom, directory, dirs_exist_ok=True)
    run = run_in(directory)
    run("log-collector", "--stdio", "big", vm="work", stdin=TEXT)
    assert run("logchain", "seal").returncode == 0
    return directory


@pytest.fixture
def large(run: Run, filled: Path, tmp_path: Path) -> Run:
    """A copy of that."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return run


@contextmanager
def exporting(*more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an export, stopped while it writes its file."""
    command = [f"{SCRIPTS}/logchain", "export", "--store", "store", "--stream", "big", "--output", "e.tar", *more]
    with Path("errors").open("wb") as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as process:
        while not (Path("e.tar").exists() and Path("e.tar").stat().st_size):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            assert process.poll() is None
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.wait(60)


def test_others_get_the_ledger_meanwhile(large: Run) -> None:
    """While a file is written, what was logged since is sealed; what was planned goes into the file all the same."""
    with exporting() as process:
        large("log-collector", "--stdio", "big", vm="work", stdin=b"later\n")
        done = large("logchain", "seal")
        assert (done.returncode, b"sealed 1 segment" in done.stdout) == (0, True)
    assert process.returncode == 0
    assert not check(Path("e.tar").read_bytes()).findings
    assert events()[-2:] == ["export", "seal"]


def test_a_segment_that_goes_meanwhile(large: Run) -> None:
    """Nothing is made of what is deleted while it is taken out; that is one line, and exit 3."""
    with exporting() as process:
        done = large("logchain", "delete", "--vm", "work", "--stream", "big", "--until", "+1h", "--yes")
        assert done.returncode == 0
    assert (process.returncode, Path("e.tar").exists()) in [(3, False), (0, True)]  # its text may be open already
    if process.returncode:
        assert Path("errors").read_bytes().startswith(b"logchain: something of it was evicted, deleted or forgotten ")
    else:
        assert not check(Path("e.tar").read_bytes()).findings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal(large: Run, number: int) -> None:
    """A file that was not finished goes, whoever ends the command: a window that is closed, or Ctrl-C."""
    with exporting() as process:
        process.send_signal(number)
    assert process.returncode in (128 + number, 130)
    assert not Path("e.tar").exists()
    assert large("logchain", "export", "--vm", "vault", "--output", "e.tar").returncode == 0


def test_a_reader_that_went(stocked: Run) -> None:
    """Where nobody reads what is said, the file is whole all the same: it was on the disk before."""
    command = f"{SCRIPTS}/logchain export --store store --output e.tar > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode == 3
    assert not check(Path("e.tar").read_bytes()).findings
    assert stocked("bash", "-c", "logchain export --output f.tar | exec true").returncode == 0
    assert not check(Path("f.tar").read_bytes()).findings


def test_closed_standard_files(stocked: Run) -> None:
    """What is told goes nowhere then, and not into a file of ours that got its number."""
    for number, closed in enumerate((">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-")):
        done = stocked("bash", "-c", f"exec logchain export --output {number}.tar {closed}")
        assert (done.returncode, done.stderr) == (0, b"" if "2>" in closed or number else done.stderr)
        assert not check(Path(f"{number}.tar").read_bytes()).findings


def test_keys_that_nobody_made(stocked: Run) -> None:
    """A point of low order is refused before anything is sealed, or put on record."""
    before = events()
    for key in (bytes(32), b"\x01" + bytes(31)):
        done = stocked("logchain", "export", "--output", "e.tar", "--encrypt-to", format_recipient(Recipient(key)))
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert (events(), Path("e.tar").exists()) == (before, False)


def test_what_would_prove_nothing(stocked: Run) -> None:
    """Times of which nothing is sealed, and whose silence nothing proves: refused, and not on record."""
    done = stocked("logchain", "export", "--since", "+1h", "--output", "e.tar")
    assert (done.returncode, Path("e.tar").exists()) == (2, False)
    assert "export" not in events()
    assert stocked("logchain", "seal").returncode == 0
    done = stocked("logchain", "export", "--since", "+1h", "--output", "e.tar")
    assert (done.returncode, done.stderr.count(b"\n"), Path("e.tar").exists()) == (2, 1, False)
    assert b"no record of these times is sealed" in done.stderr
    assert "export" not in events()


def test_names_of_files(stocked: Run) -> None:
    """A file's name is told without what drives a terminal; `-` is no file."""
    done = stocked("logchain", "export", "--output", "a\x1b[31m.tar")
    assert (done.returncode, b"\x1b" in done.stdout) == (0, False)
    assert done.stdout.startswith(rb"a\x1b[31m.tar  ")
    assert stocked("logchain", "export", "--output", "-").returncode == 2
