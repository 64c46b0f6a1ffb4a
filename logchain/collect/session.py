"""One connection of a sender: its lines are stored, and acknowledged when they are durable."""

import os
import select
import time
from math import inf

from logchain.collect.answers import Answers
from logchain.collect.lines import LineSplitter
from logchain.collect.pace import Pace
from logchain.format.limits import MAX_PART
from logchain.format.wire import format_greeting
from logchain.store.clock import Clock
from logchain.store.stream import StreamWriter

__all__ = ["Session"]

_KEEP_ALIVE = 25.0  # s; the wire promises 30
_WIPE = 1.0  # s until the wipe of the last key is made durable for its own sake
_FAREWELL = 10.0  # s for a sender to read the last `ok`


class Session:
    """Reads lines from `source`, stores them with `writer`, tells by `answers` what is durable.

    `stop` is a descriptor that becomes readable when the session shall end.
    """

    def __init__(self, source: int, answers: Answers, writer: StreamWriter, clock: Clock, stop: int) -> None:
        self._source, self._stop = source, stop
        self._answers, self._writer, self._clock = answers, writer, clock
        self._session = os.urandom(8)
        self._lines, self._pace = LineSplitter(), Pace()

    def run(self, service: str) -> None:
        """Serve the sender until it ends or `stop` says so; what was received is durable then. Raises StoreError."""
        try:
            self._writer.start_session(self._session, service)
            self._pace.appended(time.monotonic())
            self._answers.say(format_greeting(self._session, self._writer.resume))
            reason = self._receive()
            self._writer.end_session(reason, self._lines.rest, self._lines.unfinished)
            self._writer.commit()
            self._answers.acknowledge(self._writer.durable_lines(self._session))
        finally:
            self._writer.close()
        self._answers.drain(_FAREWELL)

    def _receive(self) -> str:
        """Store what comes until the sender is done; return why it ended."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        acknowledged, spoke, wipe = 0, time.monotonic(), inf
        while True:
            now = time.monotonic()
            if self._answers.waiting:
                poll.register(self._answers, select.POLLOUT)
            events = dict(poll.poll(1000 * max(0.0, min(now + self._pace.wait(now), spoke + _KEEP_ALIVE, wipe) - now)))
            if events.pop(self._answers.fileno(), 0):
                poll.unregister(self._answers)
                self._answers.send()
            if self._stop in events:
                return "stop"
            if self._source in events and not self._take():
                return "eof"
            now = time.monotonic()
            if self._pace.due(now, dry=self._source not in events, waiting=self._writer.uncommitted):
                self._writer.commit()
                ended = time.monotonic()
                self._pace.committed(now, ended)
                wipe = ended + _WIPE
            elif now >= wipe:
                self._writer.settle()
                wipe = inf
            durable = self._writer.durable_lines(self._session)
            if durable > acknowledged or now >= spoke + _KEEP_ALIVE:
                self._writer.roll_if_old()
                acknowledged, spoke = durable, now
                self._answers.acknowledge(acknowledged)

    def _take(self) -> bool:
        """Store what one read brings; all its lines share one time, for that is when they were received."""
        try:
            untrusted_data = os.read(self._source, MAX_PART)
        except ConnectionResetError:
            return False
        received = self._clock.wall()
        for kind, payloads in self._lines.feed(untrusted_data):
            self._writer.append(kind, payloads, received)
        if self._writer.uncommitted:
            self._pace.appended(time.monotonic())
        return bool(untrusted_data)
