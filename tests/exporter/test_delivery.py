"""Calls that go wrong are made again, and nothing is lost or stored twice by it."""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from log_exporter.call import Patience, Timing
from log_exporter.delivery import Delivery
from log_exporter.errors import ConnectionLost, NotDelivered, Refused
from log_exporter.loop import run
from log_exporter.stop import Stop
from log_exporter.transport import Transport
from log_exporter.wire import Greeting
from tests.exporter.bench import Bench, children

LINES = [b"%d %b" % (number, b"x" * 100) for number in range(20_000)]


def write_lines(bench: Bench) -> None:
    """Have two megabytes to ship: more than any pipe takes."""
    (bench.logs / "a.log").write_bytes(b"".join(line + b"\n" for line in LINES))


BAD = {
    "--bad busy": "the collector says: busy",
    "--bad full": "the collector says: full",
    "--bad 'error no room'": "the collector says: error no room",
    "--bad 'error \x1b[31mred'": "no greeting of logchain/1 came",
    "--bad nonsense": "no greeting of logchain/1 came",
    "--bad 'ok 0'": "no greeting of logchain/1 came",
    "--bad endless": "the collector's line is too long",
    "--bad mute": "no greeting came",
    "--bad never-reads": "the collector has gone silent",
    "--bad never-acknowledges": "the collector has gone silent",
    "--bad greets-twice": "the collector's line is neither ok, busy, full nor error",
    "--bad over": "the collector acknowledged lines that were not sent",
    "--bad back": "the collector took an ok back",
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_collector_is_left_and_a_good_one_gets_the_rest(bench: Bench, bad: str) -> None:
    """Whatever a collector does, the exporter calls again, says why once, and each line is stored once."""
    write_lines(bench)
    exporter = bench.files(bad=bad)
    bench.until(lambda: len(bench.calls()) >= 2)
    assert bench.stop(exporter).splitlines()[0] == f"log-exporter: {BAD[bad]}; trying again"
    assert exporter.returncode == 0
    assert bench.ship() == ""
    assert bench.stored() == LINES


def test_a_collector_that_dies_again_and_again_gets_all(bench: Bench) -> None:
    """Each call brings some thousand lines further, and no line is stored twice."""
    write_lines(bench)
    said = bench.ship(bad="--bad dies --after 3000")
    assert bench.stored() == LINES
    assert len(bench.calls()) > 6
    assert set(said.splitlines()) == {"log-exporter: the call ended; trying again"}


def test_a_refused_call_is_made_again_in_silence(bench: Bench) -> None:
    """Exit code 126 is the policy's no: nobody is told, and the next try is late."""
    start = time.monotonic()
    exporter = bench.files(bad="--bad refused")
    bench.until(lambda: len(bench.calls()) >= 3)
    assert time.monotonic() - start > 2 * 0.25
    assert bench.stop(exporter) == ""


def test_giving_up_is_exit_code_3(bench: Bench) -> None:
    """With --give-up an exporter that has an end does not try for ever."""
    write_lines(bench)
    exporter = bench.files("--once", "--give-up", "0.5", bad="--bad busy")
    assert bench.end_of(exporter).splitlines()[-1] == "log-exporter: gave up: nothing was acknowledged for 0.5 s"
    assert exporter.returncode == 3


def test_a_stop_does_not_wait_for_a_deaf_collector(bench: Bench) -> None:
    """SIGTERM ends within seconds, also while the collector takes nothing."""
    write_lines(bench)
    exporter = bench.files(bad="--bad never-reads")
    bench.until(bench.calls)
    assert bench.stop(exporter) == ""
    assert exporter.returncode == 0
    assert bench.ship() == ""
    assert bench.stored() == LINES


def test_a_transport_that_takes_no_more_is_left(bench: Bench) -> None:
    """It closed its end, and says nothing more: its last words are awaited, but not for ever."""
    write_lines(bench)
    script = bench.directory / "carry"
    greeting = "logchain/1 session=9f81ca46d2e0b7a1 resume="
    script.write_text(f"#!/bin/sh\necho x >>{bench.directory}/carried\necho {greeting}\nexec sleep 600 <&-\n")
    script.chmod(0o755)
    good, bench.transport = bench.transport, str(script)
    exporter = bench.files()
    bench.until(lambda: (bench.directory / "carried").exists())
    bench.until(lambda: len((bench.directory / "carried").read_text()) == 4)
    assert bench.stop(exporter) == "log-exporter: the transport takes no more; trying again\n"
    bench.transport = good
    bench.ship()
    assert bench.stored() == LINES


def test_no_child_outlives_its_call(bench: Bench) -> None:
    """A transport that hangs is killed and reaped; no zombies, no descriptors pile up."""
    exporter = bench.files(bad="--bad mute")
    bench.until(lambda: len(bench.calls()) == 1)
    before = os.listdir(f"/proc/{exporter.pid}/fd")
    bench.until(lambda: len(bench.calls()) == 3)
    assert len(children(exporter.pid)) <= 1
    assert len(os.listdir(f"/proc/{exporter.pid}/fd")) <= len(before)
    assert not Path(f"/proc/{bench.calls()[0]}").exists()
    bench.stop(exporter)


def test_a_transport_that_is_a_script_is_killed_with_its_children(bench: Bench) -> None:
    """The whole process group goes."""
    script = bench.directory / "carry"
    script.write_text(f"#!/bin/sh\n{bench.transport} --bad mute\n")
    script.chmod(0o755)
    bench.transport = str(script)
    exporter = bench.files()
    bench.until(bench.calls)
    child = bench.calls()[0]
    bench.until(lambda: len(bench.calls()) >= 2)
    bench.until(lambda: not Path(f"/proc/{child}").exists())
    bench.stop(exporter)


def test_a_killed_exporter_leaves_no_collector(bench: Bench) -> None:
    """When it is gone its transport sees the end of the stream."""
    exporter = bench.files()
    bench.until(bench.calls)
    exporter.send_signal(signal.SIGKILL)
    exporter.wait()
    bench.until(lambda: not Path(f"/proc/{bench.calls()[0]}").exists())


def test_a_transport_that_cannot_run_is_a_lost_call(tmp_path: Path) -> None:
    """The program may be replaced by an update just now, so it is tried again."""
    with pytest.raises(ConnectionLost, match=r"cannot run .*\\x1b: No such file"):
        Transport([str(tmp_path / "\x1b")])


def test_no_descriptors_left_is_a_lost_connection() -> None:
    """Wherever they end, it is told in one line, none is kept, and the next call may work."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = os.listdir("/proc/self/fd")
    free = os.dup(0)
    os.close(free)
    try:
        for more in range(5):
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, hard))
            with (
                pytest.raises(ConnectionLost, match="cannot run sleep: Too many open files"),
                Transport(["sleep", "600"]),
            ):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir("/proc/self/fd") == before


def test_a_transport_is_killed_at_the_end_of_its_block() -> None:
    """Also when it ignores the end of its input."""
    with Transport([sys.executable, "-c", "import time; time.sleep(600)"]) as link:
        assert link.receive() is None
        assert link.exit_code(0) is None
    assert link.exit_code(0) == -signal.SIGKILL


def test_patience_without_limit_never_ends() -> None:
    """Following files has no end to wait for."""
    assert Patience(None).left() == float("inf")
    with pytest.raises(NotDelivered):
        Patience(0).left()


class Endless:
    """A source that has a hundred pieces and no descriptor, and stops the exporter when they have been read."""

    pause: float | None = None
    finished = False

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.begun = self.read_from = 0

    def begin(self, greeting: Greeting) -> None:  # noqa: ARG002 (a Source)
        """Count the calls."""
        self.begun += 1

    def read(self) -> bytes:
        """Return the next piece."""
        self.read_from += 1
        if self.read_from <= 100:
            return b"line\n"
        self._stop._ask(0, None)
        return b""

    def fileno(self) -> None:
        """Return nothing to wait for."""

    def take(self) -> None:
        """Do nothing."""

    def acknowledge(self, lines: int) -> None:
        """Hear nothing."""

    def close(self) -> str:
        """Do nothing."""
        return ""


def test_what_is_there_is_sent_without_waiting_for_anything() -> None:
    """Nobody acknowledges, no descriptor tells: as long as a source has something it is asked again."""
    stop = Stop()
    source = Endless(stop)
    greeting = "logchain/1 session=9f81ca46d2e0b7a1 resume="
    command = ["sh", "-c", f"echo {greeting}; cat >/dev/null"]
    timing = Timing(silence=20.0, last_words=0.0)
    run([Delivery(source, command, stop, timing).run()])
    assert (source.begun, source.read_from) == (1, 101)


class Failing(Endless):
    """A source that cannot be read in its first call, nor taken from behind that."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop)
        self._descriptor, self._other = os.pipe()
        self.taken = 0

    def begin(self, greeting: Greeting) -> None:
        """Have something."""
        super().begin(greeting)
        os.write(self._other, b"x" * (self.begun == 1))

    def fileno(self) -> int:  # type: ignore[override]
        """Return what is readable then."""
        return self._descriptor

    def take(self) -> None:
        """Fail."""
        self.taken += len(os.read(self._descriptor, 1))
        raise OSError(5, "Input/output error")

    def read(self) -> bytes:
        """Fail in the first call."""
        if self.begun == 1:
            raise OSError(5, "Input/output error")
        self._stop._ask(0, None)
        return b""


def test_a_source_that_cannot_be_read_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Its call ends, and the next one is as late as after any other failure; no exception reaches the other streams."""
    stop = Stop()
    source = Failing(stop)
    command = ["sh", "-c", "echo logchain/1 session=9f81ca46d2e0b7a1 resume=; cat >/dev/null"]
    run([Delivery(source, command, stop, Timing(first_retry=0.2, last_words=0.0)).run()])
    assert (source.begun, source.taken) == (2, 1)
    assert capsys.readouterr().err == "log-exporter: cannot read: Input/output error; trying again\n"
    os.close(source._descriptor)
    os.close(source._other)


class Quiet(Endless):
    """A source that has nothing, for two seconds."""

    pause = 0.2

    def begin(self, greeting: Greeting) -> None:  # noqa: ARG002 (a Source)
        """Look at the clock."""
        self._until = time.monotonic() + 2

    def read(self) -> bytes:
        """Return nothing."""
        if time.monotonic() > self._until:
            self._stop._ask(0, None)
        return b""


def test_a_collector_that_says_the_same_without_end_has_to_wait(tmp_path: Path) -> None:
    """It is not listened to all the time: a megabyte of it would take half a minute."""
    stop = Stop()
    said = tmp_path / "said"
    script = (
        f"echo logchain/1 session=9f81ca46d2e0b7a1 resume=; yes ok 0 | head -c 1000000; touch {said}; cat >/dev/null"
    )
    run([Delivery(Quiet(stop), ["sh", "-c", script], stop, Timing(last_words=0.0)).run()])
    assert not said.exists()


def test_waits_grow_and_differ() -> None:
    """Longer and longer, up to a limit; minutes where the policy refuses; not all qubes at once."""
    timing = Timing(first_retry=1.0, longest_retry=60.0, refused=180.0)
    delivery = Delivery(None, [], Stop(), timing)  # type: ignore[arg-type]
    for failures, most in ((1, 1.0), (2, 2.0), (5, 16.0), (10, 60.0), (10_000, 60.0)):
        delivery._failures = failures
        waits = {delivery._delay(ConnectionLost("")) for _ in range(50)}
        assert len(waits) > 10
        assert all(most / 2 <= wait <= most for wait in waits)
    assert all(90.0 <= delivery._delay(Refused("")) <= 180.0 for _ in range(50))
