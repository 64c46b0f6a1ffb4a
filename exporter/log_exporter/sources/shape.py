"""What of a file is one message, and which of them are sent. No I/O.

The same file gives the same messages wherever it was cut when it was read: a message ends where the next one begins,
and a cut is only where a message is larger than all that is read at once.
"""

import re
from typing import TypeAlias

from log_exporter.choice import LONGEST, Choice

Message: TypeAlias = tuple[int, bytes | None]  # where it ends in the data; None if it is not sent


class Shape:
    """Lines, or what begins at a line that matches `begins` and goes on to the next such line; of them a choice."""

    def __init__(self, begins: str, choice: Choice) -> None:
        self._begins = re.compile(begins.encode(), re.MULTILINE) if begins else None  # ^ is where a line begins
        self._choice = choice
        self.is_lines = not begins and choice.everything  # then there is no work per line
        self.digest = "" if self.is_lines else repr((begins, choice.digest))

    def messages(self, untrusted_data: bytes, *, final: bool) -> list[Message]:
        """Return the messages that the data has from its start; with `final` also one that may go on."""
        found: list[Message] = []
        start = at = 0
        while end := untrusted_data.find(b"\n", at) + 1:
            if self._begins is None:
                found.append(self._message(untrusted_data, at, end))
                start = end
            elif at > start and self._begins.match(untrusted_data, at, end - 1):
                found.append(self._message(untrusted_data, start, at))
                start = at
            at = end
        if final and not found:
            end = at or len(untrusted_data)
            if len(untrusted_data) >= LONGEST:
                end = self._part(untrusted_data, end)
            found.append(self._message(untrusted_data, 0, end))
        return found

    def _part(self, data: bytes, most: int) -> int:
        """Return where a part of a message ends, behind a line if it can be."""
        end = self._choice.cut(data, most)
        line = data.rfind(b"\n", 0, end) + 1
        return line if line and self._choice.cut(data, line) == line else end

    def _message(self, data: bytes, start: int, end: int) -> Message:
        return end, self._choice.message(data[start : end - data.endswith(b"\n", start, end)])


LINES = Shape("", Choice())
