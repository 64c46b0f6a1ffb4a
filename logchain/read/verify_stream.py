"""Links the segments of one stream, sealed or not: each to the one before it, the last to the key state."""

from collections.abc import Callable, Collection, Iterable
from itertools import groupby

from logchain.format.keystate import BROKEN, KeyState
from logchain.format.ratchet import given_up_proof
from logchain.format.record import Note
from logchain.read.findings import Finding, StreamReport
from logchain.read.live import missing
from logchain.read.verify_live import LiveCheck
from logchain.read.verify_records import SegmentCheck

__all__ = ["StreamLinks"]


class StreamLinks:
    """What links the segments of a stream: `births` that it shows, and those that a segment was `begun` under."""

    def __init__(
        self,
        report: StreamReport,
        is_gone: Callable[[int], bool],
        audited: bool,
        birth_of: Callable[[int], int] = lambda _: 0,
        restored: Collection[int] = (),
    ) -> None:
        self.report, self._is_gone, self._audited, self._birth_of = report, is_gone, audited, birth_of
        self._restored = restored  # the first births behind backups that came back, as the ledger has them
        self.births: set[int] = set()
        self.begun: set[int] = set()
        self._birth = 0  # the last one that is known
        self._linked = 0  # the last segment whose first record is good
        self._first: int | None = 0  # number that the next segment begins with; None where that is lost
        self._tag: bytes | None = bytes(32)  # the last tag before it
        self._unended: tuple[int, int, bytes] | None = None  # a segment without `end`, its size, its key: next says why

    def run(self, live: LiveCheck, checks: Iterable[SegmentCheck], moved: Iterable[int]) -> None:
        """Link these segments, in order; of those that `moved` while they were looked at the key state knows less."""
        state, expected = live.state, 1
        if live.state_lost:
            self._find(f"the key state is lost: {live.state_lost}")
        if live.id_lost:
            self._find(f"the stream's id is lost: {live.id_lost}")
        for check in checks:
            self._miss(expected, check.number - 1)
            self._take(check)
            expected = check.number + 1
            if state and state.segment == check.number and check.whole and check.number not in moved:
                self._compare(state, check)
            if state and state.segment < check.number and check.number not in moved:
                self._find("the key state knows nothing of it: that is an older copy", segment=check.number)
        if state:
            self._miss(expected, state.segment)
        if self._unended and not (state and state.segment == self._unended[0] and _needs_no_end(state)):
            self._find("the segment has no end: records are missing", segment=self._unended[0])
        if state:
            self._check_state(state, live.wrong_next)
        if live.uncommitted:
            text = f"segment {live.uncommitted} was never committed"
            self._find(text, damage=False, segment=live.uncommitted)

    def _miss(self, first: int, last: int) -> None:
        """Tell of segments that are not there, but for those that went on purpose."""
        for gone, group in groupby(range(first, last + 1), self._is_gone):
            numbers = list(group)
            if not gone:
                self._find(missing(numbers[0], numbers[-1]), segment=numbers[0])
        if first <= last:
            if self._unended:
                text = "the segment has no end, and what could say why is gone: records are missing"
                self._find(text, segment=self._unended[0])
            self._first = self._tag = self._unended = None

    def _take(self, check: SegmentCheck) -> None:
        report = self.report
        report.records += check.good
        report.chained += check.chained
        report.segments += check.whole
        if check.time:
            report.time = check.time
        if check.vouched:
            report.sealed += check.good
        elif not check.sealed:
            report.listed += check.listed
            report.unlisted += max(0, check.good - check.listed)
        self._link(check)
        report.findings += check.findings
        if check.damage:
            record = None if self._first is None else self._first + check.damage.index
            self._find(check.damage.text, segment=check.number, record=record, offset=check.damage.offset)
        self._unended = None
        if not check.tag:
            self._first = self._tag = None
            return
        self._tag = check.tag
        if self._first is not None:
            self._first += check.records
        if check.whole and not check.ended:
            self._unended = check.number, check.size, check.key

    def _link(self, check: SegmentCheck) -> None:
        """Check that a segment goes on where the one before it ended, as far as it could be read."""
        number, first, head = check.number, check.first, check.head
        fields = head[0].fields if head else {}
        is_birth = "birth" in fields
        broken = next((note.fields.get("reason") for note in head if note.event == "broken"), None)
        before = self._birth or self._birth_of(number - 1)  # a backup comes back once: the birth is from before it
        if head:
            self._linked = number
        if check.sealed and check.claimed:
            self._birth = check.claimed
        if is_birth:
            self._birth = head[0].number("birth")
            if not (check.sealed and self._audited and not check.key):  # it is proven
                self.births.add(self._birth)
            self.begun.add(self._birth)
        restored = broken == "restored" and any(before < first <= self._birth for first in self._restored)
        if restored:
            text = "the stream begins anew: the store came back from a backup"
            self._find(text, damage=False, segment=number)
        elif broken:
            self._find(f"the stream had to begin anew ({broken}): what was before was lost or changed", segment=number)
        elif head and is_birth != (number == 1):
            self._find("a birth where none should be, or none where one should", segment=number)
        if (restored or not broken) and first is not None and self._first not in (None, first):
            text = f"the segment begins with record {first}: records before it are missing"
            self._find(text, segment=number, record=self._first)
        previous = bytes(32) if is_birth else self._tag
        if head and previous is not None and self._tag is not None and fields.get("previous") != previous.hex():
            self._find("the segment does not follow the one before it", segment=number)
        if head:
            self._check_unended(head, broken)
        if first is not None:
            self._first = first

    def _check_unended(self, head: list[Note], broken: str | None) -> None:
        """See that a segment without `end` before this one is accounted for."""
        if self._unended and broken in (None, "restored"):
            before, size, key = self._unended
            told = {"previous": str(before), "end": str(size), "reason": broken or "io"}
            told |= {"proof": given_up_proof(key).hex()} if key else {}
            if any(note.event == "recovered" and told.items() <= note.fields.items() for note in head):
                refused = "the disk refused a write: the segment ends early"
                text = "the backup had no more of it: the segment ends early" if broken else refused
                self._find(text, damage=False, segment=before)
            else:
                self._find("the segment has no end: records are missing", segment=before)
        self._unended = None

    def _compare(self, state: KeyState, check: SegmentCheck) -> None:
        """Hold the last segment against the key state."""
        if state.status in BROKEN:
            return
        if (state.tag, state.records, state.end) != (check.tag, check.records, check.size):
            self._find(
                "the segment does not end where the key state says: records are missing, or too many",
                segment=check.number,
            )
        elif check.key and state.bounds_segment and state.key != check.key:
            self._find("the key of now does not follow from the audit secret", segment=check.number)

    def _check_state(self, state: KeyState, wrong_next: str) -> None:
        """Check that the key state's secrets follow from the birth it names."""
        self.births.add(state.birth)
        if state.status in BROKEN:
            self._find(
                f"the stream has to begin anew ({BROKEN[state.status]}): what was stored before was lost or changed"
            )
        if not state.is_newborn and self._linked != state.segment and not self._is_gone(state.segment):
            return  # its last segment could not be checked, and that was found
        if wrong_next:
            self._find(wrong_next)
        elif self._audited and not state.is_newborn and self._birth not in (0, state.birth):
            self._find("the secret of the next segment does not follow from the audit secret")

    def _find(
        self,
        text: str,
        *,
        damage: bool = True,
        segment: int | None = None,
        record: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.report.findings.append(Finding(damage, text, segment, record, offset))


def _needs_no_end(state: KeyState) -> bool:
    """Tell whether the last segment is not closed, or why it is not was found already."""
    return state.bounds_segment or state.status in BROKEN
