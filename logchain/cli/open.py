"""logchain open: look at lines in a disposable."""

import resource
from datetime import UTC

import click

from logchain.cli.dispvm import dispvm_option, find_disposable, private_directory
from logchain.cli.new_files import Write, new_file
from logchain.cli.options import config_option, store_option
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.format.errors import UsageError
from logchain.read.accepted import read_accepted
from logchain.read.amounts import format_size
from logchain.read.formats import FORMATS
from logchain.read.live import read_store_id
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View
from logchain.store.configuration import read_settings
from logchain.store.layout import Directory, open_store

__all__ = ["command"]

_MOST = 16 << 20  # bytes: editors and viewers of text get slow, or fail, not far beyond


@click.command("open")
@store_option
@selection_options
@click.option("--notes", is_flag=True, help="The collector's own notes of sessions and segments too.")
@dispvm_option
@config_option
def command(
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    utc: bool,
    notes: bool,
    dispvm: str | None,
    config: str | None,
) -> int:
    """Look at lines in a disposable, as one text file, and leave nothing of it here.

    The lines are as 'logchain show -o short-full' prints them: whatever could harm or fool its reader is spelled out.
    The command ends when the viewer is closed. At most 16 MiB of text can be opened so.

    Exit code 1 where something could not be read, and its place is marked with '!'.
    """
    settings = read_settings(config)
    selection = read_selection(vms, wanted, since, until, utc)._replace(notes=notes)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every stream's segment is open while they are merged
    disposable = find_disposable(dispvm or settings.dispvm)
    with private_directory() as directory:
        path = directory / f"logchain-{'-'.join(vms) if len(vms) == 1 and vms[0].isalnum() else 'lines'}.txt"
        with open_store(store) as opened, new_file(path) as write:
            check_known(opened, selection)
            gaps = _write(opened, selection, utc, write)
        disposable.take(path)
    return 1 if gaps else 0


def _write(store: Directory, selection: Selection, utc: bool, write: Write) -> int:
    """Write the lines as text; return how many gaps there are."""
    form = FORMATS["short-full"](UTC if utc else None, False)
    show: Show[bytes] = Show(View(store, read_accepted(read_store_id(store))), selection, form)
    size = 0
    for parts in show.all():
        text = form.join(parts)
        size += len(text)
        if size > _MOST:
            raise UsageError(
                f"that is more than {format_size(_MOST)} of text, and no viewer likes it: choose less with --since, "
                "--until, --vm, --stream; or search it with 'logchain show -g'; or take it out with 'logchain export'"
            )
        write(text)
    if not size:
        raise UsageError("no line was received then, so there is nothing to open")
    return show.gaps
