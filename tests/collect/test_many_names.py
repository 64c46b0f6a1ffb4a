"""A VM that calls for ever new streams, and ever new VMs: nothing adds up, and another VM's stream goes on.

With LOGCHAIN_LONG in the environment there are five times as many.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from tests.collect.conftest import Doors
from tests.collect.door import Door, DoorCall, until
from tests.conftest import Store

TIMES = 5 if os.environ.get("LOGCHAIN_LONG") else 1
CALLS, VMS = 2_000 * TIMES, 200 * TIMES
MOST = 2 << 20  # bytes that memory may grow by: allocators are not exact
A_NAME = 2_000  # bytes: what the counts of a VM take until they are forgotten


def family(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def resident(door: Door, processes: int) -> int:
    """Return what a collector has of memory, when there are no more processes than so many; in bytes."""
    until(lambda: len(family(door.pid)) == processes)
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(door.pid)]
    return sum(pages) * os.sysconf("SC_PAGESIZE")


class Witness:
    """Another VM, which has its lines acknowledged all the time."""

    def __init__(self, door: Door) -> None:
        self.lines = 0
        self._call = door.call(vm="witness")
        self._call.greeting()

    def speaks(self) -> None:
        """Have one more line acknowledged."""
        self.lines += 1
        self._call.send(b"%d\n" % self.lines)
        self._call.until_ok(self.lines)


def call(door: Door, vm: str, stream: str) -> str:
    """Make a call, end it at once, and return what the answer was."""
    call = door.call(stream, vm)
    answer = call.answer().decode()
    call.close()
    return answer.split(" ")[0]


LIMITS = [
    ({}, 64, 120),  # streams; of calls, what a minute allows
    ({"calls_per_minute": 1_000_000}, 64, CALLS),  # streams
    ({"calls_per_minute": 1_000_000, "streams": 1_000_000, "births_per_day": 80}, 80, 80),  # births
]


@pytest.mark.parametrize(("limits", "streams", "heard"), LIMITS, ids=["by default", "streams", "births"])
def test_a_vm_that_calls_ever_new_streams(
    store: Store, new_door: Doors, limits: dict[str, int], streams: int, heard: int
) -> None:
    """So many are made, and the rest is `full` or `busy`; a call that is refused leaves nothing in the acceptor."""
    door = new_door(connections=2_000, connections_per_vm=1_000, **limits)
    witness = Witness(door)
    began, answers, before = time.monotonic(), Counter[str](), 0
    for number in range(CALLS):
        answers[call(door, "flood", f"s{number}")] += 1
        if number % 100 == 0:
            witness.speaks()
        if number == 200:
            before = resident(door, 3)
    assert resident(door, 3) - before < MOST
    minutes = 1 + (time.monotonic() - began) // 60
    assert answers["logchain/1"] == streams
    assert streams + answers["full"] <= heard * minutes
    assert answers["busy"] >= CALLS - heard * minutes
    assert sum(answers.values()) == CALLS
    assert len(list((store.path / "live" / "flood").iterdir())) == streams
    assert store.verdict() == Verdict.INTACT


def test_a_thousand_vms(store: Store, new_door: Doors) -> None:
    """Each has what it may have, whatever the others have had, and little is remembered of it, for an hour."""
    door = new_door()
    witness = Witness(door)
    before = 0
    for number in range(VMS):
        door.store_line(vm=f"disp{number}")
        assert call(door, f"disp{number}", "qubes.Log") == "error"
        if number % 20 == 0:
            witness.speaks()
        if number == VMS // 10:
            before = resident(door, 3)
    assert resident(door, 3) - before < MOST + A_NAME * VMS
    assert len(list((store.path / "live").iterdir())) == VMS + 1
    assert store.verdict() == Verdict.INTACT


def test_many_new_streams_at_once(store: Store, new_door: Doors) -> None:
    """A VM has no more streams than it may have, though it asks for all of them before one is made."""
    door = new_door(connections=200, connections_per_vm=100, streams=8)
    calls = [DoorCall(door.path) for _ in range(40)]
    for number, one in enumerate(calls):
        one.send(f"logchain.Append+s{number} work\0x\n".encode())
    answers = Counter(one.answer().decode().split(" ")[0] for one in calls)
    for one in calls:
        one.close()
    assert answers == {"logchain/1": 8, "full": 32}
    assert len(list((store.path / "live" / "work").iterdir())) == 8
