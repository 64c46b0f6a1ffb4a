"""A backup that is unpacked while log-compressor runs: what it has open is not the store any more."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import StoreError
from logchain.format.ledger import Config, Heads
from logchain.store.restoring import restore
from tests.compress.conftest import Working
from tests.compress.test_main import Daemon
from tests.conftest import Store
from tests.store.sealing import check, opened


def anew(path: Path, backup: Path) -> None:
    """Remove it, and copy the backup to its place."""
    shutil.rmtree(path)
    shutil.copytree(backup, path, symlinks=True)


def by_rename(path: Path, backup: Path) -> None:
    """Put each file in the place of the one that is there, as rsync does; directories stay."""
    for file in [file for file in path.rglob("*") if file.is_file()]:
        if not (backup / file.relative_to(path)).exists():
            file.unlink()
    for file in [file for file in backup.rglob("*") if file.is_file()]:
        target = path / file.relative_to(backup)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target.with_name(".new"))
        target.with_name(".new").replace(target)


def over_it(path: Path, backup: Path) -> None:
    """Write the backup's bytes into the files that are there, as rsync --inplace does."""
    for file in [file for file in path.rglob("*") if file.is_file()]:
        if not (backup / file.relative_to(path)).exists():
            file.unlink()
    shutil.copytree(backup, path, symlinks=True, dirs_exist_ok=True)


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    """A backup of a store with a line; the store went on."""
    store.log(b"one")
    with opened(store) as (_, ledger):
        ledger.append(Config(b"a" * 32))
    os.close(os.open(store.path / "keys/compressor", os.O_CREAT, 0o600))
    shutil.copytree(store.path, tmp_path / "backup", symlinks=True)
    return tmp_path / "backup"


def brought_back(store: Store) -> None:
    """Tell the store that it came back."""
    with opened(store) as (directory, ledger):
        restore(directory, ledger)


@pytest.mark.parametrize("unpack", [by_rename, over_it])
def test_between_two_rounds(store: Store, working: Working, backup: Path, unpack: Callable[[Path, Path], None]) -> None:
    """The next round takes up the store that is there: one chain, and its checkpoint is of it."""
    store.log(b"lost")
    working.round()
    unpack(store.path, backup)
    brought_back(store)
    store.log(b"after")
    working.after(hours=1)
    working.after(hours=1)
    assert "seal" in working.events()
    check(store)


def test_heads_of_before_are_forgotten(store: Store, working: Working, backup: Path) -> None:
    """What was listed, and hashed, of the store that is gone says nothing of the one that came back."""
    store.log(b"lost", b"and more that is lost")
    working.round()
    over_it(store.path, backup)
    brought_back(store)
    store.log(b"after")
    working.round()
    lists = [entry for entry in check(store) if isinstance(entry.event, Heads)]
    assert len(lists) == 1


@pytest.mark.usefixtures("unsynced")
def test_in_the_midst_of_an_opening(store: Store, backup: Path) -> None:
    """Nothing more is written through what is open, and the error says why."""
    with opened(store) as (_, ledger):
        ledger.append(Config(b"b" * 32))
        by_rename(store.path, backup)
        before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
        with pytest.raises(StoreError, match="another ledger was put in the place of"):
            ledger.append(Config(b"c" * 32))
        with pytest.raises(StoreError):
            ledger.sign(b"text\n")
        assert not ledger.usable
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before
    check(store)


@pytest.mark.parametrize("unpack", [anew, by_rename])
def test_the_daemon_ends(store: Store, backup: Path, tmp_path: Path, unpack: Callable[[Path, Path], None]) -> None:
    """Its lock went with the store that it was started for: it says so, and leaves the other alone."""
    daemon = Daemon(store, tmp_path)
    daemon.hear("waiting for work")
    unpack(store.path, backup)
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    assert daemon.end(signal.SIGHUP) == 3
    daemon.close()
    assert "was replaced while log-compressor ran" in daemon.errors.read_text()
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before
    check(store)
