"""The ledger as a witness is shown it: its checkpoint, the proof that it goes on, and the last that was cosigned."""

import os
from copy import deepcopy

from logchain.format.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from logchain.format.cosignature import cosigned_at
from logchain.format.errors import FormatError, SignatureError
from logchain.format.ledger import open_genesis, split_entries
from logchain.format.limits import MAX_CHECKPOINT, MAX_ENTRY
from logchain.format.merkle import Tree, consistency_proof, leaf_hash
from logchain.format.signed_note import Vkey, parse_note
from logchain.store.durable import put
from logchain.store.layout import CHECKPOINT, ENTRIES, LEDGER, WITNESSED, Directory

__all__ = ["Growth", "put_witnessed", "read_checkpoint", "witnessed_size"]

_CHUNK = 1 << 20


def read_checkpoint(store: Directory) -> tuple[bytes, Checkpoint]:
    """Return the ledger's checkpoint with the log's signature, and what it says; FormatError, FileNotFoundError."""
    with store.directory(LEDGER) as directory:
        data = directory.read(CHECKPOINT, MAX_CHECKPOINT)
        fd = directory.file(ENTRIES)
        try:
            return data, open_checkpoint(data, _log_key(os.pread(fd, MAX_ENTRY, 0)))
        finally:
            os.close(fd)


def _log_key(data: bytes) -> Vkey:
    entries, _ = split_entries(data)
    if not entries:
        raise FormatError("a ledger without its first entry")
    return open_genesis(entries[0])[1].log


def witnessed_size(store: Directory, witness: Vkey) -> int:
    """Return how many entries the last checkpoint has that this witness cosigned, 0 where there is none that holds."""
    try:
        with store.directory(LEDGER) as directory:
            note = parse_note(directory.read(WITNESSED, MAX_CHECKPOINT), MAX_CHECKPOINT)
        return 0 if cosigned_at(note, witness) is None else parse_checkpoint(note.text).size
    except (FileNotFoundError, FormatError, SignatureError):
        return 0


def put_witnessed(store: Directory, note: bytes) -> None:
    """Keep a checkpoint that was cosigned, durably; Full, WriteFailed."""
    with store.directory(LEDGER) as directory:
        put(directory, WITNESSED, [note], 0o640)


class Growth:
    """Makes proofs that the ledger goes on. It reads all entries once, and from then on only what was added.

    It holds the tree as it was when a proof last began there, and the hashes of the entries behind that.
    """

    def __init__(self, store: Directory) -> None:
        self._store = store
        self._begin()

    def _begin(self) -> None:
        self._old, self._newer, self._end = Tree(), list[bytes](), 0

    @property
    def _size(self) -> int:
        return self._old.size + len(self._newer)

    def proof(self, old: int, new: Checkpoint) -> list[bytes]:
        """Return the proof that the ledger's checkpoint goes on from its first `old` entries, which are no more.

        Empty where `old` is 0. Raises FormatError where the entries are not those of the checkpoint.
        """
        if old < self._old.size or new.size < self._size or not self._reaches(old, new):
            self._begin()  # asked from further back; or another ledger was put in place
            if not self._reaches(old, new):
                raise FormatError("the ledger's entries are not those of its checkpoint")
        return consistency_proof(old, self._old.peaks, self._newer) if old else []

    def _reaches(self, old: int, new: Checkpoint) -> bool:
        """Read on up to the checkpoint, and tell whether it is of what was read."""
        with self._store.directory(LEDGER) as directory:
            entries = directory.file(ENTRIES)
        try:
            rest = b""
            while self._size < new.size:
                data = os.pread(entries, _CHUNK, self._end + len(rest))
                found, rest = split_entries(rest + data)
                for entry in found[: new.size - self._size]:
                    self._newer.append(leaf_hash(entry))
                    self._end += len(entry)
                self._move(old)
                if not data or len(rest) > MAX_ENTRY:
                    break
        finally:
            os.close(entries)
        self._move(old)
        whole = deepcopy(self._old)
        for leaf in self._newer:
            whole.append(leaf)
        return (whole.size, whole.root()) == (new.size, new.root)

    def _move(self, old: int) -> None:
        """Put what is before `old` into the tree, so that no more is held than a proof from there takes."""
        count = max(0, old - self._old.size)
        for leaf in self._newer[:count]:
            self._old.append(leaf)
        del self._newer[:count]
