"""Writes manual pages of programs from what their `--help` says: `program.py DIR NAME=MODULE…`."""

import os
import re
import subprocess
import sys
from pathlib import Path

_SUBCOMMAND = re.compile(r"^    ([a-z]+) {2,}\S", re.MULTILINE)


def main() -> None:
    """Write a page for each NAME=MODULE, whose `main` is the program, into a directory, which is made."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for word in sys.argv[2:]:
        name, _, module = word.partition("=")
        (place / f"{name}.1").write_text(page(name, module), "utf-8")


def page(name: str, module: str) -> str:
    """Return the page of a program."""
    told = _help(module)
    usage, _, rest = told.partition("\n\n")
    description = rest.partition("\n\n")[0]
    summary = re.split(r"[.:;](?:\s|$)", " ".join(description.split()))[0]
    lines = [f'.TH {name.upper()} 1 "" "logchain" "logchain"', ".SH NAME", f"{_text(name)} \\- {_text(summary)}"]
    lines += [".SH SYNOPSIS", *_as_it_is(usage.removeprefix("usage: ")), ".SH DESCRIPTION", *_as_it_is(rest)]
    for command in _SUBCOMMAND.findall(told):
        lines += [f".SS {_text(name)} {_text(command)}", *_as_it_is(_help(module, command))]
    return "\n".join([*lines, ".SH SEE ALSO", "The guides in docs/guides."]) + "\n"


def _help(module: str, *arguments: str) -> str:
    code = f"import sys; from {module} import main; sys.exit(main())"
    environment = {key: value for key, value in os.environ.items() if key != "LOGCHAIN_STORE"} | {"COLUMNS": "76"}
    command = [sys.executable, "-c", code, *arguments, "--help"]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def _as_it_is(text: str) -> list[str]:
    return [".nf", *(_text(line) for line in text.strip("\n").splitlines()), ".fi"]


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    main()
