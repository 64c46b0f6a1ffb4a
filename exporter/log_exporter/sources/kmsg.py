"""The kernel's messages from /dev/kmsg, each exactly once, and how many the kernel itself dropped."""

import os
from collections.abc import Callable
from typing import Any

from log_exporter.choice import Choice
from log_exporter.config import Check, path, priority
from log_exporter.errors import UsageError
from log_exporter.line import escape, name, sd_value
from log_exporter.messages import printable
from log_exporter.resumed import Resumed
from log_exporter.setup import Setup, choice, current_boot_id
from log_exporter.sources import Gap, Piece, Place

SETTINGS: dict[str, Check] = {"priority": priority, "device": path}
NEEDED: list[str] = []

_KMSG = os.makedev(1, 11)  # Documentation/admin-guide/devices.txt
_RECORD = 8192  # bytes, at most (the kernel's CONSOLE_EXT_LOG_MAX)
_RECORDS = 1000  # read at once
_HIGHEST, _USER = 191, 8  # priorities: local7.debug, user.emerg
_OVERRUN = "the kernel overwrote messages before they were read"

Open = Callable[[], int]


def make(setup: Setup, settings: dict[str, Any]) -> Resumed:
    """Return the source of these settings."""
    device = settings.get("device", "/dev/kmsg")

    def opened() -> int:
        try:
            descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{setup.stream}: {printable(device)}: {error.strerror}") from error
        if os.fstat(descriptor).st_rdev != _KMSG:
            os.close(descriptor)
            raise UsageError(f"{setup.stream}: {printable(device)} is not the kernel's log: leave `device` out")
        return descriptor

    chosen, most = choice(settings), settings.get("priority", 7)
    return setup.resumed(
        Kmsg(opened, os.read, setup.host, current_boot_id(), chosen, most), repr((chosen.digest, most))
    )


class Kmsg:
    """A Reader of records (Documentation/ABI/testing/dev-kmsg). A place is the number of the last one, in its boot.

        6,1234,567890123,-;usb 1-1: new device      priority and facility, number, microseconds, flags; message
         SUBSYSTEM=usb                              and perhaps what it is about

    `opened` returns a descriptor that stands at the first record there is, `read` reads one record from it.
    """

    caught_up = True
    pause = None

    def __init__(
        self, opened: Open, read: Callable[[int, int], bytes], host: str, boot: str, choice: Choice, priority: int
    ) -> None:
        self._opened = opened
        self._read = read
        self._host = host
        self._boot = boot
        self._choice = choice
        self._priority = priority
        self._descriptor = opened()
        self._number = -1  # of the last record that was read, or that we know to be gone
        self._begun = False
        self._pending = b""

    def fileno(self) -> int:
        """Return the device."""
        return self._descriptor

    def take(self) -> None:
        """Do nothing: `read` takes."""

    def go(self, place: Place | None) -> Gap | None:
        """Go behind the record."""
        os.close(self._descriptor)
        self._descriptor, self._pending = self._opened(), b""
        self._number = -1
        if place is None:
            self._begun = False
            return None
        self._begun = True
        if place["boot"] != self._boot:
            words = f"what the kernel said behind message {place['number']} of an earlier boot is gone, if it did"
            return Gap(words, None, self._place())
        self._number = place["number"]
        return None

    def _place(self) -> Place:
        return {"boot": self._boot, "number": self._number}

    def read(self) -> Piece | Gap | None:
        """Return the next records as lines."""
        lines: list[bytes] = []
        for count in range(_RECORDS):
            record = self._pending or self._next()
            self._pending = b""
            if not record:
                if not count:
                    return None
                break
            head, _, text = record.partition(b";")
            code, number, microseconds = (int(field) for field in head.split(b",")[:3])
            if number <= self._number:
                continue
            missed = number - self._number - 1 if self._begun else 0
            self._begun = True
            if missed:
                self._pending = record
                if count:
                    break  # what is missing is told behind what came before it
                self._number = number - 1
                return Gap(_OVERRUN, missed, self._place())
            self._number = number
            line = self._line(code, number, microseconds, text)
            if line:
                lines.append(line)
        return Piece(b"".join(lines), len(lines), self._place())

    def _next(self) -> bytes:
        while True:
            try:
                return self._read(self._descriptor, _RECORD)
            except BlockingIOError:
                return b""
            except BrokenPipeError:
                pass  # overwritten: the next read has the oldest one there is, and its number tells

    def _line(self, code: int, number: int, microseconds: int, text: bytes) -> bytes:
        """Return the line; it has no time, as the kernel's clock stands while the machine sleeps."""
        message, *about = text.rstrip(b"\n").split(b"\n")
        chosen = self._choice.message(message)
        if code % 8 > self._priority or chosen is None:
            return b""
        values = {"boot": self._boot.encode(), "monotonic": b"%d.%06d" % divmod(microseconds, 1_000_000)}
        values["number"] = b"%d" % number
        for item in about:
            key, _, value = item.strip().partition(b"=")
            if key in (b"SUBSYSTEM", b"DEVICE"):
                values[key.decode().lower()] = value
        data = "".join(f' {key}="{sd_value(value)}"' for key, value in values.items())
        # Whoever may write to /dev/kmsg may name facilities that syslog does not have.
        code = code if code <= _HIGHEST else _USER + code % 8
        head = f"<{code}>1 - {name(self._host, 255)} kernel - - [kernel@32473{data}] "
        return head.encode() + escape(chosen) + b"\n"

    def stored(self, place: Place) -> None:
        """Do nothing: the kernel overwrites by itself."""

    def close(self) -> None:
        """Close the device."""
        os.close(self._descriptor)
