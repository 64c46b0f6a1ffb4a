"""A journal entry as a line: RFC 5424, the fields that journald vouches for as structured data. No I/O.

<38>1 2026-11-23T03:45:01.123456Z work sshd 411 - [journal@32473 unit="ssh.service" … monotonic="12.000345"] Accepted…
"""

import time
from collections.abc import Callable
from typing import TypeAlias

from log_exporter.choice import Choice, Names
from log_exporter.line import escape, name, sd_value

FIELDS = (
    b"MESSAGE",
    b"PRIORITY",
    b"_SYSTEMD_UNIT",
    b"_TRANSPORT",
    b"SYSLOG_FACILITY",
    b"SYSLOG_IDENTIFIER",
    b"_COMM",
    b"_PID",
    b"_UID",
    b"_EXE",
)
USER_UNIT = b"_SYSTEMD_USER_UNIT"  # only where the unit is user@….service
MESSAGE_ID = b"MESSAGE_ID"  # only where the transport is journal or driver

LONGEST_SENT = 1 << 20  # bytes of a message: any user may log some hundred MiB in one. The rest is left out, and told
# Bytes of a field: what is to be hidden may stand on both sides of the cut.
LONGEST_READ = LONGEST_SENT + (64 << 10)

_NAMED = ("unit", "user_unit", "transport", "comm", "uid", "exe")  # in the structured data, in this order

_INFO, _USER = 6, 1  # where an entry says neither priority nor facility
_KEPT = 1024  # heads that are remembered: most entries have one that was there before
_LONGEST_KEPT = 1024  # bytes of the fields of one that is: some are the sender's, of any length

Get: TypeAlias = Callable[[bytes], bytes]


class Entries:
    """Turns entries of this host into lines, and leaves out what is not wanted."""

    def __init__(self, host: str, choice: Choice, units: Names, priority: int, own_unit: bytes = b"") -> None:
        self._host = host
        self._choice = choice
        self._units = units
        self._priority = priority
        self._own_unit = own_unit
        self._heads: dict[tuple[bytes, ...], tuple[bytes, bytes] | None] = {}
        self._second, self._second_text = -1, b""

    def line(self, realtime: int, monotonic: int, boot: bytes, values: list[bytes], get: Get) -> bytes:
        """Return the entry's line with its newline; nothing if it is not wanted.

        `values` are those of FIELDS, empty where the entry has none; `get` returns that of another field.
        """
        message, *others = values
        user_unit = get(USER_UNIT) if others[1].startswith(b"user@") else b""
        message_id = get(MESSAGE_ID) if others[2] in (b"journal", b"driver") else b""
        key = (boot, user_unit, message_id, *others)
        try:
            head = self._heads[key]
        except KeyError:
            head = self._head(*key)
            if sum(map(len, key)) <= _LONGEST_KEPT:
                if len(self._heads) >= _KEPT:
                    self._heads.clear()
                self._heads[key] = head
        if head is None:
            return b""
        cut = b"" if message else b' message="none"'
        if len(message) > LONGEST_SENT:
            message = message[: self._choice.cut(message, LONGEST_SENT)]
            cut = b' cut="%d"' % len(message)
        chosen = message if self._choice.everything else self._choice.message(message)
        if chosen is None:
            return b""
        second, fraction = divmod(realtime, 1_000_000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        return b'%b%b.%06dZ%b monotonic="%d.%06d"%b] %b\n' % (
            head[0],
            self._second_text,
            fraction,
            head[1],
            *divmod(monotonic, 1_000_000),
            cut,
            escape(chosen),
        )

    def _head(
        self,
        boot: bytes,
        user_unit: bytes,
        message_id: bytes,
        priority: bytes,
        unit: bytes,
        transport: bytes,
        facility: bytes,
        identifier: bytes,
        comm: bytes,
        pid: bytes,
        uid: bytes,
        exe: bytes,
    ) -> tuple[bytes, bytes] | None:
        """Return what stands before and behind the time; None if such entries are not wanted."""
        number = _number(priority, 7, _INFO)
        named = user_unit or unit or (b"kernel" if transport == b"kernel" else b"-")
        if number > self._priority or named not in self._units or (self._own_unit and unit == self._own_unit):
            return None
        kernel = 0 if transport == b"kernel" else _USER
        code = _number(facility, 23, kernel) * 8 + number
        words = [
            name(self._host, 255),
            name((identifier or comm).decode("latin-1"), 48),
            name(pid.decode("latin-1"), 128),
            name(message_id.decode("latin-1"), 32),
        ]
        values = zip(_NAMED, (unit, user_unit, transport, comm, uid, exe), strict=True)
        data = "".join(f' {key}="{sd_value(value)}"' for key, value in values if value)
        return f"<{code}>1 ".encode(), f' {" ".join(words)} [journal@32473{data} boot="{boot.hex()}"'.encode()


def _number(untrusted_digits: bytes, most: int, otherwise: int) -> int:
    """Return a small number; what is none, or too large, counts as not said."""
    if untrusted_digits.isdigit() and len(untrusted_digits) <= 2 and int(untrusted_digits) <= most:
        return int(untrusted_digits)
    return otherwise
