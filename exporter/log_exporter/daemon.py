"""`log-exporter run`: all streams of the configuration, in one process and one loop."""

import os
import shlex
import shutil
from importlib import import_module
from pathlib import Path

from log_exporter.call import Timing
from log_exporter.config import SOURCES, Config, Stream
from log_exporter.delivery import Delivery
from log_exporter.errors import UsageError
from log_exporter.loop import run
from log_exporter.messages import printable, say
from log_exporter.setup import Setup
from log_exporter.sources import Source
from log_exporter.stop import Stop


def serve(config: Config, stop: Stop, timing: Timing) -> None:
    """Ship all streams until a stop is asked."""
    host = os.uname().nodename
    sources: list[tuple[Stream, Source]] = []
    try:
        for stream in config.streams:
            setup = Setup(stream.name, host, Path(config.state), Path(config.spool))
            sources.append((stream, import_module(SOURCES[stream.source]).make(setup, stream.settings)))
        run(
            [
                Delivery(source, carrier(config.transport, stream.name), stop, timing, stream=stream.name).run()
                for stream, source in sources
            ]
        )
    finally:
        for stream, source in sources:
            if undelivered := source.close():
                say(f"{stream.name}: {undelivered}")


def carrier(transport: str, stream: str) -> list[str]:
    """Return the command that carries a stream; the word STREAM in it is the stream's name."""
    try:
        command = shlex.split(transport.replace("STREAM", stream))
    except ValueError as error:
        raise UsageError(f"transport: {error}") from error
    if not command or not shutil.which(command[0]):
        raise UsageError(f"transport: cannot find {printable(command[0]) if command else 'a command'}")
    return command
