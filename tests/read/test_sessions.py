"""Who was connected when is told from the notes alone, and what cannot be read is told too."""

import os
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from logchain.format.limits import MAX_PART
from logchain.format.record import LINE, PART
from logchain.read.entries import Kind
from logchain.read.selection import Selection
from logchain.read.sessions import Event, Session, list_sessions
from logchain.store.layout import open_store
from logchain.store.stream import StreamWriter
from tests.conftest import FakeClock, Store

SECOND = 1_000_000


def rows(store: Store, selection: Selection = Selection()) -> list[Session | Event]:  # noqa: B008 (immutable)
    """Return all that is told, a minute after now."""
    with open_store(store.path) as directory:
        return list_sessions(directory, selection, store.clock.now + 60 * SECOND)


def sessions(store: Store, selection: Selection = Selection()) -> list[Session]:  # noqa: B008 (immutable)
    """Return the sessions that are told."""
    return [row for row in rows(store, selection) if isinstance(row, Session)]


def gaps(store: Store) -> list[str]:
    """Return the gaps that are told."""
    return [row.untrusted_text.decode() for row in rows(store) if isinstance(row, Event) and row.kind == Kind.GAP]


def connect(store: Store, session: bytes = b"") -> StreamWriter:
    """Begin a session."""
    writer = store.open()
    writer.start_session(session or os.urandom(8), "logchain.Append")
    return writer


def crash(writer: StreamWriter) -> None:
    """End without a word, all being durable."""
    writer.commit()
    writer.abandon()


def test_what_is_told_of_a_session(store: Store, clock: FakeClock) -> None:
    """Names, times, spans, lines, the bytes that were cut, and why it ended."""
    store.log(b"before")
    clock.go(100)
    start = clock.now
    writer = connect(store, b"\xaa" * 8)
    for seconds, line in ((1, b"a"), (7, b"b"), (2, b"c")):
        clock.go(seconds)
        writer.append(LINE, [line], clock.now)
    clock.go(3)
    writer.end_session("superseded", b"half", 4)
    writer.close()
    assert sessions(store)[1] == Session(
        vm="work",
        stream="main",
        session="aa" * 8,
        start=start,
        end=start + 13 * SECOND,
        before=100 * SECOND,
        duration=13 * SECOND,
        longest=7 * SECOND,
        lines=3,
        cut=4,
        why="superseded",
    )
    assert sessions(store)[0].before is None
    assert len(rows(store)) == 2


def test_a_crash_ends_a_session_with_its_last_record(store: Store, clock: FakeClock) -> None:
    """The silence before the next one begins there, whatever notes a start wrote in between."""
    writer = connect(store)
    clock.go(5)
    writer.append(LINE, [b"a", b"b"], clock.now)
    last = clock.now
    crash(writer)
    clock.go(50)
    clock.boot = b"\x22" * 16  # so the open segment gets its `end` now
    store.log(b"c")
    crashed, following = sessions(store)
    assert (crashed.why, crashed.end, crashed.duration, crashed.lines) == ("crashed", last, 5 * SECOND, 2)
    assert (following.why, following.before) == ("eof", 50 * SECOND)


def test_a_torn_write_ends_a_session_and_is_told(store: Store, clock: FakeClock) -> None:
    """The `recovered` note has a row of its own."""
    writer = connect(store)
    writer.append(LINE, [b"a"], clock.now)
    crash(writer)
    with (store.directory() / "00000001.log").open("ab") as file:
        file.write(b"2026-11-23T03:45:01.123456Z - torn\n")
    assert sessions(store)[0].lines == 1  # what is not committed is nobody's word
    clock.go(1)
    store.log(b"b")
    crashed, note, following = rows(store)
    assert isinstance(crashed, Session)
    assert isinstance(following, Session)
    assert (crashed.why, crashed.lines, following.lines) == ("crashed", 1, 1)
    assert isinstance(note, Event)
    assert note.kind == Kind.NOTE
    assert note.untrusted_text.startswith(b"recovered ")


def test_a_failed_write_ends_a_session_with_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be noted then, but the next segment says so, and until then the key state."""
    writer = connect(store)
    writer.append(LINE, [b"a"], store.clock.now)
    writer.commit()
    writer.append(LINE, [b"b"], store.clock.now)
    sync, log = os.fdatasync, os.stat(store.directory() / "00000001.log").st_ino

    def fail(fd: int) -> None:
        if os.fstat(fd).st_ino == log:
            raise OSError(5, "EIO")
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(Exception, match="EIO"):
        writer.commit()
    writer.abandon()
    monkeypatch.undo()
    assert [(session.why, session.lines) for session in sessions(store)] == [("error", 1)]
    store.log(b"c")
    assert [session.why for session in sessions(store)] == ["error", "eof"]


def test_connected_until_now(store: Store, clock: FakeClock) -> None:
    """A session lasts while the key state says so in this boot; the silence up to now is one of its silences."""
    clock.boot = bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    writer = connect(store)
    clock.go(2)
    writer.append(LINE, [b"a"], clock.now)
    writer.commit()
    (session,) = sessions(store)
    assert (session.why, session.end, session.lines) == ("connected", 0, 1)
    assert (session.duration, session.longest) == (62 * SECOND, 60 * SECOND)
    assert sessions(store, Selection(since=clock.now + 10 * SECOND))
    writer.end_session("stop", b"", 0)
    writer.close()
    assert sessions(store)[0].why == "stop"


def test_connected_in_another_boot_is_crashed(store: Store) -> None:
    """As in a copy of a store that somebody took while it was written."""
    crash(connect(store))
    assert sessions(store)[0].why == "crashed"


def test_a_clock_that_is_set_back_makes_no_silence(store: Store, clock: FakeClock) -> None:
    """What passed is told, by neither clock negative; the step has a row of its own."""
    writer = connect(store)
    clock.go(10)
    writer.append(LINE, [b"a"], clock.now)
    clock.now -= 3600 * SECOND
    writer.append(LINE, [b"b"], clock.now)
    clock.go(4)
    writer.end_session("eof", b"", 0)
    writer.close()
    clock.now -= 3600 * SECOND
    store.log(b"c")
    last, first = sessions(store)  # sorted by what the clock said
    assert (first.duration, first.longest, first.lines, last.before) == (14 * SECOND, 10 * SECOND, 2, 0)
    assert first.end < first.start
    assert [row.untrusted_text[:5] for row in rows(store) if isinstance(row, Event)] == [b"clock"] * 2


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("seed", range(20))
def test_the_longest_silence_is_found(store: Store, clock: FakeClock, seed: int) -> None:
    """Among lines and parts of any length, over segments, with records of one time; and lines are counted right."""
    chance = random.Random(seed)
    writer = connect(store)
    times, lines = [clock.now], 0
    for _ in range(chance.randrange(1, 400)):
        clock.go(chance.choice([0, 0, 0.001, chance.expovariate(1), chance.expovariate(0.1)]))
        times.append(clock.now)
        if chance.random() < 0.1:
            writer.append(PART, [b"p" * MAX_PART], clock.now)
        else:
            count = chance.randrange(1, 4)
            writer.append(LINE, [b"# " * chance.choice([0, 1, 9, 5000])] * count, clock.now)
            lines += count
        if chance.random() < 0.02:
            writer.roll("size")
    crash(writer)
    (session,) = sessions(store)
    assert session.longest == max(later - earlier for earlier, later in pairwise(times))
    assert (session.lines, session.duration) == (lines, times[-1] - times[0])


def test_no_sender_can_make_a_note(store: Store) -> None:
    """Lines that look like notes are lines."""
    store.log(b"2026-11-23T03:45:01.123456Z # session-start session=0000000000000000", b"# session-end", b"Z # end")
    (session,) = sessions(store)
    assert session.lines == 3


def test_sessions_are_selected_and_sorted(store: Store, clock: FakeClock) -> None:
    """All qubes by their start; a session counts if any of it falls into the time, both ends included."""
    begun = clock.now
    for number, vm in enumerate(("work", "vault", "dom0", "vault")):
        writer = store.open(vm, "main" if number < 3 else "other")
        writer.start_session(os.urandom(8), "logchain.Append")
        clock.go(5)
        writer.end_session("eof", b"", 0)
        writer.close()
        clock.go(5)

    def told(**wanted: object) -> list[str]:
        return [f"{session.vm}/{session.stream}" for session in sessions(store, Selection(**wanted))]  # type: ignore[arg-type]

    assert told() == ["work/main", "vault/main", "dom0/main", "vault/other"]
    assert told(vms=("vault", "dom0"), streams=("main",)) == ["vault/main", "dom0/main"]
    assert told(since=begun + 12 * SECOND, until=begun + 20 * SECOND) == ["vault/main", "dom0/main"]
    assert told(since=begun + 15 * SECOND, until=begun + 19 * SECOND) == ["vault/main"]
    assert told(since=begun + 16 * SECOND, until=begun + 19 * SECOND) == []


def three_segments(store: Store, clock: FakeClock) -> None:
    """Store a session from the first segment to the third, then another one."""
    writer = connect(store, b"\xaa" * 8)
    for line in (b"a", b"b", b"c"):
        clock.go(1)
        writer.append(LINE, [line], clock.now)
        if line != b"c":
            writer.roll("size")
    writer.end_session("eof", b"", 0)
    writer.close()
    clock.go(10)
    store.log(b"d")


@pytest.mark.parametrize("lost", ["00000002.log", "00000002.tags"])
def test_a_session_with_a_gap_in_it(store: Store, clock: FakeClock, lost: str) -> None:
    """Nothing is made up: one row up to the gap, one behind it, and no silence over it."""
    three_segments(store, clock)
    (store.directory() / lost).unlink()
    assert gaps(store) == [
        "segment 2 is missing" if lost.endswith("log") else "segment 2 cannot be read: the file is missing"
    ]
    before, behind, following = sessions(store)
    assert (before.session, before.why, before.lines) == ("aa" * 8, "lost", 1)
    assert (behind.session, behind.why, behind.lines, behind.start, behind.before) == ("aa" * 8, "eof", 3, 0, None)
    assert following.before == 10 * SECOND


def test_a_lost_end_or_key_state_is_a_gap(store: Store, clock: FakeClock) -> None:
    """The newest segment gone, then all there is to judge by; other streams are told."""
    store.log(b"x", vm="vault")
    three_segments(store, clock)
    (store.directory() / "00000003.log").unlink()
    assert gaps(store) == ["segment 3 is missing"]
    (store.directory() / "ratchet").unlink()
    assert gaps(store) == ["the key state cannot be read: the file is missing"]
    assert [session.vm for session in sessions(store)] == ["vault"]
    shutil.rmtree(store.directory())
    store.directory().mkdir()
    assert gaps(store) == []  # a birth that was cut short


def test_damage_never_stops_the_rest(store: Store, clock: FakeClock) -> None:
    """Whatever is done to a segment, a list comes out, and the next segment's session is in it."""
    three_segments(store, clock)
    chance = random.Random(7)
    log = store.directory() / "00000001.log"
    good = log.read_bytes()
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 8)):
            place = chance.randrange(len(bad))
            bad[place : place + chance.randrange(9)] = chance.choice(
                [b"", b"\n", b"\0", b" # ", b"\xff" * 30, b"9999-99"]
            )
        log.write_bytes(bad)
        assert sessions(store)[-1].before == 10 * SECOND
    log.unlink()
    log.symlink_to("/dev/zero")
    assert "link" in gaps(store)[0]


def test_beside_a_writer(store: Store, clock: FakeClock) -> None:
    """At each moment what is committed is told, and no more."""
    clock.boot = bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    writer = connect(store)
    writer.commit()
    for count in range(1, 6):
        assert [(session.lines, session.why) for session in sessions(store)] == [(count - 1, "connected")]
        writer.append(LINE, [b"line"], clock.now)
        assert [session.lines for session in sessions(store)] == [count - 1]
        writer.commit()
        if count == 3:
            writer.roll("size")
    assert not gaps(store)
    writer.close()
