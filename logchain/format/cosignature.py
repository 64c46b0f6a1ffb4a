"""Cosignatures: what a witness says of a checkpoint, C2SP's cosignature/v1 (docs/spec/cosignature.md)."""

from logchain.format.errors import SignatureError
from logchain.format.limits import MAX_NUMBER
from logchain.format.signed_note import COSIGNATURE, SignedNote, Vkey, check_signature

__all__ = ["cosigned_at"]


def cosigned_at(note: SignedNote, witness: Vkey) -> int | None:
    """Return when a witness cosigned a checkpoint, s since 1970, or None where it did not; the last time of several.

    Raises SignatureError where a cosignature that names its key does not hold: then the whole note is not to be
    believed.
    """
    assert witness.kind == COSIGNATURE
    return max((_verify(note.text, witness, found.signature) for found in note.by(witness)), default=None)


def _verify(text: bytes, witness: Vkey, signature: bytes) -> int:
    time = int.from_bytes(signature[:8], "big")
    if len(signature) != 8 + 64 or time > MAX_NUMBER:
        raise SignatureError("a cosignature of the wrong size, or of no time")
    check_signature(witness, b"cosignature/v1\ntime %d\n" % time + text, signature[8:])
    return time
