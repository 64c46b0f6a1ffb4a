"""What a source is made with: who we are, and where its stream keeps things."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from log_exporter.choice import Choice
from log_exporter.resumed import Resumed
from log_exporter.sources import Intake, Reader
from log_exporter.spool import Spool
from log_exporter.spooled import Spooled
from log_exporter.state import State


class Setup(NamedTuple):
    """The surroundings of one stream."""

    stream: str
    host: str
    state: State  # its cursor file, which is locked before a source opens or starts anything
    spool_directory: str

    def resumed(self, reader: Reader, configuration: str) -> Resumed:
        """Return a Source from a Reader; another configuration is one with which it reads other lines."""
        return Resumed(reader, self.host, self.state, configuration)

    def spooled(self, opened: Callable[[], Intake], limit: int) -> Spooled:
        """Return a Source from an Intake, which is opened when its spool, of at most so many bytes, is there."""
        spool = Spool(os.path.join(self.spool_directory, self.stream), self.host, limit)
        return Spooled(opened(), spool, self.host, self.state)


def choice(settings: dict[str, Any]) -> Choice:
    """Return what the settings say of messages."""
    return Choice(settings.get("include", ()), settings.get("exclude", ()), settings.get("redact", ()))


def current_boot_id() -> str:
    """Return the kernel's id of this boot, as journald writes it."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip().replace("-", "")
