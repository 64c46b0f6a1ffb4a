"""Fifty qubes at once, steady, bursty and flooding, with the real programs; `make load` does it for longer."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_fifty_qubes_at_once() -> None:
    """An hour of their time in three seconds: every acknowledged line once, in order, quotas kept, and verified."""
    command = [sys.executable, "-m", "bench.load", "--seconds", "3"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.endswith("quotas kept; INTACT\n")
    assert "flood      5 qubes" in found.stdout
