"""The power goes at any step of a day in a LogVM: nothing acknowledged is lost, nothing looks like tampering.

A day is recorded once. Its steps are then taken to every state that the disk may be found in (tests/faults/power), and
each is started again with the code that starts every day. `make crashes` tries 10,000 such points in one process, `make
test` some of them; CRASHES=… is another number, CRASH_SEED another day to begin with.
"""

import os
import random
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from logchain.format.errors import LogchainError
from logchain.format.ledger import fingerprint, open_genesis, split_entries
from logchain.read.verify import Verdict, verify_store
from logchain.store.layout import open_store
from tests.conftest import FakeClock, Store
from tests.faults.histories import AWAY, VMS, Day, LogVM, Promised, line
from tests.faults.power import WAYS, Disk, Loss
from tests.faults.recorded import Told
from tests.store.sealing import check, stored

pytestmark = pytest.mark.usefixtures("unsynced")

POINTS = int(os.environ.get("CRASHES", "100"))
SEED = int(os.environ.get("CRASH_SEED", "0"))
DAYS = 5
ACTIONS = 40  # of a day


def check_after(logvm: LogVM, promised: Promised, *, compressor_first: bool) -> None:
    """Start again after a power cut, and see that all that was promised is so, and that all goes on."""
    store = logvm.store
    assert store.verdict() != Verdict.DAMAGED, store.found()
    if compressor_first:
        run(logvm)
    for vm in VMS:
        if vm != AWAY or not promised.forgetting:
            store.log(b"after", vm=vm)
    run(logvm)
    assert logvm.complaints == []
    check(store)
    for vm in VMS:
        found = stored(store, vm)
        if vm == AWAY and promised.forgetting and not found:
            continue
        assert not (vm == AWAY and promised.forgotten), "it was forgotten"
        if found[-1:] == [b"after"]:
            found.pop()
        sent = [line(vm, number) for number in range(promised.sent.get(vm, 0))]
        gone = sent.index(found[0]) if found else promised.going.get(vm, 0)
        assert found == sent[gone : gone + len(found)], vm
        assert promised.gone.get(vm, 0) <= gone <= promised.going.get(vm, 0), vm
        assert gone + len(found) >= promised.acknowledged.get(vm, 0), vm
    for text in (store.path / "sealed").glob("*/*/*.*"):
        assert text.with_name(f"{text.name[:8]}.manifest").exists(), text
    with open_store(store.path) as directory:
        genesis = open_genesis(split_entries((store.path / "ledger/entries").read_bytes())[0][0])[1]
        report = verify_store(directory, store.audit, fingerprint=fingerprint(genesis.key))
    assert report.verdict == Verdict.INTACT, store.found()


def run(logvm: LogVM) -> None:
    """Let the compressor do what there is to do."""
    with logvm.compressor() as compressor:
        logvm.store.clock.go(86_400)
        logvm.work(compressor, "1 GiB")


def test_power_loss(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Whichever step is the last, and whatever of what was not synced reached the disk."""
    failures = list[str]()
    for number in range(DAYS):
        day = Day(tmp_path / f"day{number}", SEED + number)
        day.live(ACTIONS)
        chance = random.Random(SEED + number)
        points = chance.choices(range(len(day.recorder.steps)), k=POINTS // DAYS)
        failures += lose_power_in(day, tmp_path / "found", chance, points)
        assert len(failures) < 20, "\n".join(failures)
    record_property("crash points", POINTS // DAYS * DAYS)
    assert not failures, "\n".join(failures)


def test_what_a_person_takes_away(tmp_path: Path) -> None:
    """Each step of deleting and forgetting may be the last."""
    day, failures = Day(tmp_path / "day", SEED), list[str]()
    day.live(ACTIONS)
    told = [(at, step.what) for at, step in enumerate(day.recorder.steps) if isinstance(step, Told)]
    begins = min(at for at, what in told if isinstance(what, Promised) and {"mail"} & what.going.keys())
    ends = min(at for at, what in told if isinstance(what, Promised) and what.forgotten)
    chance, found = random.Random(SEED), tmp_path / "found"
    failures += lose_power_in(day, found, chance, range(begins, ends), [Loss("none", "none")])
    manifests = [at for at in range(begins, ends) if ".manifest', None" in repr(day.recorder.steps[at])]
    assert manifests
    failures += lose_power_in(day, found, chance, manifests * 12, [Loss("none", "some")])
    assert not failures, "\n".join(failures)


def lose_power_in(
    day: Day, path: Path, chance: random.Random, points: Iterable[int], ways: Sequence[Loss] = WAYS
) -> Iterator[str]:
    """Let the power go after each of these steps of a day; yield what was wrong after that."""
    disk, promised, done = Disk(day.recorder), Promised(), 0
    for at in sorted(points):
        for step in day.recorder.steps[done : at + 1]:
            disk.apply(step)
            if isinstance(step, Told):
                assert isinstance(step.what, Promised)
                promised = step.what
        done, way = at + 1, chance.choice(ways)
        disk.lose_power(way, chance, path)
        clock = FakeClock(promised.clock.now + 1_000_000, 5_000_000, chance.randbytes(16))
        logvm = LogVM(path, Store(path / "store", day.store.audit, clock))
        try:
            check_after(logvm, promised, compressor_first=chance.random() < 0.5)
        except (AssertionError, LogchainError, ValueError, OSError) as error:
            frames = traceback.extract_tb(error.__traceback__)
            where = " ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames)
            kept = path.rename(path.with_name(f"{path.name}-{day.store.path.parent.name}-{at}-{time.time_ns()}"))
            step_text = f"{way} after step {at}, {day.recorder.steps[at]!r:.200}"
            yield f"{step_text}\n  left in {kept}: {where}: {error!r:.1000}"
        else:
            shutil.rmtree(path)
