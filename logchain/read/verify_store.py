"""Checks a store stream by stream: plans what is there, has it checked, links it, and asks where the rest is."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from logchain.format.errors import FormatError
from logchain.format.keystate import BirthState, KeyState
from logchain.format.settings import Settings
from logchain.format.tlog_policy import Policy
from logchain.read.accepted import Accepted
from logchain.read.findings import Finding, LedgerReport, StreamReport
from logchain.read.ledger import Ledger
from logchain.read.live import read_keystate
from logchain.read.selection import Selection
from logchain.read.verify_births import Births
from logchain.read.verify_heads import HeadsLists, lines
from logchain.read.verify_jobs import Checker, Result, Task, run_tasks
from logchain.read.verify_keys import Secrets
from logchain.read.verify_ledger import check_checkpoint, check_key, tell_clocks, tell_gone
from logchain.read.verify_live import LiveCheck, LiveTask, proven_births
from logchain.read.verify_plan import Planner, StreamPlan
from logchain.read.verify_records import SegmentCheck
from logchain.read.verify_sealed import SealedTask, is_copy
from logchain.read.verify_stream import StreamLinks
from logchain.read.witnessed import WitnessReport, check_witnessed
from logchain.store.layout import RESTORING, SEALED, Directory, segments, stream_directory

__all__ = ["StoreCheck"]


class StoreCheck:
    """The check of one store: `read_ledger`, then `run`, then `finish`. `findings` are of no stream."""

    def __init__(self, store: Directory, store_id: bytes, secrets: Secrets, births: Births, settings: Settings) -> None:
        self._store, self._store_id, self._secrets, self._births = store, store_id, secrets, births
        self._settings = settings
        self._ledger = Ledger(store, store_id)
        self._lists = HeadsLists(store, self._ledger)
        self._names: dict[bytes, tuple[str, str]] = {}
        self._proven, self._head = (
            0,
            self._ledger.head,
        )  # as far as it was proven when all began: that is what is judged
        self._pinned = False
        self._key = "none"
        self.findings: list[Finding] = []

    def read_ledger(self, fingerprint: str | None) -> None:
        """Read ledger and lists of heads; `fingerprint` is the one that a person kept."""
        self._ledger.advance()
        self._proven, self._head = self._ledger.proven, self._ledger.head
        self._pinned = bool(fingerprint) and self._ledger.fingerprint == fingerprint
        if fingerprint and self._ledger.genesis and not self._pinned:
            # not 'cannot tell': so whoever makes up a whole new ledger would silence every alarm
            text = "the ledger has another fingerprint: it was replaced, or the fingerprint is another store's"
            self.findings.append(Finding(True, text, entry=0))
        self._lists.read()

    def run(
        self, names: Iterable[tuple[str, str]], wanted: Selection, jobs: int, progress: Callable[[int], None]
    ) -> Iterator[StreamReport]:
        """Check streams that are wanted, and yield what was found in each; of the others it is seen what is there.

        Raises StoreError where something may not be read.
        """
        planner = Planner(self._store, self._store_id, self._ledger, self._lists)
        plans = [planner.plan(*name) for name in names]
        for plan in plans:
            self._names.update(dict.fromkeys(plan.ids, (plan.vm, plan.stream)))
        checked = [plan for plan in plans if wanted.has(plan.vm, plan.stream)]
        results = run_tasks(self._store, self._secrets, _tasks(checked), jobs, progress)
        for plan in plans:
            if wanted.has(plan.vm, plan.stream):
                yield self._finish_stream(plan, results)
            else:
                self._see(plan)
        self.findings += planner.gone_streams()

    def _finish_stream(self, plan: StreamPlan, results: Iterator[Result]) -> StreamReport:
        """Take the results of a stream's tasks, look up once more what was not there, and link all of it."""
        report = StreamReport(plan.vm, plan.stream, findings=plan.findings)
        found: dict[int, SegmentCheck] = {}
        for task in plan.sealed:
            sealed = next(results)
            assert isinstance(sealed, SegmentCheck)
            if not (sealed.lost and self._went(task.stream_id, task.number)):
                found[task.number] = sealed
        if not plan.live:
            return report
        live = next(results)
        assert isinstance(live, LiveCheck)
        if live.gone and plan.bare and not found:
            return report  # nothing was there, and nothing is; whether there should be is asked of ledger and births
        if (live.state_lost or live.id_lost) and self._was_forgotten(plan.stream_id) and not found:
            return report  # with something left of it, it is checked as if it were all there
        history = self._ledger.of(plan.stream_id)
        found.update((check.number, check) for check in live.segments)
        last = live.state.segment if live.state else max(found, default=0)
        there = {number for number, check in found.items() if check.sealed or not check.lost}
        absent = [
            number
            for number in sorted({*range(1, last + 1), *plan.live.listed} - there - plan.lost)
            if not history.is_gone(number)
        ]
        moved = self._look_up(plan, plan.live, absent, found)
        for number in set(absent).intersection(plan.live.listed) - moved:
            if not history.is_gone(number) and number > last:
                entry = lines(plan.live.listed[number])[-1].entry
                report.findings.append(Finding(True, "it was listed, and is gone", number, entry=entry))
        checks = [found[number] for number in sorted(found)]
        restored = [first for _, first in self._ledger.restored]
        links = StreamLinks(
            report,
            lambda number: number in plan.lost or history.is_gone(number),
            self._secrets.audited,
            history.birth_of,
            restored,
        )
        links.run(live, checks, moved)
        report.findings += self._doubled(plan, live.doubled)
        self._births.claim((plan.vm, plan.stream), plan.ids, links.births, live.state)
        self._births.begun |= links.begun
        if report.damaged:
            claimed = {check.claimed for check in checks} | ({live.state.birth} if live.state else set())
            self._births.excuse(claimed)
        return report

    def _doubled(self, plan: StreamPlan, numbers: Iterable[int]) -> Iterator[Finding]:
        """Tell of segments that are sealed, and in live/ too: a crash leaves the same text there, and nothing else."""
        for number in numbers:
            with (
                suppress(FileNotFoundError),
                stream_directory(self._store, plan.vm, plan.stream) as live,
                stream_directory(self._store, plan.vm, plan.stream, SEALED) as sealed,
            ):
                if is_copy(live, sealed, number):
                    text = "it is still in live/ too: a crash left it; the sealed one counts"
                    yield Finding(False, text, number)
                else:
                    text = "it is in live/ too, with another text than was sealed: it was put there"
                    yield Finding(True, text, number)

    def _was_forgotten(self, stream_id: bytes) -> bool:
        self._ledger.advance()
        return self._ledger.of(stream_id).forgotten is not None

    def _went(self, stream_id: bytes, number: int) -> bool:
        self._ledger.advance()
        return self._ledger.of(stream_id).is_gone(number)

    def _look_up(self, plan: StreamPlan, live: LiveTask, absent: list[int], found: dict[int, SegmentCheck]) -> set[int]:
        """Look for segments in sealed/ that were in live/ when this began; return which were found, and add them."""
        if absent:
            self._ledger.advance()
        history, moved = self._ledger.of(plan.stream_id), set()
        checker = Checker(self._store, self._secrets)
        for number in absent:
            entry = history.sealed.get(number)
            if entry:
                moved.add(number)
                task = SealedTask(
                    plan.vm,
                    plan.stream,
                    number,
                    self._store_id,
                    plan.stream_id,
                    entry,
                    history.birth_of(number),
                    live.listed.get(number, b""),
                )
                check = checker.check_sealed(task)
                if not (check.lost and self._went(plan.stream_id, number)):
                    found[number] = check
                    continue
            if history.is_gone(number):
                found.pop(number, None)
        return moved

    def _see(self, plan: StreamPlan) -> None:
        """See that all of a stream is there whose contents are not asked for."""
        where = f"{plan.vm}/{plan.stream}"
        missing = [Finding(True, "the text is missing", number) for number in plan.textless]
        missing += self._unseen(plan)
        for finding in (finding for finding in [*plan.findings, *missing] if finding.damage):
            self.findings.append(Finding(True, f"{where}: {finding.text}", finding.segment, entry=finding.entry))
        for stream_id in plan.ids:  # what is sealed is not read
            history = self._ledger.of(stream_id)
            self._births.excuse({birth for segment, birth in history.births if segment in history.sealed})
        with suppress(FileNotFoundError, FormatError), stream_directory(self._store, plan.vm, plan.stream) as directory:
            births = proven_births(directory, plan.vm, plan.stream, self._secrets)
            self._births.claim((plan.vm, plan.stream), plan.ids, births, _try_state(directory))

    def _unseen(self, plan: StreamPlan) -> Iterator[Finding]:
        """Tell of segments that were listed while they were open, and are nowhere now."""
        listed = plan.live.listed if plan.live else {}
        there: set[int] = set()
        with suppress(FileNotFoundError, FormatError), stream_directory(self._store, plan.vm, plan.stream) as live:
            there.update(segments(live))
        absent = sorted(listed.keys() - there - {task.number for task in plan.sealed})
        if absent:
            self._ledger.advance()
        history = self._ledger.of(plan.stream_id)
        for number in absent:
            if number not in history.sealed and not history.is_gone(number):
                yield Finding(True, "it was listed, and is gone", number, entry=lines(listed[number])[-1].entry)

    def finish(self, before: BirthState | None, after: BirthState | None) -> None:
        """Ask for what should be there beside the streams. Births are those when all began, and those of now."""
        self._ledger.advance()
        self.findings += self._lists.findings
        self.findings += self._lists.left()
        self.findings += self._lists.missing()
        self.findings += self._births.recorded(self._ledger, before, after)
        self.findings += check_checkpoint(self._store, self._ledger)
        self._key, finding = check_key(self._store, self._ledger)
        if finding:
            self.findings.append(finding)
        elif self._ledger.torn:
            text = "an entry was not appended to its end: a crash, or it is being written; it does not count"
            self.findings.append(Finding(False, text))
        if RESTORING in self._store.names():
            text = "'logchain restored' was not finished, and nobody can log until it is: run it again"
            self.findings.append(Finding(False, text))
        if self._ledger.intact and self._ledger.size > self._proven:
            text = (
                f"{self._ledger.size - self._proven:,} entries came while this looked: they are left out, verify again"
            )
            self.findings.append(Finding(False, text, entry=self._proven))
        self.findings += tell_clocks(self._ledger, time.time())
        self.findings += tell_gone(self._ledger, self._names, self._settings, time.time())
        self.findings += self._ledger.findings

    def acceptance(self) -> Accepted:
        """Return what of the store is accepted, if nothing is damaged: of what came meanwhile nothing was looked at."""
        ledger = self._ledger
        manifests = (
            (stream_id, segment, sealed.manifest)
            for stream_id, history in ledger.streams.items()
            for segment, sealed in history.sealed.items()
            if sealed.entry < self._proven
        )
        return Accepted.of(self._proven, ledger.root(self._proven), manifests)

    def check_witnessed(self, policy: Policy) -> WitnessReport:
        """See how far witnesses signed the ledger, and that it is what they signed; behind `finish`."""
        report, findings = check_witnessed(self._store, self._ledger, policy, time.time())
        self.findings += findings
        return report

    def compare(self, accepted: Accepted) -> None:
        """See whether the ledger goes on from what the user accepted before."""
        ledger = self._ledger
        if ledger.size < accepted.entries or ledger.root(accepted.entries) != accepted.root:
            text = f"the ledger does not go on from the {accepted.entries:,} entries that your last verify accepted"
            self.findings.append(Finding(not ledger.restored, f"{text}: it is an older copy, or another"))

    def ledger_report(self) -> LedgerReport:
        """Return what the ledger came to."""
        ledger, head = self._ledger, self._head
        return LedgerReport(
            fingerprint=ledger.fingerprint,
            pinned=self._pinned,
            entries=self._proven,
            head_time=head.time if head else 0,
            head_age=head.age if head else 0,
            listed_time=self._lists.time,
            sealed=ledger.sealed,
            evicted=ledger.evicted,
            deleted=ledger.deleted,
            forgotten=len(ledger.forgotten),
            restored=ledger.backups,
            exported=ledger.exported,
            key=self._key,
        )


def _try_state(directory: Directory) -> KeyState | None:
    with suppress(FileNotFoundError, FormatError):
        return read_keystate(directory)
    return None


def _tasks(plans: Iterable[StreamPlan]) -> Iterator[Task]:
    for plan in plans:
        yield from plan.sealed
        if plan.live:
            yield plan.live
