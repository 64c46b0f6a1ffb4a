"""Anything that can happen to a collector and its senders, in any order, against a model of what must be stored.

Every acknowledged line is stored, once, in order, in its stream, byte for byte; what else is stored is a beginning of
what was sent; `resume` says what is durable; and whatever was killed in between, the store verifies. With LOGCHAIN_LONG
in the environment it tries for longer.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logchain.read.verify import Verdict
from tests.collect.killable import Collector
from tests.collect.place import Place
from tests.collect.stored import read_segments
from tests.conftest import Store, disk_of

LONG = bool(os.environ.get("LOGCHAIN_LONG"))
STREAMS = [("work", "main"), ("work", "journal"), ("work", "qubes.Log"), ("web", "main"), ("web", "qubes.Log")]
TO_2038 = 440_000_000  # s
CONFIG = '[collector]\nreserve = "{} KiB"\n[each-vm]\ncalls-per-minute = 1000000\nrate = "1000 MiB/s"\n'

PLACES = st.sampled_from(range(len(STREAMS)))
ODD = [b"", b"\0", b"\r", b"OK", b"ok 9", b"busy", b"2026-11-23T03:45:01.123456Z # end reason=size records=2"]
LINES = st.lists(
    st.one_of(
        st.binary(max_size=40).filter(lambda line: b"\n" not in line),
        st.sampled_from(ODD),
        st.sampled_from([300, 65_480, 65_536, 65_537, 131_072]).map(lambda size: b"x" * size),
    ),
    max_size=6,
)
KEEP = st.sampled_from([0, 0, 1, 7, 70_000])
CUT = st.integers(0, 40)
CUTS = st.lists(st.integers(0, 1 << 20), max_size=3)
WAYS_TO_END = ["kill", "kill all", "kill the fork server", "power off", "stop"]
PAUSES = st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.05])  # s until a kill, so that it comes at any moment


class Calls(RuleBasedStateMachine):
    """A collector and its senders. No rule asks how things stand: that is up to the machine, not to chance."""

    directory = ""  # where stores are made; "" for where temporary files are

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory()
        self._disk = tempfile.TemporaryDirectory(dir=self.directory or None)
        self.room = True
        self.count = 0

    @initialize(
        size=st.sampled_from([300, 20_000, 64 << 20]), impatient=st.booleans(), reserve=st.sampled_from([0, 64])
    )
    def start(self, size: int, impatient: bool, reserve: int) -> None:
        """An empty store; segments of a size; who is silent makes way at once, or only after half a minute."""
        self.store, self.impatient = Store.make(Path(self._disk.name) / "store"), impatient
        silence, settings = 0.0 if impatient else 30.0, CONFIG.format(reserve)
        self.collector = Collector(self.store, Path(self._place.name), size, silence, settings)
        self.clocks = self.collector.clocks
        self.places = [Place(self.collector, *stream) for stream in STREAMS]

    def teardown(self) -> None:
        """All goes on: every place sends one more line, ends in order, and what is stored is looked at as a whole."""
        try:
            if sys.exc_info()[0] is None:
                self.end()
        finally:
            for place in self.places:
                place.close()
            try:
                self.collector.close()
            finally:
                self._place.cleanup()
                self._disk.cleanup()

    def end(self) -> None:
        """Look at all of it, when every place has sent its last."""
        self.free()
        for place in self.places:
            self._add(place, [b"last"])
            place.push(place.ready())
            place.senders[-1].listen_until_acknowledged()
            place.leave(politely=True)
        self.collector.stop()
        self.everything_is_as_it_was_sent()
        for place in self.places:
            place.check_source()
            place.check_names(self.places)
        assert self.store.verdict() == Verdict.INTACT, self.store.found()

    @rule(place=PLACES, lines=LINES, keep=KEEP, cuts=CUTS, cut=CUT, blind=st.booleans(), wait=st.booleans())
    def send(
        self, place: int, lines: list[bytes], keep: int, cuts: list[int], cut: int, blind: bool, wait: bool
    ) -> None:
        """Lines are sent in several reads, but for the last bytes; perhaps until they are durable."""
        here = self.places[place]
        self._add(here, lines)
        sender = here.ready(cut, blind=blind, room=self.room)
        if sender.greeted:
            owed = sender.owed
            here.push(sender, keep, cuts, room=self.room)
            if wait and self.room:
                sender.listen_until_acknowledged()
                if not here.stock and sender.owed > owed and not sender.over:
                    here.check_times()

    def _add(self, place: Place, lines: list[bytes]) -> None:
        for line in lines:
            self.count += 1
            place.source.append(line if line in ODD else b"%s %d %s" % (place.mark, self.count, line))

    @rule(place=PLACES)
    def call_again(self, place: int) -> None:
        """A second call for a stream."""
        here = self.places[place]
        if here.connected():
            here.rival(impatient=self.impatient, room=self.room)

    @rule(place=PLACES, politely=st.booleans())
    def leave(self, place: int, politely: bool) -> None:
        """A sender ends its call, or hangs up."""
        here = self.places[place]
        if here.connected():
            here.leave(politely=politely and self.room)

    @rule(place=PLACES, times=st.integers(1, 10))
    def call_many_times(self, place: int, times: int) -> None:
        """Calls of a line each, one after the other: of more sessions than `resume` tells of."""
        here = self.places[place]
        for _ in range(times if self.room else 1):
            self._add(here, [b"short"])
            sender = here.ready(room=self.room)
            if sender.greeted:
                here.push(sender, room=self.room)
                self.leave(place, politely=True)

    @rule(place=PLACES, lines=LINES, pause=PAUSES)
    def kill(self, place: int, lines: list[bytes], pause: float) -> None:
        """An instance is killed, while it stores lines, or while it opens its stream."""
        self._send_and_do_not_wait(self.places[place], lines, pause)
        self.places[place].kill()
        self.nothing_is_damaged()

    @rule(how=st.sampled_from(WAYS_TO_END), place=PLACES, lines=LINES, pause=PAUSES)
    def restart(self, how: str, place: int, lines: list[bytes], pause: float) -> None:
        """The acceptor is killed, or all of it, or the machine, or it is told to stop; and starts again."""
        self._send_and_do_not_wait(self.places[place], lines, pause)
        for one in self.places:
            one.excuse()
        if how == "stop":
            self.collector.stop()
        elif how == "kill the fork server":
            self.collector.kill_fork_server()
        else:
            self.collector.kill(instances=how != "kill")
        for one in self.places:
            one.listen_to_the_end()
        self.nothing_is_damaged()
        if how == "power off":
            self.clocks.boot()
        self.collector.start()

    def _send_and_do_not_wait(self, place: Place, lines: list[bytes], pause: float) -> None:
        self._add(place, lines)
        sender = place.connected() or place.call(room=False)
        if sender.greeted:
            place.push(sender, room=False)
        time.sleep(pause)

    @rule(place=PLACES, seconds=st.sampled_from([0.3, 5.0, -0.4, -1.0, -2.0, -3_600.0, TO_2038, -TO_2038]))
    def set_clock(self, place: int, seconds: float) -> None:
        """The wall clock is set between two lines."""
        self._send_and_wait(place, b"tick")
        self.clocks.step(seconds)
        self._send_and_wait(place, b"tock")

    def _send_and_wait(self, place: int, line: bytes) -> None:
        self.send(place, [line], keep=0, cuts=[], cut=0, blind=False, wait=True)

    @rule(seconds=st.sampled_from([60.0, 100_000.0]))
    def suspend(self, seconds: float) -> None:
        """The machine sleeps, and CLOCK_MONOTONIC stands meanwhile."""
        self.clocks.suspend(seconds)

    def free(self) -> None:
        """There is room, and all goes on."""

    def nothing_is_damaged(self) -> None:
        """No check takes what happened for damage."""
        stored = any(read_segments(place.directory)[0] for place in self.places)
        report = self.store.verify()
        found = [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]
        assert not [finding for finding in found if finding.damage]
        assert report.verdict == Verdict.INTACT or not stored

    @invariant()
    def everything_is_as_it_was_sent(self) -> None:
        """What is stored is what was sent, and what was acknowledged is durable."""
        for place in self.places:
            place.check()


class CallsOnASmallDisk(Calls):
    """The same where the disk is full now and then."""

    @rule(left=st.sampled_from([0, 4, 40]), place=PLACES, lines=LINES, pause=PAUSES)
    def fill(self, left: int, place: int, lines: list[bytes], pause: float) -> None:
        """There is no room but for so many KiB: calls may be refused, or end, or wait; what was acknowledged stands."""
        if self.room:
            self._send_and_wait(place, b"room")
            with self.ballast.open("wb", buffering=0) as file, suppress(OSError):  # as it has to end
                while True:
                    file.write(bytes(4_096))
            os.truncate(self.ballast, max(0, self.ballast.stat().st_size - (left << 10)))
        self.room = False
        for one in self.places:
            one.excuse()
        self._send_and_do_not_wait(self.places[place], lines, pause)

    @property
    def ballast(self) -> Path:
        """What takes the room."""
        return Path(self._disk.name) / "ballast"

    @rule()
    def free(self) -> None:
        """There is room again, and all goes on."""
        if not self.room:
            self.ballast.unlink()
            self.room = True
            for place in self.places:
                place.settle()


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A file system of 24 MiB."""
    with disk_of(24, tmp_path_factory.mktemp("small") / "disk") as place:
        CallsOnASmallDisk.directory = str(place)
        yield


PROFILE = settings(
    max_examples=200 if LONG else 8,
    stateful_step_count=60 if LONG else 25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

TestCalls = Calls.TestCase
TestCallsOnASmallDisk = pytest.mark.usefixtures("small_disk")(CallsOnASmallDisk.TestCase)
TestCalls.settings = TestCallsOnASmallDisk.settings = PROFILE
