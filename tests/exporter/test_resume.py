"""Going on at any line: the source of files between two sessions, with real files and a real cursor."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from log_exporter.line import Plain
from log_exporter.sources.files import Files
from log_exporter.state import State
from log_exporter.wire import Greeting

LONG = b"long" * 100_000
FIRST, SECOND = "1" * 16, "2" * 16


class Logs:
    """A directory of logs, and one source of them at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source: Files | None = None

    def open(self) -> Files:
        """Start the source, as a new process would after the last one was killed."""
        self.kill()
        self.source = Files([str(self.directory / "*.log")], Plain(), "work", self._state(), once=False)
        return self.source

    def _state(self) -> State:
        return State(self.directory / "state", "test")

    def kill(self) -> None:
        """Let go of everything without saving, as a kill would."""
        if self.source:
            self.source._watch.close()
            self.source._state.close()
        self.source = None

    def write(self, name: str, data: bytes) -> None:
        """Append to a log."""
        with (self.directory / f"{name}.log").open("ab") as log:
            log.write(data)

    def read(self) -> list[bytes]:
        """Return the lines that the source has now."""
        assert self.source
        data = b"".join(part for _ in range(5) for part in iter(self.source.read, b""))
        assert not data or data.endswith(b"\n")
        return data.split(b"\n")[:-1]


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """An empty directory, in which each file is looked at without delay."""
    monkeypatch.setattr("log_exporter.sources.files._LOOK_EVERY", 0.0)
    logs = Logs(tmp_path)
    yield logs
    logs.kill()


def several(logs: Logs) -> list[bytes]:
    """Start a source and let it read runs of several files, one of them with a long line; return the lines."""
    logs.write("a", b"a1\na2\na3\n")
    logs.write("b", b"b1\nb2\n")
    source = logs.open()
    source.begin(Greeting(FIRST))
    lines = logs.read()
    logs.write("a", b"a4\n" + LONG + b"\na6\n")
    lines += logs.read()
    logs.write("b", b"b3\nb4\n")
    logs.write("a", b"a7\n")
    lines += logs.read()
    assert len(lines) == 11
    return lines


def greeting(stored: int) -> Greeting:
    """Return what the collector says if it has so many lines of the first session."""
    return Greeting(SECOND, ((FIRST, stored),) if stored else ())


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("stored", range(12))
def test_every_line_can_be_the_last_that_was_stored(logs: Logs, stored: int, killed: bool) -> None:
    """Wherever the session ended, the next one has exactly the other lines, in the same or a new process."""
    lines = several(logs)
    source = logs.open() if killed else logs.source
    assert source
    source.begin(greeting(stored))
    logs.write("b", b"new\n")
    assert sorted(logs.read()) == sorted([*lines[stored:], b"new"])


@pytest.mark.parametrize("acknowledged", range(12))
def test_a_saved_cursor_goes_on_there(logs: Logs, acknowledged: int) -> None:
    """Whatever was acknowledged when the compact cursor was saved, the session goes on where the collector says."""
    lines = several(logs)
    assert logs.source
    logs.source.acknowledge(acknowledged)
    logs.source._save()
    source = logs.open()
    source.begin(greeting(max(acknowledged, 7)))
    assert sorted(logs.read()) == sorted(lines[max(acknowledged, 7) :])


def test_three_sessions_that_store_a_little_each(logs: Logs) -> None:
    """A session that did not get far is no different from the first."""
    lines = several(logs)
    source = logs.open()
    source.begin(greeting(2))
    second = logs.read()
    source = logs.open()
    source.begin(Greeting("3" * 16, ((SECOND, 3), (FIRST, 2))))
    assert sorted(lines[:2] + second[:3] + logs.read()) == sorted(lines)


def test_a_session_of_which_nothing_arrived_repeats_its_start(logs: Logs) -> None:
    """The first session stored five lines, the second none: the third begins where the second did."""
    lines = several(logs)
    logs.open().begin(greeting(5))
    logs.read()
    logs.open().begin(Greeting("3" * 16, ((FIRST, 5),)))
    assert sorted(logs.read()) == sorted(lines[5:])


@pytest.mark.parametrize("killed", [False, True])
def test_lines_that_are_gone_are_counted(logs: Logs, killed: bool) -> None:
    """Truncated before they were stored: the next session says how many lines, and goes on with what is there."""
    lines = several(logs)
    os.truncate(logs.directory / "b.log", 0)
    logs.write("b", b"new\n")
    source = logs.open() if killed else logs.source
    assert source
    source.begin(greeting(1))
    got = logs.read()
    notes = [line.decode().split(" - ", 1)[1] for line in got if b" log-exporter - " in line]
    assert sorted(line for line in got if b" log-exporter - " not in line) == sorted(
        [*(line for line in lines[1:] if line.startswith((b"a", b"l"))), b"new"]
    )
    path = logs.directory / "b.log"
    what = "gone or rewritten" if killed else "truncated or rewritten"
    assert f" {path} {'is' if killed else 'was'} {what}" in notes[0].split("-", 1)[1]
    lost = [note for note in notes if note.startswith("lost - ")]
    words = f"of {path} are lost: read, not stored, and no longer in the file"
    assert lost in (
        [f"lost - 2 lines {words}", f"lost - 2 lines {words}"],
        [f"lost - 2 lines {words}", f"lost - an unknown number of lines {words}"],
    )


def test_what_had_to_be_said_is_said_until_it_is_stored(logs: Logs) -> None:
    """A line of the exporter's own counts like any other: it is neither lost nor doubled."""
    logs.write("a", b"a1\n")
    logs.open().begin(Greeting(FIRST))
    logs.read()
    (logs.directory / "a.log").write_bytes(b"b1\n")
    told = logs.read()
    assert b" log-exporter - truncated - " in told[0]
    logs.open().begin(greeting(1))
    assert logs.read() == told
    logs.open().begin(Greeting("3" * 16, ((SECOND, 1), (FIRST, 1))))
    assert logs.read() == told[1:]


def test_more_lines_than_were_sent_are_told_of(logs: Logs) -> None:
    """A collector with more lines than the files can explain has somebody else's, or the state is an old copy."""
    logs.write("a", b"a1\n")
    logs.open().begin(Greeting(FIRST))
    logs.read()
    logs.open().begin(greeting(5))
    assert b" log-exporter - unknown - the collector has 4 lines that no file explains" in logs.read()[0]


def test_a_gone_file_is_remembered_over_saves(logs: Logs) -> None:
    """Its unstored lines are still counted when the cursor was saved after it was truncated."""
    logs.write("a", b"a1\na2\n")
    logs.write("b", b"b1\n")
    os.utime(logs.directory / "a.log", (1, 1))
    source = logs.open()
    source.begin(Greeting(FIRST))
    assert logs.read() == [b"a1", b"a2", b"b1"]
    os.truncate(logs.directory / "a.log", 0)
    logs.read()
    source._save()
    logs.open().begin(greeting(1))
    got = logs.read()
    assert b"1 lines of %b/a.log are lost" % os.fsencode(logs.directory) in b"\n".join(got)
    assert b"b1" in got


def test_a_long_line_that_is_truncated_under_our_hands_is_one_line(logs: Logs) -> None:
    """Half of it has been sent: it is ended there, so that the count of lines stays right."""
    logs.write("a", LONG + LONG + b"\nnext\n")
    source = logs.open()
    source.begin(Greeting(FIRST))
    begun = source.read() + source.read()
    assert begun
    assert b"\n" not in begun
    (logs.directory / "a.log").write_bytes(b"x\n" * 300_000)
    rest = b"".join(part for _ in range(5) for part in iter(source.read, b""))
    first, note, *others = rest.split(b"\n")
    assert b" log-exporter - truncated - " in note
    assert others == [b"x"] * 300_000 + [b""]
    assert set(first) <= set(b"xlong")


def test_a_long_line_without_end_is_sent_after_rotation(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a line that is too long to hold gets its end when its file was deleted and is quiet."""
    monkeypatch.setattr("log_exporter.sources.followed.SETTLED", 0.0)
    monkeypatch.setattr("log_exporter.sources.files._SCAN_EVERY", 0.0)
    logs.write("a", LONG)
    logs.open().begin(Greeting(FIRST))
    assert logs.read() == []
    (logs.directory / "a.log").unlink()
    assert logs.read() == [LONG]
    assert logs.source
    logs.source.acknowledge(1)
    assert logs.read() == []
    assert not logs.source._watch.files


def test_a_busy_collector_does_not_make_the_journal_grow(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With acknowledgements the cursor file is written anew, and what is stored is no longer in it."""
    monkeypatch.setattr("log_exporter.sources.files._SAVE_RECORDS", 10)
    monkeypatch.setattr("log_exporter.sources.files._SCAN_EVERY", 0.0)
    source = logs.open()
    source.begin(Greeting(FIRST))
    count = 0
    for number in range(100):
        logs.write("ab"[number % 2], b"%d\n" % number)
        count += len(logs.read())
        source.acknowledge(count)
    assert count == 100
    assert len(source._state.load()) < 30
    logs.open().begin(greeting(count))
    assert logs.read() == []
