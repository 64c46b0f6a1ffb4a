"""Small stores to attack, and the auditor who looks at them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.audit import AuditSecret
from logchain.format.record import LINE
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import open_store
from logchain.store.opening import open_stream

LINES = [b"one", b"", b"three \xff\x00", b"four", b"four", b"six"]


class Auditor:
    """A store, its audit secret, and what verify says of it."""

    def __init__(self, path: Path, audit: AuditSecret) -> None:
        self.path, self.audit = path, audit

    def report(self) -> Report:
        """Verify the store as it is now."""
        with open_store(self.path) as store:
            return verify_store(store, self.audit)

    def damage(self) -> list[str]:
        """Return what verify finds, as `segment:record:byte text`; the verdict must agree."""
        report = self.report()
        findings = [*report.findings, *(found for stream in report.streams for found in stream.findings)]
        bad = [f"{f.segment}:{f.record}:{f.offset} {f.text}" for f in findings if f.damage]
        assert (report.verdict == Verdict.DAMAGED) == bool(bad)
        return bad

    def stream(self, vm: str = "work", stream: str = "main") -> Path:
        """Return a stream's directory."""
        return self.path / "live" / vm / stream


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    """An empty store."""
    audit, seed = new_secrets()
    create_store(tmp_path / "store", seed, SystemClock())
    return Auditor(tmp_path / "store", audit)


@pytest.fixture
def log(auditor: Auditor) -> Callable[..., None]:
    """Log one session of LINES into a stream; `roll` closes the segment behind it."""

    def log_session(vm: str = "work", stream: str = "main", *, roll: bool = False) -> None:
        clock = SystemClock()
        with open_store(auditor.path) as store:
            writer = open_stream(store, vm, stream, clock)
        writer.start_session(os.urandom(8), "logchain.Append")
        writer.append(LINE, LINES, clock.wall())
        writer.end_session("eof", b"cut", 3)
        if roll:
            writer.roll("size")
        writer.close()

    return log_session
