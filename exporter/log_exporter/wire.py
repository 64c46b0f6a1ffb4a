"""What the collector says, bytes to values (docs/spec/wire.md). No I/O.

logchain/1 session=9f81ca46d2e0b7a1 resume=03aa51c0ffee0042:10422,77f09bb2d0c1a2e3:5
ok 128
busy | full | error <words>
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from log_exporter.errors import WireError

MAX_LINE = 1024  # bytes, without the newline
MAX_NUMBER = 2**63 - 1
MAX_RESUME = 8

_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
_STORED = rb"[0-9a-f]{16}:" + _NUMBER
_GREETING = re.compile(
    rb"logchain/1 session=([0-9a-f]{16}) resume=((?:%b(?:,%b){0,%d})?)" % (_STORED, _STORED, MAX_RESUME - 1)
)
_OK = re.compile(rb"ok (%b)" % _NUMBER)
_REFUSAL = re.compile(rb"busy|full|error [\x20-\x7e]{1,200}")


class Greeting(NamedTuple):
    """The collector's first line: this session, and what earlier ones stored, newest first."""

    session: str
    resume: tuple[tuple[str, int], ...] = ()

    @property
    def newest(self) -> str:
        """The last session that stored a line before this one; empty if there is none."""
        return self.resume[0][0] if self.resume else ""

    def stored(self, session: str, newest_before: str) -> int | None:
        """Return how many lines of a session of ours are durable; None if that cannot be told.

        newest_before is what `newest` was when that session was greeted.
        """
        stored = dict(self.resume)
        if session in stored:
            return stored[session]
        # The list is without gaps. So the session stored nothing if the list is not full, and also if it
        # still reaches back to one that is older than the session.
        if len(stored) < MAX_RESUME or newest_before in stored:
            return 0
        return None

    def resumed(self, session: str, newest_before: str, acknowledged: int) -> tuple[int, list[tuple[str, str]]]:
        """Return how many lines of a session of ours are not sent again, and the notes (event, words) for the log.

        What was acknowledged is not sent again, whatever the collector says now: the source may have let go of it.
        """
        stored = self.stored(session, newest_before)
        if stored is None:
            words = "the collector no longer knows the last session: lines may come twice"
            return acknowledged, [("unknown", words)]
        if stored < acknowledged:
            words = f"the collector no longer counts {acknowledged - stored} lines that it had acknowledged"
            return acknowledged, [("lost", words)]
        return stored, []


class Ok(NamedTuple):
    """So many lines of this session are durable."""

    lines: int


class Refusal(NamedTuple):
    """The collector's last word: `busy`, `full`, or `error` and why."""

    words: str


Event: TypeAlias = Greeting | Ok | Refusal


class Incoming:
    """Turns the collector's bytes into events, however they are split."""

    def __init__(self) -> None:
        self._rest = b""
        self._greeted = False
        self._over = False
        self._acknowledged = 0

    def feed(self, untrusted_data: bytes) -> Iterator[Event]:
        """Yield what the bytes complete; raise WireError at the first thing that must not be."""
        *untrusted_lines, self._rest = (self._rest + untrusted_data).split(b"\n")
        for untrusted_line in untrusted_lines:
            yield self._event(untrusted_line)
        if self._over and self._rest:
            raise WireError("the collector went on after its last word")
        if len(self._rest) > MAX_LINE:
            raise WireError("the collector's line is too long")

    def _event(self, untrusted_line: bytes) -> Event:
        if self._over:
            raise WireError("the collector went on after its last word")
        if len(untrusted_line) > MAX_LINE:
            raise WireError("the collector's line is too long")
        if _REFUSAL.fullmatch(untrusted_line):
            self._over = True
            return Refusal(untrusted_line.decode("ascii"))
        if not self._greeted:
            self._greeted = True
            return _greeting(untrusted_line)
        match = _OK.fullmatch(untrusted_line)
        if not match:
            raise WireError("the collector's line is neither ok, busy, full nor error")
        lines = _number(match[1])
        if lines < self._acknowledged:
            raise WireError("the collector took an ok back")
        self._acknowledged = lines
        return Ok(lines)


def _greeting(untrusted_line: bytes) -> Greeting:
    match = _GREETING.fullmatch(untrusted_line)
    if not match:
        raise WireError("no greeting of logchain/1 came")
    session = match[1].decode("ascii")
    pairs = [pair.split(b":") for pair in match[2].split(b",") if pair]
    resume = tuple((name.decode("ascii"), _number(number)) for name, number in pairs)
    if len({session, *(name for name, _ in resume)}) != len(resume) + 1:
        raise WireError("the greeting names a session twice")
    return Greeting(session, resume)


def _number(digits: bytes) -> int:
    number = int(digits)  # the pattern allows only canonical digits, at most 19
    if number > MAX_NUMBER:
        raise WireError("the collector's number is too large")
    return number
