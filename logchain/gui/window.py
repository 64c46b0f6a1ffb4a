"""The window: filter, timeline, and the tabs of logs, sessions and quotas; what happens between them."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QTabWidget, QVBoxLayout, QWidget

from logchain.format.errors import UsageError
from logchain.format.limits import MAX_TIME
from logchain.gui.checks import Checks, store_key
from logchain.gui.command import Logchain
from logchain.gui.doing import Doing
from logchain.gui.feed import Feed
from logchain.gui.filter_bar import FilterBar
from logchain.gui.listing import Listing
from logchain.gui.logs import Filter, Logs
from logchain.gui.logs_model import LogsModel
from logchain.gui.logs_view import LogsView
from logchain.gui.menus import Menus
from logchain.gui.plain import label, shown
from logchain.gui.quota_view import QuotaView
from logchain.gui.refresher import Refresher
from logchain.gui.sessions_view import SessionsView
from logchain.gui.timeline_view import TimelineView
from logchain.read.amounts import format_size

__all__ = ["Window"]

_ARRANGE_EVERY = 500  # ms at least; more where it takes long
_SHARE = 20  # or so many times what it takes: it may cost a twentieth of a core
_AGAIN_EVERY = 30_000  # ms, also where nothing arrives: what is of the last hour changes by itself
_EMPTY = """\
There are no logs here.

If there were some, verify the store (Ctrl+R): it tells whether they were deleted, or taken away.

If no qube has sent anything yet: switch the exporter on in a qube, from dom0:  qvm-service QUBE log-exporter on
Its logs then appear here by themselves."""


class Window(QMainWindow):
    """The main window for one store."""

    def __init__(self, logchain: Logchain, settings: QSettings, checks: Checks) -> None:
        super().__init__()
        self.logchain, self.settings, self.checks = logchain, settings, checks
        self.setWindowTitle(shown(f"logchain — {logchain.store}"))
        self.resize(1240, 780)
        self.feed = Feed(logchain, self)
        self.feed.follow()  # it starts while the rest is made
        self.model = LogsModel(Logs(), self)
        self.bar = FilterBar()
        self.timeline = TimelineView()
        self.logs = LogsView(self.model)
        self.sessions = SessionsView()
        self.quota = QuotaView()
        self.banner = label("")
        self.banner.setAccessibleName("What needs a person")
        self.banner.hide()
        self.tabs = QTabWidget()
        for name, view in (("&Logs", self.logs), ("S&essions", self.sessions), ("&Quotas", self.quota)):
            self.tabs.addTab(view, name)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        for widget in (self.timeline, self.tabs):
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([170, 600])
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(4, 4, 4, 0)
        for part in (self.banner, self.bar, self.splitter):
            layout.addWidget(part)
        layout.setStretch(2, 1)
        self.setCentralWidget(centre)
        self.counts = label("", wrap=False)
        where = label(str(logchain.store), wrap=False)
        for part in (self.counts, where):
            part.setMinimumWidth(1)  # the window may be narrower than what they tell
        self.statusBar().addWidget(self.counts, 1)
        self.statusBar().addPermanentWidget(where)
        self.doing = Doing(self)
        self._labels_key = f"labels-{store_key(logchain.store)}"
        self._arranging = QTimer(self, interval=_ARRANGE_EVERY, singleShot=True)
        self._arranging.timeout.connect(self._arrange_now)
        again = QTimer(self)
        again.timeout.connect(self._arrange_now)
        again.start(_AGAIN_EVERY)
        self.listing = Listing(self.model, self.feed, checks, self)
        self.listing.arrived.connect(self._take_arrival)
        self.listing.completed.connect(self._take_all)
        self.listing.forgot.connect(self._forget)
        self.refresher = Refresher(self)
        self.refresher.throttled.connect(self.listing.throttle)
        self._stale = ""  # why what is shown is no longer current
        self._attention: Sequence[str] = ()
        self.menus = Menus(self)
        self.bar.changed.connect(self.filter)
        self.timeline.chosen.connect(self._choose_time)
        self.logs.pressed.connect(self._press_page)
        self.logs.labelled.connect(self._label)
        self.feed.failed.connect(self._fail)
        self.feed.silent.connect(self._fall_silent)
        self._restore()

    def _take_arrival(self) -> None:
        self.refresher.note_arrival()
        if not self._arranging.isActive():
            self._arranging.start()

    def _take_all(self) -> None:
        self._stale = ""
        self._arranging.start(0)
        self.refresh()

    def _forget(self, vms: Collection[str]) -> None:
        """Keep nothing of these qubes: one that was forgotten leaves no trace here."""
        if any(vm in vms for vm in self._kept_labels()):
            self._label(list(vms), "")

    def _keep_labels(self) -> None:
        self.settings.setValue(self._labels_key, [f"{vm}={name}" for vm, name in self.model.labels.items()])
        self.settings.sync()

    def _arrange_now(self) -> None:
        """Sort and filter anew, with -1h as it is now."""
        with suppress(UsageError):
            self.arrange(self.bar.filter())

    def _kept_labels(self) -> dict[str, str]:
        self.settings.sync()
        kept = self.settings.value(self._labels_key)
        kept = [kept] if isinstance(kept, str) else kept  # one is no list
        pairs = [str(one).partition("=") for one in kept] if isinstance(kept, list) else []
        return {vm: name for vm, _, name in pairs if name}

    def arrange(self, wanted: Filter | None = None) -> None:
        """Sort and filter anew, and tell how many there are."""
        began = time.monotonic()
        self.model.arrange(wanted)
        taken = round(1000 * (time.monotonic() - began))
        self._arranging.setInterval(max(_ARRANGE_EVERY, _SHARE * taken))
        count, records, size, room = self.model.logs.sums()
        found = self.model.rowCount()
        sizes = f"{format_size(size)} of text, {format_size(room)} on disk"
        self.counts.setText(f"{found:,} of {count:,} logs; {records:,} records, {sizes}")
        if found:
            self.logs.show_tree()
        elif count:
            self.logs.show_page("No log passes the filter.", "&Show all")
        elif self.listing.is_complete:
            self.logs.show_page(_EMPTY, "&Try again")

    def filter(self, wanted: Filter) -> None:
        """Show other logs and sessions."""
        self.arrange(wanted)
        if not (wanted.since or wanted.until < MAX_TIME):
            self.timeline.clear_choice()
        self.refresher.change()

    def _fail(self, why: str) -> None:
        self.statusBar().showMessage("The list of logs is not kept current now; trying again.", 4_000)
        if not self.model.logs.sums()[0]:
            self.logs.show_page(f"There is no list of logs:\n\n{why}\n\n{self.logchain.line('list')}", "&Try again")
        else:
            self._stale = f"what is shown is no longer current: {why}"
            self.show_banner(self._attention)

    def _fall_silent(self, now: bool) -> None:
        self._stale = "what is shown may be no longer current: 'logchain list' says nothing (F5: again)" if now else ""
        self.show_banner(self._attention)

    def _press_page(self) -> None:
        if self.model.logs.sums()[0]:
            self.bar.show_all()
        else:
            self.feed.follow()

    def _label(self, vms: Sequence[str], name: str) -> None:
        others = {vm: kept for vm, kept in self._kept_labels().items() if vm not in vms}  # another window's too
        self.model.labels = others | (dict.fromkeys(vms, name) if name else {})
        self._keep_labels()
        self.logs.tree.viewport().update()

    def refresh(self) -> None:
        """Read all of it anew, but for the list, which is current."""
        self.refresher.refresh()

    def show_banner(self, lines: Sequence[str]) -> None:
        """Show what needs a person, in short; above all, that what is shown is old."""
        self._attention = lines
        lines = [self._stale, *lines] if self._stale else lines
        more = f"\nand {len(lines) - 3} more: see Quotas" if len(lines) > 3 else ""
        self.banner.setText(shown("\n".join(f"▲ {line}" for line in lines[:3]) + more))
        self.banner.setVisible(bool(lines))

    def _choose_time(self, since: int | None, until: int | None) -> None:
        if since is None or until is None:
            self.bar.since.setCurrentText("")
            self.bar.until.setCurrentText("")
        else:
            self.bar.set_range(since, until)
        self.bar.tell()

    # layout, kept for each user

    def _layouts(self) -> dict[str, tuple[Callable[[], QByteArray], Callable[[QByteArray], bool]]]:
        """Return what saves and what restores each part of it, by the name that it is kept under."""
        columns, sessions = self.logs.tree.header(), self.sessions.table.horizontalHeader()
        return {
            "geometry": (self.saveGeometry, self.restoreGeometry),
            "splitter": (self.splitter.saveState, self.splitter.restoreState),
            "columns": (columns.saveState, columns.restoreState),
            "sessions": (sessions.saveState, sessions.restoreState),
        }

    def _restore(self) -> None:
        for name, (_, restore) in self._layouts().items():
            state = self.settings.value(name)
            if isinstance(state, QByteArray):  # whatever else stands there was not written by us
                restore(state)
        self.model.labels = self._kept_labels()
        self.menus.restore()
        header = self.logs.tree.header()
        self.model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Keep the layout, and end all that runs; ask first where that is an action."""
        if self.doing.is_busy():
            self.doing.ask_to_end()
            event.ignore()
            return
        for name, (save, _) in self._layouts().items():
            self.settings.setValue(name, save())
        self.menus.save()
        self.settings.sync()
        self.feed.stop()
        for timer in self.findChildren(QTimer):
            timer.stop()
        self.model.close()
        super().closeEvent(event)
