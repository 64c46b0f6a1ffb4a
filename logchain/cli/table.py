"""Tables, and times in JSON, as the commands print them."""

from collections.abc import Collection, Sequence

import click

from logchain.format.record import format_time

__all__ = ["json_time", "print_table"]


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
