"""Syslog from programs of this qube: a socket such as /dev/log, UDP and TCP on loopback."""

import os
import re
import select
import socket
import stat
import struct
import time
from contextlib import suppress
from typing import Any

from log_exporter.config import Check, priority, size, texts
from log_exporter.errors import UsageError
from log_exporter.line import now, own_line
from log_exporter.messages import printable
from log_exporter.setup import Setup, choice
from log_exporter.sources.framing import Frames, Messages
from log_exporter.spooled import Spooled

SPOOL = 64 << 20
_READ = 256 * 1024
_CONNECTIONS = 64
_SILENT = 60.0  # seconds after which a connection makes way for another
_BUFFER = 8 << 20  # bytes that the kernel keeps for us, if it may
_DROPPED = getattr(socket, "SO_RXQ_OVFL", 40)  # a datagram comes with how many before it the kernel dropped
_CREDENTIALS = struct.Struct("3i")
_EXTRA = socket.CMSG_SPACE(_CREDENTIALS.size)  # has no room for descriptors, which anybody may send
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LOOPBACK = re.compile(r"127(\.(0|[1-9][0-9]{0,2})){3}|\[::1\]")
_LISTEN = ["unix:/dev/log"]


class Address:
    """Where to listen: unix:/path, udp:127.0.0.1:514, tcp:[::1]:601."""

    def __init__(self, untrusted_text: str) -> None:
        self.text = untrusted_text
        self.kind, _, rest = untrusted_text.partition(":")
        if self.kind == "unix" and rest.startswith("/"):
            self.path = rest
            return
        self.host, _, port = rest.rpartition(":")
        if self.kind not in ("udp", "tcp") or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError("unix:/path, udp:127.0.0.1:PORT or tcp:127.0.0.1:PORT")
        if not _LOOPBACK.fullmatch(self.host):
            raise ValueError("an address on loopback, 127.0.0.1 or [::1]: nobody knows who sends over a network")
        self.port = int(port)

    def open(self) -> socket.socket:
        """Return a bound socket that does not block; raises OSError."""
        if self.kind == "unix":
            return self._open_unix()
        family = socket.AF_INET6 if self.host == "[::1]" else socket.AF_INET
        kind = socket.SOCK_DGRAM if self.kind == "udp" else socket.SOCK_STREAM
        opened = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            if self.kind == "tcp":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((self.host.strip("[]"), self.port))
            if self.kind == "tcp":
                opened.listen(_CONNECTIONS)
        except OSError:
            opened.close()
            raise
        return opened

    def _open_unix(self) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if os.path.lexists(self.path):
                try:
                    opened.connect(self.path)
                except ConnectionRefusedError:
                    if not stat.S_ISSOCK(os.stat(self.path).st_mode):
                        raise OSError(0, "a file is there that is not a socket: move it, or listen elsewhere") from None
                    os.unlink(self.path)  # left by somebody who is gone
                else:
                    raise OSError(0, "somebody listens there (journald? then use the source journald)")
                opened.close()
                opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            opened.bind(self.path)
            self.bound = _identity(self.path)
            os.chmod(self.path, 0o666)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        except OSError:
            opened.close()
            raise
        return opened


def addresses(value: Any) -> list[str]:
    """A list of addresses to listen on."""
    return [Address(item).text for item in texts(value)]


SETTINGS: dict[str, Check] = {"listen": addresses, "priority": priority, "spool": size}
NEEDED: list[str] = []


def make(setup: Setup, settings: dict[str, Any]) -> Spooled:
    """Return the source of these settings."""
    messages = Messages(setup.host, choice(settings), settings.get("priority", 7))
    addresses = [Address(item) for item in settings.get("listen", _LISTEN)]
    spool = settings.get("spool", SPOOL)
    return setup.spooled(lambda: Syslog(addresses, messages, setup.host, setup.stream), spool)


class _Connection:
    def __init__(self, connection: socket.socket, frames: Frames) -> None:
        self.socket = connection
        self.frames = frames
        self.heard = time.monotonic()


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


class Syslog:
    """Messages from sockets. Nobody who logs is made to wait: what the spool cannot take is dropped and counted."""

    patient = False
    finished = False

    def __init__(self, addresses: list[Address], messages: Messages, host: str, stream: str) -> None:
        self._messages = messages
        self._host = host
        self._own = b"%d" % os.getpid()
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[Address, socket.socket]] = {}
        self._connections: dict[int, _Connection] = {}  # whoever was heard last is the last
        self._full = False  # more connections than may be, and that was told
        self._dropped: dict[int, int] = {}  # by the kernel, as far as it was told
        for address in addresses:
            try:
                opened = address.open()
            except OSError as error:
                self.close()
                raise UsageError(f"{stream}: {printable(address.text)}: {error.strerror}") from error
            self._sockets[opened.fileno()] = address, opened
            if address.kind != "tcp":
                with suppress(OSError):
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
                    opened.setsockopt(socket.SOL_SOCKET, _DROPPED, 1)
            self._epoll.register(opened.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Return the epoll that has all sockets."""
        return self._epoll.fileno()

    def take(self) -> bytes:
        """Return what has come, as lines."""
        lines: list[bytes] = []
        for descriptor, _ in self._epoll.poll(0):
            if descriptor in self._connections:
                self._take_stream(descriptor, lines)
            elif descriptor in self._sockets:  # else it made way for another just now
                address, opened = self._sockets[descriptor]
                take = self._accept if address.kind == "tcp" else self._take_datagrams
                take(address, opened, lines)
        return b"".join(lines)

    def _take_datagrams(self, address: Address, opened: socket.socket, lines: list[bytes]) -> None:
        size, time_now = 0, now()
        while size < _READ:
            try:
                data, extra, _, _ = opened.recvmsg(_READ, _EXTRA)
            except OSError:  # there is no more
                return
            size += len(data) + 64
            origin = {"transport": address.kind.encode()}
            for level, kind, value in extra:
                if level != socket.SOL_SOCKET:
                    continue
                if kind == socket.SCM_CREDENTIALS:
                    pid, uid, gid = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])
                    origin |= {"pid": b"%d" % pid, "uid": b"%d" % uid, "gid": b"%d" % gid}
                elif kind == socket.SCM_RIGHTS:
                    for (received,) in struct.iter_unpack("i", value[: len(value) // 4 * 4]):
                        os.close(received)
                elif kind == _DROPPED:
                    self._tell_dropped(address, opened.fileno(), int.from_bytes(value[:4], "little"), lines)
            if origin.get("pid") != self._own:  # what we say ourselves is not sent
                lines.append(self._messages.line(data, time_now, origin))

    def _tell_dropped(self, address: Address, descriptor: int, dropped: int, lines: list[bytes]) -> None:
        before = self._dropped.get(descriptor, 0)
        if dropped != before:
            self._dropped[descriptor] = dropped
            words = (
                f"{(dropped - before) & 0xFFFFFFFF} messages to {printable(address.text)} were dropped by the kernel"
            )
            lines.append(own_line(self._host, "dropped", words))

    def _accept(self, address: Address, opened: socket.socket, lines: list[bytes]) -> None:
        with suppress(OSError):
            connection, _ = opened.accept()
            if len(self._connections) >= _CONNECTIONS:
                self._tell_full(address, lines)
                descriptor, first = next(iter(self._connections.items()))
                if time.monotonic() - first.heard < _SILENT:
                    connection.close()
                    return
                self._end(descriptor, lines)
            connection.setblocking(False)
            self._connections[connection.fileno()] = _Connection(connection, Frames(self._messages.choice))
            self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _tell_full(self, address: Address, lines: list[bytes]) -> None:
        """Say it once, until half of the connections have ended."""
        if not self._full:
            self._full = True
            words = f"{_CONNECTIONS} connections to {printable(address.text)} are open: "
            words += f"a new one takes the place of one that was silent for {_SILENT:.0f} s, or is closed at once"
            lines.append(own_line(self._host, "connections", words))

    def _take_stream(self, descriptor: int, lines: list[bytes]) -> None:
        connection = self._connections[descriptor]
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(descriptor, lines)
            return
        connection.heard = time.monotonic()
        self._connections[descriptor] = self._connections.pop(descriptor)
        self._add(connection.frames.feed(data), lines)

    def _end(self, descriptor: int, lines: list[bytes]) -> None:
        connection = self._connections.pop(descriptor)
        self._add(connection.frames.end(), lines)
        connection.socket.close()
        self._full = self._full and len(self._connections) > _CONNECTIONS // 2

    def _add(self, messages: list[bytes], lines: list[bytes]) -> None:
        time_now, origin = now(), {"transport": b"tcp"}
        lines += [self._messages.line(message, time_now, origin) for message in messages]

    def close(self) -> None:
        """Close all sockets; a path that was made goes too, if it is still the one."""
        for address, opened in self._sockets.values():
            opened.close()
            if address.kind == "unix":
                with suppress(OSError):
                    if _identity(address.path) == address.bound:
                        os.unlink(address.path)
        for connection in self._connections.values():
            connection.socket.close()
        self._epoll.close()
