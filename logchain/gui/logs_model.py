"""The list of logs as Qt's views ask for it: rows come from SQLite by the page, what is below one when it is opened."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QPainter, QPixmap

from logchain.gui.below import words_below
from logchain.gui.colours import warning_colour
from logchain.gui.logs import COLUMNS, Filter, Log, Logs
from logchain.gui.plain import shown, tip
from logchain.gui.states import PROBLEMS, SIGNS, STATES
from logchain.read.amounts import format_second, format_size

__all__ = ["HEADINGS", "LABELS", "LogsModel"]

HEADINGS = ("Qube", "Stream", "Last received", "First", "Records", "Size", "On disk", "State", "Integrity")
_RIGHT = ("records", "size", "room")
_MOST_CHILDREN = 1_000
LABELS = {  # the labels of qubes, as Qubes paints them
    "red": "#cc0000",
    "orange": "#f57900",
    "yellow": "#edd400",
    "green": "#73d216",
    "gray": "#555753",
    "blue": "#3465a4",
    "purple": "#75507b",
    "black": "#000000",
}

_Index: TypeAlias = QModelIndex | QPersistentModelIndex
_TOP = QModelIndex()


class LogsModel(QAbstractItemModel):
    """Logs, and below each its segments and sessions. An index has the number of the log that it is below, 0: none."""

    opened = Signal(str, str)  # what is below this log has to be read: VM and stream

    def __init__(self, logs: Logs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.logs = logs
        self.labels: dict[str, str] = {}  # of VMs, as far as they are known
        self._sort: tuple[str, bool] = ("last", True)
        self._filter = Filter()
        self._below: dict[int, Sequence[tuple[str, ...]]] = {}  # by the log's number; empty: asked for

    @property
    def filter(self) -> Filter:
        """Which logs are shown."""
        return self._filter

    def log(self, index: _Index) -> Log | None:
        """Return the log at an index, or the one that it is below."""
        if not index.isValid():
            return None
        place = self.logs.places.get(index.internalId(), -1) if index.internalId() else index.row()
        return self.logs.at(place) if 0 <= place < len(self.logs.order) else None

    def close(self) -> None:
        """Let go of all logs; nothing is shown any more."""
        self.beginResetModel()
        self._below = {}
        self.logs.close()
        self.endResetModel()

    def put(self, logs: list[Log]) -> None:
        """Take in logs, new or changed; new ones are shown after `arrange`."""
        for number in self.logs.put(logs):
            place = self.logs.places[number]
            self.dataChanged.emit(self.index(place, 0), self.index(place, len(COLUMNS) - 1))

    def arrange(self, wanted: Filter | None = None) -> None:
        """Filter and sort anew; who is selected stays so where it is still shown."""
        self._filter = self._filter if wanted is None else wanted
        column, descending = self._sort
        self.layoutAboutToBeChanged.emit()
        kept = [(index, self._number(index)) for index in self.persistentIndexList()]  # the selection's among them
        if self.logs.sort(column, descending=descending, wanted=self._filter):
            shown_now = self.logs.places
            for number in [number for number in self._below if number not in shown_now]:
                del self._below[number]
            old = [index for index, _ in kept]
            self.changePersistentIndexList(old, [self._moved(index, number) for index, number in kept])
        self.layoutChanged.emit()

    def _number(self, index: _Index) -> int:
        if index.internalId():
            return int(index.internalId())
        return self.logs.order[index.row()] if index.row() < len(self.logs.order) else 0

    def _moved(self, index: _Index, number: int) -> QModelIndex:
        place = self.logs.places.get(number, -1)
        if place < 0:
            return QModelIndex()
        if index.internalId():
            return self.createIndex(index.row(), index.column(), number)
        return self.createIndex(place, index.column(), 0)

    def opened_names(self) -> list[tuple[str, str]]:
        """Return the logs that are open: VM and stream."""
        places = [self.logs.places[number] for number in self._below if number in self.logs.places]
        return [self.logs.at(place)[:2] for place in places]

    def set_below(self, vm: str, stream: str, rows: Sequence[tuple[str, ...]]) -> None:
        """Show what is below a log: a text for each column, by row; one row at least."""
        for number, asked in list(self._below.items()):
            place = self.logs.places.get(number, -1)
            if place >= 0 and self.logs.at(place)[:2] == (vm, stream):
                parent = self.createIndex(place, 0, 0)
                if asked:
                    self.beginRemoveRows(parent, 0, len(asked) - 1)
                    self._below[number] = ()
                    self.endRemoveRows()
                kept = rows[:_MOST_CHILDREN]
                if len(rows) > len(kept):
                    kept = [*kept, words_below(f"and {len(rows) - len(kept):,} more")]
                self.beginInsertRows(parent, 0, len(kept) - 1)
                self._below[number] = kept
                self.endInsertRows()

    def forget_below(self, index: _Index) -> None:
        """Let go of what is below a log that was closed: it is asked for anew when the log is opened again."""
        number = self._number(index)
        rows = self._below.get(number, ())
        if rows:
            self.beginRemoveRows(index, 0, len(rows) - 1)  # type: ignore[arg-type]
            del self._below[number]
            self.endRemoveRows()

    # What follows has the names that Qt calls.

    def index(self, row: int, column: int, parent: _Index = _TOP) -> QModelIndex:
        """Return an index."""
        if not parent.isValid():
            return self.createIndex(row, column, 0) if row < len(self.logs.order) else QModelIndex()
        return self.createIndex(row, column, self.logs.order[parent.row()])

    def parent(self, index: _Index = _TOP) -> Any:
        """Return the log that an index is below."""
        place = self.logs.places.get(index.internalId(), -1) if index.isValid() and index.internalId() else -1
        return self.createIndex(place, 0, 0) if place >= 0 else QModelIndex()

    def rowCount(self, parent: _Index = _TOP) -> int:  # noqa: N802
        """Return how many rows there are."""
        if not parent.isValid():
            return len(self.logs.order)
        return 0 if parent.internalId() or parent.column() else len(self._below.get(self._number(parent), ()))

    def columnCount(self, parent: _Index = _TOP) -> int:  # noqa: N802, ARG002
        """Return how many columns there are."""
        return len(COLUMNS)

    def hasChildren(self, parent: _Index = _TOP) -> bool:  # noqa: N802
        """Tell whether a row can be opened: every log can."""
        return not parent.isValid() or not (parent.internalId() or parent.column())

    def canFetchMore(self, parent: _Index) -> bool:  # noqa: N802
        """Tell whether what is below a log was not asked for yet."""
        return parent.isValid() and not parent.internalId() and self._number(parent) not in self._below

    def fetchMore(self, parent: _Index) -> None:  # noqa: N802
        """Ask for what is below a log."""
        log = self.log(parent)
        if log:
            self._below[self._number(parent)] = ()
            self.opened.emit(log.vm, log.stream)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if 0 <= column < len(COLUMNS):  # a layout that was kept may be of another version
            self._sort = COLUMNS[column], order == Qt.SortOrder.DescendingOrder
            self.arrange()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return a column's heading; none of a column that only the layout of another version has."""
        if orientation != Qt.Orientation.Horizontal or section >= len(HEADINGS):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, QFontMetrics(QGuiApplication.font()).height() + 5)
        if index.internalId():
            return self._data_below(index, role)
        if role not in _OF_LOGS or index.row() >= len(self.logs.order):
            return None
        return self._data_of(self.logs.at(index.row()), index.column(), role)

    def _data_of(self, log: Log, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return _cell(log, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            known = f", label {self.labels[log.vm]}" if column == 0 and log.vm in self.labels else ""
            return f"{HEADINGS[column]}: {_cell(log, column)}{known}"
        if role == Qt.ItemDataRole.ToolTipRole:
            told = f"\n{STATES.get(log.state, '')}" if COLUMNS[column] == "state" else ""
            return tip(f"{_cell(log, column)}{told}")
        if role == Qt.ItemDataRole.DecorationRole and column == 0 and self.labels:
            return _square(self.labels.get(log.vm, ""))
        bad = (COLUMNS[column] == "state" and log.state in PROBLEMS) or (
            COLUMNS[column] == "integrity" and log.integrity.startswith(("DAMAGED", "LESS"))
        )
        if role == Qt.ItemDataRole.FontRole and bad:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and bad:
            return warning_colour()
        return None

    def _data_below(self, index: _Index, role: int) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        rows = self._below.get(index.internalId(), ())
        cells = rows[index.row()] if index.row() < len(rows) else ()
        return shown(cells[index.column()]) if index.column() < len(cells) else ""


_OF_LOGS = {
    Qt.ItemDataRole.DisplayRole,
    Qt.ItemDataRole.AccessibleTextRole,
    Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.DecorationRole,
    Qt.ItemDataRole.FontRole,
    Qt.ItemDataRole.ForegroundRole,
}


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if COLUMNS[column] in _RIGHT else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _cell(log: Log, column: int) -> str:
    value = log[column]
    if isinstance(value, str):
        sign = SIGNS.get(value, "") if COLUMNS[column] == "state" else ""
        return shown(f"{sign} {value}" if sign else value)
    if COLUMNS[column] in ("last", "first"):
        return format_second(value)
    return f"{value:,}" if COLUMNS[column] == "records" else format_size(value)


def _square(name: str) -> QPixmap:
    """Return a square of a label's colour; an empty one where it is not known."""
    found = QPixmap(12, 12)
    found.fill(QColor(LABELS.get(name, "#00000000")))
    painter = QPainter(found)
    painter.setPen(QColor("#888888"))
    painter.drawRect(0, 0, 11, 11)
    painter.end()
    return found
