"""What the pages name is there, and what is there is named by the pages."""

import os
import re
import subprocess
import sysconfig
from itertools import chain
from pathlib import Path

import click
import pytest

from logchain.cli.commands import logchain_group
from logchain.format.settings import DEFAULT_SETTINGS, parse_settings
from tests.docs.generate import GENERATED
from tests.docs.pages import PAGES, ROOT, anchors, links, page_name

_COMMANDS = (
    "logchain",
    *(f"logchain {name}" for name in logchain_group.list_commands(click.Context(logchain_group))),
    "log-collector",
    "log-exporter",
    "log-exporter stdin",
    "log-exporter files",
    "log-exporter run",
    "log-exporter check",
    "log-exporter status",
    "logchain-witness",
    *(
        f"logchain-witness {name}"
        for name in ("keygen", "pin", "retire", "restored", "check", "list", "status", "answer")
    ),
)
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][a-z-]*")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links(page: Path) -> None:
    """Every relative link leads to a file, and behind `#` to one of its headings."""
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(path), f"{target}: no such heading"


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    """Each option that `--help` lists stands in the README or in a guide."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES if page.name == "README.md" or "guides" in page.parts)
    name, *arguments = command.split()
    environment = {**os.environ, "COLUMNS": "80"}
    program = f"{sysconfig.get_path('scripts')}/{name}"
    found = subprocess.run([program, *arguments, "--help"], env=environment, capture_output=True, text=True, check=True)
    rows = [line for line in found.stdout.splitlines() if line.lstrip().startswith("-")]
    options = set(chain.from_iterable(_OPTION.findall(re.split(r"\s{2,}|  ", row.strip())[0]) for row in rows))
    missing = {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)}
    assert options
    assert not missing - {"-h", "--help"}


def test_commands_are_all() -> None:
    """The list above has every subcommand."""
    program = f"{sysconfig.get_path('scripts')}/logchain"
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^  ([a-z-]+)  ", text.partition("Commands:")[2], re.MULTILINE)
    assert {f"logchain {name}" for name in names} == {name for name in _COMMANDS if name.startswith("logchain ")}


def test_findings_are_current() -> None:
    """Each finding that the guide explains is in the verifier's source, word by word."""
    page = (ROOT / "docs/guides/investigate.md").read_text("utf-8")
    table = page.partition("## What each finding means")[2].partition("\n## ")[0]
    texts = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    source = "".join(path.read_text("utf-8") for path in (ROOT / "logchain").glob("*/*.py"))
    assert texts
    assert not [text for text in texts for piece in text.split("…") if piece.strip(" ()") not in source]


@pytest.mark.parametrize("path", GENERATED, ids=page_name)
def test_generated_pages_are_current(path: Path) -> None:
    """What follows from the code was made from this code."""
    assert path.read_text("utf-8") == GENERATED[path](), "run: python -m tests.docs.generate"


def test_the_settings_of_the_guide_are_the_defaults() -> None:
    """The example is a file that is accepted, and what it says of all VMs is what holds without one."""
    page = (ROOT / "docs" / "guides" / "operate.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert parse_settings(example)._replace(vms={}) == DEFAULT_SETTINGS
