"""The program that carries the stream: its standard input goes up, its standard output comes down."""

import os
import signal
import subprocess
from contextlib import suppress
from types import TracebackType

from log_exporter.errors import ConnectionLost
from log_exporter.messages import printable

POLICY_REFUSED = 126  # exit code of qrexec-client-vm


class Transport:
    """One run of the program, killed and reaped at the end of its `with` block."""

    def __init__(self, command: list[str]) -> None:
        try:
            # A session of its own: Ctrl-C is for us, we end the stream in order. What the program
            # prints on standard error may come from the LogVM, so it does not get to our terminal.
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise ConnectionLost(f"cannot run {printable(command[0])}: {error.strerror}") from error
        assert self._process.stdin
        assert self._process.stdout
        self._up, self._down = self._process.stdin, self._process.stdout
        self.up, self.down = self._up.fileno(), self._down.fileno()
        os.set_blocking(self.up, False)
        os.set_blocking(self.down, False)

    def __enter__(self) -> "Transport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.exit_code(0) is None:
            with suppress(ProcessLookupError):  # its group too: the command may be a wrapper
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.half_close()
        self._down.close()

    def send(self, data: memoryview) -> int:
        """Send what fits now; return how many bytes did. Raises BrokenPipeError."""
        try:
            return os.write(self.up, data)
        except BlockingIOError:
            return 0

    def receive(self) -> bytes | None:
        """Return what has come; empty at the end of the stream, None if nothing is there."""
        try:
            return os.read(self.down, 4096)
        except BlockingIOError:
            return None

    def half_close(self) -> None:
        """Say that no more comes from this side."""
        self._up.close()

    def exit_code(self, seconds: float) -> int | None:
        """Return how the program ended, if it does so in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None
