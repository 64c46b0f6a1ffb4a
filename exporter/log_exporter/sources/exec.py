"""Any command: each line that it prints is shipped. The way to add a source without a line of Python."""

import os
import select
import signal
from contextlib import suppress
from typing import Any

from log_exporter.choice import LONGEST
from log_exporter.config import Check, flag, size, text, texts
from log_exporter.errors import UsageError
from log_exporter.line import Form, Plain, Rfc5424, dress
from log_exporter.messages import printable, say
from log_exporter.setup import Setup, choice
from log_exporter.spooled import Spooled

SETTINGS: dict[str, Check] = {"command": texts, "plain": flag, "app": text, "spool": size}
NEEDED = ["command"]
SPOOL = 64 << 20

_READ = 256 * 1024
_PAUSE = "10"  # seconds between the command's end and its next start
_AGAIN = 'sleep "$0"; exec "$@"'  # so that waiting needs no timer here: the pipe says when there is something


def make(setup: Setup, settings: dict[str, Any]) -> Spooled:
    """Return the source of these settings."""
    app = settings.get("app") or settings["command"][0].rpartition("/")[2]
    form: Form = Plain() if settings.get("plain") else Rfc5424(setup.host, app)
    return setup.spooled(lambda: Exec(settings, form, setup.stream), settings.get("spool", SPOOL))


class Exec:
    """The lines of a command's standard output; when it ends it is started again."""

    patient = True  # a pipe makes its writer wait
    finished = False

    def __init__(self, settings: dict[str, Any], form: Form, stream: str) -> None:
        self._command: list[str] = settings["command"]
        self._choice = choice(settings)
        self._form = form
        self._stream = stream
        self._begun = b""  # of a line whose end has not come
        self._said = ""
        self._start(self._command)

    def _start(self, command: list[str]) -> None:
        self._descriptor, outer = os.pipe()
        nowhere = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._process = os.posix_spawnp(
                command[0],
                command,
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, outer, 1)],
                setsid=True,
                setsigdef=[signal.SIGPIPE],
            )
        except OSError as error:
            raise UsageError(f"{self._stream}: cannot run {printable(command[0])}: {error.strerror}") from error
        finally:
            os.close(outer)
            os.close(nowhere)

    def fileno(self) -> int:
        """Return the pipe."""
        return self._descriptor

    def take(self) -> bytes:
        """Return whole lines; at the command's end also the last one, if it has no newline."""
        data = os.read(self._descriptor, _READ)
        if not data:
            self._restart()
            if not self._begun:
                return b""
            data = b"\n"
        self._begun += data
        end = self._begun.rfind(b"\n") + 1
        lines = self._begun[:end]
        if not end and len(self._begun) > LONGEST:  # rather two lines than any amount of memory
            end = self._choice.cut(self._begun, len(self._begun))
            lines = self._begun[:end] + b"\n"
        self._begun = self._begun[end:]
        lines = self._choice.lines(lines)
        return dress(self._form.head_now(), self._form.body(lines)) if lines else b""

    def _restart(self) -> None:
        status = self._end()
        words = f"{printable(self._command[0])} ended with {os.waitstatus_to_exitcode(status)}"
        if words != self._said:
            self._said = words
            say(f"{self._stream}: {words}; it is started again, every {_PAUSE} s")
        self._start(["/bin/sh", "-c", _AGAIN, _PAUSE, *self._command])

    def _end(self) -> int:
        os.close(self._descriptor)
        process = os.pidfd_open(self._process)
        select.select([process], [], [], 0.2)  # the end of its output is a moment before its own
        os.close(process)
        with suppress(ProcessLookupError):  # also what it has started and left behind
            os.killpg(self._process, signal.SIGKILL)
        return os.waitpid(self._process, 0)[1]

    def close(self) -> None:
        """End the command."""
        self._end()
