"""What the compressor sees of live/: what is closed, and what it closes itself."""

import fcntl
import os

import pytest

from logchain.format.errors import FormatError, WriteFailed
from logchain.format.keystate import BIRTHS_MAGIC, Status, format_births, read_births
from logchain.format.record import LINE, NOTE, parse_note, parse_record
from logchain.format.slots import WIPED, format_slots
from logchain.store.layout import Directory, open_store, stream_directory
from logchain.store.opening import HeldStream, hold_stream
from logchain.store.segments import close_idle, closed_segments, durable_state, extent, first_note
from logchain.store.stream import StreamWriter
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import lines, roll, texts
from tests.store.test_durable import Disk

HOUR = 3_600_000_000


def close(store: Store, idle: int = HOUR) -> bool:
    """Close what is idle of the stream."""
    with open_store(store.path) as directory:
        return close_idle(directory, VM, STREAM, store.clock, idle)


def closed(store: Store) -> list[int]:
    """Return what is closed of the stream."""
    with open_store(store.path) as directory:
        return closed_segments(directory, VM, STREAM)


def ended(store: Store, segment: int) -> str:
    """Return the reason for which a segment was closed."""
    record = parse_record(texts(store)[segment].split(b"\n")[-2])
    assert record.kind == NOTE
    note = parse_note(record.payload)
    assert note.event == "end"
    assert note.number("records") == texts(store)[segment].count(b"\n")
    return note.fields["reason"]


@pytest.mark.usefixtures("unsynced")
def test_an_idle_segment_is_closed(store: Store) -> None:
    """Once it is old enough in running time, and not before."""
    store.log(b"x")
    store.clock.now += 100 * HOUR
    assert not close(store)
    store.clock.go(3_599.9)
    assert not close(store)
    assert closed(store) == []
    store.clock.go(0.1)
    assert close(store)
    assert not close(store)
    assert ended(store, 1) == "idle"
    assert closed(store) == [1]
    store.log(b"y")
    assert closed(store) == [1]
    assert lines(store) == [b"x", b"y"]


@pytest.mark.usefixtures("unsynced")
def test_a_segment_of_another_boot_is_closed(store: Store) -> None:
    """Its age could not be told."""
    store.log(b"x")
    store.clock.boot, store.clock.up = b"\x22" * 16, 5
    assert close(store)
    assert ended(store, 1) == "boot"


@pytest.mark.usefixtures("unsynced")
def test_a_stream_with_a_writer_is_left_alone(store: Store) -> None:
    """Its worker rolls its own segments."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.commit()
    store.clock.go(10_000)
    assert not close(store)
    writer.append(LINE, [b"x"], store.clock.wall())
    writer.close()
    assert close(store)
    assert lines(store) == [b"x"]


@pytest.mark.usefixtures("unsynced")
def test_a_writer_that_came_and_went(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was idle when we looked, and is not when we have the lock, stays open."""
    store.log(b"x")
    store.clock.go(10_000)

    def hold(directory: Directory, vm: str, stream: str) -> HeldStream:
        roll(store)  # the look was before, the lock comes now
        store.log(b"y")
        return hold_stream(directory, vm, stream)

    monkeypatch.setattr("logchain.store.segments.hold_stream", hold)
    assert not close(store)
    assert store.state().status == Status.OPEN
    store.open().close()  # the lock is free


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("damage", ["ratchet", "id", "00000001.log", "00000001.tags"])
def test_a_stream_that_does_not_stand_is_left_alone(store: Store, damage: str) -> None:
    """It takes a birth, which is for whoever opens it next."""
    store.log(b"x")
    (store.directory() / damage).unlink()
    store.clock.go(10_000)
    before = {path: path.read_bytes() for path in store.directory().rglob("*") if path.is_file()}
    assert not close(store)
    assert {path: path.read_bytes() for path in store.directory().rglob("*") if path.is_file()} == before
    assert closed(store) == []


@pytest.mark.usefixtures("unsynced")
def test_what_a_crash_left_is_adopted_first(store: Store) -> None:
    """The same code runs as when a sender comes."""
    store.log(b"x")
    ratchet = (store.directory() / "ratchet").read_bytes()
    store.log(b"y")
    (store.directory() / "ratchet").write_bytes(ratchet)
    with (store.directory() / "00000001.log").open("ab") as log:
        log.write(b"torn")
    store.clock.go(10_000)
    assert close(store)
    assert lines(store) == [b"x", b"y"]
    assert "recovered" in store.events()


@pytest.mark.usefixtures("unsynced")
def test_streams_that_are_not_there(store: Store) -> None:
    """Nothing is closed, nothing is made."""
    assert not close(store)
    assert closed(store) == []
    store.open().close()  # born, and nothing stored
    store.clock.go(10_000)
    assert not close(store)
    assert closed(store) == []


def given_up(store: Store, disk: Disk) -> StreamWriter:
    """Give a segment up behind a line."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"x"], store.clock.wall())
    writer.commit()
    writer.append(LINE, [b"lost"], store.clock.wall())
    disk.fails = lambda *call: call == ("sync", "00000001.log")
    with pytest.raises(WriteFailed):
        writer.commit()
    disk.fails = lambda *_: False
    writer.close()
    return writer


def test_a_segment_that_was_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed when the next segment has said where it ends; by then what is behind was cut off."""
    given_up(store, Disk(monkeypatch))
    store.clock.go(10_000)
    assert not close(store)
    assert closed(store) == []
    store.open().close()
    assert closed(store) == []
    store.log(b"y")
    assert closed(store) == [1]
    assert lines(store) == [b"x", b"y"]


@pytest.mark.usefixtures("unsynced")
def test_a_segment_under_a_lost_key_state(store: Store) -> None:
    """It stays as it was, whether the next one is there yet or not."""
    store.log(b"x")
    before = texts(store)[1]
    (store.directory() / "ratchet").write_bytes(WIPED * 2)
    assert closed(store) == []
    store.open().close()
    assert closed(store) == [1]
    store.log(b"y")
    assert closed(store) == [1]
    assert texts(store)[1] == before


def test_a_key_state_is_believed_once_it_is_on_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could take it back, and what was sealed by it with it."""
    store.log(b"x")
    disk = Disk(monkeypatch)
    with open_store(store.path) as directory, stream_directory(directory, VM, STREAM) as stream:
        state = durable_state(stream)
        assert disk.calls == [("sync", "ratchet")]
        assert state == store.state()
        disk.fails = lambda *_: True
        with pytest.raises(WriteFailed):
            durable_state(stream)
        (store.directory() / "ratchet").write_bytes(b"")
        with pytest.raises(FormatError):
            durable_state(stream)


def test_a_key_state_of_which_a_sync_failed_is_written_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer was killed before its own sync; the next sync would say "done" of pages that the kernel dropped."""
    store.log(b"x")
    before = (store.directory() / "ratchet").read_bytes()
    disk = Disk(monkeypatch)
    with open_store(store.path) as directory, stream_directory(directory, VM, STREAM) as stream:
        descriptors = len(os.listdir("/proc/self/fd"))
        disk.fails = lambda what, _: what == "sync"
        with pytest.raises(WriteFailed):
            durable_state(stream)
        assert disk.calls == [("sync", "ratchet"), ("write", "ratchet")]
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert (store.directory() / "ratchet").read_bytes() == before
        writer = store.directory() / "lock"
        disk.calls.clear()
        with writer.open("rb") as lock:  # one who lives sees to it
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(WriteFailed):
                durable_state(stream)
        assert disk.calls == [("sync", "ratchet")]


@pytest.mark.usefixtures("unsynced")
def test_the_secret_of_a_birth_is_gone_before_an_idle_segment_is_closed(store: Store) -> None:
    """One that was cut short: else a record would be stored while the keys of its stream can still be derived."""
    store.log(b"x")
    path = store.path / "births"
    state = read_births(path.read_bytes())
    path.write_bytes(format_slots(BIRTHS_MAGIC, format_births(state._replace(birth=1, pending=(VM, STREAM)))))
    assert close(store, 0)
    assert state.secret not in path.read_bytes()
    assert read_births(path.read_bytes())[::2] == (2, None)


@pytest.mark.usefixtures("unsynced")
def test_the_first_record_has_to_be_a_note(store: Store) -> None:
    """A line that reads like one is a sender's word; and looking holds nothing."""
    store.log(b"x")
    with open_store(store.path) as directory, stream_directory(directory, VM, STREAM) as stream:
        before = len(os.listdir("/proc/self/fd"))
        assert first_note(stream, 1).event == "segment"
        assert len(os.listdir("/proc/self/fd")) == before
        path = store.directory() / "00000001.log"
        path.write_bytes(path.read_bytes().replace(b" # segment", b" - segment", 1))
        with pytest.raises(FormatError):
            first_note(stream, 1)


@pytest.mark.usefixtures("unsynced")
def test_how_far_a_closed_segment_came(store: Store) -> None:
    """As its tags say; where these are no whole number of entries, nobody tells."""
    store.log(b"x")
    state = store.state()
    roll(store)
    with open_store(store.path) as directory, stream_directory(directory, VM, STREAM) as stream:
        before = len(os.listdir("/proc/self/fd"))
        found = extent(stream, store.state(), 1)
        assert len(os.listdir("/proc/self/fd")) == before
        assert (found.records, found.tag) == (store.state().records, store.state().tag)
        assert found.size == len(texts(store)[1]) > state.end
        tags = store.directory() / "00000001.tags"
        for wrong in (b"", tags.read_bytes()[:-1], tags.read_bytes() + b"!"):
            tags.write_bytes(wrong)
            with pytest.raises(FormatError):
                extent(stream, store.state(), 1)
