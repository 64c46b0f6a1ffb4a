"""The ratchet: a key that each record evolves, and the secrets it comes from (docs/spec/ratchet.md).

Composed of BLAKE2b (RFC 7693) and SHA-256 (FIPS 180-4), and of nothing else.
"""

from collections.abc import Iterable
from hashlib import blake2b, sha256

__all__ = [
    "KEY_SIZE",
    "chain",
    "given_up_proof",
    "seed",
    "segment_key",
    "step",
    "stream_id",
    "stream_secret",
    "successor",
]

KEY_SIZE = 32


def step(key: bytes, record: bytes) -> tuple[bytes, bytes]:
    """Authenticate one record, given without its newline: returns the next key and the tag, 32 bytes each."""
    key, (tag,) = chain(key, [record])
    return key, tag


def chain(key: bytes, records: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    """Authenticate records in order: returns the key after the last, and their tags (docs/spec/ratchet.md §1)."""
    tags: list[bytes] = []
    append = tags.append
    for record in records:  # the hot loop of append and of verify: no call but the hash
        out = blake2b(record, digest_size=64, key=key, person=b"logchain.record").digest()
        key = out[:32]
        append(out[32:])
    return key, tags


def _kdf(key: bytes, label: bytes, *fields: bytes) -> bytes:
    # BLAKE2b(each field as u16le length, then its bytes), docs/spec/ratchet.md §2
    return blake2b(_framed(*fields), digest_size=KEY_SIZE, key=key, person=label).digest()


def _framed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(2, "little") + field for field in fields)


def given_up_proof(key: bytes) -> bytes:
    """Return the tag that proves possession of a segment's key where it was given up after a failed write."""
    return step(key, b"given up\n")[1]


def seed(audit_secret: bytes, store_id: bytes) -> bytes:
    """Derive B_1, all that a LogVM is given, from the audit secret (32 bytes) and the store id (16 bytes)."""
    return _kdf(audit_secret, b"births", store_id)


def stream_secret(birth_secret: bytes, stream_id: bytes) -> bytes:
    """Derive R_1 of the stream id that this birth is given to."""
    return _kdf(birth_secret, b"stream", stream_id)


def successor(secret: bytes, steps: int = 1) -> bytes:
    """Derive B_(i+1) from B_i, or R_(n+1) from R_n, `steps` times."""
    for _ in range(steps):
        secret = _kdf(secret, b"next")
    return secret


def segment_key(secret: bytes, stream_id: bytes, segment: int) -> bytes:
    """Derive K, the key of the first record of segment n, from R_n and the stream id."""
    return _kdf(secret, b"segment", stream_id, segment.to_bytes(8, "little"))


def stream_id(salt: bytes, vm: str, stream: str) -> bytes:
    """Return the 32 bytes by which manifests and ledger know a stream."""
    return sha256(salt + _framed(vm.encode(), stream.encode())).digest()
