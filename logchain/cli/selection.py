"""The options by which several commands choose what to look at."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from logchain.cli.completion import complete_stream, complete_vm
from logchain.format.errors import StoreError, UsageError
from logchain.format.limits import MAX_TIME
from logchain.format.names import check_stream, check_vm
from logchain.read.segments import all_streams
from logchain.read.selection import Selection
from logchain.read.times import parse_when
from logchain.store.layout import Directory

__all__ = ["check_known", "read_selection", "selection_options", "stream_option", "vm_option"]

_PATTERN = re.compile(r"\A(?=.*[*?\[])[A-Za-z0-9_.*?\[\]!-]{1,100}\Z")

vm_option = click.option(
    "--vm",
    "vms",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_vm,
    help="Only this qube, or those like 'work*' (may be given again).",
)

stream_option = click.option(
    "--stream",
    "wanted",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_stream,
    help="Only this stream, or those like it (may be given again).",
)

_OPTIONS = (
    vm_option,
    stream_option,
    click.option("-S", "--since", metavar="TIME", help="At TIME or later."),
    click.option("-U", "--until", metavar="TIME", help="At TIME or earlier."),
    click.option("--utc", is_flag=True, help="Times in UTC."),
)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --vm, --stream, --since, --until and --utc."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_selection(
    vms: tuple[str, ...], wanted: tuple[str, ...], since: str | None, until: str | None, utc: bool
) -> Selection:
    """Return what these options choose, or raise UsageError."""
    now = datetime.now(UTC) if utc else datetime.now()
    return Selection(
        vms=tuple(name if _PATTERN.match(name) else check_vm(name) for name in vms),
        streams=tuple(name if _PATTERN.match(name) else check_stream(name) for name in wanted),
        since=parse_when(since, now) if since else 0,
        until=parse_when(until, now) if until else MAX_TIME,
    )


def check_known(store: Directory, selection: Selection) -> None:
    """Raise UsageError where a name has no logs: a typo must not read as 'nothing happened'."""
    refused: list[StoreError] = []
    known = all_streams(store, refused)
    for names, there in (
        (selection.vms, {vm for vm, _ in known}),
        (selection.streams, {stream for _, stream in known}),
    ):
        for name in names:
            if not any(fnmatchcase(found, name) for found in there):
                if refused:
                    raise refused[0]
                raise UsageError(f"there are no logs of {name}; 'logchain list' tells which there are")
