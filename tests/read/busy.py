"""A store in use: logs, seals, compresses, evicts and forgets as fast as it can, for some seconds."""

import random
import sys
import time
from pathlib import Path

from logchain.format.audit import AuditSecret
from logchain.store.heads import KeptLists, OpenHeads
from logchain.store.layout import open_store
from logchain.store.ledger import open_ledger
from tests.read.archived import Archive

__all__ = ["main"]


def main() -> None:
    """Run with a store's path, and how long."""
    store = Archive(Path(sys.argv[1]), AuditSecret(bytes(16), bytes(32)))
    end, chance = time.monotonic() + float(sys.argv[2]), random.Random(1)
    heads, kept = OpenHeads(), KeptLists()
    store.clock.go(1)
    while time.monotonic() < end:
        vm = chance.choice(["work", "vault", "other"])
        store.clock.go(1)
        store.log(*[b"line %d" % number for number in range(chance.randrange(1, 9))], vm=vm)
        with store.ledger() as (directory, ledger):
            heads.record(directory, ledger)
        if chance.random() < 0.7:
            store.roll(vm)
            store.seal(vm)
        sealed = sorted({int(path.name[:8]) for path in store.sealed(vm).glob("*.manifest")})
        if sealed and chance.random() < 0.5:
            store.compress(chance.choice([".lz4", ".xz"]), vm)
        if len(sealed) > 2:
            store.evict(*sealed[: chance.randrange(1, 3)], vm=vm)
        with open_store(store.path) as directory, open_ledger(directory, store.clock) as ledger:
            kept.drop(directory, ledger)
        if chance.random() < 0.05:
            store.forget(vm)
