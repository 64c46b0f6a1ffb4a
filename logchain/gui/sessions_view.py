"""The sessions: who was connected when, and the silences between, as `logchain sessions` tells them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from PySide6.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView, QVBoxLayout, QWidget

from logchain.format.limits import MAX_TIME
from logchain.gui.answers import as_span, as_time, event_sign
from logchain.gui.columns import set_widths
from logchain.gui.plain import label, shown, tip
from logchain.read.amounts import format_second

__all__ = ["SessionsView"]


class _Column(NamedTuple):
    """One column: its heading, how many digits wide, and the member of a row that it is sorted by."""

    heading: str
    digits: int
    member: str


_COLUMNS = (
    _Column("Qube", 14, "vm"),
    _Column("Stream", 10, "stream"),
    _Column("Session", 9, "session"),
    _Column("Start", 18, "start"),
    _Column("End", 18, "end"),
    _Column("Before", 9, "silence_before"),
    _Column("Duration", 9, "duration"),
    _Column("Longest silence", 14, "longest_silence"),
    _Column("Lines", 8, "lines"),
    _Column("Why", 20, "why"),
)
_START = [column.member for column in _COLUMNS].index("start")
_TIMES = ("start", "end")
_NUMBERS = ("silence_before", "duration", "longest_silence", "lines")
_MOST = 20_000  # rows
_TOP = QModelIndex()

_Index: TypeAlias = QModelIndex | QPersistentModelIndex
_Identity: TypeAlias = tuple[object, ...]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row of `logchain sessions --json`."""
    names = shown(str(row.get("vm"))), shown(str(row.get("stream")))
    if row.get("kind") != "session":
        sign, when = event_sign(row.get("kind")), format_second(as_time(row.get("time")))
        return (*names, sign, when, *[""] * (len(_COLUMNS) - 5), _words(row))
    spans = [as_span(row.get(name)) for name in ("silence_before", "duration", "longest_silence")]
    times = [format_second(as_time(row.get(name))) for name in ("start", "end")]
    return (*names, shown(str(row.get("session"))[:8]), *times, *spans, f"{int(row.get('lines') or 0):,}", _words(row))


def _words(row: Mapping[str, Any]) -> str:
    return shown(str(row.get("why", row.get("message", ""))).replace("\n", " "), 400)


def _key(row: Mapping[str, Any], member: str) -> Any:
    """Return what a row is sorted by."""
    if member in _TIMES:
        return as_time(row.get(member)) or as_time(row.get("time"))
    if member in _NUMBERS:
        return float(row.get(member) or 0)
    return _words(row) if member == "why" else str(row.get(member, ""))


class _Sessions(QAbstractTableModel):
    """All rows, and those that pass the filter, sorted."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: Sequence[Mapping[str, Any]] = ()
        self.rows: list[Mapping[str, Any]] = []
        self._names: Collection[tuple[str, str]] | None = None  # of the logs whose sessions are shown; None: of all
        self._since, self._until = 0, MAX_TIME
        self._sort = "start", True
        self.cut = False  # there are more rows than are shown

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take other rows, the newest _MOST if there are more; `choose` shows them."""
        self._all, self.cut = rows[-_MOST:], len(rows) > _MOST

    def choose(self, names: Collection[tuple[str, str]] | None, since: int, until: int) -> None:
        """Show the sessions of these logs, of all for None, that were between two times, µs since 1970."""
        self._names, self._since, self._until = names, since, until
        self._arrange()

    def _arrange(self) -> None:
        self.beginResetModel()
        self.rows = [row for row in self.of_names() if _was_between(row, self._since, self._until)]
        self.rows.sort(key=lambda row: _key(row, self._sort[0]), reverse=self._sort[1])
        self.endResetModel()

    def of_names(self) -> list[Mapping[str, Any]]:
        """Return the rows of the chosen logs, of all times."""
        names = self._names
        return [row for row in self._all if names is None or (row.get("vm"), row.get("stream")) in names]

    def rowCount(self, parent: _Index = _TOP) -> int:  # noqa: N802
        """Return how many rows there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = _TOP) -> int:  # noqa: N802
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if 0 <= column < len(_COLUMNS):  # a layout that was kept may be of another version
            self._sort = _COLUMNS[column].member, order == Qt.SortOrder.DescendingOrder
            self._arrange()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return a column's heading."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section].heading
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        column = _COLUMNS[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.member in _NUMBERS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        text = _cells(self.rows[index.row()])[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(text)
        return f"{column.heading}: {text}" if role == Qt.ItemDataRole.AccessibleTextRole else text


def _identity(row: Mapping[str, Any]) -> _Identity:
    """Return what stays of a row when it is read again: a session that goes on grows."""
    return tuple(str(row.get(name)) for name in ("kind", "vm", "stream", "session", "start", "time", "message"))


def _was_between(row: Mapping[str, Any], since: int, until: int) -> bool:
    first = as_time(row.get("start")) or as_time(row.get("time")) or as_time(row.get("end"))
    last = first if row.get("kind") != "session" else as_time(row.get("end"))
    return first <= until and (not last or last >= since)


class SessionsView(QWidget):
    """The table, and a line that tells what is in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = _Sessions(self)
        self.told = label("not read yet")
        self.stale = ""  # why what is shown is old
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Sessions")
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setAlternatingRowColors(True)
        self.table.setSortingEnabled(True)
        self.table.setWordWrap(False)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 6)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSortIndicator(_START, Qt.SortOrder.DescendingOrder)
        set_widths(header, [column.digits for column in _COLUMNS])
        self._chosen: set[_Identity] = set()
        self._current: _Identity | None = None
        self.model.modelAboutToBeReset.connect(self._keep_choice)
        self.model.modelReset.connect(self._choose_again)  # after the table's own
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addWidget(self.told)

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take other rows; `choose` shows them."""
        self.model.put(rows)

    def _keep_choice(self) -> None:
        rows, current = self.model.rows, self.table.currentIndex()
        self._chosen = {_identity(rows[index.row()]) for index in self.table.selectionModel().selectedRows()}
        self._current = _identity(rows[current.row()]) if current.isValid() else None

    def _choose_again(self) -> None:
        if self._current is None and not self._chosen:
            return
        selection, flag = self.table.selectionModel(), QItemSelectionModel.SelectionFlag
        for place, row in enumerate(self.model.rows):
            identity = _identity(row)
            if identity == self._current:
                selection.setCurrentIndex(self.model.index(place, 0), flag.NoUpdate)
            if identity in self._chosen:
                selection.select(self.model.index(place, 0), flag.Select | flag.Rows)

    def choose(self, names: Collection[tuple[str, str]] | None, since: int, until: int) -> None:
        """Show the sessions of these logs, of all for None, that were between two times, µs since 1970."""
        self.model.choose(names, since, until)
        found = self.model.rows
        gaps = sum(1 for row in found if row.get("kind") == "gap")
        sessions = sum(1 for row in found if row.get("kind") == "session")
        bad = f"; ▲ gaps: {gaps:,}, where something should be and cannot be read" if gaps else ""
        more = f"; ▲ only the newest {_MOST:,} are here: 'logchain sessions' has all" if self.model.cut else ""
        old = f"; ▲ this is old: {shown(self.stale)}" if self.stale else ""
        self.told.setText(f"Sessions: {sessions:,}; notes: {len(found) - sessions - gaps:,}{bad}{more}{old}")

    def of_names(self) -> list[Mapping[str, Any]]:
        """Return the rows of the chosen logs, of all times."""
        return self.model.of_names()
