"""The kernel's messages, through a device that a test makes: records, numbers, and an overrun."""

import os
import re
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from log_exporter.choice import Choice
from log_exporter.errors import UsageError
from log_exporter.line import unescape
from log_exporter.setup import Setup
from log_exporter.sources import Gap
from log_exporter.sources.kmsg import Kmsg, make
from log_exporter.state import State


class Ring:
    """A kernel's ring buffer: the thin edge is what open and read of /dev/kmsg do."""

    def __init__(self) -> None:
        self.first = 0
        self.records: list[bytes] = []
        self.at: dict[int, int] = {}

    def say(self, message: bytes, head: bytes = b"6") -> None:
        """Log a record."""
        number = self.first + len(self.records)
        self.records.append(b"%b,%d,%d,-;%b\n" % (head, number, number * 1_000_001, message))

    def drop(self, count: int) -> None:
        """Overwrite the oldest."""
        del self.records[:count]
        self.first += count

    def open(self) -> int:
        """Stand at the oldest record."""
        descriptor = os.open("/dev/null", os.O_RDONLY)
        self.at[descriptor] = self.first
        return descriptor

    def read(self, descriptor: int, size: int) -> bytes:
        """Return a record; EPIPE once after an overrun, EAGAIN at the end."""
        assert size >= 8192
        if self.at[descriptor] < self.first:
            self.at[descriptor] = self.first
            raise BrokenPipeError
        if self.at[descriptor] == self.first + len(self.records):
            raise BlockingIOError
        self.at[descriptor] += 1
        return self.records[self.at[descriptor] - 1 - self.first]


@pytest.fixture
def ring() -> Ring:
    """A ring with three messages."""
    ring = Ring()
    for number in range(3):
        ring.say(b"message %d" % number)
    return ring


@pytest.fixture
def kmsg(ring: Ring) -> Iterator[Kmsg]:
    """A reader of it."""
    kmsg = Kmsg(ring.open, ring.read, "work", "b" * 32, Choice([], ["left out"]), 6)
    yield kmsg
    kmsg.close()


def rest(kmsg: Kmsg) -> list[object]:
    """Return messages and gaps."""
    found: list[object] = []
    while (piece := kmsg.read()) is not None:
        if isinstance(piece, Gap):
            found.append(piece.lines)
        else:
            found += [unescape(line.partition(b"] ")[2]) for line in piece.data.splitlines()]
    return found


def test_records_become_lines(ring: Ring, kmsg: Kmsg) -> None:
    """Priority, number and the kernel's own time; which device it is about; no time that nobody knows."""
    ring.say(b"usb \x1b[31m\n SUBSYSTEM=usb\n DEVICE=c189:1\n OTHER=x", head=b"29")
    piece = kmsg.read()
    assert piece
    assert not isinstance(piece, Gap)
    assert piece.data.splitlines()[3] == (
        b'<29>1 - work kernel - - [kernel@32473 boot="%b" monotonic="3.000003" number="3" subsystem="usb"'
        b' device="c189:1"] usb \\x1b[31m' % (b"b" * 32)
    )


def test_a_restart_goes_on_behind_the_last(ring: Ring, kmsg: Kmsg) -> None:
    """The ring is read again from its start, and what was sent is left out."""
    kmsg.go(None)
    piece = kmsg.read()
    assert piece
    ring.say(b"new")
    again = Kmsg(ring.open, ring.read, "work", "b" * 32, Choice(), 7)
    assert again.go(piece.place) is None
    assert rest(again) == [b"new"]
    again.close()


def test_an_overrun_is_counted(ring: Ring, kmsg: Kmsg) -> None:
    """While it is read, and while nobody reads: as many as the numbers tell."""
    kmsg.go(None)
    piece = kmsg.read()
    assert piece
    for number in range(10):
        ring.say(b"more %d" % number)
    ring.drop(8)
    assert rest(kmsg) == [5, *[b"more %d" % number for number in range(5, 10)]]
    assert kmsg.go(piece.place) is None
    assert rest(kmsg) == [5, *[b"more %d" % number for number in range(5, 10)]]


def test_another_boot_is_told_of(kmsg: Kmsg) -> None:
    """What the kernel said at the end of the last boot is gone; all of this one is new."""
    gap = kmsg.go({"boot": "a" * 32, "number": 100})
    assert gap
    assert gap.lines is None
    assert rest(kmsg) == [b"message 0", b"message 1", b"message 2"]


def test_what_is_not_wanted_is_left_out(ring: Ring, kmsg: Kmsg) -> None:
    """By priority and by pattern, and it is no gap."""
    ring.say(b"debug", head=b"7")
    ring.say(b"left out")
    ring.say(b"last")
    assert rest(kmsg) == [b"message 0", b"message 1", b"message 2", b"last"]


def test_the_real_device(tmp_path: Path) -> None:
    """/dev/kmsg, where it can be read; where it cannot the error says so."""
    setup = Setup("kernel", "work", State(tmp_path, "kernel"), str(tmp_path))
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        with pytest.raises(UsageError, match=f"/dev/kmsg: {error.strerror}"):
            make(setup, {})
        return
    source = make(setup, {})
    reader = source._reader
    piece = reader.read()
    assert piece
    assert not isinstance(piece, Gap)
    assert re.match(rb"<\d+>1 - work kernel - - \[kernel@32473 boot=", piece.data)
    while reader.read():
        pass
    descriptor = reader.fileno()
    assert descriptor is not None
    assert select.select([descriptor], [], [], 0)[0] in ([], [descriptor])
    source.close()
