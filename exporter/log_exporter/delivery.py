"""Calls the collector again and again until everything is delivered."""

import os
import select
import time

from log_exporter.call import Call, Patience, Progress, Timing
from log_exporter.errors import ConnectionLost, Refused, SourceError
from log_exporter.loop import Task, Wait
from log_exporter.messages import say
from log_exporter.sources import Source
from log_exporter.stop import Stop
from log_exporter.transport import Transport


class Delivery:
    """Brings a source's lines to the collector, one call after the other."""

    def __init__(
        self,
        source: Source,
        command: list[str],
        stop: Stop,
        timing: Timing,
        give_up: float | None = None,
        stream: str = "",
    ) -> None:
        self._source = source
        self._command = command
        self._stop = stop
        self._timing = timing
        self._patience = Patience(give_up)
        self._label = f"{stream}: " if stream else ""  # where several streams speak
        self.progress = Progress()
        self._failures = 0
        self._said: set[str] = set()  # since something was stored

    def run(self) -> Task:
        """End when all is delivered or a stop was asked; raise NotDelivered when patience ends."""
        while not self._stop.asked:
            try:
                yield from self._one_call()
            except ConnectionLost as lost:
                yield from self._lost(lost)
            except OSError as error:  # one source that cannot be read is no reason to leave the others
                yield from self._lost(SourceError(f"cannot read: {error.strerror}"))
            else:
                return

    def _one_call(self) -> Task:
        self._failures += 1
        with Transport(self._command) as link:
            call = Call(link, self._source, self._stop, self._timing, self._patience, self.progress)
            try:
                yield from call.run()
            finally:
                if call.useful:  # it stored something, and was a good one, however it ended
                    self._failures = 1
                    self._said.clear()

    def _lost(self, lost: ConnectionLost) -> Task:
        self.progress.lost(str(lost))
        if not self._stop.asked:
            self._tell(lost)
            yield from self._wait(self._delay(lost))

    def _tell(self, lost: ConnectionLost) -> None:
        """Say why, once: a LogVM that is off for hours is no news."""
        if not isinstance(lost, Refused) and str(lost) not in self._said:
            self._said.add(str(lost))
            say(f"{self._label}{lost}; trying again")

    def _delay(self, lost: ConnectionLost) -> float:
        if isinstance(lost, Refused):
            seconds = self._timing.refused
        else:
            doubled = self._timing.first_retry * 2.0 ** min(self._failures - 1, 30)
            seconds = min(doubled, self._timing.longest_retry)
        return seconds * (0.5 + os.urandom(1)[0] / 512)  # so that twenty qubes do not call at once

    def _wait(self, seconds: float) -> Task:
        """Wait for the next call, while the source may fill its memory."""
        until = time.monotonic() + seconds
        readable = True
        while not self._stop.asked and (left := until - time.monotonic()) > 0:
            events = {self._stop.fileno(): select.POLLIN}
            source = self._source.fileno() if readable else None
            if source is not None:
                events[source] = select.POLLIN
            ready = yield Wait(events, min(left, self._patience.left()))
            if source in ready:
                try:
                    self._source.take()
                except OSError:
                    readable = False  # the next call will meet it too
