"""The secrets' files: the seed, and the audit secret, plain or locked with a passphrase (docs/spec/files.md)."""

import re
from typing import NamedTuple

from nacl import pwhash, secret
from nacl.exceptions import CryptoError
from nacl.utils import random

from logchain.format.errors import FormatError, SecretError
from logchain.format.small_files import format_lines, parse_lines, unhex

__all__ = [
    "AuditSecret",
    "LockedSecret",
    "Seed",
    "format_audit",
    "format_seed",
    "lock",
    "parse_audit",
    "parse_seed",
    "unlock",
]

_FIRST, _SEED = "logchain audit secret v1", "logchain seed v1"
_LOCKED = re.compile(r"\Aargon2id ([1-9][0-9]?) ([1-9][0-9]{6,9}) ([0-9a-f]{32}) ([0-9a-f]{144})\Z")
_PASSES, _MEMORY = 3, 256 << 20  # libsodium's MODERATE
_MAX_PASSES, _MIN_MEMORY, _MAX_MEMORY = 10, 8 << 20, 1 << 30  # beyond that a file is a trap


class Seed(NamedTuple):
    """What `keygen` hands to `init`: store id and B_1."""

    store_id: bytes
    secret: bytes


class AuditSecret(NamedTuple):
    """A, 32 bytes, and the store it belongs to."""

    store_id: bytes
    secret: bytes


class LockedSecret(NamedTuple):
    """An audit secret under a passphrase: Argon2id passes, bytes of memory, salt, secretbox."""

    store_id: bytes
    passes: int
    memory: int
    salt: bytes
    box: bytes


def format_audit(audit: AuditSecret | LockedSecret) -> bytes:
    """Return the file."""
    store = audit.store_id.hex()
    if isinstance(audit, AuditSecret):
        return format_lines(_FIRST, store=store, secret=audit.secret.hex())
    locked = f"argon2id {audit.passes} {audit.memory} {audit.salt.hex()} {audit.box.hex()}"
    return format_lines(_FIRST, store=store, locked=locked)


def parse_audit(data: bytes) -> AuditSecret | LockedSecret:
    """Return what the file says, or raise FormatError."""
    if b"\nlocked " not in data:
        store, found = parse_lines(data, _FIRST, "store", "secret")
        return AuditSecret(unhex(store, 16), unhex(found, 32))
    store, locked = parse_lines(data, _FIRST, "store", "locked")
    match = _LOCKED.match(locked)
    if not match:
        raise FormatError("an audit secret locked in an unknown way")
    passes, memory = int(match[1]), int(match[2])
    if passes > _MAX_PASSES or memory % 1024 or not _MIN_MEMORY <= memory <= _MAX_MEMORY:
        raise FormatError("an audit secret whose lock asks for too little or too much work")
    return LockedSecret(unhex(store, 16), passes, memory, unhex(match[3], 16), unhex(match[4], 72))


def _box(passphrase: str, salt: bytes, passes: int, memory: int) -> secret.SecretBox:
    return secret.SecretBox(
        pwhash.argon2id.kdf(32, passphrase.encode(), salt, opslimit=passes, memlimit=memory),
    )


def lock(audit: AuditSecret, passphrase: str) -> LockedSecret:
    """Lock an audit secret with a passphrase: Argon2id (RFC 9106) and NaCl's secretbox."""
    salt = random(16)
    box = bytes(_box(passphrase, salt, _PASSES, _MEMORY).encrypt(audit.secret))
    return LockedSecret(audit.store_id, _PASSES, _MEMORY, salt, box)


def unlock(locked: LockedSecret, passphrase: str) -> AuditSecret:
    """Open a locked audit secret; SecretError where the passphrase is not its own."""
    try:
        found = _box(passphrase, locked.salt, locked.passes, locked.memory).decrypt(locked.box)
    except CryptoError as error:
        raise SecretError("the passphrase does not open this audit secret") from error
    return AuditSecret(locked.store_id, found)


def format_seed(seed: Seed) -> bytes:
    """Return the seed's file."""
    return format_lines(_SEED, store=seed.store_id.hex(), seed=seed.secret.hex())


def parse_seed(data: bytes) -> Seed:
    """Return what a seed's file says, or raise FormatError."""
    store, found = parse_lines(data, _SEED, "store", "seed")
    return Seed(unhex(store, 16), unhex(found, 32))
