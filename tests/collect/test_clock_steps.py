"""A clock that is set while senders are connected: nothing is lost, and no time goes back within a segment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from logchain.format.record import LINE, NOTE, PART, format_time
from logchain.read.verify import Verdict
from tests.collect.door import until
from tests.collect.killable import Collector
from tests.collect.place import Place
from tests.conftest import Store

TO_2038 = 440_000_000.0  # s
DAY = 86_400.0


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Place]:
    """A stream of a running collector; in the end all of its source is stored, once, and the store is intact."""
    (tmp_path / "collector").mkdir()
    collector = Collector(store, tmp_path / "collector", size=64 << 20, silence=30.0, settings="")
    place = Place(collector, "work", "main")
    yield place
    place.leave(politely=True)
    place.close()
    collector.stop()
    collector.close()
    place.check()
    place.check_source()
    assert store.verdict() == Verdict.INTACT


def send(place: Place, *lines: bytes) -> None:
    """Send lines, and wait until they are durable."""
    place.source += lines
    place.push(place.ready())
    place.senders[-1].listen_until_acknowledged()


@pytest.mark.parametrize("seconds", [-1.000001, -2.0, -3_600.0, -TO_2038])
def test_set_back(place: Place, store: Store, seconds: float) -> None:
    """By more than a second: the segment is closed, and the next tells both readings and the boot clock."""
    before = place.clocks.wall()
    send(place, b"one", b"two")
    place.clocks.step(seconds)
    send(place, b"three")
    assert store.events() == ["segment", "session-start", "end", "segment", "clock"]
    end, _, clock = store.notes()[2:]
    assert end.fields["reason"] == "clock"
    last, now = format_time(before).decode(), format_time(place.clocks.wall()).decode()
    assert clock.fields == {"last": last, "now": now, "boot-clock": str(place.clocks.running())}
    times = [record.time for record in store.records() if record.kind == LINE]
    assert times == [before, before, place.clocks.wall()]


@pytest.mark.parametrize("seconds", [-1.0, -0.3])
def test_set_back_a_little(place: Place, store: Store, seconds: float) -> None:
    """The last record's time is used until the clock has caught up."""
    before = place.clocks.wall()
    send(place, b"one")
    place.clocks.step(seconds)
    send(place, b"two")
    place.clocks.step(0.2 - seconds)
    send(place, b"three")
    assert store.events() == ["segment", "session-start"]
    assert [record.time - before for record in store.records()][2:] == [0, 0, 200_000]


def test_to_2038_and_back(place: Place, store: Store) -> None:
    """Forwards is nothing new; what comes behind it is in a segment of its own."""
    send(place, b"now")
    place.clocks.step(TO_2038)
    send(place, b"then")
    assert store.events() == ["segment", "session-start"]
    place.clocks.step(-TO_2038)
    send(place, b"now again")
    assert store.events()[2:] == ["end", "segment", "clock"]
    assert store.lines() == [b"now", b"then", b"now again"]


def test_half_a_line_before_a_step(place: Place, store: Store) -> None:
    """The line has the time at which its newline came; a long one goes on in the next segment."""
    place.source += [b"x" * 100_000]
    sender = place.ready()
    place.push(sender, keep=10_000)
    sender.await_reading()
    until(lambda: store.records()[-1].kind == PART)
    place.clocks.step(-10.0)
    send(place)
    part, line = (record for record in store.records() if record.kind != NOTE)
    assert line.time - part.time == -10_000_000
    assert [note.fields.get("continues") for note in store.notes() if note.event == "segment"] == [None, "yes"]


def test_between_two_calls(place: Place, store: Store) -> None:
    """The next call begins the segment: nobody was connected when the clock was set."""
    send(place, b"one")
    place.leave(politely=True)
    place.clocks.step(-5.0)
    send(place, b"two")
    assert store.events()[-4:] == ["end", "segment", "clock", "session-start"]


def test_sleep(place: Place, store: Store) -> None:
    """The boot clock goes on while CLOCK_MONOTONIC stands: after a day of sleep the segment is closed for its age."""
    send(place, b"one")
    place.clocks.suspend(60.0)
    send(place, b"two")
    assert store.events() == ["segment", "session-start"]
    place.clocks.suspend(DAY)
    send(place, b"three")
    assert store.events()[2:] == ["end", "segment"]
    assert store.notes()[2].fields["reason"] == "age"
    assert store.lines() == [b"one", b"two", b"three"]
