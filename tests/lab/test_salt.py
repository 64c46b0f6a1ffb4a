"""The salt states, rendered by a real salt with a stand-in for Qubes' own states."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

STATES = Path(__file__).parents[2] / "packaging" / "salt"
SALT_CALL = os.environ.get("LOGCHAIN_SALT_CALL", "salt-call")

pytestmark = pytest.mark.skipif(not shutil.which(SALT_CALL), reason="needs salt-call: pip install salt")


def salt(here: Path, *arguments: str, name: str = "dom0") -> Any:
    """Call salt without a master; return what it says."""
    (here / "minion").write_text(f"file_client: local\nroot_dir: {here}\nfile_roots:\n  base: [{STATES}, {here}]\n")
    (here / "top.sls").write_text((STATES / "logchain/logchain.top").read_text())
    command = [
        SALT_CALL,
        "--local",
        f"--id={name}",
        f"--config-dir={here}",
        "--log-level=quiet",
        "--out=json",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["local"]


@pytest.mark.parametrize(
    ("state", "functions"),
    [
        ("logvm", {"qvm.vm sys-log", "cmd.run qvm-volume extend sys-log:private 20GiB"}),
        ("policy", {"pkg.installed logchain-dom0", "cmd.run logchain-dom0-setup install --yes --logvm sys-log"}),
        ("senders", {"qvm.service work", "qvm.service default-dvm"}),
        ("dom0", {"pkg.installed logchain-exporter", "file.managed /etc/log-exporter.toml"}),
        ("in-logvm-template", {"pkg.installed logchain"}),
        ("in-sender-template", {"pkg.installed logchain-exporter", "file.managed /etc/log-exporter.toml"}),
    ],
)
def test_what_a_state_does(tmp_path: Path, state: str, functions: set[str]) -> None:
    """Each state renders, and asks for what the guide says of it."""
    found = salt(tmp_path, "state.show_low_sls", f"logchain.{state}")
    assert functions <= {f"{low['state']}.{low['fun']} {low['name']}" for low in found}


def test_the_logvm_has_no_network(tmp_path: Path) -> None:
    """The LogVM is made without a network, started with the system, and its service is on."""
    (vm,) = [low for low in salt(tmp_path, "state.show_low_sls", "logchain.logvm") if low["state"] == "qvm"]
    assert {"netvm": ""} in vm["prefs"]
    assert {"autostart": True} in vm["prefs"]
    assert vm["service"] == [{"enable": ["logchain"]}]


def test_who_gets_what(tmp_path: Path) -> None:
    """The top file gives dom0 its states and the template its packages; another qube gets nothing."""
    assert len(salt(tmp_path, "state.show_top")["base"]) == 4
    template = salt(tmp_path, "state.show_top", name="debian-13-xfce")["base"]
    assert template == ["logchain.in-logvm-template", "logchain.in-sender-template"]
    assert salt(tmp_path, "state.show_top", name="work") == {}
