"""dom0's commands, as far as the installer asks them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "qrexec-policy" / "logchain_dom0_setup.py"
POLICY = SETUP.with_name("30-logchain.policy")
_LINT = """\
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.qrexec_policy.reading import Refused, parse
for name in sys.argv[1:]:
    try:
        parse(Path(name).read_text())
    except Refused as error:
        print(f"{{name}}:1: error: {{error}}")
        sys.exit(1)
"""


class Dom0:
    """A dom0 with one qube that could be the LogVM, and a directory for its policy."""

    def __init__(self, here: Path) -> None:
        self.bin, self.policy, self._qubes = here / "bin", here / "policy.d", here / "qubes"
        for directory in (self.bin, self.policy, self._qubes):
            directory.mkdir()
        self._command("qvm-check", f'test -d {self._qubes}/"$2"')
        self._command("qvm-prefs", f'cat {self._qubes}/"$1"/"$2"')
        self._command("qvm-service", f'cat {self._qubes}/"$1"/service-"$2" 2>/dev/null || echo off')
        lint = here / "lint.py"
        lint.write_text(_LINT.format(root=str(SETUP.parents[1])))
        self._command("qubes-policy-lint", f'exec {sys.executable} {lint} "$@"')
        self.qube("sys-log", klass="AppVM", netvm="None", service_logchain="on")

    def _command(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def qube(self, name: str, **properties: str) -> None:
        """Make a qube, or change one."""
        (self._qubes / name).mkdir(exist_ok=True)
        for key, value in properties.items():
            (self._qubes / name / key.replace("_", "-")).write_text(f"{value}\n")

    def run(self, *arguments: str, before: Sequence[str] = (), **also: str) -> "subprocess.CompletedProcess[str]":
        """Run the installer, with nobody to answer; `before`: a tracer's words, `also`: of the environment."""
        place = [] if arguments[0] == "show" else ["--policy-dir", str(self.policy)]
        return subprocess.run(
            [*before, sys.executable, SETUP, *arguments, *place],
            env={**os.environ, "PATH": f"{self.bin}:/usr/bin:/bin", **also},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> dict[str, str]:
        """Return what lies in the policy's directory."""
        return {path.name: path.read_text() for path in self.policy.iterdir()}


@pytest.fixture
def dom0(tmp_path: Path) -> Dom0:
    """A dom0."""
    return Dom0(tmp_path)
