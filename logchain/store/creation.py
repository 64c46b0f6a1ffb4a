"""Making a store, and the secrets it begins with."""

import os
from pathlib import Path

from logchain.format.audit import AuditSecret, Seed
from logchain.format.errors import Full, StoreError, UsageError
from logchain.format.identity import StoreIdentity, format_store
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, format_births
from logchain.format.ledger import (
    NO_ENTRY,
    Entry,
    Genesis,
    entry_key_name,
    fingerprint,
    format_entry,
    log_key_name,
)
from logchain.format.ledger_keys import LEDGER_MAGIC, LedgerKeys, LogKey, format_ledger_keys, format_log_key
from logchain.format.ratchet import KEY_SIZE, seed
from logchain.format.signed_note import public_key, sign
from logchain.format.slots import format_slots
from logchain.store.clock import Clock
from logchain.store.durable import make_directory, put
from logchain.store.layout import (
    BIRTHS,
    CHECKPOINT,
    ENTRIES,
    FORMAT,
    HEADS,
    KEYS,
    LEDGER,
    LEDGER_KEYS,
    LIVE,
    LOCK,
    LOG_KEY,
    SEALED,
    Directory,
    open_directory,
)
from logchain.store.ledger import open_ledger

__all__ = ["create_store", "new_secrets"]


def new_secrets() -> tuple[AuditSecret, Seed]:
    """Make a new store's audit secret, which stays in the vault, and the seed, which goes to the LogVM."""
    audit = AuditSecret(os.urandom(16), os.urandom(KEY_SIZE))
    return audit, Seed(audit.store_id, seed(audit.secret, audit.store_id))


def create_store(path: Path, given: Seed, clock: Clock) -> str:
    """Make an empty store in a directory that is empty or not there yet; return its fingerprint, 64 hex.

    Whoever calls becomes the owner of all of it: in the LogVM, collectors need `live/` and `births` through the group.
    """
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)  # who may write here may put another ledger in its place
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}") from error
    with open_directory(path) as store:
        if store.names():
            raise UsageError(f"{path} is not empty; give --store a new directory")
        for name, mode in ((LIVE, 0o2770), (SEALED, 0o2750), (LEDGER, 0o2750), (KEYS, 0o700)):
            with make_directory(store, name, mode) as directory:
                os.fchmod(directory.fd, mode)  # mkdir sets no setgid; what is made in it later inherits it
        put(store, BIRTHS, [format_slots(BIRTHS_MAGIC, format_births(BirthState(1, given.secret)))], 0o660)
        shown = _begin_ledger(store, given.store_id, clock)
        put(store, FORMAT, [format_store(StoreIdentity(given.store_id, clock.wall()))])  # last: now it is a store
    return shown


def _begin_ledger(store: Directory, store_id: bytes, clock: Clock) -> str:
    """Make the ledger with its first entry, which is appended as every other: pending in the keys, then finished."""
    name, log_name = entry_key_name(store_id), log_key_name(store_id)
    first_seed, next_seed, log_seed = os.urandom(32), os.urandom(32), os.urandom(32)
    first = public_key(name, first_seed)
    event = Genesis(first, public_key(log_name, log_seed))
    entry = Entry(store_id, 0, clock.wall(), 0, NO_ENTRY, event, public_key(name, next_seed))
    pending = LedgerKeys(
        number=1,
        offset=0,
        age=0,
        boot=clock.boot_id(),
        running=clock.running(),
        seed=next_seed,
        entry=sign(format_entry(entry), name, first_seed),
    )
    with store.directory(LEDGER) as ledger:
        with make_directory(ledger, HEADS, 0o2750) as heads:
            os.fchmod(heads.fd, 0o2750)
        put(ledger, LOCK, [], 0o600)  # who may open it may hold it
        put(ledger, ENTRIES, [], 0o640)
    with store.directory(KEYS) as keys:
        put(keys, LOG_KEY, [format_log_key(LogKey(store_id, log_seed))], 0o600)
        put(keys, LEDGER_KEYS, [format_slots(LEDGER_MAGIC, format_ledger_keys(pending))], 0o600)
    open_ledger(store, clock).close()
    with store.directory(LEDGER) as ledger:
        if CHECKPOINT not in ledger.names():  # where there is no room it comes with the next entry; not in a new store
            raise Full(f"no room for {ledger.path}/{CHECKPOINT}")
    return fingerprint(first)
