"""What a check of a store finds, and where."""

from dataclasses import dataclass, field

__all__ = ["Finding", "LedgerReport", "SegmentReport", "StreamReport"]


@dataclass(frozen=True)
class Finding:
    """Something a person has to know: damage, or a mere notice; and where, as far as it has a place."""

    damage: bool
    text: str
    segment: int | None = None
    record: int | None = None  # number in the stream
    offset: int | None = None  # of the record in the segment's text
    entry: int | None = None  # of the ledger


@dataclass
class StreamReport:
    """What was found in one stream: how many records are good, and up to which receive time, µs since 1970.

    Of these records, `chained` were checked one by one with the audit secret, `sealed` are as the ledger says, and
    `listed`, of open segments, as the last list of heads says; `unlisted` are behind it.
    """

    vm: str
    stream: str
    segments: int = 0
    records: int = 0
    time: int = 0
    chained: int = 0
    sealed: int = 0
    listed: int = 0
    unlisted: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def damaged(self) -> bool:
        """Whether anything is wrong with it."""
        return any(finding.damage for finding in self.findings)


@dataclass
class SegmentReport:
    """What was found in one segment: how many records are as they were received, from which number on, until when."""

    vm: str
    stream: str
    segment: int
    records: int
    first: int | None
    time: int  # of the last of these, µs since 1970
    ended: bool  # the last one is the segment's end
    findings: list[Finding] = field(default_factory=list)

    @property
    def damaged(self) -> bool:
        """Whether anything is wrong with it."""
        return any(finding.damage for finding in self.findings)


@dataclass
class LedgerReport:
    """What was found in the ledger. Times in µs since 1970, ages in s of running time; 0 where nothing is proven."""

    fingerprint: str = ""  # of the key that its first entry is signed with
    pinned: bool = False  # that is the fingerprint that was given
    entries: int = 0  # that are proven, from the first on; those that came while all was looked at are left out
    head_time: int = 0  # of the last of these
    head_age: int = 0
    listed_time: int = 0  # of the last list of heads
    sealed: int = 0  # segments that have to be there
    evicted: int = 0
    deleted: int = 0
    forgotten: int = 0  # streams
    restored: int = 0  # how often the store came back from a backup
    exported: int = 0  # how often a person took lines out
    key: str = "none"  # in hand: `next`, `pending`, `other`, `unreadable`, `none`

    @property
    def gone(self) -> int:
        """How many things the ledger says are not there, and why they need not be."""
        return self.evicted + self.deleted + self.forgotten + self.restored
