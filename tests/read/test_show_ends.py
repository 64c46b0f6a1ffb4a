"""Whatever a store went through, the same is shown from its beginning, from its end, and of any span of time."""

import os
import random
from pathlib import Path

import pytest

from logchain.format.record import LINE, PART
from logchain.read import show
from logchain.read.entries import Entry
from logchain.read.selection import Selection
from logchain.read.show import select
from logchain.store.layout import TIERS, Directory, open_store
from tests.read.archived import Archive

Row = tuple[str, int, int, int]


def fill(store: Archive, chance: random.Random) -> None:
    """Log sessions of two qubes: lines in parts over segments, cut ones, notes between; seal; set the clock back."""
    for _ in range(chance.randrange(3, 14)):
        vm = chance.choice(["work", "vault"])
        writer = store.open(vm)
        writer.start_session(os.urandom(8), "logchain.Append")
        for _ in range(chance.randrange(1, 12)):
            store.clock.go(chance.choice([0, 0.5, 1, 3]))
            if chance.random() < 0.7:
                lines = [b"line %d" % chance.randrange(99) for _ in range(chance.randrange(1, 5))]
                writer.append(LINE, lines, store.clock.wall())
                continue
            for _ in range(chance.randrange(1, 3)):
                writer.append(PART, [b"p" * 65_536], store.clock.wall())
                store.clock.go(1)
                if chance.random() < 0.3:
                    writer.note("throttled", reason="rate", rate=1)
                if chance.random() < 0.2:
                    writer.roll("size")
            if chance.random() < 0.8:
                writer.append(LINE, [b"end"], store.clock.wall())
        writer.end_session("eof", *chance.choice([(b"", 0), (b"", 0), (b"half", 4)]))
        if chance.random() < 0.5:
            writer.roll("size")
        writer.close()
        if chance.random() < 0.4:
            store.seal(vm, block_size=128 << 10, tier=chance.choice(TIERS))
        if chance.random() < 0.15:
            store.clock.now -= 5_000_000


def rows(store: Directory, selection: Selection) -> list[Row]:
    """Return what is shown, sorted: where, when, which, how long. What it is may differ, for a line that was cut."""
    return sorted(map(row, select(store, selection)))


def row(entry: Entry) -> Row:
    """Return what of an entry is the same from wherever one looks."""
    return entry.vm, entry.number, entry.time, len(entry.untrusted_payload)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("seed", range(24))
def test_from_all_sides(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backwards in windows of any size, in any span, and the last few: nothing twice, nothing missing, none in half."""
    chance = random.Random(seed)
    store = Archive.make(tmp_path / "store")
    fill(store, chance)
    everything = Selection(notes=True)
    with open_store(store.path) as directory:
        whole = list(select(directory, everything))
        for window in (1, 3, 10):
            monkeypatch.setattr(show, "_WINDOW", window)
            assert rows(directory, everything._replace(reverse=True)) == sorted(map(row, whole))
        for _ in range(6):
            since, until = sorted(chance.choices([entry.time for entry in whole], k=2))
            expected = sorted(row(entry) for entry in whole if since <= entry.time <= until)
            assert rows(directory, everything._replace(since=since, until=until)) == expected
        last = chance.randrange(1, 20)
        assert len(rows(directory, everything._replace(last=last))) == min(last, len(whole))
