"""Runs the installed commands as a user does."""

import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

SCRIPTS = sysconfig.get_path("scripts")


def run_in(directory: Path) -> Run:
    """Return what runs a command in a directory; `vm` says which qube is calling, `stdin` what it sends."""
    environment = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LOGCHAIN_STORE": "store", "TZ": "UTC"}

    def command(*words: str, vm: str = "", stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        caller = environment | more | ({"QREXEC_REMOTE_DOMAIN": vm} if vm else {})
        done = subprocess.run(words, input=stdin, capture_output=True, cwd=directory, env=caller, timeout=60)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    return command


def stock(run: Run) -> None:
    """Make a store with three qubes' lines."""
    run("logchain", "init", "--audit-secret-out", "audit")
    for vm in ("work", "vault", "dom0"):
        done = run("log-collector", "--stdio", "journal", vm=vm, stdin=b"first of %s\nsecond\n" % vm.encode())
        assert done.returncode == 0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a fresh directory."""
    monkeypatch.chdir(tmp_path)
    return run_in(tmp_path)


@pytest.fixture
def stocked(run: Run) -> Run:
    """A store with three qubes' lines."""
    stock(run)
    return run
