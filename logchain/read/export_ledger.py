"""What an evidence file has of the ledger: its entries up to the last that is needed, and proofs to its checkpoint."""

from collections.abc import Collection, Iterator

from logchain.format.checkpoint import open_checkpoint, parse_checkpoint
from logchain.format.errors import FormatError, SignatureError, StoreError
from logchain.format.fields import DIGEST
from logchain.format.ledger import Genesis, open_genesis, split_entries
from logchain.format.limits import MAX_CHECKPOINT, MAX_ENTRY
from logchain.format.merkle import inclusion_proofs, leaf_hash, root
from logchain.format.signed_note import parse_note
from logchain.format.tlog_proof import TlogProof, format_tlog_proof
from logchain.store.layout import CHECKPOINT, ENTRIES, LEDGER, WITNESSED, Directory

__all__ = ["LedgerPart"]

_CHUNK = 1 << 20


class LedgerPart:
    """The part of a store's ledger that vouches for these manifests: by stream id, segment and SHA-256. StoreError."""

    def __init__(self, store: Directory, manifests: Collection[tuple[bytes, int, bytes]]) -> None:
        self._store = store
        self._checkpoint = _read_checkpoint(store)
        size = parse_checkpoint(parse_note(self._checkpoint, MAX_CHECKPOINT).text).size
        wanted = {_line(*manifest): manifest[:2] for manifest in manifests}
        self.sealing: dict[tuple[bytes, int], int] = {}  # by stream id and segment: the entry that seals it
        self.count = self.size = 0  # entries that go in, and their bytes
        self._leaves: list[bytes] = []
        self.genesis = self._first()
        at = 0
        for number, data in enumerate(self._entries()):
            if number == size:
                break
            self._leaves.append(leaf_hash(data))
            at += len(data)
            key = wanted.pop(data.split(b"\n", 7)[6], None)
            if key:
                self.sealing[key] = number
                self.count, self.size = number + 1, at
        if wanted or len(self._leaves) != size:
            raise StoreError(f"{store.path}: the ledger does not say what is sealed; 'logchain verify' tells more")
        self._take_witnessed()

    def _take_witnessed(self) -> None:
        """Prove it by the last checkpoint that a witness cosigned, if that reaches behind all that is needed."""
        try:
            with self._store.directory(LEDGER) as directory:
                data = directory.read(WITNESSED, MAX_CHECKPOINT)
            checkpoint = open_checkpoint(data, self.genesis.log)
        except (FileNotFoundError, FormatError, SignatureError):
            return
        size = checkpoint.size
        if self.count <= size <= len(self._leaves) and root(self._leaves[:size]) == checkpoint.root:
            self._checkpoint = data
            del self._leaves[size:]

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the entries that go in, in pieces of any size; FormatError where some are gone."""
        left = self.size
        for data in self._read():
            yield data[:left]
            left -= len(data)
            if left <= 0:
                return
        raise FormatError("the ledger became shorter")

    def proofs(self) -> Iterator[tuple[int, bytes]]:
        """Yield the entries that seal what goes in, in order, and the proof of each."""
        proofs = inclusion_proofs(self.sealing.values(), self._leaves)
        for entry in sorted(proofs):
            yield entry, format_tlog_proof(TlogProof(entry, tuple(proofs[entry]), self._checkpoint))

    def _first(self) -> Genesis:
        for data in self._entries():
            return open_genesis(data)[1]
        raise StoreError(f"{self._store.path}: the ledger is empty; 'logchain verify' tells more")

    def _entries(self) -> Iterator[bytes]:
        rest = b""
        for data in self._read():
            found, rest = split_entries(rest + data)
            yield from found
            if len(rest) > MAX_ENTRY:
                return

    def _read(self) -> Iterator[bytes]:
        with self._store.directory(LEDGER) as directory:
            fd = directory.file(ENTRIES)
        with open(fd, "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                yield data


def _read_checkpoint(store: Directory) -> bytes:
    try:
        with store.directory(LEDGER) as directory:
            return directory.read(CHECKPOINT, MAX_CHECKPOINT)
    except FileNotFoundError as error:
        raise StoreError(f"{store.path}: the ledger has no checkpoint; 'logchain verify' tells more") from error


def _line(stream_id: bytes, segment: int, manifest: bytes) -> bytes:
    """Return the line of the entry that seals a segment."""
    return f"seal {stream_id.hex()} {segment} {DIGEST.format(manifest)}".encode()
