"""logchain-dom0-setup: checks before it acts, shows what it changes, never leaves a bad policy, can be undone."""

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.faults.strace import usable
from tests.qrexec_policy.conftest import POLICY, SETUP, Dom0
from tests.qrexec_policy.reading import Qube, decide, parse

NAME = "30-logchain.policy"
WITNESS = "31-logchain-witness.policy"


def test_it_puts_the_policy_in_place_and_takes_it_away(dom0: Dom0) -> None:
    """Installed, again installed, removed: each says what it did, and what was there is kept."""
    done = dom0.run("install", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "+logchain.Append * @anyvm" in done.stdout
    assert dom0.files() == {NAME: POLICY.read_text()}
    assert (dom0.policy / NAME).stat().st_mode & 0o777 == 0o664
    assert "in place already" in dom0.run("install", "--yes").stdout
    done = dom0.run("remove", "--yes")
    assert "nobody can send logs" in done.stdout
    assert dom0.files() == {f"{NAME}.old": POLICY.read_text()}
    assert "nothing to do" in dom0.run("remove", "--yes").stdout


@pytest.mark.parametrize(("witness", "target"), [("vault", "vault"), ("my-vault", "my-vault"), ("dom0", "@adminvm")])
def test_it_lets_the_logvm_ask_its_witness(dom0: Dom0, witness: str, target: str) -> None:
    """--witness puts the witness's policy beside that of the senders, and takes away only that."""
    dom0.run("install", "--yes")
    if witness != "dom0":
        dom0.qube(witness, klass="AppVM")
    dom0.qube("logs", klass="AppVM", netvm="None", service_logchain="on")
    done = dom0.run("install", "--yes", "--logvm", "logs", "--witness", witness)
    assert (done.returncode, done.stderr) == (0, "")
    text = dom0.files()[WITNESS]
    assert f"logchain.Witness * logs @default allow target={target} autostart=no notify=no" in text.splitlines()
    assert "sys-log" not in text
    qubes = [Qube("logs"), Qube("work"), Qube(witness)]
    for caller, goes_to in (("logs", witness), ("work", "")):
        assert decide(parse(text), "logchain.Witness", caller, "@default", qubes)[0] == goes_to
    done = dom0.run("remove", "--yes", "--witness")
    assert "nobody can ask the witness" in done.stdout
    assert dom0.files() == {NAME: POLICY.read_text(), f"{WITNESS}.old": text}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--witness", "nowhere"], "there is no qube nowhere"),
        (["--witness", "sys-log"], "cannot be its own witness"),
        (["--witness", ""], "no name of a qube that could be the witness"),
        (["--witness", "a allow\n"], "no name of a qube that could be the witness"),
        (["--witness", "vault", "--logvm", "dom0"], "no name of a qube that could be the LogVM"),
        (["--witness", "vault", "--qubes-log"], "install that without --witness"),
    ],
)
def test_a_witness_that_is_none(dom0: Dom0, options: list[str], says: str) -> None:
    """A witness that cannot be one is refused, and nothing is changed."""
    done = dom0.run("install", "--yes", *options)
    assert (done.returncode, dom0.files()) == (2, {})
    assert says in done.stderr


@pytest.mark.parametrize("action", ["install", "remove"])
def test_nothing_is_done_unasked(dom0: Dom0, action: str) -> None:
    """A dry run shows and changes nothing; without --yes, and with nobody to answer, it refuses."""
    if action == "remove":
        dom0.run("install", "--yes")
    before = dom0.files()
    done = dom0.run(action, "--dry-run")
    assert (done.returncode, dom0.files()) == (0, before)
    assert "Nothing was changed" in done.stdout
    done = dom0.run(action)
    assert (done.returncode, dom0.files()) == (2, before)
    assert "--yes" in done.stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 2), ("no\n", 2), ("\4", 2)])
def test_it_asks(dom0: Dom0, answer: str, code: int) -> None:
    """On a terminal it asks, and anything but yes is no: the end of the input too."""
    ours, theirs = pty.openpty()
    command = [sys.executable, str(SETUP), "install", "--policy-dir", str(dom0.policy)]
    environment = {"PATH": f"{dom0.bin}:/usr/bin:/bin"}
    with (
        subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process,
        open(ours, "wb", buffering=0) as terminal,
    ):
        terminal.write(answer.encode())
        said = process.communicate()[1]
    open(theirs, "rb").close()
    assert process.returncode == code
    assert b"Traceback" not in said
    assert bool(dom0.files()) == (code == 0)


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (None, "there is no qube other; make it first"),
        ({"klass": "TemplateVM"}, "other is a TemplateVM"),
        ({"klass": "AppVM", "netvm": "sys-firewall"}, "has a network, by sys-firewall"),
    ],
)
def test_a_logvm_that_is_none(dom0: Dom0, properties: dict[str, str] | None, says: str) -> None:
    """A LogVM that is not there, cannot be one, or has a network: refused, with what to do, and nothing changed."""
    if properties:
        dom0.qube("other", **properties)
    done = dom0.run("install", "--yes", "--logvm", "other")
    assert (done.returncode, dom0.files()) == (2, {})
    assert says in done.stderr


def test_a_collector_that_is_off_is_told(dom0: Dom0) -> None:
    """A LogVM whose service is not on gets its policy, and a word on what is left to do."""
    dom0.qube("sys-log", service_logchain="off")
    done = dom0.run("install", "--yes")
    assert done.returncode == 0
    assert "qvm-service sys-log logchain on" in done.stdout


@pytest.mark.parametrize(
    "option",
    [
        *(f"--logvm={name}" for name in ("dom0", "sys log", "-x", "@anyvm", "a" * 32, "x\nsome.Service * @anyvm")),
        *(f"--only-tag={tag}" for tag in ("", "two tags", "@tag:x", "x\nsome.Service * @anyvm @anyvm allow")),
    ],
)
def test_names_that_could_break_the_policy(dom0: Dom0, option: str) -> None:
    """What is no name of a qube, or no tag, never gets into a file."""
    done = dom0.run("install", "--yes", option)
    assert (done.returncode, dom0.files()) == (2, {})


def test_another_logvm_and_only_some_qubes(dom0: Dom0) -> None:
    """With a LogVM of another name, a tag, and Qubes' own service, the policy says so, and is one that is accepted."""
    dom0.qube("logs-2", klass="StandaloneVM", netvm="")
    assert dom0.run("install", "--yes", "--logvm", "logs-2", "--only-tag", "logged", "--qubes-log").returncode == 0
    rules = parse(dom0.files()[NAME])
    qubes = [Qube("logs-2"), Qube("work", frozenset({"logged"})), Qube("play")]
    for service in ("logchain.Append", "qubes.Log"):
        assert decide(rules, service, "work", "@default", qubes) == ("logs-2", False)
        assert decide(rules, service, "play", "@default", qubes) == ("", False)
        assert decide(rules, service, "logs-2", "@default", qubes) == ("", False)


def test_a_policy_that_is_broken_already(dom0: Dom0) -> None:
    """Where another file is bad, qrexec refuses every call anyway: it says so, and changes nothing."""
    (dom0.policy / "50-other.policy").write_text("some.Service * @anyvm @anyvm perhaps\n")
    before = dom0.files()
    done = dom0.run("install", "--yes")
    assert (done.returncode, dom0.files()) == (2, before)
    assert "50-other.policy" in done.stderr
    assert "repair that first" in done.stderr


def test_what_is_not_accepted_never_has_its_name(dom0: Dom0) -> None:
    """If Qubes' own check refuses our file, it was never in a place that qrexec reads, and what was there still is."""
    (dom0.policy / NAME).write_text("# mine\n")
    lint = dom0.bin / "qubes-policy-lint"
    lint.write_text('#!/bin/sh\ncase "$*" in *.new) echo "$1:3: error: no"; exit 1;; esac\n')
    done = dom0.run("install", "--yes")
    assert done.returncode == 2
    assert "is not accepted" in done.stderr
    assert dom0.files()[NAME] == "# mine\n"
    assert not [name for name in dom0.files() if name.endswith(".new")]


def test_what_was_written_by_hand_is_kept(dom0: Dom0) -> None:
    """A file of that name that is not ours is shown, replaced, and kept."""
    (dom0.policy / NAME).write_text("# mine\n")
    done = dom0.run("install", "--yes")
    assert "-# mine" in done.stdout
    assert dom0.files() == {NAME: POLICY.read_text(), f"{NAME}.old": "# mine\n"}


def test_nothing_that_was_kept_is_overwritten(dom0: Dom0) -> None:
    """What a person wrote survives any number of changes and removals, byte for byte, and is named at the end."""
    mine = b"# \xff \xe2\x86\x92 mine\r\n"
    (dom0.policy / NAME).write_bytes(mine)
    for _ in range(2):
        for options in ([], ["--only-tag", "logged"]):
            assert dom0.run("install", "--yes", *options).returncode == 0
    (dom0.policy / NAME).write_text("# changed since\n")
    said = dom0.run("remove", "--yes").stdout
    assert (dom0.policy / f"{NAME}.old").read_bytes() == mine
    assert f"From earlier changes there is {dom0.policy / NAME}.old." in said
    kept = [path.read_bytes() for path in dom0.policy.iterdir()]
    assert b"# changed since\n" in kept
    assert len(kept) == len(set(kept)) == 4
    assert not list(dom0.policy.glob("*.policy"))


def test_a_terminal_of_another_language(dom0: Dom0) -> None:
    """What the terminal cannot show is escaped."""
    (dom0.policy / NAME).write_text("# gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n\n", "utf-8")
    done = dom0.run("install", "--yes", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "-# gr\\xfcn" in done.stdout


def test_what_qrexec_does_not_read_is_no_hindrance(dom0: Dom0) -> None:
    """An editor's lock, and a directory, are no policy."""
    (dom0.policy / ".#30-user.policy").symlink_to("amy@dom0.1234")
    (dom0.policy / "include.policy").mkdir()
    done = dom0.run("install", "--yes")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_denies_every_call(dom0: Dom0) -> None:
    """A policy whose name qrexec does not allow denies every call, whatever is in it: it is told."""
    (dom0.policy / "50-Mine.policy").write_text("# nothing\n")
    done = dom0.run("install", "--yes")
    assert (done.returncode, list(dom0.files())) == (2, ["50-Mine.policy"])
    assert "50-Mine.policy: no such name is allowed" in done.stderr


@pytest.mark.parametrize("command", ["qvm-check", "qvm-prefs"])
def test_qubes_itself_does_not_answer(dom0: Dom0, command: str) -> None:
    """Where qubesd cannot be asked, that is said, and not that there is no such qube."""
    (dom0.bin / command).write_text("#!/bin/sh\necho 'Failed to connect to qubesd' >&2\nexit 1\n")
    done = dom0.run("install", "--yes")
    assert (done.returncode, dom0.files()) == (2, {})
    assert "Failed to connect to qubesd" in done.stderr
    assert "make it first" not in done.stderr


STEPS = "openat,write,fchmod,fchown,fsync,rename,unlink"


@pytest.mark.skipif(not usable(), reason="strace is missing, or may not trace here: apt install strace")
@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
@pytest.mark.parametrize("action", ["install", "remove"])
def test_no_step_leaves_a_bad_policy(dom0: Dom0, action: str, fault: str) -> None:
    """Ended, or refused by the disk, at each of its steps: the policy is the old one or the new one, and whole."""
    old, new = b"# as it was\n", POLICY.read_bytes() if action == "install" else None
    seen = set()
    for step in STEPS.split(","):
        for count in range(1, 5):
            for path in dom0.policy.iterdir():
                path.unlink()
            (dom0.policy / NAME).write_bytes(old)
            traced = ["strace", "-qq", "-o", os.devnull, "-P", str(dom0.policy)]
            for name in (NAME, f".{NAME}.new", f".{NAME}.old.new", f"{NAME}.old"):
                traced += ["-P", str(dom0.policy / name)]
            done = dom0.run(action, "--yes", before=[*traced, "-e", f"inject={step}:{fault}:when={count}"])
            there = {path.name: path.read_bytes() for path in dom0.policy.glob("[!.]*.policy")}
            seen.add(done.returncode)
            assert there in ([{NAME: old}, {NAME: new}] if new else [{NAME: old}, {}]), (step, count)
            assert done.returncode in (0, 3, -9), done.stderr
            if there != {NAME: old}:
                assert (dom0.policy / f"{NAME}.old").read_bytes() == old
            assert "Traceback" not in done.stderr
            if done.returncode == 0:  # there is no such step any more
                break
    assert dom0.run("install", "--yes").returncode == 0, "and it can be done again"
    assert seen == {0, -9 if "KILL" in fault else 3}


def test_without_qubes(dom0: Dom0) -> None:
    """Run where there is no Qubes, it says so in a line."""
    (dom0.bin / "qvm-check").unlink()
    done = dom0.run("install", "--yes")
    assert done.returncode == 2
    assert done.stderr == "logchain_dom0_setup.py: there is no qvm-check; run this in dom0\n"


def test_show_prints_it_only(dom0: Dom0) -> None:
    """To look at, or to copy by hand: the policy, and nothing checked."""
    assert dom0.run("show").stdout == POLICY.read_text()


@pytest.mark.parametrize("action", ["show", "install", "remove"])
def test_every_option_is_explained(dom0: Dom0, action: str) -> None:
    """Each option that `--help` lists stands in the installation guide."""
    guide = (SETUP.parents[1] / "docs" / "guides" / "install.md").read_text()
    options = set(re.findall(r"--[a-z-]+", dom0.run(action, "--help").stdout)) - {"--help"}
    assert options
    assert not {option for option in options if not re.search(rf"{option}(?![a-z-])", guide)}
