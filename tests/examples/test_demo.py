"""The demo tells its story to the end, on the logs of the machine that runs the tests."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT


def test_the_demo_finds_both_attacks(tmp_path: Path) -> None:
    """`make demo` ends well: all that was received is intact, and the changed byte and the removed qube are found."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"],
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert done.stdout.count("\nFound: ") == 1
    assert done.stdout.count("\nFound.") == 1
    assert "INTACT" in done.stdout
