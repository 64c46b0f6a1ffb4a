"""The driver finds what the tests notice, tells what they do not, and ends what would fill the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ROOM = """
import tempfile

def is_small(number):
    return number < 10


def write(directory, times):
    while times > 0:
        with open(tempfile.mkstemp(dir=directory)[0], "wb") as file:
            file.write(bytes(4 << 20))
        times -= 1
"""
TESTS = """
import sys
sys.path.insert(0, "logchain/store")
import small


def test_small():
    assert small.is_small(3)
    assert not small.is_small(30)


def test_write(tmp_path):
    small.write(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == 2
"""


@pytest.mark.parametrize(("killed", "code"), [(84, 1), (85, 0)])
def test_the_share_of_mutmut_s(tmp_path: Path, killed: int, code: int) -> None:
    """What took too long counts as found, what no test reached does not; less than 90 % is a failure."""
    (tmp_path / "stats").write_text(json.dumps({"killed": killed, "timeout": 5, "survived": 6, "total": 100}))
    command = [sys.executable, "-m", "tests.mutation.share", str(tmp_path / "stats")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, f"100 mutants of format/: {killed + 5}.0 % found\n")


def test_what_lives_and_what_does_not(tmp_path: Path) -> None:
    """A bound that no test looks at lives; the turned check is found; one that writes for ever is ended, and the rest.

    Nothing of it is left in `/var/tmp`.
    """
    room, tests = tmp_path / "logchain/store", tmp_path / "tests/store"
    for directory, name, text in ((room, "small.py", ROOM), (tests, "test_small.py", TESTS)):
        directory.mkdir(parents=True)
        (directory / name).write_text(text)
    before = set(Path("/var/tmp").glob("mutants-*"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "logchain/store/small.py:5", "logchain/store/small.py:12"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # less than 90 % were found
    told = [line.partition(": ")[::2] for line in done.stdout.splitlines() if ".py:" in line]
    assert ("lived", "logchain/store/small.py:5:11: number < 10  →  number <= 10") in told
    assert ("timed out", "logchain/store/small.py:12:8: times -= 1  →  times += 1") in told
    assert "killed" not in dict(told)
    assert not any("return None" in line for _, line in told)  # is found
    assert set(Path("/var/tmp").glob("mutants-*")) <= before
