"""Our collector while it is measured, and what any process takes of the machine."""

import os
import re
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import pack

STUCK = 20  # s without progress: nothing will come any more
SCRIPTS = sysconfig.get_path("scripts")


class Failed(Exception):
    """What was to be measured did not happen."""


@contextmanager
def running(command: list[str], here: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, in a directory and with its words in the file `said` there; end it if it has not."""
    with open(here / "said" if here else os.devnull, "wb") as words:
        process = subprocess.Popen(
            command, cwd=here, stdin=subprocess.PIPE, stdout=words, stderr=words if here else None
        )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def serving(settings: str, collector: Sequence[str] = (f"{SCRIPTS}/log-collector",)) -> Iterator[int]:
    """Serve a new store in a new directory, the current one then; give the acceptor's process."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        store = ["--store", "store"]
        made = [f"{SCRIPTS}/logchain", "init", *store, "--audit-secret-out", "audit"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        Path("settings").write_text(settings)
        with running([*collector, "--listen", "door", *store, "--config", "settings"]) as process:
            connect(Path("door")).close()
            yield process.pid


def connect(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Connect to a socket, as soon as it is there."""
    connection = socket.socket(socket.AF_UNIX, kind)
    for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, way, pack("ll", STUCK, 0))
    end = time.monotonic() + STUCK
    while True:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() >= end:
                connection.close()
                raise
            time.sleep(0.01)
        else:
            return connection


def call(vm: str, service: str = "logchain.Append+main") -> socket.socket:
    """Call the collector, and wait for its greeting."""
    connection = connect(Path("door"))
    connection.sendall(f"{service} {vm}\0".encode())
    greeting = connection.recv(1_000)
    if not greeting.startswith((b"logchain/1", b"OK\n")):
        raise Failed(f"the collector greets with {greeting!r}")
    return connection


def new_vm() -> str:
    """Return the name of a VM that has not sent yet."""
    return f"bench-{os.urandom(4).hex()}"


def children(pid: int) -> list[int]:
    """Return the processes that one has forked, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    return {pid}.union(*map(family, children(pid)))


def cpu(pid: int) -> float:
    """Return the CPU time that a process has used, ms: that of all its threads that are."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def pss(pid: int) -> int:
    """Return what a process has of the memory, with its share of what it shares, in bytes."""
    return int(re.findall(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[0]) << 10


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
