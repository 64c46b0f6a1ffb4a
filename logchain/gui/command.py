"""The logchain commands that the window runs, and the lines that a person would type for the same."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from logchain.store.layout import DEFAULT_STORE, LIVE, SEALED

__all__ = ["CONFIGURED", "Logchain"]

# -P: what lies in the directory that we were started in is not imported
_OURS = ("-P", "-c", "from logchain.cli.main import main; main()")
CONFIGURED = ("export", "forget", "open", "seal", "status", "verify")  # commands that take --config


class Logchain(NamedTuple):
    """logchain for one store."""

    store: Path
    config: str | None = None

    @property
    def sudo(self) -> bool:
        """Whether sudo is there, and needed to look into the store; asked for each command, for that may change."""
        places = (self.store, self.store / LIVE, self.store / SEALED)
        return any(map(_is_shut, places)) and shutil.which("sudo") is not None

    def program(self, *words: str) -> list[str]:
        """Return program and arguments that run a command as its front end."""
        sudo = ["sudo", "-n"] if self.sudo else []
        return [*sudo, sys.executable, *_OURS, "--frontend", *self._words(words, always=True)]

    def line(self, *words: str) -> str:
        """Return the line that does the same in a terminal."""
        sudo = ["sudo"] if self.sudo else []
        return shlex.join([*sudo, "logchain", *self._words(words, always=False)])

    def _words(self, words: tuple[str, ...], *, always: bool) -> list[str]:
        found = list(words)
        if always or str(self.store) != DEFAULT_STORE:
            found += ["--store", str(self.store)]
        if self.config is not None and words[0] in CONFIGURED:
            found += ["--config", self.config]
        return found


def _is_shut(path: Path) -> bool:
    """Tell whether there is a directory that we may not read, or may not even see."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK | os.X_OK)
