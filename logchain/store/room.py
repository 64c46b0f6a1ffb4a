"""How much room logs take on the disk: allocated blocks, and 16 KiB a segment for what a file system needs besides."""

from contextlib import suppress

from logchain.format.errors import OddFile, StoreError
from logchain.store.layout import LEDGER, LIVE, SEALED, Directory, stream_directory, streams

__all__ = ["ledger_usage", "usage"]

_UNREADABLE = (OSError, OddFile, StoreError)  # gone meanwhile, or damage: nobody else is weighed wrong for it


def usage(store: Directory) -> dict[tuple[str, str], int]:
    """Return the bytes that each stream of each VM takes, live and sealed."""
    found: dict[tuple[str, str], int] = {}
    for part in (LIVE, SEALED):
        for vm, stream in streams(store, part, []):
            with suppress(*_UNREADABLE), stream_directory(store, vm, stream, part) as directory:
                found[vm, stream] = found.get((vm, stream), 0) + directory.room()
    return found


def ledger_usage(store: Directory) -> int:
    """Return the bytes that the ledger takes."""
    with suppress(FileNotFoundError, OddFile), store.directory(LEDGER) as directory:
        return directory.room()
    return 0
