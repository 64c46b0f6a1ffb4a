"""logchain show: print what was logged."""

import gc
import os
import re
import resource
import sys
from datetime import UTC
from typing import TYPE_CHECKING

import click

from logchain.cli.options import store_option
from logchain.cli.pager import colours, output
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.format.errors import UsageError
from logchain.read.accepted import read_accepted
from logchain.read.formats import FORMATS, Form
from logchain.read.live import read_store_id
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View
from logchain.read.windows import Printer
from logchain.store.layout import Directory, open_store

if TYPE_CHECKING:
    from logchain.read.grep import Pattern

__all__ = ["command"]

_FOLLOWED = 10  # lines that -f begins with, as tail and journalctl do
_AT_ONCE = 64 << 10  # bytes that are not held back: some screens full
_BOOT = re.compile(r"--boot|-[firv]*b")
_VALUE = re.compile(r"-\d+|[^-].*")
_COUNT = click.IntRange(min=0)


class _Command(click.Command):
    """Takes -b as journalctl does: alone, or with a number that has a minus. click has one or the other."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = []
        for word, behind in zip(args, [*args[1:], ""], strict=False):
            words.append(word)
            if _BOOT.fullmatch(word) and not _VALUE.fullmatch(behind):
                words.append("0")
        return super().parse_args(ctx, words)


@click.command("show", cls=_Command)
@store_option
@selection_options
@click.option(
    "-b",
    "--boot",
    metavar="[N]",
    help="Only of one boot of the LogVM: 0 or none is the last with logs, -1 the one before, 1 the first; or its id.",
)
@click.option("-g", "--grep", metavar="REGEX", help="Only lines that match.")
@click.option("-i", "--ignore-case", is_flag=True, help="With -g: A to Z are a to z.")
@click.option("-v", "--invert-match", is_flag=True, help="With -g: only lines that do not match.")
@click.option("-A", "--after", type=_COUNT, metavar="N", help="With -g: N lines behind each, of all that are shown.")
@click.option("-B", "--before", type=_COUNT, metavar="N", help="With -g: N lines before each.")
@click.option("-C", "--context", type=_COUNT, metavar="N", help="With -g: N lines before and behind each.")
@click.option("-n", "--lines", "--tail", type=_COUNT, metavar="N", help="Only the last N.")
@click.option("-r", "--reverse", is_flag=True, help="The newest first.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as lines arrive.")
@click.option("-o", "--output", "form", type=click.Choice(list(FORMATS)), default="short", show_default=True)
@click.option("--notes", is_flag=True, help="Show the collector's own notes of sessions and segments too.")
@click.option("--no-pager", is_flag=True, help="Do not start a pager.")
def command(
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    boot: str | None,
    grep: str | None,
    ignore_case: bool,
    invert_match: bool,
    after: int | None,
    before: int | None,
    context: int | None,
    lines: int | None,
    reverse: bool,
    following: bool,
    form: str,
    notes: bool,
    utc: bool,
    no_pager: bool,
) -> int:
    """Print what was logged, all qubes merged by the time the LogVM received it.

    TIME is as systemd takes it: now, today, yesterday, -30min, '2h ago', 11:12, '2026-11-23 10:15', @EPOCH.
    The sign behind a stream's name tells what a line is: ':' a line, '+' one that was cut short, '#' a note of
    the collector, '!' a gap. No sender can forge it. '-o raw' prints the bytes of the lines as they came.

    REGEX is Python's, on bytes, and for the text of one line without its time: '^' is where that begins.
    """
    if form == "raw" and sys.stdout.isatty():
        raise UsageError("raw logs can take over a terminal; send them to a file or a pipe, or use -o short")
    if not grep and (ignore_case or invert_match or after or before or context):
        raise UsageError("-i, -v, -A, -B and -C say how to search: give -g too")
    if (after or before or context) and (following or reverse or lines is not None):
        raise UsageError("-A, -B and -C do not go with -f, -r and -n")
    if following and (reverse or until):
        raise UsageError("-f does not go with -r and --until")
    selection = read_selection(vms, wanted, since, until, utc)._replace(
        pattern=_pattern(grep, ignore_case, invert_match) if grep else None,
        last=_FOLLOWED if following and lines is None and not since else lines,
        notes=notes,
        before=before if before is not None else context or 0,
        after=after if after is not None else context or 0,
        reverse=reverse,
    )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every stream's segment is open while they are merged
    made = FORMATS[form](UTC if utc else None, colours() and form in ("short", "short-full"))
    with open_store(store) as directory:
        if not following:
            check_known(directory, selection)
        if boot:
            from logchain.read.boots import boot_id  # few ask for one

            selection = selection._replace(boot=boot_id(directory, selection, boot))
        return _print(directory, selection, made, following, not no_pager and not following)


def _print(store: Directory, selection: Selection, form: Form, following: bool, use_pager: bool) -> int:
    view = View(store, read_accepted(read_store_id(store)))
    with output(use_pager) as file:
        if following:
            for items in Show(view, selection, form).follow():
                file.write(form.join(items)) if items else file.flush()
        gc.disable()  # millions of lines and no cycles: it would only look, one part in 25 of the time
        printer, written = Printer(view, selection, form), 0
        for text in printer.print():
            written += file.write(text)
            if written < _AT_ONCE:
                file.flush()
    return 1 if printer.gaps else 0


def _pattern(text: str, ignore_case: bool, invert: bool) -> "Pattern":
    from logchain.read.grep import Pattern  # who does not search need not wait for it

    try:
        return Pattern(os.fsencode(text), ignore_case, invert)
    except re.error as error:
        raise UsageError(f"not a regular expression: {error}") from error
