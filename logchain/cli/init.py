"""logchain init: in the LogVM, make an empty store."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from logchain.cli.new_files import new_file
from logchain.cli.options import store_option
from logchain.cli.secret_files import read_secret
from logchain.format.audit import Seed, format_audit, parse_seed
from logchain.format.errors import FormatError, UsageError
from logchain.format.ledger import format_fingerprint
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets

__all__ = ["command"]


@click.command("init")
@store_option
@click.option("--seed", "seed_file", type=click.Path(path_type=Path), metavar="FILE", help="From 'logchain keygen'.")
@click.option(
    "--audit-secret-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Without a seed: make the secrets here, and write the audit secret to this file.",
)
def command(store: str, seed_file: Path | None, audit_secret_out: Path | None) -> None:
    """Make an empty store in a directory that is empty or not there yet.

    Best with a seed that 'logchain keygen' made in a vault qube: then the audit secret was never in the LogVM.
    """
    if seed_file and not audit_secret_out:
        seed = _read_seed(seed_file)
        with _as_owner(store):
            shown = create_store(Path(store), seed, SystemClock())
        _tell(store, seed, shown)
        click.echo(f"Destroy the seed now: shred -u {seed_file}")
    elif audit_secret_out and not seed_file:
        audit, seed = new_secrets()
        with new_file(audit_secret_out) as write:
            write(format_audit(audit))
        try:
            with _as_owner(store):
                shown = create_store(Path(store), seed, SystemClock())
        except BaseException:
            audit_secret_out.unlink()
            raise
        _tell(store, seed, shown)
        click.echo(
            f"{audit_secret_out} holds its audit secret. Move it to a vault qube now, for example with\n"
            f"  qvm-move {audit_secret_out}\n"
            "Whoever has it can forge this store's records; without it nobody can check them one by one."
        )
    else:
        raise UsageError("give either --seed FILE or --audit-secret-out FILE; 'logchain init --help' tells more")


@contextmanager
def _as_owner(store: str) -> Iterator[None]:
    """Act as the user that a directory belongs to, where root asks: what root makes, the services cannot write.

    The packages make /var/lib/logchain for the compressor's user, with the group that it shares with the collectors.
    """
    owner = os.stat(store).st_uid if os.path.exists(store) else 0
    if os.geteuid() or not owner:
        yield
        return
    try:
        user = pwd.getpwuid(owner)
    except KeyError as error:
        raise UsageError(f"{store} belongs to user {owner}, whom this system does not know; chown it first") from error
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(owner)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _tell(store: str, seed: Seed, fingerprint: str) -> None:
    click.echo(
        f"{store}: made store {seed.store_id.hex()}. Its fingerprint is\n"
        f"  {format_fingerprint(fingerprint)}\n"
        "Keep it outside the LogVM, on paper or in a vault qube: with it 'logchain verify' knows this store from\n"
        "another that was put in its place. It is no secret."
    )


def _read_seed(path: Path) -> Seed:
    try:
        return parse_seed(read_secret(path))
    except FormatError as error:
        raise UsageError(f"{path} holds no seed: {error}") from error
