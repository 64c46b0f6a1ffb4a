"""logchain catalog: the table of what is sealed that `list`, `status` and `sessions` ask."""

import sqlite3
from contextlib import closing

import click

from logchain.cli.options import store_option
from logchain.cli.progress import Progress
from logchain.cli.writing import open_to_write
from logchain.compress.catalog import Catalog
from logchain.format.errors import StoreError
from logchain.read.catalog import read_catalog
from logchain.read.segments import all_streams, open_stream_files
from logchain.store.layout import Directory, open_store

__all__ = ["command"]


@click.command("catalog")
@store_option
@click.option("--rebuild", is_flag=True, help="Make it anew from the files.")
def command(store: str, rebuild: bool) -> int:
    """Tell whether catalog.sqlite is current, or make it anew.

    'list', 'status' and 'sessions' ask it for what is sealed; where it is not current they read the files, and are
    slower. It is kept by log-compressor, proves nothing, and 'logchain verify' never reads it. Make it anew where it
    tells of files that are no longer so: after files were put back by hand. That reads all that is sealed.

    Exit code 3 where there is none.
    """
    if rebuild:
        with open_to_write(store) as directory, closing(Catalog(directory)) as catalog:
            if not _rebuild(catalog):
                raise StoreError(
                    f"{store}/catalog.sqlite cannot be written: no room, or no right to; remove it by hand"
                )
            click.echo(f"catalog.sqlite was made anew: {len(catalog.sealed()):,} sealed segments")
        return 0
    with open_store(store) as directory:
        missing, current, stale = _look(directory)
    if missing:
        click.echo(f"catalog.sqlite is not used: {missing}")
        return 3
    click.echo(f"catalog.sqlite is current for {current:,} streams; of {stale:,} the files are read")
    return 0


def _rebuild(catalog: Catalog) -> bool:
    """Make it anew, and tell whether all of it could be written."""
    catalog.rebuild()
    try:
        with Progress("reading", sum(one.size for one in catalog.uncondensed())) as progress:
            before = 0
            for one in catalog.condense():
                progress.add(before)
                before = one.size
        return catalog.stored and not catalog.uncondensed()
    except sqlite3.Error:
        return False


def _look(store: Directory) -> tuple[str, int, int]:
    """Return why there is none, and of how many streams it is current, and is not."""
    catalog, current, streams = read_catalog(store), 0, all_streams(store)
    for vm, stream in streams:
        with open_stream_files(store, vm, stream) as files:
            current += catalog.rows(vm, stream, files.sealed) is not None
    return catalog.missing, current, len(streams) - current
