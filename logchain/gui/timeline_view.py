"""The timeline: records per bucket, stacked by qube, with gaps below; a range of it can be chosen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from logchain.gui.answers import as_time
from logchain.gui.gaps import MARKS, Mark
from logchain.gui.plain import shown, tip
from logchain.read.amounts import format_second

__all__ = ["BUCKETS", "TimelineView"]

BUCKETS = 120
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866")  # told apart by most eyes
_REST = "#8a8a8a"
_LANE, _AXIS, _LEGEND = 16, 18, 20  # pixels
_MARGIN = 8


class _Band(NamedTuple):
    """One colour of the stack: whose, and its records by bucket."""

    name: str
    colour: str
    counts: Sequence[int]


class TimelineView(QWidget):
    """Bars, a lane of gaps, an axis.

    Arrows move a cursor, with Shift they choose; Enter takes the choice, Escape lets it go.
    """

    chosen = Signal(object, object)  # since and until, µs since 1970, both included; None: no choice any more

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumHeight(130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Timeline of records")
        self._bands: list[_Band] = []
        self._since = self._until = 0
        self._marks: Sequence[Mark] = ()
        self._silences: Sequence[tuple[int, int]] = ()
        self._cursor, self._anchor = 0, -1  # buckets; -1: no choice is being made
        self._choice: tuple[int, int] | None = None  # that was taken, times
        self.setAccessibleDescription(self.told())

    def set_counts(self, told: Mapping[str, Any]) -> None:
        """Show what `logchain timeline --json` told, with BUCKETS buckets."""
        self._since, self._until = as_time(told.get("since")), as_time(told.get("until"))
        counts = {str(vm): list(map(int, row)) for vm, row in dict(told.get("counts") or {}).items()}
        counts = {vm: row for vm, row in counts.items() if len(row) == BUCKETS}
        largest = sorted(counts, key=lambda vm: (-sum(counts[vm]), vm))
        self._bands = [_Band(vm, colour, counts[vm]) for vm, colour in zip(largest, _COLOURS, strict=False)]
        rest = largest[len(_COLOURS) :]
        if rest:
            sums = [sum(each) for each in zip(*(counts[vm] for vm in rest), strict=True)]
            self._bands.append(_Band(f"{len(rest)} others", _REST, sums))
        self._moved()

    def set_gaps(self, marks: Sequence[Mark], silences: Sequence[tuple[int, int]]) -> None:
        """Show what was lost, and when nobody was connected."""
        self._marks, self._silences = marks, silences
        self._moved()

    def clear_choice(self) -> None:
        """Let go of what was chosen."""
        self._anchor, self._choice = -1, None
        self._moved()

    def range(self) -> tuple[int, int]:
        """Return the times of the buckets from the anchor to the cursor, µs since 1970."""
        ends = sorted((self._cursor, self._anchor if self._anchor >= 0 else self._cursor))
        return self._time(ends[0]), self._time(ends[1] + 1) - 1

    def told(self) -> str:
        """Return in words what is at the cursor."""
        if not self._bands:
            return "There are no records in this time"
        since, until = self._time(self._cursor), self._time(self._cursor + 1)
        parts = [f"{format_second(since)} to {format_second(until)}"]
        parts += [f"{band.name}: {band.counts[self._cursor]:,}" for band in self._bands if band.counts[self._cursor]]
        if len(parts) == 1:
            parts.append("no records")
        for mark in self._marks:
            if since <= mark.time < until:
                parts.append(f"{mark.name}: {MARKS[mark.kind][1]} ({mark.message[:200]})")
        if any(begin < until and end > since for begin, end in self._silences):
            parts.append("for a while nobody was connected")
        return "\n".join(parts[:20])

    def _time(self, bucket: int) -> int:
        return self._since + round(bucket * (self._until - self._since + 1) / BUCKETS)

    def _x(self, time_us: int) -> float:
        span = max(1, self._until - self._since + 1)
        return _MARGIN + (self.width() - 2 * _MARGIN) * (time_us - self._since) / span

    def _bucket(self, x: float) -> int:
        return max(0, min(BUCKETS - 1, int((x - _MARGIN) * BUCKETS / max(1, self.width() - 2 * _MARGIN))))

    def _moved(self) -> None:
        self.setAccessibleDescription(shown(self.told()))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Draw all of it."""
        painter = QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.base())
        floor = self.height() - _LANE - _AXIS
        self._draw_legend(painter, palette)
        if not self._bands:
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.told())
            return
        for box, colour in self._bars(floor):
            painter.fillRect(box, QColor(colour))
        self._draw_gaps(painter, floor)
        self._draw_axis(painter, floor)
        if self._choice and self._anchor < 0:
            self._draw_choice(painter, floor, *self._choice, filled=True)
        if self._anchor >= 0 or self.hasFocus():
            self._draw_choice(painter, floor, *self.range(), filled=self._anchor >= 0)

    def _draw_choice(self, painter: QPainter, floor: int, since: int, until: int, *, filled: bool) -> None:
        """Draw a frame around a time, as far as it is in the picture."""
        since, until = max(since, self._since), min(until, self._until)
        if since <= until:
            frame = self.palette().color(QPalette.ColorRole.Highlight)
            painter.setPen(QPen(frame, 1.5))
            frame.setAlpha(50)
            painter.setBrush(frame if filled else Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self._x(since), _LEGEND, self._x(until) - self._x(since), floor - _LEGEND + _LANE))

    def _bars(self, floor: int) -> Iterator[tuple[QRectF, str]]:
        """Yield the boxes of the stack with their colours."""
        tallest = max([1, *map(sum, zip(*(band.counts for band in self._bands), strict=True))])
        width = (self.width() - 2 * _MARGIN) / BUCKETS
        for bucket in range(BUCKETS):
            top = float(floor)
            for band in self._bands:
                height = band.counts[bucket] * (floor - _LEGEND - len(self._bands)) / tallest
                if height:
                    height = max(height, 1.0)  # a single record can be seen
                    top -= height
                    yield QRectF(_MARGIN + bucket * width, top, max(1.0, width - 1), height), band.colour

    def _draw_legend(self, painter: QPainter, palette: QPalette) -> None:
        x, measure = _MARGIN, painter.fontMetrics()
        for band in self._bands:
            text = shown(band.name, 40)
            painter.fillRect(x, 6, 10, 10, QColor(band.colour))
            painter.setPen(palette.color(QPalette.ColorRole.Text))
            painter.drawText(QPointF(x + 14, 15), text)
            x += 14 + measure.horizontalAdvance(text) + 14

    def _draw_gaps(self, painter: QPainter, floor: int) -> None:
        grey = self.palette().color(QPalette.ColorRole.Text)
        grey.setAlpha(150)
        for begin, end in self._silences:
            if end > self._since and begin < self._until:
                left, right = self._x(max(begin, self._since)), self._x(min(end, self._until))
                painter.fillRect(
                    QRectF(left, floor + 2, right - left, _LANE - 4), QBrush(grey, Qt.BrushStyle.BDiagPattern)
                )
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        reached = -1.0
        for mark in sorted(self._marks):
            x = self._x(max(mark.time, self._since))
            if mark.time <= self._until and x > reached:
                painter.drawText(QRectF(x - 7, floor + 1, 14, _LANE), Qt.AlignmentFlag.AlignCenter, MARKS[mark.kind][0])
                reached = x + 8

    def _draw_axis(self, painter: QPainter, floor: int) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        painter.drawLine(_MARGIN, floor, self.width() - _MARGIN, floor)
        labels = max(2, min(6, self.width() // 220))
        sides = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight
        for place in range(labels):
            time_us = self._since + (self._until - self._since) * place // (labels - 1)
            side = sides[0] if place == 0 else sides[2] if place == labels - 1 else sides[1]
            x = self._x(time_us) - {sides[0]: 0, sides[1]: 100, sides[2]: 200}[side]
            painter.drawText(QRectF(x, floor + _LANE, 200, _AXIS), side, format_second(time_us))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a choice."""
        if self._bands and event.button() == Qt.MouseButton.LeftButton:
            self._cursor = self._anchor = self._bucket(event.position().x())
            self._moved()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Go on with it."""
        if self._bands and event.buttons() & Qt.MouseButton.LeftButton:
            self._cursor = self._bucket(event.position().x())
            self._moved()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End it."""
        if self._bands and self._anchor >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._take()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the cursor, choose, take it, let it go."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        key = Qt.Key(event.key())
        if key in steps and self._bands:
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._anchor = self._cursor if self._anchor < 0 else self._anchor
            else:
                self._anchor = -1
            self._cursor = max(0, min(BUCKETS - 1, self._cursor + steps[key]))
            self._moved()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._bands:
            self._take()
        elif key == Qt.Key.Key_Escape and (self._anchor >= 0 or self._choice):
            self.clear_choice()
            self.chosen.emit(None, None)
        else:
            super().keyPressEvent(event)

    def _take(self) -> None:
        self._choice = self.range()
        self._anchor = -1
        self.chosen.emit(*self._choice)

    def event(self, event: QEvent) -> bool:
        """Tell what is below the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._bands:
            before, self._cursor = self._cursor, self._bucket(event.pos().x())
            QToolTip.showText(event.globalPos(), tip(self.told()), self)
            self._cursor = before
            return True
        return super().event(event)
