"""The window's menus, and the choices in them that are kept."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

import logchain
from logchain.gui.actions import ACTIONS
from logchain.gui.colours import SCHEMES, set_scheme
from logchain.gui.gaps import MARKS
from logchain.gui.plain import message
from logchain.gui.states import SIGNS, STATES

if TYPE_CHECKING:
    from logchain.gui.window import Window

__all__ = ["Menus"]

_PREVIEWS = """\
Log text is chosen by whoever wrote it. A preview shows it in this window, escaped, and at most 200 lines; the safer \
way is to open it in a disposable. Previews stay allowed until you switch them off here."""


class Menus:
    """The menu bar, and the context menu of logs."""

    def __init__(self, window: "Window") -> None:
        self._window = window
        bar = window.menuBar()
        self.log = bar.addMenu("&Log")
        for before, action in zip((None, *ACTIONS), ACTIONS, strict=False):
            if before and action.danger > before.danger:
                self.log.addSeparator()
            self._add(self.log, action.name, lambda _=False, action=action: window.doing.act(action), action.shortcut)
        self.log.addSeparator()
        self.preview = self._add(self.log, "&Preview of the last lines", lambda: window.doing.preview(), "Ctrl+P")
        self.preview.setEnabled(False)
        self._add(self.log, "Copy as &command", lambda: window.doing.copy_command(), "Ctrl+Shift+C")
        self.log.addSeparator()
        self._close = self._add(self.log, "Close", lambda: window.close(), "Ctrl+Q")
        view = bar.addMenu("&View")
        self._add(view, "&Refresh", lambda: window.listing.read_again(), "F5")
        for place in range(window.tabs.count()):
            name = window.tabs.tabText(place)
            self._add(view, name, lambda _=False, place=place: window.tabs.setCurrentIndex(place), f"Ctrl+{place + 1}")
        self._add(view, "Go to the &timeline", lambda: window.timeline.setFocus(), "Ctrl+T")
        view.addSeparator()
        self.shows_timeline = self._check(view, "Show the t&imeline", window.timeline.setVisible, on=True)
        self.zoom = self._check(view, "&Zoom the timeline to the chosen time", lambda _: window.refresh(), "Ctrl+Z")
        view.addSeparator()
        view.addMenu(window.logs.columns_menu())
        colours = view.addMenu("C&olours")
        self._schemes = QActionGroup(window)
        for name in SCHEMES:
            entry = self._check(colours, f"As the {name}" if name == "system" else name.capitalize(), self._colour)
            entry.setData(name)
            self._schemes.addAction(entry)
        self._schemes.actions()[0].setChecked(True)
        view.addSeparator()
        self.previews = self._check(view, "Allow &previews of log text", self._allow)
        help_menu = bar.addMenu("&Help")
        self._add(help_menu, "What the &signs mean", self._tell_signs, "F1")
        self._add(help_menu, "&About logchain", self._tell_version)
        window.logs.menu_wanted.connect(self._pop_up)

    def _add(self, menu: QMenu, name: str, call: object, shortcut: str = "") -> QAction:
        entry = menu.addAction(name)
        entry.triggered.connect(call)
        entry.setShortcut(QKeySequence(shortcut))
        return entry

    def _check(self, menu: QMenu, name: str, call: object, shortcut: str = "", *, on: bool = False) -> QAction:
        entry = menu.addAction(name)
        entry.setCheckable(True)
        entry.setChecked(on)
        entry.toggled.connect(call)
        entry.setShortcut(QKeySequence(shortcut))
        return entry

    def _pop_up(self, at: QPoint) -> None:
        menu = QMenu(self._window)
        menu.addActions([entry for entry in self.log.actions() if entry is not self._close])
        menu.addMenu(self._window.logs.label_menu())
        menu.exec(at)

    def _colour(self, on: bool) -> None:
        chosen = self._schemes.checkedAction()
        if on and chosen:
            set_scheme(str(chosen.data()))

    def _allow(self, on: bool) -> None:
        self.preview.setEnabled(on)
        if on and self._window.isVisible():
            message(self._window, _PREVIEWS).open()

    def _tell_signs(self) -> None:
        states = [f"{SIGNS.get(state, '')} {state}: {words}".strip() for state, words in STATES.items()]
        marks = [f"{sign}: {words}" for sign, words in MARKS.values()]
        text = "States:\n" + "\n".join(states) + "\n\nBelow the timeline (hatched: nobody was connected):\n"
        message(self._window, text + "\n".join(marks)).open()

    def _tell_version(self) -> None:
        message(self._window, f"logchain {logchain.__version__}\nThe guide is docs/guides/gui.md.").open()

    def restore(self) -> None:
        """Take up the choices that were kept."""
        settings = self._window.settings
        for name, entry in self._kept().items():
            if settings.contains(name):
                entry.setChecked(settings.value(name) in (True, "true"))
        scheme = settings.value("colours", "system")
        for entry in self._schemes.actions():
            entry.setChecked(entry.data() == scheme)

    def save(self) -> None:
        """Keep the choices."""
        for name, entry in self._kept().items():
            self._window.settings.setValue(name, entry.isChecked())
        chosen = self._schemes.checkedAction()
        self._window.settings.setValue("colours", chosen.data() if chosen else "system")

    def _kept(self) -> dict[str, QAction]:
        return {"timeline": self.shows_timeline, "previews": self.previews, "zoom": self.zoom}
