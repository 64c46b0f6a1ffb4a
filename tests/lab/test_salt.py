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

STAND_IN = """\
def {function}(name, **kwargs):
    return {{"name": name, "changes": {{"done": "as asked"}}, "result": True, "comment": ""}}
mod_watch = {function}
"""

pytestmark = pytest.mark.skipif(not shutil.which(SALT_CALL), reason="needs salt-call: pip install salt")


def salt(here: Path, *arguments: str, name: str = "dom0", states: Path = STATES, path: str = os.environ["PATH"]) -> Any:
    """Call salt without a master; return what it says."""
    (here / "minion").write_text(f"file_client: local\nroot_dir: {here}\nfile_roots:\n  base: [{states}, {here}]\n")
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
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, "PATH": path})
    assert done.returncode in (0, 2), done.stdout  # 2: a state did not go well
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


def test_dom0_from_nothing(tmp_path: Path) -> None:
    """Applied as a trial, every state finds what it needs, in an order that works: qube, package, policy, exporter."""
    (tmp_path / "_states").mkdir()
    for name, function in (("qvm", "vm"), ("pkg", "installed"), ("service", "running")):
        text = STAND_IN.format(function=function) + ("service = vm\n" if name == "qvm" else "")
        (tmp_path / "_states" / f"{name}.py").write_text(text)
    source = tmp_path / "dom0.toml"
    source.write_text((STATES.parents[1] / "examples/dom0/log-exporter.toml").read_text())
    states = tmp_path / "logchain"
    shutil.copytree(STATES / "logchain", states)
    target = tmp_path / "log-exporter.toml"
    for path in states.iterdir():
        text = path.read_text().replace("/usr/share/logchain/dom0/log-exporter.toml", str(source))
        path.write_text(text.replace("/etc/log-exporter.toml", str(target)).replace('"sys-log"', '"logs-2"'))
    settings = (states / "settings.jinja").read_text()
    (states / "settings.jinja").write_text(settings.replace('policy = ""', 'policy = "--only-tag logged"'))
    salt(tmp_path, "saltutil.sync_states", states=tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("logchain-dom0-setup", "qvm-volume"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $@" >> {tmp_path}/ran\necho 1\n')
        (programs / name).chmod(0o755)
    done = salt(tmp_path, "state.apply", states=tmp_path, path=f"{programs}:{os.environ['PATH']}")
    results = {state["__id__"]: state["result"] for state in done.values()}
    assert set(results.values()) == {True}, done
    ran = (tmp_path / "ran").read_text().splitlines()
    assert "logchain-dom0-setup show --logvm logs-2 --only-tag logged" in ran
    assert "logchain-dom0-setup install --yes --logvm logs-2 --only-tag logged" in ran
    assert "qvm-volume extend logs-2:private 20GiB" in ran
    assert target.read_text().count("-d logs-2 'DEFAULT:") == 1
