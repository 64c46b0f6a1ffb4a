"""What `show` gives of a store, in-process."""

from logchain.read.entries import Entry
from logchain.read.formats import FORMATS
from logchain.read.selection import Selection
from logchain.read.show import Show, select
from logchain.read.view import View
from logchain.store.layout import Directory

__all__ = ["EVERYTHING", "formatted", "select", "shown"]

ALL, EVERYTHING = Selection(), Selection(notes=True)


def shown(store: Directory, form: str = "raw", selection: Selection = ALL) -> bytes:
    """Return what is printed."""
    made = FORMATS[form](None, False)
    show: Show[bytes] = Show(View(store), selection, made)
    return b"".join(made.join(parts) for parts in show.all())


def formatted(form: str, entries: list[Entry]) -> bytes:
    """Return entries as they are printed."""
    made = FORMATS[form](None, False)
    return made.join([item for item in map(made.entry, entries) if item is not None])
