"""The power-loss simulation is able to fail: the product is broken on purpose, one sync at a time, and it is found."""

import os
import random
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from logchain.store import durable, ledger, stream
from logchain.store.durable import SlotFile
from logchain.store.layout import Directory
from tests.faults.histories import Day
from tests.faults.test_power_loss import ACTIONS, DAYS, lose_power_in

pytestmark = pytest.mark.usefixtures("unsynced")

POINTS = 100  # of a day, at most: the first that finds it ends the search
Patch = pytest.MonkeyPatch


def unsynced_text(patch: Patch) -> None:
    """Leave out the sync of text and tags in a commit."""
    patch.setattr(stream, "sync", _only(stat.S_ISDIR))


def unsynced_segment(patch: Patch) -> None:
    """Leave out the sync of the directory that a new segment is in."""
    patch.setattr(stream, "sync", _only(stat.S_ISREG))


def unsynced_key_state(patch: Patch) -> None:
    """Say ok before the key state is on the disk."""
    real = SlotFile._put

    def put(self: SlotFile, place: int, data: bytes) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(durable, "sync", lambda _: None)
            real(self, place, data)

    patch.setattr(SlotFile, "_put", put)


def unsynced_rename(patch: Patch) -> None:
    """Leave out the sync of the directory behind a rename."""

    def move(source: Directory, name: str, target: Directory, new_name: str) -> None:
        os.rename(name, new_name, src_dir_fd=source.fd, dst_dir_fd=target.fd)

    patch.setattr(durable, "move", move)


def unsynced_entry(patch: Patch) -> None:
    """Leave out the sync of an entry of the ledger."""
    patch.setattr(ledger, "sync", lambda _: None)


def _only(kind: Callable[[int], bool]) -> Callable[[Iterable[int]], None]:
    """Return a sync of files of this kind alone."""
    real = durable.sync
    return lambda fds: real(fd for fd in fds if kind(os.fstat(fd).st_mode))


@pytest.mark.parametrize(
    "sabotage", [unsynced_text, unsynced_segment, unsynced_key_state, unsynced_rename, unsynced_entry]
)
def test_what_is_broken_on_purpose_is_found(tmp_path: Path, sabotage: Callable[[Patch], None]) -> None:
    """In the days of test_power_loss, where it finds nothing while the product is whole."""
    for number in range(DAYS):
        day = Day(tmp_path / f"day{number}", number)
        with pytest.MonkeyPatch.context() as patch:
            sabotage(patch)
            day.live(ACTIONS)
        chance = random.Random(number)
        points = chance.choices(range(len(day.recorder.steps)), k=POINTS)
        if next(lose_power_in(day, tmp_path / "found", chance, points), ""):
            return
    pytest.fail("nothing was found")
