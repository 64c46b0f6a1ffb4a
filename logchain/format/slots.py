"""Two slots in one file, so that a torn write never costs the state before it (docs/spec/keystate.md)."""

from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from logchain.format.errors import FormatError

__all__ = ["FILE_SIZE", "SLOT_SIZE", "WIPED", "Slot", "format_slot", "format_slots", "newest", "parse_slot"]

SLOT_SIZE = 4_096
FILE_SIZE = 2 * SLOT_SIZE
WIPED = bytes(SLOT_SIZE)

_HEAD = Struct("<8sQI")
_SUM_AT = SLOT_SIZE - 32


class Slot(NamedTuple):
    """What a valid slot says: its place (0 or 1), its generation, its body."""

    place: int
    generation: int
    body: bytes


def _checksum(data: bytes) -> bytes:
    return blake2b(data, digest_size=32, person=b"logchain.slot").digest()


def format_slot(magic: bytes, generation: int, body: bytes) -> bytes:
    """Return the 4,096 bytes of a slot; the body has at most 4,044."""
    data = (_HEAD.pack(magic, generation, len(body)) + body).ljust(_SUM_AT, b"\0")
    if len(data) > _SUM_AT or not generation:
        raise FormatError("a body too long for its slot, or generation 0")
    return data + _checksum(data)


def format_slots(magic: bytes, body: bytes) -> bytes:
    """Return the 8,192 bytes of a new file that holds this body."""
    return format_slot(magic, 1, body) + WIPED


def parse_slot(magic: bytes, place: int, data: bytes) -> Slot:
    """Return what a slot says, or raise FormatError where it is wiped, torn or of another kind."""
    if len(data) != SLOT_SIZE or data[_SUM_AT:] != _checksum(data[:_SUM_AT]):
        raise FormatError("a slot that is wiped or torn")
    _, generation, length = _HEAD.unpack_from(data)
    body = data[_HEAD.size : _HEAD.size + length]
    if length > _SUM_AT - _HEAD.size or format_slot(magic, generation, body) != data:
        raise FormatError("a slot of another kind")
    return Slot(place, generation, body)


def newest(magic: bytes, data: bytes) -> Slot:
    """Return the slot that counts in a file's bytes, or raise FormatError where neither is valid."""
    if len(data) != FILE_SIZE:
        raise FormatError("a key state of the wrong size")
    found = []
    for place in (0, 1):
        try:
            found.append(parse_slot(magic, place, data[place * SLOT_SIZE : (place + 1) * SLOT_SIZE]))
        except FormatError:
            continue
    if len({slot.generation for slot in found}) != len(found) or not found:
        raise FormatError("a key state with no valid slot, or with two that claim to be the newest")
    return max(found, key=lambda slot: slot.generation)
