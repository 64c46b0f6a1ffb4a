"""logchain init by root, in a directory that the packages made for the services' users."""

import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import pytest

LOGCHAIN = f"{sysconfig.get_path('scripts')}/logchain"
OWNER, GROUP = 2, 3  # bin and sys, which every Linux has and nobody uses

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def init(store: Path, secret: Path) -> "subprocess.CompletedProcess[str]":
    """Make a store, and its audit secret."""
    command = [LOGCHAIN, "init", "--store", str(store), "--audit-secret-out", str(secret)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_root_makes_what_the_services_own(tmp_path: Path) -> None:
    """All of a store that root makes is the directory's owner's, with its group; the secret is root's."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as here:  # whose parents others may enter
        os.chmod(here, 0o755)
        store = Path(here) / "store"
        store.mkdir()
        os.chown(store, OWNER, GROUP)
        store.chmod(0o2750)
        done = init(store, tmp_path / "secret")
        assert (done.returncode, done.stderr) == (0, "")
        found = [path.stat() for path in (store, *store.rglob("*"))]
        assert {status.st_uid for status in found} == {OWNER}
        assert {(store / name).stat().st_gid for name in ("live", "births")} == {GROUP}
        assert (store / "live").stat().st_mode & 0o7777 == 0o2770
        assert (tmp_path / "secret").stat().st_uid == 0


def test_what_was_made_goes_when_it_fails(tmp_path: Path) -> None:
    """Where the owner may not write, nothing is left: the secret of a store that is not there helps nobody."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as here:
        os.chmod(here, 0o755)
        store = Path(here) / "store"
        store.mkdir()
        (store / "something").write_text("else")
        os.chown(store, OWNER, GROUP)
        done = init(store, tmp_path / "secret")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert not (tmp_path / "secret").exists()


def test_an_owner_that_nobody_knows(tmp_path: Path) -> None:
    """A directory of a user that is not in this system is an error that says so, in a line."""
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, 54_321, 0)
    done = init(store, tmp_path / "secret")
    assert done.returncode == 2
    assert "belongs to user 54321" in done.stderr
