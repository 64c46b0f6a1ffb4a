"""The ledger's first and last entry, found without reading what is between; proving them is for `logchain verify`."""

import os
from typing import NamedTuple

from logchain.format.errors import FormatError, LogchainError
from logchain.format.ledger import Entry, fingerprint, open_genesis, split_entries, unverified_entry
from logchain.format.limits import MAX_ENTRY
from logchain.format.signed_note import format_vkey
from logchain.store.layout import ENTRIES, LEDGER, Directory

__all__ = ["Head", "read_head"]

_BEGIN = b"logchain ledger v1\n"


class Head(NamedTuple):
    """How far the ledger is; `problem` tells why it cannot be read, empty where it can."""

    entries: int = 0
    time: int = 0  # of the last entry, µs since 1970
    age: int = 0  # that it tells, s of running time
    fingerprint: str = ""
    log_key: str = ""  # that signs checkpoints; whoever pins this log at a witness takes it from here
    problem: str = ""


def read_head(store: Directory) -> Head:
    """Return how far the ledger is, as it says itself."""
    try:
        with store.directory(LEDGER) as directory:
            fd = directory.file(ENTRIES)
            try:
                (first, *_), _ = split_entries(os.pread(fd, MAX_ENTRY, 0))
                _, genesis = open_genesis(first)
                last = _last(os.pread(fd, 2 * MAX_ENTRY, max(0, os.fstat(fd).st_size - 2 * MAX_ENTRY)))
            finally:
                os.close(fd)
    except FileNotFoundError:
        return Head(problem="there is none")
    except ValueError:
        return Head(problem="it is empty")
    except LogchainError as error:
        return Head(problem=str(error))
    return Head(last.number + 1, last.time, last.age, fingerprint(genesis.key), format_vkey(genesis.log))


def _last(tail: bytes) -> Entry:
    """Return the last whole entry of what a ledger ends with; behind it there may be a torn one."""
    end = len(tail)
    for _ in range(2):
        begin = tail.rfind(_BEGIN, 0, end)
        found, _ = split_entries(tail[max(0, begin) : end])
        if begin >= 0 and found:
            return unverified_entry(found[0])
        end = max(0, begin)
    raise FormatError("it does not end with an entry")
