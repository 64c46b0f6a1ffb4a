"""The LogVM's units are what systemd understands and confines, and ask for the LogVM's own conditions."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.test_units import PACKAGING, complaints, exposure, settings

SERVICES = ("log-collector", "log-compressor")
LIMIT = 1.5  # systemd's exposure, 0 to 10

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is missing: apt install systemd"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The LogVM's units, with programs that are there."""
    for name in ("log-collector.socket", *(f"{service}.service" for service in SERVICES)):
        text = (PACKAGING / name).read_text()
        (tmp_path / name).write_text(re.sub(r"/usr/bin/log-\w+", "/bin/true", text))
    return tmp_path


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
def test_systemd_understands_all_of_it(units: Path, service: str) -> None:
    """No setting is unknown, misspelt or ignored, in the service or what it needs."""
    assert complaints(units / f"{service}.service") == ""


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
def test_the_score(units: Path, service: str) -> None:
    """The exposure is 1.5 at most."""
    assert exposure(units / f"{service}.service") <= LIMIT


@pytest.mark.parametrize("unit", ["log-collector.socket", "log-collector.service", "log-compressor.service"])
def test_they_run_in_the_logvm_only(unit: str) -> None:
    """Each starts where dom0 switched the service on, and where a store was made: nowhere else, and never as root."""
    found = settings(PACKAGING / unit, "Unit")
    assert found["ConditionPathExists"] == ["/run/qubes-service/logchain", "/var/lib/logchain/format"]
    assert found["RequiresMountsFor"] == ["/var/lib/logchain"]
    users = settings(PACKAGING / unit, "Service").get("User") or settings(PACKAGING / unit, "Socket")["SocketUser"]
    assert users == ["logchain" if "compressor" in unit else "logchain-in"]


def test_only_the_agent_can_knock() -> None:
    """Whoever connects can claim to be any qube: the socket is for the one user as whom qrexec's agent comes."""
    socket = settings(PACKAGING / "log-collector.socket", "Socket")
    assert (socket["SocketMode"], socket.get("Accept", ["no"])) == (["0600"], ["no"])
    options = PACKAGING.parents[1] / "qrexec-policy" / "rpc-config" / "logchain.Append"
    assert options.read_text() == f"force-user='{socket['SocketUser'][0]}'\n"


def test_landlock_is_not_taken_away() -> None:
    """Instances confine themselves: the filter lets Landlock through, by names that every systemd knows."""
    allowed = " ".join(settings(PACKAGING / "log-collector.service", "Service")["SystemCallFilter"]).split()
    assert {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "setrlimit"} <= set(allowed)


def test_the_watchdog_is_slower_than_a_step() -> None:
    """The compressor tells that it is ready and alive; a segment through xz is no reason to end it."""
    service = settings(PACKAGING / "log-compressor.service", "Service")
    assert (service["Type"], service["WatchdogSec"]) == (["notify"], ["10min"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_users_and_directories_come_to_be(tmp_path: Path) -> None:
    """The compressor's user is in the collectors' group and not the other way round; the store is theirs alone."""
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", PACKAGING / "logchain.sysusers"], check=True)
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert (groups["logchain-in"], groups["logchain"]) == ("logchain", "")
    command = ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(PACKAGING / "logchain.tmpfiles")]
    subprocess.run(command, check=True)
    assert (tmp_path / "var/lib/logchain").stat().st_mode & 0o7777 == 0o2750


@pytest.mark.parametrize("unit", ["log-collector.socket", "log-compressor.service", "log-exporter.service"])
def test_nothing_starts_before_its_directory_is_there(unit: str) -> None:
    """The private volume's directories are bound by a service of its own: before that they are the template's."""
    after = " ".join(settings(PACKAGING / unit, "Unit")["After"]).split()
    assert "qubes-bind-dirs.service" in after


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("logchain", ["/var/lib/logchain"]),
        ("log-exporter", ["/var/lib/log-exporter", "/var/spool/log-exporter"]),
        ("logchain-witness", ["/var/lib/logchain-witness"]),
    ],
)
def test_what_an_appvm_keeps(name: str, places: list[str]) -> None:
    """The script that Qubes runs binds these and no others; each is made in the template, else it is left out."""
    script = f"source {PACKAGING / f'{name}.bind-dirs'}; printf '%s\\n' \"${{binds[@]}}\""
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == places
    made = re.findall(r"^d (\S+) ", (PACKAGING / f"{name}.tmpfiles").read_text(), re.MULTILINE)
    assert made == places


@pytest.mark.parametrize(("name", "program"), [("logchain", "log-collector"), ("log-exporter", "log-exporter")])
def test_dom0_is_told_what_a_template_can(tmp_path: Path, name: str, program: str) -> None:
    """What Qubes runs after an installation asks for the feature of Qube Settings; once it is removed, for nothing."""
    (tmp_path / "qvm-features-request").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "qvm-features-request").chmod(0o755)
    for there, said in ((False, ""), (True, f"supported-service.{name}=1\n")):
        if there:
            (tmp_path / program).write_text("#!/bin/sh\n")
            (tmp_path / program).chmod(0o755)
        command = ["/bin/sh", str(PACKAGING / f"{name}.post-install")]
        done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
        assert done.stdout == said
