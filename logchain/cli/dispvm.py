"""Hands a file to another qube, a disposable or one that is asked for, and leaves nothing of it here."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, NamedTuple

import click

from logchain.cli.new_files import end_in_order
from logchain.format.errors import StoreError, UsageError
from logchain.format.names import check_vm
from logchain.read.display import escape

__all__ = ["Destination", "dispvm_option", "find_disposable", "find_qube", "private_directory"]

_MEMORY = "/dev/shm"
_NAME = "logchain-handed-over-"  # what bears it is shredded: nobody else's directory does
_CHUNK = bytes(1 << 20)
_MOST_LINES, _LONGEST = 100, 1_000  # lines, and bytes of a line, of what a command of Qubes says
_MOST = 16_000  # characters of all of it, escaped: what we say at the end has to find room
_PATIENCE = 1.0  # s for the rest of it, where something that the command left behind holds the pipe


def _checked(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return None if name is None else check_vm(name)


dispvm_option = click.option(
    "--dispvm",
    metavar="NAME",
    callback=_checked,
    help="A disposable of this template. (default: that of [open] in the settings, or the qube's own)",
)


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory of our own, in memory if there is such a place; what is in it at the end is shredded.

    Where a signal wants to end us, that comes first. What a command left that was killed goes with the next one.
    """
    end_in_order()
    base = Path(_MEMORY if os.access(_MEMORY, os.W_OK) else tempfile.gettempdir())
    _clear_left(base)
    made = Path(tempfile.mkdtemp(prefix=f".{_NAME}", dir=base))
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # before it has the name by which others look for what is left
    directory = made.rename(base / made.name[1:])
    try:
        yield directory
    finally:
        _clear(directory)
        os.close(lock)


def _clear_left(base: Path) -> None:
    """Clear away the directories of commands of ours that do not run any more."""
    for directory in base.glob(f"{_NAME}*"):
        with suppress(OSError):
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.geteuid():
                    _clear(directory)
            finally:
                os.close(lock)


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        _shred(path)
    directory.rmdir()


def _shred(path: Path) -> None:
    """Overwrite a file, and remove it. In memory that is all; a disk may have copies that nobody can reach."""
    try:
        with path.open("r+b") as file:
            left = os.fstat(file.fileno()).st_size
            while left > 0:
                left -= file.write(_CHUNK[:left])
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink()


class Destination(NamedTuple):
    """Where a file goes: the command that takes it there, and what dom0's policy is asked for that."""

    command: tuple[str, ...]
    service: str
    target: str
    doing: str

    def take(self, path: Path) -> None:
        """Hand a file over; in a disposable it is shown until the viewer is closed. StoreError where that fails."""
        # what it says may be the other qube's: qrexec hands on its standard error
        command = [*self.command, str(path)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        relay = Thread(target=_relay, args=(self.command[0], process.stdout), daemon=True)
        relay.start()
        try:
            code = process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what it started: that may be what sends
            process.wait()
            raise
        relay.join(_PATIENCE)
        if code:
            why = f"it ended with {code}"
            if code == 126:
                why = (
                    "dom0 refused it: its policy has no line that allows "
                    f"{self.service} from this qube to {self.target}"
                )
            raise StoreError(f"{self.command[0]} could not {self.doing} it: {why}. Nothing of it stays here")


def _relay(name: str, pipe: IO[bytes]) -> None:
    """Say what a command says, escaped and as its words: they may be another qube's, and shall not pass for ours."""
    with pipe:
        left = _MOST
        for _ in range(_MOST_LINES):
            untrusted_line = pipe.readline(_LONGEST)
            if not untrusted_line:
                return
            line = escape(untrusted_line.rstrip())
            left -= len(line)
            if left < 0:
                break
            click.echo(f"{name}: {line}", err=True)
        click.echo(f"{name}: says more, which is not shown", err=True)
        while pipe.read(_LONGEST):
            pass  # so that it does not wait for us


def find_disposable(template: str | None) -> Destination:
    """Return the way into a disposable of this template, or of the qube's own; UsageError where there is none."""
    if template:
        target = f"@dispvm:{template}"
        return _found(Destination(("qvm-open-in-vm", "--view-only", target), "qubes.OpenInVM", target, "show"))
    return _found(Destination(("qvm-open-in-dvm", "--view-only"), "qubes.OpenInVM", "@dispvm", "show"))


def find_qube() -> Destination:
    """Return the way into a qube that dom0 asks the person for; UsageError where there is none."""
    return _found(Destination(("qvm-copy",), "qubes.Filecopy", "@default", "copy"))


def _found(destination: Destination) -> Destination:
    """See that the command is here: that is asked before there is a file."""
    name = destination.command[0]
    if not shutil.which(name):
        raise UsageError(f"there is no {name} here: it goes to another qube, from a qube of Qubes OS")
    return destination
