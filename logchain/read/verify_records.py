"""What every segment's records have to be, sealed or not, and what the check of one segment tells."""

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_RECORD, PREFIX, TIME_SIZE
from logchain.format.record import LINE, NOTE, PART, Note, parse_note, parse_time
from logchain.read.findings import Finding

if TYPE_CHECKING:
    from logchain.read.verify_heads import Line

__all__ = [
    "MOST_LEADING",
    "Damage",
    "SegmentCheck",
    "check_form",
    "expected_note",
    "is_end",
    "leading_notes",
    "own_note",
]

MOST_LEADING = 5  # notes that are looked for at the beginning of a segment
_SIGNS = {b" %s " % kind: kind for kind in (LINE, PART, NOTE)}


class Damage(Exception):
    """Where a segment is damaged: record counted from the segment's first, offset of it in the text."""

    def __init__(self, text: str, index: int, offset: int) -> None:
        super().__init__(text, index, offset)
        self.text, self.index, self.offset = text, index, offset


@dataclass
class SegmentCheck:
    """What the check of one segment found, for whoever links it with those before and behind it."""

    number: int
    sealed: bool
    findings: list[Finding] = field(default_factory=list)
    damage: Damage | None = None  # where its records stop to be good; a sealed one has findings only
    lost: bool = False  # a file is not there: it may have moved, or gone on purpose, while we looked
    good: int = 0  # records that are: from the first on, or in blocks that are as they were sealed
    time: int = 0  # of the last of these, µs since 1970
    size: int = 0  # bytes of text that were good
    chained: int = 0  # records that were checked with the audit secret
    listed: int = 0  # records that the last list of heads fixed
    claimed: int = 0  # the birth that its first note names, whether that is good or not
    head: list[Note] = field(default_factory=list)  # the notes that it begins with, if these are good
    vouched: bool = False  # the ledger, as far as that is proven, names its manifest
    whole: bool = False  # it is good to its end
    first: int | None = None  # number of its first record, where that is known
    records: int = 0  # these, too, as soon as they are known: of a sealed one by its manifest
    tag: bytes = b""  # of its last record
    key: bytes = b""  # behind its last record, where it was chained
    ended: bool = False  # its last record is its end

    def find(self, text: str, *, damage: bool = True, record: int | None = None, offset: int | None = None) -> None:
        """Take note of a finding in this segment."""
        self.findings.append(Finding(damage, text, self.number, record, offset))

    def contradict(self, line: "Line") -> None:
        """Take note that its text is not what a list of heads says."""
        text = f"its first {line.records:,} records, {line.size:,} bytes, are not what was listed"
        self.findings.append(Finding(True, text, self.number, entry=line.entry))


def expected_note(store_id: bytes, vm: str, stream: str, number: int) -> dict[str, str]:
    """Return what a segment's note has to say whatever it holds."""
    return {"format": "logchain/1", "store": store_id.hex(), "vm": vm, "stream": stream, "number": str(number)}


def own_note(record: bytes, expected: dict[str, str]) -> Note:
    """Return the note that a segment begins with; raises Damage where it is not the note of this segment."""
    try:
        note = parse_note(record[PREFIX:])
        if not _is_note(record) or note.event != "segment" or not expected.items() <= note.fields.items():
            raise FormatError("it is not this segment's")
        note.number("first")
    except FormatError as error:
        raise Damage(f"the segment does not begin with its note: {error}", 0, 0) from error
    return note


def _is_note(record: bytes) -> bool:
    return record[TIME_SIZE:PREFIX] == b" # "


def leading_notes(records: list[bytes]) -> list[Note]:
    """Return the notes that a segment begins with, of records whose form was checked."""
    notes = takewhile(_is_note, records[:MOST_LEADING])
    return [parse_note(record[PREFIX:]) for record in notes]


def is_end(record: bytes) -> bool:
    """Tell whether a record is a segment's last, of a form that was checked."""
    return _is_note(record) and parse_note(record[PREFIX:]).event == "end"


def check_form(records: list[bytes], time: bytes, index: int, ends: list[int]) -> bytes:
    """Check the form of records, and that no time goes back behind `time`; return the last time.

    The rules of `parse_record`, but a time is parsed once for all records that share it: this is the hot loop.
    """
    for place, record in enumerate(records):
        kind = _SIGNS.get(record[TIME_SIZE:PREFIX])
        now = record[:TIME_SIZE]
        try:
            if kind is None or not PREFIX + (kind == PART) <= len(record) <= MAX_RECORD:
                raise FormatError("not a record")
            if now != time:
                parse_time(now)
            if kind == NOTE:
                parse_note(record[PREFIX:])
        except FormatError as error:
            raise Damage(str(error), index + place, ends[place]) from error
        if now < time:
            raise Damage("the time goes back", index + place, ends[place])
        time = now
    return time
