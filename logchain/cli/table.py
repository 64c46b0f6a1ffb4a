"""Tables, and times, as the commands print them."""

from collections.abc import Collection, Sequence
from datetime import tzinfo

import click

from logchain.format.record import format_time
from logchain.read.times import format_local

__all__ = ["format_ago", "format_second", "format_size", "json_time", "print_table"]


def print_table(table: Sequence[tuple[str, ...]], to_the_right: Collection[int]) -> None:
    """Print rows under the headings in the first; a row that is shorter has room to its end in its last cell."""
    columns = range(len(table[0]))
    widths = [max(len(row[column]) for row in table if column < len(row) - 1) for column in columns[:-1]]
    for *cells, last in table:
        shown = (
            cell.rjust(width) if column in to_the_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=False))
        )
        click.echo("  ".join((*shown, last)))


def json_time(time_us: int) -> str | None:
    """Return a receive time as records have it; None for 0, which is none."""
    return format_time(time_us).decode() if time_us else None


def format_second(time_us: int, zone: tzinfo | None = None) -> str:
    """Return a receive time to the second, in a zone, None for the system's own; `-` for 0, which is none."""
    return format_local(time_us, zone)[:19] if time_us else "-"


def format_size(count: float) -> str:
    """Return a size in bytes as people read it: `1.5 GiB`."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop()
    return f"{count:.0f} B" if units[-1] == "B" else f"{count:.1f} {units[-1]}"


def format_ago(span: int) -> str:
    """Return a span of µs in its largest unit: `12 s`, `5 min`, `3 h`, `12 d`; nothing is less than no time."""
    seconds = max(0, span // 1_000_000)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
