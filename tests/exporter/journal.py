"""A real journald in a mount namespace of its own, and journal files made from text."""

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

_JOURNALD = "/lib/systemd/systemd-journald"
_REMOTE = "/lib/systemd/systemd-journal-remote"
_MACHINE = "fedcba9876543210fedcba9876543210"
_START = r"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal "$1/$2" /run/lab
touch /run/systemd/journal/flushed
mount --bind "$1" /run/lab
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/journal
mount --bind /run/lab /var/log/journal
echo $2 >/run/machine-id
mount --bind /run/machine-id /etc/machine-id
mount -t tmpfs tmpfs /etc/systemd
printf '%s\n' '[Journal]' Storage=persistent ReadKMsg=no Audit=no RateLimitBurst=0 "SystemMaxFileSize=$3" \
    SyncIntervalSec=1h SystemMaxUse=16G SystemKeepFree=1M >/etc/systemd/journald.conf
exec setpriv --pdeathsig KILL $4
"""


class Journald:
    """journald over a directory of its own, as this test's child; it is gone after `stop`."""

    def __init__(self, directory: Path, file_size: str = "8M") -> None:
        self.directory = directory / _MACHINE
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _START, "sh"]
        arguments = [str(directory), _MACHINE, file_size, _JOURNALD]
        self._process = subprocess.Popen([*command, *arguments], stderr=subprocess.DEVNULL)
        self._path = f"/proc/{self._process.pid}/root/run/systemd/journal/socket"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._until(lambda: os.path.exists(self._path))

    def _until(self, condition: object) -> None:
        deadline = time.monotonic() + 60
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < deadline, "journald does not start, or not rotate"
            time.sleep(0.01)

    def log(self, message: bytes, **fields: str) -> None:
        """Log one message, as a program that speaks journald's own protocol."""
        data = b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n"
        data += b"".join(f"{name}={value}\n".encode() for name, value in fields.items())
        self._socket.sendto(data, self._path)

    def inside(self, *command: str) -> bytes:
        """Return what a command prints that has this journald's files where a system has its own."""
        where = ["nsenter", f"--target={self._process.pid}", "--mount", f"--wd={os.getcwd()}"]
        return subprocess.run([*where, *command], stdout=subprocess.PIPE, check=True).stdout

    def rotate(self) -> None:
        """Let it begin a new file, and wait for that."""
        before = set(self.directory.iterdir())
        self._process.send_signal(signal.SIGUSR2)
        self._until(lambda: set(self.directory.iterdir()) - before)

    def vacuum(self) -> None:
        """Delete all files but the one that grows."""
        for path in self.directory.glob("system@*.journal"):
            path.unlink()

    def stop(self) -> None:
        """End it."""
        self._socket.close()
        self._process.terminate()
        self._process.wait()


Entry: TypeAlias = Sequence[tuple[bytes, bytes]]


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Append entries to a journal file, as they would be exported."""
    data = b"".join(b"".join(_field(*item) for item in entry) + b"\n" for entry in entries)
    subprocess.run([_REMOTE, f"--output={path}", "-"], input=data, check=True, stderr=subprocess.DEVNULL)


def _field(name: bytes, value: bytes) -> bytes:
    if name.startswith(b"__") or name == b"_BOOT_ID":
        return name + b"=" + value + b"\n"
    return name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"


def entry(number: int, message: bytes = b"", boot: str = "b" * 32, **fields: str) -> Entry:
    """Return an entry of a numbered second."""
    times = {"__REALTIME_TIMESTAMP": f"{1795000000 + number}000000", "__MONOTONIC_TIMESTAMP": f"{number + 1}000000"}
    named = times | {"_BOOT_ID": boot, "_TRANSPORT": "syslog", "PRIORITY": "6"} | fields
    return [
        *((name.encode(), value.encode()) for name, value in named.items()),
        (b"MESSAGE", message or b"%d" % number),
    ]


def damage(path: Path, message: bytes) -> None:
    """Make a message unreadable: its object in the file is of no known type any more."""
    data = bytearray(path.read_bytes())
    text = data.index(b"MESSAGE=" + message)
    (start,) = (
        text - size for size in (64, 72) if data[text - size] == 1 and data[text - size + 8] - size == 8 + len(message)
    )
    data[start] = 99
    path.write_bytes(data)
