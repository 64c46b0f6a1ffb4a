"""`--frontend`: a program that runs a command for a person hears its questions and its progress, and can end it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logchain.format.audit import AuditSecret, format_audit, lock, parse_audit
from tests.cli.conftest import SCRIPTS, Run

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(stocked: Run, tmp_path: Path) -> Iterator[Start]:
    """Start a command as a front end does, beside a store with three qubes' sealed lines."""
    assert stocked("logchain", "seal").returncode == 0
    processes: list[subprocess.Popen[str]] = []

    def started(*words: str) -> "subprocess.Popen[str]":
        environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict", "LOGCHAIN_STORE": str(tmp_path / "store")}
        process = subprocess.Popen(
            [f"{SCRIPTS}/logchain", "--frontend", *words],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe
            pipe.close()


def answer(process: "subprocess.Popen[str]", text: str) -> None:
    """Answer a question."""
    assert process.stdin
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def told(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the next thing that a command tells its front end."""
    assert process.stderr
    found: dict[str, Any] = json.loads(process.stderr.readline())
    return found


def test_delete_asks_its_front_end(start: Start, tmp_path: Path) -> None:
    """The question comes with the word that agrees; no other answer does, and this one deletes what was shown."""
    for word, code in (("no", 2), ("yes", 0)):
        process = start("delete", "--vm", "work", "--until", "now")
        assert told(process) == {"ask": "Delete this 1 segment of work for good?", "word": "yes", "secret": False}
        answer(process, word)
        assert process.wait(30) == code
        assert (tmp_path / "store/sealed/work/journal/00000001.manifest").exists() == (code == 2)


def test_forget_wants_the_name(start: Start, tmp_path: Path) -> None:
    """What agrees to forgetting a qube is its name."""
    process = start("forget", "--vm", "work")
    assert told(process)["word"] == "work"
    answer(process, "yes")
    assert process.wait(30) == 2
    assert (tmp_path / "store/live/work").exists()


def test_the_end_of_its_input_ends_a_command(start: Start) -> None:
    """It ends as on Ctrl-C, also where it waits for an answer."""
    for words in (("list", "--json", "--follow"), ("delete", "--vm", "work", "--until", "now")):
        process = start(*words)
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == 130


def test_keys_end_a_command(start: Start) -> None:
    """^C ends it, and it tells so with its exit code; ^\\ kills it, whatever it does."""
    for key, code, told_at_last in (("\x03", 130, '{"done": 130}\n'), ("\x1c", -signal.SIGKILL, "")):
        process = start("list", "--json", "--follow")
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        answer(process, key)
        assert process.wait(30) == code
        assert process.stderr.read().lstrip() == told_at_last


def test_a_usage_error_is_told_with_its_code(start: Start) -> None:
    """Words first, then the exit code."""
    process = start("delete", "--vm", "work")
    assert process.stderr
    assert process.wait(30) == 2
    assert process.stderr.read().splitlines()[1:] == ['{"done": 2}']


def test_progress_and_words(start: Start, tmp_path: Path) -> None:
    """Percents come as JSON, and the report has beside its numbers what a person would have read."""
    process = start("verify", "--json", "--audit-secret", str(tmp_path / "audit"))
    assert process.stdout
    assert process.stderr
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(30) == 0
    progress = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert progress[-2:] == [{"progress": 100, "doing": "verifying"}, {"done": 0}]
    assert "INTACT: every record above" in json.loads(out)["told"]


def test_a_locked_secret_is_asked_for(start: Start, tmp_path: Path) -> None:
    """The passphrase is a question like another, but a secret."""
    audit = parse_audit((tmp_path / "audit").read_bytes())
    assert isinstance(audit, AuditSecret)
    (tmp_path / "locked").write_bytes(format_audit(lock(audit, "correct horse")))
    process = start("verify", "--audit-secret", str(tmp_path / "locked"))
    assert told(process) == {"ask": "Passphrase of the audit secret", "word": "", "secret": True}
    answer(process, "correct horse")
    assert process.stdout
    assert "INTACT: every record above" in process.stdout.read()


def test_an_answer_that_came_before_the_question(start: Start, tmp_path: Path) -> None:
    """It answers nothing: what was not shown yet cannot have been agreed to."""
    process = start("delete", "--vm", "work", "--until", "now")
    for _ in range(3):
        answer(process, "yes")
    assert told(process)["word"] == "yes"
    answer(process, "no")
    assert process.wait(30) == 2
    assert (tmp_path / "store/sealed/work/journal/00000001.manifest").exists()


def test_an_answer_in_no_encoding(start: Start) -> None:
    """It is an answer like another, which does not agree; and the end of the input still ends the command."""
    process = start("delete", "--vm", "work", "--until", "now")
    told(process)
    os.write(process.stdin.fileno() if process.stdin else -1, b"\xff\xfe\n")
    assert process.wait(30) == 2
    process = start("list", "--json", "--follow")
    assert process.stdin
    assert process.stdout
    assert process.stderr
    os.write(process.stdin.fileno(), b"\xff\xfe\n")
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(30) == 130
    assert process.stderr.read().lstrip() == '{"done": 130}\n'
