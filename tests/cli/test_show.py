"""`logchain show` as a person uses it: what is selected, searched, from which end, and what a shell completes."""

import json
import os
import pty
import re
import select
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPTS, Run

RAW = ("logchain", "show", "-o", "raw")


@pytest.fixture
def logged(run: Run) -> Run:
    """A store with ten lines of each of three qubes, one after the other."""
    run("logchain", "init", "--audit-secret-out", "audit")
    for vm in ("work", "work-web", "vault"):
        lines = b"".join(b"<%d>1 - - - - - %b line %d\n" % (8 + at, vm.encode(), at) for at in range(10))
        assert run("log-collector", "--stdio", "journal", vm=vm, stdin=lines).returncode == 0
    return run


def lines(run: Run, *words: str) -> list[str]:
    """Return the ends of what is shown: qube and number."""
    done = run(*RAW, *words)
    assert (done.returncode, done.stderr) == (0, b"")
    return [re.sub(r"^<\d+>1 - - - - - | line", "", line) for line in done.stdout.decode().splitlines()]


def test_names_may_be_patterns(logged: Run) -> None:
    """As in a shell; a pattern that fits nothing is an error, as a name is."""
    assert {line.split()[0] for line in lines(logged, "--vm", "work*")} == {"work", "work-web"}
    assert {line.split()[0] for line in lines(logged, "--vm", "work-*", "--vm", "v[a]ult")} == {"work-web", "vault"}
    assert len(lines(logged, "--stream", "jour???")) == 30
    done = logged(*RAW, "--vm", "disp*")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"there are no logs of disp*" in done.stderr
    assert b"not a VM name" in logged(*RAW, "--vm", "../*").stderr


def test_from_the_end(logged: Run) -> None:
    """The last lines, the newest first, and both."""
    everything = lines(logged)
    assert len(everything) == 30
    assert lines(logged, "--reverse") == everything[::-1]
    assert lines(logged, "--tail", "7") == lines(logged, "--lines", "7") == everything[-7:]
    assert lines(logged, "-r", "-n", "3") == everything[:-4:-1]
    assert lines(logged, "-n", "2", "-g", "work line") == ["work 8", "work 9"]
    assert lines(logged, "-r", "-n", "2", "-g", "work line") == ["work 9", "work 8"]


def test_searching(logged: Run) -> None:
    """Case, what does not match, and lines around."""
    assert lines(logged, "-g", "WORK LINE 3") == []
    assert lines(logged, "-i", "-g", "WORK LINE 3") == ["work 3"]
    assert len(lines(logged, "--ignore-case", "--invert-match", "--grep", "WORK")) == 10
    assert lines(logged, "-g", "^<1[01]>.*vault", "-v", "--vm", "vault") == [
        f"vault {at}" for at in (0, 1, 4, 5, 6, 7, 8, 9)
    ]
    assert lines(logged, "-g", "vault line [37]", "-A", "1") == ["vault 3", "vault 4", "vault 7", "vault 8"]
    assert lines(logged, "-g", "vault line 3", "--before", "2") == ["vault 1", "vault 2", "vault 3"]
    assert lines(logged, "-g", "vault line [34]", "-C", "1") == ["vault 2", "vault 3", "vault 4", "vault 5"]
    shown = logged("logchain", "show", "-g", "vault line [19]", "--context", "1").stdout.decode().splitlines()
    assert [line if line == "--" else line[-1] for line in shown] == ["0", "1", "2", "--", "8", "9"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-i"], "give -g too"),
        (["-C", "1"], "give -g too"),
        (["-g", "x", "-C", "1", "-r"], "do not go with -f, -r and -n"),
        (["-g", "x", "-A", "1", "-n", "1"], "do not go with -f, -r and -n"),
        (["-f", "-r"], "-f does not go with"),
        (["-f", "-U", "now"], "-f does not go with"),
        (["-b", "x"], "is no boot"),
        (["-b", "2"], "logs of 1 boots only"),
        (["-b", "-1"], "logs of 1 boots only"),
        (["-b", "--1"], "No such option"),
    ],
)
def test_what_does_not_go_together(logged: Run, words: list[str], told: str) -> None:
    """One line says so, and nothing is shown."""
    done = logged("logchain", "show", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr.decode()


def test_boots(logged: Run) -> None:
    """This boot, by number and by id; another has no logs."""
    notes = logged("logchain", "show", "--notes", "-o", "json", "--vm", "work").stdout.splitlines()
    (boot,) = re.findall(r" boot=([0-9a-f]{32})", json.loads(notes[0])["message"])
    alone = (["--boot"], ["-b", "0"], ["-b", "-0"], ["-rb", "1"], ["-b", "-i", "-g", "LINE"])
    for words in (*alone, [f"--boot={boot}"], [f"--boot={boot[:8]}-{boot[8:]}"]):
        assert len(lines(logged, *words)) == 30, words
    assert lines(logged, "-b", "f" * 32) == []


def test_what_a_shell_completes(logged: Run) -> None:
    """Commands, options, and the names of qubes and streams; without a store nothing, and no error."""

    def completed(*words: str, **more: str) -> set[str]:
        line = " ".join(("logchain", *words))
        asked = {"_LOGCHAIN_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
        done = logged("logchain", **asked, **more)
        assert done.stderr == b""
        return {row.partition(",")[2] for row in done.stdout.decode().splitlines()} - {""}

    assert "show" in completed("sh")
    assert "--vm" in completed("show", "--v")
    assert completed("show", "--vm", "wor") == {"work", "work-web"}
    assert completed("sessions", "--vm", "v") == {"vault"}
    assert completed("show", "--vm", "work", "--stream", "j") == {"journal"}
    assert completed("show", "--vm", "w", LOGCHAIN_STORE="none") == set()


@pytest.mark.usefixtures("logged")
def test_the_pager_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    """Ours before systemd's before everybody's; it is told how to behave, and that it may start nothing."""
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "$0 LESS=$LESS $LESSSECURE $(wc -l)" > told\n')
    pager.chmod(0o755)
    environment = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LOGCHAIN_STORE": "store", "TERM": "xterm"}
    environment.pop("LESS", None)
    for names in (("PAGER",), ("SYSTEMD_PAGER", "PAGER"), ("LOGCHAIN_PAGER", "SYSTEMD_PAGER")):
        (tmp_path / "told").unlink(missing_ok=True)
        pid, terminal = pty.fork()
        if pid == 0:
            chosen = dict.fromkeys(names, "false") | {names[0]: str(pager)}
            os.execvpe("logchain", ["logchain", "show"], environment | chosen)
        while select.select([terminal], [], [], 30)[0]:
            try:
                os.read(terminal, 65_536)
            except OSError:
                break
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (tmp_path / "told").read_text() == f"{pager} LESS=FRSXMK 1 30\n"


def test_first_lines_come_before_the_last(logged: Run) -> None:
    """Who reads only the beginning gets it, and nobody complains."""
    assert len(lines(logged)) == 30
    done = logged("bash", "-c", "logchain show | head -n 1")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""
