"""Standard input: it cannot be read twice, so what is not acknowledged is kept in memory."""

import fcntl
import os
from contextlib import suppress

from log_exporter.errors import UsageError
from log_exporter.line import Form, after_lines, dress, own_line, whole_characters
from log_exporter.messages import say
from log_exporter.wire import Greeting

MEMORY = 8 * 1024 * 1024  # bytes; when it is full, standard input has to wait
_READ = 256 * 1024
_PIPE = 1 << 20  # bytes; what an unprivileged user may ask for


class Stdin:
    """Lines from a descriptor, each kept until it is acknowledged.

    A line that is longer than the memory can only be sent once: if its call is lost, the next one gets
    the rest of it, and a line that says so.
    """

    pause = None

    def __init__(self, form: Form, host: str, *, descriptor: int = 0, memory: int = MEMORY) -> None:
        self._form = form
        self._host = host
        self._descriptor = descriptor
        self._memory = memory
        self._open = True
        self._begun = b""  # of a line whose end has not come, and not yet dressed
        self._inside = False  # the last byte that was kept is in the middle of a line
        self._kept = bytearray()  # dressed; begins with a line, but for what _let_go did
        self._sent = 0  # bytes of it
        self._let_go = 0  # bytes of the line it begins with that are no longer here
        self._session = self._newest_before = ""
        self._acknowledged = 0
        try:
            os.fstat(descriptor)
        except OSError as error:
            raise UsageError("standard input is closed") from error
        with suppress(OSError):  # no pipe: so that whoever writes fast seldom waits for our next turn
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)

    @property
    def finished(self) -> bool:
        """Whether the input has ended and all of it was handed out."""
        return not self._open and self._sent == len(self._kept)

    def fileno(self) -> int | None:
        """Return the descriptor while there is room."""
        return self._descriptor if self._open and len(self._kept) + len(self._begun) < self._memory else None

    def take(self) -> None:
        """Read once; whole lines are kept as they will be sent."""
        try:
            data = os.read(self._descriptor, _READ)
        except BlockingIOError:
            return
        except OSError as error:
            say(f"standard input: {error.strerror}")
            data = b""
        if not data:
            self._end()
            return
        self._begun += data
        end = self._begun.rfind(b"\n") + 1
        if end:
            self._keep(self._begun[:end])
            self._begun = self._begun[end:]
        if len(self._begun) >= _READ:  # a long line need not be here as a whole before it is sent
            end = whole_characters(self._begun)
            self._keep(self._begun[:end])
            self._begun = self._begun[end:]

    def _end(self) -> None:
        self._open = False
        if self._begun or self._inside:  # nothing will ever finish this line, so it is one
            self._keep(self._begun + b"\n")
            self._begun = b""

    def _keep(self, data: bytes) -> None:
        head = self._form.head_now()
        if self._inside:
            first = data.find(b"\n") + 1 or len(data)
            self._kept += self._form.body(data[:first])
            self._inside = data[first - 1 : first] != b"\n"
            data = data[first:]
        end = data.rfind(b"\n") + 1
        if end:
            self._kept += dress(head, self._form.body(data[:end]))
        if data[end:]:
            self._kept += head + self._form.body(data[end:])
            self._inside = True

    def read(self) -> bytes:
        """Return what has not been sent in this session."""
        data = bytes(self._kept[self._sent : self._sent + _READ])
        self._sent += len(data)
        if len(self._kept) >= self._memory and b"\n" not in self._kept:
            self._forget(self._sent)
        return data

    def _forget(self, size: int) -> None:
        """Make room in the middle of a line that is longer than the memory."""
        del self._kept[:size]
        self._sent -= size
        self._let_go += size

    def acknowledge(self, lines: int) -> None:
        """Forget what is durable."""
        size = after_lines(self._kept, lines - self._acknowledged)
        if size:
            self._let_go = 0
        del self._kept[:size]
        self._sent -= size
        self._acknowledged = lines

    def begin(self, greeting: Greeting) -> None:
        """Drop what an earlier session stored, and send the rest again."""
        notes: list[tuple[str, str]] = []
        if self._session:
            stored, notes = greeting.resumed(self._session, self._newest_before, self._acknowledged)
            self.acknowledge(min(stored, self._acknowledged + self._kept.count(b"\n", 0, self._sent)))
        rest = b""
        if self._let_go:
            notes.append(("lost", f"the first {self._let_go} bytes of the next line were lost with a call"))
            rest = self._form.head_now()
        self._session, self._newest_before = greeting.session, greeting.newest
        self._acknowledged = self._sent = self._let_go = 0
        self._kept[:0] = b"".join(own_line(self._host, event, words) for event, words in notes) + rest

    def close(self) -> str:
        """Return how many lines nobody will send, in words."""
        lines = self._kept.count(b"\n") + bool(self._begun or self._inside)
        return f"{lines} lines of standard input were not delivered" if lines else ""
