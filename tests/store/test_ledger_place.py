"""The ledger's files: those of the store and of nobody else, and let go whatever fails."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import Busy, StoreError
from logchain.format.ledger import Config
from logchain.store.layout import open_store
from logchain.store.ledger import open_ledger
from tests.conftest import Store
from tests.store.sealing import check, opened

pytestmark = pytest.mark.usefixtures("unsynced")

EVENT = Config(b"c" * 32)


def again(path: Path) -> None:
    """Put the same bytes in the place of a file or directory, as who unpacks a backup does."""
    path.rename(path.with_name("before"))
    (shutil.copytree if path.with_name("before").is_dir() else shutil.copy)(path.with_name("before"), path)


def link(path: Path) -> None:
    """Put a link in its place that leads to it, wherever it may lead tomorrow."""
    path.rename(path.with_name("before"))
    path.symlink_to("before")


REPLACED: dict[str, Callable[[Path], object]] = {
    "entries": lambda store: again(store / "ledger/entries"),
    "entries, by a link to them": lambda store: link(store / "ledger/entries"),
    "ledger, by a link to it": lambda store: link(store / "ledger"),
    "lock": lambda store: again(store / "ledger/lock"),
    "ledger": lambda store: again(store / "ledger"),
    "its keys": lambda store: again(store / "keys/ledger"),
    "keys": lambda store: again(store / "keys"),
    "no entries": lambda store: (store / "ledger/entries").unlink(),
    "no keys": lambda store: (store / "keys").rename(store / "gone"),
}


@pytest.mark.parametrize("what", REPLACED)
def test_nothing_is_appended_where_another_was_put_in_its_place(store: Store, what: str) -> None:
    """Each file and directory is looked at: an entry in what is not the store's would fork the chain or be lost."""
    with opened(store) as (_, ledger):
        ledger.append(EVENT)
        REPLACED[what](store.path)
        before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
        with pytest.raises(StoreError, match="another ledger was put in the place"):
            ledger.append(EVENT)
        with pytest.raises(StoreError, match="last write failed"):
            ledger.append(EVENT)
        assert {path: path.read_bytes() for path in before} == before


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_ledger_that_is_not_opened_holds_nothing(store: Store) -> None:
    """log-compressor tries again and again: neither a lock nor a descriptor may stay."""
    with open_store(store.path) as directory:
        before = descriptors()
        with open_ledger(directory, store.clock):
            held = descriptors()
            with pytest.raises(Busy):
                open_ledger(directory, store.clock)
            assert descriptors() == held
        assert descriptors() == before
        entries = store.path / "ledger/entries"
        good = entries.read_bytes()
        entries.write_bytes(good[:-1] + b"!")
        with pytest.raises(StoreError, match="does not end as"):
            open_ledger(directory, store.clock)
        assert descriptors() == before
        entries.write_bytes(good)
        with open_ledger(directory, store.clock) as ledger:
            ledger.append(EVENT)
    check(store)


def test_a_disk_that_does_not_give_it_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do, and the ledger stays as it is."""
    before = (store.path / "ledger/entries").read_bytes()

    def refuse(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    with open_store(store.path) as directory, monkeypatch.context() as patch:
        patch.setattr(os, "pread", refuse)
        with pytest.raises(StoreError, match="cannot be read: Input/output error; look at dmesg"):
            open_ledger(directory, store.clock)
    assert (store.path / "ledger/entries").read_bytes() == before
    check(store)
