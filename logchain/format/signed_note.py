"""Signed notes and their keys, as C2SP has them (docs/spec/note.md).

Composed of Ed25519 (RFC 8032, by libsodium) and SHA-256, and of nothing else.
"""

import re
from hashlib import sha256
from typing import NamedTuple

from logchain.format.errors import FormatError, SignatureError
from logchain.format.fields import base64, unbase64
from logchain.format.limits import MAX_SIGNATURES

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "Signature",
    "SignedNote",
    "Vkey",
    "check_signature",
    "check_text",
    "format_signature",
    "format_vkey",
    "open_note",
    "parse_note",
    "parse_vkey",
    "public_key",
    "sign",
]

ED25519, COSIGNATURE = 1, 4  # types of signatures, of C2SP's list
_NAME = re.compile(r"\A[^\s+\x00-\x1f\ud800-\udfff]+\Z")  # \s is every Unicode space
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")  # all below U+0020 but the newline
_DASH = "\N{EM DASH} "


class Vkey(NamedTuple):
    """A public key: its name, 32 bytes of Ed25519, and the type of signature that it is for."""

    name: str
    key: bytes
    kind: int = ED25519

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before a signature."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.key).digest()[:4]


class Signature(NamedTuple):
    """One signature line, which may be of any key and any type: name, id of the key (4 bytes), signature."""

    name: str
    key_id: bytes
    signature: bytes


class SignedNote(NamedTuple):
    """A note, taken apart but not verified: its text with the last newline, its signatures in order."""

    text: bytes
    signatures: tuple[Signature, ...]

    def by(self, vkey: Vkey) -> tuple[Signature, ...]:
        """Return the signatures that name this key; not verified."""
        return tuple(found for found in self.signatures if (found.name, found.key_id) == (vkey.name, vkey.key_id))


def format_vkey(vkey: Vkey) -> str:
    """Return `name+id+key`, or raise FormatError on a bad name or size."""
    if not _NAME.match(vkey.name) or len(vkey.key) != 32:
        raise FormatError("a key without a proper name, or of the wrong size")
    return f"{vkey.name}+{vkey.key_id.hex()}+{base64(bytes([vkey.kind]) + vkey.key)}"


def parse_vkey(text: str, kind: int = ED25519) -> Vkey:
    """Return the key of `name+id+key` for signatures of this type, or raise FormatError."""
    name, _, rest = text.partition("+")
    data = unbase64(rest.partition("+")[2])  # base64 has plus signs of its own
    vkey = Vkey(name, data[1:], kind)
    if format_vkey(vkey) != text:  # the type and the id too
        raise FormatError("not a public key of Ed25519, or for another use")
    return vkey


def public_key(name: str, seed: bytes) -> Vkey:
    """Return the public key of a seed of 32 bytes."""
    from nacl.signing import SigningKey  # whoever only parses notes, as `show` does, need not wait for libsodium

    return Vkey(name, bytes(SigningKey(seed).verify_key))


def check_text(text: bytes) -> str:
    """Return a note's text decoded, or raise FormatError where no note can have it."""
    if not text.endswith(b"\n") or _CONTROL.search(text):
        raise FormatError("a note that does not end with a newline, or with control characters")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise FormatError("a note that is not UTF-8") from error


def sign(text: bytes, name: str, seed: bytes) -> bytes:
    """Return the note: text, empty line, one signature line. FormatError where no note can have this text or name."""
    from nacl.signing import SigningKey

    check_text(text)
    vkey = public_key(name, seed)
    format_vkey(vkey)
    signature = SigningKey(seed).sign(text).signature
    return text + b"\n" + format_signature(Signature(name, vkey.key_id, signature))


def format_signature(found: Signature) -> bytes:
    """Return a signature line with its newline."""
    return f"{_DASH}{found.name} {base64(found.key_id + found.signature)}\n".encode()


def parse_note(data: bytes, limit: int, most: int = MAX_SIGNATURES) -> SignedNote:
    """Take a note of at most `limit` bytes and `most` signatures apart, or raise FormatError. Verifies nothing."""
    if len(data) > limit:
        raise FormatError(f"a note of more than {limit:,} bytes")
    decoded = check_text(data)
    text, blank, lines = decoded.rpartition("\n\n")
    if not blank:
        raise FormatError("a note without signatures")
    if lines.count("\n") > most:
        raise FormatError(f"a note with more than {most} signatures")
    signatures = tuple(map(_parse_signature, lines[:-1].split("\n")))
    return SignedNote(f"{text}\n".encode(), signatures)


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    signed = unbase64(encoded)
    if not line.startswith(_DASH) or not _NAME.match(name) or len(signed) < 5:
        raise FormatError("a note with a bad signature line")
    return Signature(name, signed[:4], signed[4:])


def check_signature(vkey: Vkey, text: bytes, signature: bytes) -> None:
    """Raise SignatureError unless this key made this signature, of 64 bytes, over exactly this text."""
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    if len(signature) != 64:
        raise SignatureError("a note whose signature has the wrong size")
    try:
        VerifyKey(vkey.key).verify(text, signature)
    except BadSignatureError as error:
        raise SignatureError("a note that is not what its key signed") from error


def open_note(data: bytes, vkey: Vkey, limit: int, most: int = MAX_SIGNATURES) -> bytes:
    """Return the text of a note that this key signed.

    Raises FormatError where it is no note, SignatureError where the key's signature is missing or wrong. Signatures of
    other keys are ignored.
    """
    note = parse_note(data, limit, most)
    ours = note.by(vkey)
    if not ours:
        raise SignatureError("a note that its key did not sign")
    for found in ours:
        check_signature(vkey, note.text, found.signature)
    return note.text
