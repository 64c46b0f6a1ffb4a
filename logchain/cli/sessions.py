"""logchain sessions: who was connected when."""

import json
import time
from datetime import UTC, tzinfo

import click

from logchain.cli.options import json_option, store_option
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.cli.table import json_time, print_table
from logchain.read.amounts import format_second, format_span
from logchain.read.catalog import open_activity
from logchain.read.display import escape, escape_text
from logchain.read.entries import Kind
from logchain.read.sessions import Event, Session, list_sessions
from logchain.store.layout import open_store

__all__ = ["command"]

_HEADINGS = ("VM", "STREAM", "SESSION", "START", "END", "BEFORE", "DURATION", "LONGEST", "LINES", "CUT", "WHY")
_NUMBERS = range(5, 10)  # columns that stand to the right
_SIGNS = {Kind.NOTE: "#", Kind.GAP: "!"}  # as `show` has them; no session is called so


@click.command("sessions")
@store_option
@selection_options
@json_option
def command(
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    utc: bool,
    as_json: bool,
) -> int:
    """Tell who was connected when, and why each session ended. Nothing is verified; that is 'logchain verify'.

    BEFORE is the silence since the stream's last session, LONGEST the longest one within the session. A row '#' is a
    note of the collector on something unusual, '!' a gap: something should be there and cannot be read. Of what is
    sealed the catalog is asked, where it knows. TIME is as in 'logchain show'.
    """
    selection = read_selection(vms, wanted, since, until, utc)
    with open_store(store) as directory:
        check_known(directory, selection)
        with open_activity(directory) as activity:
            rows = list_sessions(directory, selection, time.time_ns() // 1000, activity)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_object(row)))
    else:
        print_table([_HEADINGS, *(_cells(row, UTC if utc else None) for row in rows)], _NUMBERS)
    return 1 if any(isinstance(row, Event) and row.kind == Kind.GAP for row in rows) else 0


def _object(row: Session | Event) -> dict[str, str | int | float | None]:
    where: dict[str, str | int | float | None] = {"vm": row.vm, "stream": row.stream}
    if isinstance(row, Event):
        message = escape(row.untrusted_text)
        return {"kind": row.kind.value, **where, "time": json_time(row.time), "message": message}
    return {
        "kind": "session",
        **where,
        "session": row.session,
        "start": json_time(row.start),
        "end": json_time(row.end),
        "silence_before": None if row.before is None else row.before / 1_000_000,
        "duration": row.duration / 1_000_000,
        "longest_silence": row.longest / 1_000_000,
        "lines": row.lines,
        "cut": row.cut,
        "why": row.why,
    }


def _cells(row: Session | Event, zone: tzinfo | None) -> tuple[str, ...]:
    if isinstance(row, Event):
        return row.vm, row.stream, _SIGNS[row.kind], format_second(row.time, zone), escape(row.untrusted_text)
    return (
        row.vm,
        row.stream,
        escape_text(row.session[:8]) or "-",
        format_second(row.start, zone),
        format_second(row.end, zone),
        "-" if row.before is None else format_span(row.before),
        format_span(row.duration),
        format_span(row.longest),
        f"{row.lines:,}",
        f"{row.cut:,}" if row.cut else "-",
        escape_text(row.why),
    )
