"""A running acceptor, seen from qrexec's side: a real process, real sockets; what it says of itself is kept."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bench.processes import children
from tests.collect.call import PATIENCE, Call
from tests.conftest import Store

__all__ = ["Door", "DoorCall", "children", "descriptors", "doors", "until"]

# systemd's part: the listening socket becomes descriptor 3, and the environment says whose it is
_START = """
import os
from logchain.collect import acceptor, confine, forkserver, main, session
os.dup2({listener}, 3)
os.closerange(4, 64)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
{patches}
main.main()
"""


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.005)


def descriptors(pid: int) -> list[str]:
    """Return what a process has open."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(fd.readlink().as_posix())
    return found


def _toml(limits: dict[str, int]) -> str:
    """Return limits as settings, for tests that do not give settings yet (test_any_bytes, test_many_names)."""
    lines = []
    for name, most in limits.items():
        table = "collector" if name == "connections" else "each-vm"
        value = f'"{most >> 20} MiB/s"' if name == "rate" else most
        lines.append(f"{table}.{name.removesuffix('_per_vm').replace('_', '-')} = {value}\n")
    return "".join(lines)


class DoorCall(Call):
    """A call over a Unix socket, as qrexec's agent makes it."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        super().__init__(self.socket.fileno(), self.socket.fileno())

    def answer(self) -> bytes:
        """Return the next line that comes down, b"" at the end; who is refused with data unread is reset."""
        try:
            return super().answer()
        except ConnectionResetError:
            return b""

    def half_close(self) -> None:
        """Say that this was all."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Door:
    """A log-collector that serves a socket.

    `patches` are Python statements that make it less patient, say; `settings` is what stands in its settings file.
    """

    def __init__(self, store: Store, directory: Path, patches: str = "", settings: str = "", **limits: int) -> None:
        self.path, self.store = str(directory / "socket"), store
        config = directory / "logchain.toml"
        config.write_text(settings + _toml(limits))
        self._errors = directory / "errors"
        self._calls: list[DoorCall] = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, self._errors.open("ab") as errors:
            listener.bind(self.path)
            listener.listen(128)
            code = _START.format(listener=listener.fileno(), patches=patches)
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "--config", config],
                env=os.environ | {"LOGCHAIN_STORE": str(store.path)},
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.pid = self.process.pid

    def connect(self, untrusted_data: bytes = b"") -> DoorCall:
        """Connect, and send what comes first."""
        call = DoorCall(self.path)
        self._calls.append(call)
        call.send(untrusted_data)
        return call

    def call(self, stream: str = "main", vm: str = "work", data: bytes = b"") -> DoorCall:
        """Call logchain.Append as a qube does."""
        return self.connect(f"logchain.Append+{stream} {vm}\0".encode() + data)

    def call_until_greeted(self) -> DoorCall:
        """Call work/main until there is no `busy`."""
        while True:
            call = self.call()
            if (line := call.answer()) != b"busy":
                assert line.startswith(b"logchain/1"), line
                return call
            call.close()

    def refused(self, untrusted_data: bytes) -> bytes:
        """Return the one line that is the answer to this."""
        call = self.connect(untrusted_data)
        *words, last = call.last_words()
        call.close()
        assert not words
        return last

    def store_line(self, line: bytes = b"line", stream: str = "main", vm: str = "work") -> None:
        """Store a line in a call of its own: the acceptor serves."""
        call = self.call(stream, vm, line + b"\n")
        call.greeting()
        call.half_close()
        assert call.last_words()[-1] == b"ok 1"
        call.close()

    def instances(self) -> list[int]:
        """Return the processes that serve calls, oldest first; those that ended and were not waited for as well."""
        server, found = self.fork_server(), list[int]()

        def none_weighs() -> bool:  # for each instance, the fork server keeps a socket; the first is its own
            found[:] = children(server)
            return len(found) == sum(name.startswith("socket:") for name in descriptors(server)) - 1

        until(none_weighs)
        return found

    def fork_server(self) -> int:
        """Return the process that forks them."""
        until(lambda: children(self.pid))
        [pid] = children(self.pid)
        return pid

    def errors(self) -> str:
        """Return what it said in its own log."""
        return self._errors.read_text()

    def stop(self) -> None:
        """End it with SIGTERM: exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0

    def close(self) -> None:
        """End it, whatever the test has done; no traceback is in its log, and none of its instances stays."""
        for call in self._calls:
            call.close()
        if self.process.poll() is None:
            self.stop()
        assert "Traceback" not in self.errors(), self.errors()


def doors(store: Store, directory: Path) -> Iterator[Callable[..., Door]]:
    """Give out acceptors, and end them: the body of a fixture."""
    opened: list[Door] = []

    def start(patches: str = "", settings: str = "", **limits: int) -> Door:
        place = directory / f"door{len(opened)}"
        place.mkdir()
        opened.append(Door(store, place, patches, settings, **limits))
        return opened[-1]

    yield start
    for door in opened:
        door.close()
