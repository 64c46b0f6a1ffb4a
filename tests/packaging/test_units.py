"""The exporter's unit is what systemd understands, is confined, and still reaches Xen's devices."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging" / "systemd"
UNIT = PACKAGING / "log-exporter.service"
DROP_IN = PACKAGING / "dom0.conf"
NAME = "log-exporter.service"

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is missing: apt install systemd")


def settings(path: Path, section: str) -> dict[str, list[str]]:
    """Return what a unit says in a section, each setting with all its lines."""
    found: dict[str, list[str]] = {}
    now = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            now = line.strip("[]")
        elif now == section and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def installed(directory: Path, *drop_ins: Path) -> Path:
    """Return the unit as it would be installed, with a program that is there."""
    unit = directory / NAME
    unit.write_text(UNIT.read_text().replace("/usr/bin/log-exporter", "/bin/true"))
    for drop_in in drop_ins:
        (directory / f"{NAME}.d").mkdir(exist_ok=True)
        shutil.copy(drop_in, directory / f"{NAME}.d")
    return unit


def exposure(unit: Path) -> float:
    """Return systemd's score of a unit: 0 is confined, 10 is not."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score, done.stdout
    return float(score[1])


def complaints(unit: Path) -> str:
    """Return what systemd does not like in a unit, or in what it needs of those beside it."""
    command = ["systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", str(unit)]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{unit.parent}:"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0 or done.stderr, "it fails without a word"
    return done.stderr


@pytest.mark.parametrize("drop_ins", [[], [DROP_IN]], ids=["qube", "dom0"])
def test_systemd_understands_all_of_it(tmp_path: Path, drop_ins: list[Path]) -> None:
    """No setting of the unit is unknown, misspelt, or ignored."""
    assert complaints(installed(tmp_path, *drop_ins)) == ""


def test_a_misspelt_setting_would_be_found(tmp_path: Path) -> None:
    """The check of the test before does look: a setting that does not exist fails it."""
    unit = installed(tmp_path)
    unit.write_text(unit.read_text().replace("ProtectClock=", "ProtectClocks="))
    assert "ProtectClocks" in complaints(unit)


def test_the_score_is_the_one_that_the_guide_tells(tmp_path: Path) -> None:
    """The unit's exposure is at most 3.0, and with the guide's version of systemd what the guide says."""
    guide = " ".join((PACKAGING.parents[1] / "docs" / "guides" / "service.md").read_text().split())
    told = re.search(r"exposure of ([0-9.]+) with systemd (\d+);", guide)
    assert told
    score = exposure(installed(tmp_path))
    assert score <= 3.0
    version = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    assert score == float(told[1]) or f"systemd {told[2]} " not in version


def test_dom0s_drop_in_opens_little(tmp_path: Path) -> None:
    """With dom0's drop-in too the exposure is at most 3.0."""
    assert exposure(installed(tmp_path, DROP_IN)) <= 3.0


def test_xen_is_reached() -> None:
    """Private devices would hide /dev/xen; what libxenvchan opens is allowed, and nothing else is."""
    service = settings(UNIT, "Service")
    assert "PrivateDevices" not in service
    assert service["DevicePolicy"] == ["closed"]
    needed = {f"/dev/xen/{name} rw" for name in ("evtchn", "gntalloc", "gntdev", "xenbus")}
    assert needed <= set(service["DeviceAllow"])
    assert all(line.startswith("/dev/xen/") for line in service["DeviceAllow"])


def test_it_is_opt_in() -> None:
    """It starts only where the qube's service is on, and after the agent that carries its calls."""
    unit = settings(UNIT, "Unit")
    assert "/var/run/qubes-service/log-exporter" in unit["ConditionPathExists"]
    assert "qubes-qrexec-agent.service" in unit["After"][0].split()
    assert settings(DROP_IN, "Unit")["ConditionPathExists"][0] == ""


def test_it_is_supervised() -> None:
    """It tells when it is ready, and is restarted when it hangs or dies, but not when its configuration is wrong."""
    service = settings(UNIT, "Service")
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) > 0
    assert service["Restart"] == ["always"]
    assert service["RestartPreventExitStatus"] == ["2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_user_and_directories_come_to_be(tmp_path: Path) -> None:
    """sysusers makes the user in its groups, tmpfiles the spool, for that user only."""
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", PACKAGING / "log-exporter.sysusers"], check=True)
    groups = (tmp_path / "etc" / "group").read_text().splitlines()
    members = {line.split(":")[0] for line in groups if "log-exporter" in line.split(":")[3].split(",")}
    assert members == {"qubes", "systemd-journal", "adm"}
    subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", PACKAGING / "log-exporter.tmpfiles"], check=True
    )
    spool = tmp_path / "var" / "spool" / "log-exporter"
    [uid] = [line.split(":")[2] for line in (tmp_path / "etc" / "passwd").read_text().splitlines() if "log-exp" in line]
    assert (spool.stat().st_mode & 0o777, str(spool.stat().st_uid)) == (0o700, uid)


def test_the_preset_names_the_unit() -> None:
    """The preset switches on exactly this unit."""
    lines = (PACKAGING / "log-exporter.preset").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"enable {NAME}"]
