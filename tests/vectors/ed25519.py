"""Ed25519 as RFC 8032 has it, verified as note.md says: by libsodium's rules, which are written out here.

Signing is deterministic and is PyNaCl's; verifying is our own, so that the vectors do not ask libsodium what they are
to say of it. Slow, and leaks what it computes with: for test vectors only.
"""

import hashlib
from functools import cache

import nacl.signing

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1

Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
IDENTITY: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """RFC 8032, 5.1.4: adding and doubling by one formula."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def compress(point: Point) -> bytes:
    """RFC 8032, 5.1.2: y, and the lowest bit of x above it."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(raw: bytes, *, strict: bool = True) -> Point | None:
    """RFC 8032, 5.1.3: nothing where y is not below p, or no point has it, or x is 0 and its sign is not."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if strict and y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (strict and not x and sign):
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y % P, 1, x * y % P)


@cache
def _doublings(raw: bytes) -> list[Point]:
    """Give the point, twice the point, four times the point and so on."""
    point = decompress(raw, strict=False)
    assert point
    found = []
    for _ in range(256):
        found.append(point)
        point = add(point, point)
    return found


def multiply(factor: int, raw: bytes) -> Point:
    """So many times the point that is encoded as `raw`."""
    total = IDENTITY
    for index, doubling in enumerate(_doublings(raw)):
        if factor >> index & 1:
            total = add(total, doubling)
    return total


BASE = (4 * pow(5, -1, P) % P).to_bytes(32, "little")


def scalar(seed: bytes) -> int:
    """RFC 8032, 5.1.5: the secret factor."""
    raw = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return raw & (1 << 254) - 8 | 1 << 254


def challenge(r: bytes, public: bytes, text: bytes) -> int:
    """RFC 8032, 5.1.6: what binds signature, key and text together."""
    return int.from_bytes(hashlib.sha512(r + public + text).digest(), "little") % ORDER


def public_key(seed: bytes) -> bytes:
    """Give the public key of a seed."""
    return bytes(nacl.signing.SigningKey(seed).verify_key)


def sign(seed: bytes, text: bytes) -> bytes:
    """Sign a text."""
    return nacl.signing.SigningKey(seed).sign(text).signature


def small(point: Point) -> bool:
    """Tell whether eight times the point is nothing."""
    for _ in range(3):
        point = add(point, point)
    return compress(point) == compress(IDENTITY)


@cache
def failure(public: bytes, text: bytes, signature: bytes) -> str:
    """Say what note.md 11 finds wrong, or nothing."""
    if len(signature) != 64:
        return "signature-size"
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return "s-not-below-order"
    key = decompress(public)
    if not key:
        return "key-not-canonical"
    if small(key):
        return "key-of-small-order"
    point = decompress(r)
    if point and small(point):
        return "r-of-small-order"
    left = multiply(s, BASE)
    x, y, z, t = multiply(challenge(r, public, text), public)
    if compress(add(left, (-x, y, z, -t))) != r:  # S*B - h*A, byte for byte, without the cofactor
        return "signature-wrong"
    return ""
