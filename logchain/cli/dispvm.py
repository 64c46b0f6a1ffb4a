"""Hands a file to a disposable to be looked at, and leaves nothing of it here (docs/guides/investigate.md)."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from logchain.format.errors import StoreError, UsageError

__all__ = ["hand_over", "private_directory"]

_MEMORY = "/dev/shm"
_CHUNK = bytes(1 << 20)


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory of our own, in memory if there is such a place; what is in it at the end is shredded.

    Where a signal wants to end us, that comes first.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    directory = Path(tempfile.mkdtemp(prefix="logchain-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    try:
        yield directory
    finally:
        for path in directory.iterdir():
            _shred(path)
        directory.rmdir()


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


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


def hand_over(path: Path, dispvm: str | None) -> None:
    """Show a file in a disposable, of the template that is named or of the default one, until the viewer is closed.

    Raises UsageError where this is no qube, StoreError where the file could not be shown.
    """
    if dispvm:
        command = ["qvm-open-in-vm", "--view-only", f"@dispvm:{dispvm}", str(path)]
    else:
        command = ["qvm-open-in-dvm", "--view-only", str(path)]
    if not shutil.which(command[0]):
        raise UsageError(f"there is no {command[0]} here: this opens a disposable, in a qube of Qubes OS")
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        why = "the policy in dom0 refused it" if code == 126 else f"it ended with {code}"
        raise StoreError(f"{command[0]} could not show it: {why}. Nothing of it stays here")
