"""Does what a person asks for in the window: actions with their dialogs, previews, commands to copy."""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from logchain.format.errors import UsageError
from logchain.gui.actions import Action
from logchain.gui.checks import told_of
from logchain.gui.job import Job
from logchain.gui.logs import Filter, Log
from logchain.gui.naming import also_taken, choose, names_of
from logchain.gui.options import Options
from logchain.gui.plain import message, shown
from logchain.gui.timeline_picture import BUCKETS

if TYPE_CHECKING:
    from logchain.gui.window import Window

__all__ = ["Doing"]

_PREVIEW = 200  # lines


class Doing(QObject):
    """Runs what is asked for on behalf of a window; `jobs` are the dialogs of it."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self._window = window
        self.jobs: list[Job] = []
        self._asking = False  # whether what runs shall end

    def is_busy(self) -> bool:
        """Tell whether a command still runs."""
        return any(job.code is None for job in self.jobs)

    def ask_to_end(self) -> None:
        """Ask whether to cancel what runs; if so, cancel it, and close the window when it has ended."""
        keep, end = QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Close
        if self._asking:
            return
        self._asking = True
        box = message(
            self._window,
            "A command still runs. If the window closes now it is cancelled; what was opened in a disposable goes too.",
            buttons=(keep, end),
        )
        box.button(end).clicked.connect(self._end_all)
        box.finished.connect(self._asked)
        box.open()

    def _asked(self) -> None:
        self._asking = False

    def _end_all(self) -> None:
        if not self.is_busy():  # it ended while we asked
            self._window.close()
        for job in self.jobs:
            if job.code is None:
                job.done_with.connect(lambda _: self.is_busy() or self._window.close())
                job.cancel()

    def act(self, action: Action) -> None:
        """Ask for an action's options, and run it."""
        logs = self._window.logs.chosen()
        known = self._window.model.logs.all()
        if action.takes_logs and not logs:
            message(self._window, "Choose one or more logs in the list first.").open()
            return
        times = dict(option.split("=", 1) for option in self._window.bar.times())
        options = Options(self._window.logchain, action, logs, known, times, self._window)
        options.accepted.connect(lambda: self.run(action, options.words()))
        options.open()

    def run(self, action: Action, words: Sequence[str]) -> Job:
        """Run a command of an action, in a dialog of its own."""
        whole = not any(word.startswith(("--vm=", "--stream=")) for word in words)
        as_json = partial(self._take_report, whole=whole) if "--json" in words else None
        job = Job(self._window.logchain, action.title, words, self._window, results=action.results, as_json=as_json)
        return self._show(job)

    def preview(self) -> None:
        """Show the last lines of the selected logs, escaped, as far as previews are allowed."""
        logs = self._window.logs.chosen()
        if logs and self._window.menus.previews.isChecked():
            names = self._choose(logs)
            if names is None:
                return
            others = also_taken(logs, self._window.model.logs.all())
            also = f"; ▲ also of {names_of(others)}" if others else ""
            words = ["show", "--no-pager", "--output=short-full", f"--lines={_PREVIEW}", *names]
            self._show(Job(self._window.logchain, f"The last {_PREVIEW} lines{also}", words, self._window))

    def _choose(self, logs: Sequence[Log]) -> list[str] | None:
        """Return the options that choose these logs; None, and the person is told, where there are too many."""
        try:
            return choose(logs, self._window.model.logs.all)
        except UsageError as error:
            message(self._window, str(error)).open()
            return None

    def _show(self, job: Job) -> Job:
        for one in [one for one in self.jobs if one.code is not None and not one.isVisible()]:
            self.jobs.remove(one)
            one.deleteLater()
        self.jobs.append(job)
        job.done_with.connect(lambda _: self._window.refresh())
        job.show()
        return job

    def _take_report(self, report: dict[str, Any], *, whole: bool) -> str:
        """Keep what a check found, and return what it tells."""
        try:
            self._window.checks.take(report, time.time_ns() // 1000, self._window.model.logs.all(), whole=whole)
        except OSError as error:
            self._window.statusBar().showMessage(shown(f"The result could not be kept: {error}"), 10_000)
        self._window.listing.judge()
        return told_of(report)

    def copy_command(self) -> None:
        """Copy the command that shows what this view shows."""
        view, wanted = self._window.tabs.currentWidget(), self._window.model.filter
        logs: list[Log] = []
        words: list[str] = []
        if view is self._window.quota:
            words = ["status"]
        elif self._window.timeline.hasFocus():
            words, logs = ["timeline", f"--buckets={BUCKETS}"], self._passing(wanted.of_all_times())
            words += self._window.refresher.timeline_times()
        elif view is self._window.sessions:
            words, logs = ["sessions", *self._window.bar.times()], self._passing(wanted.of_all_times())
        elif logs := self._window.logs.chosen():
            words = ["show", *self._window.bar.times()]
        else:
            words, logs = ["list"], self._passing(wanted)
        if not self._window.model.rowCount() and view is not self._window.quota:
            self._window.statusBar().showMessage("Nothing passes the filter: there is no command for that.", 10_000)
            return
        names = self._choose(logs)
        if names is None:
            return
        line = self._window.logchain.line(*words, *names)
        others = also_taken(logs, self._window.model.logs.all())
        also = f"; ▲ it also takes {names_of(others)}" if others else ""
        QGuiApplication.clipboard().setText(line)
        self._window.statusBar().showMessage(shown(f"Copied: {line}{also}"), 10_000)

    def _passing(self, wanted: Filter) -> list[Log]:
        """Return the logs that pass a filter; none, which no command has to name, where all do."""
        return [] if wanted == Filter() else self._window.model.logs.passing(wanted)
