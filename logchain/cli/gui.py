"""logchain gui: the window."""

import os
from pathlib import Path

import click

from logchain.cli.options import config_option, store_option
from logchain.format.errors import UsageError

__all__ = ["command"]

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")  # Qt aborts where none of them tells one


@click.command("gui")
@store_option
@config_option
def command(store: str, config: str | None) -> int:
    """Show the logs in a window: list, timeline, sessions and quotas, and all that can be done with them.

    The window runs the other commands, with sudo where only root may look into the store, and shows what they tell;
    each view has the command that shows the same. No log text is shown unless a preview is asked for.
    """
    try:
        from logchain.gui.app import run
    except ImportError as error:
        raise UsageError(
            f"the window cannot be shown ({error}): install PySide6, in the template 'apt install "
            "python3-pyside6.qtwidgets' or 'dnf install python3-pyside6', elsewhere 'pip install logchain[gui]'"
        ) from error
    if not any(os.environ.get(name) for name in _SCREENS):
        raise UsageError("there is no screen here to show a window on: start it in the qube's desktop, or see 'list'")
    return run(Path(store), config)
