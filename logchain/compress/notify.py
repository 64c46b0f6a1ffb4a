"""What the service manager is told: that we are ready, alive, and what we do (sd_notify(3))."""

import os
import socket
from contextlib import suppress

__all__ = ["Notifier"]


class Notifier:
    """Tells systemd, where it listens; says nothing elsewhere."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros = os.environ.pop("WATCHDOG_USEC", "")
        ours = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(micros) / 2_000_000 if ours and micros.isdecimal() else None  # s between two signs of life

    def ready(self, status: str) -> None:
        """Say that the start is over."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self, status: str) -> None:
        """Give a sign of life, and say what is being done."""
        self._tell(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if self._address:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK  # who does not listen holds nobody up
            with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
                sender.sendto(text.encode(), self._address)
