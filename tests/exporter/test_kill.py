"""Exactly once, whoever is killed: the promise of the exporter."""

import os
import random
import shlex
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from tests.conftest import Store
from tests.exporter.bench import ROOT, Bench, children


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


class RealBench(Bench):
    """The same with logchain's own collector and store."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.real = Store.make(self.store)
        program = "from logchain.collect.main import main; main()"
        command = [sys.executable, "-c", program, "--stdio", "test", "--store", str(self.store)]
        self.transport = shlex.join(["env", "QREXEC_REMOTE_DOMAIN=work", f"PYTHONPATH={ROOT}", *command])

    def everything(self) -> list[bytes]:
        """Return all lines that the store has, in order."""
        return self.real.lines("work", "test")


@pytest.mark.parametrize(("kind", "kills"), [(RealBench, 100), (Bench, 25)], ids=["log-collector", "stand-in"])
def test_each_line_is_stored_once_whoever_is_killed(tmp_path: Path, kind: type[Bench], kills: int) -> None:
    """A hundred random kills of exporter and collector, under writes and rotations, lose and double nothing."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**9)))
    print(f"KILL_SEED={seed}")  # noqa: T201  (shown when the test fails)
    bench = kind(tmp_path)
    try:
        killed, written = torture(bench, kills, random.Random(seed))
    finally:
        bench.stop_all()
    stored = Counter(bench.stored())
    assert (written - stored, stored - written, bench.notes()) == (Counter(), Counter(), [])
    assert min(killed.values()) > 0
    if isinstance(bench, RealBench):
        assert bench.real.verify().verdict is Verdict.INTACT


def torture(bench: Bench, kills: int, chance: random.Random) -> tuple[Counter[str], Counter[bytes]]:
    """Kill now one, now the other, while lines are written; return who was killed, and the lines."""
    writer = Writer(bench.logs, chance)
    exporter = bench.files()
    killed = Counter[str]()
    while killed.total() < kills:
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
    written = Counter(line for lines in writer.written.values() for line in lines)
    bench.until(lambda: len(bench.stored()) >= written.total(), 30)
    bench.stop(exporter)
    return killed, written
