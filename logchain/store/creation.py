"""Making a store, and the secrets it begins with."""

import os
from pathlib import Path

from logchain.format.audit import AuditSecret, Seed
from logchain.format.errors import StoreError, UsageError
from logchain.format.identity import StoreIdentity, format_store
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, format_births
from logchain.format.ratchet import KEY_SIZE, seed
from logchain.format.slots import format_slots
from logchain.store.clock import Clock
from logchain.store.durable import make_directory, put
from logchain.store.layout import BIRTHS, FORMAT, LIVE, open_directory

__all__ = ["create_store", "new_secrets"]


def new_secrets() -> tuple[AuditSecret, Seed]:
    """Make a new store's audit secret, which stays in the vault, and the seed, which goes to the LogVM."""
    audit = AuditSecret(os.urandom(16), os.urandom(KEY_SIZE))
    return audit, Seed(audit.store_id, seed(audit.secret, audit.store_id))


def create_store(path: Path, given: Seed, clock: Clock) -> None:
    """Make an empty store in a directory that is empty or not there yet."""
    try:
        path.mkdir(mode=0o770, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}") from error
    with open_directory(path) as store:
        if store.names():
            raise UsageError(f"{path} is not empty; give --store a new directory")
        with make_directory(store, LIVE) as live:
            os.fchmod(live.fd, 0o2770)  # mkdir sets no setgid; all that is made in it later inherits it
        put(store, BIRTHS, [format_slots(BIRTHS_MAGIC, format_births(BirthState(1, given.secret)))])
        os.chmod(BIRTHS, 0o660, dir_fd=store.fd)  # whatever the umask: collectors write it
        put(store, FORMAT, [format_store(StoreIdentity(given.store_id, clock.wall()))])  # last: now it is a store
