"""How much room logs take on the disk: allocated blocks, and 16 KiB a segment for what a file system needs besides."""

import os
from contextlib import suppress

from logchain.format.errors import OddFile, StoreError
from logchain.format.limits import SEGMENT_ROOM
from logchain.store.layout import LEDGER, LIVE, SEALED, Directory, stream_directory, streams

__all__ = ["ledger_usage", "usage"]

_UNREADABLE = (OSError, OddFile, StoreError)  # gone meanwhile, or damage: nobody else is weighed wrong for it


def usage(store: Directory) -> dict[tuple[str, str], int]:
    """Return the bytes that each stream of each VM takes, live and sealed."""
    found: dict[tuple[str, str], int] = {}
    for part in (LIVE, SEALED):
        for vm, stream in streams(store, part, []):
            with suppress(*_UNREADABLE), stream_directory(store, vm, stream, part) as directory:
                found[vm, stream] = found.get((vm, stream), 0) + _below(directory)
    return found


def ledger_usage(store: Directory) -> int:
    """Return the bytes that the ledger takes."""
    with suppress(FileNotFoundError, OddFile), store.directory(LEDGER) as directory:
        return _below(directory)
    return 0


def _below(directory: Directory) -> int:
    """Return what a directory's files take, and those one level below: quarantine, lists of heads."""
    size = 0
    with os.scandir(directory.fd) as entries:
        for entry in entries:
            with suppress(*_UNREADABLE):
                if entry.is_dir(follow_symlinks=False):
                    with directory.directory(entry.name) as inner:
                        size += sum(_allocated(inner, name) for name in inner.names())
                else:
                    size += _allocated(directory, entry.name) + (SEGMENT_ROOM if ".log" in entry.name else 0)
    return size


def _allocated(directory: Directory, name: str) -> int:
    with suppress(FileNotFoundError):
        return directory.allocated(name)
    return 0
