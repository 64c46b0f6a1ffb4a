"""`logchain catalog`: whether it is current, and making it anew."""

import os
import time
from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.terminal import on_a_terminal


def test_told_and_made_anew(stocked: Run) -> None:
    """There is none; then it is made; then it is current."""
    done = stocked("logchain", "catalog")
    assert (done.returncode, done.stdout) == (3, b"catalog.sqlite is not used: there is none yet\n")
    stocked("logchain", "seal")
    for path in Path("store/sealed").glob("*/*"):
        os.utime(path, ns=(time.time_ns() - 10**10,) * 2)
    Path("store/catalog.sqlite").write_bytes(b"nonsense")
    assert stocked("logchain", "catalog").returncode == 3
    assert stocked("logchain", "catalog", "--rebuild").stdout == b"catalog.sqlite was made anew: 3 sealed segments\n"
    done = stocked("logchain", "catalog")
    assert done.stdout == b"catalog.sqlite is current for 3 streams; of 0 the files are read\n"
    assert done.returncode == 0
    stocked("log-collector", "--stdio", "journal", vm="work", stdin=b"more\n")
    stocked("logchain", "delete", "--vm", "work", "--until", "now", "--yes")
    assert stocked("logchain", "catalog").stdout.startswith(b"catalog.sqlite is current for 2 streams; of 1 ")


def test_made_anew_it_spares_sessions_the_text(stocked: Run) -> None:
    """What is sealed is read once, with its progress on a terminal; `sessions` tells the same then without it."""
    stocked("logchain", "seal")
    before = stocked("logchain", "sessions").stdout
    shown = on_a_terminal("logchain", "catalog", "--rebuild", question=b"reading: 0 %", answer=b"")
    assert b"\rreading: 66 %" in shown
    assert b"\r\x1b[Kcatalog.sqlite was made anew: 3 sealed segments" in shown
    for path in Path("store/sealed").glob("*/*/*.log"):
        path.chmod(0o640)
        path.write_bytes(b"?" * path.stat().st_size)
    done = stocked("logchain", "sessions")
    assert (done.returncode, done.stdout) == (0, before)
    Path("store/catalog.sqlite").unlink()
    assert stocked("logchain", "sessions").returncode == 1


def test_where_it_cannot_be_written(stocked: Run) -> None:
    """That is said in one line."""
    Path("store/catalog.sqlite").mkdir()
    done = stocked("logchain", "catalog", "--rebuild")
    assert done.returncode == 3
    assert done.stderr.startswith(b"logchain: store/catalog.sqlite cannot be written: ")
    done = stocked("logchain", "seal")
    assert done.returncode == 0
    assert done.stderr.startswith(b"warning: store/catalog.sqlite cannot be written ")
