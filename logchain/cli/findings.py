"""How what a check found is told."""

from logchain.read.display import escape_text
from logchain.read.findings import Finding

__all__ = ["DAMAGED", "finding_line"]

DAMAGED = "DAMAGED: records are missing or changed. No crash does that: somebody did it, or the disk fails."


def finding_line(finding: Finding) -> str:
    """Return a finding as a line: whether it is bad, where, and what."""
    place = [
        f"{word} {value:,}" if word != "segment" else f"{word} {value}"
        for word, value in (
            ("segment", finding.segment),
            ("record", finding.record),
            ("byte", finding.offset),
            ("ledger entry", finding.entry),
        )
        if value is not None
    ]
    return (
        f"{'BAD ' if finding.damage else 'note'} {', '.join(place)}{': ' if place else ''}{escape_text(finding.text)}"
    )
