"""Making a store, and opening what is in it: by directory, never through a link, never hanging."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.format.errors import FormatError, Full, OddFile, StoreError, UsageError, WriteFailed
from logchain.format.identity import parse_store
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, parse_births
from logchain.format.ledger import fingerprint, open_genesis
from logchain.format.limits import MAX_SEGMENT
from logchain.format.ratchet import seed
from logchain.format.slots import FILE_SIZE, newest
from logchain.read.verify import Verdict
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import log_name, open_directory, open_store, segments, streams, tags_name
from tests.conftest import STREAM, VM, FakeClock, Store


def as_link(path: Path) -> None:
    """Put a link to a good file in its place."""
    target = path.with_name(f"{path.name}-elsewhere")
    target.write_bytes(b"x")
    path.symlink_to(target)


def as_dangling_link(path: Path) -> None:
    """Put a link to nothing in its place."""
    path.symlink_to("/nonexistent/file")


def as_socket(path: Path) -> None:
    """Put a socket in its place."""
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/{path.name}")  # a socket's path is short
        os.close(here)


def as_giant(path: Path) -> None:
    """Put a file of a terabyte, all holes, in its place."""
    path.touch()
    os.truncate(path, 1 << 40)


ODD: dict[str, Callable[[Path], None]] = {
    "link": as_link,
    "dangling link": as_dangling_link,
    "fifo": os.mkfifo,
    "socket": as_socket,
    "directory": Path.mkdir,
    "giant": as_giant,
}


def replace(path: Path, odd: str) -> None:
    """Put something odd where a file or directory of ours belongs."""
    if path.exists():
        path.rename(path.with_name(f"{path.name}-before"))
    ODD[odd](path)


def test_a_new_store(tmp_path: Path) -> None:
    """Creation makes an empty store with the seed's secret in it, for the group to write."""
    audit, given = new_secrets()
    umask = os.umask(0o022)
    try:
        shown = create_store(tmp_path / "a" / "store", given, FakeClock())
    finally:
        os.umask(umask)
    with open_store(tmp_path / "a" / "store") as store:
        assert store.names() == ["births", "format", "keys", "ledger", "live", "sealed"]
        assert parse_store(store.read("format", 4_096)) == (audit.store_id, FakeClock().now)
        births = parse_births(newest(BIRTHS_MAGIC, store.read("births", FILE_SIZE)).body)
        assert births == BirthState(1, seed(audit.secret, audit.store_id))
        assert list(streams(store)) == []
        assert stat.S_IMODE(os.stat("live", dir_fd=store.fd).st_mode) == 0o2770
        assert stat.S_IMODE(os.stat("births", dir_fd=store.fd).st_mode) == 0o660
        private = {"sealed": 0o2750, "ledger": 0o2750, "ledger/heads": 0o2750, "keys": 0o700, "keys/ledger": 0o600}
        private |= {"keys/log": 0o600, "ledger/lock": 0o600, "ledger/entries": 0o640, "ledger/checkpoint": 0o640}
        for name, mode in private.items():
            assert stat.S_IMODE(os.stat(name, dir_fd=store.fd).st_mode) == mode, name
        entry, genesis = open_genesis((tmp_path / "a/store/ledger/entries").read_bytes())
        assert shown == fingerprint(genesis.key)
        assert (entry.store_id, entry.number, entry.age) == (audit.store_id, 0, 0)


def test_a_store_is_made_in_an_empty_directory_only(tmp_path: Path) -> None:
    """What is there is never touched, be it a store or anything else; an empty directory will do."""
    given = new_secrets()[1]
    create_store(tmp_path, given, FakeClock())
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    with pytest.raises(UsageError):
        create_store(tmp_path, given, FakeClock())
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "below"):
        with pytest.raises(StoreError):
            create_store(path, given, FakeClock())


def test_no_room_for_a_part_of_a_new_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file it is, the store is not made: it gets its `format` last, and nothing is missing then."""
    real, made, at = os.open, 0, 0

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        nonlocal made
        made += bool(flags & os.O_CREAT)
        if flags & os.O_CREAT and made == at:
            raise OSError(28, "No space left on device")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    for at in range(1, 20):
        made, path = 0, tmp_path / str(at)
        try:
            create_store(path, new_secrets()[1], FakeClock())
        except Full:
            assert not (path / "format").exists()
        else:
            break
    assert (path / "ledger/checkpoint").exists()
    assert at > 5


def test_two_stores_share_no_secret() -> None:
    """Each store has its own id and its own audit secret."""
    (one, first), (other, second) = new_secrets(), new_secrets()
    assert one.store_id != other.store_id
    assert len({one.secret, other.secret, first.secret, second.secret}) == 4


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    """No directory, an empty one and half a store are each a StoreError, and stay as they are."""
    with pytest.raises(StoreError):
        open_store(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        open_store(tmp_path / "file")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StoreError):
        Store(empty, new_secrets()[0]).open()
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("name", ["format", "live", "births"])
def test_a_store_that_lacks_something(store: Store, name: str) -> None:
    """Without any one of its three, no stream can be made, and this is told as a StoreError."""
    (store.path / name).rename(store.path / "gone")
    with pytest.raises(StoreError):
        store.open()


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        (name, odd)
        for name in ["format", "births", "live", f"live/{VM}", f"live/{VM}/{STREAM}"]
        for odd in ODD
        if not (name.startswith("live") and odd == "directory")  # which belongs there
    ],
)
def test_odd_things_in_the_place_of_the_stores_own(store: Store, name: str, odd: str) -> None:
    """A link, a FIFO, a socket, a directory or a giant is refused, neither followed nor waited for."""
    path = store.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, odd)
    with pytest.raises((StoreError, OddFile)):
        store.open()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "name", ["id", "lock", "ratchet", "00000001.log", "00000001.tags", "quarantine", "00000002.log"]
)
def test_odd_things_in_the_place_of_a_streams_own(store: Store, name: str, odd: str) -> None:
    """Each is refused, or put aside and told for ever; neither followed nor waited for, and what is behind is kept."""
    store.log(b"before")
    writer = store.open()  # leaves a segment that has to be recovered
    path = store.directory() / name
    writer.abandon()
    with (store.directory() / "00000001.log").open("ab") as log:
        log.write(b"torn")
    replace(path, odd)
    elsewhere = path.with_name(f"{path.name}-elsewhere")
    outside = elsewhere.read_bytes() if elsewhere.exists() else b""
    with suppress(StoreError, FormatError):
        store.log(b"after")
        assert b"after" in [record.payload for record in store.records()]
    assert outside == (elsewhere.read_bytes() if elsewhere.exists() else b"")
    assert store.verdict() in Verdict  # and looking at it ends


def test_names_of_segments(tmp_path: Path) -> None:
    """Eight digits, and only a text's name makes a segment."""
    assert (log_name(12), tags_name(12)) == ("00000012.log", "00000012.tags")
    for name in ("12.log", "00000012.tags", "000000012.log", "00000012.log.lz4", "0000001\uff12.log", "00000012.log\n"):
        (tmp_path / name).touch()
    with open_directory(tmp_path) as directory:
        assert segments(directory) == []
        (tmp_path / "00000012.log").touch()
        assert segments(directory) == [12]
        for number in (0, MAX_SEGMENT, MAX_SEGMENT + 1):
            (tmp_path / log_name(number)).touch()
        assert segments(directory) == [12, MAX_SEGMENT]


def test_streams_are_those_whose_names_can_be(store: Store) -> None:
    """Whatever else lies in live/ is no stream, and no trap."""
    store.log(b"x", vm="b", stream="two")
    store.log(b"x", vm="b", stream="one")
    store.log(b"x", vm="A")
    live = store.path / "live"
    for path in ("1vm/main", "b/.hidden", "b/with space"):
        (live / path).mkdir(parents=True)
    (live / "link").symlink_to("b")
    (live / "file").touch()
    (live / "b" / "link").symlink_to("one")
    os.mkfifo(live / "b" / "fifo")
    with open_store(store.path) as directory:
        assert list(streams(directory)) == [("A", "main"), ("b", "one"), ("b", "two")]


def test_a_directory_is_closed_once(store: Store) -> None:
    """Closing again does nothing, so that it cannot close another's descriptor."""
    directory = open_store(store.path)
    fd = directory.fd
    directory.close()
    other = os.open("/", os.O_RDONLY)
    assert other == fd  # the number is taken again
    directory.close()
    os.close(other)


def test_no_room_for_a_name_is_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without inodes is full, as one without blocks is; a bad one fails; another refusal is told as it is."""
    real = os.open
    refusal = OSError(28, "No space left on device")

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise refusal
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Full):
        store.open()
    refusal = OSError(5, "Input/output error")
    with pytest.raises(WriteFailed, match="Input/output error"):
        store.open()
    refusal = OSError(24, "Too many open files")
    with pytest.raises(StoreError, match="Too many open files"):
        store.open()


def test_only_the_owner_puts_files_at_the_root(tmp_path: Path) -> None:
    """Whoever could rename there could put another ledger in the place of the one that is, whatever the umask."""
    before = os.umask(0)
    try:
        Store.make(tmp_path / "store")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o750
