"""What a stream's files take on the disk, as it counts against a quota."""

import os
from contextlib import suppress

from logchain.format.errors import OddFile, StoreError
from logchain.format.limits import SEGMENT_ROOM
from logchain.store.layout import Directory

__all__ = ["directory_room"]


def directory_room(directory: Directory | None) -> int:
    """Return the bytes that a stream's directory takes, quarantine included; 0 where there is none."""
    size = 0
    if directory:
        for entry in os.scandir(directory.fd):
            with suppress(OSError, OddFile, StoreError):  # it went meanwhile, or may not be looked at
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
