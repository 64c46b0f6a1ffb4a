"""Whether the ledger says that a segment was sealed, with this manifest; its signatures are for `logchain verify`."""

import os
from contextlib import suppress

from logchain.format.errors import FormatError
from logchain.format.fields import DIGEST
from logchain.store.layout import ENTRIES, LEDGER, Directory

__all__ = ["is_sealed"]

_CHUNK = 1 << 20


def is_sealed(store: Directory, stream_id: bytes, segment: int, manifest: bytes) -> bool:
    """Tell whether the ledger has the entry `seal` of a segment with this digest of its manifest."""
    wanted = f"\nseal {stream_id.hex()} {segment} {DIGEST.format(manifest)}\n".encode()
    with suppress(FileNotFoundError, FormatError), store.directory(LEDGER) as ledger:
        fd = ledger.file(ENTRIES)
        try:
            offset = 0
            while len(data := os.pread(fd, _CHUNK, offset)) >= len(wanted):
                if wanted in data:
                    return True
                offset += len(data) - len(wanted) + 1  # it may begin in one piece and end in the next
        finally:
            os.close(fd)
    return False
