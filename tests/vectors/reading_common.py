"""What all pages share: words, limits, BLAKE2b and KDF, times and names, read from docs/spec and from nothing else.

Nothing here, or in any `reading_*.py` beside it, imports logchain: the vectors would prove nothing otherwise.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

Vector = dict[str, Any]

NUMBER_MAX = 2**63 - 1
BIRTH_MAX = 10_000_000
SEGMENT_MAX = 999_999
RECORDS_MAX = 2**32 - 1
PART = 65_536
TIME_MAX = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z

VM = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z", re.ASCII)
STREAM = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,47}\Z", re.ASCII)
TIME = re.compile(rb"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
LONG_RUN = re.compile(rb"(.)\1{99,}", re.DOTALL)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RefusedError(Exception):
    """An input that a page refuses, with the class of its one failure."""

    kind = "malformed"


class NotSignedError(RefusedError):
    """note.md: well-formed, and not by this key."""

    kind = "not signed"


class NotChainedError(RefusedError):
    """ledger.md: each entry well-formed and signed, and one does not follow the other."""

    kind = "not chained"


class NotProvenError(RefusedError):
    """checkpoint.md: a proof that does not lead to the root."""

    kind = "not proven"


def refuse(reason: str, error: type[RefusedError] = RefusedError) -> NoReturn:
    """Refuse the input."""
    raise error(reason)


def need(condition: object, reason: str, error: type[RefusedError] = RefusedError) -> None:
    """Refuse the input unless the condition holds."""
    if not condition:
        refuse(reason, error)


def raw(vector: Vector, field: str) -> bytes:
    """Give the bytes of an input in any of the four ways that README tells."""
    if field in vector:
        return str(vector[field]).encode()
    if f"{field}_hex" in vector:
        return bytes.fromhex(vector[f"{field}_hex"])
    if f"{field}_parts" in vector:
        return b"".join(_part(part).encode() for part in vector[f"{field}_parts"])
    return b"".join(bytes.fromhex(_part(part)) for part in vector[f"{field}_hex_parts"])


def _part(part: str | list[Any]) -> str:
    """One part: itself; or a piece and how often; or a line, how often, and its number's first value and step."""
    if isinstance(part, str):
        return part
    if len(part) == 2:
        return str(part[0]) * int(part[1])
    line, count, first, step = part
    return "".join(str(line).replace("{}", str(first + step * index)) for index in range(count))


def given(field: str, data: bytes) -> Vector:
    """Put bytes into a vector: as text where they are UTF-8, otherwise as hex; what repeats is counted."""
    printed: Callable[[bytes], str] = bytes.decode
    try:
        data.decode()
    except UnicodeDecodeError:
        field, printed = f"{field}_hex", bytes.hex
    parts: list[str | list[str | int]] = []
    end = 0
    for run in LONG_RUN.finditer(data):
        if run.start() > end:
            parts.append(printed(data[end : run.start()]))
        parts.append([printed(run[1]), len(run[0])])
        end = run.end()
    if not parts:
        return {field: printed(data)}
    if end < len(data):
        parts.append(printed(data[end:]))
    return {f"{field}_parts": parts}


def blake2b(data: bytes, size: int, person: bytes, key: bytes = b"") -> bytes:
    """Hash as ratchet.md does: `person` is padded with zeros to 16 bytes, no salt."""
    return hashlib.blake2b(data, digest_size=size, key=key, person=person.ljust(16, b"\0")).digest()


def kdf(key: bytes, label: str, *fields: bytes) -> bytes:
    """ratchet.md 2: each field as u16le length and its bytes, label as person, 32 bytes out."""
    data = b"".join(len(field).to_bytes(2, "little") + field for field in fields)
    return blake2b(data, 32, label.encode("ascii"), key)


def u64(value: int) -> bytes:
    """Eight bytes, little endian."""
    return value.to_bytes(8, "little")


def sample(name: str, size: int = 32) -> bytes:
    """Bytes for a vector: they look random and are the same in every run."""
    return hashlib.shake_256(b"logchain test vectors: " + name.encode()).digest(size)


def parse_number(text: str, low: int = 0, high: int = NUMBER_MAX) -> int:
    """README: decimal, no leading zero, no sign; `0` is `0`."""
    need(re.fullmatch(r"0|[1-9][0-9]*", text, re.ASCII), "number-form")
    need(len(text) <= 19 and low <= int(text) <= high, "number-range")
    return int(text)


def is_hex(text: str, size: int) -> bool:
    """README: hex is lowercase, no prefix, no separators; `size` in bytes."""
    return re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text, re.ASCII) is not None


def print_time(time_us: int) -> bytes:
    """record.md 1: 27 bytes, always six digits of a second."""
    moment = EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z".encode()


def parse_time(text: bytes) -> int:
    """record.md 1: the form, then whether there is such a moment."""
    need(TIME.match(text), "time-form")
    parts = [int(text[a:b]) for a, b in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 26))]
    try:
        moment = datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        refuse("time-no-such-moment")
    need(moment >= EPOCH, "time-before-1970")
    return (moment - EPOCH) // timedelta(microseconds=1)
