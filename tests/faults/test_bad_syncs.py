"""A sync that fails; and a disk that lies: a sync says that all is on it, then the power goes and it is not."""

import errno
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.format.errors import StoreError, WriteFailed
from logchain.format.record import LINE
from logchain.read.verify import Verdict
from logchain.store.layout import open_store, stream_directory
from logchain.store.segments import durable_state
from tests.conftest import FakeClock, Store
from tests.faults.histories import Day, LogVM, Promised, line
from tests.faults.power import SECTOR, WAYS, Disk, Loss
from tests.faults.recorded import Cut, File, Recorder, Sync, Told, Write
from tests.faults.test_power_loss import check_after
from tests.store.sealing import stored

pytestmark = pytest.mark.usefixtures("unsynced")

SYNCS = 640  # of a day, or more
TRIED = 6  # of them


def found_after(day: Day, path: Path, loss: Loss, chance: random.Random, lies_from: int | None = None) -> LogVM:
    """Return what the LogVM has when the power comes back after the last step of a day."""
    disk = Disk(day.recorder)
    for number, step in enumerate(day.recorder.steps):
        if lies_from is None or number < lies_from or not isinstance(step, Sync):
            disk.apply(step)
    disk.lose_power(loss, chance, path)
    clock = FakeClock(day.store.clock.now + 1_000_000, 5_000_000, chance.randbytes(16))
    return LogVM(path, Store(path / "store", day.store.audit, clock))


def promised(day: Day) -> Promised:
    """Return the last that was promised in a day."""
    *_, last = (step.what for step in day.recorder.steps if isinstance(step, Told))
    assert isinstance(last, Promised)
    return last


def fail_one_sync(day: Day, at: int) -> None:
    """Let a day be lived in which the sync of this number fails; it may end there."""
    left = [at]

    def refuse(_: int) -> int:
        left[0] -= 1
        return errno.EIO if left[0] == -1 else 0

    day.recorder.refuse = refuse
    with suppress(StoreError):
        try:
            day.live(40)
        except AssertionError:
            assert day.logvm.complaints  # a witness that cannot sync is a complaint, and no error
    assert left[0] < 0, "the day has fewer syncs"


def tried_again(recorder: Recorder) -> bool:
    """Tell whether a file was synced again of which a sync had failed, without what it was for being written anew.

    Where only zeros (a key that is wiped) waited for that sync, nothing is lost with them.
    """
    waiting: dict[File, set[int]] = {}  # offsets of sectors
    failed: dict[File, set[int]] = {}
    for step in recorder.steps:
        match step:
            case Write():
                sectors = set(range(step.offset // SECTOR, (step.offset + len(step.data) - 1) // SECTOR + 1))
                failed.setdefault(step.file, set()).difference_update(sectors)
                if step.data.strip(b"\0"):
                    waiting.setdefault(step.file, set()).update(sectors)
            case Cut():
                failed.pop(step.file, None)
            case Sync(node=File() as file):
                if step.error:
                    failed.setdefault(file, set()).update(waiting.pop(file, set()))
                elif failed.get(file):
                    return True
                waiting.pop(file, None)
    return False


@pytest.mark.parametrize("seed", range(3))
def test_a_sync_that_fails(tmp_path: Path, seed: int) -> None:
    """Of collector, compressor or witness; what it was for is on the disk or lost: nothing acknowledged is lost."""
    chance = random.Random(seed)
    for at in sorted(chance.sample(range(SYNCS), TRIED)):
        day = Day(tmp_path / "day", seed)
        fail_one_sync(day, at)
        assert not tried_again(day.recorder), at
        for loss in (Loss("none", "none"), Loss("all", "all"), chance.choice(WAYS)):
            logvm = found_after(day, tmp_path / "found", loss, chance)
            check_after(logvm, promised(day), compressor_first=chance.random() < 0.5)
            shutil.rmtree(tmp_path / "found")
        shutil.rmtree(tmp_path / "day")


class Killed(BaseException):
    """Nothing of the process goes on."""


def test_a_key_state_that_nobody_synced(tmp_path: Path) -> None:
    """Its writer was killed before the sync, the compressor's sync fails, and its next one says that all is well."""
    day = Day(tmp_path / "day", 0)
    outcomes: Iterator[object] = iter([])

    def refuse(_: int) -> int:
        outcome = next(outcomes, 0)
        if outcome is Killed:
            raise Killed
        assert isinstance(outcome, int)
        return outcome

    with day.recorder.recording():
        writer = day.store.open("work")
        writer.start_session(b"session1", "logchain.Append")
        writer.append(LINE, [line("work", 0)], day.store.clock.wall())
        writer.commit()
        day.recorder.refuse = refuse
        outcomes = iter([0, 0, Killed])  # of text, tags, key state
        with pytest.raises(Killed):
            writer.roll("size")
        writer.abandon()
        with open_store(day.store.path) as store, stream_directory(store, "work", "main") as live:
            outcomes = iter([errno.EIO])
            with pytest.raises(WriteFailed):
                durable_state(live)
        with day.logvm.compressor() as compressor:
            day.logvm.work(compressor, "1 GiB")
    assert not tried_again(day.recorder)
    assert len(list((day.store.path / "sealed/work/main").glob("*.manifest"))) == 1
    logvm = found_after(day, tmp_path / "found", Loss("all", "all"), random.Random(0))
    check_after(logvm, Promised(sent={"work": 1}, acknowledged={"work": 1}), compressor_first=False)


@pytest.mark.parametrize("seed", range(2))
def test_a_disk_that_lies_and_goes_back_as_a_whole(tmp_path: Path, seed: int) -> None:
    """What it went back to is a store as it once was: `verify` cannot tell; a witness that has its own disk can."""
    day, chance = Day(tmp_path / "day", seed), random.Random(seed)
    day.live(40)
    logvm = found_after(day, tmp_path / "found", Loss("all", "all"), chance, lies_from=len(day.recorder.steps) // 2)
    assert logvm.store.verdict() != Verdict.DAMAGED, logvm.store.found()
    shutil.rmtree(tmp_path / "found/witness")
    shutil.copytree(tmp_path / "day/witness", tmp_path / "found/witness")
    with logvm.compressor() as compressor:
        logvm.store.clock.go(400)
        logvm.work(compressor, "1 GiB")
    assert logvm.complaints, "none"
    assert [told for told in logvm.complaints if "this is an older copy" in told or "this one was changed" in told]


@pytest.mark.parametrize("seed", range(4))
def test_a_disk_that_lies_and_keeps_some(tmp_path: Path, seed: int) -> None:
    """Committed lines that are gone, with keys that say so, are damage for ever; what is there is in order, once."""
    day, chance = Day(tmp_path / "day", seed), random.Random(seed)
    with day.recorder.recording():
        writer = day.store.open("work")
        writer.start_session(b"session1", "logchain.Append")
        writer.append(LINE, [b"1"], day.store.clock.wall())
        writer.commit()
        lies_from = len(day.recorder.steps)
        writer.append(LINE, [b"%d " % number + b"x" * 2_000 for number in range(2, 9)], day.store.clock.wall())
        writer.commit()
        writer.abandon()
    logvm = found_after(day, tmp_path / "found", Loss("none", "none"), chance, lies_from)
    log = logvm.store.directory("work") / "00000001.log"
    kept = chance.choice([600, 4_096, 8_192])
    log.write_bytes(log.read_bytes()[:kept])  # the key state came to the disk, and the text not
    assert logvm.store.verdict() == Verdict.DAMAGED
    logvm.store.log(b"after", vm="work")
    assert logvm.store.events("work").count("broken") == 1
    found = stored(logvm.store, "work")
    assert (found[0], found[-1]) == (b"1", b"after")
    assert logvm.store.verdict() == Verdict.DAMAGED
