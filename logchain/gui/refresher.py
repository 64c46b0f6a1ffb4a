"""Reads status, timeline and sessions anew: now and then where something arrived, or when it is asked."""

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from logchain.format.errors import UsageError
from logchain.gui.answers import Objects
from logchain.gui.gaps import marks_of, silences
from logchain.gui.logs import Filter
from logchain.gui.naming import also_taken, choose, names_of
from logchain.gui.plain import shown
from logchain.gui.timeline_picture import BUCKETS

if TYPE_CHECKING:
    from logchain.gui.window import Window

__all__ = ["Refresher"]

_STATUS_EVERY = 30_000  # ms, if anything arrived
_SLOWLY = 10  # times that, if nothing did
_REDRAW_EVERY = 60_000  # ms: timeline and sessions, if anything changed


class Refresher(QObject):
    """Keeps timeline, sessions and quotas of a window up to date, while somebody can see it."""

    throttled = Signal(object)  # the names of qubes that are over their quota, where they are others than before

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self._window = window
        self._changed = self._arrived = False  # since timeline, and status, were read
        self._ticks = 0
        self._throttled: set[str] = set()
        for pause, call in ((_STATUS_EVERY, self._tick), (_REDRAW_EVERY, self._redraw)):
            timer = QTimer(self)
            timer.timeout.connect(call)
            timer.start(pause)

    def note_arrival(self) -> None:
        """Take note that there is something new."""
        self._changed = self._arrived = True

    def change(self) -> None:
        """Draw for another filter."""
        self._changed = True
        self._choose_sessions()
        self._draw_gaps()
        self._redraw()

    def _choose_sessions(self) -> None:
        """Show the sessions of the logs that are shown, in the time that is chosen."""
        shown_now, wanted = self._window.model.filter, self._wanted()
        names = None if wanted == Filter() else {log[:2] for log in self._window.model.logs.passing(wanted)}
        self._window.sessions.choose(names, shown_now.since, shown_now.until)

    def refresh(self) -> None:
        """Read all of it anew."""
        if self._is_seen():
            self._changed = True
            self._read_status()
            self._read_sessions()
            self._redraw()  # it would begin to read them, and we again

    def _is_seen(self) -> bool:
        return self._window.isVisible() and not self._window.isMinimized()

    def _tick(self) -> None:
        self._ticks += 1
        if self._is_seen() and (self._arrived or self._ticks % _SLOWLY == 0):
            self._arrived = False
            self._read_status()

    def _redraw(self) -> None:
        if self._changed and self._is_seen():
            self._changed = False
            if self._window.model.logs.passing(self._wanted(), 1):
                words = ["timeline", "--json", f"--buckets={BUCKETS}", *self.timeline_words()]
                self._window.feed.ask("timeline", words, self._draw)
            else:
                self._window.timeline.set_counts({})
            if not self._window.feed.asks("sessions"):
                self._read_sessions()

    def _wanted(self) -> Filter:
        """Return the filter without its times: timeline and sessions have their own."""
        return self._window.model.filter.of_all_times()

    def timeline_words(self) -> list[str]:
        """Return the options of what the timeline shows: what passes the filter, of all times if it is not zoomed.

        Notes on the timeline what these options count besides.
        """
        wanted, logs = self._wanted(), self._window.model.logs
        names, note = list[str](), ""
        if wanted != Filter():
            passing = logs.passing(wanted)
            try:
                names = choose(passing, logs.all)
                if others := also_taken(passing, logs.all()):
                    note = f"▲ also counts {names_of(others)}"
            except UsageError:
                note = "▲ of all logs: more pass the filter than a command can name"
        self._window.timeline.set_note(note)
        return [*self.timeline_times(), *names]

    def timeline_times(self) -> list[str]:
        """Return the options of the times that the timeline shows."""
        return self._window.bar.times() if self._window.menus.zoom.isChecked() else []

    def _draw(self, found: Objects, said: str) -> None:
        if found:
            self._window.timeline.set_counts(found[0])
        self._tell(said)

    def _tell(self, said: str) -> None:
        if said:
            self._window.statusBar().showMessage(shown(said.replace("\n", " ")), 10_000)

    def _read_sessions(self) -> None:
        self._window.feed.ask("sessions", ["sessions", "--json"], self._take_sessions)

    def _take_sessions(self, found: Objects, said: str) -> None:
        if found or not said:
            self._window.sessions.put(found)
        self._window.sessions.stale = "" if found else said  # what was read before stays, and is told to be old
        self._choose_sessions()
        self._draw_gaps()
        self._tell(said)

    def _draw_gaps(self) -> None:
        rows = self._window.sessions.of_names()
        self._window.timeline.set_gaps(marks_of(rows), silences(rows, time.time_ns() // 1000))

    def _read_status(self) -> None:
        self._window.feed.ask("status", ["status", "--json"], self._take_status)

    def _take_status(self, found: Objects, said: str) -> None:
        if not found:
            self._window.show_banner(said.splitlines())
            return
        status = found[0]
        self._window.quota.put(status)
        self._window.show_banner(status.get("attention") or [])
        over = [budget for budget in status.get("budgets") or () if budget.get("standing") != "within"]
        throttled = {str(name) for budget in over for name in budget.get("names") or ()}
        if throttled != self._throttled:
            self._throttled = throttled
            self.throttled.emit(throttled)
