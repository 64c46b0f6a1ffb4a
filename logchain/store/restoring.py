"""A store that came back from a backup: every stream begins anew, for its keys may have gone on elsewhere since.

The file `restoring` is there until all is done, and nobody opens a stream meanwhile: else a crash in between could let
one go on with the keys of the backup. It holds the number of the first new birth. Births before it are left out, a
random number of them: else the same backup, brought back twice, would give the same keys twice.

The order: `restoring`; the births of before are in the ledger; its entry `restored` (the commit point: from here on it
can only be finished); `births` moves on; each stream's new key state; their births in the ledger; `restoring` goes.
"""

import os
import secrets
from contextlib import ExitStack, suppress

from logchain.format.errors import Busy, FormatError, StoreError
from logchain.format.fields import BIRTH
from logchain.format.identity import parse_stream
from logchain.format.keystate import read_ratchet
from logchain.format.ledger import Restored
from logchain.format.limits import MAX_BIRTHS, MAX_SMALL_FILE
from logchain.format.slots import FILE_SIZE
from logchain.format.small_files import format_lines, parse_lines
from logchain.store.births import next_birth, skip_births
from logchain.store.durable import put, remove
from logchain.store.layout import ID, RATCHET, RESTORING, Directory, stream_directory, streams
from logchain.store.ledger import Ledger
from logchain.store.opening import begin_anew, lock_stream
from logchain.store.sealer import record_births
from logchain.store.segments import durable_state

__all__ = ["restore"]

_MARK = "logchain restoring v1"
_MOST_SKIPPED = 100_000  # births that are left out: 200 backups can come back


def restore(store: Directory, ledger: Ledger) -> int:
    """Have every stream begin anew; return how many. After a crash it is run again, and goes on.

    Raises Busy while somebody writes a stream: then nothing was done. Raises Full, WriteFailed, StoreError.
    """
    first = _first(store, ledger)
    count = 0
    with ExitStack() as stack:
        found = list(streams(store))
        try:
            directories = [stack.enter_context(stream_directory(store, *name)) for name in found]
            for directory in directories:
                stack.callback(os.close, lock_stream(directory))
        except (Busy, FileNotFoundError):
            if ledger.state.restored != first:
                remove(store, [RESTORING])
            raise
        old = [
            (name, directory) for name, directory in zip(found, directories, strict=True) if _is_old(directory, first)
        ]
        for name, directory in old:
            _record(ledger, directory, name)
        if ledger.state.restored != first:
            ledger.append(Restored(first))
        skip_births(store, first)
        for name, directory in old:
            begin_anew(store, directory, *name)
            count += not _is_old(directory, first)
        for name, directory in zip(found, directories, strict=True):  # those of a run that a crash cut short, too
            _record(ledger, directory, name)
        remove(store, [RESTORING])
    return count


def _first(store: Directory, ledger: Ledger) -> int:
    """Return the first new birth, and see that nobody opens a stream from here on; FormatError on an odd mark."""
    with suppress(FileNotFoundError):
        (birth,) = parse_lines(store.read(RESTORING, MAX_SMALL_FILE), _MARK, "birth")
        return int(BIRTH.parse(birth))
    first = max(next_birth(store), ledger.state.restored) + 1 + secrets.randbelow(_MOST_SKIPPED)
    if first > MAX_BIRTHS:
        raise StoreError("the store has given all the births it may; begin a new store")
    put(store, RESTORING, [format_lines(_MARK, birth=BIRTH.format(first))])
    return first


def _is_old(directory: Directory, first: int) -> bool:
    """Tell whether a stream has a birth from before."""
    with suppress(FileNotFoundError, FormatError):
        return read_ratchet(directory.read(RATCHET, FILE_SIZE)).birth < first
    return False  # it gets one when it is opened


def _record(ledger: Ledger, directory: Directory, name: tuple[str, str]) -> None:
    """See that the births of a stream are in the ledger: those from before have to stand before its entry."""
    with suppress(FileNotFoundError, FormatError):
        identity = parse_stream(directory.read(ID, MAX_SMALL_FILE), *name)
        record_births(ledger, directory, identity, durable_state(directory))
