"""Reading all of the ledger once, when it is opened: what it says of the store, and its Merkle tree."""

import os
from collections.abc import Collection, Iterator
from hashlib import sha256

from logchain.format.checkpoint import Checkpoint
from logchain.format.errors import FormatError
from logchain.format.fields import DIGEST
from logchain.format.ledger import NO_ENTRY, split_entries, unverified_entry
from logchain.format.limits import MAX_ENTRY
from logchain.format.merkle import Tree, leaf_hash
from logchain.store.ledger_state import LedgerState

__all__ = ["BrokenLedger", "read_entries"]

_CHUNK = 1 << 20


class BrokenLedger(Exception):
    """An entry is not what the one after it hashes, or what was said of the tree."""

    def __init__(self, number: int) -> None:
        self.number = number


def read_entries(
    entries: int, store_id: bytes, last: bytes, lists: Collection[int], checkpoint: Checkpoint | None
) -> tuple[LedgerState, Tree]:
    """Read the entries of a file; raise BrokenLedger where one of them was changed.

    Each has to be what the one after hashes, and the last is given, from our keys: so all are those that we appended,
    and their signatures are for `logchain verify`. Of the entries `heads` only those are remembered whose lists are
    there: `lists`.
    """
    state, tree, previous = LedgerState(), Tree(), NO_ENTRY
    data = b""
    for data in _split(entries):
        number = tree.size
        lines = data.split(b"\n")
        head = f"store {store_id.hex()}", f"index {number}", f"previous {DIGEST.format(previous)}"
        if (lines[1], lines[2], lines[5]) != tuple(line.encode() for line in head):
            raise BrokenLedger(number)
        previous = sha256(data).digest()
        try:
            if not lines[6].startswith(b"heads "):
                entry = unverified_entry(data)
                state.apply(number, entry.event)
            elif number in lists:  # most entries are `heads`: they are read at a tenth of the cost
                state.lists.add(number)
        except FormatError as error:
            raise BrokenLedger(number) from error
        tree.append(leaf_hash(data))
        if checkpoint and checkpoint.size == tree.size and checkpoint.root != tree.root():
            raise BrokenLedger(number)
    if data != last:
        raise BrokenLedger(tree.size)
    return state, tree


def _split(entries: int) -> Iterator[bytes]:
    rest, at, count = b"", 0, 0
    while data := os.pread(entries, _CHUNK, at):
        at += len(data)
        found, rest = split_entries(rest + data)
        if len(rest) > MAX_ENTRY:
            break
        count += len(found)
        yield from found
    if rest:
        raise BrokenLedger(count)
