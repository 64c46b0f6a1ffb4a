"""logchain seal: seal now what can be sealed."""

import json

import click

from logchain.cli.options import config_option, json_option, store_option
from logchain.cli.selection import check_known, read_selection
from logchain.cli.table import json_time
from logchain.cli.writing import open_to_write, refresh_catalog, take_ledger
from logchain.compress.sealing import Stays, Written, seal_now
from logchain.format.manifest import Manifest
from logchain.read.amounts import format_second, format_size
from logchain.read.display import escape_text
from logchain.store.clock import SystemClock
from logchain.store.configuration import read_settings
from logchain.store.heads import OpenHeads

__all__ = ["command"]


@click.command("seal")
@store_option
@click.option("--vm", metavar="NAME", help="Only this qube's segments.")
@config_option
@json_option
def command(store: str, vm: str | None, config: str | None, as_json: bool) -> int:
    """Close and sign now what nobody writes.

    log-compressor does it by itself, later; it may run meanwhile. Use this before a backup, or before you look into
    something. What a connected qube writes cannot be sealed: end its sender first, or wait until it closes by itself.
    How far that has come is recorded in the ledger all the same.

    Exit code 3 where something cannot be sealed; what is being written, or waits for its sender, does not count.
    """
    settings, clock = read_settings(config).store, SystemClock()
    sealed = failed = 0
    told = ""
    with open_to_write(store) as directory:
        check_known(directory, read_selection(() if vm is None else (vm,), (), None, None, utc=False))
        with take_ledger(directory, clock) as ledger:
            for name, stream, segment, result in seal_now(directory, ledger, clock, settings, vm):
                sealed += isinstance(result, Manifest)
                if isinstance(result, Stays):
                    failed += not result.waits
                    told += result.reason
                where = {"vm": name, "stream": stream, "segment": segment}
                click.echo(
                    json.dumps(where | _object(result))
                    if as_json
                    else f"{name}/{stream}: {f'segment {segment} ' * bool(segment)}{_words(result, settings.segment)}"
                )
            heads = OpenHeads()
            heads.record(directory, ledger)
            for complaint in heads.complaints if vm is None else ():
                failed += 1
                if complaint.partition(": ")[2] not in told:
                    click.echo(f"logchain: {escape_text(complaint)}", err=True)
        refresh_catalog(directory)
    if not as_json:
        click.echo(f"sealed {sealed} segment{'s' * (sealed != 1)}" if sealed else "there was nothing to seal")
    return 3 if failed else 0


def _words(result: Manifest | Written | Stays, size: int) -> str:
    if isinstance(result, Manifest):
        return f"is sealed: {result.records:,} records, {format_size(result.size)}"
    if isinstance(result, Written):
        closes = format_second(result.closes)
        return f"is being written; it closes by itself at {format_size(size)}, or at {closes}"
    return f"stays: {escape_text(result.reason)}"


def _object(result: Manifest | Written | Stays) -> dict[str, object]:
    if isinstance(result, Manifest):
        return {"state": "sealed", "records": result.records, "size": result.size}
    if isinstance(result, Written):
        return {"state": "written", "closes": json_time(result.closes)}
    return {"state": "stays", "reason": result.reason}
