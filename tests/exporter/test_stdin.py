"""Standard input is kept in memory until it is acknowledged."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from log_exporter.errors import UsageError
from log_exporter.line import Plain, Rfc5424
from log_exporter.sources.stdin import Stdin
from log_exporter.wire import Greeting
from tests.exporter.bench import Bench

FIRST = Greeting("0" * 16)


def ship(bench: Bench, data: bytes, *arguments: str, bad: str = "") -> str:
    """Pipe data through an exporter of standard input; return what it said."""
    exporter = bench.exporter("stdin", *arguments, bad=bad, stdin=subprocess.PIPE)
    said = exporter.communicate(data, timeout=30)[1].decode()
    assert exporter.returncode == 0, said
    return said


class Pipe:
    """A source over a pipe, without any call."""

    def __init__(self, memory: int = 1 << 20, plain: bool = True) -> None:
        read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.source = Stdin(Plain() if plain else Rfc5424("work"), "work", descriptor=read, memory=memory)
        self.source.begin(FIRST)

    def write(self, data: bytes) -> None:
        """Write, and let the source take it."""
        while data:
            data = data[os.write(self._write, data[:65536]) :]
            if self.source.fileno() is not None:
                self.source.take()

    def end(self) -> None:
        """End the input."""
        os.close(self._write)
        self.source.take()

    def read(self) -> bytes:
        """Return all that is to be sent now."""
        return b"".join(iter(self.source.read, b""))


def test_lines_arrive_with_the_time_of_reading(bench: Bench) -> None:
    """Each line has a time, and the last needs no newline."""
    assert ship(bench, b"one\ntwo\n\nlast", "--app", "dmesg") == ""
    pattern = rb"<13>1 \d{4}-\d\d-\d\dT[0-9:.]{15}Z \S+ dmesg - - - (.*)"
    matches = [re.fullmatch(pattern, line) for line in bench.stored()]
    assert [match and match[1] for match in matches] == [b"one", b"two", b"", b"last"]


def test_plain_lines_arrive_as_they_are(bench: Bench) -> None:
    """Any byte, and any length, over a collector that dies again and again."""
    lines = [b"\0\r\xff", b"x" * 400_000, b"", *[b"%d" % number for number in range(5000)]]
    ship(bench, b"\n".join(lines), "--plain", bad="--bad dies --after 1500")
    assert bench.stored() == lines
    assert len(bench.calls()) > 3


def test_nothing_is_no_line(bench: Bench) -> None:
    """An empty input is delivered at once."""
    assert ship(bench, b"") == ""
    assert bench.stored() == []


def test_giving_up_tells_what_is_lost(bench: Bench) -> None:
    """What was read and could not be delivered is counted, and the exit code is 3."""
    exporter = bench.exporter("stdin", "--give-up", "0.5", bad="--bad busy", stdin=subprocess.PIPE)
    said = exporter.communicate(b"1\n2\n3", timeout=30)[1].decode()
    assert exporter.returncode == 3
    assert "log-exporter: 3 lines of standard input were not delivered\n" in said


def test_a_stop_that_loses_lines_is_no_success(bench: Bench) -> None:
    """Standard input cannot be read again, so unlike with files a stop may lose lines, and says so."""
    exporter = bench.exporter("stdin", bad="--bad mute", stdin=subprocess.PIPE)
    assert exporter.stdin
    exporter.stdin.write(b"1\n")
    exporter.stdin.flush()
    bench.until(bench.calls)
    said = bench.stop(exporter)
    assert exporter.returncode == 3
    assert said.splitlines()[-1] == "log-exporter: stopped with lines left"


def test_a_full_memory_makes_the_writer_wait(bench: Bench) -> None:
    """While nobody takes lines, at most 8 MiB and the pipes are filled; later all arrive."""
    lines = [b"%06d %b" % (number, b"x" * 1000) for number in range(20_000)]
    exporter = bench.exporter("stdin", "--plain", bad="--bad never-reads", stdin=subprocess.PIPE)
    assert exporter.stdin
    os.set_blocking(exporter.stdin.fileno(), False)
    data = b"\n".join(lines)
    written = 0

    def write() -> bool:
        nonlocal written
        try:
            written += os.write(exporter.stdin.fileno(), data[written : written + 65536]) if exporter.stdin else 0
        except BlockingIOError:
            return len(bench.calls()) >= 2
        return False

    bench.until(write)
    assert 8 << 20 <= written < 10 << 20


def test_what_is_acknowledged_is_let_go() -> None:
    """Only unacknowledged lines count against the memory, and only they come again."""
    pipe = Pipe()
    pipe.write(b"1\n2\n3\nunfinished")
    assert pipe.read() == b"1\n2\n3\n"
    pipe.source.acknowledge(1)
    pipe.source.begin(Greeting("1" * 16, (("0" * 16, 2),)))
    assert pipe.read() == b"3\n"
    assert pipe.source.close() == "2 lines of standard input were not delivered"


def test_lines_that_were_never_stored_come_again() -> None:
    """A session that the collector does not know stored nothing."""
    pipe = Pipe()
    pipe.write(b"1\n2\n")
    pipe.read()
    pipe.source.begin(Greeting("1" * 16))
    assert pipe.read() == b"1\n2\n"


def test_a_session_that_nobody_knows_any_more_is_told_of() -> None:
    """Where nobody can tell what was stored, a line says that some may come twice."""
    pipe = Pipe()
    pipe.write(b"1\n2\n")
    pipe.read()
    pipe.source.acknowledge(1)
    pipe.source.begin(Greeting("1" * 16, tuple((f"{number:016x}", 1) for number in range(2, 10))))
    note, rest = pipe.read().split(b"\n", 1)
    assert b" log-exporter - unknown - " in note
    assert rest == b"2\n"


def test_a_collector_that_lost_lines_is_told_on() -> None:
    """Acknowledged lines that are no longer there were let go long ago: a line says how many."""
    pipe = Pipe()
    pipe.write(b"1\n2\n")
    pipe.read()
    pipe.source.acknowledge(2)
    pipe.source.begin(Greeting("1" * 16))
    assert b" log-exporter - lost - the collector no longer counts 2 lines " in pipe.read()


@pytest.mark.parametrize("plain", [True, False])
def test_a_line_longer_than_the_memory_is_sent_once(plain: bool) -> None:
    """It passes through; if its call is lost a line says how much of it is missing."""
    pipe = Pipe(memory=1 << 19, plain=plain)
    got = b""
    for _ in range(8):
        pipe.write(b"x" * (1 << 18))
        got += pipe.read()
    pipe.write(b"x" * (1 << 18))
    assert got.endswith(b"x" * (8 << 18))
    pipe.source.begin(Greeting("1" * 16))
    pipe.write(b"end\nnext\n")
    note, rest, following = pipe.read().split(b"\n", 2)
    assert b"the first %d bytes of the next line were lost" % len(got) in note
    assert rest.endswith(b"x" * (1 << 18) + b"end")
    assert (rest + b"\n").startswith(b"x" if plain else b"<13>1 ")
    assert following.endswith(b"next\n")


def test_a_line_longer_than_the_memory_is_whole_while_its_call_lasts() -> None:
    """Nothing is added and nothing taken away."""
    pipe = Pipe(memory=1 << 19)
    got = b""
    for _ in range(8):
        pipe.write(b"y" * (1 << 18))
        got += pipe.read()
    pipe.write(b"\n")
    pipe.end()
    assert got + pipe.read() == b"y" * (8 << 18) + b"\n"
    pipe.source.acknowledge(1)
    assert pipe.source.finished
    assert pipe.source.close() == ""


def test_an_input_that_ends_in_a_long_line_ends_it() -> None:
    """The end of the input is the end of the line, wherever its parts were cut."""
    pipe = Pipe()
    pipe.write(b"z" * (1 << 18))
    pipe.end()
    assert pipe.read() == b"z" * (1 << 18) + b"\n"


def test_an_input_that_does_not_block_may_be_empty() -> None:
    """Somebody else may have set O_NONBLOCK on it: nothing there is not the end."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    source = Stdin(Plain(), "work", descriptor=read)
    source.take()
    assert not source.finished
    os.close(write)
    source.take()
    assert source.finished
    os.close(read)


def test_an_input_that_fails_is_at_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of reading ends the input, and is told."""
    directory = os.open(tmp_path, os.O_RDONLY)
    source = Stdin(Plain(), "work", descriptor=directory)
    source.take()
    os.close(directory)
    assert source.finished
    assert capsys.readouterr().err == "log-exporter: standard input: Is a directory\n"


def test_a_closed_input_is_a_mistake() -> None:
    """`<&-` gives no descriptor to read from."""
    with pytest.raises(UsageError, match="standard input is closed"):
        Stdin(Plain(), "work", descriptor=1_000_000)


def test_lines_arrive_while_the_input_is_open(bench: Bench) -> None:
    """A pipe that stays open is shipped line by line, as for journalctl -f."""
    exporter = bench.exporter("stdin", "--plain", stdin=subprocess.PIPE)
    assert exporter.stdin
    for number in (1, 2):
        exporter.stdin.write(b"line\n")
        exporter.stdin.flush()
        bench.until_stored(*[b"line"] * number)
    assert bench.stop(exporter) == ""
    assert exporter.returncode == 0
