"""What `logchain show` prints of a line: for people, as it came, and for programs (docs/spec/output.md).

A format makes one item of each entry, or of a run of lines a list of items, before streams are merged; and bytes of
items that stand behind one another, when they are.
"""

import base64
import re
from collections.abc import Sequence
from datetime import tzinfo
from itertools import repeat
from operator import itemgetter
from typing import Protocol

from logchain.format.errors import FormatError
from logchain.format.limits import PREFIX, TIME_SIZE
from logchain.format.record import format_time, parse_time
from logchain.read.display import escape
from logchain.read.entries import Entry, Kind, Run
from logchain.read.times import format_local

__all__ = ["FORMATS", "Export", "Form", "Json", "Raw", "Short", "ShortFull"]

_SIGNS = {Kind.LINE: ":", Kind.PIECE: "+", Kind.CUT: "+", Kind.RESENT: "+", Kind.NOTE: "#", Kind.GAP: "!"}
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
_PRI = re.compile(rb"<(0|[1-9][0-9]{0,2})>1 ")  # of RFC 5424
_MOST_MINUTES = 1 << 16
_MINUTE, _SECONDS, _PAYLOAD = itemgetter(slice(16)), itemgetter(slice(16, 23)), itemgetter(slice(PREFIX, None))

# Select Graphic Rendition, as journalctl has them: by severity 0 (emergency) to 7 (debug)
_RED, _YELLOW, _BOLD, _DIM, _RESET = b"\x1b[1;31m", b"\x1b[1;33m", b"\x1b[1m", b"\x1b[2m", b"\x1b[0m"
_COLOURS = (_RED, _RED, _RED, _RED, _YELLOW, _BOLD, b"", _DIM)


class Form(Protocol):
    """A format; `apart` stands where lines were left out between others, `owed` before what comes next, if it comes."""

    apart: bytes
    owed: bytes

    def run(self, run: Run) -> list[bytes]:
        """Return an item for each record of a run; FormatError where one is none."""

    def entry(self, entry: Entry) -> bytes | None:
        """Return the item of an entry, None where it has none."""

    def join(self, items: Sequence[bytes]) -> bytes:
        """Return the bytes of items, in the order in which they are shown."""


class _Minutes(dict[bytes, bytes]):
    """The minutes of receive times, in a zone. No zone since 1972 is off by less than a minute."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone

    def __missing__(self, minute: bytes) -> bytes:
        if len(self) > _MOST_MINUTES:
            self.clear()
        shown = format_local(parse_time(minute + b":00.000000Z"), self._zone)[:16].encode()
        self[minute] = shown
        return shown


class Short:
    """One line an entry, safe to look at. The sign behind the stream tells what it is: no sender can forge it."""

    apart, owed = b"--\n", b""

    def __init__(self, zone: tzinfo | None, colour: bool) -> None:
        self._zone, self._colour = zone, colour
        self._minutes = _Minutes(zone)

    def run(self, run: Run) -> list[bytes]:
        """Return a line for each record."""
        minutes, where, joined, show = self._minutes, f" {run.vm}/{run.stream}: ".encode(), b"".join, self._show
        lines = run.untrusted_lines
        if self._colour:
            return [joined((minutes[line[:16]], line[16:23], where, show(line[PREFIX:]))) for line in lines]
        if run.untrusted_text.translate(None, _PLAIN):
            return [
                joined((minutes[line[:16]], line[16:23], where, show(line[PREFIX:])))
                if line.translate(None, _PLAIN)
                else joined((minutes[line[:16]], line[16:23], where, line[PREFIX:]))
                for line in lines
            ]
        # no step of Python for each
        when = map(minutes.__getitem__, map(_MINUTE, lines)), map(_SECONDS, lines)
        return list(map(joined, zip(*when, repeat(where), map(_PAYLOAD, lines), strict=False)))

    def entry(self, entry: Entry) -> bytes:
        """Return a line."""
        head = f"{format_local(entry.time, self._zone)} {entry.vm}/{entry.stream}{_SIGNS[entry.kind]} "
        return head.encode() + self._show(entry.untrusted_payload, entry.kind)

    def _show(self, untrusted_payload: bytes, kind: Kind = Kind.LINE) -> bytes:
        shown = escape(untrusted_payload).encode()
        if not self._colour:
            return shown
        match = _PRI.match(shown) if kind == Kind.LINE else None
        colour = _RED if kind == Kind.GAP else _COLOURS[int(match[1]) & 7] if match and int(match[1]) < 192 else b""
        return b"%b%b%b" % (colour, shown, _RESET) if colour else shown

    def join(self, items: Sequence[bytes]) -> bytes:
        """Return the lines."""
        return b"\n".join((*items, b"")) if items else b""


class ShortFull(Short):
    """The same with all of the time, the zone, and the number of the record."""

    def run(self, run: Run) -> list[bytes]:
        """Return a line for each record."""
        return [self.entry(entry) for entry in run.entries()]

    def entry(self, entry: Entry) -> bytes:
        """Return a line."""
        when = format_local(entry.time, self._zone, full=True)
        head = f"{when} {entry.vm}/{entry.stream} {entry.number}{_SIGNS[entry.kind]} "
        return head.encode() + self._show(entry.untrusted_payload, entry.kind)


class _Piece(bytes):
    """What another piece follows without a newline."""


class _Cut(bytes):
    """A cut line: it has no newline unless something follows it."""


class Raw:
    """The bytes of the lines as they were received."""

    apart = b""

    def __init__(self, _zone: tzinfo | None, _colour: bool) -> None:
        self._is_plain = True  # so far nothing but lines
        self.owed = b""

    def run(self, run: Run) -> list[bytes]:
        """Return the payloads."""
        return list(map(_PAYLOAD, run.untrusted_lines))

    def entry(self, entry: Entry) -> bytes | None:
        """Return the payload of what was sent and was not sent again."""
        if entry.kind == Kind.LINE:
            return entry.untrusted_payload
        if entry.kind not in (Kind.PIECE, Kind.CUT):
            return None
        self._is_plain = False
        return (_Piece if entry.kind == Kind.PIECE else _Cut)(entry.untrusted_payload)

    def join(self, items: Sequence[bytes]) -> bytes:
        """Return payloads with newlines."""
        if self._is_plain:
            return b"\n".join((*items, b"")) if items else b""
        joined = []
        for item in items:
            joined += [self.owed, item, b"" if isinstance(item, _Piece | _Cut) else b"\n"]
            self.owed = b"\n" if isinstance(item, _Cut) else b""
        return b"".join(joined)


class Json:
    """One JSON object a line, ASCII (docs/spec/output.md)."""

    apart = owed = b""

    def __init__(self, _zone: tzinfo | None, _colour: bool) -> None:
        from json.encoder import encode_basestring_ascii  # the other formats need not wait for it

        self._quote = encode_basestring_ascii

    def run(self, run: Run) -> list[bytes]:
        """Return an object for each record."""
        head = f'", "vm": "{run.vm}", "stream": "{run.stream}", "number": '
        tail = f', "kind": "line", "verified": {"true" if run.verified else "false"}, '
        message = self._message
        return [
            f'{{"v": 1, "time": "{line[:TIME_SIZE].decode()}{head}{number}{tail}{message(line[PREFIX:])}}}\n'.encode()
            for line, number in zip(run.untrusted_lines, run.numbers, strict=True)
        ]

    def entry(self, entry: Entry) -> bytes:
        """Return an object."""
        verified = "true" if entry.verified else "false"
        text = (
            f'{{"v": 1, "time": "{format_time(entry.time).decode()}", "vm": "{entry.vm}", "stream": "{entry.stream}", '
            f'"number": {entry.number}, "kind": "{entry.kind.value}", "verified": {verified}, '
            f"{self._message(entry.untrusted_payload)}}}\n"
        )
        return text.encode()

    def _message(self, untrusted_payload: bytes) -> str:
        """Return a payload as `message`; where it is not UTF-8, as `message_base64`."""
        try:
            text = self._quote(untrusted_payload.decode())
        except UnicodeDecodeError:
            return f'"message_base64": "{base64.b64encode(untrusted_payload).decode()}"'
        return '"message": ' + text.replace("\x7f", "\\u007f")

    def join(self, items: Sequence[bytes]) -> bytes:
        """Return the lines."""
        return b"".join(items)


class Export:
    """The journal's export format, for `systemd-journal-remote` (docs/spec/output.md)."""

    apart = owed = b""

    def __init__(self, _zone: tzinfo | None, _colour: bool) -> None:
        self._minutes: dict[bytes, int] = {}  # µs since 1970

    def run(self, run: Run) -> list[bytes]:
        """Return an entry for each record."""
        head = _head(run.vm, run.stream, Kind.LINE, run.verified)
        return [
            b"__REALTIME_TIMESTAMP=%d\n%bLOGCHAIN_NUMBER=%d\n%b\n"
            % (self._time(line), head, number, _fields(line[PREFIX:], True))
            for line, number in zip(run.untrusted_lines, run.numbers, strict=True)
        ]

    def _time(self, line: bytes) -> int:
        minute = self._minutes.get(line[:16])
        if minute is None:
            if len(self._minutes) > _MOST_MINUTES:
                self._minutes.clear()
            minute = self._minutes[line[:16]] = parse_time(line[:16] + b":00.000000Z")
        try:
            return minute + 1_000_000 * int(line[17:19]) + int(line[20:26])
        except ValueError as error:
            raise FormatError("not a receive time") from error

    def entry(self, entry: Entry) -> bytes:
        """Return an entry, the empty line behind it included."""
        head = _head(entry.vm, entry.stream, entry.kind, entry.verified)
        fields = _fields(entry.untrusted_payload, entry.kind == Kind.LINE)
        return b"__REALTIME_TIMESTAMP=%d\n%bLOGCHAIN_NUMBER=%d\n%b\n" % (entry.time, head, entry.number, fields)

    def join(self, items: Sequence[bytes]) -> bytes:
        """Return the entries."""
        return b"".join(items)


def _head(vm: str, stream: str, kind: Kind, verified: bool) -> bytes:
    """Return the fields that all lines of a run share."""
    return (
        f"_HOSTNAME={vm}\nSYSLOG_IDENTIFIER={stream}\nLOGCHAIN_FORMAT=1\nLOGCHAIN_VM={vm}\nLOGCHAIN_STREAM={stream}\n"
        f"LOGCHAIN_KIND={kind.value}\nLOGCHAIN_VERIFIED={'yes' if verified else 'no'}\n"
    ).encode()


def _fields(untrusted_payload: bytes, is_line: bool) -> bytes:
    """Return the message, and severity and facility where it is RFC 5424."""
    match = _PRI.match(untrusted_payload) if is_line else None
    pri = int(match[1]) if match else 192
    syslog = b"PRIORITY=%d\nSYSLOG_FACILITY=%d\n" % (pri & 7, pri >> 3) if pri < 192 else b""
    if untrusted_payload.isascii() and not untrusted_payload.translate(None, _PLAIN):
        return b"%bMESSAGE=%b\n" % (syslog, untrusted_payload)
    # u64le size, and the bytes
    return b"%bMESSAGE\n%b%b\n" % (syslog, len(untrusted_payload).to_bytes(8, "little"), untrusted_payload)


FORMATS: dict[str, type[Short | Raw | Json | Export]] = {
    "short": Short,
    "short-full": ShortFull,
    "raw": Raw,
    "json": Json,
    "jsonl": Json,
    "export": Export,
}
