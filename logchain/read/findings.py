"""What a check of a store finds, and where."""

from dataclasses import dataclass, field

__all__ = ["Finding", "StreamReport"]


@dataclass(frozen=True)
class Finding:
    """Something a person has to know: damage, or a mere notice; and where, as far as it has a place."""

    damage: bool
    text: str
    segment: int | None = None
    record: int | None = None  # number in the stream
    offset: int | None = None  # of the record in the segment's text


@dataclass
class StreamReport:
    """What was found in one stream: how many records are good, and up to which receive time, µs since 1970."""

    vm: str
    stream: str
    segments: int = 0
    records: int = 0
    time: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def damaged(self) -> bool:
        """Whether anything is wrong with it."""
        return any(finding.damage for finding in self.findings)
