"""Writes what of the pages follows from the code: docs/errors.md, and the ends of docs/adr/README.md, threat-model.md.

Run it as `python -m tests.docs.generate`; a test sees that it was run.
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from log_exporter.errors import ExporterError, NotDelivered, NotInOrder, NotRunning
from log_exporter.errors import UsageError as ExporterUsageError
from logchain.format import errors
from logchain.format.errors import LogchainError
from tests.attacks.catalogue import ATTACKERS, ATTACKS
from tests.docs.pages import ROOT

__all__ = ["GENERATED"]

# What a person does about each error; an error without an entry here stops the generator.
_ADVICE: dict[type[Exception], str] = {
    errors.FormatError: "A file of the store is damaged, or not one. Copy the store away, run `logchain verify` on the "
    "copy, then see [recover.md](guides/recover.md).",
    errors.OddFile: "Something that is not ours lies in the store. Find out who put it there, then move it away. Do "
    "not open it.",
    errors.UsageError: "Correct the command; `--help` tells what it takes.",
    errors.StoreError: "Check `--store` and `LOGCHAIN_STORE`, and that you may read there. A new store comes from "
    "`logchain init`.",
    errors.Busy: "Nothing. `log-exporter` calls again by itself. If it lasts, two senders use one stream: give them "
    "two names.",
    errors.Full: "Make room on the LogVM's private volume: [recover.md](guides/recover.md#the-disk-is-full).",
    errors.WriteFailed: "Look at the disk (`dmesg`). The next connection goes on in a new segment.",
    errors.SecretError: "Check the passphrase, and that the audit secret is this store's: the first lines of both "
    "files name the store.",
    errors.SignatureError: "A part of the ledger, a manifest or a checkpoint was changed, or is another store's. Copy "
    "the store away, and run `logchain verify` on the copy.",
    errors.ProofError: "The ledger and what was said of it do not fit. Copy both away, and run `logchain verify` on "
    "the copy.",
}
_EXPORTER_ADVICE: dict[type[Exception], str] = {
    ExporterUsageError: "Correct the command; `log-exporter --help` tells what it takes.",
    NotDelivered: "The LogVM is off, full, or refuses. Lines of files are sent at the next start; lines of standard "
    "input that were not delivered are gone, and it says how many.",
    NotRunning: "`systemctl status log-exporter`, then `log-exporter check`.",
    NotInOrder: "What stands below each `WRONG`.",
}

_ERRORS_PAGE = """\
# Errors and exit codes

<!-- Written by `python -m tests.docs.generate` from the code's error trees. Do not edit by hand. -->

An error is one line on standard error. An option that does not exist shows the usage too.

## Exit codes of `logchain`

| code | when |
| --- | --- |
| 0 | Good. For `verify`: the verdict INTACT. |
| 1 | `verify`: the verdict DAMAGED. `show`, `sessions`: something cannot be read, and its place is marked with `!`. |
| 2 | The command, an option, a name or a file that was given is wrong. Nothing was done. |
| 3 | `verify`: the verdict CANNOT TELL. All commands: they could not go on; the line tells why. |
| 130 | Stopped with Ctrl-C. |

An error that is not in the tree below is a fault of logchain. It is one line too, exit 3. Set `LOGCHAIN_DEBUG=1` to see
where it came from, and report it.

## Errors of `logchain` and `log-collector`

```text
{tree}
```

{logchain}
`log-collector` writes nothing on standard error once it runs, for that would reach the sender. It says `busy`,
`full` or `error …` on its standard output ([wire.md](spec/wire.md)), exits with the code above, and sends all but
`busy` and `full` to the LogVM's system log.

## Errors of `log-exporter`

{exporter}
A call that fails is no error: `log-exporter` says so once, waits, and calls again. It says nothing at all where
the policy refuses the call.
"""


def _table(root: type[Exception], advice: dict[type[Exception], str]) -> str:
    rows = [
        f"| `{error.__name__}` | {error.exit_code} | {_first_line(error)} | {advice[error]} |\n"  # type: ignore[attr-defined]
        for error in _tree(root)
        if error in advice or (root is LogchainError and error is not root)
    ]
    return "| error | exit | when | what to do |\n| --- | --- | --- | --- |\n" + "".join(rows)


def _drawn_tree() -> str:
    """Return the tree as the module's docstring draws it: its indented lines."""
    return dedent("".join(line for line in (errors.__doc__ or "").splitlines(True) if line.startswith("    "))).strip()


def _tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for error in (error for error in root.__subclasses__() if error.__module__ == root.__module__):
        yield from _tree(error)


def _first_line(error: type[Exception]) -> str:
    return (error.__doc__ or "").partition("\n")[0]


def _errors_page() -> str:
    return _ERRORS_PAGE.format(
        tree=_drawn_tree(), logchain=_table(LogchainError, _ADVICE), exporter=_table(ExporterError, _EXPORTER_ADVICE)
    )


def _adr_page() -> str:
    """Return docs/adr/README.md with its list made anew from the files beside it."""
    page = ROOT / "docs/adr/README.md"
    head, mark, _ = page.read_text("utf-8").partition("<!-- the list: python -m tests.docs.generate -->\n")
    records = [path for path in sorted(page.parent.glob("0*.md")) if not path.name.startswith("0000")]
    return head + mark + "".join(f"- [{_title(path)}]({path.name})\n" for path in records)


def _attacks_page() -> str:
    """Return docs/threat-model.md with its last tables made anew from the attacks of the tests."""
    page = ROOT / "docs/threat-model.md"
    head, mark, _ = page.read_text("utf-8").partition("<!-- the attacks: python -m tests.docs.generate -->\n")
    tables = ""
    for who, name in ATTACKERS.items():
        rows = [f"| {a.what} | {' | '.join(a.layers)} |\n" for a in ATTACKS if a.who == who]
        top = "| what is done | fingerprint | and audit secret | and witness |\n| --- | --- | --- | --- |\n"
        tables += f"\n**{name}**\n\n{top}{''.join(rows)}"
    return head + mark + tables


def _title(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].lstrip("# ")


GENERATED = {
    ROOT / "docs/errors.md": _errors_page,
    ROOT / "docs/adr/README.md": _adr_page,
    ROOT / "docs/threat-model.md": _attacks_page,
}


if __name__ == "__main__":
    for path, render in GENERATED.items():
        path.write_text(render(), "utf-8")
