"""What the exporter's tests share: the package on the path, and a bench of real processes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXPORTER = Path(__file__).parents[2] / "exporter"
sys.path.insert(0, str(EXPORTER))

from tests.exporter.bench import Bench  # noqa: E402  (needs the path)
from tests.exporter.daemon import Daemon  # noqa: E402


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A directory of logs, a collector and exporters that are gone when the test is."""
    bench = Bench(tmp_path)
    yield bench
    bench.stop_all()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that is gone when the test is."""
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()  # not for the end of its standard error: what it started may hold that
    if daemon.process and daemon.process.stderr:
        daemon.process.stderr.close()
