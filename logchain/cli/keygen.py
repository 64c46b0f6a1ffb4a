"""logchain keygen: in the vault, make a store's audit secret and the seed that goes to the LogVM."""

from pathlib import Path

import click

from logchain.cli.new_files import new_file
from logchain.format.audit import format_audit, format_seed, lock
from logchain.store.creation import new_secrets

__all__ = ["command"]


@click.command("keygen")
@click.option(
    "--audit-secret-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="New file for the secret.",
)
@click.option(
    "--seed-out", type=click.Path(path_type=Path), metavar="FILE", required=True, help="New file for the seed."
)
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase, and lock the audit secret with it.")
def command(audit_secret_out: Path, seed_out: Path, passphrase: bool) -> None:
    """Make the secrets of a new store. Run this in a vault qube, not in the LogVM.

    The audit secret stays in the vault: with it every record can be checked, and without it no record can be
    forged. The seed goes to the LogVM, to 'logchain init --seed', once.
    """
    audit, seed = new_secrets()
    words = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True) if passphrase else ""
    with new_file(audit_secret_out) as write:
        write(format_audit(lock(audit, words) if words else audit))
    try:
        with new_file(seed_out) as write:
            write(format_seed(seed))
    except BaseException:
        audit_secret_out.unlink()
        raise
    click.echo(
        f"{audit_secret_out}  the audit secret of store {audit.store_id.hex()}: keep it here, and a copy in a safe\n"
        f"{seed_out}  the seed: copy it to the LogVM, run 'logchain init --seed' there, then destroy every copy"
    )
