"""logchain status: on one screen, how full, how fast, who was there last, and whether all is well."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict

import click

from logchain.cli.options import config_option, json_option, store_option
from logchain.cli.table import json_time
from logchain.format.ledger import format_fingerprint
from logchain.read.amounts import format_ago, format_size
from logchain.read.display import escape_text
from logchain.read.status import BudgetStatus, Status, read_status
from logchain.store.configuration import read_settings
from logchain.store.layout import open_store

__all__ = ["command"]

_LONGEST_NAME = 18  # of a VM in the table's column; a longer one has a line of its own
_REST = 75  # columns of a row but the bar
_COMPLAINTS = 5  # that are shown
_MARGIN = 12


@click.command("status")
@store_option
@config_option
@json_option
def command(store: str, config: str | None, as_json: bool) -> int:
    """Tell how full the store is, and whether all is well.

    A row is a qube, or all disposables together, the fullest first. A DAY is the text that came in a day over the
    last seven days; FULL IN is how long its quota lasts at that rate, if new text takes as much room as what is
    there. Over its quota a qube loses its oldest sealed segments; 'over' are those that had nothing old enough to
    lose, and are read slowly; 'spent' those that took a quarter more, and are not read.

    Exit code 3 where something needs a person: the lines that begin with '!'. Nothing is verified.
    """
    settings = read_settings(config)
    with open_store(store) as directory:
        status = read_status(directory, settings, time.time_ns() // 1000)
    if as_json:
        click.echo(json.dumps(_object(status)))
    else:
        for line in [f"{'store':{_MARGIN}}{escape_text(store)}", *_lines(status), "", *_table(status)]:
            click.echo(line)
        for line in status.attention:
            click.echo(f"! {escape_text(line)}")
    return 3 if status.attention else 0


def _lines(status: Status) -> Iterator[str]:
    cap = "no cap" if status.cap is None else f"cap {format_size(status.cap)}"
    disk = f"{format_size(status.free)} free on the disk, reserve {format_size(status.reserve)}"
    yield from _part("room", f"{format_size(status.total)} used, {cap}; {disk}")
    head = status.ledger
    if head.problem:
        yield from _part("ledger", f"cannot be read: {escape_text(head.problem)}")
    else:
        entries = "1 entry" if head.entries == 1 else f"{head.entries:,} entries"
        told = f"{entries} in {format_size(status.ledger_room)}, the last {_ago(status, head.time)}"
        print_ = format_fingerprint(head.fingerprint)
        yield from _part("ledger", f"{told}; {format_ago(head.age * 1_000_000)} of running time")
        yield from _part("", f"fingerprint {print_[:35]}", f"            {print_[36:]}")
    yield from _witness(status)
    found = status.segments
    sealed = f"{found.sealed:,} sealed"
    if found.sealed:
        sealed += f" ({format_size(found.sealed_size)} of text in {format_size(found.sealed_room)})"
    waiting = "none waiting"
    if found.waiting:
        oldest = format_ago(status.now - found.oldest)
        waiting = f"{found.waiting:,} waiting to be sealed ({format_size(found.waiting_size)}, for up to {oldest})"
    yield from _part("segments", f"{sealed}, {found.open:,} open, {waiting}")
    yield from _part("compressor", *_compressor(status))
    if status.catalog:
        yield from _part("catalog", f"not used ({escape_text(status.catalog)}): the files were read")


def _witness(status: Status) -> Iterator[str]:
    witness = status.witness
    if witness and witness.time is None:
        pin = f"logchain-witness pin {escape_text(status.ledger.log_key)} --qube {socket.gethostname()}"
        yield from _part("witness", "has signed nothing yet. In its qube, if that was not done:", pin)
    elif witness:
        ago = format_ago(status.now - 1_000_000 * (witness.time or 0))
        yield from _part("witness", f"signed {witness.entries:,} entries {ago} ago")


def _compressor(status: Status) -> Iterator[str]:
    compressor = status.compressor
    runs = {True: "runs", False: "does not run", None: "may run"}[compressor.runs]
    yield f"{runs}; ended a round {_ago(status, compressor.round)}" if compressor.round else f"{runs}; no round yet"
    for complaint in compressor.complaints[:_COMPLAINTS]:
        yield f"complains: {escape_text(complaint)}"
    if len(compressor.complaints) > _COMPLAINTS:
        yield f"and {len(compressor.complaints) - _COMPLAINTS} complaints more"


def _part(name: str, *lines: str) -> Iterator[str]:
    for line in lines:
        yield f"{name:{_MARGIN}}{line}"
        name = ""


def _ago(status: Status, time_us: int) -> str:
    return f"{format_ago(status.now - time_us)} ago"


def _table(status: Status) -> Iterator[str]:
    if not status.budgets:
        yield "no qube has sent anything yet" if status.births == 0 else "there are no logs here"
        return
    bar = max(6, min(30, shutil.get_terminal_size().columns - _REST))
    yield _row("VM", "QUOTA".ljust(bar + 8), "USED", "A DAY", "LAST SEEN", "FULL IN")
    for budget in status.budgets:
        name = budget.name if budget.vms == 1 else f"{budget.name} ({budget.vms:,})"
        if len(name) > _LONGEST_NAME:
            yield name
            name = ""
        seen = "connected" if budget.connected else format_ago(status.now - budget.last) if budget.last else "-"
        share = budget.used / max(budget.quota, 1)
        quota = f"[{'#' * min(bar, round(bar * share)):-<{bar}}] {min(999, int(100 * share)):3} %"
        yield _row(name, quota, format_size(budget.used), format_size(budget.rate), seen, _lasts(budget))


def _row(name: str, quota: str, used: str, rate: str, seen: str, lasts: str) -> str:
    return f"{name:{_LONGEST_NAME}}  {quota}  {used:>10}  {rate:>10}  {seen:>9}  {lasts:>7}"


def _lasts(budget: BudgetStatus) -> str:
    if budget.standing != "within":
        return budget.standing
    if budget.days is None:
        return "-"
    return "> 10 y" if budget.days > 3_650 else f"{budget.days:.0f} d" if budget.days >= 1 else "< 1 d"


def _object(status: Status) -> dict[str, object]:
    budgets = [asdict(budget) | {"last": json_time(budget.last)} for budget in status.budgets]
    return asdict(status) | {
        "now": json_time(status.now),
        "total": status.total,
        "budgets": budgets,
        "segments": asdict(status.segments) | {"oldest": json_time(status.segments.oldest)},
        "ledger": status.ledger._asdict() | {"time": json_time(status.ledger.time)},
        "compressor": asdict(status.compressor) | {"round": json_time(status.compressor.round)},
        "attention": status.attention,
    }
