"""`logchain restored`: asks, and then every stream begins anew."""

import json
import shutil
from pathlib import Path

import pytest

from logchain.compress.place import take_place
from logchain.store.layout import open_store
from tests.cli.conftest import Run
from tests.cli.terminal import on_a_terminal
from tests.cli.test_seal import events, sender


@pytest.fixture
def brought_back(stocked: Run) -> Run:
    """A store that was brought back from a backup, while the one it was made of went on."""
    stocked("logchain", "seal", "--vm", "dom0")
    shutil.copytree("store", "backup", symlinks=True)
    stocked("log-collector", "--stdio", "journal", vm="work", stdin=b"lost\n")
    shutil.rmtree("store")
    shutil.copytree("backup", "store", symlinks=True)
    return stocked


def test_it_asks_on_a_terminal(brought_back: Run) -> None:
    """It says how old the backup is; `y` does it; what comes then verifies, and tells of the backup."""
    printed = on_a_terminal("logchain", "restored", question=b"[y/N]", answer=b"y\n")
    assert b"The ledger ends at " in printed
    assert b"3 streams begin anew" in printed
    assert printed.endswith(b"exit 0")
    assert events().count("restored") == 1
    brought_back("log-collector", "--stdio", "journal", vm="work", stdin=b"after\n")
    raw = brought_back("logchain", "show", "--vm", "work", "-o", "raw").stdout
    assert raw == b"first of work\nsecond\nafter\n"
    report = brought_back("logchain", "verify", "--audit-secret", "audit").stdout
    assert b"DAMAGED" not in report
    assert b"the store came back from a backup" in report
    assert b"restored" in brought_back("logchain", "list").stdout
    assert b"work/journal: segment 1 is sealed" in brought_back("logchain", "seal").stdout


def test_anything_but_yes_is_no(brought_back: Run) -> None:
    """Nothing is done."""
    for printed in (
        on_a_terminal("logchain", "restored", question=b"[y/N]", answer=b"\n"),
        brought_back("logchain", "restored").stderr,
    ):
        assert b"othing was done" in printed
    assert "restored" not in events()


def test_while_a_qube_is_connected(brought_back: Run) -> None:
    """It says which, and nothing was done."""
    with sender():
        done = brought_back("logchain", "restored", "--yes")
    assert done.returncode == 3
    assert done.stderr == (
        b"logchain: store/live/work/slow is being written by somebody else: end all senders and collectors, then try "
        b"again. Nothing was done\n"
    )
    assert "restored" not in events()


def test_what_waits_for_its_sender_is_no_failure(brought_back: Run) -> None:
    """A segment that the backup had open ends with its sender's next call; till then `seal` names it."""
    brought_back("logchain", "restored", "--yes")
    done = brought_back("logchain", "seal", "--vm", "vault")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        b"vault/journal: segment 1 stays: it came back from a backup; the next call of its sender ends it",
    )


def test_the_catalog_is_made_anew(brought_back: Run) -> None:
    """What it said may be of another moment than the files."""
    Path("store/catalog.sqlite").write_bytes(b"of another moment")
    assert brought_back("logchain", "restored", "--yes").returncode == 0
    assert Path("store/catalog.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_while_the_compressor_runs(brought_back: Run) -> None:
    """It could write into the store what it knew of the one before: nothing was done."""
    with open_store("store") as store, take_place(store):
        done = brought_back("logchain", "restored", "--yes")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == (b"logchain: log-compressor runs on store: end it, then try again. Nothing was done\n")
    assert "restored" not in events()


def test_one_that_was_cut_short(brought_back: Run) -> None:
    """`status` and `list` say so until it was run again, and has finished."""
    Path("store/restoring").write_bytes(b"logchain restoring v1\nbirth 77\n")
    assert b"! 'logchain restored' was cut short: nobody can write" in brought_back("logchain", "status").stdout
    assert json.loads(brought_back("logchain", "status", "--json").stdout)["restoring"] is True
    assert b"'logchain restored' was cut short: nobody can write" in brought_back("logchain", "list").stderr
    assert brought_back("logchain", "restored", "--yes").returncode == 0
    assert b"cut short" not in brought_back("logchain", "status").stdout
    assert brought_back("logchain", "list").stderr == b""
