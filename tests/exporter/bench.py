"""Exporters and collectors as processes, with the files between them."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPATIENT = Path(__file__).with_name("impatient.py")
COLLECTOR = Path(__file__).with_name("collector.py")


class Bench:
    """One directory of logs, one collector's store, and any number of exporters one after the other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.state = directory / "state"
        self.store = directory / "store"
        self.transport = shlex.join([sys.executable, str(COLLECTOR), str(self.store)])
        self._processes: list[subprocess.Popen[bytes]] = []

    def exporter(self, *arguments: str, bad: str = "", stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start an exporter; `bad` is what its collector does wrong."""
        transport = f"{self.transport} {bad}" if bad else self.transport
        command = [sys.executable, str(IMPATIENT), *arguments, "--stream", "test", "--transport", transport]
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'exporter'}"}
        process = subprocess.Popen(command, stdin=stdin, stderr=subprocess.PIPE, cwd=self.logs, env=environment)
        self._processes.append(process)
        return process

    def files(self, *arguments: str, bad: str = "") -> subprocess.Popen[bytes]:
        """Start an exporter of all files in `logs`, lines as they are."""
        patterns = [] if any("*" in argument for argument in arguments) else ["*.log*"]
        return self.exporter("files", *patterns, *arguments, "--plain", "--state-dir", str(self.state), bad=bad)

    def ship(self, *arguments: str, bad: str = "") -> str:
        """Run an exporter of all files once; return what it said."""
        process = self.files(*arguments, "--once", bad=bad)
        said = self.end_of(process)
        assert process.returncode == 0, said
        return said

    def end_of(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for an exporter's end; return what it said."""
        return process.communicate(timeout=30)[1].decode()

    def stop(self, process: subprocess.Popen[bytes]) -> str:
        """Stop an exporter in order; return what it said."""
        process.send_signal(signal.SIGTERM)
        return self.end_of(process)

    def stop_all(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stderr):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()

    def stored(self) -> list[bytes]:
        """Return the lines that the collector has, without the exporter's own."""
        return [line for line in self.everything() if b" log-exporter - " not in line]

    def notes(self) -> list[str]:
        """Return the exporter's own lines: event and words."""
        own = [line.decode() for line in self.everything() if b" log-exporter - " in line]
        return [line.split(" log-exporter - ")[1].replace(" - ", ": ", 1) for line in own]

    def everything(self) -> list[bytes]:
        """Return all lines that the collector has, in order."""
        with suppress(FileNotFoundError):
            data = (self.store / "stored").read_bytes()
            return [line[17:] for line in data.split(b"\n")[:-1]]
        return []

    def calls(self) -> list[int]:
        """Return the process ids of all collectors that were called."""
        with suppress(FileNotFoundError):
            return [int(number) for number in (self.store / "calls").read_text().split()]
        return []

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Wait for something that other processes do."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in {seconds} s; stored: {self.everything()[-5:]}"
            time.sleep(0.01)

    def until_stored(self, *lines: bytes) -> None:
        """Wait until the collector has exactly these lines."""
        self.until(lambda: len(self.stored()) >= len(lines))
        assert self.stored() == list(lines)


def children(process: int) -> list[int]:
    """Return the children of a process."""
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []
