"""Keeps the list of logs current: takes in what `logchain list --follow` tells, and asks for what is below a log."""

import time
from collections.abc import Collection
from typing import Any, TypeAlias

from PySide6.QtCore import QObject, QTimer, Signal

from logchain.gui.answers import Objects
from logchain.gui.below import rows_below, words_below
from logchain.gui.checks import Checks
from logchain.gui.feed import Feed
from logchain.gui.logs import Log
from logchain.gui.logs_model import LogsModel
from logchain.gui.states import as_log

__all__ = ["Listing"]

_QUIET_EVERY = 30_000  # ms until senders that fell silent are looked for

_Name: TypeAlias = tuple[str, str]  # VM and stream


class Listing(QObject):
    """Fills a model from a feed, with what is known of each log's integrity."""

    arrived = Signal()  # something is new; it is shown after the model's `arrange`
    completed = Signal()  # all logs that there are were told
    forgot = Signal(object)  # the VMs of logs that were forgotten, and that have no other log

    def __init__(self, model: LogsModel, feed: Feed, checks: Checks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model, self._feed, self._checks = model, feed, checks
        self.is_complete = False
        self._told: set[_Name] = set()  # names that the list told, until it is complete
        self._forgotten: frozenset[str] = frozenset()  # ids, when the list began
        self._connected: dict[_Name, dict[str, Any]] = {}
        self._throttled: Collection[str] = ()
        quiet = QTimer(self)
        quiet.timeout.connect(self._put_connected)
        quiet.start(_QUIET_EVERY)
        feed.rows.connect(self._take)
        feed.failed.connect(self._begin_anew)
        model.opened.connect(self._read_below)

    def throttle(self, vms: Collection[str]) -> None:
        """Show these qubes as throttled, and no others."""
        self._throttled = vms
        self._put_connected()

    def read_again(self) -> None:
        """Read the list anew, and what is below the rows that are open."""
        self._begin_anew()
        self._feed.follow()
        for name in self._model.opened_names():
            self._read_below(*name)

    def _begin_anew(self) -> None:
        self._told, self.is_complete = set(), False

    def _take(self, rows: Objects) -> None:
        """Take in logs, new or changed or gone; and that all were told."""
        logs: list[Log] = []
        gone: dict[_Name, str] = {}
        for row in rows:
            if "forgotten" in row:
                self._forgotten = frozenset(map(str, row["forgotten"]))
                self._checks.forget(self._forgotten)
            if "vm" not in row:
                continue
            name = str(row.get("vm")), str(row.get("stream"))
            if row.get("state") == "gone":
                gone[name] = str(row.get("id", ""))
                self._checks.forget({gone[name]} - {""}, {"/".join(name)})
                continue
            if not self.is_complete:
                self._told.add(name)
            if row.get("connected"):
                self._connected[name] = row
            else:
                self._connected.pop(name, None)
            logs.append(self._log(row))
        if gone:
            self._remove(gone.keys() - {log[:2] for log in logs})  # it may have come again
        self._put(logs)
        if logs or gone:
            self.arrived.emit()
        if not self.is_complete and any("listed" in row for row in rows):  # it says so again now and then
            self._complete()

    def _complete(self) -> None:
        """See which logs went while nobody told us: forgotten, or by another hand."""
        others = [log for log in self._model.logs.all() if log[:2] not in self._told]
        gone = {log[:2] for log in others if log.id in self._forgotten or (log.state == "empty" and not log.id)}
        self._remove(gone)
        for log in others:
            self._connected.pop(log[:2], None)
        self._put([log._replace(state="missing") for log in others if log[:2] not in gone])
        vms = self._model.logs.vms()
        if self._forgotten and vms:  # else the store may only be on its way back from a backup
            self.forgot.emit(set(self._model.labels) - vms)
        self._told, self.is_complete = set(), True
        self.completed.emit()

    def _put(self, logs: list[Log]) -> None:
        """Show logs with what is known of each one's integrity."""
        self._model.put([log._replace(integrity=self._checks.of(log)) for log in logs])

    def judge(self) -> None:
        """Tell anew what is known of the integrity of all logs."""
        self._put(self._model.logs.all())

    def _remove(self, names: Collection[_Name]) -> None:
        for name in names:
            self._model.logs.remove(*name)
            self._connected.pop(name, None)
        self.forgot.emit({vm for vm, _ in names} - self._model.logs.vms())

    def _put_connected(self) -> None:
        """Tell anew how the logs stand whose senders are connected: one may have fallen silent."""
        self._put([self._log(row) for row in self._connected.values()])

    def _log(self, row: dict[str, Any]) -> Log:
        return as_log(row, self._throttled, time.time_ns() // 1000)

    def _read_below(self, vm: str, stream: str) -> None:
        """Ask for the segments and sessions of a log that was opened."""
        names = [f"--vm={vm}", f"--stream={stream}", "--json"]
        segments: Objects = []

        def take_sessions(found: Objects, said: str) -> None:
            self._model.set_below(vm, stream, rows_below(segments, found, said))

        def take_segments(found: Objects, said: str) -> None:
            segments.extend(found)
            self._model.set_below(vm, stream, [*rows_below(found, (), said), words_below("reading the sessions …")])
            self._feed.ask(f"sessions {vm} {stream}", ["sessions", *names], take_sessions)

        self._feed.ask(f"segments {vm} {stream}", ["list", "--segments", *names], take_segments)
