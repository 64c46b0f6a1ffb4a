"""A sender of either dialect that remembers what it sent and what it was told, and never waits where it may not."""

import fcntl
import re
import select
import socket
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.collect.call import PATIENCE
from tests.collect.door import until

GREETING = re.compile(rb"logchain/1 session=([0-9a-f]{16}) resume=((?:[0-9a-f]{16}:[0-9]+(?:,(?!\Z)|\Z)){0,8})")
OK = re.compile(rb"ok (0|[1-9][0-9]*)")


def told(data: bytes) -> str:
    """Return lines in few words."""
    lines, _, rest = data.rpartition(b"\n")
    count = data.count(b"\n")
    return f"{count} lines to …{lines[-30:]!r} and …{rest[-30:]!r}"


class Sender:
    """One call; `greeted` is called with it when the greeting has come."""

    def __init__(self, path: Path, first: int, greeted: Callable[["Sender"], None], *, stock: bool) -> None:
        self.first = first  # the line of its source with which it begins
        self.stock, self._when_greeted = stock, greeted
        self.name = b""  # of its session, when it is greeted
        self.resume: list[tuple[bytes, int]] = []
        self.greeted = self.over = False
        self.refused = b""  # its last words, if they were no `ok`
        self.excused = False  # it may end, or be refused, before its sender is done
        self.acknowledged = 0  # lines; in the stock dialect those that are not empty
        self.sent = b""
        self.final: bytes | None = None  # all that is stored of it, once that cannot change any more
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._socket.setblocking(False)

    def __repr__(self) -> str:
        final = "" if self.final is None else f", for ever {told(self.final)}"
        return f"<{self.name.decode()} sent {told(self.sent)}, acknowledged {self.acknowledged}{final}>"

    @property
    def owed(self) -> int:
        """How many lines are to be acknowledged in the end."""
        return self.counted(self.sent)

    def counted(self, data: bytes) -> int:
        """Return how many lines this is to an acknowledgement."""
        lines = data.split(b"\n")[:-1]
        return sum(map(bool, lines)) if self.stock else len(lines)

    def introduce(self, *pieces: bytes) -> None:
        """Send the header, in pieces that are read one by one."""
        for piece in pieces:
            self._write(piece, patient=True)
            self.await_reading()

    def send(self, data: bytes, cuts: Sequence[int] = (), *, patient: bool = True) -> None:
        """Send it in pieces that are read one by one; if not patient, in one, as far as the pipe takes it."""
        ends = sorted({cut % len(data) for cut in cuts if patient and data} | {len(data)})
        for start, end in zip([0, *ends], ends, strict=False):
            self.sent += data[start : start + self._write(data[start:end], patient=patient)]
            if end < len(data):
                self.await_reading()

    def _write(self, data: bytes, *, patient: bool) -> int:
        sent = 0
        while sent < len(data):
            try:
                sent += self._socket.send(data[sent:])
            except BlockingIOError:
                if not patient:
                    break
                assert select.select([], [self._socket], [], PATIENCE)[1], "nobody reads"
            except (BrokenPipeError, ConnectionResetError):
                break
        return sent

    def await_reading(self) -> None:
        """Wait until all that was sent has been read, or never will be."""
        until(lambda: struct.unpack("=i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))) == (0,))

    def finish(self) -> None:
        """Say that this was all."""
        self._socket.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Go, without a word."""
        self.over = True
        self._socket.close()

    def listen(self, wait: float = 0.0) -> None:
        """Hear what has come down; wait for something if nothing has."""
        while not self.over and select.select([self._socket], [], [], wait)[0]:
            wait = 0.0
            try:
                data = self._socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self._rest, "a torn line"
                self.hang_up()
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._hear(line)

    def listen_until(self, condition: Callable[[], bool]) -> None:
        """Listen until something is so, or the call is over."""
        end = time.monotonic() + PATIENCE
        while not condition() and not self.over:
            assert time.monotonic() < end, f"it never came to be so: {self}"
            self.listen(PATIENCE)

    def listen_until_greeted(self) -> None:
        """Listen until it is greeted, or refused."""
        self.listen_until(lambda: self.greeted)

    def listen_until_acknowledged(self) -> None:
        """Listen until all is acknowledged; it may end before only where it is excused."""
        self.listen_until(lambda: self.acknowledged == self.owed)
        assert self.excused or self.acknowledged == self.owed, f"it ended, {self.refused!r}: {self}"

    def listen_to_the_end(self) -> None:
        """Listen until the call is over."""
        self.listen_until(lambda: False)

    def _hear(self, line: bytes) -> None:
        assert not self.refused, "something came behind the last words"
        ok, greeting = OK.fullmatch(line), GREETING.fullmatch(line)
        if not self.greeted and (greeting or (self.stock and line == b"OK")):
            if greeting:
                entries = [entry.split(b":") for entry in greeting[2].split(b",") if entry]
                self.name, self.resume = greeting[1], [(name, int(lines)) for name, lines in entries]
            self.greeted = True
            self._when_greeted(self)
        elif self.stock:
            assert line == b"OK"
            self.acknowledged += 1
        elif ok and self.greeted:
            assert int(ok[1]) >= self.acknowledged, "an ok takes something back"
            self.acknowledged = int(ok[1])
        else:
            assert line in (b"busy", b"full") or self.excused, line
            self.refused = line
        assert self.acknowledged <= self.owed, f"more is acknowledged than was sent: {self}"
