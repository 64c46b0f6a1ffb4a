"""One call of the transport: a greeting, lines up, acknowledgements down."""

import math
import select
import time
from typing import NamedTuple

from log_exporter.errors import ConnectionLost, NotDelivered, Refused, WireError
from log_exporter.loop import Task, Wait
from log_exporter.sources import Source
from log_exporter.stop import Stop
from log_exporter.transport import POLICY_REFUSED, Transport
from log_exporter.wire import Event, Greeting, Incoming, Ok

_AT_ONCE = 8  # pieces that one stream sends before the others get their turn
_NO_NEWS = 0.1  # seconds for which nobody listens to a collector that said nothing new: it may say that without end


class Timing(NamedTuple):
    """How long to wait for what, in seconds."""

    greeting: float = 20.0  # one call in a thousand hangs for ever (a race in qrexec)
    silence: float = 90.0  # the collector says `ok` every 30 s
    last_words: float = 5.0  # after a stop, or when the collector takes no more
    first_retry: float = 0.2
    longest_retry: float = 60.0
    refused: float = 180.0  # the policy says no: each try costs dom0 a line in its journal


class Progress:
    """How it goes, for whoever asks."""

    def __init__(self) -> None:
        self.lines = self.bytes = 0  # acknowledged, sent
        self.state = "calling"
        self.last_ok: float | None = None  # when a line was acknowledged last, by the monotonic clock
        self.idle = False  # there was nothing left to send or to be acknowledged when we last looked,
        self.last_idle = time.monotonic()  # and this was then

    def lost(self, why: str) -> None:
        """Note that the call is over."""
        self.state = why
        if self.idle:
            self.idle, self.last_idle = False, time.monotonic()

    @property
    def lag(self) -> float:
        """Seconds for which there has been something left, or nobody to look."""
        return 0.0 if self.idle else time.monotonic() - self.last_idle


class Patience:
    """How much longer to try, if there is a limit; progress starts it anew."""

    def __init__(self, limit: float | None) -> None:
        self._limit = math.inf if limit is None else limit
        self.progress()

    def progress(self) -> None:
        """Note that it is going on."""
        self._until = time.monotonic() + self._limit

    def left(self) -> float:
        """Return the seconds left; raise NotDelivered if there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise NotDelivered(f"gave up: nothing was acknowledged for {self._limit:g} s")
        return left


class Call:
    """One open stream, as a task; it ends when all is delivered or a stop was asked."""

    def __init__(
        self, link: Transport, source: Source, stop: Stop, timing: Timing, patience: Patience, progress: Progress
    ) -> None:
        self._link = link
        self._source = source
        self._stop = stop
        self._timing = timing
        self._patience = patience
        self._progress = progress
        self._incoming = Incoming()
        self._data = b""  # what the source gave last,
        self._at = 0  # and how much of it has gone
        self._sent = self._acknowledged = 0  # lines
        self._sending = True  # our half of the stream is open
        self._taken = True  # the program took all that we gave it, so far
        self._stopping = False
        self._greeted = False
        self._deadline = time.monotonic() + timing.greeting
        self._listen_at = 0.0

    @property
    def useful(self) -> bool:
        """Whether the call got a line stored."""
        return self._acknowledged > 0

    def run(self) -> Task:
        """Send until the source has no more, and wait for the last `ok`."""
        while True:
            if self._stop.asked and not self._stopping:
                self._stopping = True
                self._deadline = min(self._deadline, time.monotonic() + self._timing.last_words)
            self._fill()
            if self._finished():
                if not self._stopping:  # who carries the call stays until the collector has stored its end
                    events = {self._link.ended: select.POLLIN, self._stop.fileno(): select.POLLIN}
                    yield Wait(events, self._timing.last_words)
                return
            yield from self._turn()

    def _fill(self) -> None:
        """Read and send while both go on, for a while: mostly there is room, and then nothing more to send."""
        for _ in range(_AT_ONCE):
            if not self._sending or not self._greeted or self._pending():
                break
            self._next()
            if not self._pending():
                break
            self._send()

    def _finished(self) -> bool:
        if self._stopping and (not self._greeted or time.monotonic() >= self._deadline):
            return True
        everything = self._taken and self._acknowledged == self._sent
        if self._greeted and everything:
            self._patience.progress()
        return everything and not self._sending

    def _pending(self) -> bool:
        return self._at < len(self._data)

    def _next(self) -> None:
        if not self._stopping:
            self._data, self._at = self._source.read(), 0
            was_idle, self._progress.idle = self._progress.idle, not self._data and self._acknowledged == self._sent
            if was_idle or self._progress.idle:
                self._progress.last_idle = time.monotonic()
        if not self._pending() and (self._stopping or self._source.finished):
            self._close_our_half()

    def _close_our_half(self) -> None:
        self._link.half_close()
        self._sending = False

    def _turn(self) -> Task:
        """Wait until something can be done, and do it."""
        source = None if self._stopping else self._source.fileno()
        events = {}
        if time.monotonic() >= self._listen_at:
            events[self._link.down] = select.POLLIN
        if not self._stopping:
            events[self._stop.fileno()] = select.POLLIN
        if self._pending():
            events[self._link.up] = select.POLLOUT
        if source is not None:
            events[source] = select.POLLIN
        ready = yield Wait(events, self._seconds())

        if self._link.down in ready:
            yield from self._receive()
        if self._pending() and self._link.up in ready:
            self._send()
        if source in ready:
            self._source.take()
        # The deadline comes last: after a suspend the `ok` may long be there.
        if time.monotonic() >= self._deadline and not self._stopping:
            self._too_late()

    def _seconds(self) -> float:
        seconds = min(max(0.0, self._deadline - time.monotonic()), self._patience.left())
        waiting = self._sending and self._greeted and not self._pending()  # for the source
        pause = 0.0 if self._data else self._source.pause  # it had something, and was not asked again
        seconds = min(seconds, pause) if waiting and pause is not None else seconds
        deaf = self._listen_at - time.monotonic()
        return min(seconds, deaf) if deaf > 0 else seconds

    def _too_late(self) -> None:
        if not self._taken:
            raise ConnectionLost("the transport takes no more")
        raise ConnectionLost("the collector has gone silent" if self._greeted else "no greeting came")

    def _receive(self) -> Task:
        untrusted_data = self._link.receive()
        if untrusted_data is None:
            return
        if not untrusted_data:
            yield Wait({self._link.ended: select.POLLIN}, 1.0)
            self._lost()
        before = self._greeted, self._acknowledged
        for event in self._incoming.feed(untrusted_data):
            self._hear(event)
        if (self._greeted, self._acknowledged) == before:
            self._listen_at = time.monotonic() + _NO_NEWS

    def _hear(self, event: Event) -> None:
        if isinstance(event, Greeting):
            self._greeted = True
            self._progress.state = "connected"
            self._source.begin(event)
        elif isinstance(event, Ok):
            if event.lines > self._sent:
                raise WireError("the collector acknowledged lines that were not sent")
            if event.lines > self._acknowledged:
                self._progress.lines += event.lines - self._acknowledged
                self._progress.last_ok = time.monotonic()
                self._acknowledged = event.lines
                self._source.acknowledge(event.lines)
                self._patience.progress()
        else:
            raise ConnectionLost(f"the collector says: {event.words}")
        if self._taken and not self._stopping:
            self._deadline = time.monotonic() + self._timing.silence

    def _send(self) -> None:
        try:
            gone = self._at + self._link.send(memoryview(self._data)[self._at :])
        except BrokenPipeError:
            # Its last words may still be on their way to us.
            self._taken = False
            self._data = b""
            self._close_our_half()
            self._deadline = min(self._deadline, time.monotonic() + self._timing.last_words)
            return
        self._sent += self._data.count(b"\n", self._at, gone)
        self._progress.bytes += gone - self._at
        self._at = gone

    def _lost(self) -> None:
        if self._link.exit_code(0) == POLICY_REFUSED and not self._greeted:
            raise Refused("the policy refuses the call")
        raise ConnectionLost("the call ended" if self._greeted else "nobody answers")
