"""The small text files: what a store and a stream are, and the seed (docs/spec/files.md)."""

from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_SMALL_FILE
from logchain.format.ratchet import stream_id
from logchain.format.record import format_time, parse_time

__all__ = [
    "Seed",
    "StoreIdentity",
    "format_lines",
    "format_seed",
    "format_store",
    "format_stream",
    "parse_lines",
    "parse_seed",
    "parse_store",
    "parse_stream",
    "unhex",
]

_STORE, _STREAM, _SEED = "logchain store v1", "logchain stream v1", "logchain seed v1"


class StoreIdentity(NamedTuple):
    """The file `format`: store id (16 bytes) and time of creation (µs since 1970)."""

    store_id: bytes
    created: int


class Seed(NamedTuple):
    """What `keygen` hands to `init`: store id and B_1."""

    store_id: bytes
    secret: bytes


def format_lines(first: str, **values: str) -> bytes:
    """Return a small file: its first line, then a line `word value` for each."""
    return "".join(f"{line}\n" for line in [first, *(f"{word} {value}" for word, value in values.items())]).encode()


def parse_lines(data: bytes, first: str, *words: str) -> list[str]:
    """Return the values of a small file that has exactly these words in this order, or raise FormatError."""
    if len(data) > MAX_SMALL_FILE or not data.isascii():
        raise FormatError(f"not a '{first}' file")
    lines = data.decode().split("\n")
    if len(lines) != len(words) + 2 or lines[0] != first or lines[-1]:
        raise FormatError(f"not a '{first}' file")
    values = []
    for word, line in zip(words, lines[1:], strict=False):
        found, _, value = line.partition(" ")
        if found != word or not value:
            raise FormatError(f"a '{first}' file without its line '{word}'")
        values.append(value)
    return values


def unhex(text: str, size: int) -> bytes:
    """Return `size` bytes from lowercase hex, or raise FormatError."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise FormatError("not hex") from error
    if len(data) != size or data.hex() != text:
        raise FormatError("hex of the wrong length or form")
    return data


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
    salt, found = parse_lines(data, _STREAM, "salt", "id")
    if stream_id(unhex(salt, 32), vm, stream) != unhex(found, 32):
        raise FormatError("a stream id that is not this stream's")
    return unhex(found, 32)


def format_seed(seed: Seed) -> bytes:
    """Return the seed's file."""
    return format_lines(_SEED, store=seed.store_id.hex(), seed=seed.secret.hex())


def parse_seed(data: bytes) -> Seed:
    """Return what a seed's file says, or raise FormatError."""
    store, secret = parse_lines(data, _SEED, "store", "seed")
    return Seed(unhex(store, 16), unhex(secret, 32))
