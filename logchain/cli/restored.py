"""logchain restored: tell a store that it came back from a backup."""

from contextlib import ExitStack, closing

import click

from logchain.cli.options import store_option
from logchain.cli.writing import agree, open_to_write, take_ledger, yes_option
from logchain.compress.catalog import Catalog
from logchain.compress.place import take_place
from logchain.format.errors import Busy, StoreError
from logchain.read.amounts import format_second
from logchain.read.display import escape_text
from logchain.read.head import read_head
from logchain.store.layout import LEDGER, WITNESSED, is_restoring
from logchain.store.restoring import restore

__all__ = ["command"]

_UNFINISHED = "Nobody can write until this command was run again, and has finished"


@click.command("restored")
@store_option
@yes_option
def command(store: str, yes: bool) -> None:
    """Tell a store that it came back from a backup.

    Before its collectors and log-compressor go on, while no qube can connect. Asks first; after a crash run it again.
    The keys of a backup are the keys of its time: the store that it was made of went on with them, and whoever has
    another copy of the backup has them too. So every stream begins anew, with keys that were never used, and the ledger
    gets an entry that says so.
    """
    with open_to_write(store) as directory, ExitStack() as stack:
        try:
            stack.enter_context(take_place(directory))
        except Busy as error:
            raise Busy(f"{error}: end it, then try again. Nothing was done") from error
        head = read_head(directory)
        if head.problem:
            click.echo(f"the ledger cannot be read: {escape_text(head.problem)}")
        else:
            click.echo(f"The ledger ends at {format_second(head.time)}, with entry {head.entries - 1}.")
        agree("Did this store come back from a backup?", yes=yes)
        with take_ledger(directory) as ledger:
            try:
                count = restore(directory, ledger)
            except Busy as error:
                raise Busy(f"{error}: end all senders and collectors, then try again. Nothing was done") from error
            except StoreError as error:
                raise StoreError(
                    f"{error}. {_UNFINISHED if is_restoring(directory) else 'Nothing was done'}"
                ) from error
            number = ledger.number
            with directory.directory(LEDGER) as of_ledger:
                has_witness = WITNESSED in of_ledger.names()
        with closing(Catalog(directory)) as catalog:
            catalog.rebuild()
    click.echo(
        f"{count} stream{'s begin' if count != 1 else ' begins'} anew; the ledger says so in its entries up to "
        f"{number - 1}.\nSenders send again what they still have. Whoever has another copy of the backup can forge "
        "what was not\nsealed or listed when it was made. Write down that this happened: 'logchain verify' asks for it "
        "(--restored)."
    )
    if has_witness:
        click.echo("A witness signed this store: run 'logchain-witness restored' in its qube, or it refuses to sign.")
