"""logchain decrypt: open what was encrypted to you."""

from pathlib import Path

import click

from logchain.cli.new_files import new_file
from logchain.cli.secret_files import read_secret
from logchain.format.encrypted import Decryption
from logchain.format.errors import FormatError, SecretError, UsageError
from logchain.format.recipient import parse_recipient_secret
from logchain.read.display import escape_text

__all__ = ["command"]

_FILE = click.Path(path_type=Path)
_CHUNK = 1 << 20


@click.command("decrypt")
@click.argument("encrypted", type=_FILE, metavar="FILE")
@click.option("--secret", "secret_file", type=_FILE, metavar="FILE", required=True, help="From 'logchain recipient'.")
@click.option("--output", type=_FILE, metavar="FILE", required=True, help="New file for the evidence.")
def command(encrypted: Path, secret_file: Path, output: Path) -> None:
    """Decrypt evidence that was encrypted to you, with the secret half of your key pair. It needs no store.

    What comes out is whole and as it was encrypted, or nothing comes out. Whether it is evidence, and of what, tells
    'logchain verify FILE'.
    """
    try:
        decryption = Decryption(*parse_recipient_secret(read_secret(secret_file)))
    except FormatError as error:
        raise UsageError(f"{secret_file} holds no secret of a recipient: {error}") from error
    try:
        file = encrypted.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {encrypted}: {error.strerror}") from error
    with file, new_file(output) as write:
        try:
            while data := file.read(_CHUNK):
                write(decryption.take(data))
            write(decryption.finish())
        except (FormatError, SecretError) as error:
            raise type(error)(f"{encrypted}: {error}") from error
    name = escape_text(str(output))
    click.echo(f"{name}  was encrypted to you; 'logchain verify {name}' tells what it is")
