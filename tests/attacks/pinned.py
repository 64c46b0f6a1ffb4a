"""A store with all that a compressor makes of one, to attack; and those who look at it afterwards."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from logchain.format.audit import AuditSecret
from logchain.format.ledger import Entry, Event, entry_key_name, fingerprint, format_entry, open_genesis, split_entries
from logchain.format.ledger_keys import LedgerKeys, read_ledger_keys
from logchain.format.record import LINE
from logchain.format.signed_note import public_key, sign
from logchain.read.findings import Finding
from logchain.read.selection import EVERYTHING, Selection
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.layout import open_store
from tests.conftest import FakeClock
from tests.read.archived import Archive

__all__ = ["Pinned", "copy", "everything", "make_template", "session", "told"]


@dataclass
class Pinned(Archive):
    """A store, its audit secret, and its fingerprint on a piece of paper."""

    fingerprint: str = ""

    def report(self, *, pinned: bool = True, audited: bool = False, vm: str | None = None) -> Report:
        """Verify the store as it is now, with what this person has."""
        with open_store(self.path) as store:
            return verify_store(
                store,
                self.audit if audited else None,
                EVERYTHING if vm is None else Selection(vms=(vm,)),
                fingerprint=self.fingerprint if pinned else None,
            )

    def damage(self, *, pinned: bool = True, audited: bool = False, vm: str | None = None) -> list[str]:
        """Return the damage that is found; the verdict must agree."""
        report = self.report(pinned=pinned, audited=audited, vm=vm)
        bad = [told(finding) for finding in everything(report) if finding.damage]
        assert (report.verdict == Verdict.DAMAGED) == bool(bad)
        return bad

    def notices(self) -> list[str]:
        """Return what is told and is no damage."""
        return [told(finding) for finding in everything(self.report()) if not finding.damage]

    @property
    def entries(self) -> Path:
        """The file of the ledger."""
        return self.path / "ledger" / "entries"

    def split(self) -> list[bytes]:
        """Return the entries of the ledger."""
        return split_entries(self.entries.read_bytes())[0]

    def keys(self) -> LedgerKeys:
        """Return the keys of now: all that root has."""
        return read_ledger_keys((self.path / "keys" / "ledger").read_bytes())

    def forge(self, event: Event, seed: bytes | None = None) -> bytes:
        """Return an entry behind the last, signed with the key of now, or with another."""
        keys, last = self.keys(), self.split()[-1]
        name = entry_key_name(self.audit.store_id)
        entry = Entry(
            store_id=self.audit.store_id,
            number=keys.number,
            time=self.clock.wall(),
            age=keys.age,
            previous=sha256(last).digest(),
            event=event,
            next=public_key(name, b"\x99" * 32),
        )
        return sign(format_entry(entry), name, seed or keys.seed)

    def lists(self) -> list[Path]:
        """Return the lists of heads."""
        return sorted((self.path / "ledger" / "heads").iterdir())

    @contextmanager
    def changed(self, path: Path, data: bytes) -> Iterator[None]:
        """Have other bytes in a file for a moment."""
        good, mode = path.read_bytes(), path.stat().st_mode
        path.chmod(0o600)
        path.write_bytes(data)
        try:
            yield
        finally:
            path.write_bytes(good)
            path.chmod(mode)


def everything(report: Report) -> list[Finding]:
    """Return all findings, those of no stream first."""
    return [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]


def told(finding: Finding) -> str:
    """Return a finding in a line: segment, record, entry, text."""
    return f"{finding.segment}:{finding.record}:{finding.entry} {finding.text}"


def make_template(path: Path) -> Pinned:
    """Make the store that is attacked.

    work/main: segments 1 to 3 are sealed, each in another tier, 4 is open and was listed. vault/main: 1 was evicted,
    2 deleted, 3 is sealed, 4 is open. gone/main was forgotten. new/main was never listed, and its birth not recorded.
    """
    store = Pinned.make(path)
    for tier in ("", ".lz4", ".xz"):
        session(store, 6)
        store.list_heads()
        store.roll()
        store.seal(tier=tier)
    session(store, 6)
    for _ in range(3):
        session(store, 2, "vault")
        store.roll("vault")
    store.seal("vault")
    session(store, 2, "vault")
    session(store, 2, "gone")
    store.list_heads()
    store.evict(1, vm="vault")
    store.delete(2, vm="vault")
    store.forget("gone")
    session(store, 2, "new")
    store.fingerprint = fingerprint(open_genesis(store.split()[0])[1].key)
    return store


def session(store: Archive, lines: int, vm: str = "work") -> None:
    """Log a session, a second a line."""
    store.clock.go(1)
    writer = store.open(vm)
    writer.start_session(os.urandom(8), "logchain.Append")
    for number in range(lines):
        store.clock.go(1)
        writer.append(
            LINE, [b"line %d of %s, and what else there is to say" % (number, vm.encode())], store.clock.wall()
        )
    writer.end_session("eof", b"", 0)
    writer.close()


def copy(template: Pinned, path: Path) -> Pinned:
    """Return a copy of a store, with a clock of its own."""
    shutil.copytree(template.path, path)
    clock = FakeClock(template.clock.now, template.clock.up, template.clock.boot)
    return Pinned(path, AuditSecret(*template.audit), clock, template.fingerprint)
