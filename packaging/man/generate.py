"""Writes a manual page for each command of logchain, as `--help` has it: `python packaging/man/generate.py DIR`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

import logchain
from logchain.cli.commands import logchain_group

_EXIT = (("0", "Good."), ("1", "Evidence of tampering or loss."), ("2", "Wrong usage."), ("3", "Cannot tell."))


def main() -> None:
    """Write the pages into a directory, which is made."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (place / name).write_text(text, "utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of each page."""
    top = click.Context(logchain_group, info_name="logchain")
    names = logchain_group.list_commands(top)
    commands = [(name, logchain_group.get_command(top, name)) for name in names]
    yield (
        "logchain.1",
        _page(top, [(f"logchain-{name}", command.get_short_help_str(200)) for name, command in commands if command]),
    )
    for name, command in commands:
        if command:
            yield f"logchain-{name}.1", _page(click.Context(command, info_name=f"logchain {name}", parent=None), [])


def _page(ctx: click.Context, others: list[tuple[str, str]]) -> str:
    command, name = ctx.command, (ctx.info_name or "").replace(" ", "-")
    help_text = (command.help or "").replace("\b", "").strip()
    first, _, rest = help_text.partition("\n\n")
    summary = " ".join(first.split()).split(". ")[0].rstrip(".")
    lines = [f'.TH {name.upper()} 1 "" "logchain {logchain.__version__}" "logchain"']
    lines += [".SH NAME", f"{_text(name)} \\- {_text(summary)}"]
    lines += [".SH SYNOPSIS", f".B {_text(ctx.info_name or '')}", _text(" ".join(command.collect_usage_pieces(ctx)))]
    lines += [".SH DESCRIPTION"]
    for paragraph in [first, *filter(None, rest.split("\n\n"))]:
        lines += [".PP", _text(" ".join(paragraph.split()))]
    options = [record for option in command.get_params(ctx) if (record := option.get_help_record(ctx))]
    if options:
        lines.append(".SH OPTIONS")
    for names, told in options:
        lines += [".TP", f".B {_text(names)}", _text(told)]
    if others:
        lines.append(".SH COMMANDS")
    for other, told in others:
        lines += [".TP", f".BR {_text(other)} (1)", _text(told)]
    lines.append(".SH EXIT STATUS")
    for code, told in _EXIT:
        lines += [".TP", f".B {code}", told]
    lines += [".SH SEE ALSO", ".BR logchain (1)" if not others else "The guides in docs/guides."]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Return text as roff takes it: no line begins with a control character, a hyphen can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    main()
