"""The kept corpus of every target, and a short run under the fuzzer; `make fuzz` runs each for ten minutes."""

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.seeds import kept
from tests.fuzz.targets import OURS, TARGETS

ROOT = Path(__file__).parents[2]
NIGHT = random.Random(20261123)


def accepts(target: str, data: bytes) -> bool:
    """Tell whether a target accepts bytes; any other error than ours is raised."""
    try:
        TARGETS[target].run(data)
    except OURS:
        return False
    return True


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_kept(target: str) -> None:
    """Seeds and corpus, and each of them cut off anywhere: accepted, or refused with an error of ours."""
    inputs = [*TARGETS[target].seeds(), *kept(target)]
    assert sum(accepts(target, data) for data in inputs)
    for data in inputs:
        accepts(target, data[: NIGHT.randrange(len(data) + 1)])


@pytest.mark.skipif(not find_spec("atheris"), reason="atheris is not installed: there is none for this Python yet")
def test_a_short_run() -> None:
    """The fuzzer, over all targets at once."""
    command = [sys.executable, "-m", "tests.fuzz.run", "all", "-runs=20000", "-max_len=2048"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    assert "Done 20000 runs" in found.stderr


@pytest.mark.skipif(not find_spec("atheris"), reason="atheris is not installed: there is none for this Python yet")
def test_a_fault_is_found(tmp_path: Path) -> None:
    """The fuzzer ends with a target that fails: what is tried above can fail."""
    code = (
        "from tests.fuzz import run, targets\n"
        "def fault(data):\n"
        "    if data[:1] == b'x': raise KeyError(data)\n"
        "targets.TARGETS['cursor'] = targets.Target(fault, lambda: [b'w'])\n"
        f"run.fuzz('cursor', 'none', ['-runs=100000', '-artifact_prefix={tmp_path}/'])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode not in (0, 1), found.stderr[-2000:]
    assert "KeyError" in found.stdout + found.stderr
