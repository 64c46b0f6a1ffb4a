"""Calls the collector again and again until everything is delivered."""

import os
import select
import time
from collections.abc import Generator

from log_exporter.call import Call, Patience, Progress, Timing
from log_exporter.errors import ConnectionLost, Refused
from log_exporter.loop import Ready, Task, Wait
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
            if (yield from self._one_call()):
                return

    def _one_call(self) -> Generator[Wait, Ready, bool]:
        useful = False
        try:
            with Transport(self._command) as link:
                call = Call(link, self._source, self._stop, self._timing, self._patience, self.progress)
                try:
                    yield from call.run()
                    return True
                finally:
                    useful = call.useful
        except ConnectionLost as lost:
            self.progress.lost(str(lost))
            # A call that stored something was a good one, however it ended.
            self._failures = 1 if useful else self._failures + 1
            if useful:
                self._said.clear()
            if not self._stop.asked:
                self._tell(lost)
                yield from self._wait(self._delay(lost))
        return False

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
        while not self._stop.asked and (left := until - time.monotonic()) > 0:
            events = {self._stop.fileno(): select.POLLIN}
            source = self._source.fileno()
            if source is not None:
                events[source] = select.POLLIN
            ready = yield Wait(events, min(left, self._patience.left()))
            if source in ready:
                self._source.take()
