"""logchain list: which logs there are."""

import json
from pathlib import Path

import click

from logchain.cli.options import json_option, store_option
from logchain.cli.table import format_second, format_size, json_time, print_table
from logchain.read.catalog import read_catalog
from logchain.read.listing import StreamRow, list_streams
from logchain.store.layout import is_restoring, open_store

__all__ = ["command"]

_HEADINGS = ("VM", "STREAM", "SEGMENTS", "RECORDS", "SIZE", "FIRST", "LAST", "STATE")
_NUMBERS = (2, 3, 4)  # columns that stand to the right


@click.command("list")
@store_option
@json_option
def command(store: Path, as_json: bool) -> None:
    """List the logs: a line for each qube and stream. Nothing is verified; that is 'logchain verify'."""
    with open_store(store) as directory:
        rows = list(list_streams(directory, read_catalog(directory)))
        if is_restoring(directory):
            click.echo("logchain: 'logchain restored' was cut short: nobody can write; run it again", err=True)
    if as_json:
        for row in rows:
            times = {"first": json_time(row.first), "last": json_time(row.last)}
            click.echo(json.dumps(row._asdict() | times))
        return
    print_table([_HEADINGS, *map(_cells, rows)], _NUMBERS)


def _cells(row: StreamRow) -> tuple[str, ...]:
    times = format_second(row.first), format_second(row.last)
    state = f"{row.state}, connected" if row.connected else row.state
    return row.vm, row.stream, str(row.segments), f"{row.records:,}", format_size(row.size), *times, state
