"""`logchain status`: one screen of 80 columns, JSON, and an exit code that tells whether somebody has to look."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.cli.conftest import SCRIPTS, Run


@contextmanager
def compressor() -> Iterator[None]:
    """Run log-compressor beside, from its first round on."""
    with subprocess.Popen([f"{SCRIPTS}/log-compressor", "--store", "store"], stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while not _state("round") and time.monotonic() < end:
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _state(key: str) -> object:
    try:
        with closing(sqlite3.connect("file:store/catalog.sqlite?mode=ro", uri=True)) as database:
            return dict(database.execute("SELECT key, value FROM state")).get(key)
    except sqlite3.Error:
        return None


def test_one_screen(stocked: Run) -> None:
    """Store, ledger, segments, compressor, and a row a qube; nothing needs a person, and the exit code says so."""
    with compressor():
        done = stocked("logchain", "status")
    lines = done.stdout.decode().splitlines()
    words = ["store", "room", "ledger", "", "", "segments", "compressor", "", "VM", "dom0", "vault", "work"]
    assert [line.split(" ")[0] for line in lines] == words
    assert lines[5] == "segments    0 sealed, 3 open, none waiting"
    assert lines[6].startswith("compressor  runs; ended a round ")
    assert lines[9].endswith(" > 10 y")
    assert max(map(len, lines)) <= 80
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_compressor_that_does_not_run(stocked: Run) -> None:
    """It is said, what that means too, and the exit code is 3."""
    done = stocked("logchain", "status")
    assert done.returncode == 3
    assert b"\ncompressor  does not run; no round yet\n" in done.stdout
    assert b"\n! log-compressor does not run: nothing is sealed" in done.stdout
    assert b"\ncatalog     not used (there is none yet): the files were read\n" in done.stdout


def test_an_empty_store(run: Run) -> None:
    """It has no table."""
    run("logchain", "init", "--audit-secret-out", "audit")
    assert b"\nno qube has sent anything yet\n" in run("logchain", "status").stdout


def test_json(stocked: Run) -> None:
    """One object: sizes in bytes, times as records have them."""
    done = stocked("logchain", "status", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert [row["name"] for row in found["budgets"]] == ["dom0", "vault", "work"]
    log = Path("store/live/work/journal/00000001.log").read_text().splitlines()
    assert found["budgets"][2]["last"] == log[-1][:27]
    assert found["budgets"][2]["quota"] == 2 << 30
    assert found["segments"]["open"] == 3
    assert found["ledger"]["entries"] == 1
    assert found["compressor"] == {"runs": False, "round": None, "complaints": []}
    assert found["attention"]


def test_settings(stocked: Run) -> None:
    """They come from the file that is named; one that is wrong is no reason to guess."""
    Path("settings").write_text('[store]\ncap = "1 KiB"\n[vm.work]\nquota = "4 KiB"\n')
    lines = stocked("logchain", "status", "--config", "settings").stdout.decode().splitlines()
    assert lines[1].startswith("room        ")
    assert " used, cap 1.0 KiB; " in lines[1]
    (work,) = [line for line in lines if line.startswith("work ")]
    assert work.split("]")[0] == "work                [######"
    assert work.endswith(" spent")
    Path("settings").write_text("quota = 1\n")
    done = stocked("logchain", "status", "--config", "settings")
    assert done.returncode == 2
    assert done.stderr == b"logchain: settings: line 1: quota is no setting\n"


def test_long_names_and_wide_terminals(run: Run) -> None:
    """A name that is too long for its column has a line of its own; more columns are for the bar."""
    run("logchain", "init", "--audit-secret-out", "audit")
    for vm in ("a" * 18, "b" * 19, "c" * 31):
        run("log-collector", "--stdio", "x", vm=vm, stdin=b"line\n")
    lines = run("logchain", "status").stdout.decode().splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert "b" * 19 in lines
    assert "c" * 31 in lines
    (row,) = [line for line in lines if line.startswith("a" * 18 + "  [")]
    (wide,) = [
        line for line in run("logchain", "status", COLUMNS="200").stdout.decode().splitlines() if line.startswith("a")
    ]
    assert len(row) < len(wide) <= 200


def test_complaints_are_shown_escaped_and_not_all(stocked: Run) -> None:
    """What the catalog holds may be hostile, and there may be a thousand of it."""
    stocked("log-compressor", "--once")
    with closing(sqlite3.connect("store/catalog.sqlite")) as database, database:
        told = "\n".join(f"work/j{number}: \x1b]0;owned\x07\u202e" for number in range(1000))
        database.execute("UPDATE state SET value = ? WHERE key = 'complaints'", (told,))
    done = stocked("logchain", "status")
    assert done.returncode == 3
    assert b"\x1b" not in done.stdout
    assert done.stdout.count(b"            complains: work/j") == 5
    assert b"            and 995 complaints more\n" in done.stdout


def test_damage_is_told(stocked: Run) -> None:
    """A stream that cannot be read needs a person."""
    os.unlink("store/live/work/journal/ratchet")
    done = stocked("logchain", "status")
    assert b"! work/journal cannot be read; 'logchain verify' tells what holds\n" in done.stdout


def test_logs_that_were_taken_away(stocked: Run) -> None:
    """Where births tell that there were logs, nobody is told that nothing was sent; it needs a person."""
    for part in ("live", "sealed"):
        for path in Path("store", part).glob("*"):
            shutil.rmtree(path)
    done = stocked("logchain", "status")
    assert done.returncode == 3
    assert b"\nthere are no logs here\n" in done.stdout
    assert b"\n! there are no logs, but 3 were begun, 0 forgotten: 'logchain verify' tells" in done.stdout


def test_logs_that_were_forgotten(stocked: Run) -> None:
    """Where all were forgotten on purpose there is nothing to see to."""
    for vm in ("dom0", "vault", "work"):
        assert stocked("logchain", "forget", "--vm", vm, "--yes").returncode == 0
    out = stocked("logchain", "status").stdout
    assert b"\nthere are no logs here\n" in out
    assert b"were begun" not in out
