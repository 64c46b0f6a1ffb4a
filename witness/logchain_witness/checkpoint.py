"""The checkpoint of a log, the question that brings it, and whether it goes on from another (docs/spec/witness.md)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from logchain_witness.errors import FormatError, ProofError
from logchain_witness.note import MAX_NOTE, Note, base64, parse_base64, parse_note, parse_number

_MAX_HASHES = 63
MAX_QUESTION = MAX_NOTE + 4_096  # bytes: a line of a proof has 45
_EMPTY = sha256().digest()  # the root of no leaves


class Checkpoint(NamedTuple):
    """A log's origin, its number of leaves, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes


class Question(NamedTuple):
    """From which size, by which hashes, to which signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return what a note's text says, its further lines left out, or raise FormatError."""
    lines = text.decode().split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise FormatError("a checkpoint of less than three lines, or with an empty one")
    checkpoint = Checkpoint(lines[0], parse_number(lines[1]), parse_base64(lines[2]))
    if len(checkpoint.root) != 32:
        raise FormatError("a checkpoint whose root has the wrong size")
    return checkpoint


def parse_question(untrusted_data: bytes) -> Question:
    """Return what is asked, C2SP's add-checkpoint, or raise FormatError. The note is not verified."""
    head, blank, note = untrusted_data.partition(b"\n\n")
    if len(untrusted_data) > MAX_QUESTION or not blank or not head.isascii():
        raise FormatError("no question to a witness")
    first, *lines = head.decode().split("\n")
    word, _, old = first.partition(" ")
    if word != "old" or len(lines) > _MAX_HASHES:
        raise FormatError("no question to a witness, or one with too many hashes")
    proof = tuple(map(parse_base64, lines))
    if any(len(found) != 32 for found in proof):
        raise FormatError("a proof with a hash of the wrong size")
    return Question(parse_number(old), proof, parse_note(note))


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return a checkpoint in a line, for people."""
    return f"{checkpoint.size} entries, root {base64(checkpoint.root)}"


def check_growth(old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the new tree begins with all leaves of the old one, which may be none."""
    if not old or not old.size:
        if proof or (not new.size and new.root != _EMPTY):
            raise ProofError("a proof where there is nothing to go on from, or a wrong root of nothing")
        return
    check_consistency(old.size, new.size, proof, old.root, new.root)


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise ProofError unless the proof leads to the roots of both sizes, 1 ≤ old ≤ new: RFC 9162 §2.1.4.2."""
    if not 1 <= old <= new:
        raise ProofError("no proof between these sizes")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("another tree of the same size")
        return
    place, last = old - 1, new - 1
    while place & 1:  # up to the largest full subtree that ends the old tree
        place, last = place >> 1, last >> 1
    hashes = list(proof) if place else [old_root, *proof]  # a full tree is its own first hash
    if not hashes:
        raise ProofError("a proof that is too short")
    before = after = hashes[0]
    for found in hashes[1:]:
        if not last:
            raise ProofError("a proof that is too long")
        if place & 1 or place == last:
            before, after = _node(found, before), _node(found, after)
            while not place & 1 and place:  # levels where this node has no sibling
                place, last = place >> 1, last >> 1
        else:
            after = _node(after, found)
        place, last = place >> 1, last >> 1
    if last or (before, after) != (old_root, new_root):
        raise ProofError("a proof that does not lead to both roots")


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()  # SHA-256(0x01 || left || right), RFC 6962 §2.1
