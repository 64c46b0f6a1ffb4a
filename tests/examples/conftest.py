"""What the tests of the examples share: a LogVM's door, and a qube whose qrexec client leads to it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collect.door import Door, doors
from tests.conftest import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPORTER = EXAMPLES.parent / "exporter"
QREXEC = Path(__file__).with_name("qrexec.py")


@pytest.fixture
def new_door(store: Store, tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Start the collector of a LogVM."""
    yield from doors(store, tmp_path)


class Qube:
    """A directory that stands for a qube's file system, with the clients of qrexec in it."""

    def __init__(self, directory: Path, store: Store, door: Door, name: str) -> None:
        self.here, self.store, self.door, self.name = directory, store, door, name
        self.program("qrexec-client-vm", sys.executable, "-S", str(QREXEC), door.path, name, "qrexec-client-vm")
        self.program("qrexec-client", sys.executable, "-S", str(QREXEC), door.path, name, "qrexec-client")
        self.program("log-exporter", sys.executable, "-c", "from log_exporter.main import main; main()")

    def program(self, name: str, *command: str) -> Path:
        """Make a program that runs a command; what calls it by its full path below /usr/bin finds it here."""
        path = self.here / "usr" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        first = f"PYTHONPATH={shlex.quote(str(EXPORTER))} PATH={shlex.quote(str(path.parent))}:$PATH"
        path.write_text(f'#!/bin/sh\n{first} exec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)
        return path

    def example(self, name: str) -> str:
        """Return an example, with its paths below this directory."""
        text = (EXAMPLES / name).read_text()
        for root in ("/usr/bin/", "/run/", "/var/"):
            text = text.replace(root, f"{self.here}{root}")
        return text

    @contextmanager
    def exporter(self, config: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the daemon with a configuration; what it says is in `exporter-said`."""
        places = {name: self.here / name for name in ("state", "spool", "status")}
        for place in places.values():
            place.mkdir(exist_ok=True)
        here = "".join(f'{name} = "{place}"\n' for name, place in places.items())
        (self.here / "log-exporter.toml").write_text(here.replace('status"', 'status/now"') + config)
        environment = os.environ | {"PATH": f"{self.here / 'usr' / 'bin'}:{os.environ['PATH']}"}
        with (self.here / "exporter-said").open("ab") as said:
            process = subprocess.Popen(
                [self.here / "usr" / "bin" / "log-exporter", "run", "--config", self.here / "log-exporter.toml"],
                env=environment,
                stderr=said,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def qube(store: Store, new_door: Callable[..., Door], tmp_path: Path) -> Qube:
    """The qube `work`."""
    return Qube(tmp_path, store, new_door(), "work")
