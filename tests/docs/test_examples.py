"""Runs what the pages show in ```console blocks, and compares what comes out.

The commands of one page run in order, in one bash, in one fresh directory. A line `…` of a block stands for any
lines, `…` inside a line for any text. Times, and hex numbers of 16 digits or more, need not be the same, only of the
same form.
"""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Example, examples, page_name

_MARK = "\n--8<-- "  # between the outputs of two commands
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
_HEX = re.compile(r"\b[0-9a-f]{16,}\b")


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=page_name)
def test_examples(page: Path, tmp_path: Path) -> None:
    """Every command of the page prints what the page says."""
    shown = examples(page)
    for example, output in zip(shown, _run(shown, tmp_path), strict=True):
        place = f"{page_name(page)}:{example.line}: $ {example.command}"
        expected, found = _plain(example.output), _plain(output)
        assert re.fullmatch(_pattern(expected), found), f"{place}\nthe page says:\n{expected}\nbut it prints:\n{output}"


def _run(shown: list[Example], directory: Path) -> list[str]:
    """Return what each command prints on standard output and error; `$?` is that of the command before."""
    script = directory / "script"
    steps = [f'{{ {example.command}\n}}\nrc=$?; printf "%s" "$MARK"; (exit $rc)\n' for example in shown]
    script.write_text(f"MARK='{_MARK}'\n" + "".join(steps), "utf-8")
    (directory / "work").mkdir()
    (directory / "work" / "examples").symlink_to(ROOT / "examples")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOGCHAIN_", "QREXEC_"))}
    environment |= {"COLUMNS": "80", "TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": str(directory)}
    environment["PATH"] = f"{sysconfig.get_path('scripts')}:{environment['PATH']}"
    run = subprocess.run(
        ["bash", str(script)],
        cwd=directory / "work",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    *outputs, rest = run.stdout.decode().split(_MARK)
    assert not rest, f"the shell stopped: {rest}"
    return outputs


def _plain(text: str) -> str:
    """Return the text without what differs from run to run, and without spaces and newlines at the ends of lines."""
    text = _TIME.sub(lambda match: re.sub(r"\d", "0", match[0]), text)
    text = _HEX.sub(lambda match: "f" * len(match[0]), text)
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n")


def _pattern(expected: str) -> str:
    """Return the regular expression that a page's output stands for."""
    lines = [".*(\n.*)*" if line == "…" else re.escape(line).replace("…", ".*") for line in expected.split("\n")]
    return "\n".join(lines).replace("\n.*(\n.*)*", "(\n.*)*")
