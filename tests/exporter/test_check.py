"""`log-exporter check`: what is wrong, in plain words, and what to do about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from log_exporter.main import main
from tests.exporter.bench import ROOT
from tests.exporter.daemon import THREE, Daemon


def test_check_says_what_is_a_link(daemon: Daemon) -> None:
    """A pattern that finds one does not read what it leads to."""
    (daemon.directory / "logs" / "link").symlink_to(".")
    daemon.configure(f'[streams.f]\nsource = "files"\npaths = ["{daemon.directory}/logs/*/*.log"]\n')
    found = daemon.command("check")
    assert found.returncode == 3
    assert f"WRONG  f: {daemon.directory}/logs/link is a link, and not followed" in found.stdout


def test_check_says_that_all_is_well(daemon: Daemon) -> None:
    """The collector greets, and hears no line."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    found = daemon.command("check")
    assert found.returncode == 0, found.stdout
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["good"] * 7
    assert "good   tick: the LogVM answers\n" in found.stdout
    assert daemon.stored("tick") == []


@pytest.mark.parametrize(
    ("transport", "words", "advice"),
    [
        ("sh -c 'exit 126'", "a: the call was refused", "Either the policy in dom0"),
        ("sh -c 'exit 127'", "a: the LogVM has no such service", "Install logchain there"),
        ("sh -c 'exit 1'", "a: nobody answers (exit status 1)", "Look whether the LogVM runs"),
        ("echo full", "a: the LogVM says: full", "Look there: logchain status."),
        ("echo nonsense", "a: no greeting of logchain/1 came", "look at `transport`"),
        ("no-such-program", "transport: cannot find no-such-program", "qubes-core-agent-qrexec"),
        ("echo busy", "good   a: the LogVM answers, and already gets this stream", ""),
    ],
)
def test_check_explains_what_is_wrong(daemon: Daemon, transport: str, words: str, advice: str) -> None:
    """In plain words, and with what to do about it."""
    daemon.config.write_text(
        f'transport = "{transport}"\nstate = "{daemon.directory}"\nspool = "{daemon.directory}"\n'
        f'[streams.a]\nsource = "files"\npaths = ["{daemon.directory}/none"]\n'
    )
    found = daemon.command("check")
    assert words in found.stdout
    assert advice in found.stdout
    assert "good   a: " in found.stdout
    assert found.returncode == (3 if advice else 0)
    assert bool(found.stderr) == bool(advice)


def test_check_finds_missing_rights(daemon: Daemon) -> None:
    """Another user than the one of the service: its groups, what it cannot read, and where it cannot write."""
    secret = daemon.directory / "secret"
    secret.write_bytes(b"")
    secret.chmod(0)
    daemon.config.write_text(
        f'transport = "echo busy"\nstate = "/proc/none"\nspool = "{daemon.directory}/file/x"\n'
        f'[streams.j]\nsource = "journald"\n[streams.f]\nsource = "files"\npaths = ["{secret}"]\n'
        f'[streams.k]\nsource = "kmsg"\ndevice = "/none"\n[streams.e]\nsource = "exec"\ncommand = ["no-such"]\n'
    )
    for path in (daemon.directory, *list(daemon.directory.parents)[:3]):
        path.chmod(0o755)
    user = os.getuid() or 65534
    program = f"import os, sys; sys.path.insert(0, {str(ROOT / 'exporter')!r}); import gettext, shutil, tomllib; "
    program += "from log_exporter import main, command; "
    program += "from log_exporter.sources import exec, files, journald, kmsg, libsystemd; "
    program += f"os.getuid() or (os.setgroups([]), os.setgid({user}), os.setuid({user})); "
    program += f"sys.exit(main.main(['check', '--config', {str(daemon.config)!r}]))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 3, found
    for words in (
        f"WRONG  /proc/none cannot be written by user {user}",
        f"WRONG  j: user {user} is not in the group systemd-journal" if user == 65534 else "good   configuration",
        f"WRONG  f: {secret} cannot be read by user {user}",
        "WRONG  k: /none cannot be read",
        "WRONG  e: cannot find no-such",
    ):
        assert words in found.stdout


def test_check_in_a_qube(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether its service is on; and that root sees more than the service does."""
    monkeypatch.setattr("log_exporter.check._SERVICE", str(tmp_path / "qubes-service"))
    (tmp_path / "qubes-service").mkdir()
    daemon.configure('[streams.tick]\nsource = "exec"\ncommand = ["true"]\n')
    assert main(["check", "--config", str(daemon.config)]) == 3
    found = capsys.readouterr().out
    assert "WRONG  the service log-exporter is off in this qube\n       In dom0: qvm-service QUBE log-exp" in found
    assert ("good   run by root, who may read everything" in found) == (os.getuid() == 0)
    (tmp_path / "qubes-service" / "log-exporter").touch()
    assert main(["check", "--config", str(daemon.config)]) == 0
