"""Checks a whole store: the ledger, all that it says is sealed, what is open, and, with the audit secret, every record.

It shares no code with the writer but the formats: a fault of the writer must not be repeated in the check.

**The verdict.** Damaged as soon as anything is. Else intact where one of the two layers that reach all that is there
carries it:

- the ledger, pinned by its fingerprint, with records that it or its lists of heads fixed. What was logged behind the
  last list is then not checked; each stream's `unlisted` says how much that is;
- the audit secret, with records that it proved, where the ledger is pinned too, or says of nothing that it went on
  purpose: for whoever can make up a ledger can make up evictions.

And the ledger may say no more often than the person who verifies knows that the store came back from a backup: for
that excuses what is missing, and root can sign it. Else nobody can tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError, SecretError
from logchain.format.keystate import BirthState, read_births
from logchain.format.settings import DEFAULT_SETTINGS, Settings
from logchain.format.slots import FILE_SIZE
from logchain.format.tlog_policy import Policy
from logchain.read.accepted import Accepted
from logchain.read.findings import Finding, LedgerReport, StreamReport
from logchain.read.live import read_store_id, reason
from logchain.read.segments import all_streams
from logchain.read.selection import EVERYTHING, Selection
from logchain.read.verify_births import Births
from logchain.read.verify_keys import Secrets
from logchain.read.verify_store import StoreCheck
from logchain.read.witnessed import WitnessReport
from logchain.store.layout import BIRTHS, Directory

__all__ = ["Report", "Verdict", "verify_store"]


class Verdict(Enum):
    """What the check came to, with the exit code of `logchain verify`."""

    INTACT = 0
    DAMAGED = 1
    CANNOT_TELL = 3

    @property
    def word(self) -> str:
        """How JSON has it: `intact`, `damaged`, `cannot-tell`."""
        return self.name.lower().replace("_", "-")


@dataclass
class Report:
    """What was found in a store, and whether the audit secret was at hand."""

    store_id: bytes
    audited: bool
    restored: int = 0  # how often the store came back from a backup, as the person who verifies knows
    ledger: LedgerReport = field(default_factory=LedgerReport)
    streams: list[StreamReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    witness: WitnessReport | None = None  # None: no witness was asked for
    acceptance: Accepted | None = None  # what there is to accept, where a whole store was checked with its fingerprint

    @property
    def verdict(self) -> Verdict:
        """What all of it comes to, by the rule above."""
        everything = [*self.findings, *(finding for stream in self.streams for finding in stream.findings)]
        if any(finding.damage for finding in everything):
            return Verdict.DAMAGED
        if self.ledger.restored > self.restored:
            return Verdict.CANNOT_TELL
        by_ledger = self.ledger.pinned and self.fixed
        by_secret = self.audited and self.chained and (self.ledger.pinned or not self.ledger.gone)
        return Verdict.INTACT if by_ledger or by_secret else Verdict.CANNOT_TELL

    @property
    def records(self) -> int:
        """How many records are good, as far as was checked."""
        return sum(stream.records for stream in self.streams)

    @property
    def chained(self) -> int:
        """How many of them were checked one by one with the audit secret."""
        return sum(stream.chained for stream in self.streams)

    @property
    def fixed(self) -> int:
        """How many of them are as the ledger says, sealed or listed."""
        return sum(stream.sealed + stream.listed for stream in self.streams)


def verify_store(
    store: Directory,
    audit: AuditSecret | None = None,
    wanted: Selection = EVERYTHING,
    progress: Callable[[int], None] = lambda _: None,
    *,
    fingerprint: str | None = None,
    restored: int = 0,
    jobs: int = 1,
    settings: Settings = DEFAULT_SETTINGS,
    accepted: Accepted | None = None,
    policy: Policy | None = None,
) -> Report:
    """Check a store, or the streams of it that are wanted, and return what was found.

    `progress` is told the bytes of text as they are read. Ledger, births, and that nothing is missing are checked in
    the whole store, whatever is wanted. `fingerprint` is the one that a person kept, 64 hex; `jobs` processes share the
    work. What went on purpose though the settings would have kept it is told, and whether the ledger goes on from what
    was `accepted` before, and how far the witnesses of a `policy` signed it. Raises StoreError where there is no store,
    SecretError where the secret is another store's.
    """
    store_id = read_store_id(store)
    if audit and audit.store_id != store_id:
        raise SecretError("this audit secret belongs to another store, or the store's id was changed")
    report = Report(store_id, audit is not None, restored)
    before = _read_births(store, report)
    secrets = Secrets(audit, before.birth if before else 1)
    births = Births(secrets)
    check = StoreCheck(store, store_id, secrets, births, settings)
    check.read_ledger(fingerprint)
    if accepted:
        check.compare(accepted)
    report.streams += check.run(all_streams(store), wanted, jobs, progress)
    after = _read_births(store, report) if before else None
    check.finish(before, after)
    if before and after:
        report.findings += births.findings(before, after)
    if policy:
        report.witness = check.check_witnessed(policy)
    report.findings += check.findings
    report.ledger = check.ledger_report()
    if report.ledger.pinned and wanted == EVERYTHING:
        report.acceptance = check.acceptance()
    return report


def _read_births(store: Directory, report: Report) -> BirthState | None:
    try:
        return read_births(store.read(BIRTHS, FILE_SIZE))
    except (FileNotFoundError, FormatError) as error:
        report.findings.append(
            Finding(True, f"the store's births are lost ({reason(error)}): removed streams cannot be told")
        )
        return None
