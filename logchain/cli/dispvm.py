"""Hands a file to another qube, a disposable or one that is asked for, and leaves nothing of it here."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from logchain.cli.new_files import end_in_order
from logchain.format.errors import StoreError, UsageError
from logchain.format.names import check_vm

__all__ = ["copy_over", "dispvm_option", "find_command", "hand_over", "private_directory"]

_MEMORY = "/dev/shm"
_NAME = "logchain-handed-over-"  # what bears it is shredded: nobody else's directory does
_CHUNK = bytes(1 << 20)


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


def find_command(*, to_qube: bool = False, dispvm: str | None = None) -> None:
    """Raise UsageError where there is no command to hand a file over with: it is looked for before there is a file."""
    name = "qvm-copy" if to_qube else "qvm-open-in-vm" if dispvm else "qvm-open-in-dvm"
    if not shutil.which(name):
        raise UsageError(f"there is no {name} here: it goes to another qube, from a qube of Qubes OS")


def hand_over(path: Path, dispvm: str | None) -> None:
    """Show a file in a disposable, of the template that is named or of the default one, until the viewer is closed.

    Raises StoreError where the file could not be shown.
    """
    if dispvm:
        target = f"@dispvm:{dispvm}"
        _call(["qvm-open-in-vm", "--view-only", target, str(path)], "qubes.OpenInVM", target, "show")
    else:
        _call(["qvm-open-in-dvm", "--view-only", str(path)], "qubes.OpenInVM", "@dispvm", "show")


def copy_over(path: Path) -> None:
    """Copy a file to a qube that dom0 asks the person for; errors as for `hand_over`."""
    _call(["qvm-copy", str(path)], "qubes.Filecopy", "@default", "copy")


def _call(command: list[str], service: str, target: str, doing: str) -> None:
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        why = f"it ended with {code}"
        if code == 126:
            why = f"dom0 refused it: its policy has no line that allows {service} from this qube to {target}"
        raise StoreError(f"{command[0]} could not {doing} it: {why}. Nothing of it stays here")
