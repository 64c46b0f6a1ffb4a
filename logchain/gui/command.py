"""The logchain commands that the window runs, and the lines that a person would type for the same."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import NamedTuple, Self

from logchain.store.layout import DEFAULT_STORE

__all__ = ["CONFIGURED", "Logchain"]

# -P: what lies in the directory that we were started in is not imported
_OURS = ("-P", "-c", "from logchain.cli.main import main; main()")
CONFIGURED = ("export", "forget", "open", "seal", "status", "verify")  # commands that take --config


class Logchain(NamedTuple):
    """logchain for one store; `sudo` where only root may look into it."""

    store: Path
    config: str | None = None
    sudo: bool = False

    @classmethod
    def of(cls, store: Path, config: str | None) -> Self:
        """Return logchain for a store, with sudo if its directory may not be read and there is sudo."""
        shut = store.exists() and not os.access(store, os.R_OK | os.X_OK)
        return cls(store, config, shut and shutil.which("sudo") is not None)

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
