"""Signed notes and their keys, as far as a witness needs them (docs/spec/note.md, cosignature.md).

Composed of Ed25519 (RFC 8032, by libsodium) and SHA-256, and of nothing else.
"""

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import NamedTuple

from logchain_witness.errors import FormatError, SignatureError

LOG, WITNESS = 1, 4  # types of signatures, of C2SP's list
MAX_NOTE = 128 << 10  # bytes
MAX_NUMBER = (1 << 63) - 1
_MAX_SIGNATURES = 16
_NAME = re.compile(r"\A[^\s+\x00-\x1f\ud800-\udfff]+\Z")  # \s is every Unicode space
_NUMBER = re.compile(r"\A(0|[1-9][0-9]{0,18})\Z", re.ASCII)
_DASH = "\N{EM DASH} "


class Key(NamedTuple):
    """A public key: its name, 32 bytes of Ed25519, and the type of signature that it is for."""

    name: str
    public: bytes
    kind: int

    @property
    def id(self) -> bytes:
        """The four bytes that stand before a signature."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """Return the key as people write it: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{base64(bytes([self.kind]) + self.public)}"


class Note(NamedTuple):
    """A note, taken apart but not verified: its text with the last newline; of each line name, key id, signature."""

    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]


def base64(data: bytes) -> str:
    """Return RFC 4648's base64, with padding."""
    return b64encode(data).decode()


def parse_base64(text: str) -> bytes:
    """Return the bytes of base64 that prints the same way again, or raise FormatError."""
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise FormatError("not base64") from error
    if base64(data) != text:
        raise FormatError("base64 that is not canonical")
    return data


def parse_number(text: str) -> int:
    """Return a decimal number that prints the same way again, at most 2^63 - 1, or raise FormatError."""
    if not _NUMBER.match(text) or int(text) > MAX_NUMBER:
        raise FormatError("not a number, or out of range")
    return int(text)


def parse_key(text: str, kind: int) -> Key:
    """Return the key of `name+id+key` for signatures of this type, or raise FormatError."""
    name, _, rest = text.partition("+")
    data = parse_base64(rest.partition("+")[2])
    key = Key(name, data[1:], kind)
    if not _NAME.match(name) or len(data) != 33 or data[0] != kind or str(key) != text:
        raise FormatError("not a key of that kind: name, plus, eight hex digits, plus, base64")
    return key


def check_name(name: str) -> str:
    """Return the name of a key, or raise FormatError where none can have it."""
    if not _NAME.match(name):
        raise FormatError("the name of a key has no spaces, no plus and no control characters, and is not empty")
    return name


def parse_note(untrusted_data: bytes) -> Note:
    """Take a note apart, or raise FormatError."""
    if len(untrusted_data) > MAX_NOTE or re.search(rb"[\x00-\x09\x0b-\x1f]", untrusted_data):
        raise FormatError("a note that is too long, or has control characters")
    try:
        whole = untrusted_data.decode()
    except UnicodeDecodeError as error:
        raise FormatError("a note that is not UTF-8") from error
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not whole.endswith("\n") or not lines or lines.count("\n") > _MAX_SIGNATURES:
        raise FormatError("a note without signatures, or with too many")
    return Note(f"{text}\n".encode(), tuple(map(_parse_line, lines[:-1].split("\n"))))


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = parse_base64(encoded)
    if not line.startswith(_DASH) or not _NAME.match(name) or len(data) < 5:
        raise FormatError("a note with a bad signature line")
    return name, data[:4], data[4:]


def verify(note: Note, key: Key) -> bytes:
    """Return the signature of a log's key; SignatureError where one is missing or any does not hold."""
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    ours = [found for name, ident, found in note.signatures if (name, ident) == (key.name, key.id)]
    for signature in ours:
        if len(signature) != 64:
            raise SignatureError("a signature of the wrong size")
        try:
            VerifyKey(key.public).verify(note.text, signature)
        except BadSignatureError as error:
            raise SignatureError("a note that is not what its key signed") from error
    if not ours:
        raise SignatureError("a note that its key did not sign")
    return ours[0]


def public_key(name: str, seed: bytes) -> Key:
    """Return the public key of a witness's seed of 32 bytes."""
    from nacl.signing import SigningKey

    return Key(check_name(name), bytes(SigningKey(seed).verify_key), WITNESS)


def cosign(text: bytes, key: Key, seed: bytes, time: int) -> bytes:
    """Return the signature line that says: at this time, s since 1970, this was the longest that I had seen."""
    from nacl.signing import SigningKey

    signature = SigningKey(seed).sign(b"cosignature/v1\ntime %d\n" % time + text).signature
    return format_line(key.name, key.id, time.to_bytes(8, "big") + signature)


def format_line(name: str, ident: bytes, signature: bytes) -> bytes:
    """Return a signature line with its newline."""
    return f"{_DASH}{name} {base64(ident + signature)}\n".encode()


def cosigned_at(note: Note, key: Key) -> int:
    """Return when the witness of this key cosigned, s since 1970; 0 where it did not. Not verified: its own note."""
    ours = [found for name, ident, found in note.signatures if (name, ident) == (key.name, key.id)]
    return max((int.from_bytes(found[:8], "big") for found in ours), default=0)
