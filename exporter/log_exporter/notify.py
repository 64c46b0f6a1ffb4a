"""What systemd is told: that we are ready, how it goes, and that we are alive (sd_notify(3))."""

import os
import socket
from contextlib import suppress


def tell(words: str) -> None:
    """Send it, if systemd started us and wants to know."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(words.encode(), address)


def watchdog() -> float | None:
    """Return the seconds in which systemd wants to hear WATCHDOG=1; None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if microseconds.isdigit() and os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
        return int(microseconds) / 1e6
    return None
