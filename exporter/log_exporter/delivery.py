"""Calls the collector again and again until everything is delivered."""

import math
import random
import select
import time

from log_exporter.call import Call, Patience, Timing
from log_exporter.errors import ConnectionLost, Refused
from log_exporter.messages import say
from log_exporter.sources import Source
from log_exporter.stop import Stop
from log_exporter.transport import Transport


class Delivery:
    """Brings a source's lines to the collector, one call after the other."""

    def __init__(
        self, source: Source, command: list[str], stop: Stop, timing: Timing, give_up: float | None = None
    ) -> None:
        self._source = source
        self._command = command
        self._stop = stop
        self._timing = timing
        self._patience = Patience(give_up)
        self._failures = 0
        self._said: set[str] = set()  # since something was stored

    def run(self) -> None:
        """Return when all is delivered or a stop was asked; raise NotDelivered when patience ends."""
        while not self._stop.asked and not self._one_call():
            pass

    def _one_call(self) -> bool:
        useful = False
        try:
            with Transport(self._command) as link:
                call = Call(link, self._source, self._stop, self._timing, self._patience)
                try:
                    call.run()
                    return True
                finally:
                    useful = call.useful
        except ConnectionLost as lost:
            # A call that stored something was a good one, however it ended.
            self._failures = 1 if useful else self._failures + 1
            if useful:
                self._said.clear()
            if not self._stop.asked:
                self._tell(lost)
                self._wait(self._delay(lost))
        return False

    def _tell(self, lost: ConnectionLost) -> None:
        """Say why, once: a LogVM that is off for hours is no news."""
        if not isinstance(lost, Refused) and str(lost) not in self._said:
            self._said.add(str(lost))
            say(f"{lost}; trying again")

    def _delay(self, lost: ConnectionLost) -> float:
        if isinstance(lost, Refused):
            seconds = self._timing.refused
        else:
            doubled = self._timing.first_retry * 2.0 ** min(self._failures - 1, 30)
            seconds = min(doubled, self._timing.longest_retry)
        return seconds * random.uniform(0.5, 1.0)  # so that twenty qubes do not call at once

    def _wait(self, seconds: float) -> None:
        """Wait for the next call, while the source may fill its memory."""
        until = time.monotonic() + seconds
        while not self._stop.asked and (left := until - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._stop.fileno(), select.POLLIN)
            source = self._source.fileno()
            if source is not None:
                poll.register(source, select.POLLIN)
            ready = dict(poll.poll(math.ceil(min(left, self._patience.left()) * 1000)))
            if source in ready:
                self._source.take()
