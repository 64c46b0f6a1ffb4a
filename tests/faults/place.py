"""A store in which there is everything to do, and the real commands that do it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import NamedTuple

from logchain.store.archive import compress_segment
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.heads import OpenHeads
from tests.conftest import FakeClock, Store
from tests.store.sealing import opened, roll, seal

__all__ = ["SETTINGS", "Done", "Exporter", "Place", "begin", "run_command"]

PATIENCE = 120.0  # s until a process counts as hung: machines are busy, and strace makes it slower
SETTINGS = """
[collector]
reserve = "0 B"
[tiers]
lz4-after = "1 hour"
xz-after = "1000 days"
[vm.flood]
quota = "1 B"
keep-at-least = "1000 days"
"""
OLD = {
    "flood": [b"flood %d" % number * 40 for number in range(4)],
    "work": [b"work %d" % number * 40 for number in range(8)],
    "quiet": [b"quiet"],
    "leaving": [b"leaving %d" % number * 40 for number in range(2)],
}
NEW = {  # lines that are to come
    "work": [b"new work %d" % number for number in range(4)],
    "fresh": [b"fresh %d" % number for number in range(3)],
}


class Done(NamedTuple):
    """What came of a program: its exit code, its standard output, of a collector's the last line, and its error."""

    program: str
    code: int
    out: str
    errors: str


@contextmanager
def _started(words: list[str], **environment: str) -> "Iterator[tuple[subprocess.Popen[bytes], Timer]]":
    """Start a command, and kill it when it hangs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("QREXEC_", "LOGCHAIN_"))}
    process = subprocess.Popen(
        words,
        env=inherited | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    timer = Timer(PATIENCE, lambda: os.killpg(process.pid, 9))
    timer.start()
    try:
        with process:
            yield process, timer
    finally:
        timer.cancel()


class Exporter:
    """A sender of lines in order, who goes on behind what the greeting says is durable."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.acknowledged = 0
        self._sessions: dict[bytes, int] = {}  # with which line each began

    def call(self, words: list[str], vm: str) -> Done:
        """Make one call: line after line, each when the one before is acknowledged; end when all are, or it does."""
        with _started(words, QREXEC_REMOTE_DOMAIN=vm) as (process, timer):
            assert process.stdin
            assert process.stdout
            assert process.stderr
            answer = process.stdout.readline()
            greeting = re.fullmatch(rb"logchain/1 session=([0-9a-f]{16}) resume=(.*)\n", answer)
            if greeting:
                known = dict(entry.split(b":") for entry in greeting[2].split(b",") if entry)
                durable = [at + int(known[session]) for session, at in self._sessions.items() if session in known]
                begin = max([self.acknowledged, *durable])
                self._sessions[greeting[1]] = begin
                for number in range(begin, len(self.lines)):
                    with suppress(BrokenPipeError):
                        process.stdin.write(self.lines[number] + b"\n")
                        process.stdin.flush()
                    answer = process.stdout.readline()
                    if answer != b"ok %d\n" % (number + 1 - begin):
                        break
                    self.acknowledged = number + 1
            with suppress(BrokenPipeError):
                process.stdin.close()
            last = (answer + process.stdout.read()).decode().splitlines()
            errors = process.stderr.read().decode()
            process.wait()
            assert timer.is_alive(), "it hung"
        return Done("log-collector", process.returncode, last[-1] if last else "", errors)


@dataclass
class Place:
    """A directory with a store, its secrets, the settings, and who sends to it."""

    path: Path
    store: Store
    fingerprint: str
    old: Mapping[str, list[bytes]]  # lines that are there from the beginning, by VM
    exporters: dict[str, Exporter] = field(init=False)

    def __post_init__(self) -> None:
        self.exporters = {vm: Exporter(lines) for vm, lines in NEW.items()}

    def copy(self, path: Path) -> "Place":
        """Return a place of its own that is as this one was made."""
        shutil.copytree(self.path, path, symlinks=True)  # keeps modes and times
        return Place(path, Store(path / "store", self.store.audit), self.fingerprint, self.old)

    def expected(self, gone: Mapping[str, int]) -> dict[str, list[bytes]]:
        """Return the lines that are there in the end, of each VM that is: without the oldest, so many of each."""
        left = {vm: [*self.old.get(vm, [])[gone.get(vm, 0) :], *NEW.get(vm, [])] for vm in {**self.old, **NEW}}
        return {vm: lines for vm, lines in left.items() if lines}

    def collect(self, vm: str, strace: Sequence[str] = ()) -> Done:
        """Run `log-collector --stdio` for a qube's next lines."""
        start = [sys.executable, "-c", "from logchain.collect.main import main; main()"]
        return self.exporters[vm].call([*strace, *start, "--stdio", "--store", str(self.store.path)], vm)

    def compress(self, strace: Sequence[str] = ()) -> Done:
        """Run `log-compressor --once`."""
        start = [sys.executable, "-c", "from logchain.compress.main import main; main()"]
        given = ["--once", "--store", str(self.store.path), "--config", str(self.path / "logchain.toml")]
        return _run("log-compressor", [*strace, *start, *given])


def run_command(strace: Sequence[str], *words: str) -> Done:
    """Run `logchain`."""
    start = [sys.executable, "-c", "from logchain.cli.main import main; main()"]
    return _run("logchain", [*strace, *start, *words])


def _run(program: str, words: list[str]) -> Done:
    with _started(words) as (process, timer):
        out, errors = (data.decode() for data in process.communicate())
        assert timer.is_alive(), "it hung"
    return Done(program, process.returncode, out, errors)


def begin(path: Path) -> Place:
    """Make a store of 2000 days: `flood` is over its quota with one old and one young segment; of `work`'s one waits
    for xz, one for LZ4, one for its seal, and one, of another boot and torn, to be closed; `quiet` has one open,
    `leaving` one that is sealed and one open.
    """
    path.mkdir()
    (path / "logchain.toml").write_text(SETTINGS)
    clock = FakeClock(now=time.time_ns() // 1000 - 2_000 * 86_400_000_000)
    audit, seed = new_secrets()
    store = Store(path / "store", audit, clock)
    place = Place(path, store, create_store(store.path, seed, clock), OLD)
    flood, work, leaving = OLD["flood"], OLD["work"], OLD["leaving"]
    store.log(*flood[:2], vm="flood")
    with opened(store) as (directory, ledger):
        OpenHeads().record(directory, ledger)
    clock.go(60)
    store.log(*work[:2], vm="work")
    _seal(store, "flood", ".xz")
    _seal(store, "work", ".lz4")
    clock.go(1_500 * 86_400)
    store.log(*flood[2:], vm="flood")
    store.log(*work[2:4], vm="work")
    store.log(leaving[0], vm="leaving")
    _seal(store, "flood", "")
    _seal(store, "work", "")
    _seal(store, "leaving", ".lz4")
    clock.go(2 * 3_600)
    store.log(*work[4:6], vm="work")
    roll(store, "work")
    store.log(*work[6:], vm="work")
    with (store.directory("work") / "00000004.log").open("ab") as log:
        log.write(b"torn")
    clock.boot, clock.up = SystemClock().boot_id(), SystemClock().running()
    store.log(*OLD["quiet"], vm="quiet")
    store.log(leaving[1], vm="leaving")
    return place


def _seal(store: Store, vm: str, tier: str) -> None:
    roll(store, vm)
    (manifest,) = seal(store, vm)
    if tier:
        with opened(store) as (directory, _):
            compress_segment(directory, vm, "main", manifest.segment, tier, 3)
