"""What goes down to the sender, in its service's dialect: never waited for, never in the way of storing lines."""

import os
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf

from logchain.collect.descriptor import STOCK
from logchain.format.wire import BUSY, FULL, format_error, format_greeting, format_ok

__all__ = ["Answers", "StockAnswers", "answers_for"]


class Answers:
    """Lines for a sender who may read slowly, or not at all, as logchain.Append says them (docs/spec/wire.md)."""

    def __init__(self, sink: int) -> None:
        self._sink, self._was_blocking = sink, os.get_blocking(sink)
        self._begun = b""
        self._next = b""  # an `ok` that is not begun: a later one takes its place
        self._stuck_since: float | None = None
        self.gone = False  # nobody reads any more
        os.set_blocking(sink, False)

    @property
    def waiting(self) -> bool:
        """Whether something is left to send."""
        return not self.gone and bool(self._begun or self._next)

    def stuck(self, now: float) -> float:
        """Return for how long the sender has taken nothing of what waits, s; inf where it takes no answers at all."""
        if self.gone:
            return inf
        return now - self._stuck_since if self._stuck_since is not None else 0.0

    def greet(self, session: bytes, resume: Iterable[tuple[bytes, int]]) -> None:
        """Say which session this is, and what is durable of those before it."""
        self._say(format_greeting(session, resume))

    def took(self, payloads: Sequence[bytes]) -> None:
        """Hear of lines, or last parts of lines, that were stored after those before."""

    def acknowledge(self, lines: int) -> None:
        """Say how many lines of the session are durable, of those that were taken."""
        self._next = format_ok(lines)
        self.send()

    def busy(self) -> None:
        """Say that this stream, or the collector, has another sender to serve."""
        self._say(BUSY)

    def full(self) -> None:
        """Say that there is no room."""
        self._say(FULL)

    def error(self, words: str) -> None:
        """Say what is wrong."""
        self._say(format_error(words))

    def send(self) -> None:
        """Send what the pipe takes."""
        try:
            while self.waiting:
                self._begun = self._begun or self._take_next()
                self._begun = self._begun[os.write(self._sink, self._begun) :]
                self._stuck_since = None
        except BlockingIOError:
            self._stuck_since = self._stuck_since or time.monotonic()
        except OSError:  # the sender closed its end; it may still send, so this is not the end of the session
            self.gone = True

    def drain(self, seconds: float) -> None:
        """Send what is left, for so long at most."""
        poll, end = select.poll(), time.monotonic() + seconds
        poll.register(self._sink, select.POLLOUT)
        while self.waiting and (left := end - time.monotonic()) > 0:
            poll.poll(1000 * left)
            self.send()

    def fileno(self) -> int:
        """Return the descriptor, for poll."""
        return self._sink

    def restore(self) -> None:
        """Leave the descriptor as it was found: a terminal is shared with others."""
        with suppress(OSError):
            os.set_blocking(self._sink, self._was_blocking)

    def _say(self, line: bytes) -> None:
        self._begun += line
        self.send()

    def _take_next(self) -> bytes:
        line, self._next = self._next, b""
        return line


class StockAnswers(Answers):
    """As Qubes' own qubes.Log says them: `OK` at the start, and one for each line that is not empty."""

    def __init__(self, sink: int) -> None:
        super().__init__(sink)
        self._lines = 0  # taken
        self._taken: deque[tuple[int, int]] = deque()  # not durable yet: lines up to there, and the OKs for the last
        self._debt = 0  # OKs that are owed

    @property
    def waiting(self) -> bool:
        """Whether something is left to send."""
        return not self.gone and bool(self._begun or self._debt)

    def greet(self, session: bytes, resume: Iterable[tuple[bytes, int]]) -> None:  # noqa: ARG002 (not in this dialect)
        """Say that lines may come."""
        self._debt += 1
        self.send()

    def took(self, payloads: Sequence[bytes]) -> None:
        """Count the lines that are not empty."""
        self._lines += len(payloads)
        self._taken.append((self._lines, sum(map(bool, payloads))))

    def acknowledge(self, lines: int) -> None:
        """Owe an OK for each line that is durable now; a mere keep-alive has no word."""
        while self._taken and self._taken[0][0] <= lines:
            self._debt += self._taken.popleft()[1]
        self.send()

    def busy(self) -> None:
        """Say nothing: the dialect has no word for it, and the stream ends."""

    full = busy

    def error(self, words: str) -> None:
        """Say nothing."""

    def _take_next(self) -> bytes:
        lines = min(self._debt, 1_000)
        self._debt -= lines
        return b"OK\n" * lines


def answers_for(service: str, sink: int) -> Answers:
    """Return what speaks the dialect of a service."""
    return (StockAnswers if service == STOCK else Answers)(sink)
