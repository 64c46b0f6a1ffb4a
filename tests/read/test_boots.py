"""Boots of the LogVM are counted as journalctl counts them."""

import pytest

from logchain.format.errors import UsageError
from logchain.read.boots import boot_id
from logchain.read.selection import Selection
from logchain.store.layout import open_store
from tests.conftest import Store


@pytest.fixture
def booted(store: Store) -> Store:
    """A store with logs of three boots, of two qubes, neither of which logged in all of them."""
    for place, vms in enumerate((["work"], ["vault", "work"], ["vault"])):
        store.clock.boot = bytes([place]) * 16
        store.clock.go(100)
        for vm in vms:
            store.log(b"line", vm=vm)
            store.clock.go(1)
    return store


@pytest.mark.parametrize(
    ("text", "boot"), [("0", 2), ("-0", 2), ("-1", 1), ("-2", 0), ("1", 0), ("2", 1), ("3", 2), ("02" * 16, 2)]
)
def test_boots_are_counted(booted: Store, text: str, boot: int) -> None:
    """From the last on with 0 and -1, from the first on with 1; or named by their ids."""
    with open_store(booted.path) as store:
        assert boot_id(store, Selection(), text) == bytes([boot]).hex() * 16


@pytest.mark.parametrize("text", ["-3", "4", "", "-", "+1", "01", "1.0", "--1", "02" * 15])
def test_what_is_no_boot(booted: Store, text: str) -> None:
    """Is refused, and told from a boot that there is."""
    with open_store(booted.path) as store, pytest.raises(UsageError, match="boot"):
        boot_id(store, Selection(), text)


def test_boots_of_one_qube(booted: Store) -> None:
    """Are those in which it logged."""
    with open_store(booted.path) as store:
        assert boot_id(store, Selection(vms=("work",)), "0") == "01" * 16
