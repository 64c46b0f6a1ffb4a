"""Windows: each event is stored once, whoever is killed; what is missing is said."""

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Store
from tests.exporter.mono import driver, needs_mono, parse, run
from tests.exporter.test_windows_line import EVENT
from tests.exporter.vectors import raw, vectors

pytestmark = needs_mono

COLLECTOR = Path(__file__).with_name("collector.py")
PATIENCE = 60.0
REAL = [sys.executable, "-c", "from logchain.collect.main import main; main()", "--stdio", "eventlog"]


class Guest:
    """A Windows guest: channels that are files, the exporter's state, and a collector to call."""

    def __init__(self, directory: Path, collector: list[str], environment: dict[str, str] | None = None) -> None:
        self.logs, self.state = directory / "channels", directory / "state"
        self.logs.mkdir()
        self.numbers: dict[str, itertools.count[int]] = {}
        self.collector, self.environment = collector, os.environ | (environment or {})
        self.processes: list[subprocess.Popen[bytes]] = []

    def log(self, channel: str, count: int, first: int | None = None, stamp: str = "") -> list[str]:
        """Log so many events; return a word of each. `first` begins the channel anew at that number."""
        if first is not None:
            self.numbers[channel] = itertools.count(first)
        numbers = self.numbers.setdefault(channel, itertools.count(1))
        words, rows = [], []
        for number in itertools.islice(numbers, count):
            words.append(f"{channel}-{stamp}{number}")
            xml = (
                EVENT.replace("<EventID>1<", f"<EventID>{number % 10}<")
                % f"<EventData><Data>{words[-1]}</Data></EventData>"
            )
            rows.append(f"{number}\ttime-{stamp}{number}\t{xml}\n")
        with (self.logs / channel).open("a" if first is None else "w") as file:
            file.write("".join(rows))
        return words

    def forget(self, channel: str, keep: int) -> None:
        """Let Windows overwrite the oldest events; so many stay."""
        rows = (self.logs / channel).read_text().splitlines(keepends=True)
        (self.logs / channel).write_text("".join(rows[-keep:]))

    def call(self, *channels: str, bad: tuple[str, ...] = ()) -> "Call":
        """Make one call."""
        call = Call(
            [*self.collector, *bad],
            ["mono", str(driver()), "serve", self.logs, self.state, *channels],
            self.environment,
        )
        self.processes += [call.exporter, call.collector]
        return call

    def ship(self, *channels: str, until: Callable[[], bool]) -> None:
        """Call, wait until something is so, and end the call in the collector's order."""
        call = self.call(*channels)
        wait(until)
        call.hang_up()

    def close(self) -> None:
        """End what runs."""
        for process in self.processes:
            process.kill()
            process.wait()


class Call:
    """An exporter and a collector with two pipes between them: qrexec's part."""

    def __init__(self, collector: list[str], exporter: list[str | Path], environment: dict[str, str]) -> None:
        up, down = os.pipe(), os.pipe()
        self.exporter = subprocess.Popen(exporter, stdin=down[0], stdout=up[1], stderr=subprocess.DEVNULL)
        self.collector = subprocess.Popen(collector, stdin=up[0], stdout=down[1], env=environment)
        for descriptor in (*up, *down):
            os.close(descriptor)

    def hang_up(self) -> None:
        """Kill the exporter, let the collector come to its end."""
        self.exporter.kill()
        self.exporter.wait()
        self.collector.wait(PATIENCE)

    def ends(self) -> int:
        """Wait for the exporter's own end; return its exit code."""
        return self.exporter.wait(PATIENCE)


def wait(until: Callable[[], bool]) -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    """A guest whose collector is the stand-in."""
    guest = Guest(tmp_path, [sys.executable, str(COLLECTOR), str(tmp_path / "store")])
    yield guest
    guest.close()


@pytest.fixture
def real(store: Store, tmp_path: Path) -> Iterator[Guest]:
    """A guest whose collector is the real one."""
    guest = Guest(tmp_path, REAL, {"QREXEC_REMOTE_DOMAIN": "win10", "LOGCHAIN_STORE": str(store.path)})
    yield guest
    guest.close()


def stored(guest: Guest) -> list[bytes]:
    """Return the lines that the stand-in has."""
    path = guest.state.parent / "store" / "stored"
    return [line[17:] for line in path.read_bytes().splitlines(keepends=True)] if path.exists() else []


def words(lines: list[bytes], channel: str = "") -> list[str]:
    """Return the word of each event, of one channel or of all."""
    found = [dict(parse(line).data["data@32473"])["Data"].decode() for line in lines if b"[event@" in line]
    return [word for word in found if word.startswith(channel)]


def own(lines: list[bytes]) -> list[tuple[str, str]]:
    """Return the lines of the exporter's own: event and words."""
    return [(line.id, line.message.decode()) for line in map(parse, lines) if line.app == "log-exporter"]


def test_the_wire_vectors() -> None:
    """The vectors of docs/spec/wire.md mean here what they mean to log-exporter."""
    hello = b"logchain/1 session=9f81ca46d2e0b7a1 resume=\n"
    good, bad = vectors("wire", "good", "line"), vectors("wire", "bad", "line")
    rows = []
    for vector in good + bad:
        before = b"" if vector.get("kind") == "greeting" else hello
        rows += [(before + raw(vector, "line") + b"\n").hex(), "."]
    answers = run("wire", rows).decode().split("\n.\n")
    for vector, answer in zip(good, answers, strict=False):
        if vector["kind"] == "greeting":
            resume = ",".join(f"{name}:{number}" for name, number in vector["resume"])
            assert answer == f"heard 0 {vector['session']} {resume}", vector
        elif vector["kind"] == "ok":
            assert answer == f"heard {vector['number']} 9f81ca46d2e0b7a1 ", vector
        else:
            assert answer == f"ended the collector says: {vector['line']}", vector
    for vector, answer in zip(bad, answers[len(good) :], strict=False):
        assert answer.startswith("ended"), vector


def test_a_bad_line_is_no_greeting() -> None:
    """Whatever the page refuses is refused as the first line too, and so is anything but a greeting."""
    lines = [raw(vector, "line") for vector in vectors("wire", "bad", "line")] + [b"ok 0", b""]
    answers = run("wire", [row for line in lines for row in ((line + b"\n").hex(), ".")]).decode().split("\n.\n")
    assert len(answers) == len(lines) + 1
    assert all(answer.startswith("ended") for answer in answers[:-1])


def test_a_line_in_any_pieces() -> None:
    """A greeting that comes byte by byte is the same greeting; a line without end is refused at 1,024 bytes."""
    greeting = b"logchain/1 session=9f81ca46d2e0b7a1 resume=03aa51c0ffee0042:7\nok 5\n"
    answers = run("wire", [f"{byte:02x}" for byte in greeting]).decode().splitlines()
    assert answers[-1] == "heard 5 9f81ca46d2e0b7a1 03aa51c0ffee0042:7"
    assert run("wire", [(b"x" * 1024).hex(), "78"]).decode().splitlines()[-1].startswith("ended")


def test_the_next_call_comes_later_and_later() -> None:
    """A call that brings nothing doubles the wait up to minutes; one that got a line stored is followed at once."""
    seconds = [float(row) for row in run("pace", ["0"] * 7 + ["1", "0"]).decode().split()]
    assert seconds == [10, 20, 40, 80, 160, 180, 180, 1, 10]


def test_all_events_of_all_channels(guest: Guest) -> None:
    """What is in the log and what comes later is stored, in order, channel by channel."""
    expected = {name: guest.log(name, 300) for name in ("Security", "System")}
    call = guest.call("Security", "System")
    wait(lambda: len(stored(guest)) == 600)
    expected["System"] += guest.log("System", 5)
    wait(lambda: len(stored(guest)) == 605)
    call.hang_up()
    for name, events in expected.items():
        assert words(stored(guest), name) == events
    assert not own(stored(guest))
    wait(lambda: (guest.state / "answered").exists())


def test_nothing_is_sent_twice_by_the_next_call(guest: Guest) -> None:
    """A later call goes on behind what is stored, though it was killed before it heard of it."""
    expected = guest.log("System", 20)
    guest.ship("System", until=lambda: len(stored(guest)) == 20)
    expected += guest.log("System", 7)
    guest.ship("System", until=lambda: len(stored(guest)) >= 27)
    assert words(stored(guest)) == expected
    assert not own(stored(guest))


@pytest.mark.parametrize("after", [1, 7, 39])
def test_a_collector_that_dies_in_the_middle(guest: Guest, after: int) -> None:
    """Where only a part of what was sent is stored, the next call goes on right behind it."""
    expected = guest.log("System", 40)
    assert guest.call("System", bad=("--bad", "dies", "--after", str(after))).ends() == 3
    assert len(stored(guest)) == after
    guest.ship("System", until=lambda: len(stored(guest)) >= 40)
    assert words(stored(guest)) == expected
    assert not own(stored(guest))


def test_ids_that_are_left_out(guest: Guest) -> None:
    """An event whose id is left out is not sent, and is not missed either."""
    expected = [word for word in guest.log("System", 40) if word[-1] not in "34"]
    guest.ship("System=3,4", until=lambda: len(stored(guest)) == 32)
    expected += [word for word in guest.log("System", 20) if word[-1] not in "34"]
    guest.ship("System=3,4", until=lambda: len(stored(guest)) >= 48)
    assert words(stored(guest)) == expected
    assert not own(stored(guest))


def test_overwritten_events_are_counted(guest: Guest) -> None:
    """What Windows overwrote before it was stored is told, with its number, once."""
    expected = guest.log("System", 10)
    guest.ship("System", until=lambda: len(stored(guest)) == 10)
    guest.log("System", 30)
    guest.forget("System", 5)
    guest.ship("System", until=lambda: len(stored(guest)) >= 16)
    expected += guest.log("System", 2)
    guest.ship("System", until=lambda: len(stored(guest)) >= 18)
    assert words(stored(guest)) == [*expected[:10], *(f"System-{n}" for n in range(36, 41)), *expected[10:]]
    assert own(stored(guest)) == [("lost", "25 events of System before number 36 were not there any more")]


@pytest.mark.parametrize("first", [1, 8])
def test_a_cleared_log_is_told(guest: Guest, first: int) -> None:
    """A log that was cleared and counts from the start again is told, and read from its start."""
    guest.log("System", 10)
    guest.ship("System", until=lambda: len(stored(guest)) == 10)
    new = guest.log("System", 4, first=first, stamp="new")
    guest.ship("System", until=lambda: len(stored(guest)) >= 15)
    assert words(stored(guest))[10:] == new
    assert [event for event, _ in own(stored(guest))] == ["gone"]


def test_a_channel_that_is_not_there(guest: Guest) -> None:
    """A channel that cannot be read is told; the others are sent."""
    expected = guest.log("System", 3)
    guest.ship("Sysmon", "System", until=lambda: len(stored(guest)) == 4)
    assert words(stored(guest)) == expected
    assert own(stored(guest)) == [("gone", "Sysmon cannot be read: no such channel")]


def test_a_lost_cursor_is_told(guest: Guest) -> None:
    """Without its cursor it begins anew, and says that events may come twice."""
    guest.log("System", 3)
    guest.ship("System", until=lambda: len(stored(guest)) == 3)
    for slot in guest.state.glob("cursor.*"):
        slot.unlink()
    guest.ship("System", until=lambda: len(stored(guest)) == 7)
    assert [event for event, _ in own(stored(guest))] == ["unknown"]


def test_a_store_that_lost_lines_is_told(guest: Guest) -> None:
    """Lines that were acknowledged and are no longer in the store are told with their number."""
    guest.log("System", 10)
    call = guest.call("System")
    wait((guest.state / "answered").exists)
    guest.log("System", 1)
    wait(
        lambda: (
            len(stored(guest)) == 11 and b"\t10\n" in max(guest.state.glob("cursor.*"), key=_generation).read_bytes()
        )
    )
    call.hang_up()
    store = guest.state.parent / "store" / "stored"
    store.write_bytes(b"".join(store.read_bytes().splitlines(keepends=True)[:4]))
    guest.ship("System", until=lambda: len(stored(guest)) >= 6)
    assert own(stored(guest)) == [("lost", "6 lines that were acknowledged are no longer in the store")]


def _generation(path: Path) -> int:
    return int(path.read_bytes().split(b"\n")[1])


def test_one_exporter_at_a_time(guest: Guest) -> None:
    """A second exporter beside the first ends at once with 2, and sends nothing."""
    guest.log("System", 1)
    guest.call("System")
    wait(lambda: len(stored(guest)) == 1)
    assert guest.call("System").ends() == 2


@pytest.mark.parametrize(
    ("bad", "words"), [("busy", "busy"), ("nonsense", "no greeting"), ("ok 0", "no greeting"), ("endless", "too long")]
)
def test_a_call_that_is_refused_ends(guest: Guest, bad: str, words: str) -> None:
    """A collector that says no, or nonsense, ends the call with 3, and why is left for whoever looks."""
    guest.log("System", 1)
    assert guest.call("System", bad=("--bad", bad)).ends() == 3
    assert words in (guest.state / "trouble").read_text()


def test_what_the_collector_says_does_not_reach_a_terminal(guest: Guest) -> None:
    """The words of a refusal are kept without anything that a terminal obeys."""
    assert guest.call("System", bad=("--bad", "error \x1b[31mred")).ends() == 3
    assert "\x1b" not in (guest.state / "trouble").read_text()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"0" * 64 + b"\n1\nlogchain cursor v1\n"])
def test_a_torn_cursor_is_not_used(guest: Guest, damage: bytes) -> None:
    """Of the two slots of the cursor one may be torn by a crash: the other counts, and each event is stored once."""
    expected = guest.log("System", 5)
    guest.ship("System", until=lambda: len(stored(guest)) == 5)
    slots = sorted(guest.state.glob("cursor.*"), key=_generation)
    other = guest.state / ("cursor.0" if slots[-1].name == "cursor.1" else "cursor.1")
    other.write_bytes(damage)
    expected += guest.log("System", 5)
    guest.ship("System", until=lambda: len(stored(guest)) >= 10)
    assert words(stored(guest)) == expected
    assert not own(stored(guest))


def test_each_event_once_over_kills(real: Guest, store: Store) -> None:
    """Exporter or real collector are killed at random: each event is stored once, in order, and verifies."""
    dice = random.Random(7)
    expected: dict[str, list[str]] = {"Security": [], "System": []}
    for _ in range(14):
        for name, events in expected.items():
            events += real.log(name, dice.randrange(400))
        call = real.call("Security", "System=7")
        time.sleep(dice.uniform(0.1, 0.8))
        dice.choice([call.exporter, call.collector]).kill()
        call.exporter.kill()
        call.exporter.wait()
        call.collector.wait(PATIENCE)
    expected["System"] = [word for word in expected["System"] if word[-1] != "7"]
    total = sum(map(len, expected.values()))
    real.ship("Security", "System=7", until=lambda: len(store.lines("win10", "eventlog")) >= total)
    lines = [line + b"\n" for line in store.lines("win10", "eventlog")]
    assert {name: words(lines, name) for name in expected} == expected
    assert not own(lines)
    assert not store.found()
