"""`log-exporter run`: all streams of the configuration, in one process and one loop."""

import json
import os
import select
import shlex
import time
from importlib import import_module
from typing import Any, NoReturn

from log_exporter import notify, status
from log_exporter.call import Timing
from log_exporter.config import SOURCES, Config, Stream, load
from log_exporter.delivery import Delivery
from log_exporter.errors import UsageError
from log_exporter.loop import Task, Wait, run
from log_exporter.messages import printable, say
from log_exporter.setup import Setup
from log_exporter.sources import Source
from log_exporter.spooled import Spooled
from log_exporter.state import State
from log_exporter.stop import Stop
from log_exporter.transport import which

_STATUS_EVERY = 10.0  # seconds


class _Served:
    """A stream that is shipped."""

    def __init__(self, stream: Stream, source: Source, command: list[str], stop: Stop, timing: Timing) -> None:
        self.stream = stream
        self.source = source
        self.delivery = Delivery(source, command, stop, timing, stream=stream.name)

    def status(self) -> status.Status:
        """Return how it goes."""
        progress, now = self.delivery.progress, time.monotonic()
        spool = self.source.spool if isinstance(self.source, Spooled) else None
        return {
            "stream": self.stream.name,
            "source": self.stream.source,
            "state": progress.state,
            "lines": progress.lines,
            "bytes": progress.bytes,
            "lag": progress.lag,
            "last_ok": None if progress.last_ok is None else now - progress.last_ok,
            "spool": spool.size if spool else None,
            "spool_limit": spool.limit if spool else None,
            "dropped": spool.dropped if spool else None,
        }


def loaded(path: str) -> Config:
    """Return the configuration, as dom0 narrows it; raises UsageError.

    A child reads it, so that what only that needs does not stay in memory.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _answer(path, write)
    os.close(write)
    with open(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    error, streams, rest = json.loads(answer or b'["the configuration cannot be read", [], {}]')
    if error:
        raise UsageError(error)
    return Config([Stream(*stream) for stream in streams], **rest)


def _answer(path: str, write: int) -> NoReturn:
    """Tell the parent what the configuration says."""
    try:
        try:
            from log_exporter.qubesdb import narrow, read

            streams, *rest = narrow(load(path), read)
            answer: list[Any] = ["", streams, dict(zip(Config._fields[1:], rest, strict=True))]
        except UsageError as error:
            answer = [str(error), [], {}]
        with open(write, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def serve(config: Config, stop: Stop, timing: Timing) -> None:
    """Ship all streams until a stop is asked."""
    host = os.uname().nodename
    served: list[_Served] = []
    try:
        for stream in config.streams:
            command = carrier(config.transport, stream.name)
            setup = Setup(stream.name, host, State(config.state, stream.name), config.spool)
            source = import_module(SOURCES[stream.source]).make(setup, stream.settings)
            served.append(_Served(stream, source, command, stop, timing))
        notify.tell("READY=1")
        run([_report(config.status, served, stop), *(one.delivery.run() for one in served)])
    finally:
        notify.tell("STOPPING=1")
        for one in served:
            if undelivered := one.source.close():
                say(f"{one.stream.name}: {undelivered}")


def _report(path: str, served: list[_Served], stop: Stop) -> Task:
    """Tell systemd and the status file how it goes."""
    watchdog = notify.watchdog()
    said = False
    every = min(_STATUS_EVERY, watchdog / 2) if watchdog else _STATUS_EVERY
    while not stop.asked:
        connected = sum(one.delivery.progress.state == "connected" for one in served)
        lines = sum(one.delivery.progress.lines for one in served)
        notify.tell(f"WATCHDOG=1\nSTATUS={connected} of {len(served)} streams connected, {lines} lines stored")
        failed = status.write(path, [one.status() for one in served])
        if failed and not said:
            say(f"`log-exporter status` will know nothing: {failed}")
            said = True
        yield Wait({stop.fileno(): select.POLLIN}, every)


def carrier(transport: str, stream: str) -> list[str]:
    """Return the command that carries a stream; the word STREAM in it is the stream's name."""
    try:
        command = shlex.split(transport.replace("STREAM", stream))
    except ValueError as error:
        raise UsageError(f"transport: {error}") from error
    if not command or not which(command[0]):
        raise UsageError(f"transport: cannot find {printable(command[0]) if command else 'a command'}")
    return command
