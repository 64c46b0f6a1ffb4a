"""logchain sessions: who was connected when."""

import json
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from logchain.cli.options import json_option, store_option
from logchain.format.errors import UsageError
from logchain.format.limits import MAX_TIME
from logchain.format.names import check_stream, check_vm
from logchain.format.record import format_time
from logchain.read.display import escape, escape_text
from logchain.read.entries import Kind
from logchain.read.sessions import Event, Session, list_sessions
from logchain.read.show import Selection
from logchain.read.times import format_local, parse_when
from logchain.store.layout import open_store, streams

__all__ = ["command"]

_HEADINGS = ("VM", "STREAM", "SESSION", "START", "END", "BEFORE", "DURATION", "LONGEST", "LINES", "CUT", "WHY")
_NUMBERS = range(5, 10)  # columns that stand to the right
_SIGNS = {Kind.NOTE: "#", Kind.GAP: "!"}  # as `show` has them; no session is called so
_SPANS = (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")


@click.command("sessions")
@store_option
@click.option("--vm", "vms", multiple=True, metavar="NAME", help="Only this qube (may be given again).")
@click.option("--stream", "wanted", multiple=True, metavar="NAME", help="Only this stream (may be given again).")
@click.option("-S", "--since", metavar="TIME", help="Connected at TIME or later.")
@click.option("-U", "--until", metavar="TIME", help="Connected at TIME or earlier.")
@click.option("--utc", is_flag=True, help="Times in UTC.")
@json_option
def command(
    store: Path,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    utc: bool,
    as_json: bool,
) -> int:
    """Tell who was connected when, and why each session ended. Nothing is verified; that is 'logchain verify'.

    BEFORE is the silence since the stream's last session, LONGEST the longest one within the session. A row '#' is a
    note of the collector on something unusual, '!' a gap: something should be there and cannot be read.
    TIME is as in 'logchain show'.
    """
    now = datetime.now(UTC) if utc else datetime.now()
    selection = Selection(
        vms=tuple(check_vm(name) for name in vms),
        streams=tuple(check_stream(name) for name in wanted),
        since=parse_when(since, now) if since else 0,
        until=parse_when(until, now) if until else MAX_TIME,
    )
    with open_store(store) as directory:
        known = list(streams(directory))
        for name in {*vms} - {vm for vm, _ in known} | {*wanted} - {stream for _, stream in known}:
            raise UsageError(f"there are no logs of {name}; 'logchain list' tells which there are")
        rows = list_sessions(directory, selection, time.time_ns() // 1000)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_object(row)))
    else:
        _print_table([_HEADINGS, *(_cells(row, UTC if utc else None) for row in rows)])
    return 1 if any(isinstance(row, Event) and row.kind == Kind.GAP for row in rows) else 0


def _object(row: Session | Event) -> dict[str, str | int | float | None]:
    where: dict[str, str | int | float | None] = {"vm": row.vm, "stream": row.stream}
    if isinstance(row, Event):
        message = escape(row.untrusted_text)
        return {"kind": row.kind.value, **where, "time": _json_time(row.time), "message": message}
    return {
        "kind": "session",
        **where,
        "session": row.session,
        "start": _json_time(row.start),
        "end": _json_time(row.end),
        "silence_before": None if row.before is None else row.before / 1_000_000,
        "duration": row.duration / 1_000_000,
        "longest_silence": row.longest / 1_000_000,
        "lines": row.lines,
        "cut": row.cut,
        "why": row.why,
    }


def _json_time(time_us: int) -> str | None:
    return format_time(time_us).decode() if time_us else None


def _cells(row: Session | Event, zone: tzinfo | None) -> tuple[str, ...]:
    if isinstance(row, Event):
        return row.vm, row.stream, _SIGNS[row.kind], _time(row.time, zone), escape(row.untrusted_text)
    return (
        row.vm,
        row.stream,
        escape_text(row.session[:8]) or "-",
        _time(row.start, zone),
        _time(row.end, zone),
        "-" if row.before is None else _span(row.before),
        _span(row.duration),
        _span(row.longest),
        f"{row.lines:,}",
        f"{row.cut:,}" if row.cut else "-",
        escape_text(row.why),
    )


def _time(time_us: int, zone: tzinfo | None) -> str:
    return format_local(time_us, zone)[:19] if time_us else "-"


def _span(span: int) -> str:
    """Write a span of µs in its two largest units, as `parse_when` reads them: `3h 12min`."""
    rest = span // 1_000_000
    if rest < 60:
        return f"{span / 1_000_000:.1f}s"
    parts = []
    for size, unit in _SPANS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _print_table(table: list[tuple[str, ...]]) -> None:
    """Print rows; the last cell of a row has room to its end, whichever column it is in."""
    widths = [max(len(row[column]) for row in table if column < len(row) - 1) for column in range(len(_HEADINGS) - 1)]
    for *cells, last in table:
        shown = (
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=False))
        )
        click.echo("  ".join((*shown, last)))
