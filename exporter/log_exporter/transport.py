"""The program that carries the stream: its standard input goes up, its standard output comes down."""

import os
import select
import signal
from contextlib import suppress
from types import TracebackType

from log_exporter.errors import ConnectionLost
from log_exporter.messages import printable

POLICY_REFUSED = 126  # exit code of qrexec-client-vm


def which(program: str) -> str | None:
    """Return where a program is, None if it is nowhere; as shutil.which, which loads a lot that nobody here needs."""
    paths = [""] if "/" in program else os.environ.get("PATH", os.defpath).split(":")
    for path in paths:
        found = os.path.join(path, program) if path else program
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return None


class Transport:
    """One run of the program, killed and reaped at the end of its `with` block.

    `up` and `down` are the descriptors of its input and output; `ended` becomes readable when it has ended.
    """

    def __init__(self, command: list[str]) -> None:
        opened: list[int] = []
        try:
            opened += os.pipe()
            opened += os.pipe()
            opened.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            raise ConnectionLost(f"cannot run {printable(command[0])}: {error.strerror}") from error
        inner, self.up, self.down, outer, nowhere = opened
        try:
            # A session of its own: Ctrl-C is for us, we end the stream in order. What the program
            # prints on standard error may come from the LogVM, so it does not get to our terminal.
            self._process = os.posix_spawnp(
                command[0],
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, inner, 0),
                    (os.POSIX_SPAWN_DUP2, outer, 1),
                    (os.POSIX_SPAWN_DUP2, nowhere, 2),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE],  # Python ignores it
            )
        except OSError as error:
            self._close_all()
            raise ConnectionLost(f"cannot run {printable(command[0])}: {error.strerror}") from error
        finally:
            for descriptor in (inner, outer, nowhere):
                os.close(descriptor)
        self._code: int | None = None
        self.ended = os.pidfd_open(self._process)
        os.set_blocking(self.up, False)
        os.set_blocking(self.down, False)

    def __enter__(self) -> "Transport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.exit_code(0) is None:
            with suppress(ProcessLookupError):  # its group too: the command may be a wrapper
                os.killpg(self._process, signal.SIGKILL)
            self._reap(0)
        os.close(self.ended)
        self._close_all()

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
        if self.up >= 0:
            os.close(self.up)
        self.up = -1

    def exit_code(self, seconds: float) -> int | None:
        """Return how the program ended, minus the signal's number if by one; None if not in so many seconds."""
        if self._code is None and seconds:
            select.select([self.ended], [], [], seconds)
        if self._code is None:
            self._reap(os.WNOHANG)
        return self._code

    def _reap(self, options: int) -> None:
        process, status = os.waitpid(self._process, options)
        if process:
            self._code = os.waitstatus_to_exitcode(status)

    def _close_all(self) -> None:
        self.half_close()
        os.close(self.down)
