"""The proof that an entry is in the ledger, C2SP's tlog-proof (docs/spec/evidence.md)."""

from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import base64, number, unbase64
from logchain.format.limits import MAX_CHECKPOINT, MAX_ENTRIES

__all__ = ["MAX_PROOF", "TlogProof", "format_tlog_proof", "parse_tlog_proof"]

_FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = number(0, MAX_ENTRIES - 1)
_MOST = 63  # hashes: a checkpoint's size has 63 bits
MAX_PROOF = MAX_CHECKPOINT + 4_096  # bytes: a line has 45


class TlogProof(NamedTuple):
    """The number of an entry, the hashes that lead from it to the root, lowest first, and the checkpoint with that."""

    entry: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes  # a signed note


def format_tlog_proof(proof: TlogProof) -> bytes:
    """Return the file, or raise FormatError on what parse_tlog_proof refuses."""
    if len(proof.hashes) > _MOST or any(len(found) != 32 for found in proof.hashes):
        raise FormatError("a proof with too many hashes, or of the wrong size")
    lines = [_FIRST, f"index {_INDEX.format(proof.entry)}", *map(base64, proof.hashes), "", ""]
    return "\n".join(lines).encode() + proof.checkpoint


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return what the file says, or raise FormatError; the checkpoint is for `open_checkpoint`."""
    head, blank, checkpoint = data.partition(b"\n\n")
    if len(data) > MAX_PROOF or not blank or not head.isascii():
        raise FormatError("not a proof of a transparency log")
    first, *lines = head.decode().split("\n")
    word, _, index = (lines or [""])[0].partition(" ")
    if (first, word) != (_FIRST, "index") or len(lines) > _MOST + 1:
        raise FormatError("not a proof of a transparency log")
    proof = TlogProof(_INDEX.parse(index), tuple(map(unbase64, lines[1:])), checkpoint)
    if format_tlog_proof(proof) != data:
        raise FormatError("a proof that is not canonical")
    return proof
