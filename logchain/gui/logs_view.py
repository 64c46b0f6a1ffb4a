"""The list of logs on the screen: a tree of them, or a page that tells why there is none and what to do."""

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QPushButton,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from logchain.gui.columns import set_widths
from logchain.gui.logs import COLUMNS, Log
from logchain.gui.logs_model import HEADINGS, LABELS, LogsModel
from logchain.gui.plain import label, mnemonic, shown

__all__ = ["LogsView"]

_WIDTHS = (20, 9, 18, 18, 9, 9, 9, 11, 30)  # digits


class LogsView(QStackedWidget):
    """The tree, or the page."""

    labelled = Signal(list, str)  # VMs, and the label that the person says they have; empty: none
    menu_wanted = Signal(QPoint)  # on the screen
    pressed = Signal()  # the button of the page

    def __init__(self, model: LogsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.tree = QTreeView()
        self.tree.setModel(model)
        self.tree.setAccessibleName("Logs")
        self.tree.collapsed.connect(model.forget_below)
        self.tree.setUniformRowHeights(True)
        self.tree.setAlternatingRowColors(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(self.tree.viewport().mapToGlobal(at))
        )
        header = self.tree.header()
        header.setSectionsMovable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSortIndicator(COLUMNS.index("last"), Qt.SortOrder.DescendingOrder)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(lambda at: self.columns_menu().exec(header.mapToGlobal(at)))
        self.tree.setSortingEnabled(True)
        set_widths(header, _WIDTHS)
        self.told = label("Reading the list of logs …")
        self.told.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.told.setAccessibleName("Why there are no logs here")
        self.button = QPushButton("&Try again")
        self.button.clicked.connect(self.pressed)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addStretch()
        layout.addWidget(self.told)
        layout.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignCenter)
        layout.addStretch()
        self.addWidget(self.tree)
        self.addWidget(page)
        self.setCurrentIndex(1)
        self.button.hide()
        QShortcut(
            QKeySequence("Shift+F10"), self.tree, self._menu_at_current, context=Qt.ShortcutContext.WidgetShortcut
        )

    def show_tree(self) -> None:
        """Show the list."""
        self.setCurrentIndex(0)

    def show_page(self, text: str, button: str = "") -> None:
        """Show a text in place of the list, with a button if it has a name."""
        self.told.setText(shown(text))
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.setCurrentIndex(1)

    def chosen(self) -> list[Log]:
        """Return the logs that are selected, or of which something below is, in the order of the list."""
        found: dict[tuple[str, str], Log] = {}
        for index in sorted(self.tree.selectionModel().selectedRows(), key=lambda index: index.row()):
            log = self.model.log(index)
            if log:
                found[log[:2]] = log
        return list(found.values())

    def choose(self, vm: str, stream: str) -> bool:
        """Select one log alone; tell whether it is shown."""
        for place in range(self.model.rowCount()):
            if self.model.logs.at(place)[:2] == (vm, stream):
                flags = QItemSelectionModel.SelectionFlag
                self.tree.selectionModel().setCurrentIndex(
                    self.model.index(place, 0), flags.ClearAndSelect | flags.Rows
                )
                return True
        return False

    def columns_menu(self) -> QMenu:
        """Return the menu that shows and hides columns; the first always stays."""
        menu = QMenu("&Columns", self)
        for column, name in enumerate(HEADINGS):
            entry = menu.addAction(name)
            entry.setCheckable(True)
            entry.setChecked(not self.tree.isColumnHidden(column))
            entry.setEnabled(column > 0)
            entry.toggled.connect(lambda on, column=column: self.tree.setColumnHidden(column, not on))
        return menu

    def label_menu(self) -> QMenu:
        """Return the menu that says which label the qubes of the selected logs have."""
        vms = sorted({log.vm for log in self.chosen()})
        menu = QMenu(f"&Label of {mnemonic(vms[0]) if len(vms) == 1 else 'these qubes'}", self)
        group = QActionGroup(menu)
        known = {self.model.labels.get(vm, "") for vm in vms}
        for name in ("", *LABELS):
            entry = menu.addAction(name or "not known")
            entry.setCheckable(True)
            entry.setChecked(known == {name})
            group.addAction(entry)
            entry.triggered.connect(lambda _on=False, name=name: self.labelled.emit(vms, name))
        return menu

    def _menu_at_current(self) -> None:
        box = self.tree.visualRect(self.tree.currentIndex())
        self.menu_wanted.emit(self.tree.viewport().mapToGlobal(box.bottomLeft()))
