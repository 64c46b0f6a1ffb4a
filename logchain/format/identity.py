"""The files that say what a store and a stream are (docs/spec/files.md)."""

from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.ratchet import stream_id
from logchain.format.record import format_time, parse_time
from logchain.format.small_files import format_lines, parse_lines, unhex

__all__ = ["StoreIdentity", "format_store", "format_stream", "parse_salt", "parse_store", "parse_stream"]

_STORE, _STREAM = "logchain store v1", "logchain stream v1"


class StoreIdentity(NamedTuple):
    """The file `format`: store id (16 bytes) and time of creation (µs since 1970)."""

    store_id: bytes
    created: int


def format_store(identity: StoreIdentity) -> bytes:
    """Return the file `format`."""
    return format_lines(_STORE, store=identity.store_id.hex(), created=format_time(identity.created).decode())


def parse_store(data: bytes) -> StoreIdentity:
    """Return what the file `format` says, or raise FormatError."""
    store, created = parse_lines(data, _STORE, "store", "created")
    return StoreIdentity(unhex(store, 16), parse_time(created.encode()))


def format_stream(salt: bytes, vm: str, stream: str) -> bytes:
    """Return a stream's file `id`."""
    return format_lines(_STREAM, salt=salt.hex(), id=stream_id(salt, vm, stream).hex())


def parse_stream(data: bytes, vm: str, stream: str) -> bytes:
    """Return the id in a stream's file `id`; FormatError where it does not follow from salt and names."""
    return stream_id(parse_salt(data, vm, stream), vm, stream)


def parse_salt(data: bytes, vm: str, stream: str) -> bytes:
    """Return the salt in a stream's file `id`, which ties the id to the names; raises as `parse_stream`."""
    salt, found = parse_lines(data, _STREAM, "salt", "id")
    if stream_id(unhex(salt, 32), vm, stream) != unhex(found, 32):
        raise FormatError("a stream id that is not this stream's")
    return unhex(salt, 32)
