"""The RPMs: their files and scripts, by rpm itself, in Debian. Fedora is not to be had here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import DIST
from tests.lab.container import Container, make_root, unusable

STORE = "/var/lib/logchain"


@pytest.fixture(scope="module")
def machine() -> Iterator[Container]:
    """A machine on which nothing of ours is."""
    reason = unusable()
    if reason:
        pytest.skip(reason)
    rpms = [path for path in sorted(Path(DIST).resolve().glob("*.rpm")) if not path.name.endswith(".src.rpm")]
    assert len(rpms) == 4
    container = Container(make_root(rpms))
    try:
        container.boot()
        # Debian's Python does not look where Fedora's does; that rpm knows of no Debian package is why --nodeps
        container.run("echo /usr/lib/python3.13/site-packages > /usr/lib/python3/dist-packages/fedora.pth")
        yield container
        container.shut_down()
    finally:
        container.remove()


def test_they_install(machine: Container) -> None:
    """All four install beside each other; users, directories and presets are there, and nothing runs."""
    machine.run("rpm -i --nodeps logchain*.rpm")
    assert machine.run(f"stat -c '%A %U %G' {STORE}") == "drwxr-s--- logchain logchain-in\n"
    assert machine.run("rpm -V --nodeps logchain logchain-exporter logchain-witness logchain-dom0") == ""
    for unit in ("log-collector.socket", "log-compressor.service", "log-exporter.service"):
        assert machine.property(unit, "UnitFileState") == "enabled", unit
        assert machine.property(unit, "ActiveState") == "inactive", unit
    assert "@default allow target=sys-log" in machine.run("logchain-dom0-setup show")


def test_they_work(machine: Container) -> None:
    """What they brought is a LogVM, with the programs that the units name."""
    machine.run("touch /run/qubes-service/logchain; logchain init --audit-secret-out audit-secret")
    machine.run("systemctl start log-collector.socket log-compressor.service")
    machine.run("printf 'one\\n' | qrexec-client-vm @default logchain.Append+trial | grep -q 'ok 1'")
    assert machine.run("logchain show --vm work -o raw") == "one\n"
    assert "logchain" in machine.run("zcat -f /usr/share/man/man1/logchain-verify.1*")


def test_an_upgrade_restarts_what_runs(machine: Container) -> None:
    """Installed over itself, the new programs run, and lines come in."""
    before = machine.property("log-compressor", "MainPID")
    machine.run("rpm -U --force --nodeps logchain*.rpm")
    machine.until(f"test $(systemctl show -P MainPID log-compressor) != {before}")
    machine.run("printf 'two\\n' | qrexec-client-vm @default logchain.Append+trial | grep -q 'ok 1'")


def test_removal_leaves_the_evidence(machine: Container) -> None:
    """Removed, they stop what runs, leave logs and keys, and say where; the policy too, and what takes it away."""
    machine.run("mkdir -p /etc/qubes/policy.d; touch /etc/qubes/policy.d/30-logchain.policy")
    machine.run("setpriv --reuid logchain-witness --clear-groups --regid logchain-witness logchain-witness keygen")
    kept = f"find {STORE} {STORE}-witness -type f | sort"
    before = machine.run(f"systemctl stop log-collector.socket log-collector; {kept}")
    said = machine.run("rpm -e logchain logchain-exporter logchain-witness logchain-dom0")
    assert "the store stays in /var/lib/logchain" in said
    assert "stays in /var/lib/logchain-witness" in said
    assert "logchain-dom0-setup remove" in said
    assert machine.run(kept) == before
    assert machine.property("log-compressor", "ActiveState") == "inactive"
    assert machine.run("test -e /usr/bin/logchain || echo gone") == "gone\n"
