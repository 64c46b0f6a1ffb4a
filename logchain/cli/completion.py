"""What a shell completes: the names of qubes and streams that the store has."""

import os
from contextlib import suppress

import click

from logchain.format.errors import LogchainError
from logchain.read.segments import all_streams
from logchain.store.layout import DEFAULT_STORE, open_store

__all__ = ["complete_stream", "complete_vm"]


def complete_vm(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's)
    """Return the qubes whose names begin so."""
    return sorted({vm for vm, _ in _streams(ctx) if vm.startswith(incomplete)})


def complete_stream(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's)
    """Return the streams whose names begin so, of the qubes that stand on the line already, if any do."""
    vms = ctx.params.get("vms")
    return sorted({name for vm, name in _streams(ctx) if name.startswith(incomplete) and (not vms or vm in vms)})


def _streams(ctx: click.Context) -> list[tuple[str, str]]:
    store = ctx.params.get("store") or os.environ.get("LOGCHAIN_STORE") or DEFAULT_STORE
    with suppress(LogchainError, OSError), open_store(store) as directory:
        return all_streams(directory)
    return []
