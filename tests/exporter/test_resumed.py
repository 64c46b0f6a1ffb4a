"""Lines that can be read again are stored once, whatever becomes of exporter, collector and the source itself."""

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_exporter.resumed import Resumed
from log_exporter.sources import Gap, Piece, Place
from log_exporter.state import State
from log_exporter.wire import Greeting


class Log:
    """A source that has numbered lines from `first` on, and gives some of them at a time."""

    pause = None
    caught_up = True

    def __init__(self) -> None:
        self.first = self.end = 0
        self.at = 0
        self.piece = 3
        self.counts = True  # whether it can tell how many lines are missing
        self.left_out = 0  # every so many lines, 0 is none
        self.stored_places: list[Place] = []

    def wanted(self, number: int) -> bool:
        """Whether a line is to be sent."""
        return not self.left_out or number % self.left_out != 0

    def go(self, place: Place | None) -> Gap | None:
        """Go behind a line."""
        self.at = place["behind"] if place else 0
        return self._gap()

    def _gap(self) -> Gap | None:
        missing, self.at = self.first - self.at, max(self.at, self.first)
        if missing <= 0:
            return None
        return Gap("gone", missing if self.counts else None, {"behind": self.at})

    def read(self) -> Piece | Gap | None:
        """Return the next lines, or what is missing."""
        if gap := self._gap():
            return gap
        numbers = range(self.at, min(self.at + self.piece, self.end))
        if not numbers:
            return None
        self.at = numbers.stop
        lines = [b"%d\n" % number for number in numbers if self.wanted(number)]
        return Piece(b"".join(lines), len(lines), {"behind": self.at})

    def fileno(self) -> None:
        """Return nothing to wait for."""

    def take(self) -> None:
        """Do nothing."""

    def stored(self, place: Place) -> None:
        """Remember it."""
        self.stored_places.append(place)

    def close(self) -> None:
        """Do nothing."""


class Collector:
    """What is stored, session by session."""

    def __init__(self) -> None:
        self.sessions: list[tuple[str, list[bytes]]] = []

    def greeting(self) -> Greeting:
        """Begin a session."""
        known = [(name, len(lines)) for name, lines in reversed(self.sessions) if lines]
        self.sessions.append((f"{len(self.sessions):016x}", []))
        return Greeting(self.sessions[-1][0], tuple(known[:8]))

    def store(self, data: bytes) -> int:
        """Store lines; return how many the session has."""
        self.sessions[-1][1].extend(data.split(b"\n")[:-1])
        return len(self.sessions[-1][1])

    def lines(self) -> list[int]:
        """Return the source's lines in the order in which they are stored."""
        return [int(line) for _, lines in self.sessions for line in lines if line.isdigit()]

    def notes(self) -> list[str]:
        """Return the exporter's own lines: event and words."""
        own = [line.decode() for _, lines in self.sessions for line in lines if not line.isdigit()]
        return [line.split(" log-exporter - ")[1].replace(" - ", ": ", 1) for line in own]


class World:
    """A log, an exporter that can be killed, a collector that can be lost."""

    def __init__(self, directory: str, log: Log) -> None:
        self.directory = directory
        self.log = log
        self.collector = Collector()
        self.configuration = "one"
        self.source: Resumed | None = None
        self.unsent = b""
        self.start()

    def start(self) -> None:
        """Start the exporter anew, as if the one before had been killed."""
        if self.source:
            self.source._state.close()
        self.source = Resumed(self.log, "work", State(self.directory, "test"), self.configuration)
        self.call()

    def call(self) -> None:
        """Begin a session; what was not stored of the last one is lost on the way."""
        assert self.source
        self.unsent = b""
        self.source.begin(self.collector.greeting())

    def read(self) -> None:
        """Read a piece; it is on its way then."""
        assert self.source
        self.unsent += self.source.read()

    def store(self, lines: int, *, acknowledge: bool) -> None:
        """Let some of what is on its way arrive."""
        assert self.source
        some = b"".join(self.unsent.splitlines(keepends=True)[:lines])
        self.unsent = self.unsent[len(some) :]
        count = self.collector.store(some)
        if acknowledge:
            self.source.acknowledge(count)

    def finish(self) -> None:
        """Let all arrive."""
        assert self.source
        quiet = 0
        while quiet < 3:
            self.read()
            quiet = 0 if self.unsent else quiet + 1
            self.store(1000, acknowledge=True)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 8)),
        st.tuples(st.just("piece"), st.integers(1, 5)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("store"), st.integers(1, 6)),
        st.tuples(st.just("acknowledge"), st.integers(1, 6)),
        st.tuples(st.just("call"), st.just(0)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("save"), st.just(0)),
        st.tuples(st.just("vacuum"), st.integers(1, 12)),
    ),
    max_size=40,
)


def play(steps: list[tuple[str, int]], log: Log, *, vacuum: bool) -> World:
    """Do the steps, then let all arrive."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        world = World(directory, log)
        for step, number in steps:
            assert world.source
            if step == "write":
                log.end += number
            elif step == "piece":
                log.piece = number
            elif step == "read":
                world.read()
            elif step in ("store", "acknowledge"):
                world.store(number, acknowledge=step == "acknowledge")
            elif step == "call":
                world.call()
            elif step == "kill":
                world.start()
            elif step == "save":
                world.source._saved = -100.0
            elif vacuum:
                log.first = min(log.end, log.first + number)
        world.finish()
        assert world.source
        world.source._state.close()
        return world


@given(STEPS, st.sampled_from([0, 2, 3]))
@settings(max_examples=150, deadline=None)
def test_each_line_is_stored_once_and_in_order(steps: list[tuple[str, int]], left_out: int) -> None:
    """While the source keeps its lines, nothing is lost, doubled or told of."""
    log = Log()
    log.left_out = left_out
    world = play(steps, log, vacuum=False)
    assert world.collector.lines() == [number for number in range(log.end) if log.wanted(number)]
    assert world.collector.notes() == []


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_what_the_source_deletes_is_counted(steps: list[tuple[str, int]]) -> None:
    """Lines that were deleted before they were sent are missing, and the notes say exactly how many."""
    world = play(steps, Log(), vacuum=True)
    lines = world.collector.lines()
    assert lines == sorted(set(lines))
    told = [re.fullmatch(r"missed: up to (\d+) lines: gone", note) for note in world.collector.notes()]
    assert all(told), world.collector.notes()
    assert sum(int(match[1]) for match in told if match) == world.log.end - len(lines)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_where_nobody_can_count_no_line_is_lost_in_silence(steps: list[tuple[str, int]]) -> None:
    """A source that cannot tell how many are missing makes lines come twice rather than never, and that is told."""
    log = Log()
    log.counts = False
    world = play(steps, log, vacuum=True)
    notes = world.collector.notes()
    missing = set(range(log.end)) - set(world.collector.lines())
    twice = len(world.collector.lines()) - len(set(world.collector.lines()))
    assert not missing or any(note.startswith("missed: gone") for note in notes)
    assert not twice or any("may come twice" in note for note in notes)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A log of ten lines, of which three are on their way."""
    log = Log()
    log.end = 10
    world = World(str(tmp_path), log)
    world.read()
    return world


def test_a_kill_while_stored_lines_are_skipped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them were read over, and that was saved: the other half is skipped too."""
    monkeypatch.setattr("log_exporter.resumed._AT_ONCE", 2)
    world.read()
    world.read()
    world.store(8, acknowledge=False)
    world.start()
    assert world.source
    world.source._saved = -100.0
    world.log.piece = 2
    world.read()
    assert world.unsent == b""
    world.start()
    world.finish()
    assert world.collector.lines() == list(range(10))


def test_what_was_told_counts_once(world: World) -> None:
    """A gap that was told of is met again after a kill, and another one behind it is not swallowed."""
    world.log.first = 5
    world.read()
    world.read()
    world.store(5, acknowledge=False)  # 0, 1, 2, the note, 5
    world.start()
    world.read()
    world.log.end, world.log.first = 30, 20
    world.finish()
    told = [re.fullmatch(r"missed: up to (\d+) lines: gone", note) for note in world.collector.notes()]
    assert sum(int(match[1]) for match in told if match) == 30 - len(world.collector.lines())


def test_another_configuration_begins_at_what_is_acknowledged(world: World) -> None:
    """What was left out then cannot be told from the lines, so it may come twice, and the stream says so."""
    world.store(2, acknowledge=False)
    world.configuration = "two"
    world.start()
    world.finish()
    assert world.collector.lines() == [0, 1, *range(10)]
    assert world.collector.notes() == [
        "configuration: the configuration of the source has changed: up to 2 lines may come twice"
    ]


def test_a_collector_that_has_more_than_there_is(world: World) -> None:
    """Lines that the source does not explain are told of, and none of its own is skipped for them later."""
    world.store(3, acknowledge=False)
    world.collector.store(b"100\n" * 20)
    world.start()
    world.read()
    world.log.end = 12
    world.finish()
    assert world.collector.notes() == ["unknown: the collector has 13 lines that the source does not explain"]
    assert world.collector.lines()[-2:] == [10, 11]


def test_a_damaged_cursor_file_sends_all_again(world: World, tmp_path: Path) -> None:
    """Rather twice than never."""
    world.store(3, acknowledge=True)
    (tmp_path / "test.cursor").write_bytes(b"00000000 {}\n")
    world.start()
    world.finish()
    assert world.collector.lines() == [0, 1, 2, *range(10)]
    assert world.collector.notes() == ["unknown: the cursor file was damaged: all is sent from the start"]


@pytest.mark.parametrize("stored", [0, 2])
def test_a_collector_that_lost_lines_is_told_on(world: World, stored: int) -> None:
    """What it had acknowledged is not sent again."""
    world.store(3, acknowledge=True)
    del world.collector.sessions[-1][1][stored:]
    world.call()
    world.finish()
    assert (
        f"lost: the collector no longer counts {3 - stored} lines that it had acknowledged" in world.collector.notes()
    )
    assert world.collector.lines() == [*range(stored), *range(3, 10)]


def test_a_place_is_given_up_only_when_that_is_durable(world: World) -> None:
    """The source hears of what it may delete after the cursor file no longer needs it."""
    world.finish()
    assert world.log.stored_places == []
    assert world.source
    assert world.source.close() == ""
    assert world.log.stored_places == [{"behind": 10}]
