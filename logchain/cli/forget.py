"""logchain forget: remove all of a qube, and its name."""

import click

from logchain.cli.options import config_option, store_option
from logchain.cli.selection import check_known, read_selection
from logchain.cli.table import print_table
from logchain.cli.writing import agree, open_to_write, refresh_catalog, take_ledger, yes_option
from logchain.format.errors import Busy
from logchain.read.amounts import format_second, format_size
from logchain.read.listing import StreamRow, list_streams
from logchain.store.configuration import read_settings
from logchain.store.forgetting import forget
from logchain.store.layout import DEFAULT_CONFIG

__all__ = ["command"]

_HEADINGS = ("STREAM", "SEGMENTS", "RECORDS", "SIZE", "FIRST", "LAST")
_NUMBERS = (1, 2, 3)  # columns that stand to the right
_ELSEWHERE = """\
What logchain cannot remove, and you may want to:
- the ledger: that there was a stream without a name, when its segments were sealed, and when it was forgotten
- dom0's journal: each call of the qube, by its name
- the LogVM's own journal, where log-compressor and log-collector name streams; your shell's history
- copies and backups of the store, what was exported, reports of 'logchain verify'
- the disk itself: freed blocks keep their content until something else is written there ('fstrim' helps)"""


@click.command("forget")
@store_option
@click.option("--vm", metavar="NAME", required=True, help="The qube.")
@config_option
@yes_option
def command(store: str, vm: str, config: str | None, yes: bool) -> None:
    """Remove all that a qube ever logged, and its name, for good. Shows what goes, and asks first.

    Its directory goes, and with it the salt that ties its streams to its name: the ledger still proves that nothing
    else is missing, but nobody can tell of whom its entries speak. End the qube's senders first, or it comes back
    as a new stream. 'logchain delete' removes only what is old.
    """
    settings = read_settings(config)
    selection = read_selection((vm,), (), None, None, utc=False)
    with open_to_write(store) as directory:
        check_known(directory, selection)
        rows = [row for row in list_streams(directory) if row.vm == vm]
        print_table([_HEADINGS, *map(_cells, rows)], _NUMBERS)
        agree(f"All of this goes, for good. To forget {vm}, type its name", yes=yes, word=vm)
        with take_ledger(directory) as ledger:
            try:
                forget(directory, ledger, vm)
            except Busy as error:
                raise Busy(
                    f"{vm} is connected: end its senders, or shut it down, then try again. Nothing was done"
                ) from (error)
            finally:
                refresh_catalog(directory, forgotten=vm)
    click.echo(f"{vm} is forgotten.\n{_ELSEWHERE}")
    if vm in settings.vms:
        click.echo(f"- {config or DEFAULT_CONFIG}: it has a table [vm.{vm}]")


def _cells(row: StreamRow) -> tuple[str, ...]:
    times = format_second(row.first), format_second(row.last)
    return f"{row.vm}/{row.stream}", str(row.segments), f"{row.records:,}", format_size(row.size), *times
