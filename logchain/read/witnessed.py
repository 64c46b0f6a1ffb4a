"""How far the ledger was cosigned by witnesses, as the store keeps it, and whether that fits the ledger in hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from logchain.format.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from logchain.format.cosignature import cosigned_at
from logchain.format.errors import FormatError, SignatureError
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.signed_note import SignedNote, Vkey, parse_note
from logchain.format.tlog_policy import Policy, witnessed_at
from logchain.read.findings import Finding
from logchain.read.ledger import Ledger
from logchain.read.times import format_local
from logchain.store.layout import LEDGER, WITNESSED, Directory

__all__ = ["WitnessReport", "check_witnessed", "signed_by", "signed_note"]

_STALE = 3_600  # s: a witness is asked every five minutes, so an hour without it is none of the hiccups
_LATEST = 253_402_300_799  # s since 1970, the end of the year 9999: later times are shown as this one
_AHEAD = 3_600  # s by which clocks may differ


@dataclass
class _Witnessed:
    """The last checkpoint that was cosigned: the note, its bytes, and what it says. Nothing is verified."""

    data: bytes
    note: SignedNote
    checkpoint: Checkpoint


@dataclass
class WitnessReport:
    """Up to which entry the witnesses that were asked for signed the ledger, and when: s since 1970, None for never."""

    entries: int = 0
    time: int | None = None  # when the quorum was complete
    times: dict[str, int] = field(default_factory=dict)  # of each witness that signed, by its name in the policy

    def is_stale(self, now: float) -> bool:
        """Tell whether at this time, s since 1970, nothing shows that they signed lately."""
        return self.time is None or now - self.time > _STALE or self.is_to_come(now)

    def is_to_come(self, now: float) -> bool:
        """Tell whether they signed later than this time, s since 1970: nobody can tell how old that is."""
        return self.time is not None and self.time > now + _AHEAD


def _read(store: Directory) -> _Witnessed | None:
    """Return the last checkpoint that was cosigned, None where there is none; FormatError where it is not one."""
    try:
        with store.directory(LEDGER) as directory:
            data = directory.read(WITNESSED, MAX_CHECKPOINT)
    except FileNotFoundError:
        return None
    note = parse_note(data, MAX_CHECKPOINT)
    return _Witnessed(data, note, parse_checkpoint(note.text))


def _signed_at(note: SignedNote, witness: Vkey) -> int | None:
    """Return what cosigned_at does, as a time that a calendar has."""
    time = cosigned_at(note, witness)
    return None if time is None else min(time, _LATEST)


def signed_by(store: Directory, witness: Vkey) -> WitnessReport:
    """Return how far a witness signed the ledger, as the store has it; whether it is this ledger is for verify."""
    try:
        found = _read(store)
        time = _signed_at(found.note, witness) if found else None
    except (FormatError, SignatureError):
        found = time = None
    return WitnessReport(found.checkpoint.size if found and time is not None else 0, time)


def signed_note(note: SignedNote, size: int, policy: Policy) -> WitnessReport:
    """Return who of a policy cosigned the note of a checkpoint of this size; SignatureError where one does not hold."""
    times = {name: _signed_at(note, key) for name, key in policy.witnesses.items()}
    signed = {name: time for name, time in times.items() if time is not None}
    return WitnessReport(size if signed else 0, witnessed_at(policy, signed), signed)


def check_witnessed(
    store: Directory, ledger: Ledger, policy: Policy, now: float
) -> tuple[WitnessReport, list[Finding]]:
    """Return who signed, and what is wrong with it; `now`, s since 1970, is the time of whoever verifies.

    That nothing was signed, or not lately, is no damage: a witness may be away, and an older copy of the store has an
    older cosignature. That the ledger is not what was signed is: nobody but who has the witness's key can make that up.
    """
    try:
        found = _read(store)
        report = signed_note(found.note, found.checkpoint.size, policy) if found else WitnessReport()
    except (FormatError, SignatureError) as error:
        changed = f"what a witness signed was changed, in {LEDGER}/{WITNESSED}: {error}"
        return WitnessReport(), [Finding(True, changed)]
    if found and report.times:
        problem = _compare(ledger, found, policy)
        if problem:
            when = format_local(max(report.times.values()) * 1_000_000, None)
            other = f"a witness signed {found.checkpoint.size:,} entries at {when}, and {problem}"
            return WitnessReport(times=report.times), [Finding(True, other)]
    return report, list(_tell(report, now))


def _compare(ledger: Ledger, found: _Witnessed, policy: Policy) -> str:
    """Return how the ledger contradicts what was signed, empty where it goes on from it."""
    if not ledger.intact or not ledger.genesis:
        return "it cannot be told whether these are they"
    try:
        open_checkpoint(found.data, ledger.genesis.log)  # its origin too: a witness keeps each origin apart
    except (FormatError, SignatureError):
        return "they are of another log: that file is another store's, or the ledger was replaced"
    if policy.logs and ledger.genesis.log not in policy.logs:
        return "the policy is for other logs than this one"
    size = found.checkpoint.size
    if size > ledger.size:
        ledger.advance()
    if size > ledger.size:
        return f"there are {ledger.size:,}: the newest were removed"
    if found.checkpoint.root != ledger.root(size):
        return "these are others: the ledger was changed, or is a fork"
    return ""


def _tell(report: WitnessReport, now: float) -> Iterator[Finding]:
    """Yield a notice where the newest of the store is not witnessed, or nobody can say since when."""
    if any(time > now + _AHEAD for time in report.times.values()):
        yield Finding(False, "a witness signed at a time to come, by the clock here: how old that is, nobody can tell")
    if report.time is None:
        yield Finding(False, "not witnessed: no cosignature of the witnesses that were asked for, or not of enough")
    elif report.is_stale(now) and not report.is_to_come(now):
        since = format_local(report.time * 1_000_000, None)
        yield Finding(False, f"not witnessed since {since}: what came later, or was to come, may be missing")
