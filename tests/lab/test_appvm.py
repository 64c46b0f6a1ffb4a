"""A template, and two AppVMs of it of which nothing but /rw lasts: a LogVM, and one that logs to nobody."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from tests.lab.conftest import packages
from tests.lab.container import ROOTS, Container, make_root, unusable

STORE = "/var/lib/logchain"
UNITS = ("log-collector.socket", "log-compressor.service", "log-exporter.service")
# What of Qubes a template brings: services that dom0 switched on, and bind-dirs, in a slow qube. Where /rw is no mount,
# it is the template itself, and nothing is bound.
SYSINIT = """\
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /run/qubes-service; for i in $$(cat /rw/services); do touch /run/qubes-service/$$i; done'
"""
MOUNT_DIRS = """\
[Unit]
DefaultDependencies=no
After=qubes-sysinit.service
Before=local-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
"""
BIND_DIRS = """\
[Unit]
ConditionPathIsMountPoint=/rw
DefaultDependencies=no
After=qubes-mount-dirs.service local-fs.target
Requires=qubes-mount-dirs.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=/bin/sleep 3
ExecStart=/bin/bash /usr/local/lib/bind-dirs
"""
BIND = """\
shopt -s nullglob
for conf in /usr/lib/qubes-bind-dirs.d/*.conf /rw/config/qubes-bind-dirs.d/*.conf; do . "$conf"; done
for place in "${binds[@]}"; do
    kept=/rw/bind-dirs$place
    if [ -d "$kept" ]; then mkdir -p "$place"; elif [ -f "$kept" ]; then touch "$place"
    elif [ -e "$place" ]; then mkdir -p "${kept%/*}"; cp -a "$place" "$kept"
    else continue; fi  # what is in neither is left out without a word
    mount --bind "$kept" "$place"
done
"""


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """The root of a template in which the packages were installed while it ran."""
    reason = unusable()
    if reason:
        pytest.skip(reason)
    root = make_root(packages())
    units = root / "etc/systemd/system"
    for name, text in (("sysinit", SYSINIT), ("mount-dirs", MOUNT_DIRS), ("bind-dirs", BIND_DIRS)):
        (units / f"qubes-{name}.service").write_text(text)
        (units / f"sysinit.target.wants/qubes-{name}.service").symlink_to(f"../qubes-{name}.service")
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "sysinit.target.wants/qubes-bind-dirs.service").rename(
        units / "multi-user.target.wants/qubes-bind-dirs.service"
    )
    (root / "usr/local/lib/bind-dirs").write_text(BIND)
    (root / "rw").mkdir()
    machine = Container(root)
    try:
        machine.boot()
        machine.run("dpkg -i *.deb")
        (root / "etc/log-exporter.toml").write_text('[streams.journal]\nsource = "journald"\n')
        assert machine.run(f"findmnt {STORE}", check=False) == ""
        for unit in UNITS:
            assert machine.property(unit, "ActiveState") == "inactive", "a template collects nothing"
        machine.shut_down()
        yield root
    finally:
        machine.remove()


def qube(template: Path, rw: Path, *services: str) -> Container:
    """Return an AppVM with services switched on, not started."""
    (rw / "services").write_text("\n".join(services))
    return Container(template, rw)


@pytest.fixture
def rw() -> Iterator[Path]:
    """A private volume."""
    place = Path(mkdtemp(prefix="rw.", dir=ROOTS))
    place.chmod(0o755)
    yield place
    rmtree(place)


def test_only_rw_lasts(template: Path, rw: Path) -> None:
    """The store is on the private volume from the first start on; at the second all runs by itself, and it is there."""
    machine = qube(template, rw, "logchain", "log-exporter")
    machine.boot()
    for place in (STORE, "/var/lib/log-exporter", "/var/spool/log-exporter"):
        assert place in machine.run(f"findmnt -n {place}")
    assert machine.run(f"stat -c '%A %U %G' {STORE}") == "drwxr-s--- logchain logchain-in\n"
    for unit in UNITS[:2]:
        assert machine.property(unit, "ActiveState") == "inactive", "there is no store yet"
    machine.run("logchain init --audit-secret-out /rw/audit-secret")
    machine.run("logger -t first 'first boot'; systemctl start log-collector.socket log-compressor.service")
    machine.run("systemctl restart log-exporter")  # which was refused until now, and waits
    machine.until("logchain show --vm work --stream journal -g 'first boot' | grep -q first")
    (rw / "config/qubes-bind-dirs.d").mkdir(parents=True)
    (rw / "config/qubes-bind-dirs.d/50_user.conf").write_text("binds+=( '/etc/logchain.toml' )\n")
    (rw / "bind-dirs/etc").mkdir(parents=True)
    (rw / "bind-dirs/etc/logchain.toml").write_text("[each-vm]\nstreams = 3\n")
    machine.run("touch /etc/not-kept")
    machine.shut_down()

    machine.boot()
    assert machine.run("ls /etc/not-kept", check=False) != "/etc/not-kept\n", "as in an AppVM"
    for unit in UNITS:
        machine.until(f"systemctl is-active {unit}")
    machine.run("logger -t second 'second boot'")
    machine.until("logchain show --vm work --stream journal -g 'second boot' | grep -q second", 120)
    found = machine.run("logchain show --vm work --stream journal -o raw -g '(first|second) boot'").splitlines()
    assert len(found) == 2, "each once"
    assert "INTACT" in machine.run("logchain seal; logchain verify --audit-secret /rw/audit-secret")
    for stream in ("two", "three", "four"):
        said = machine.run(f"echo x | timeout 20 qrexec-client-vm @default logchain.Append+{stream} | tail -1")
    assert said.startswith("full"), "the settings of the private volume count"
    machine.shut_down()


def test_a_qube_that_was_not_asked(template: Path, rw: Path) -> None:
    """Where dom0 switched nothing on, nothing runs, and nothing of ours is on the private volume but empty places."""
    machine = qube(template, rw)
    machine.boot()
    for unit in UNITS:
        assert machine.property(unit, "ActiveState") == "inactive", unit
    assert "log" not in machine.run("systemctl --failed --plain --no-legend")
    machine.shut_down()
    assert [path for path in (rw / "bind-dirs").rglob("*") if path.is_file()] == []
