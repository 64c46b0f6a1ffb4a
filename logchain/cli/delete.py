"""logchain delete: remove a qube's old sealed segments."""

from contextlib import suppress
from datetime import UTC

import click

from logchain.cli.options import store_option
from logchain.cli.selection import check_known, read_selection, stream_option
from logchain.cli.table import print_table
from logchain.cli.writing import agree, open_to_write, refresh_catalog, take_ledger, yes_option
from logchain.format.errors import Full, StoreError, WriteFailed
from logchain.read.amounts import format_second, format_size
from logchain.read.display import escape_text
from logchain.read.removal import Removal, find_removal
from logchain.read.segments import all_streams
from logchain.store.archive import delete
from logchain.store.layout import SEALED, Directory, manifests, stream_directory
from logchain.store.ledger import Ledger

__all__ = ["command"]

_HEADINGS = ("STREAM", "SEGMENTS", "RECORDS", "ROOM", "FIRST", "LAST")
_NUMBERS = (1, 2, 3)  # columns that stand to the right


@click.command("delete")
@store_option
@click.option("--vm", metavar="NAME", required=True, help="The qube.")
@stream_option
@click.option("-U", "--until", metavar="TIME", required=True, help="What was received at TIME or earlier.")
@click.option("--utc", is_flag=True, help="Times in UTC.")
@yes_option
def command(store: str, vm: str, wanted: tuple[str, ...], until: str, utc: bool, yes: bool) -> int:
    """Remove sealed segments of a qube, for good. Shows what goes, and asks first.

    Only whole segments go, those whose last record was received at TIME or earlier; what is not sealed yet stays:
    'logchain seal' first. The ledger keeps an entry for each, so that 'logchain verify' knows that a person did it.
    Copies and backups are not touched. TIME is as in 'logchain show'.

    Exit code 3 where something could not be removed.
    """
    selection = read_selection((vm,), wanted, None, until, utc)
    with open_to_write(store) as directory:
        check_known(directory, selection)
        names = [name for found, name in all_streams(directory) if found == vm and selection.has(found, name)]
        found = [find_removal(directory, vm, name, selection.until) for name in names]
        _show(vm, found, utc)
        count = sum(len(removal.segments) for removal in found)
        if not count:
            click.echo("There is nothing to delete.")
            return 0
        segments = f"{count:,} segment{'s' * (count != 1)}"
        agree(f"Delete {'this' if count == 1 else 'these'} {segments} of {vm} for good?", yes=yes)
        with take_ledger(directory) as ledger:
            try:
                failed = _delete(directory, ledger, vm, found)
            finally:
                refresh_catalog(directory)
    gone = count - failed
    click.echo(f"Deleted {gone:,} segment{'s' * (gone != 1)}; each has its entry in the ledger.")
    click.echo("Copies of the store, backups, and what was exported still have them.")
    return 3 if failed else 0


def _show(vm: str, found: list[Removal], utc: bool) -> None:
    rows = [_HEADINGS]
    for stream, segments, room, _ in found:
        if segments:
            times = segments[0].first_time, max(segment.last_time for segment in segments)
            first, last = (format_second(time, UTC if utc else None) for time in times)
            records = sum(segment.records for segment in segments)
            rows.append((f"{vm}/{stream}", f"{len(segments):,}", f"{records:,}", format_size(room), first, last))
    if len(rows) > 1:
        print_table(rows, _NUMBERS)
    for stream, _, _, stays in found:
        for words in stays:
            click.echo(f"stays: {vm}/{stream}, {escape_text(words)}")


def _delete(store: Directory, ledger: Ledger, vm: str, found: list[Removal]) -> int:
    """Delete, the oldest of each stream first; return how many could not be."""
    failed = 0
    for stream, segments, *_ in found:
        for segment in segments:
            try:
                delete(store, ledger, vm, stream, segment.segment)
            except (Full, WriteFailed):
                raise
            except StoreError as error:
                if _is_there(store, vm, stream, segment.segment):  # and the ledger never had it
                    click.echo(f"stays: {vm}/{stream}, segment {segment.segment}: {escape_text(str(error))}", err=True)
                    failed += 1
    return failed


def _is_there(store: Directory, vm: str, stream: str, segment: int) -> bool:
    """Tell whether it did not go meanwhile: evicted while we asked, or its removal was finished after a crash."""
    with suppress(FileNotFoundError), stream_directory(store, vm, stream, SEALED) as sealed:
        return segment in manifests(sealed)
    return False
