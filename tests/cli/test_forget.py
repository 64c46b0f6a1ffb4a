"""`logchain forget`: a qube's name is typed, and then it is nowhere in the store."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, run_in, stock
from tests.cli.terminal import on_a_terminal
from tests.cli.test_seal import events, sender

FORGET = ("logchain", "forget", "--vm", "vault")


def traces(name: bytes) -> list[Path]:
    """Return what in the store still has a name, in its path or its bytes."""
    paths = list(Path("store").rglob("*"))
    return [path for path in paths if name in bytes(path) or (path.is_file() and name in path.read_bytes())]


@pytest.fixture(scope="module")
def worked_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to be copied: open and sealed segments of three qubes, a round of the compressor behind them."""
    directory = tmp_path_factory.mktemp("worked")
    run = run_in(directory)
    stock(run)
    run("logchain", "seal")
    run("log-collector", "--stdio", "web", vm="vault", stdin=b"line\n")
    run("log-compressor", "--once", "--store", "store")
    return directory


@pytest.fixture
def worked(run: Run, worked_room: Path, tmp_path: Path) -> Run:
    """Such a store."""
    shutil.copytree(worked_room, tmp_path, dirs_exist_ok=True)
    assert len(traces(b"vault")) > 5
    return run


def test_the_name_has_to_be_typed(worked: Run) -> None:
    """All that it had is shown; then it is gone, and what remains elsewhere is told."""
    printed = on_a_terminal(*FORGET, question=b"type its name", answer=b"vault\n")
    assert b"vault/journal         1        6" in printed
    assert b"vault/web             1        4" in printed
    assert b"vault is forgotten." in printed
    for words in (b"the ledger", b"dom0's journal", b"copies and backups", b"your shell's history"):
        assert words in printed
    assert printed.endswith(b"exit 0")
    assert traces(b"vault") == []
    assert events().count("forget") == 2
    assert b"vault" not in worked("logchain", "list").stdout
    assert b"DAMAGED" not in worked("logchain", "verify", "--audit-secret", "audit").stdout


@pytest.mark.usefixtures("worked")
@pytest.mark.parametrize("answer", [b"y\n", b"yes\n", b"Vault\n", b"work\n"])
def test_anything_else_is_no(answer: bytes) -> None:
    """Nothing is done."""
    before = traces(b"vault")
    printed = on_a_terminal(*FORGET, question=b"type its name", answer=answer)
    assert b"logchain: nothing was done" in printed
    assert printed.endswith(b"exit 2")
    assert traces(b"vault") == before


def test_without_a_terminal_it_needs_yes(worked: Run) -> None:
    """A script says so, or nothing is done."""
    assert worked(*FORGET, stdin=b"vault\n").returncode == 2
    assert traces(b"vault")
    assert worked(*FORGET, "--yes").returncode == 0
    assert traces(b"vault") == []


def test_a_qube_that_is_connected(worked: Run) -> None:
    """It is not forgotten while it sends, and nothing was done."""
    with sender("vault", "slow"):
        done = worked(*FORGET, "--yes")
    assert done.returncode == 3
    assert done.stderr == (
        b"logchain: vault is connected: end its senders, or shut it down, then try again. Nothing was done\n"
    )
    assert Path("store/sealed/vault/journal/00000001.log").exists()
    assert "forget" not in events()


def test_settings_that_name_it(worked: Run) -> None:
    """They are the administrator's: it is told that they do."""
    Path("settings").write_text('[vm.vault]\nquota = "1 GiB"\n')
    done = worked(*FORGET, "--yes", "--config", "settings")
    assert done.stdout.endswith(b"\n- settings: it has a table [vm.vault]\n")


def test_it_comes_back_as_another(worked: Run) -> None:
    """A qube that sends again is a new stream with a new id."""
    before = Path("store/live/vault/journal/id").read_bytes()
    worked(*FORGET, "--yes")
    worked("log-collector", "--stdio", "journal", vm="vault", stdin=b"again\n")
    assert Path("store/live/vault/journal/id").read_bytes() != before
    assert worked("logchain", "show", "--vm", "vault", "-o", "raw").stdout == b"again\n"


def test_a_qube_that_never_was(worked: Run) -> None:
    """A typo is told."""
    done = worked("logchain", "forget", "--vm", "vualt", "--yes")
    assert done.returncode == 2
    assert b"there are no logs of vualt" in done.stderr
