r"""The lines that are sent: RFC 5424 with a reversible escaping (docs/spec/line.md). No I/O.

    <13>1 - work syslog - - [file@32473 path="/var/log/syslog"] tab\x09and back\\slash

A line of a file is a line on the wire, so a block of lines is dressed as a whole; there is no work per line.
"""

import re
import time
from typing import NamedTuple, Protocol

_USER_NOTICE = 13
_SYSLOG_WARNING = 44  # facility 5: messages of the logging itself

# The backslash comes first, so that it is not escaped again in what the others become.
_ESCAPED = {0x5C: b"\\\\", 0x0A: b"\\n"} | {byte: b"\\x%02x" % byte for byte in (*range(0x20), 0x7F) if byte != 0x0A}
_AS_THEY_ARE = bytes(set(range(256)) - set(_ESCAPED))
_C1 = re.compile("[\x80-\x9f]")
_UNESCAPE = re.compile(rb"\\(?:([\\n])|x([0-9a-f]{2})|)")


def escape(message: bytes) -> bytes:
    """Return one line of valid UTF-8 without control characters, from which unescape() gets the bytes back."""
    return _escape(message, _AS_THEY_ARE)


def escape_lines(lines: bytes) -> bytes:
    """Escape whole lines at once: all but their newlines."""
    return _escape(lines, _AS_THEY_ARE + b"\n")


def _escape(data: bytes, as_they_are: bytes) -> bytes:
    present = set(data.translate(None, as_they_are))
    if present:
        for byte, escaped in _ESCAPED.items():
            if byte in present:
                data = data.replace(bytes((byte,)), escaped)
    if data.isascii():
        return data
    text = data.decode("utf-8", "backslashreplace")  # \xHH for each byte that is no UTF-8
    return _C1.sub(lambda match: f"\\xc2\\x{ord(match[0]):02x}", text).encode()


def unescape(untrusted_message: bytes) -> bytes:
    """Return the bytes that escape() was given; refuse what it would not have made."""
    message = _UNESCAPE.sub(_unescaped, untrusted_message)
    if escape(message) != untrusted_message:
        raise ValueError("this is not an escaped message")
    return message


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return b"\n" if match[1] == b"n" else b"\\"
    return bytes.fromhex(match[2].decode()) if match[2] else b""


def whole_characters(part: bytes) -> int:
    """Return where to cut a part of a line so that no UTF-8 character is torn."""
    for back in range(1, min(3, len(part)) + 1):
        byte = part[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(part) - back if back < length else len(part)
        if byte < 0x80:
            break
    return len(part)


def after_lines(data: bytes | bytearray, lines: int) -> int:
    """Return the offset behind so many newlines; there must be as many."""
    offset = 0
    for _ in range(lines):
        offset = data.index(b"\n", offset) + 1
    return offset


def dress(head: bytes, lines: bytes) -> bytes:
    """Put the head in front of each line; the last one ends with its newline."""
    return head + lines[:-1].replace(b"\n", b"\n" + head) + b"\n" if head else lines


class Form(Protocol):
    """How a line looks on the wire: a head, which may be empty, then the body."""

    def head_of_file(self, untrusted_path: bytes) -> bytes:
        """Return what stands before each line of a file."""

    def head_now(self) -> bytes:
        """Return what stands before each line that is read at this moment."""

    def body(self, lines: bytes) -> bytes:
        """Return the lines, or a part of one, as they are sent."""

    def message(self, message: bytes) -> bytes:
        """Return one message, which may have newlines in it, as it is sent: without any."""


class Plain:
    """Lines as they are."""

    def head_of_file(self, untrusted_path: bytes) -> bytes:  # noqa: ARG002 (a Form)
        """Return nothing."""
        return b""

    def head_now(self) -> bytes:
        """Return nothing."""
        return b""

    def body(self, lines: bytes) -> bytes:
        """Return the same bytes."""
        return lines

    def message(self, message: bytes) -> bytes:
        r"""Return the message with \n for each newline."""
        return message.replace(b"\n", b"\\n")


class Rfc5424(NamedTuple):
    """RFC 5424 lines of this host; `app` stands instead of the file's name."""

    host: str
    app: str = ""

    def head_of_file(self, untrusted_path: bytes) -> bytes:
        """Return the head for a file's lines. It has no time: nothing says when an old line was written."""
        name = untrusted_path.rpartition(b"/")[2].decode("latin-1")
        data = f'[file@32473 path="{sd_value(untrusted_path)}"]'
        return _head(_USER_NOTICE, "-", self.host, self.app or name, "-", data)

    def head_now(self) -> bytes:
        """Return the head for lines that are read at this moment."""
        return _head(_USER_NOTICE, now(), self.host, self.app or "stdin", "-", "-")

    def body(self, lines: bytes) -> bytes:
        """Return the lines, or a part of one, escaped."""
        return escape_lines(lines)

    def message(self, message: bytes) -> bytes:
        """Return the message escaped."""
        return escape(message)


def own_line(host: str, event: str, words: str) -> bytes:
    """Return a line of the exporter's own, for what whoever reads the log must know."""
    return _head(_SYSLOG_WARNING, now(), host, "log-exporter", event, "-") + escape(words.encode()) + b"\n"


def name(untrusted_text: str, limit: int) -> str:
    """Return text that RFC 5424 allows in a field of the header."""
    return "".join(c if "!" <= c <= "~" else "_" for c in untrusted_text[:limit]) or "-"


def sd_value(untrusted_value: bytes) -> str:
    """Return a value for structured data: escaped as a message is, then as RFC 5424 §6.3.3 wants it."""
    return re.sub(r'(["\\\]])', r"\\\1", escape(untrusted_value).decode())


def _head(priority: int, moment: str, host: str, app: str, event: str, data: str) -> bytes:
    return f"<{priority}>1 {moment} {name(host, 255)} {name(app, 48)} - {name(event, 32)} {data} ".encode()


def now() -> str:
    """Return this moment as RFC 5424 has it, UTC."""
    return at(time.time_ns() // 1000)


def at(microseconds: int) -> str:
    """Return a moment since 1970 as RFC 5424 has it, UTC."""
    second, fraction = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{fraction:06d}Z"
