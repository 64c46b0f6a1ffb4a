"""What comes back that the ledger calls sealed or gone, and what is damaged: nothing is sealed twice, nobody waits."""

import os
from pathlib import Path

import pytest

from logchain.format.errors import FormatError, Full, StoreError, WriteFailed
from logchain.format.ledger import Birth, Evict, Seal
from logchain.format.slots import WIPED
from logchain.store.archive import compress_segment, delete, evict, finish_removals
from logchain.store.layout import Directory, open_store
from logchain.store.sealer import seal_segment
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import check, entries, identity, opened, roll, seal

pytestmark = pytest.mark.usefixtures("unsynced")

LOG, TAGS = "00000001.log", "00000001.tags"


def sealed_with_a_copy(store: Store) -> dict[Path, bytes]:
    """Seal a segment, and return the files that it had in live/."""
    store.log(b"x")
    roll(store)
    kept = {store.directory() / name: (store.directory() / name).read_bytes() for name in (LOG, TAGS)}
    seal(store)
    return kept


def put(kept: dict[Path, bytes]) -> None:
    """Put files back."""
    for path, data in kept.items():
        path.write_bytes(data)


def test_what_was_evicted_is_not_sealed_again(store: Store) -> None:
    """Not even the last of a stream: else one number would have two seals, which a check takes for tampering."""
    kept = sealed_with_a_copy(store)
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 1, "quota")
        put(kept)
        with pytest.raises(FormatError, match="is never sealed"):
            seal_segment(directory, ledger, VM, STREAM, 1)
    assert [type(entry.event) for entry in check(store)[2:]] == [Seal, Evict]


@pytest.mark.parametrize("removal", ["evict", "delete"])
def test_a_copy_in_live_goes_before_what_is_sealed(store: Store, removal: str) -> None:
    """Else text that a person wants gone would stay. Another text is kept, and nothing goes."""
    kept = sealed_with_a_copy(store)
    path = store.directory() / LOG
    put(kept | {path: kept[path].replace(b"x\n", b"y\n", 1)})
    before = entries(store)
    with opened(store) as (directory, ledger):

        def remove() -> None:
            if removal == "evict":
                evict(directory, ledger, VM, STREAM, 1, "quota")
            else:
                delete(directory, ledger, VM, STREAM, 1)

        with pytest.raises(FormatError, match="is not the text that was sealed"):
            remove()
        assert entries(store) == before
        assert (store.path / "sealed" / VM / STREAM / LOG).exists()
        put(kept)
        remove()
    assert not list(store.path.glob("*/*/*/0*"))
    assert len(check(store)) == len(before) + 1


def test_a_birth_of_which_only_damaged_segments_are_left(store: Store) -> None:
    """It begins with the last of them, and not with one that the birth before had begun."""
    store.log(b"1")
    roll(store)
    seal(store)
    store.log(b"2")
    roll(store)
    (store.directory() / "ratchet").write_bytes(WIPED * 2)
    store.log(b"3")
    roll(store)
    for segment in (2, 3):
        (store.directory() / f"0000000{segment}.log").write_bytes(b"nonsense\n")
    for segment in (2, 3):
        with opened(store) as (directory, ledger), pytest.raises(FormatError, match="cannot be sealed"):
            seal_segment(directory, ledger, VM, STREAM, segment)
    key = identity(store)
    births = [entry.event for entry in entries(store) if isinstance(entry.event, Birth)]
    assert births == [Birth(1, key, 1), Birth(2, key, 3)]


def test_compressing_holds_nothing_and_does_nothing_twice(store: Store) -> None:
    """log-compressor does it for months: no descriptor stays, and a tier that is there is not written again."""
    sealed_with_a_copy(store)
    with open_store(store.path) as directory:
        before = len(os.listdir("/proc/self/fd"))
        compress_segment(directory, VM, STREAM, 1, ".lz4", 3)
        (made,) = (store.path / "sealed" / VM / STREAM).glob("*.lz4")
        inode = made.stat().st_ino, made.stat().st_ctime_ns
        compress_segment(directory, VM, STREAM, 1, ".lz4", 3)
        assert len(os.listdir("/proc/self/fd")) == before
    assert (made.stat().st_ino, made.stat().st_ctime_ns) == inode


def test_a_stream_that_may_not_be_looked_into_keeps_no_removal_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a crash left of the others goes all the same."""
    for vm in ("a", "b"):
        store.log(b"x", vm=vm)
        roll(store, vm=vm)
        seal(store, vm=vm)
    left = {path: path.read_bytes() for path in (store.path / "sealed/b" / STREAM).iterdir()}
    real = Directory.directory

    def refuse(self: Directory, name: str) -> Directory:
        if name == "a" and self.path.endswith("sealed"):
            raise StoreError("cannot open a: Permission denied")
        return real(self, name)

    with opened(store) as (directory, ledger):
        evict(directory, ledger, "b", STREAM, 1, "cap")
        put(left)
        names = [("a", STREAM), ("b", STREAM)]
        monkeypatch.setattr("logchain.store.archive.streams", lambda *_: names)
        monkeypatch.setattr(Directory, "directory", refuse)
        finish_removals(directory, ledger)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("error", [Full("no room"), WriteFailed("the disk refused")])
def test_a_removal_that_the_disk_refuses_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    """It is no stream's own trouble: nobody goes on as if it were done."""
    sealed_with_a_copy(store)
    left = {path: path.read_bytes() for path in (store.path / "sealed" / VM / STREAM).iterdir()}

    def refuse(*_: object) -> None:
        raise error

    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 1, "cap")
        put(left)
        with monkeypatch.context() as patch:
            patch.setattr("logchain.store.archive.remove", refuse)
            with pytest.raises(type(error)):
                finish_removals(directory, ledger)
        finish_removals(directory, ledger)
    assert not any(path.exists() for path in left)
