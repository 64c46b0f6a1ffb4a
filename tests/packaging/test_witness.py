"""What the witness's package brings, and what the LogVM's compressor needs to reach it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.test_units import PACKAGING, complaints, exposure, settings

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is missing: apt install systemd")
XEN = {f"/dev/xen/{name} rw" for name in ("evtchn", "gntalloc", "gntdev", "hypercall", "privcmd", "xenbus")}


def installed(directory: Path) -> Path:
    """Return the compressor's unit with the drop-in beside it."""
    unit = directory / "log-compressor.service"
    text = (PACKAGING / "log-compressor.service").read_text().replace("/usr/bin/log-compressor", "/bin/true")
    unit.write_text(text)
    (directory / f"{unit.name}.d").mkdir(exist_ok=True)
    shutil.copy(PACKAGING / "witness.conf", directory / f"{unit.name}.d")
    return unit


def test_the_drop_in(tmp_path: Path) -> None:
    """systemd understands all of it; it opens Xen's devices and no others; the unit stays confined."""
    unit = installed(tmp_path)
    assert complaints(unit) == ""
    assert exposure(unit) <= 3.0
    service = settings(PACKAGING / "witness.conf", "Service")
    assert (service["DevicePolicy"], set(service["DeviceAllow"])) == (["closed"], XEN)


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


def test_the_service_is_that_user_s() -> None:
    """qrexec runs the script as the witness's user, and the script is a program that is there."""
    config = PACKAGING.parents[1] / "qrexec-policy" / "rpc-config" / "logchain.Witness"
    assert config.read_text() == "force-user='logchain-witness'\n"
    script = PACKAGING.parents[1] / "witness" / "qubes" / "logchain.Witness"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[1] == "exec /usr/bin/logchain-witness answer"
