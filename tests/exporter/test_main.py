"""The command: what it says when it cannot do what it was told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from log_exporter import __version__
from log_exporter.main import main
from log_exporter.messages import printable, say
from tests.exporter.bench import ROOT, Bench
from tests.exporter.vectors import Vector, by_name, raw, vectors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["stdin"], "the following arguments are required: --stream"),
        (["journal"], "invalid choice: 'journal'"),
        (["stdin", "--stream", "a\x1b"], "argument --stream: "),
        (["stdin", "--stream", "a", "--transport", "'"], "--transport: No closing quotation"),
        (["stdin", "--stream", "a", "--transport", " "], "--transport: cannot find a command"),
        (["stdin", "--stream", "a", "--transport", "/no/\x1b"], "--transport: cannot find /no/\\x1b"),
        (["stdin", "--stream", "a", "--give-up", "-1"], "argument --give-up: "),
        (["stdin", "--stream", "a", "--give-up", "nan"], "argument --give-up: a number of seconds"),
        (["files", "x", "--stream", "a"], "the following arguments are required: --state-dir"),
        (["files", "--stream", "a", "--state-dir", "/tmp"], "the following arguments are required: PATTERN"),
        (
            ["files", "x", "--stream", "a", "--state-dir", "/dev/null/x", "--transport", "true"],
            "/dev/null/x: Not a directory",
        ),
        (
            ["files", "x", "--stream", "a", "--state-dir", "/dev", "--transport", "true", "--give-up", "1"],
            "--give-up needs --once",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each says what is wrong, and nothing that came in reaches the terminal unescaped."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("log-exporter: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err


@pytest.mark.parametrize("vector", vectors("wire", "bad", "argument"), ids=by_name)
def test_a_stream_name_is_what_the_collector_takes(vector: Vector, capsys: pytest.CaptureFixture[str]) -> None:
    """What docs/spec/wire.md refuses is refused here already."""
    stream = raw(vector, "argument").decode("utf-8", "surrogateescape")
    assert main(["stdin", f"--stream={stream}", "--transport", "true"]) == 2
    assert "--stream" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["stdin", "--help"], ["files", "--help"]])
def test_help_is_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself, and each option has a word of help."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: log-exporter")
    assert "exit" in text


def test_help_for_nobody_is_no_traceback() -> None:
    """`log-exporter --help | true` is silent."""
    command = f"{sys.executable} -m log_exporter.main --help | true"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "exporter")}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, check=True)
    assert done.stderr == b""


def test_no_standard_error_is_no_problem(bench: Bench) -> None:
    """A message that nobody can hear is no reason to stop."""
    (bench.logs / "a.log").write_bytes(b"1\n")
    (bench.logs / "link.log").symlink_to("a.log")
    arguments = f"files '*.log' --plain --once --stream test --state-dir {bench.state}"
    command = f"{sys.executable} -m log_exporter.main {arguments} --transport '{bench.transport}' 2>&-"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "exporter")}
    subprocess.run(["sh", "-c", command], cwd=bench.logs, env=environment, check=True)
    assert bench.stored() == [b"1"]


def test_a_message_to_a_broken_pipe_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of standard error may go away."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        say("x")
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)  # for what is left in the buffer
    monkeypatch.setattr(sys, "stderr", None)
    say("x")


def test_messages_are_harmless() -> None:
    """Controls, high bytes and surrogates are escaped."""
    assert printable("a\n\x1b\x7f\x9bé\udcff") == "a\\n\\x1b\\x7f\\x9b\\xe9\\udcff"


def test_a_state_that_cannot_be_saved_sends_nothing(bench: Bench) -> None:
    """Before a line goes out its cursor must be durable; otherwise it tries again, and gives up with exit code 3."""
    (bench.logs / "a.log").write_bytes(b"1\n")
    (bench.state / "test.cursor.new").mkdir(parents=True)
    exporter = bench.files("--once", "--give-up", "1")
    first, last = bench.end_of(exporter).splitlines()
    assert first == f"log-exporter: cannot save {bench.state}/test.cursor: Is a directory; trying again"
    assert last == "log-exporter: gave up: nothing was acknowledged for 1 s"
    assert exporter.returncode == 3
    assert bench.stored() == []


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """As its package has it."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"log-exporter {__version__}\n"


def test_the_exporter_needs_nothing_but_python() -> None:
    """It is installed in qubes that have no logchain: only the standard library is imported."""
    allowed = sys.stdlib_module_names | {"log_exporter"}
    for path in Path(ROOT / "exporter" / "log_exporter").rglob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] in allowed, f"{path}: {line}"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('exec "$@" stdin --stream a --transport true <&-', "standard input is closed"),
        ('ulimit -n 5; exec "$@" run', "Too many open files"),
        ('exec "$@" check >&- </dev/null', "/etc/log-exporter.toml"),
    ],
)
def test_what_a_process_lacks_is_said_in_one_line(script: str, words: str) -> None:
    """Standard input, descriptors: there is no traceback, and nothing else is taken for them."""
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "log_exporter.main"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "exporter")}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert found.returncode in (2, 3)
    assert words in found.stderr
    assert (found.stderr[:14], found.stderr.count("\n")) == ("log-exporter: ", 1)
