"""What a witness is asked, C2SP tlog-witness's add-checkpoint, and what it answers (docs/spec/witness.md)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import base64, number
from logchain.format.limits import MAX_CHECKPOINT

__all__ = ["MAX_ANSWER", "MAX_PROOF_HASHES", "Answer", "format_add_checkpoint", "parse_answer", "parse_size"]

MAX_ANSWER = 16 << 10  # bytes: a line of status, and cosignatures
MAX_PROOF_HASHES = 63
_STATUS = re.compile(rb"\A([1-5][0-9]{2})( [ -~]{0,199})?\Z")
_SIZE = number()


class Answer(NamedTuple):
    """A status as in HTTP, the words behind it, and what follows: for 200 signature lines, for 409 a size."""

    status: int
    words: str
    body: bytes


def format_add_checkpoint(old: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the question: whether a signed checkpoint goes on from the one of `old` leaves, as the proof says.

    Raises FormatError where a hash has not 32 bytes, or anything is too long.
    """
    if len(proof) > MAX_PROOF_HASHES or any(len(found) != 32 for found in proof):
        raise FormatError("a proof with too many hashes, or of the wrong size")
    if len(checkpoint) > MAX_CHECKPOINT:
        raise FormatError("a checkpoint that is too long")
    return "\n".join([f"old {_SIZE.format(old)}", *map(base64, proof), "", ""]).encode() + checkpoint


def parse_answer(untrusted_data: bytes) -> Answer:
    """Take an answer apart, or raise FormatError; its body is still the witness's word."""
    if len(untrusted_data) > MAX_ANSWER:
        raise FormatError("an answer that is too long")
    line, newline, body = untrusted_data.partition(b"\n")
    match = _STATUS.match(line)
    if not newline or not match:
        raise FormatError("no answer of a witness")
    return Answer(int(match[1]), (match[2] or b"").decode().strip(), body)


def parse_size(untrusted_body: bytes) -> int:
    """Return the size that the body of a 409 tells, or raise FormatError."""
    if len(untrusted_body) > 20 or not untrusted_body.endswith(b"\n") or not untrusted_body.isascii():
        raise FormatError("no size")
    size: int = _SIZE.parse(untrusted_body[:-1].decode())
    return size
