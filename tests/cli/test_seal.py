"""`logchain seal`: what nobody writes is sealed now, what is written is named, and who has the ledger is waited for."""

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPTS, Run
from tests.cli.test_status import compressor


def events() -> list[str]:
    """Return the ledger's events, as their words stand in it."""
    return [line.split()[0] for line in Path("store/ledger/entries").read_text().splitlines()[6::10]]


@contextmanager
def sender(vm: str = "work", stream: str = "slow") -> Iterator["subprocess.Popen[bytes]"]:
    """Keep a sender connected; yield its collector."""
    process = subprocess.Popen(
        [f"{SCRIPTS}/log-collector", "--stdio", stream],
        env=os.environ | {"QREXEC_REMOTE_DOMAIN": vm, "LOGCHAIN_STORE": "store"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"line\n")
        process.stdin.flush()
        while process.stdout.readline() != b"ok 1\n":
            pass
        try:
            yield process
        finally:
            process.stdin.close()


def test_all_that_nobody_writes(stocked: Run) -> None:
    """Each stream's open segment is closed and sealed; a second time there is nothing left to do."""
    done = stocked("logchain", "seal")
    assert (done.returncode, done.stderr) == (0, b"")
    *lines, last = done.stdout.decode().splitlines()
    sizes = {vm: Path(f"store/sealed/{vm}/journal/00000001.log").stat().st_size for vm in ("dom0", "vault", "work")}
    assert lines == [f"{vm}/journal: segment 1 is sealed: 6 records, {size} B" for vm, size in sizes.items()]
    assert last == "sealed 3 segments"
    assert events() == ["genesis", *["birth", "seal"] * 3]
    assert stocked("logchain", "seal").stdout == b"there was nothing to seal\n"
    assert stocked("logchain", "verify", "--audit-secret", "audit").returncode == 0


def test_one_qube(stocked: Run) -> None:
    """The others' segments stay open, and are listed in the ledger."""
    assert stocked("logchain", "seal", "--vm", "work").stdout.endswith(b"\nsealed 1 segment\n")
    assert [path.parts[2] for path in Path("store/sealed").rglob("*.manifest")] == ["work"]
    assert events() == ["genesis", "birth", "seal", "birth", "birth", "heads"]
    done = stocked("logchain", "seal", "--vm", "nobody")
    assert (done.returncode, done.stderr[:33]) == (2, b"logchain: there are no logs of no")


def test_what_is_written_is_named(stocked: Run) -> None:
    """With the time at which it closes by itself; how far it has come is in the ledger."""
    Path("settings").write_text('[store]\nsegment-age = "2 days"\nsegment = "1 MiB"\n')
    with sender():
        done = stocked("logchain", "seal", "--config", "settings", "--vm", "work")
        again = stocked("logchain", "seal", "--json", "--vm", "work")
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.decode().splitlines() if "slow" in line]
    told, _, when = line.partition(", or at ")
    assert told == "work/slow: segment 1 is being written; it closes by itself at 1.0 MiB"
    assert time.time() + 86_400 < time.mktime(time.strptime(when, "%Y-%m-%d %H:%M:%S")) < time.time() + 2.1 * 86_400
    assert events()[-1] == "heads"
    found = json.loads(again.stdout)
    assert found.pop("closes")
    assert found == {"vm": "work", "stream": "slow", "segment": 1, "state": "written"}


def test_json(stocked: Run) -> None:
    """An object a segment."""
    done = stocked("logchain", "seal", "--json", "--vm", "work")
    size = Path("store/sealed/work/journal/00000001.log").stat().st_size
    expected = {"vm": "work", "stream": "journal", "segment": 1, "state": "sealed", "records": 6, "size": size}
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("00000001.log", "is not what its key state says"),
        ("00000001.tags", "is not what its key state says"),
        ("ratchet", "the key state cannot be read"),
    ],
)
def test_what_cannot_be_sealed(stocked: Run, name: str, told: str) -> None:
    """It stays, with the reason; the others are sealed, and the exit code says that something is left."""
    path = Path("store/live/vault/journal") / name
    path.write_bytes(path.read_bytes()[:-100])
    done = stocked("logchain", "seal")
    assert done.returncode == 3
    lines = done.stdout.decode().splitlines()
    assert lines[1].startswith(f"vault/journal: segment 1 stays: {told}" if name == "ratchet" else lines[1])
    assert told in lines[1]
    assert lines[-1] == "sealed 2 segments"
    found = [json.loads(line) for line in stocked("logchain", "seal", "--json").stdout.splitlines()]
    assert [(row["vm"], row["state"]) for row in found] == [("vault", "stays")]


def test_beside_the_daemon(stocked: Run) -> None:
    """It lets the ledger go between its rounds, and goes on with what the command appended."""
    with compressor():
        assert stocked("logchain", "seal").stdout.endswith(b"\nsealed 3 segments\n")
        assert stocked("logchain", "seal").returncode == 0
    stocked("log-collector", "--stdio", "journal", vm="work", stdin=b"more\n")
    assert stocked("log-compressor", "--once").returncode == 0
    assert stocked("logchain", "verify", "--audit-secret", "audit").returncode == 0


def test_who_has_the_ledger_is_waited_for(stocked: Run) -> None:
    """For a while, with a word on who that is."""
    assert stocked("logchain", "list").returncode == 0
    with open("store/ledger/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [f"{SCRIPTS}/logchain", "seal", "--store", "store"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr
            told = process.stderr.readline()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert process.wait(60) == 0
    assert told.startswith(b"waiting for ")
    assert told.endswith(b" (process %d), which writes the ledger\n" % os.getpid())


def test_who_does_not_let_go_is_told(stocked: Run) -> None:
    """After half a minute it ends, with an error of one line, and nothing was done."""
    Path("patched").mkdir()  # half a minute, without waiting for it
    Path("patched/sitecustomize.py").write_text("import logchain.cli.writing as w\nw._PATIENCE = 0.3\n")
    with open("store/ledger/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = stocked("logchain", "seal", PYTHONPATH="patched")
    assert done.returncode == 3
    assert done.stderr.startswith(b"logchain: store/ledger is being written by ")
    assert done.stderr.endswith(b" (process %d); try again\n" % os.getpid())
    assert events() == ["genesis"]


def test_a_store_without_a_ledger(stocked: Run) -> None:
    """It cannot be sealed, and says what to do."""
    for path in Path("store/ledger").iterdir():
        path.rename(path.with_name("x")) if path.is_dir() else path.unlink()
    Path("store/ledger").rename("aside")
    done = stocked("logchain", "seal")
    assert done.returncode == 2
    assert done.stderr == b"logchain: store has no ledger; make a new store with 'logchain init'\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another")
def test_root_acts_as_the_stores_owner(run: Run) -> None:
    """What root makes is the owner's, so that the compressor can go on with it."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        store = Path(directory) / "store"
        words = ("--store", str(store))
        run("logchain", "init", *words, "--audit-secret-out", "audit")
        run("log-collector", "--stdio", "journal", *words, vm="work", stdin=b"line\n")
        for path in [store, *store.rglob("*")]:
            os.chown(path, 65534, 65534)
        assert run("logchain", "seal", *words).returncode == 0
        assert {path.stat().st_uid for path in [store, *store.rglob("*")]} == {65534}
