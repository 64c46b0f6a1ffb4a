"""One call of a sender, seen from its side."""

import os
import re
import select
import subprocess
import time
from typing import NamedTuple

PATIENCE = 20.0  # s; a busy machine is slow


class Greeting(NamedTuple):
    """What the collector says first."""

    session: bytes
    resume: dict[bytes, int]


class Call:
    """A call over two descriptors: lines up, answers down."""

    def __init__(self, up: int, down: int) -> None:
        self.up, self.down = up, down
        self._rest = b""

    @classmethod
    def of(cls, process: "subprocess.Popen[bytes]") -> "Call":
        """Take over the standard input and output of a collector."""
        assert process.stdin
        assert process.stdout
        return cls(process.stdin.fileno(), process.stdout.fileno())

    def send(self, data: bytes) -> None:
        """Send all of it."""
        while data:
            data = data[os.write(self.up, data) :]

    def answer(self) -> bytes:
        """Return the next line that comes down, b"" at the end."""
        end = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            assert select.select([self.down], [], [], max(0.0, end - time.monotonic()))[0], "no answer"
            data = os.read(self.down, 65_536)
            if not data:
                assert not self._rest, "a torn line"
                return b""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def greeting(self) -> Greeting:
        """Return the greeting."""
        line = self.answer()
        match = re.fullmatch(rb"logchain/1 session=([0-9a-f]{16}) resume=(.*)", line)
        assert match, line
        entries = [entry.split(b":") for entry in match[2].split(b",") if entry]
        return Greeting(match[1], {name: int(lines) for name, lines in entries})

    def until_ok(self, lines: int) -> list[int]:
        """Wait until so many lines are durable; return what the acknowledgements said."""
        said = [0]
        while said[-1] < lines:
            line = self.answer()
            assert re.fullmatch(rb"ok (0|[1-9][0-9]*)", line), line
            said.append(int(line[3:]))
        assert said == sorted(said)
        assert said[-1] == lines
        return said

    def last_words(self) -> list[bytes]:
        """Return all that still comes down."""
        return list(iter(self.answer, b""))
