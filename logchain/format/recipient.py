"""Whom evidence is encrypted to: a key pair of X25519, and the file of its secret half (docs/spec/evidence.md)."""

from hashlib import sha256
from typing import NamedTuple

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as SodiumError

from logchain.format.errors import FormatError, UsageError
from logchain.format.fields import base64, hexed, unbase64
from logchain.format.small_files import format_lines, parse_lines

__all__ = ["Recipient", "format_recipient", "format_recipient_secret", "parse_recipient", "parse_recipient_secret"]

_WORD, _FIRST = "evidence-to", "logchain recipient secret v1"
_SECRET = hexed(32)


class Recipient(NamedTuple):
    """The public half, 32 bytes."""

    key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that a slip of the pen does not have."""
        return sha256(f"{_WORD}\n".encode() + self.key).digest()[:4]


def format_recipient(recipient: Recipient) -> str:
    """Return `evidence-to+id+key`."""
    return f"{_WORD}+{recipient.key_id.hex()}+{base64(recipient.key)}"


def parse_recipient(text: str) -> Recipient:
    """Return the public key that a person gave, or raise UsageError."""
    try:
        recipient = Recipient(unbase64(text[:100].partition("+")[2].partition("+")[2]))
    except FormatError as error:
        raise UsageError("not the public key of a recipient, as 'logchain recipient' shows it") from error
    if len(recipient.key) != 32 or format_recipient(recipient) != text:  # the id too
        raise UsageError("not the public key of a recipient, as 'logchain recipient' shows it")
    try:
        crypto_scalarmult(bytes(32), recipient.key)
    except SodiumError as error:  # a point of low order: with it anybody could decrypt
        raise UsageError("no public key that anything should be encrypted to: nobody made it") from error
    return recipient


def format_recipient_secret(secret: bytes) -> bytes:
    """Return the file of the secret half, 32 bytes."""
    return format_lines(_FIRST, secret=_SECRET.format(secret))


def parse_recipient_secret(data: bytes) -> tuple[bytes, Recipient]:
    """Return the secret half and the public half, or raise FormatError."""
    (text,) = parse_lines(data, _FIRST, "secret")
    secret: bytes = _SECRET.parse(text)
    return secret, Recipient(crypto_scalarmult_base(secret))
