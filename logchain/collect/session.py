"""One connection of a sender: its lines are stored, and acknowledged when they are durable."""

import os
import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf

from logchain.collect.allowance import Allowance
from logchain.collect.answers import Answers
from logchain.collect.control import STAYS, SUPERSEDE, parse_standing
from logchain.collect.lines import LineSplitter
from logchain.collect.pace import Pace
from logchain.format.errors import Full
from logchain.format.limits import MAX_PART
from logchain.format.record import LINE
from logchain.store.clock import Clock
from logchain.store.stream import StreamWriter

__all__ = ["Session"]

_KEEP_ALIVE = 25.0  # s; the wire promises 30
_WIPE = 1.0  # s until the wipe of the last key is made durable for its own sake
_FAREWELL = 10.0  # s for a sender to read the last `ok`
_TELL_AGAIN = 60.0  # s between two notes that the sender is throttled
_LOOK = 1.0  # s between two tries while the disk is full
_MARK = 3.0  # s between two looks for a mark that asks to close the segment: somebody waits for that
_SILENCE = 30.0  # s after which a sender who says nothing, or hears nothing, makes way for another


class Session:
    """Reads lines from `source`, stores them with `writer`, tells by `answers` what is durable.

    `control` is a descriptor for words of collect/control. The number of a signal ends the session; SUPERSEDE does if
    the sender is silent or cannot be reached, and is answered with STAYS otherwise. `log` takes lines for our own log.
    """

    def __init__(
        self,
        source: int,
        answers: Answers,
        writer: StreamWriter,
        clock: Clock,
        control: int,
        log: Callable[[str], None],
        allowance: Allowance | None = None,
    ) -> None:
        self._source, self._control, self._log, self._allowance = source, control, log, allowance
        self._answers, self._writer, self._clock = answers, writer, clock
        self._session = os.urandom(8)
        self._lines, self._pace = LineSplitter(), Pace()
        self._received: deque[tuple[bytes, list[bytes], int]] = deque()  # cut into lines, and not appended yet
        self._full_until = 0.0  # until when the disk counts as full: no read, no try
        self._wipe_at = inf  # when to make the wipe of the last key durable
        self._look_at = time.monotonic() + _MARK
        self._told_at = -inf  # when the last note of being throttled was written

    def run(self, service: str) -> None:
        """Serve the sender until it ends or `control` says so; what was received is durable then. Raises StoreError."""
        try:
            self._writer.start_session(self._session, service)
            self._pace.appended(time.monotonic())
            self._answers.greet(self._session, self._writer.resume)
            reason = self._receive()
            self._append()
            self._writer.end_session(reason, self._lines.rest, self._lines.unfinished)
            self._writer.commit()
            self._answers.acknowledge(self._writer.durable_lines(self._session))
        finally:
            self._writer.close()
        self._answers.drain(_FAREWELL)

    def _receive(self) -> str:
        """Store what comes until the sender is done; return why it ended."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        acknowledged, hung_up = 0, False
        spoke = heard = time.monotonic()
        while True:
            now = time.monotonic()
            if self._answers.waiting:
                poll.register(self._answers, select.POLLOUT)
            pause = self._pause(now)
            if not pause:
                hung_up = False
                poll.register(self._source, select.POLLIN)
            elif not hung_up:
                heard = now  # it is we who are silent
                poll.register(self._source, 0)
            store = max(self._full_until, min(now + self._pace.wait(now), self._wipe_at, self._look_at))
            events = dict(poll.poll(1000 * max(0.0, min(store, spoke + _KEEP_ALIVE, now + (pause or inf)) - now)))
            if events.pop(self._answers.fileno(), 0):
                poll.unregister(self._answers)
                self._answers.send()
            now = time.monotonic()
            if pause and self._source in events:  # the sender is gone: what it sent can wait, but no longer for itself
                hung_up = True
                poll.unregister(self._source)
            elif self._source in events:
                heard = now
            if self._control in events and (reason := self._hear(now - heard, now)):  # first: it may say how fast
                return reason
            if self._source in events and not pause and not self._take(now):
                return "eof"
            try:
                self._store(now, dry=self._source not in events)
            except Full as error:
                if not self._full_until:
                    self._log(f"{error}; the sender has to wait until there is some")
                self._full_until = time.monotonic() + _LOOK
            durable = self._writer.durable_lines(self._session)
            if durable > acknowledged or now >= spoke + _KEEP_ALIVE:
                acknowledged, spoke = durable, now
                self._answers.acknowledge(acknowledged)

    def _store(self, now: float, *, dry: bool) -> None:
        """Do what it is time for: append, commit, wipe the last key, roll. Raises Full: what came is kept."""
        if now < self._full_until:
            return
        if self._full_until:
            self._writer.note("throttled", reason="full", rate=0)
            self._full_until = 0.0
        self._append()
        if self._pace.due(now, dry=dry, waiting=self._writer.uncommitted):
            self._writer.commit()
            ended = time.monotonic()
            self._pace.committed(now, ended)
            if self._allowance:
                self._allowance.found(self._writer.free(), ended)
            self._wipe_at = ended + _WIPE
        elif now >= self._wipe_at:
            self._writer.settle()
            self._wipe_at = inf
        self._writer.roll_if_old()
        if now >= self._look_at:
            self._look_at = now + _MARK
            self._writer.roll_if_asked()

    def _append(self) -> None:
        """Give the writer what was received. Raises Full, and keeps what the writer did not take."""
        while self._received:
            kind, payloads, received = self._received[0]
            self._writer.append(kind, payloads, received)
            self._received.popleft()
            if kind == LINE:
                self._answers.took(payloads)
        if self._writer.uncommitted:
            self._pace.appended(time.monotonic())

    def _hear(self, silence: float, now: float) -> str:
        """Take in what the control socket says; return why to end, if it says so. `silence` is the sender's, in s."""
        heard = os.read(self._control, 64)
        for word in heard:
            quota, streams = parse_standing(word)
            if self._allowance and quota is not None:
                self._allowance.bound(quota, now)
            elif self._allowance and streams is not None:
                self._allowance.share(streams, now)
            elif bytes([word]) != SUPERSEDE:
                return "stop"
            elif max(silence, self._answers.stuck(now)) >= _SILENCE:
                return "superseded"
            else:
                os.write(self._control, STAYS)
        return "" if heard else "stop"

    def _pause(self, now: float) -> float:
        """Return for how long not to read, s, and note it if it was not noted lately."""
        full = max(0.0, self._full_until - now)
        if not self._allowance:
            return full
        pause, reason = self._allowance.pause(now)
        if reason == "reserve":
            self._allowance.found(self._writer.free(), now)
        if pause and not full and now - self._told_at >= _TELL_AGAIN:
            self._told_at = now
            with suppress(Full):
                rate = 0 if reason == "reserve" else self._allowance.rate
                self._writer.note("throttled", reason=reason, rate=rate)
        return max(full, pause)

    def _take(self, now: float) -> bool:
        """Take what one read brings; all its lines share one time, for that is when they were received."""
        try:
            untrusted_data = os.read(self._source, MAX_PART)
        except ConnectionResetError:
            return False
        received = self._clock.wall()
        self._received += ((kind, payloads, received) for kind, payloads in self._lines.feed(untrusted_data))
        if self._allowance:
            self._allowance.took(len(untrusted_data), now)
        return bool(untrusted_data)
