"""The manual pages have all that the commands have, in a form that man reads."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from logchain.cli.commands import logchain_group
from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages, by name."""
    place = tmp_path_factory.mktemp("man")
    for words in (["generate.py"], ["program.py", "logchain-witness=logchain_witness.main"]):
        subprocess.run([sys.executable, ROOT / "packaging/man" / words[0], place, *words[1:]], check=True)
    return {path.name: path.read_text("utf-8") for path in place.iterdir()}


def test_each_command_has_a_page_with_all_its_options(pages: dict[str, str]) -> None:
    """None is missing, none is left over."""
    ctx = click.Context(logchain_group, info_name="logchain")
    names = logchain_group.list_commands(ctx)
    assert pages.keys() == {"logchain.1", "logchain-witness.1", *(f"logchain-{name}.1" for name in names)}
    for name in names:
        command = logchain_group.get_command(ctx, name)
        assert command
        page = pages[f"logchain-{name}.1"]
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(each.replace("-", "\\-") in page for each in option.opts), (name, option.opts)
        listed = f"logchain-{name}".replace("-", "\\-")
        assert listed in pages["logchain.1"]


def test_groff_finds_nothing_to_warn_of(pages: dict[str, str], tmp_path: Path) -> None:
    """The real one, with all warnings; and no option lost its hyphens on the way."""
    groff = shutil.which("groff")
    assert groff, "install groff"
    for name, text in pages.items():
        (tmp_path / name).write_text(text, "utf-8")
        command = [groff, "-ww", "-man", "-Tutf8", "-K", "utf8", "-P-cbou", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == "", name
        assert "NAME" in done.stdout
        if name == "logchain-show.1":
            assert re.search(r"--since TIME", done.stdout)


def test_the_witness_has_all_its_commands(pages: dict[str, str]) -> None:
    """Its one page has each command with its options."""
    page = pages["logchain-witness.1"]
    commands = ("keygen", "pin", "retire", "restored", "check", "list", "status", "answer")
    for word in (*commands, "\\-\\-qube NAME", "\\-\\-yes", "\\-\\-name"):
        assert word in page, word
