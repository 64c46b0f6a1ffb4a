"""The installation guide, walked from top to bottom: each command of its ```sh blocks is run, in order, in the lab.

What belongs to dom0 is run too, against stand-ins for Qubes' commands that look at their arguments and do what of it
can be done in one machine: `qvm-service` makes the file, `qvm-start` binds the store's directory, `qvm-move` moves.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import packages
from tests.lab.container import Container, make_root, unusable

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "install.md"
PLACES = ("template", "dom0", "vault", "LogVM", "qube")
OWNERS = "find /var/lib/logchain -printf '%P %u %g %m\\n' | sort"
COMMANDS = {
    "sudo": """[ "$1" = -u ] || exec "$@"
        user=$2; shift 2; exec setpriv --reuid="$user" --regid="$user" --init-groups "$@\"""",
    "qvm-create": """case "$*" in
        *" netvm= "*sys-log) touch /root/made;;
        *" netvm= "*" template_for_dispvms=True offline-dvm") ;;
        *) exit 2;; esac""",
    "qvm-check": 'test "$*" = "--quiet sys-log" && test -e /root/made',
    "qvm-prefs": """case "$*" in
        "sys-log klass") echo AppVM;;
        "sys-log netvm") echo None;;
        "sys-log memory 400" | "sys-log maxmem 800" | "sys-log default_dispvm offline-dvm") ;;
        *) exit 2;; esac""",
    "qvm-volume": 'test "$1 $2" = "extend sys-log:private"',
    "qvm-service": """case "$*" in
        "sys-log logchain") echo on;;
        "sys-log logchain on") touch /run/qubes-service/logchain;;
        "work log-exporter on") touch /run/qubes-service/log-exporter; systemctl start log-exporter;;
        *) exit 2;; esac""",
    # what qubes-mount-dirs.service does at each start of a qube
    "qvm-start": """for conf in /usr/lib/qubes-bind-dirs.d/*logchain*; do . "$conf"; done
        for place in "${binds[@]}"; do mkdir -p "/rw/bind-dirs/${place%/*}"; cp -a "$place" "/rw/bind-dirs/$place"
        mount --bind "/rw/bind-dirs/$place" "$place"; done""",
    "qvm-move": 'mkdir -p /root/QubesIncoming/vault && mv "$1" /root/QubesIncoming/vault/',
    "qubes-policy-lint": 'grep -q "^logchain.Append" "$@"',
}


def steps() -> list[tuple[str, str]]:
    """Return the guide's blocks for a shell, each with the place that the line before it names last."""
    found, place = [], ""
    for text, block in re.findall(r"(.*?)```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        named = re.findall(r"\*\*(\w+)\*\*", text)
        place = named[-1] if named and named[-1] in PLACES else place
        found.append((place, block))
    return found


@pytest.fixture(scope="module")
def fresh() -> Iterator[Container]:
    """A machine with nothing on it yet but the packages' files and what stands in for Qubes."""
    reason = unusable()
    if reason:
        pytest.skip(reason)
    root = make_root([])
    incoming = root / "root/QubesIncoming/build"
    incoming.mkdir(parents=True)
    for package in packages():
        (incoming / package.name).write_bytes(package.read_bytes())
    for name, script in COMMANDS.items():
        path = root / "usr/local/bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
    (root / "etc/qubes/policy.d").mkdir(parents=True)
    subprocess.run(["make", "-s", "-C", ROOT, "install-dom0", f"DESTDIR={root}"], check=True)
    container = Container(root)
    try:
        container.boot()
        yield container
        container.shut_down()
    finally:
        container.remove()


def test_the_guide_from_top_to_bottom(fresh: Container) -> None:
    """Every command of every block ends well, and says what the guide says that one sees."""
    walked = steps()
    assert {place for place, _ in walked} == set(PLACES)
    said: list[tuple[str, str, str]] = []
    before = ""
    for place, block in walked:
        if "chown -hR" in block:  # as another template would have it
            fresh.run("systemctl stop log-collector.socket log-collector log-compressor; logchain seal --vm work")
            before = fresh.run(OWNERS)
            fresh.run("chown -hR 4321:4322 /var/lib/logchain")
        told = re.sub(r"^(systemctl is-active .*)$", r"\1 || true", block, flags=re.MULTILINE)  # inactive is no failure
        script = f"export PATH=/usr/local/bin:$PATH; cd ~; set -e; {told}"
        if "chown -hR" in block:
            script = script.replace("sudo systemctl start", f"{OWNERS} > /root/after; sudo systemctl start")
        said.append((place, block, fresh.run(script, timeout=180)))
        if "log-exporter on" in block:
            fresh.until("logchain list | grep -q journal")

    def output(command: str) -> str:
        return next(text for _, block, text in said if command in block)

    assert fresh.run("cat after") == before, "all files are whose they were"
    assert output("systemctl is-active log-collector.socket log-compressor.service log-exporter").count("inactive") == 3
    assert output("findmnt").splitlines()[-2:] == ["active", "active"]
    assert "/var/lib/logchain" in output("findmnt")
    assert "is in place" in output("install --yes")
    assert "the LogVM answers" in output("log-exporter check")
    assert re.search(r"^work +journal ", output("logchain list"), re.MULTILINE)


def test_it_is_a_logvm_then(fresh: Container) -> None:
    """After the last step, which gave all files to their users anew, lines still come in, and verify is content."""
    fresh.run("logger -t after 'after the walk'")
    fresh.until("logchain show --vm work -g 'after the walk' | grep -q walk")
    fresh.run("logchain seal --vm work")
    fresh.run("printf 'stock\\n' | QUBE=old qrexec-client-vm @default qubes.Log | grep -q OK")
    assert "INTACT" in fresh.run("logchain verify --audit-secret ~/audit-secret")
