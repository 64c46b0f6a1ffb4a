"""Exactly once, whoever is killed: the promise of the exporter."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.exporter.bench import Bench, children

KILLS = 100


class Writer:
    """Something that logs into files and rotates them, and remembers what it wrote."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._directory = directory
        self._chance = chance
        self.written: dict[str, list[bytes]] = {name: [] for name in ("a", "b", "c")}

    def write(self) -> None:
        """Append some lines to one file, perhaps in two writes, and perhaps rotate it."""
        name = self._chance.choice(list(self.written))
        path = self._directory / f"{name}.log"
        lines = [self._line(name, count) for count in range(self._chance.randrange(1, 8))]
        data = b"".join(line + b"\n" for line in lines)
        with path.open("ab", buffering=0) as log:
            cut = self._chance.randrange(len(data))
            log.write(data[:cut])
            log.write(data[cut:])
        self.written[name] += lines
        if self._chance.random() < 0.02:
            self._rotate(path)

    def _line(self, name: str, count: int) -> bytes:
        tail = self._chance.choice([b"", b"\r", b"\0\xff\xfe", b"long " * 9, b"x" * 1000])
        return b"%b %d %d %b" % (name.encode(), len(self.written[name]), count, tail)

    def _rotate(self, path: Path) -> None:
        """Move a.log to a.log.1, a.log.1 to a.log.2 and so on; nothing falls off the end."""
        for number in range(len(list(path.parent.glob(f"{path.name}*"))), 0, -1):
            old = path.with_name(f"{path.name}.{number - 1}" if number > 1 else path.name)
            old.rename(path.with_name(f"{path.name}.{number}"))


def test_each_line_is_stored_once_whoever_is_killed(bench: Bench) -> None:
    """A hundred random kills of exporter and collector, under writes and rotations, lose and double nothing."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**9)))
    print(f"KILL_SEED={seed}")  # noqa: T201  (shown when the test fails)
    chance = random.Random(seed)
    writer = Writer(bench.logs, chance)
    exporter = bench.files()
    killed = Counter[str]()
    while killed.total() < KILLS:
        pause = time.monotonic() + chance.expovariate(1 / 0.12)
        while time.monotonic() < pause:
            writer.write()
            time.sleep(0.005)  # it logs, it does not flood
        if chance.random() < 0.5:
            exporter.kill()
            exporter.wait()
            exporter = bench.files()
            killed["exporter"] += 1
        else:
            for child in children(exporter.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    killed["collector"] += 1
    written = sum(len(lines) for lines in writer.written.values())
    bench.until(lambda: len(bench.stored()) >= written, 30)
    bench.stop(exporter)
    wanted = Counter(line for lines in writer.written.values() for line in lines)
    stored = Counter(bench.stored())
    assert (wanted - stored, stored - wanted, bench.notes()) == (Counter(), Counter(), [])
    assert min(killed.values()) > 10
