"""Real rsyslog and syslog-ng, with a configuration of ours: started, fed over their socket, ended."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.programs import RSYSLOGD, SYSLOG_NGD, find, peer

PATIENCE = 60.0

RSYSLOG = """\
global(workDirectory="HERE")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="HERE/log")
"""
SYSLOG_NG = """\
@version: current
options { keep-hostname(yes); };
source s_src { unix-dgram("HERE/log"); };
"""


class Daemon:
    """One of the two while it runs."""

    def __init__(self, here: Path, process: subprocess.Popen[bytes]) -> None:
        self.here, self.process = here, process
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def connect(self) -> None:
        """Wait until it listens."""
        end = time.monotonic() + PATIENCE
        while self.socket.connect_ex(str(self.here / "log")) != 0:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def log(self, words: list[str]) -> None:
        """Log a line for each, as programs do with syslog(3)."""
        for word in words:
            self.socket.send(f"<13>Nov 23 03:45:01 app[12]: {word}".encode())

    def said(self) -> str:
        """Return what it said of itself."""
        return (self.here / "said").read_text(errors="replace")

    def stop(self) -> None:
        """End it in order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


@contextmanager
def rsyslog(here: Path, example: str) -> Iterator[Daemon]:
    """Run rsyslog with an example as its drop-in."""
    yield from _running(here, RSYSLOGD, RSYSLOG + example)


@contextmanager
def syslog_ng(here: Path, example: str) -> Iterator[Daemon]:
    """Run syslog-ng with an example as its drop-in."""
    yield from _running(here, SYSLOG_NGD, SYSLOG_NG + example)


def _running(here: Path, command: tuple[str, ...], config: str) -> Iterator[Daemon]:
    (here / "conf").write_text(config.replace("HERE", str(here)))
    with (here / "said").open("ab") as said:
        process = subprocess.Popen(peer(*command), cwd=here, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    daemon = Daemon(here, process)
    try:
        daemon.connect()
        yield daemon
    finally:
        daemon.socket.close()
        process.kill()
        process.wait()


def lacks(program: str) -> bool:
    """Whether a daemon is neither installed nor below PEERS."""
    return find(program) is None
