"""The example that loads logs into DuckDB: what went in is there, byte for byte, once."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from logchain.store.layout import open_store
from tests.conftest import Store
from tests.docs.pages import ROOT
from tests.read.shown import shown

LINES = [
    b"<38>1 - work sshd - - - Accepted publickey for amy",
    b"<11>1 - work app - - - disk failed",
    b"plain \x1b[31m",
    bytes(byte for byte in range(256) if byte != 0x0A),
]


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Path:
    """The jsonl of a store with some lines of two qubes."""
    store.log(*LINES)
    store.clock.go(60)
    store.log(b"<11>1 - - - - - Accepted nothing", vm="vault")
    with open_store(store.path) as directory:
        (tmp_path / "logs.jsonl").write_bytes(shown(directory, "jsonl"))
    return tmp_path


def test_it_loads_and_answers(filled: Path) -> None:
    """Twice the same file is the same as once; answers are of what was logged, and harmless to look at."""
    command = [sys.executable, str(ROOT / "examples/duckdb_load.py"), "logs.jsonl", "logs.duckdb"]
    for _ in range(2):
        done = subprocess.run(command, cwd=filled, capture_output=True, check=True)
    assert done.stdout.decode() == (
        "Lines, and how many of them are errors:\n"
        "  'vault'\t'main'\t1\t1\n"
        "  'work'\t'main'\t4\t1\n"
        "The busiest minutes:\n"
        "  '2026-11-23 03:45'\t4\n"
        "  '2026-11-23 03:46'\t1\n"
        "Who logged in:\n"
        "  'work'\t'<38>1 - work sshd - - - Accepted publickey for amy'\n"
        "  'vault'\t'<11>1 - - - - - Accepted nothing'\n"
    )
    with duckdb.connect(str(filled / "logs.duckdb")) as connection:
        rows = connection.execute("select payload from line where vm = 'work' order by number").fetchall()
    assert [payload for (payload,) in rows] == LINES
