"""A collector whose clocks a test sets, and which can be killed, alone or with its instances, and started again."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.collect.call import PATIENCE
from tests.collect.door import children, until
from tests.collect.stepped import SharedClocks
from tests.conftest import Store

ROOT = Path(__file__).parents[2]


def holders(path: Path) -> list[int]:
    """Return the processes that have this open, or something below it, but for this one."""
    found = [int(process.name) for process in Path("/proc").glob("[0-9]*") if any(_below(path, process / "fd"))]
    return [pid for pid in found if pid != os.getpid()]


def _below(path: Path, descriptors: Path) -> Iterator[str]:
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it is gone, or somebody else's
        for name in os.listdir(descriptors):
            with suppress(FileNotFoundError):
                if f"{os.readlink(descriptors / name)}/".startswith(f"{path}/"):
                    yield name


def ended(pid: int) -> bool:
    """Tell whether a process has ended, and all that it had is closed; perhaps nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def listens(path: Path) -> bool:
    """Tell whether somebody serves a socket."""
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(str(path)) == 0


class Collector:
    """A running `log-collector --listen`."""

    def __init__(self, store: Store, directory: Path, size: int, silence: float, settings: str) -> None:
        self.store, self.path = store, directory / "socket"
        self.clocks = SharedClocks.make(directory / "clocks", store.clock.now)
        self._errors = directory / "errors"
        (directory / "settings").write_text(settings)
        own = [str(directory / "clocks"), str(size), str(silence)]
        given = ["--listen", str(self.path), "--store", str(store.path), "--config", str(directory / "settings")]
        self._command = [sys.executable, "-m", "tests.collect.stepped", *own, *given]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.path.unlink(missing_ok=True)  # of one that was killed
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=errors)
        until(lambda: listens(self.path) or self._process.poll())
        assert self._process.poll() is None, self.errors()

    def instance(self, directory: Path) -> int | None:
        """Return the process that writes a stream, if there is one."""
        return next((pid for pid in holders(directory / "ratchet") if pid != self._process.pid), None)

    def kill(self, *, instances: bool) -> None:
        """End it with SIGKILL, alone or with its instances, and wait until nothing of it runs."""
        self._process.kill()
        while instances and (left := holders(self.store.path)):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: not holders(self.store.path))

    def kill_fork_server(self) -> None:
        """End the process that instances are forked from with SIGKILL: all of it ends."""
        for pid in children(self._process.pid):
            os.kill(pid, signal.SIGKILL)
        assert self._process.wait(PATIENCE), "it went on"
        until(lambda: not holders(self.store.path))

    def stop(self) -> None:
        """End it with SIGTERM: exit code 0, and nothing of it runs on."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0, self.errors()
        until(lambda: not holders(self.store.path))

    def close(self) -> None:
        """End it, however it stands; no traceback is in its log."""
        if self._process.poll() is None:
            self.kill(instances=True)
        assert "Traceback" not in self.errors(), self.errors()

    def errors(self) -> str:
        """Return what it said in its own log."""
        return self._errors.read_text()
