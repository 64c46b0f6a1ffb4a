"""Files that are put in place, overwritten, or looked at again: none stays open, no link is followed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import Full, OddFile
from logchain.format.keystate import RATCHET_MAGIC
from logchain.format.slots import WIPED, format_slots
from logchain.store.durable import SlotFile, put, shred
from logchain.store.layout import open_directory
from tests.store.test_durable import Disk

pytestmark = pytest.mark.usefixtures("unsynced")


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_putting_and_overwriting_hold_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector and log-compressor do both for months, on full disks too."""
    disk = Disk(monkeypatch)
    disk.error = 28
    with open_directory(tmp_path) as directory:
        before = descriptors()
        put(directory, "file", [b"one"])
        put(directory, "file", [b"two"])
        shred(directory, "file")
        disk.fails = lambda what, _: what == "write"
        with pytest.raises(Full):
            put(directory, "file", [b"three"])
        assert descriptors() == before


@pytest.mark.parametrize("target", ["nothing", "outside"])
def test_a_link_in_a_secret_s_place_is_only_removed(tmp_path: Path, target: str) -> None:
    """Also one to nothing; what it leads to is not touched."""
    (tmp_path / "outside").write_bytes(b"not ours")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/secret").symlink_to(f"../{target}")
    with open_directory(tmp_path / "store") as directory:
        shred(directory, "secret")
    assert list((tmp_path / "store").iterdir()) == []
    assert (tmp_path / "outside").read_bytes() == b"not ours"


@pytest.mark.parametrize("other", [b"", WIPED * 2, b"!" * 8_192])
def test_a_slot_file_that_became_another(tmp_path: Path, other: bytes) -> None:
    """Whoever let go of it must not go on with what it knew: not where nothing valid is left either."""
    path = tmp_path / "slots"
    path.write_bytes(format_slots(RATCHET_MAGIC, b"body"))
    slots = SlotFile(os.open(path, os.O_RDWR), RATCHET_MAGIC)
    assert slots.is_unchanged()
    path.write_bytes(other)
    assert not slots.is_unchanged()
    slots.close()


@pytest.mark.parametrize("odd", [os.mkfifo, lambda path: path.symlink_to("other")])
def test_what_is_odd_is_not_held(tmp_path: Path, odd: Callable[[Path], None]) -> None:
    """A collector that put it there must not take a descriptor from log-compressor each time it looks."""
    (tmp_path / "other").touch()
    odd(tmp_path / "file")
    with open_directory(tmp_path) as directory:
        before = descriptors()
        with pytest.raises(OddFile):
            directory.file("file")
        assert descriptors() == before
