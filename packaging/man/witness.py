"""Writes the manual page of logchain-witness, as `--help` has it: `python packaging/man/witness.py DIR`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import logchain_witness
from logchain_witness.main import command_line

_EXIT = (("0", "Good."), ("1", "Somebody tried to go back."), ("2", "Wrong usage."), ("3", "Cannot tell."))


def main() -> None:
    """Write the page into a directory, which is made."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    (place / "logchain-witness.1").write_text("\n".join(_page()) + "\n", "utf-8")


def _page() -> Iterator[str]:
    parser = command_line()
    yield f'.TH LOGCHAIN-WITNESS 1 "" "logchain {logchain_witness.__version__}" "logchain"'
    yield from (".SH NAME", "logchain\\-witness \\- remembers how far a logchain store has come")
    yield from (".SH SYNOPSIS", ".B logchain\\-witness", "[OPTIONS] COMMAND ...")
    yield from (".SH DESCRIPTION", _text(parser.description or ""), ".SH OPTIONS")
    yield from _options(parser)
    yield ".SH COMMANDS"
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for name, command in commands.choices.items():
        yield from (f".SS {_text(name)}", _text(command.description or ""))
        yield from _options(command)
    yield ".SH EXIT STATUS"
    for code, told in _EXIT:
        yield from (".TP", f".B {code}", told)
    yield from (".SH SEE ALSO", ".BR logchain (1)")


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            names = " ".join(filter(None, (", ".join(action.option_strings), action.metavar)))
            told = (action.help or "").replace("%(default)s", "the qube's name/logchain-witness")
            yield from (".TP", f".B {_text(names)}", _text(told))


def _text(text: str) -> str:
    """Return text as roff takes it: no line begins with a control character, a hyphen can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    main()
