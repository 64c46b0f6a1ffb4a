"""What the witness's package brings, and what the LogVM's compressor needs to reach it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.test_units import PACKAGING, settings

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is missing: apt install systemd")
XEN = {f"/dev/xen/{name} rw" for name in ("evtchn", "gntalloc", "gntdev", "hypercall", "privcmd", "xenbus")}


def analysed(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd-analyze about the compressor's unit with the drop-in."""
    unit = directory / "log-compressor.service"
    text = (PACKAGING / "log-compressor.service").read_text().replace("/usr/bin/log-compressor", "/bin/true")
    unit.write_text(text)
    (directory / f"{unit.name}.d").mkdir(exist_ok=True)
    shutil.copy(PACKAGING / "witness.conf", directory / f"{unit.name}.d")
    return subprocess.run(["systemd-analyze", *words, unit], capture_output=True, text=True, check=False)


def test_the_drop_in(tmp_path: Path) -> None:
    """systemd understands all of it; it opens Xen's devices and no others; the unit stays confined."""
    done = analysed(tmp_path, "verify", "--recursive-errors=yes", "--man=no")
    assert (done.returncode, done.stderr) == (0, "")
    service = settings(PACKAGING / "witness.conf", "Service")
    assert (service["DevicePolicy"], set(service["DeviceAllow"])) == (["closed"], XEN)
    done = analysed(tmp_path, "security", "--offline=true", "--threshold=30", "--no-pager")
    assert done.returncode == 0, re.findall("Overall.*", done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_its_user_and_directory(tmp_path: Path) -> None:
    """A user of its own, with a shell that qrexec's agent can start its service through; a directory for it alone."""
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", PACKAGING / "logchain-witness.sysusers"], check=True)
    (line,) = [line for line in (tmp_path / "etc" / "passwd").read_text().splitlines() if "witness" in line]
    assert line.endswith(":/bin/sh")
    tmpfiles = PACKAGING / "logchain-witness.tmpfiles"
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", tmpfiles], check=True)
    place = tmp_path / "var" / "lib" / "logchain-witness"
    assert (place.stat().st_mode & 0o777, str(place.stat().st_uid)) == (0o700, line.split(":")[2])


def test_what_an_appvm_keeps() -> None:
    """What it remembers lies on the private volume: else each start would roll the witness back."""
    script = f"source {PACKAGING / 'logchain-witness.bind-dirs'}; printf '%s\\n' \"${{binds[@]}}\""
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["/var/lib/logchain-witness"]


def test_the_service_is_that_user_s() -> None:
    """qrexec runs the script as the witness's user, and the script is a program that is there."""
    config = PACKAGING.parents[1] / "qrexec-policy" / "rpc-config" / "logchain.Witness"
    assert config.read_text() == "force-user='logchain-witness'\n"
    script = PACKAGING.parents[1] / "witness" / "qubes" / "logchain.Witness"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[1] == "exec /usr/bin/logchain-witness answer"
