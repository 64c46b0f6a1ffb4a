"""The quotas: how full each qube's is, at what rate, and what goes next, as `logchain status` tells it."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication, QPainter, QPalette
from PySide6.QtWidgets import (
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from logchain.gui.answers import as_time
from logchain.gui.columns import set_widths
from logchain.gui.plain import label, shown
from logchain.read.amounts import format_ago, format_size

__all__ = ["QuotaView"]

_HEADINGS = ("Qube", "Quota", "Used", "Limit", "A day", "Full in", "Standing", "Goes next", "Last seen")
_WIDTHS = (18, 18, 9, 9, 9, 7, 18, 26, 12)  # digits
_QUOTA = _HEADINGS.index("Quota")
_NUMBERS = [_HEADINGS.index(name) for name in ("Used", "Limit", "A day", "Full in")]
_SHARE = Qt.ItemDataRole.UserRole
_STANDINGS = {"within": "within", "over": "▲ over: read slowly", "spent": "▲ spent: not read"}


class _Bar(QStyledItemDelegate):
    """Draws a share as a bar, with its percents in it."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw it."""
        share = float(index.data(_SHARE) or 0)
        palette: QPalette = option.palette
        box = option.rect.adjusted(4, 2, -4, -3)
        painter.save()
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawRect(box)
        full = box.adjusted(1, 1, 0, 0)
        full.setWidth(round(full.width() * min(1.0, share)))
        colour = palette.color(QPalette.ColorRole.Highlight)
        colour.setAlpha(110)
        painter.fillRect(full, colour)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(index.data()))
        painter.restore()


class QuotaView(QWidget):
    """What needs a person, how full all of it is, and a row for each budget, the fullest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.told = label("not read yet")
        self.told.setAccessibleName("How the store stands")
        self.rows = QTreeWidget()
        self.rows.setColumnCount(len(_HEADINGS))
        self.rows.setHeaderLabels(list(_HEADINGS))
        self.rows.setRootIsDecorated(False)
        self.rows.setUniformRowHeights(True)
        self.rows.setAlternatingRowColors(True)
        self.rows.setAccessibleName("Quotas")
        self.rows.setItemDelegateForColumn(_QUOTA, _Bar(self.rows))
        self.rows.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        set_widths(self.rows.header(), _WIDTHS)
        layout = QVBoxLayout(self)
        layout.addWidget(self.told)
        layout.addWidget(self.rows)

    def put(self, status: Mapping[str, Any]) -> None:
        """Show what `logchain status --json` told; the place in it, and the row that is chosen, stay."""
        self.told.setText(shown("\n".join(_lines(status))))
        scroll, current = self.rows.verticalScrollBar(), self.rows.currentItem()
        place, kept = scroll.value(), current.text(0) if current else None
        self.rows.clear()
        for budget in status.get("budgets") or ():
            item = _row(budget, as_time(status.get("now")))
            self.rows.addTopLevelItem(item)
            if item.text(0) == kept:
                self.rows.setCurrentItem(item)
        scroll.setValue(place)


def _lines(status: Mapping[str, Any]) -> list[str]:
    cap = status.get("cap")
    segments, compressor, ledger = (dict(status.get(name) or {}) for name in ("segments", "compressor", "ledger"))
    now = as_time(status.get("now"))
    runs = {True: "runs", False: "does not run", None: "may run"}[compressor.get("runs")]
    round_ = as_time(compressor.get("round"))
    room = [format_size(status.get(name) or 0) for name in ("total", "free", "reserve")]
    capped = "no cap" if cap is None else f"cap {format_size(cap)}"
    counts = [f"{segments.get(name) or 0:,}" for name in ("sealed", "open", "waiting")]
    entries = f"{ledger.get('entries') or 0:,}"
    return [
        *(f"▲ {line}" for line in status.get("attention") or ()),
        f"Room: {room[0]} used, {capped}; {room[1]} free on the disk, reserve {room[2]}",
        f"Segments: {counts[0]} sealed, {counts[1]} open, {counts[2]} waiting to be sealed. Ledger: {entries} entries",
        f"Compressor: {runs}; {f'ended a round {format_ago(now - round_)} ago' if round_ else 'no round yet'}",
        *(f"▲ {line}" for line in list(compressor.get("complaints") or ())[:5]),
    ]


def _row(budget: Mapping[str, Any], now: int) -> QTreeWidgetItem:
    used, quota, days = int(budget.get("used") or 0), int(budget.get("quota") or 0), budget.get("days")
    share = used / max(1, quota)
    last = as_time(budget.get("last"))
    count = int(budget.get("vms") or 0)
    name = str(budget.get("name"))
    cells = [
        name if count == 1 else f"{name} ({count:,})",
        f"{min(999, int(100 * share))} %",
        format_size(used),
        format_size(quota),
        format_size(float(budget.get("rate") or 0)),
        "-" if days is None else "> 10 y" if days > 3_650 else f"{days:.0f} d" if days >= 1 else "< 1 d",
        _STANDINGS.get(str(budget.get("standing")), str(budget.get("standing"))),
        str(budget.get("next") or "nothing is sealed"),
        "connected" if budget.get("connected") else f"{format_ago(now - last)} ago" if last else "-",
    ]
    item = QTreeWidgetItem([shown(cell) for cell in cells])
    item.setData(_QUOTA, _SHARE, share)
    item.setSizeHint(0, QSize(0, QFontMetrics(QGuiApplication.font()).height() + 9))
    for column in _NUMBERS:
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    for column, heading in enumerate(_HEADINGS):
        item.setData(column, Qt.ItemDataRole.AccessibleTextRole, shown(f"{heading}: {cells[column]}"))
    return item
