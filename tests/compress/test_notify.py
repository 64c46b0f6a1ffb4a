"""What systemd hears over its socket."""

import os
import socket
from pathlib import Path

import pytest

from logchain.compress.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    """Over a path or an abstract name; what we start later does not inherit the socket's name."""
    address = f"@logchain-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        notifier = Notifier()
        assert notifier.watchdog == 15.0
        assert "NOTIFY_SOCKET" not in os.environ
        notifier.ready("waiting")
        notifier.alive("sealing")
        notifier.stopping()
        heard = [systemd.recv(1_000) for _ in range(3)]
    assert heard == [b"READY=1\nSTATUS=waiting", b"WATCHDOG=1\nSTATUS=sealing", b"STOPPING=1"]
    notifier.alive("nobody listens")


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no watchdog waits for us, nor one that waits for another process."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    notifier = Notifier()
    assert notifier.watchdog is None
    notifier.ready("waiting")
