"""SIGTERM and SIGINT as something that a poll can wait for."""

import os
import signal
from contextlib import suppress
from types import FrameType


class Stop:
    """Whether somebody asked the exporter to stop; its descriptor becomes readable then."""

    def __init__(self) -> None:
        self.asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def listen(self) -> None:
        """Take the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def fileno(self) -> int:
        """Return the descriptor to poll. It is never drained: a stop is for good."""
        return self._read

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a signal handler)
        self.asked = True
        # poll() is restarted after a handler (PEP 475), so it needs something to see.
        with suppress(BlockingIOError):
            os.write(self._write, b"!")
