"""Anything that can happen to a stream, in any order, against a list of what must be there."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logchain.format.errors import Busy
from logchain.format.record import LINE, PART
from logchain.read.verify import Verdict
from logchain.store.stream import Rolling, StreamWriter
from tests.conftest import Store

LINES = st.lists(st.binary(max_size=80).filter(lambda line: b"\n" not in line), min_size=1, max_size=5)


class Stream(RuleBasedStateMachine):
    """One stream and its model: lines that are durable, and those that a crash may still lose."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory()
        self.store = Store.make(Path(self._place.name) / "store")
        self.chance = random.Random(0)
        self.durable: list[bytes] = []
        self.waiting: list[bytes] = []
        self.begun = b""  # parts of a line that is not ended
        self.count = 0
        self.session = b""
        self.session_lines = 0
        self.writer: StreamWriter | None = None

    def teardown(self) -> None:
        """Close, open once more, and look at all of it."""
        if self.writer:
            self.close()
        self.open()
        self.lines([b"last"])
        self.close()
        assert self.store.lines() == self.durable
        assert self.store.verdict() == Verdict.INTACT
        self._place.cleanup()

    @property
    def stream(self) -> StreamWriter:
        """The writer, where there is one."""
        assert self.writer
        return self.writer

    @rule()
    @precondition(lambda self: not self.writer)
    def open(self) -> None:
        """A sender connects."""
        self.count += 1
        self.session, self.session_lines, self.begun = b"session%1x" % (self.count % 16), 0, b""
        self.writer = self.store.open(rolling=Rolling(size=1_500, age=100_000_000))
        self.writer.start_session(self.session, "logchain.Append")
        self._commit()

    def _commit(self) -> None:
        self.stream.commit()
        self.durable += self.waiting
        self.waiting = []
        assert self.stream.uncommitted == 0
        assert self.stream.durable_lines(self.session) == self.session_lines

    @rule(lines=LINES)
    @precondition(lambda self: self.writer)
    def lines(self, lines: list[bytes]) -> None:
        """Lines arrive; the first ends what was begun."""
        self.stream.append(LINE, lines, self.store.clock.wall())
        self.waiting += [self.begun + lines[0], *lines[1:]]
        self.begun = b""
        self.session_lines += len(lines)

    @rule(part=st.binary(min_size=1, max_size=80).filter(lambda part: b"\n" not in part))
    @precondition(lambda self: self.writer)
    def part(self, part: bytes) -> None:
        """A part of a line arrives."""
        self.stream.append(PART, [part], self.store.clock.wall())
        self.begun += part

    @rule()
    @precondition(lambda self: self.writer)
    def commit(self) -> None:
        """What arrived is made durable."""
        self._commit()

    @rule()
    @precondition(lambda self: self.writer)
    def settle(self) -> None:
        """The wipe of the last key is made durable."""
        self.stream.settle()

    @rule(reason=st.sampled_from(["size", "age"]))
    @precondition(lambda self: self.writer)
    def roll(self, reason: str) -> None:
        """The segment is closed, which commits."""
        self.stream.roll(reason)
        self._commit()

    @rule()
    @precondition(lambda self: self.writer)
    def note(self) -> None:
        """The collector notes something between the lines."""
        self.stream.note("throttled", rate=65_536)

    @rule()
    @precondition(lambda self: self.writer)
    def second_writer(self) -> None:
        """Somebody else wants to write."""
        with pytest.raises(Busy):
            self.store.open()

    @rule()
    @precondition(lambda self: self.writer)
    def close(self) -> None:
        """The sender goes."""
        self.stream.end_session("eof", b"", len(self.begun))
        self._commit()
        self.stream.close()
        self.writer = None

    @rule(torn=st.booleans())
    @precondition(lambda self: self.writer)
    def crash(self, torn: bool) -> None:
        """The writer is killed; what it had in memory is gone, what it had written may be torn."""
        directory = self.store.directory()
        ratchet = (directory / "ratchet").read_bytes()
        self.stream.commit()  # as if it had got that far, but for the key state
        self.stream.abandon()
        self.writer = None
        before = self.store.state().segment
        (directory / "ratchet").write_bytes(ratchet)
        if torn and self.store.state().segment == before:
            self._tear(directory / f"{before:08}.log", self.store.state().end)
        survived = self.store.open()
        survived.close()
        lines = self.store.lines()
        assert lines[: len(self.durable)] == self.durable
        assert lines == (self.durable + self.waiting)[: len(lines)]
        assert torn or lines == self.durable + self.waiting
        self.durable, self.waiting = lines, []

    def _tear(self, text: Path, end: int) -> None:
        data = text.read_bytes()
        at = self.chance.randrange(end, len(data) + 1)
        text.write_bytes(data[:at] + self.chance.choice([b"", bytes(len(data) - at), b"\n"]))

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 99.0, -0.5, -1.0, -1.5, -3_000.0]))
    def time(self, seconds: float) -> None:
        """Time passes, or the wall clock is set."""
        self.store.clock.now += round(seconds * 1_000_000)
        self.store.clock.up += round(abs(seconds) * 1_000_000)

    @rule()
    @precondition(lambda self: not self.writer)
    def boot(self) -> None:
        """The machine is restarted."""
        self.store.clock.boot = bytes([self.count % 256]) * 16
        self.store.clock.up = 1_000_000

    @invariant()
    def nothing_is_damaged(self) -> None:
        """Whatever happened, no check takes it for damage, and no time goes back within a segment."""
        assert self.store.verdict() != Verdict.DAMAGED, self.store.found()


TestStream = pytest.mark.usefixtures("unsynced")(Stream.TestCase)
TestStream.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
