"""What goes down to the sender, through real pipes: never waited for, never torn, never stale."""

import fcntl
import os
import time
from collections.abc import Iterator

import pytest

from logchain.collect.answers import Answers, StockAnswers
from logchain.format.wire import format_greeting

SMALLEST = 4_096  # what a pipe can be made to hold


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A small pipe: read end, write end. Who closes one puts something else in its place."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, SMALLEST)
    yield readable, writable
    os.close(readable)
    os.close(writable)


def gone(readable: int) -> None:
    """Close the reader's end, and leave its number in use."""
    other = os.open("/dev/null", os.O_RDONLY)
    os.dup2(other, readable)
    os.close(other)


LONG = b"session1", [(b"session0", 5)] * SMALLEST  # a greeting that no pipe takes at once


def test_answers_come_in_order(pipe: tuple[int, int]) -> None:
    """What is said goes out at once while the pipe takes it."""
    answers = Answers(pipe[1])
    answers.greet(b"session1", [])
    answers.acknowledge(1)
    answers.acknowledge(2)
    assert os.read(pipe[0], 100) == b"logchain/1 session=73657373696f6e31 resume=\nok 1\nok 2\n"
    assert not answers.waiting


def test_a_slow_reader_gets_the_latest_and_never_a_torn_line(pipe: tuple[int, int]) -> None:
    """An `ok` that was begun is finished, one that was not is replaced; nobody is waited for."""
    answers = Answers(pipe[1])
    began = time.monotonic()
    for number in range(5_000):
        answers.acknowledge(number)
    assert time.monotonic() - began < 2
    assert answers.waiting
    data = b""
    while answers.waiting:
        data += os.read(pipe[0], 1_000)
        answers.send()
    data += os.read(pipe[0], SMALLEST)
    lines = data.split(b"\n")
    numbers = [int(line.removeprefix(b"ok ")) for line in lines[:-1]]
    assert lines[-1] == b""
    assert all(line == b"ok %d" % number for line, number in zip(lines, numbers, strict=False))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 4_999
    assert len(numbers) < 5_000


def test_a_line_that_the_pipe_takes_in_pieces(pipe: tuple[int, int]) -> None:
    """It is begun once, and finished before anything else."""
    answers = Answers(pipe[1])
    answers.greet(*LONG)
    answers.greet(*LONG)
    answers.acknowledge(1)
    answers.acknowledge(2)
    data = b""
    while answers.waiting:
        data += os.read(pipe[0], 100)
        answers.send()
    data += os.read(pipe[0], SMALLEST)
    assert data == 2 * format_greeting(*LONG) + b"ok 2\n"


def test_a_reader_that_is_gone_costs_nothing(pipe: tuple[int, int]) -> None:
    """Nothing is left to send, and nothing is raised."""
    answers = Answers(pipe[1])
    gone(pipe[0])
    answers.acknowledge(1)
    assert answers.gone
    assert not answers.waiting
    answers.acknowledge(2)
    answers.busy()
    answers.drain(10)
    assert not answers.waiting


def test_drain_waits_as_long_as_it_may(pipe: tuple[int, int]) -> None:
    """A reader that never reads is given up; one that reads gets the rest."""
    answers = Answers(pipe[1])
    answers.greet(b"session1", [(b"session0", 5)] * (SMALLEST // 12))  # one pipe full, and some
    began = time.monotonic()
    answers.drain(0.1)
    assert 0.09 < time.monotonic() - began < 2
    assert answers.waiting
    os.read(pipe[0], SMALLEST)
    answers.drain(10)
    assert not answers.waiting
    assert time.monotonic() - began < 5


def test_the_descriptor_is_left_as_it_was_found(pipe: tuple[int, int]) -> None:
    """A terminal is shared with others, who do not expect EAGAIN."""
    answers = Answers(pipe[1])
    assert not os.get_blocking(pipe[1])
    answers.restore()
    assert os.get_blocking(pipe[1])


def test_the_stock_dialect_says_one_ok_a_line(pipe: tuple[int, int]) -> None:
    """`OK` at the start, and one for each line that is not empty, when it is durable; nothing to keep alive."""
    answers = StockAnswers(pipe[1])
    answers.greet(b"session1", [])
    assert os.read(pipe[0], 100) == b"OK\n"
    answers.took([b"one", b"", b"three"])
    answers.acknowledge(0)  # a keep-alive, while lines are still on their way to the disk
    assert not answers.waiting
    answers.acknowledge(3)
    assert os.read(pipe[0], 100) == b"OK\nOK\n"
    answers.acknowledge(3)
    answers.busy()
    answers.full()
    answers.error("no")
    assert not answers.waiting


def test_a_debt_of_oks_is_paid_as_the_pipe_takes_it(pipe: tuple[int, int]) -> None:
    """However many lines were acknowledged at once, each gets its own, and none is torn."""
    answers = StockAnswers(pipe[1])
    answers.greet(b"session1", [])
    answers.took([b"x"] * 100_000)
    answers.acknowledge(100_000)
    data = b""
    while answers.waiting:
        data += os.read(pipe[0], SMALLEST)
        answers.send()
    data += os.read(pipe[0], 1 << 20)
    assert data == b"OK\n" * 100_001


def test_stock_lines_are_owed_when_they_are_durable(pipe: tuple[int, int]) -> None:
    """A commit in the middle of what was taken, where a segment ends, pays for what it made durable and no more."""
    answers = StockAnswers(pipe[1])
    answers.took([b"one"])
    answers.took([b"two", b"", b"three"])
    answers.acknowledge(1)
    assert os.read(pipe[0], 100) == b"OK\n"
    answers.acknowledge(1)
    answers.acknowledge(3)
    answers.acknowledge(4)
    answers.acknowledge(4)
    assert os.read(pipe[0], 100) == b"OK\nOK\n"
    assert not answers.waiting
