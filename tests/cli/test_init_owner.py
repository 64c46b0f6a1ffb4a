"""logchain init by root, in a directory of another user; that the user can be had is tried in tests/lab."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_an_owner_that_nobody_knows(tmp_path: Path) -> None:
    """A directory of a user whom this system does not know is an error that says so, in a line, and leaves nothing."""
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, 54_321, 0)
    program, secret = f"{sysconfig.get_path('scripts')}/logchain", tmp_path / "secret"
    command = [program, "init", "--store", str(store), "--audit-secret-out", str(secret)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "belongs to user 54321" in done.stderr
    assert not secret.exists()
