"""logchain recipient: make the key pair of somebody whom evidence can be encrypted to."""

from pathlib import Path

import click
from nacl.utils import random

from logchain.cli.new_files import new_file
from logchain.format.recipient import format_recipient, format_recipient_secret, parse_recipient_secret
from logchain.read.display import escape_text

__all__ = ["command"]


@click.command("recipient")
@click.option(
    "--secret-out", "path", type=click.Path(path_type=Path), metavar="FILE", required=True, help="New file for it."
)
def command(path: Path) -> None:
    """Make a key pair, so that evidence can be encrypted to you. It needs no store.

    The secret half stays with you, and opens what was encrypted to you: 'logchain decrypt'. The public half is printed:
    give it to whoever has the store, for 'logchain export --encrypt-to'.
    """
    data = format_recipient_secret(random(32))
    with new_file(path) as write:
        write(data)
    click.echo(format_recipient(parse_recipient_secret(data)[1]))
    click.echo(
        f"{escape_text(str(path))} holds the secret half: keep it, and a copy in a safe. The line above is public.",
        err=True,
    )
