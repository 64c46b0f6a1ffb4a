"""A disk that lies: a sync says that all is on it, and then the power goes and it is not."""

import random
import shutil
from pathlib import Path

import pytest

from logchain.format.record import LINE
from logchain.read.verify import Verdict
from tests.conftest import FakeClock, Store
from tests.faults.histories import Day, LogVM
from tests.faults.power import Disk, Loss
from tests.faults.recorded import Sync
from tests.store.sealing import stored

pytestmark = pytest.mark.usefixtures("unsynced")


def found_after(day: Day, path: Path, loss: Loss, chance: random.Random, lies_from: int | None = None) -> LogVM:
    """Return what the LogVM has when the power comes back after the last step of a day."""
    disk = Disk(day.recorder)
    for number, step in enumerate(day.recorder.steps):
        if lies_from is None or number < lies_from or not isinstance(step, Sync):
            disk.apply(step)
    disk.lose_power(loss, chance, path)
    clock = FakeClock(day.store.clock.now + 1_000_000, 5_000_000, chance.randbytes(16))
    return LogVM(path, Store(path / "store", day.store.audit, clock))


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
