"""A store that came back from a backup: every stream begins anew, for its keys may have gone on elsewhere since.

The file `restoring` is there until all is done, and nobody opens a stream meanwhile: else a crash in between could let
one go on with the keys of the backup. It holds the number of the first new birth. Births before it are left out, a
random number of them: else the same backup, brought back twice, would give the same keys twice. So each run draws its
own: one that is found may be from a backup that was made while an earlier run was cut short.

The order: `restoring`; the births of before are in the ledger; its entry `restored` (the commit point: from here on it
can only be finished); `births` moves on; each stream's new key state; their births in the ledger; `restoring` goes.
"""

import os
import secrets
import time
from contextlib import ExitStack, suppress

from logchain.format.errors import Busy, FormatError, OddFile, StoreError
from logchain.format.fields import BIRTH
from logchain.format.identity import parse_stream
from logchain.format.keystate import read_ratchet
from logchain.format.ledger import Restored
from logchain.format.limits import MAX_BIRTHS, MAX_SMALL_FILE
from logchain.format.slots import FILE_SIZE
from logchain.format.small_files import format_lines
from logchain.store.births import next_birth, skip_births
from logchain.store.durable import make_directory, move, put, remove
from logchain.store.layout import (
    ID,
    LIVE,
    LOCK,
    QUARANTINE,
    RATCHET,
    RESTORING,
    Directory,
    is_restoring,
    quarantine_name,
    stream_directory,
    streams,
)
from logchain.store.ledger import Ledger
from logchain.store.opening import begin_anew, lock_stream, stands
from logchain.store.sealer import record_births
from logchain.store.segments import durable_state

__all__ = ["restore"]

_MARK = "logchain restoring v1"
_MOST_SKIPPED = 100_000  # births that are left out: 200 backups can come back


def restore(store: Directory, ledger: Ledger) -> int:
    """Have every stream begin anew; return how many. After a crash it is run again, and begins anew itself.

    Raises Busy while somebody writes a stream, StoreError where one may not be opened: then nothing was done. Raises
    Full, WriteFailed.
    """
    was_begun = is_restoring(store)  # and cut short: some streams may have begun anew, and others not
    first = _first(store, ledger)
    count = 0
    with ExitStack() as stack:
        try:
            found = list(streams(store))
            directories = [stack.enter_context(stream_directory(store, *name)) for name in found]
            for directory in directories:
                stack.callback(os.close, _lock(directory))
            old = [
                (name, directory)
                for name, directory in zip(found, directories, strict=True)
                if _is_old(directory, first)
            ]
            for name, directory in old:
                _record(ledger, directory, name)
        except (FileNotFoundError, FormatError, StoreError) as error:
            if not was_begun:
                remove(store, [RESTORING])
            if isinstance(error, FileNotFoundError):
                raise Busy(f"{store.path}/{LIVE} changes in this moment") from error
            raise
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
    """Return the first new birth, and see that nobody opens a stream from here on."""
    first = max(next_birth(store), ledger.state.restored) + 1 + secrets.randbelow(_MOST_SKIPPED)
    if first > MAX_BIRTHS:
        raise StoreError("the store has given all the births it may; begin a new store")
    put(store, RESTORING, [format_lines(_MARK, birth=BIRTH.format(first))])
    return first


def _lock(directory: Directory) -> int:
    """Take a stream's lock. What is no file in its place nobody can hold: that goes to quarantine."""
    try:
        return lock_stream(directory)
    except OddFile:
        with make_directory(directory, QUARANTINE) as quarantine:
            move(directory, LOCK, quarantine, quarantine_name(LOCK, time.time_ns() // 1000))
    return lock_stream(directory)


def _is_old(directory: Directory, first: int) -> bool:
    """Tell whether a stream has a birth from before; StoreError where it may not be opened as it will have to be."""
    with suppress(FileNotFoundError, FormatError):
        state = read_ratchet(directory.read(RATCHET, FILE_SIZE))
        os.close(directory.file(RATCHET, os.O_RDWR))
        stands(directory, state)
        return state.birth < first
    return False  # it gets one when it is opened


def _record(ledger: Ledger, directory: Directory, name: tuple[str, str]) -> None:
    """See that the births of a stream are in the ledger: those from before have to stand before its entry."""
    with suppress(FileNotFoundError, FormatError):
        identity = parse_stream(directory.read(ID, MAX_SMALL_FILE), *name)
        record_births(ledger, directory, identity, durable_state(directory))
