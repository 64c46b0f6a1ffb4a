"""logchain timeline: how many records came when."""

import json
from datetime import UTC

import click

from logchain.cli.options import json_option, store_option
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.cli.table import json_time, print_table
from logchain.read.amounts import format_second
from logchain.read.catalog import open_activity, read_catalog
from logchain.read.timeline import Timeline, count_records
from logchain.store.layout import open_store

__all__ = ["command"]

_BAR = 40  # columns


@click.command("timeline")
@store_option
@selection_options
@click.option("--buckets", type=click.IntRange(1, 10_000), metavar="N", default=24, show_default=True, help="Rows.")
@json_option
def command(
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    utc: bool,
    buckets: int,
    as_json: bool,
) -> None:
    """Tell how many records came when: the time from the first to the last, or the one chosen, in equal parts.

    No text is read, and nothing is verified: blocks of some thousand records are the finest that is known. Within one
    they are taken to lie evenly, but for silences that the catalog knows. TIME is as in 'logchain show'.
    """
    selection = read_selection(vms, wanted, since, until, utc)
    with open_store(store) as directory:
        check_known(directory, selection)
        with open_activity(directory) as activity:
            timeline = count_records(directory, selection, read_catalog(directory), activity, buckets)
    if as_json:
        times = {"since": json_time(timeline.since), "until": json_time(timeline.until)}
        click.echo(json.dumps(timeline._asdict() | times))
        return
    zone = UTC if utc else None
    width = (timeline.until - timeline.since + 1) / buckets
    totals = _totals(timeline, buckets)
    rows = [("FROM", "RECORDS", "")]
    for place, total in enumerate(totals):
        bar = "#" * -(-_BAR * total // max([1, *totals]))
        rows.append((format_second(int(timeline.since + place * width), zone), f"{total:,}", bar))
    print_table(rows, (1,))
    if timeline.spread:
        click.echo(f"{timeline.spread:,} segments were spread evenly over their time: there are too many", err=True)


def _totals(timeline: Timeline, buckets: int) -> list[int]:
    return [sum(counts) for counts in zip(*timeline.counts.values(), strict=True)] or [0] * buckets
