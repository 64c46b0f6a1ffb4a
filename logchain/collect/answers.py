"""What goes down to the sender: never waited for, never in the way of storing lines."""

import os
import select
import time
from contextlib import suppress

from logchain.format.wire import format_ok

__all__ = ["Answers"]


class Answers:
    """Lines for a sender who may read slowly, or not at all."""

    def __init__(self, sink: int) -> None:
        self._sink, self._was_blocking = sink, os.get_blocking(sink)
        self._begun = b""
        self._ok: int | None = None
        self.gone = False  # nobody reads any more
        os.set_blocking(sink, False)

    @property
    def waiting(self) -> bool:
        """Whether something is left to send."""
        return not self.gone and (bool(self._begun) or self._ok is not None)

    def say(self, line: bytes) -> None:
        """Send a line after whatever is begun."""
        self._begun += line
        self.send()

    def acknowledge(self, lines: int) -> None:
        """Send `ok`; one that was not begun is replaced."""
        self._ok = lines
        self.send()

    def send(self) -> None:
        """Send what the pipe takes."""
        try:
            while self.waiting:
                if not self._begun and self._ok is not None:
                    self._begun, self._ok = format_ok(self._ok), None
                self._begun = self._begun[os.write(self._sink, self._begun) :]
        except BlockingIOError:
            pass
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
