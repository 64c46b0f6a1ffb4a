"""Forgetting a qube: nothing of it stays, not its name; and nothing of another goes."""

import fcntl
import os
from pathlib import Path

import pytest

from logchain.format.errors import Busy
from logchain.format.ledger import Birth, Forget
from logchain.format.slots import WIPED
from logchain.store.archive import finish_removals
from logchain.store.forgetting import forget
from logchain.store.layout import open_directory, open_store, stream_directory
from logchain.store.opening import lock_stream, open_stream
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import check, entries, identity, lines, opened, roll, seal

OTHER = "other"


def names(store: Store) -> set[str]:
    """Return every name in the store that is, or holds, the VM's."""
    return {path.name for path in store.path.rglob("*") if VM in path.name or VM in store_text(path)}


def store_text(path: Path) -> str:
    """Return a file's text."""
    return path.read_bytes().decode("latin-1") if path.is_file() else ""


def full(store: Store) -> None:
    """Fill a store: streams that are sealed, open, just born, recovered; and another VM."""
    for stream in (STREAM, "second"):
        store.log(b"x", stream=stream)
        roll(store, stream=stream)
        seal(store, stream=stream)
        store.log(b"y", stream=stream)
    store.open(stream="born").close()
    with (store.directory() / "00000002.log").open("ab") as log:
        log.write(b"torn")
    store.log(b"z")
    store.log(b"stays", vm=OTHER)


def go(store: Store, vm: str = VM) -> int:
    """Forget a VM."""
    with opened(store) as (directory, ledger):
        return forget(directory, ledger, vm)


@pytest.mark.usefixtures("unsynced")
def test_a_vm_is_forgotten(store: Store) -> None:
    """Text, keys, salt and names are gone; births and an entry for each stream stay; it may begin anew."""
    full(store)
    ids = {identity(store, stream=stream): stream for stream in (STREAM, "second", "born")}
    assert go(store) == 3
    assert names(store) == set()
    found = [entry.event for entry in check(store)]
    forgotten = {ids[event.stream_id]: event.segment for event in found if isinstance(event, Forget)}
    assert forgotten == {STREAM: 2, "second": 2, "born": 0}
    assert {event.stream_id for event in found if isinstance(event, Birth)} == set(ids)
    assert lines(store, OTHER) == [b"stays"]
    store.log(b"anew")
    assert identity(store) not in ids
    assert store.state().segment == 1
    roll(store)
    assert [manifest.segment for manifest in seal(store)] == [1]
    assert lines(store) == [b"anew"]
    check(store)
    assert go(store) == 1
    assert go(store) == 0
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_keys_are_overwritten(store: Store) -> None:
    """Who had the file open before sees zeros: keys and salt are not left in free blocks."""
    store.log(b"x")
    files = [(store.directory() / name).open("rb") for name in ("ratchet", "id")]
    go(store)
    for file in files:
        with file:
            assert not any(file.read())


@pytest.mark.usefixtures("unsynced")
def test_what_a_crash_left_of_keys_is_overwritten_too(store: Store) -> None:
    """Also where it is no stream's key state yet."""
    store.log(b"x")
    left = store.directory() / ".ratchet.new"
    left.write_bytes(os.urandom(8_192))
    with left.open("rb") as file:
        go(store)
        assert not any(file.read())
    assert names(store) == set()


@pytest.mark.usefixtures("unsynced")
def test_a_mark_where_nothing_tells_whose_it_was(store: Store) -> None:
    """A collector owns the mark and the id; where the manifest is damaged too, what is sealed stays for all that."""
    store.log(b"x")
    roll(store)
    seal(store)
    sealed = store.path / "sealed" / VM / STREAM
    (sealed / "00000001.manifest").unlink()
    (store.directory() / "id").unlink()
    (store.directory() / "forgetting").touch()
    with opened(store) as (directory, ledger):
        finish_removals(directory, ledger)
    assert [path.name for path in sealed.iterdir()] == ["00000001.log"]
    assert not [entry for entry in entries(store) if isinstance(entry.event, Forget)]


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_is_being_born_keeps_no_forgetting_waiting(store: Store) -> None:
    """It is left alone, and the rest of another qube goes."""
    store.log(b"x")
    kept = {path: path.read_bytes() for path in store.directory().iterdir() if path.is_file()}
    go(store)
    (store.directory() / "quarantine").mkdir(parents=True)
    for path, data in kept.items():
        path.write_bytes(data)
    (store.directory() / "forgetting").touch()
    born = store.directory(vm="a")
    born.mkdir(parents=True)
    with open_directory(born) as directory:
        lock = lock_stream(directory)
        with opened(store) as (root, ledger):
            finish_removals(root, ledger)
        os.close(lock)
    assert born.exists()
    assert names(store) == set()


@pytest.mark.usefixtures("unsynced")
def test_while_somebody_writes_nothing_is_done(store: Store) -> None:
    """Not to one of its streams: it is all or nothing."""
    full(store)
    writer = store.open(stream="second")
    before = {path: path.lstat().st_mtime_ns for path in store.path.rglob("*") if "ledger" not in str(path)}
    count = len(entries(store))
    with pytest.raises(Busy):
        go(store)
    assert {path: path.lstat().st_mtime_ns for path in before} == before
    assert len(entries(store)) == count
    writer.close()
    assert go(store) == 3


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_is_being_forgotten_takes_no_line(store: Store) -> None:
    """Until it is finished, or was found not to have been entered: then it goes on."""
    store.log(b"x")
    (store.directory() / "forgetting").touch()
    with pytest.raises(Busy, match="being forgotten"):
        store.log(b"y")
    with opened(store) as (directory, ledger):
        finish_removals(directory, ledger)
    store.log(b"y")
    assert lines(store) == [b"x", b"y"]
    (store.directory() / "forgetting").touch()
    with opened(store) as (directory, ledger):
        ledger.append(Birth(1, identity(store), 1))
        ledger.append(Forget(identity(store), 1))
        finish_removals(directory, ledger)
    assert not (store.path / "live" / VM).exists()
    (store.path / "live" / VM / STREAM).mkdir(parents=True)
    (store.directory() / "forgetting").touch()  # the last of it
    with opened(store) as (directory, ledger):
        finish_removals(directory, ledger)
    assert not (store.path / "live" / VM).exists()


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("without_id", [False, True])
def test_a_mark_that_a_collector_made(store: Store, without_id: bool) -> None:
    """It may do what it likes in live/; what is sealed it must not have removed."""
    store.log(b"x")
    roll(store)
    seal(store)
    (store.directory() / "forgetting").touch()
    if without_id:
        (store.directory() / "id").unlink()
    with opened(store) as (directory, ledger):
        finish_removals(directory, ledger)
    assert lines(store) == [b"x"]
    store.log(b"y")
    check(store)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("lost", [("id",), ("ratchet",), ("id", "ratchet")])
def test_a_damaged_stream_is_forgotten(store: Store, lost: tuple[str, ...]) -> None:
    """As far as anything tells what it was."""
    store.log(b"x")
    roll(store)
    seal(store)
    old = identity(store)
    for name in lost:
        (store.directory() / name).write_bytes(WIPED)
    go(store)
    assert names(store) == set()
    assert entries(store)[-1].event == Forget(old, 1)
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_every_id_that_a_stream_had_is_forgotten(store: Store) -> None:
    """Also those from before its id was lost."""
    ids = []
    for _ in range(2):
        store.log(b"x")
        roll(store)
        seal(store)
        ids.append(identity(store))
        (store.directory() / "id").unlink()
    store.log(b"x")
    go(store)
    found = [entry.event for entry in check(store)]
    assert {event.stream_id for event in found if isinstance(event, Forget)} >= set(ids)
    assert names(store) == set()


@pytest.mark.usefixtures("unsynced")
def test_a_stream_of_which_only_the_sealed_is_left(store: Store) -> None:
    """Somebody removed live/: what is sealed is forgotten all the same."""
    store.log(b"x")
    roll(store)
    seal(store)
    for path in sorted((store.path / "live").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert go(store) == 1
    assert names(store) == set()
    check(store)


@pytest.mark.usefixtures("unsynced")
def test_odd_things_are_removed_and_not_followed(store: Store, tmp_path: Path) -> None:
    """Links, directories, files that are not ours: in a stream's directory they are part of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"stays")
    store.log(b"x")
    (store.directory() / "link").symlink_to(outside)
    (store.directory() / "file").symlink_to(outside / "file")
    (store.directory() / "deep" / "deeper").mkdir(parents=True)
    (store.directory() / "deep" / "deeper" / "file").write_bytes(b"x")
    go(store)
    assert names(store) == set()
    assert (outside / "file").read_bytes() == b"stays"


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_begins_anew_meanwhile_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last file and its directory a sender may come: what it makes is not ours to remove."""
    store.log(b"x")
    real = os.rmdir

    def rmdir(name: str, *, dir_fd: int) -> None:
        if name == STREAM and not (store.directory() / "id").exists():
            with open_store(store.path) as directory:
                open_stream(directory, VM, STREAM, store.clock).close()
        real(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", rmdir)
    go(store)
    store.log(b"anew")
    assert lines(store) == [b"anew"]
    check(store)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("late", [False, True], ids=["before it is opened", "before it is locked"])
def test_a_lock_of_a_stream_that_went(store: Store, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """Who had its directory, or its lock open, must not believe to hold the stream."""
    store.log(b"x")
    with open_store(store.path) as directory, stream_directory(directory, VM, STREAM) as stream:
        if late:
            real = fcntl.flock

            def flock(fd: int, how: int) -> None:
                monkeypatch.undo()
                go(store)
                real(fd, how)

            monkeypatch.setattr(fcntl, "flock", flock)
        else:
            go(store)
        with pytest.raises(Busy, match="removed"):
            lock_stream(stream)


def test_a_name_of_which_only_directories_are_left(store: Store) -> None:
    """A crash behind the mark leaves them, and nobody can call `forget` for what is no stream: they go all the same."""
    store.log(b"stays")
    for name in ("live/one/main", "live/two", "sealed/two"):
        (store.path / name).mkdir(parents=True)
    (store.path / "live/one/main/lock").touch()
    (store.path / "live/three/main").mkdir(parents=True)
    with opened(store) as (directory, ledger), stream_directory(directory, "three", "main") as born:
        lock = lock_stream(born)  # by a collector that is about to give it a birth
        finish_removals(directory, ledger)
        os.close(lock)
    assert sorted(path.name for path in (store.path / "live").iterdir()) == ["three", VM]
    assert not list((store.path / "sealed").iterdir())
    assert lines(store) == [b"stays"]


def test_a_crash_while_the_id_is_removed(store: Store) -> None:
    """An id that was overwritten and is still there is no id: what is left of the stream goes with the next round."""
    store.log(b"secret", vm="gone")
    store.log(b"kept")
    live = store.directory("gone")
    with opened(store) as (directory, ledger):
        forget(directory, ledger, "gone")
    live.mkdir(parents=True)
    (live / "forgetting").touch()
    (live / "id").write_bytes(bytes(120))
    with opened(store) as (directory, ledger):
        finish_removals(directory, ledger)
    assert not live.parent.exists()
    check(store)
