"""What the tests of every room share: a small real store, a clock that does as it is told, a collector process."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from logchain.format.audit import AuditSecret
from logchain.format.keystate import RATCHET_MAGIC, KeyState, parse_keystate
from logchain.format.record import LINE, NOTE, PART, Note, Record, parse_note, parse_record
from logchain.format.slots import newest
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import open_store
from logchain.store.opening import open_stream
from logchain.store.stream import DEFAULT_ROLLING, Rolling, StreamWriter

VM, STREAM = "work", "main"

# Who runs the tests in the background of a shell may ignore Ctrl-C: the commands that they start must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class FakeClock:
    """Clocks that stand still until they are moved."""

    now: int = 1_795_405_501_123_456  # µs since 1970
    up: int = 86_400_000_000
    boot: bytes = b"\x11" * 16

    def wall(self) -> int:
        """Return what the wall clock shows."""
        return self.now

    def running(self) -> int:
        """Return what the boot clock shows."""
        return self.up

    def boot_id(self) -> bytes:
        """Return which boot this is."""
        return self.boot

    def go(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.now += round(1_000_000 * seconds)
        self.up += round(1_000_000 * seconds)


@dataclass
class Store:
    """A store in a directory of its own, and the audit secret that belongs to it."""

    path: Path
    audit: AuditSecret
    clock: FakeClock = field(default_factory=FakeClock)

    @classmethod
    def make(cls, path: Path) -> Self:
        """Make an empty one."""
        audit, seed = new_secrets()
        store = cls(path, audit)
        create_store(path, seed, store.clock)
        return store

    def open(self, vm: str = VM, stream: str = STREAM, rolling: Rolling = DEFAULT_ROLLING) -> StreamWriter:
        """Open a stream for writing, as the collector does."""
        with open_store(self.path) as directory:
            return open_stream(directory, vm, stream, self.clock, rolling)

    def log(self, *lines: bytes, vm: str = VM, stream: str = STREAM) -> None:
        """Store some lines in a session of their own."""
        writer = self.open(vm, stream)
        try:
            writer.start_session(os.urandom(8), "logchain.Append")
            writer.append(LINE, lines, self.clock.wall())
            writer.end_session("eof", b"", 0)
        finally:
            writer.close()

    def directory(self, vm: str = VM, stream: str = STREAM) -> Path:
        """Return a stream's directory."""
        return self.path / "live" / vm / stream

    def state(self, vm: str = VM, stream: str = STREAM) -> KeyState:
        """Return a stream's key state."""
        return parse_keystate(newest(RATCHET_MAGIC, (self.directory(vm, stream) / "ratchet").read_bytes()).body)

    def records(self, vm: str = VM, stream: str = STREAM) -> list[Record]:
        """Return all records in a stream's text, committed or not."""
        found = sorted(self.directory(vm, stream).glob("*.log"))
        texts = [text for text in found if stat.S_ISREG(text.lstat().st_mode) and text.lstat().st_size < 1 << 30]
        return [parse_record(line) for text in texts for line in text.read_bytes().split(b"\n")[:-1]]

    def notes(self, vm: str = VM, stream: str = STREAM) -> list[Note]:
        """Return the notes in a stream's text."""
        return [parse_note(record.payload) for record in self.records(vm, stream) if record.kind == NOTE]

    def events(self, vm: str = VM, stream: str = STREAM) -> list[str]:
        """Return what happened in a stream, note by note."""
        return [note.event for note in self.notes(vm, stream)]

    def lines(self, vm: str = VM, stream: str = STREAM) -> list[bytes]:
        """Return the lines in a stream's text, joined from their parts; what was cut is left out."""
        lines, parts = [], b""
        for record in self.records(vm, stream):
            if record.kind == LINE:
                lines.append(parts + record.payload)
                parts = b""
            elif record.kind == PART:
                parts += record.payload
            elif parse_note(record.payload).event in ("session-start", "session-end", "recovered", "broken"):
                parts = b""
        return lines

    def verify(self) -> Report:
        """Check the store with its audit secret."""
        with open_store(self.path) as directory:
            return verify_store(directory, self.audit)

    def verdict(self) -> Verdict:
        """Return what the check comes to."""
        return self.verify().verdict

    def found(self) -> list[str]:
        """Return what the check finds, in words."""
        report = self.verify()
        findings = [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]
        return [finding.text for finding in findings]


@pytest.fixture(autouse=True)
def no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `verify` accepts is kept for each user: each test is another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store with a fake clock."""
    return Store.make(tmp_path / "store")


@pytest.fixture
def clock(store: Store) -> FakeClock:
    """The clock of the store."""
    return store.clock


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs cost nothing and do nothing: for tests whose crash is not the machine's."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@contextmanager
def disk_of(mebibytes: int, place: Path) -> Iterator[Path]:
    """Mount a new file system of this size."""
    if os.geteuid():
        pytest.skip("mounting a small file system takes root")
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", place], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


Collector = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def collector(store: Store, tmp_path: Path) -> Iterator[Collector]:
    """Start `log-collector --stdio` for one call; what still runs is ended with the test.

    Standard error would reach the sender: whatever the test does, it stays empty.

    `vm` and `argument` are what qrexec tells in the environment, None where it does not; more arguments go on the
    command line.
    """
    processes: list[subprocess.Popen[bytes]] = []
    errors = (tmp_path / "stderr").open("w+b")

    def start(
        *arguments: str | bytes, vm: str | bytes | None = VM, argument: str | bytes | None = None, at: Path = store.path
    ) -> "subprocess.Popen[bytes]":
        environment: dict[str, str | bytes] = {
            name: value for name, value in os.environ.items() if not name.startswith(("QREXEC_", "LOGCHAIN_"))
        }
        told = {"QREXEC_REMOTE_DOMAIN": vm, "QREXEC_SERVICE_ARGUMENT": argument, "LOGCHAIN_STORE": str(at)}
        environment |= {name: value for name, value in told.items() if value is not None}
        process = subprocess.Popen(
            [sys.executable, "-c", "from logchain.collect.main import main; main()", "--stdio", *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
    with errors:
        errors.seek(0)
        assert errors.read() == b""
