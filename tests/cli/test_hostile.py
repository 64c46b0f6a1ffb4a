"""What a sender, or whoever names files, writes never drives the terminal of who looks: in a real one, read back."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPTS, Run
from tests.cli.hostile import HOSTILE
from tests.read.test_display import is_harmful

_OWN_COLOURS = re.compile(rb"\x1b\[(?:0|1|2|1;31|1;33)m")
_STATE = "#{pane_title}|#{alternate_on}|#{cursor_flag}|#{mouse_any_flag}|#{insert_flag}|#{wrap_flag}|#{window_name}"
_DONE = b"all done"


class Terminal:
    """A tmux of its own, that nobody sees; what is written to its one pane is kept as it is."""

    def __init__(self, here: Path) -> None:
        self._here, self._output = here, here / "output"

    def tmux(self, *words: str) -> str:
        """Run a command of tmux."""
        command = ["tmux", "-S", "tmux", "-f", "/dev/null", *words]
        environment = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, cwd=self._here, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def run(self, *commands: str) -> bytes:
        """Run commands of a shell, and return what came out of the pane; the terminal is as it was before."""
        script = self._here / "script"
        script.write_text("\n".join([f"export PATH={SCRIPTS}:$PATH LOGCHAIN_STORE=store", *commands, "echo all done"]))
        run = "read go; bash script 2>&1; read end"
        self.tmux("new-session", "-d", "-x", "220", "-y", "50", "bash", "-c", run)
        self.tmux("set", "-g", "remain-on-exit", "on")
        before = self.tmux("display", "-p", _STATE)
        self.tmux("pipe-pane", f"cat > {shlex.quote(str(self._output))}")
        self.tmux("send-keys", "Enter")
        end = time.monotonic() + 120
        while _DONE not in (self._output.read_bytes() if self._output.exists() else b""):
            assert time.monotonic() < end, self.tmux("capture-pane", "-p")
            time.sleep(0.05)
        assert self.tmux("display", "-p", _STATE) == before
        assert _DONE.decode() in self.tmux("capture-pane", "-p")
        return self._output.read_bytes().partition(_DONE)[0]


@pytest.fixture
def terminal(tmp_path: Path, stocked: Run) -> Iterator[Terminal]:  # noqa: ARG001 (it makes the store)
    """A terminal, in the directory of the store."""
    terminal = Terminal(tmp_path)
    yield terminal
    subprocess.run(["tmux", "-S", "tmux", "kill-server"], cwd=tmp_path, check=False, capture_output=True)


def assert_harmless(output: bytes) -> None:
    """Fail where anything but text, newlines and our own colours came out."""
    text = _OWN_COLOURS.sub(b"", output.replace(b"\r\n", b"\n")).decode()
    assert not [line for line in text.split("\n") if any(is_harmful(ord(char)) for char in line)]


def test_the_lines(terminal: Terminal, stocked: Run) -> None:
    """Each of 500 hostile lines is one line on the screen, its controls spelled out; severities have their colours."""
    assert len(HOSTILE) > 500
    lines = [*HOSTILE, *(b"<11>1 - - - - - " + line for line in HOSTILE[:50]), b"<11>1 - - - - - - trouble"]
    done = stocked("log-collector", "--stdio", "door", vm="hostile", stdin=b"".join(line + b"\n" for line in lines))
    assert done.returncode == 0
    shown = "logchain show --no-pager --vm hostile"
    output = terminal.run(
        shown, f"{shown} -o json", f"{shown} -o short-full", f"{shown} -g . -C 1", "logchain sessions"
    )
    assert_harmless(output)
    assert output.count(b"hostile/door: ") == 2 * len(lines)
    assert b"\x1b[1;31m<11>1 - - - - - - trouble\x1b[0m\r\n" in output
    assert output.count(b'"vm": "hostile"') == len(lines)


def test_no_colour_where_nobody_wants_any(terminal: Terminal, stocked: Run) -> None:
    """With NO_COLOR, and with the pager that is none, there is nothing but text."""
    stocked("log-collector", "--stdio", "door", vm="hostile", stdin=b"<11>1 - - - - - - trouble\n")
    output = terminal.run("NO_COLOR=1 logchain show --no-pager", "TERM=dumb PAGER=cat logchain show")
    assert output.count(b"trouble") == 2
    assert b"\x1b" not in output


def test_names_and_errors(terminal: Terminal) -> None:
    """Names of files and qubes in the store, and arguments that are quoted in an error."""
    hostile = [line for line in HOSTILE if b"/" not in line and b"\0" not in line and len(line) < 60][::25]
    for line in hostile:
        for place in ("live", "live/work", "live/work/journal", "store"):
            path = Path("store" if place != "store" else "").joinpath(place) / os.fsdecode(line)
            path.mkdir(parents=True, exist_ok=True)
        Path("store/live/work/journal", os.fsdecode(line + b".log")).touch()
    commands = [
        "logchain list",
        "logchain show --no-pager",
        "logchain verify 2>/dev/null",
        "logchain status",
        "logchain sessions",
    ]
    options = ("--vm", "--stream", "--since", "--until", "-g", "--boot", "-o", "-n", "--store", "--", "--frob")
    for turn, line in enumerate(hostile):
        quoted = "$'" + "".join(f"\\x{byte:02x}" for byte in line) + "'"
        commands.append(f"logchain show --no-pager {options[turn % len(options)]} {quoted}")
        if turn % 5 == 0:
            commands += [f"logchain {quoted}", f"logchain show --frob{quoted}", f"logchain list --store {quoted}"]
    assert_harmless(terminal.run(*commands))
