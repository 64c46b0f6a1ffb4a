"""What `keys/` holds: the ledger's next signing key with the pending entry, and the log key (docs/spec/ledger.md)."""

from struct import Struct
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.ledger import entry_key_name, unverified_entry
from logchain.format.limits import MAX_ENTRIES, MAX_ENTRY, MAX_NUMBER
from logchain.format.signed_note import public_key
from logchain.format.slots import newest
from logchain.format.small_files import format_lines, parse_lines, unhex

__all__ = [
    "LEDGER_MAGIC",
    "LedgerKeys",
    "LogKey",
    "format_ledger_keys",
    "format_log_key",
    "parse_ledger_keys",
    "parse_log_key",
    "read_ledger_keys",
]

LEDGER_MAGIC = b"lcledgr1"

_KEYS = Struct("<3Q16sQ32s")
_LOG = "logchain log key v1"


class LedgerKeys(NamedTuple):
    """The body of `keys/ledger`: where the ledger ends, and the key that goes on."""

    number: int  # index of the entry that comes next
    offset: int  # in `entries`, where the last entry begins
    age: int  # running time that the last entry tells, s
    boot: bytes  # the boot in which it was told
    running: int  # CLOCK_BOOTTIME then, µs
    seed: bytes  # of the key that signs the next entry
    entry: bytes  # the last entry, pending or appended


def format_ledger_keys(keys: LedgerKeys) -> bytes:
    """Return the body, or raise FormatError on what parse_ledger_keys refuses."""
    if len(keys.boot) != 16 or len(keys.seed) != 32:
        raise FormatError("a ledger's keys of the wrong size")
    if not 1 <= keys.number <= MAX_ENTRIES or not 0 <= keys.offset <= MAX_NUMBER or not 0 <= keys.running <= MAX_NUMBER:
        raise FormatError("a ledger's keys with a number out of range")
    entry = unverified_entry(keys.entry)
    if (entry.number + 1, entry.age) != (keys.number, keys.age):
        raise FormatError("a ledger's keys that do not follow their entry")
    if public_key(entry_key_name(entry.store_id), keys.seed) != entry.next:
        raise FormatError("a ledger's key that the last entry does not name")
    return _KEYS.pack(*keys[:-1]) + keys.entry


def parse_ledger_keys(body: bytes) -> LedgerKeys:
    """Return what the body says, or raise FormatError. Who signed the entry is not checked."""
    if not _KEYS.size < len(body) <= _KEYS.size + MAX_ENTRY:
        raise FormatError("a ledger's keys of the wrong length")
    keys = LedgerKeys._make([*_KEYS.unpack_from(body), body[_KEYS.size :]])
    if format_ledger_keys(keys) != body:
        raise FormatError("a ledger's keys that are not canonical")
    return keys


def read_ledger_keys(data: bytes) -> LedgerKeys:
    """Return what the file `keys/ledger` holds, or raise FormatError."""
    return parse_ledger_keys(newest(LEDGER_MAGIC, data).body)


class LogKey(NamedTuple):
    """The file `keys/log`: the store, and the seed of the key that signs checkpoints."""

    store_id: bytes
    seed: bytes


def format_log_key(key: LogKey) -> bytes:
    """Return the file `keys/log`."""
    return format_lines(_LOG, store=key.store_id.hex(), seed=key.seed.hex())


def parse_log_key(data: bytes) -> LogKey:
    """Return what the file `keys/log` says, or raise FormatError."""
    store, seed = parse_lines(data, _LOG, "store", "seed")
    return LogKey(unhex(store, 16), unhex(seed, 32))
