"""logchain show: print what was logged."""

import os
import re
import resource
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC
from pathlib import Path

import click

from logchain.cli.options import store_option
from logchain.cli.pager import output
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.format.errors import UsageError
from logchain.read.entries import Entry, Kind
from logchain.read.show import FORMATS, follow, select
from logchain.store.layout import open_store

__all__ = ["command"]

_FOLLOWED = 10  # lines that -f begins with, as tail and journalctl do


@click.command("show")
@store_option
@selection_options
@click.option("-g", "--grep", metavar="REGEX", help="Only lines that match.")
@click.option("-n", "--lines", type=click.IntRange(min=0), metavar="N", help="Only the last N.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as lines arrive.")
@click.option("-o", "--output", "form", type=click.Choice(list(FORMATS)), default="short", show_default=True)
@click.option("--notes", is_flag=True, help="Show the collector's own notes of sessions and segments too.")
@click.option("--no-pager", is_flag=True, help="Do not start a pager.")
def command(
    store: Path,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    grep: str | None,
    lines: int | None,
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
    """
    if form == "raw" and sys.stdout.isatty():
        raise UsageError("raw logs can take over a terminal; send them to a file or a pipe, or use -o short")
    selection = read_selection(vms, wanted, since, until, utc)._replace(
        pattern=_pattern(grep) if grep else None,
        last=_FOLLOWED if following and lines is None and not since else lines,
        notes=notes,
    )
    gaps = 0

    def counted(entries: Iterable[Entry]) -> Iterator[Entry]:
        nonlocal gaps
        for entry in entries:
            gaps += entry.kind == Kind.GAP
            yield entry

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every stream's segment is open while they are merged
    with open_store(store) as directory:
        if not following:
            check_known(directory, selection)
        entries = (follow if following else select)(directory, selection)
        with output(use_pager=not no_pager and not following) as file:
            for text in FORMATS[form](counted(entries), UTC if utc else None):
                file.write(text)
                if following:
                    file.flush()
    return 1 if gaps else 0


def _pattern(text: str) -> re.Pattern[bytes]:
    try:
        return re.compile(os.fsencode(text))
    except re.error as error:
        raise UsageError(f"not a regular expression: {error}") from error
