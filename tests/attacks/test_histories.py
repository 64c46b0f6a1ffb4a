"""The guard against crying wolf: whatever happens to an honest store, in any order, no check takes it for tampering.

`HISTORIES=1000 pytest -n 0 tests/attacks/test_histories.py` tries many; each is up to twenty things that happen.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logchain.format.errors import LogchainError
from logchain.format.ledger import fingerprint, open_genesis
from logchain.format.record import LINE
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.archive import compress_segment, delete, evict, finish_removals
from logchain.store.forgetting import finish_forgetting, forget
from logchain.store.heads import KeptLists, OpenHeads
from logchain.store.layout import manifests, open_store, stream_directory, streams
from logchain.store.restoring import restore
from logchain.store.sealer import seal_segment
from logchain.store.segments import close_idle, closed_segments
from tests.attacks.meddling import meddling
from tests.attacks.pinned import Pinned, everything, told
from tests.store.crashes import Tell, run

HISTORIES = int(os.environ.get("HISTORIES", "8"))
VMS = st.sampled_from(["work", "vault", "disp7"])
WAYS = st.sampled_from(["no", "no", "kill", "torn", "power", "names"])
STEPS = st.integers(1, 60)  # of a crash; an action has some ten to a hundred
BLOCK = 512  # bytes of a block: a segment has none, one, or up to some dozen


class History(RuleBasedStateMachine):
    """A store to which all happens that happens to stores, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory()
        self.path = Path(self._place.name)
        self.store = Pinned.make(self.path / "store")
        self.store.fingerprint = fingerprint(open_genesis(self.store.split()[0])[1].key)
        self.backups = self.backups_then = self.count = 0
        self.is_copied = False

    def teardown(self) -> None:
        """Remove it."""
        self._place.cleanup()

    # ---- what happens; each may be cut short by a crash at any of its steps ----

    def do(self, action: Callable[[], object], way: str, step: int) -> None:
        """Do it, or as much of it as comes before a crash; what is refused is refused."""
        if way == "no":
            try:
                action()
            except LogchainError as error:
                assert error.exit_code == 3  # noqa: PT017 (an error of ours is allowed, not asked for)
        else:

            def act(_: Tell) -> None:
                action()

            run(act, step, way, chance=step)

    def log(self, vm: str, sizes: list[int], *, ends: bool = True) -> None:
        """One session."""
        writer = self.store.open(vm)
        try:
            writer.start_session(b"session%d" % (self.count % 10), "logchain.Append")
            for size in sizes:
                self.store.clock.go(0.1)
                writer.append(LINE, [b"x" * size], self.store.clock.wall())
                writer.commit()
            if ends:
                writer.end_session("eof", b"", 0)
        finally:
            if ends:
                writer.close()
            else:
                writer.abandon()

    def each_sealed(self) -> list[tuple[str, str, int]]:
        """Return all sealed segments."""
        found = []
        with open_store(self.store.path) as directory:
            for vm, stream in list(streams(directory, "sealed")):
                with stream_directory(directory, vm, stream, "sealed") as sealed:
                    found += [(vm, stream, number) for number in manifests(sealed)]
        return found

    def round(self) -> None:
        """What the compressor does once a minute."""
        with self.store.ledger() as (directory, ledger):
            finish_removals(directory, ledger)
            finish_forgetting(directory, ledger)
            for vm, stream in list(streams(directory)):
                close_idle(directory, vm, stream, self.store.clock, 3_600_000_000)
                for number in closed_segments(directory, vm, stream):
                    seal_segment(directory, ledger, vm, stream, number, BLOCK)
            OpenHeads().record(directory, ledger)
            KeptLists().drop(directory, ledger)

    def compress(self, tier: str) -> None:
        """Compress all that is sealed."""
        with open_store(self.store.path) as directory:
            for vm, stream, number in self.each_sealed():
                compress_segment(directory, vm, stream, number, tier, 3)

    def drop(self, how: str, chance: int) -> None:
        """Evict the oldest segment of some stream, or delete any segment."""
        sealed = self.each_sealed()
        if not sealed:
            return
        vm, stream, number = random.Random(chance).choice(sealed)
        with self.store.ledger() as (directory, ledger):
            if how == "delete":
                delete(directory, ledger, vm, stream, number)
            else:
                oldest = min(n for v, s, n in sealed if (v, s) == (vm, stream))
                evict(directory, ledger, vm, stream, oldest, how)

    def restore(self) -> None:
        """Tell the store that it came back."""
        with self.store.ledger() as (directory, ledger):
            restore(directory, ledger)

    def roll(self, vm: str) -> None:
        """Close a segment of a stream, if it is there."""
        if self.store.directory(vm).exists():
            self.store.roll(vm)

    def forget(self, vm: str) -> None:
        """Forget a qube, if it is there."""
        with self.store.ledger() as (directory, ledger):
            forget(directory, ledger, vm)

    @rule(vm=VMS, sizes=st.lists(st.integers(0, 700), max_size=6), way=WAYS, step=STEPS, ends=st.booleans())
    def session(self, vm: str, sizes: list[int], way: str, step: int, ends: bool) -> None:
        """A sender connects, and goes, or is gone."""
        self.count += 1
        self.do(lambda: self.log(vm, sizes, ends=ends), way, step)

    @rule(blocks=st.integers(0, 5), less=st.sampled_from([-1, 0, 1]))
    def sized(self, blocks: int, less: int) -> None:
        """A segment of 2^k blocks, or one less or more, is written and closed."""
        count = max(0, (1 << blocks) + less)
        self.do(lambda: self.log("work", [BLOCK - 70] * count), "no", 0)
        self.do(lambda: self.roll("work"), "no", 0)

    @rule(vm=VMS, way=WAYS, step=STEPS)
    def rolled(self, vm: str, way: str, step: int) -> None:
        """A segment is closed."""
        self.do(lambda: self.roll(vm), way, step)

    @rule(way=WAYS, step=STEPS)
    def tended(self, way: str, step: int) -> None:
        """The compressor makes a round."""
        self.do(self.round, way, step)

    @rule(tier=st.sampled_from([".lz4", ".xz"]), way=WAYS, step=STEPS)
    def compressed(self, tier: str, way: str, step: int) -> None:
        """The compressor goes on to the next tier."""
        self.do(lambda: self.compress(tier), way, step)

    @rule(how=st.sampled_from(["quota", "cap", "delete"]), chance=st.integers(0, 99), way=WAYS, step=STEPS)
    def dropped(self, how: str, chance: int, way: str, step: int) -> None:
        """Something goes on purpose."""
        self.do(lambda: self.drop(how, chance), way, step)

    @rule(vm=VMS, way=WAYS, step=STEPS)
    def forgotten(self, vm: str, way: str, step: int) -> None:
        """A person has a qube forgotten."""
        self.do(lambda: self.forget(vm), way, step)

    @rule(seconds=st.sampled_from([-400_000_000.0, -90_000.0, -1.5, -0.5, 3_700.0, 400_000_000.0]))
    def stepped(self, seconds: float) -> None:
        """The clock is set, either way."""
        self.store.clock.now = max(1, self.store.clock.now + round(seconds * 1_000_000))

    @rule(seconds=st.sampled_from([30, 4_000, 900_000]), known=st.booleans())
    def suspended(self, seconds: int, known: bool) -> None:
        """The machine sleeps: the boot clock goes on with the other; or the qube was paused, and it knows nothing."""
        self.store.clock.now += seconds * 1_000_000
        self.store.clock.up += seconds * 1_000_000 * known

    @rule()
    def booted(self) -> None:
        """The machine is started anew."""
        self.store.clock.boot, self.store.clock.up = os.urandom(16), 5_000_000

    @rule()
    def copied(self) -> None:
        """A backup is made."""
        shutil.rmtree(self.path / "backup", ignore_errors=True)
        shutil.copytree(self.store.path, self.path / "backup")
        self.is_copied, self.backups_then = True, self.backups

    @rule(way=WAYS, step=STEPS)
    @precondition(lambda self: self.is_copied)
    def brought_back(self, way: str, step: int) -> None:
        """The backup is brought back, and the store is told; where that was cut short, again."""
        shutil.rmtree(self.store.path)
        shutil.copytree(self.path / "backup", self.store.path)
        self.backups = self.backups_then + 1
        self.do(self.restore, way, step)
        if way != "no":
            self.do(self.restore, "no", 0)  # twice in a row counts once

    # ---- who looks ----

    def report(self, *, audited: bool = True) -> Report:
        """Verify, with all that a person may have."""
        with open_store(self.store.path) as directory:
            return verify_store(
                directory,
                self.store.audit if audited else None,
                fingerprint=self.store.fingerprint,
                restored=self.backups,
            )

    def check(self, report: Report, *, audited: bool = True) -> None:
        """See that it is intact, as far as there is anything to look at."""
        bad = [told(finding) for finding in everything(report) if finding.damage]
        assert not bad
        something = report.chained if audited else report.fixed
        assert report.verdict == (Verdict.INTACT if something else Verdict.CANNOT_TELL)

    @invariant()
    def is_intact(self) -> None:
        """With the audit secret, and without."""
        self.check(self.report())

    @rule(what=st.sampled_from(["round", "log", "quota", "forget", ".lz4", ".xz", "roll"]), place=st.integers(0, 300))
    def looked_at_meanwhile(self, what: str, place: int) -> None:
        """Verify while collectors write, and the compressor seals, compresses, evicts and forgets."""
        actions: dict[str, Callable[[], object]] = {
            "round": self.round,
            "log": lambda: self.log("disp7", [10, 600, 0]),
            "quota": lambda: self.drop("quota", place),
            "forget": lambda: self.forget("vault"),
            "roll": lambda: self.roll("work"),
        }
        action = actions.get(what, lambda: self.compress(what))
        self.check(self.report(audited=False), audited=False)
        with meddling() as meddler:
            meddler.plan = {place: lambda: self.do(action, "no", 0)}
            meddler.most = 100_000
            report = self.report()
        bad = [told(finding) for finding in everything(report) if finding.damage]
        assert not bad, (what, place)


TestHistories = pytest.mark.usefixtures("unsynced")(History.TestCase)
TestHistories.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=20,
    deadline=None,
    derandomize="HISTORIES" not in os.environ,  # the same few each time in CI; others by hand
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
