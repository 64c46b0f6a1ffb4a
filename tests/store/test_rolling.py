"""When a segment ends and the next begins; that times never go back; that keys of before are gone."""

import re

import pytest

from logchain.format.keystate import Status
from logchain.format.record import LINE, PART, format_time
from logchain.read.verify import Verdict
from logchain.store.stream import Rolling, StreamWriter
from tests.conftest import Store
from tests.store.test_durable import Disk

pytestmark = pytest.mark.usefixtures("unsynced")


def begin(store: Store, rolling: Rolling | None = None) -> StreamWriter:
    """Open a stream for a session."""
    writer = store.open(rolling=rolling or Rolling())
    writer.start_session(b"session1", "logchain.Append")
    return writer


def line(store: Store, writer: StreamWriter, payload: bytes = b"x") -> None:
    """Store a line that arrives now, and commit it."""
    writer.append(LINE, [payload], store.clock.wall())
    writer.commit()


def end(writer: StreamWriter) -> None:
    """End the session."""
    writer.end_session("eof", b"", 0)
    writer.close()


def ends(store: Store) -> list[tuple[str, int]]:
    """Return how each segment ended: reason, and records it says it has."""
    return [(note.fields["reason"], note.number("records")) for note in store.notes() if note.event == "end"]


def test_a_segment_ends_at_its_size(store: Store) -> None:
    """The first record behind the size opens the next; each says how many records it has, and no line is lost."""
    writer = begin(store, Rolling(size=1_000))
    for number in range(30):
        line(store, writer, b"%d %s" % (number, b"x" * 100))
    end(writer)
    assert store.lines() == [b"%d %s" % (number, b"x" * 100) for number in range(30)]
    texts = [path.read_bytes() for path in sorted(store.directory().glob("*.log"))]
    assert ends(store) == [("size", text.count(b"\n")) for text in texts[:-1]]
    assert all(1_000 < len(text) < 1_300 for text in texts[:-1])
    assert store.verdict() == Verdict.INTACT


def test_a_segment_ends_at_its_age(store: Store) -> None:
    """Age is running time: the wall clock may jump as it likes."""
    writer = begin(store, Rolling(age=10_000_000))
    store.clock.now += 10**15
    line(store, writer)
    writer.roll_if_old()
    assert ends(store) == []
    store.clock.go(9.999_999)
    line(store, writer)
    assert ends(store) == []
    store.clock.go(0.000_001)
    line(store, writer)
    assert ends(store) == [("age", 5)]
    store.clock.go(20)
    writer.roll_if_old()
    assert [reason for reason, _ in ends(store)] == ["age", "age"]
    assert store.state().status == Status.CLOSED
    writer.roll_if_old()  # nothing is open
    end(writer)
    assert store.verdict() == Verdict.INTACT


def test_a_segment_ends_when_it_is_asked_to(store: Store) -> None:
    """The mark has to name the very segment that is open; one that is closed has no end to come."""
    writer = begin(store)
    line(store, writer)
    writer.roll_if_asked()
    (store.directory() / "00000002.close").touch()
    writer.roll_if_asked()
    assert ends(store) == []
    (store.directory() / "00000001.close").touch()
    writer.roll_if_asked()
    writer.roll_if_asked()
    assert [reason for reason, _ in ends(store)] == ["sealed"]
    line(store, writer)
    writer.roll_if_asked()
    assert [reason for reason, _ in ends(store)] == ["sealed", "sealed"]
    end(writer)
    assert store.verdict() == Verdict.INTACT


def test_the_names_of_a_segment_are_on_the_disk_before_its_records_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the power could take the files, and leave a key state that misses them."""
    writer = begin(store)
    line(store, writer)
    writer.roll("size")
    disk = Disk(monkeypatch)
    line(store, writer)
    synced = [name for what, name in disk.calls if what == "sync"]
    files = ["00000002.log", "00000002.tags", "main", "ratchet"]
    assert [name for name in dict.fromkeys(synced) if name in files] == files
    disk.calls.clear()
    line(store, writer)
    assert ("sync", "main") not in disk.calls
    end(writer)


def test_a_segment_ends_with_the_boot(store: Store) -> None:
    """Its age could not be told any more."""
    store.log(b"before")
    store.clock.boot, store.clock.up = b"\x22" * 16, 5
    store.log(b"after")
    assert ends(store) == [("boot", 5)]
    assert [note.fields["boot"] for note in store.notes() if note.event == "segment"] == ["11" * 16, "22" * 16]
    assert store.state().boot == b"\x22" * 16
    assert store.verdict() == Verdict.INTACT


def times(store: Store) -> list[int]:
    """Return the time of each line."""
    return [record.time for record in store.records() if record.kind == LINE]


@pytest.mark.parametrize("back", [1, 999_999, 1_000_000])
def test_a_small_step_back(store: Store, back: int) -> None:
    """Up to a second, time stands still until the clock has caught up."""
    start = store.clock.now
    writer = begin(store)
    line(store, writer)
    store.clock.now -= back
    line(store, writer)
    store.clock.now += back + 1
    line(store, writer)
    end(writer)
    assert times(store) == [start, start, start + 1]
    assert ends(store) == []
    assert store.verdict() == Verdict.INTACT


def test_a_large_step_back(store: Store) -> None:
    """A new segment begins, and says what both clocks showed."""
    start = store.clock.now
    writer = begin(store)
    line(store, writer)
    store.clock.now -= 1_000_001
    line(store, writer)
    end(writer)
    assert times(store) == [start, start - 1_000_001]
    assert [reason for reason, _ in ends(store)] == ["clock"]
    assert store.events()[3:5] == ["segment", "clock"]
    assert store.notes()[4].fields == {
        "last": format_time(start).decode(),
        "now": format_time(start - 1_000_001).decode(),
        "boot-clock": str(store.clock.up),
    }
    assert store.verdict() == Verdict.INTACT


def test_a_large_step_back_behind_a_closed_segment(store: Store) -> None:
    """The next segment says so all the same."""
    writer = begin(store)
    line(store, writer)
    writer.roll("size")
    store.clock.now -= 5_000_000
    line(store, writer)
    end(writer)
    assert store.events()[2:5] == ["end", "segment", "clock"]
    assert store.verdict() == Verdict.INTACT


def test_a_step_from_2038_and_back(store: Store) -> None:
    """A clock that jumps far ahead and back costs two notes, and no record its order."""
    writer = begin(store)
    line(store, writer, b"1")
    store.clock.now += 10**15
    line(store, writer, b"2")
    store.clock.now -= 10**15
    line(store, writer, b"3")
    end(writer)
    assert store.lines() == [b"1", b"2", b"3"]
    assert store.events().count("clock") == 1
    assert store.verdict() == Verdict.INTACT


def test_a_line_that_goes_on_in_the_next_segment(store: Store) -> None:
    """The segment note says so, and only where the line does go on."""
    writer = begin(store, Rolling(size=600))
    writer.append(PART, [b"a" * 100], store.clock.wall())
    writer.append(PART, [b"b" * 100], store.clock.wall())
    line(store, writer, b"c")
    line(store, writer, b"d" * 300)
    line(store, writer, b"e")
    end(writer)
    assert store.lines() == [b"a" * 100 + b"b" * 100 + b"c", b"d" * 300, b"e"]
    segments = [note for note in store.notes() if note.event == "segment"]
    assert [note.fields.get("continues") for note in segments] == [None, "yes", None]
    assert store.verdict() == Verdict.INTACT


def test_a_session_that_ends_in_a_line(store: Store) -> None:
    """What came of it is kept, counted as cut, and not as a line; it does not go on in the next segment."""
    writer = begin(store)
    line(store, writer)
    writer.append(PART, [b"a" * 100], store.clock.wall())
    writer.end_session("stop", b"rest", 104)
    writer.roll("size")
    writer.close()
    store.log(b"y")
    expected = {"session": b"session1".hex(), "reason": "stop", "lines": "1", "partial": "104"}
    assert store.notes()[2].fields == expected
    assert store.lines() == [b"x", b"y"]
    assert "continues" not in store.notes()[4].fields
    assert store.verdict() == Verdict.INTACT


def test_eight_sessions_are_remembered(store: Store) -> None:
    """Newest first, and only those of which a line is durable."""
    for number in range(12):
        writer = store.open()
        writer.start_session(b"session%x" % number, "logchain.Append")
        assert b"session%x" % number not in dict(writer.resume)
        if number % 3:
            line(store, writer)
            line(store, writer)
        end(writer)
    assert store.state().resume == tuple((b"session%x" % number, 2) for number in (11, 10, 8, 7, 5, 4, 2, 1))


def test_much_at_once_is_written_before_the_commit(store: Store) -> None:
    """Memory stays small: what waits goes to the file, and counts from the commit on."""
    writer = begin(store)
    writer.commit()
    before = store.state()
    writer.append(LINE, [b"x" * 60_000] * 10, store.clock.wall())
    assert writer.uncommitted > 600_000
    assert (store.directory() / "00000001.log").stat().st_size > 600_000
    assert store.state() == before
    assert store.verdict() == Verdict.INTACT
    writer.commit()
    assert writer.uncommitted == 0
    end(writer)
    assert writer.durable_lines(b"session1") == 10
    assert store.verdict() == Verdict.INTACT


def test_a_segment_needs_something_to_say(store: Store) -> None:
    """Opening and closing a stream makes none; rolling without one does nothing."""
    writer = store.open()
    writer.roll("size")
    writer.commit()
    writer.close()
    assert store.records() == []
    assert store.state().status == Status.CLOSED


def test_a_note_that_cannot_be_written_breaks_nothing(store: Store) -> None:
    """After a fault of a caller's, what is on the disk still stands."""
    writer = store.open()
    with pytest.raises(Exception, match="bad field"):
        writer.start_session(b"session1", "no service")
    writer.close()
    store.log(b"after")
    assert store.lines() == [b"after"]
    assert store.verdict() == Verdict.INTACT


def test_keys_of_before_are_gone(store: Store) -> None:
    """After each commit and the wipe of its slot, no file holds the key before, or the secret of a segment begun."""
    writer = begin(store, Rolling(size=600))
    known: list[bytes] = []
    for number in range(20):
        line(store, writer, b"%d %s" % (number, b"x" * 50))
        writer.settle()
        files = b"".join(path.read_bytes() for path in store.path.rglob("*") if path.is_file())
        assert not [key for key in known if key in files]
        state = store.state()
        assert state.key in files
        assert state.next in files
        known.append(state.key)
        if known and state.next not in known and number % 7 == 6:
            known.append(state.next)
            writer.roll("size")
    assert len(re.findall("end", " ".join(store.events()))) >= 2
    end(writer)
    assert store.verdict() == Verdict.INTACT


def test_a_closed_stream_holds_no_key(store: Store) -> None:
    """Between segments there is the next secret only."""
    store.log(b"x")
    secret = store.state().next
    writer = store.open()
    writer.start_session(b"session2", "logchain.Append")
    writer.roll("age")
    writer.settle()
    secret = store.state().next
    state = store.state()
    assert (any(state.key), state.next) == (False, secret)
    line(store, writer)
    writer.settle()
    files = b"".join(path.read_bytes() for path in store.path.rglob("*") if path.is_file())
    assert secret not in files
    end(writer)
