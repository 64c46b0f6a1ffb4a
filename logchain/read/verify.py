"""Checks a store against the audit secret, record by record, or, without it, its structure only.

It shares no code with the writer but the formats: a fault of the writer must not be repeated in the check.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError, SecretError, StoreError
from logchain.format.identity import parse_store
from logchain.format.keystate import BirthState, read_births
from logchain.format.limits import MAX_SMALL_FILE
from logchain.format.slots import FILE_SIZE
from logchain.read.findings import Finding, StreamReport
from logchain.read.live import reason
from logchain.read.verify_births import Births
from logchain.read.verify_stream import StreamCheck
from logchain.store.layout import BIRTHS, FORMAT, Directory, stream_directory, streams

__all__ = ["Report", "Verdict", "verify_store"]


class Verdict(Enum):
    """What the check came to, with the exit code of `logchain verify`."""

    INTACT = 0
    DAMAGED = 1
    CANNOT_TELL = 3


@dataclass
class Report:
    """What was found in a store, and whether the audit secret was at hand."""

    store_id: bytes
    audited: bool
    streams: list[StreamReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Damaged as soon as anything is; intact only if something was checked with the secret."""
        everything = [*self.findings, *(finding for stream in self.streams for finding in stream.findings)]
        if any(finding.damage for finding in everything):
            return Verdict.DAMAGED
        if self.audited and any(stream.records for stream in self.streams):
            return Verdict.INTACT
        return Verdict.CANNOT_TELL


def verify_store(
    store: Directory,
    audit: AuditSecret | None = None,
    vm: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Check a store, or one VM's streams in it, and return what was found.

    `progress` is told the bytes of text as they are read. Births are accounted for in the whole store, whatever `vm`
    says. Raises StoreError where there is no store, SecretError where the secret is another store's.
    """
    try:
        identity = parse_store(store.read(FORMAT, MAX_SMALL_FILE))
    except (FileNotFoundError, FormatError) as error:
        raise StoreError(f"{store.path} is no store: {reason(error)}") from error
    if audit and audit.store_id != identity.store_id:
        raise SecretError("this audit secret belongs to another store, or the store's id was changed")
    report = Report(identity.store_id, audit is not None)
    before = _read_births(store, report)
    births = Births(audit, before.birth if before else 1)
    for name in streams(store):
        with stream_directory(store, *name) as directory:
            check = StreamCheck(directory, *name, identity.store_id, births)
            if vm not in (None, name[0]):
                births.claim(name, check.proven_births())
                continue
            check.run(progress)
            report.streams.append(check.report)
            births.claim(name, check.births)
            if check.report.damaged:
                births.excuse(check.claimed_births())
    after = _read_births(store, report) if before else None
    if before and after:
        report.findings += births.findings(before, after)
    return report


def _read_births(store: Directory, report: Report) -> BirthState | None:
    try:
        return read_births(store.read(BIRTHS, FILE_SIZE))
    except (FileNotFoundError, FormatError) as error:
        report.findings.append(
            Finding(True, f"the store's births are lost ({reason(error)}): removed streams cannot be told")
        )
        return None
