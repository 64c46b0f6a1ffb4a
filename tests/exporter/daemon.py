"""A daemon as a process: its configuration, and what the collector has stored of each stream."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.exporter.bench import COLLECTOR, IMPATIENT, ROOT

THREE = """
[streams.files]
source = "files"
paths = ["{}/logs/*.log"]
[streams.tick]
source = "exec"
command = ["sh", "-c", "echo one; echo two; exec sleep 600"]
[streams.syslog]
source = "syslog"
listen = ["unix:{}/log"]
"""


class Daemon:
    """A configuration, the exporter that runs it, and what the collector has stored of each stream."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "exporter.toml"
        self.process: subprocess.Popen[bytes] | None = None
        self.bad = ""
        (directory / "logs").mkdir()

    def configure(self, streams: str, off: str = "") -> None:
        """Write the configuration; while a file `off` is there nobody answers."""
        collector = shlex.join([sys.executable, str(COLLECTOR)])
        if off:
            script = self.directory / "carry"
            script.write_text(f'#!/bin/sh\n[ -e {off} ] && exit 1\nexec {collector} "$@"\n')
            script.chmod(0o755)
            collector = str(script)
        where = self.directory
        self.config.write_text(
            f'transport = "{collector} {where}/store-STREAM {self.bad}"\nstate = "{where}/state"\n'
            f'spool = "{where}/spool"\nstatus = "{where}/run/status"\n{streams}\n'
        )

    def start(self, **environment: str) -> None:
        """Start it."""
        command = [sys.executable, str(IMPATIENT), "run", "--config", str(self.config)]
        variables = os.environ | {"PYTHONPATH": f"{ROOT / 'exporter'}"} | environment
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=variables)

    def kill(self) -> None:
        """Kill it, and wait until its calls have ended."""
        assert self.process
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """Stop it in order; return what it said."""
        assert self.process
        self.process.terminate()
        said = self.process.communicate(timeout=30)[1].decode()
        assert self.process.returncode == 0, said
        return said

    def stored(self, stream: str) -> list[bytes]:
        """Return the stream's lines."""
        with suppress(FileNotFoundError):
            data = (self.directory / f"store-{stream}" / "stored").read_bytes()
            return [line[17:] for line in data.split(b"\n")[:-1]]
        return []

    def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait for something."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            assert self.process is None or self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def until_stored(self, stream: str, *words: bytes) -> None:
        """Wait until exactly these lines are stored, of each the last words."""
        self.until(lambda: len(self.stored(stream)) >= len(words))
        assert [line.rpartition(b"] ")[2].rpartition(b" - - - ")[2] for line in self.stored(stream)] == list(words)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same configuration."""
        command = [sys.executable, "-m", "log_exporter.main", *arguments, "--config", str(self.config)]
        variables = os.environ | {"PYTHONPATH": f"{ROOT / 'exporter'}"}
        return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
