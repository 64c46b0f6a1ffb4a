"""The test vectors are what their generator writes."""

import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).resolve().parent / "vectors" / "generate.py"


def test_the_generator_writes_the_vectors_as_they_are() -> None:
    """Each file under tests/vectors is, byte for byte, what the generator makes of the spec pages."""
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
