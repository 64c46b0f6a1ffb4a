"""Writes and syncs that fail: said once, never tried again, and never taken for success."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import FormatError, Full, StoreError, WriteFailed
from logchain.format.keystate import RATCHET_MAGIC, Status
from logchain.format.ratchet import given_up_proof
from logchain.format.record import LINE
from logchain.format.slots import SLOT_SIZE, WIPED, format_slot, format_slots, newest
from logchain.read.verify import Verdict
from logchain.store.durable import SlotFile, make_directory, put, write
from logchain.store.layout import Directory, open_store
from logchain.store.stream import Rolling, StreamWriter
from tests.conftest import Store

PWRITE = os.pwrite


class Disk:
    """The system's calls, some of which fail: `fails` is asked with the call's name and the file's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: Callable[[str, str], bool] = lambda *_: False
        self.error = errno.EIO
        self.short = False
        self.calls: list[tuple[str, str]] = []
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def _call(self, what: str, fd: int) -> None:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        self.calls.append((what, name))
        if self.fails(what, name):
            raise OSError(self.error, os.strerror(self.error))

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        """Write, but perhaps less than was asked for."""
        self._call("write", fd)
        return PWRITE(fd, data[: len(data) // 2 or 1] if self.short else data, offset)

    def fdatasync(self, fd: int) -> None:
        """Sync, as far as anyone can tell who does not pull the plug."""
        self._call("sync", fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that can fail."""
    return Disk(monkeypatch)


@pytest.fixture
def slots(tmp_path: Path) -> SlotFile:
    """A file of two slots."""
    path = tmp_path / "ratchet"
    path.write_bytes(format_slots(RATCHET_MAGIC, b"one"))
    return SlotFile(os.open(path, os.O_RDWR), RATCHET_MAGIC)


def test_short_writes_are_finished(tmp_path: Path, disk: Disk) -> None:
    """A write that takes less than it was given goes on where it stopped."""
    disk.short = True
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    write(fd, bytes(range(100)), 5)
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == bytes(5) + bytes(range(100))
    assert len(disk.calls) > 1


@pytest.mark.parametrize(
    ("number", "raised"),
    [(errno.ENOSPC, Full), (errno.EDQUOT, Full), (errno.EIO, WriteFailed), (errno.EROFS, WriteFailed)],
)
def test_what_a_failed_write_means(store: Store, disk: Disk, number: int, raised: type[StoreError]) -> None:
    """No room is one thing, a disk that refuses another; in neither case is a file put in place."""
    disk.error, disk.fails = number, lambda what, _: what == "write"
    with open_store(store.path) as directory, pytest.raises(raised):
        put(directory, "file", [b"data"])
    assert not (store.path / "file").exists()


def test_a_file_is_put_in_place_whole(store: Store, disk: Disk) -> None:
    """The new bytes are on the disk before they get the name, and the name is before the call returns."""
    (store.path / ".file.new").write_bytes(b"left by a crash, and longer than what comes")
    with open_store(store.path) as directory:
        put(directory, "file", [b"one"])
        put(directory, "file", [b"two"])
    assert (store.path / "file").read_bytes() == b"two"
    assert not (store.path / ".file.new").exists()
    wiped = [("write", ".file.new"), ("sync", ".file.new"), ("sync", "store")]
    assert disk.calls == wiped + [("write", ".file.new"), ("sync", ".file.new"), ("sync", "store")] * 2


def test_a_mode_that_cannot_be_set(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is the disk's refusal as any other: nothing is put in place, and nothing is left."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fchmod", refuse)
    with open_store(store.path) as directory, pytest.raises(WriteFailed, match="Input/output error"):
        put(directory, "file", [b"data"], 0o440)
    assert not list(store.path.glob("*file*"))


@pytest.mark.parametrize("name", ["file", ".file.new"])
def test_a_directory_in_a_files_place(store: Store, name: str) -> None:
    """It stays, and is told as a StoreError."""
    (store.path / name / "inside").mkdir(parents=True)
    with open_store(store.path) as directory, pytest.raises(StoreError):
        put(directory, "file", [b"data"])
    assert (store.path / name / "inside").is_dir()


def test_directories_are_made_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there is opened; one that cannot be made is told."""
    with open_store(store.path) as directory:
        for _ in range(2):
            make_directory(directory, "new").close()

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(Full):
            make_directory(directory, "other")


def test_a_slot_file_alternates_and_wipes(slots: SlotFile, tmp_path: Path) -> None:
    """Each state goes into the slot that does not hold the newest, and the one before is zeros then."""
    for generation, body in enumerate([b"two", b"three", b"four"], 2):
        slots.commit(body)
        data = (tmp_path / "ratchet").read_bytes()
        assert newest(RATCHET_MAGIC, data) == ((generation + 1) % 2, generation, body)
        old = generation % 2 * SLOT_SIZE
        assert data[old : old + SLOT_SIZE] == WIPED
        assert slots.body == body
    slots.close()


def test_a_slot_file_is_written_once_more_on_opening(tmp_path: Path, disk: Disk) -> None:
    """What one goes on from is on the disk, whatever the page cache said; an older state is wiped."""
    path = tmp_path / "ratchet"
    path.write_bytes(format_slot(RATCHET_MAGIC, 8, b"old") + format_slot(RATCHET_MAGIC, 9, b"new"))
    slots = SlotFile(os.open(path, os.O_RDWR), RATCHET_MAGIC)
    assert slots.body == b"new"
    assert path.read_bytes() == WIPED + format_slot(RATCHET_MAGIC, 9, b"new")
    assert disk.calls == [("write", "ratchet"), ("sync", "ratchet"), ("write", "ratchet")]
    slots.settle()
    slots.settle()  # nothing is left to do
    assert disk.calls[3:] == [("sync", "ratchet")]
    slots.close()


def test_a_slot_file_without_a_valid_slot(tmp_path: Path) -> None:
    """It is refused, and its descriptor closed."""
    path = tmp_path / "ratchet"
    path.write_bytes(WIPED * 2)
    fd = os.open(path, os.O_RDWR)
    with pytest.raises(FormatError):
        SlotFile(fd, RATCHET_MAGIC)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.parametrize("call", ["write", "sync"])
def test_after_a_failure_a_slot_file_writes_no_more(slots: SlotFile, disk: Disk, tmp_path: Path, call: str) -> None:
    """Nobody knows which slot is on the disk then, so neither is touched; the old state still counts."""
    disk.fails = lambda what, _: what == call
    with pytest.raises(WriteFailed):
        slots.commit(b"two")
    disk.fails = lambda *_: False
    after = (tmp_path / "ratchet").read_bytes()
    disk.calls.clear()
    with pytest.raises(WriteFailed):
        slots.commit(b"three")
    assert disk.calls == []
    assert (tmp_path / "ratchet").read_bytes() == after
    assert slots.body == b"one"
    slots.close()


def begin(store: Store) -> StreamWriter:
    """Open a stream and commit a line."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"acknowledged"], store.clock.wall())
    writer.commit()
    assert writer.durable_lines(b"session1") == 1
    return writer


def commit_fails(store: Store, disk: Disk, where: Callable[[str, str], bool]) -> None:
    """Lose a second line to a failing disk, and see that it is tried once and never again."""
    writer = begin(store)
    writer.append(LINE, [b"lost"], store.clock.wall())
    disk.fails = where
    disk.calls.clear()
    with pytest.raises(WriteFailed):
        writer.commit()
    assert writer.durable_lines(b"session1") == 1
    assert sum(where(*call) for call in disk.calls) == 1
    before = len(disk.calls)
    for again in (writer.commit, writer.settle, lambda: writer.roll("size")):
        with pytest.raises(StoreError):
            again()
    writer.close()
    assert len(disk.calls) == before
    disk.fails = lambda *_: False


@pytest.mark.parametrize("call", ["write", "sync"])
@pytest.mark.parametrize("name", ["00000001.log", "00000001.tags"])
def test_a_segment_is_given_up_when_the_disk_refuses(store: Store, disk: Disk, name: str, call: str) -> None:
    """It ends where it was durable; the next one says so, and all is intact."""
    commit_fails(store, disk, lambda *found: found == (call, name))
    state = store.state()
    assert state.status == Status.GIVEN_UP
    assert any(state.key)  # it proves the place, until the next segment has said so
    assert store.verdict() == Verdict.INTACT
    store.log(b"after")
    assert store.lines() == [b"acknowledged", b"after"]
    assert store.events()[2:5] == ["segment", "recovered", "session-start"]
    proof = given_up_proof(state.key).hex()
    expected = {"previous": "1", "end": str(state.end), "reason": "io", "proof": proof}
    assert store.notes()[3].fields == expected
    assert not [path for path in store.path.rglob("*") if path.is_file() and state.key in path.read_bytes()]
    assert (store.directory() / "00000001.log").stat().st_size == state.end
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_key_state_that_cannot_be_written(store: Store, disk: Disk, call: str) -> None:
    """Neither slot is touched again; what was acknowledged is there, and the rest is adopted when it verifies."""
    commit_fails(store, disk, lambda *found: found == (call, "ratchet"))
    store.log(b"after")
    assert store.lines() == [b"acknowledged", b"lost", b"after"]
    assert store.verdict() == Verdict.INTACT


def test_a_full_disk_gives_nothing_up(store: Store, disk: Disk) -> None:
    """What was appended waits; the same segment goes on when there is room again, in this session or another."""
    writer = begin(store)
    writer.append(LINE, [b"perhaps"], store.clock.wall())
    disk.error, disk.fails = errno.ENOSPC, lambda _, name: name == "00000001.tags"
    with pytest.raises(Full):
        writer.commit()
    with pytest.raises(Full):
        writer.append(LINE, [b"too early"], store.clock.wall())
    with pytest.raises(Full):
        writer.close()
    with pytest.raises(Full):
        store.log(b"after")
    disk.fails = lambda *_: False
    store.log(b"after")
    assert store.lines() == [b"acknowledged", b"after"]
    assert store.state().segment == 1
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_every_call_of_a_life_may_fail_once(store: Store, disk: Disk, error: int) -> None:
    """Whichever call the disk refuses, what was acknowledged stays, nothing is damaged, and logging goes on."""
    disk.error = error
    kept: list[bytes] = []
    failures = 0
    for call in range(10_000):
        stream = f"s{call}"
        stored = _life(store, disk, stream, call)
        failures += stored is None
        for line in (b"after 1", b"after 2"):
            store.log(line, stream=stream)
        lines = store.lines(stream=stream)
        assert lines[-2:] == [b"after 1", b"after 2"]
        kept = lines
        if stored is not None:
            break
    assert kept == [b"1", b"2", b"3", b"after 1", b"after 2"]
    assert failures > 20
    assert store.verdict() == Verdict.INTACT


def test_a_disk_that_is_full_now_and_then_costs_nothing(store: Store, disk: Disk) -> None:
    """Whichever write finds no room, the same call made again goes on, and each line is stored once."""
    disk.error = errno.ENOSPC
    for call in range(10_000):
        disk.calls.clear()
        writer = store.open(stream=f"s{call}", rolling=Rolling(size=500))
        disk.calls.clear()
        disk.fails = lambda what, _, call=call: what == "write" and len(disk.calls) == call + 1  # type: ignore[misc]
        _again(writer.start_session, b"session1", "logchain.Append")
        for number in (b"1", b"2", b"3"):
            _again(writer.append, LINE, [number], store.clock.wall())
            _again(writer.commit)
        _again(writer.end_session, "eof", b"", 0)
        _again(writer.commit)
        failed = len(disk.calls) > call
        disk.fails = lambda *_: False
        assert writer.durable_lines(b"session1") == 3
        writer.close()
        assert store.lines(stream=f"s{call}") == [b"1", b"2", b"3"]
        if not failed:
            break
    assert call > 20
    assert store.verdict() == Verdict.INTACT


def _again(step: Callable[..., None], *given: object) -> None:
    try:
        step(*given)
    except Full:
        step(*given)


def _life(store: Store, disk: Disk, stream: str, call: int) -> int | None:
    """Let the call with this number fail in a stream's life; return how many lines were stored, None if it failed."""
    disk.calls.clear()
    disk.fails = lambda *_: len(disk.calls) == call + 1
    durable = 0
    try:
        writer = store.open(stream=stream, rolling=Rolling(size=500))
        try:
            writer.start_session(b"session1", "logchain.Append")
            for number in (b"1", b"2", b"3"):
                writer.append(LINE, [number], store.clock.wall())
                writer.commit()
                durable = writer.durable_lines(b"session1")
                assert durable == int(number)
        finally:
            writer.close()
    except StoreError:
        durable_lines = store.lines(stream=stream) if (store.directory(stream=stream)).exists() else []
        assert durable_lines[:durable] == [b"1", b"2", b"3"][:durable]
        return None
    finally:
        disk.fails = lambda *_: False
    return durable


def test_a_file_that_cannot_be_opened_leaves_the_key_state_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops a segment from opening, no state is written of a segment without its first record."""
    real = Directory.file

    def refuse(self: Directory, name: str, flags: int = os.O_RDONLY) -> int:
        if name.endswith(".tags"):
            raise StoreError("cannot open: Too many open files")
        return real(self, name, flags)

    with monkeypatch.context() as context:
        context.setattr(Directory, "file", refuse)
        with pytest.raises(StoreError, match="Too many open files"):
            store.log(b"lost")
    assert store.state().segment == 0
    store.log(b"after")
    assert store.events() == ["segment", "session-start", "session-end"]
    assert store.verdict() == Verdict.INTACT
