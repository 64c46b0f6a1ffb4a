"""Draws the timeline: a legend, bars of records stacked by qube, a lane of gaps, an axis of times."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPalette, QPen

from logchain.gui.answers import as_time
from logchain.gui.gaps import MARKS, Mark
from logchain.gui.plain import shown
from logchain.read.amounts import format_second

__all__ = ["BUCKETS", "TimelinePicture", "least_size"]

BUCKETS = 120
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866")  # told apart by most eyes
_REST = "#8a8a8a"
_MARGIN = 8  # pixels
_HATCHED = 4  # pixels; what is narrower is filled, or a stray dot would be all of it
_MOST_LABELS = 6  # of the axis
_LEFT, _MIDDLE, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight


class _Band(NamedTuple):
    """One colour of the stack: whose, and its records by bucket."""

    name: str
    colour: str
    counts: Sequence[int]


def least_size(measure: QFontMetrics) -> QSize:
    """Return the least room that a picture with such a font can be read in, pixels."""
    return QSize(2 * _room(measure), 9 * measure.height())


def _room(measure: QFontMetrics) -> int:
    """Return how much room a time takes on the axis, with what is beside it."""
    return measure.horizontalAdvance(format_second(1)) + 2 * measure.height()


class TimelinePicture:
    """What is drawn, and where. Times are µs since 1970; x is in pixels from the left, of a picture `width` wide."""

    def __init__(self) -> None:
        self.since = self.until = 0
        self.bands: list[_Band] = []
        self.marks: Sequence[Mark] = ()
        self.silences: Sequence[tuple[int, int]] = ()
        self.note = ""  # how what is drawn differs from what was asked for

    def set_counts(self, told: Mapping[str, Any]) -> None:
        """Take what `logchain timeline --json` told, with BUCKETS buckets."""
        self.since, self.until = as_time(told.get("since")), as_time(told.get("until"))
        counts = {str(vm): list(map(int, row)) for vm, row in dict(told.get("counts") or {}).items()}
        counts = {vm: row for vm, row in counts.items() if len(row) == BUCKETS}
        largest = sorted(counts, key=lambda vm: (-sum(counts[vm]), vm))
        self.bands = [_Band(vm, colour, counts[vm]) for vm, colour in zip(largest, _COLOURS, strict=False)]
        rest = largest[len(_COLOURS) :]
        if rest:
            sums = [sum(each) for each in zip(*(counts[vm] for vm in rest), strict=True)]
            self.bands.append(_Band(f"{len(rest)} others", _REST, sums))

    def time(self, bucket: int) -> int:
        """Return when a bucket begins."""
        return self.since + round(bucket * (self.until - self.since + 1) / BUCKETS)

    def bucket(self, x: float, width: int) -> int:
        """Return the bucket at a place, the nearest where there is none."""
        return max(0, min(BUCKETS - 1, int((x - _MARGIN) * BUCKETS / max(1, width - 2 * _MARGIN))))

    def told(self, bucket: int) -> str:
        """Return in words what is in a bucket."""
        if not self.bands:
            return "There are no records in this time"
        since, until = self.time(bucket), self.time(bucket + 1)
        parts = [f"{format_second(since)} to {format_second(until)}"]
        parts += [f"{band.name}: {band.counts[bucket]:,}" for band in self.bands if band.counts[bucket]]
        if len(parts) == 1:
            parts.append("no records")
        for mark in self.marks:
            if since <= mark.time < until:
                parts.append(f"{mark.name}: {MARKS[mark.kind][1]} ({mark.message[:200]})")
        if any(begin < until and end > since for begin, end in self.silences):
            parts.append("for a while nobody was connected")
        parts[1:1] = [self.note] if self.note else []
        return "\n".join(parts[:20])

    def draw(self, painter: QPainter, size: QSize, palette: QPalette) -> "_Drawing":
        """Draw all but the choice, which the drawing that is returned can add."""
        drawing = _Drawing(self, painter, size, palette)
        drawing.draw()
        return drawing


class _Drawing:
    """One drawing of a picture: what is as high as a line of text follows from the painter's font."""

    def __init__(self, picture: TimelinePicture, painter: QPainter, size: QSize, palette: QPalette) -> None:
        self._picture, self._painter, self._palette = picture, painter, palette
        self._measure = painter.fontMetrics()
        self._width, self._line = size.width(), self._measure.height()
        self._top = self._line + 5  # below the legend
        self._lane = self._line + 2
        self._floor = size.height() - self._lane - self._line - 3

    def draw(self) -> None:
        """Draw legend, bars, gaps and axis."""
        self._draw_legend()
        for box, colour in self._bars():
            self._painter.fillRect(box, QColor(colour))
        self._draw_gaps()
        self._draw_axis()
        if note := self._picture.note:
            self._painter.setPen(self._palette.color(QPalette.ColorRole.Text))
            room = self._width - 2 * _MARGIN
            cut = self._measure.elidedText(shown(note), Qt.TextElideMode.ElideRight, room)
            self._painter.drawText(QRectF(_MARGIN, self._top, room, self._line), Qt.AlignmentFlag.AlignRight, cut)

    def draw_choice(self, since: int, until: int, *, filled: bool) -> None:
        """Draw a frame around a time, as far as it is in the picture."""
        since, until = max(since, self._picture.since), min(until, self._picture.until)
        if since <= until:
            frame = self._palette.color(QPalette.ColorRole.Highlight)
            self._painter.setPen(QPen(frame, 1.5))
            frame.setAlpha(50)
            self._painter.setBrush(frame if filled else Qt.BrushStyle.NoBrush)
            left, right = self._x(since), self._x(until)
            self._painter.drawRect(QRectF(left, self._top, right - left, self._floor - self._top + self._lane - 2))

    def _x(self, time_us: int) -> float:
        span = max(1, self._picture.until - self._picture.since + 1)
        return _MARGIN + (self._width - 2 * _MARGIN) * (time_us - self._picture.since) / span

    def _bars(self) -> Iterator[tuple[QRectF, str]]:
        """Yield the boxes of the stack with their colours."""
        bands = self._picture.bands
        tallest = max([1, *map(sum, zip(*(band.counts for band in bands), strict=True))])
        width = (self._width - 2 * _MARGIN) / BUCKETS
        for bucket in range(BUCKETS):
            top = float(self._floor)
            for band in bands:
                height = band.counts[bucket] * (self._floor - self._top - len(bands)) / tallest
                if height:
                    height = max(height, 1.0)  # a single record can be seen
                    top -= height
                    yield QRectF(_MARGIN + bucket * width, top, max(1.0, width - 1), height), band.colour

    def _draw_legend(self) -> None:
        """Draw a square and a name for each colour; names that have no room are cut, none is left out."""
        bands, square = self._picture.bands, self._line * 2 // 3
        names = [shown(band.name, 40) for band in bands]
        between = 2 * square  # from a square to the next, without the name
        room = (self._width - 2 * _MARGIN) // max(1, len(bands)) - between
        if sum(self._measure.horizontalAdvance(name) + between for name in names) > self._width - 2 * _MARGIN:
            names = [self._measure.elidedText(name, Qt.TextElideMode.ElideRight, room) for name in names]
        x, base = _MARGIN, 3 + self._measure.ascent()
        self._painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        for band, name in zip(bands, names, strict=True):
            self._painter.fillRect(x, base - square + 1, square, square, QColor(band.colour))
            self._painter.drawText(QPointF(x + square * 4 / 3, base), name)
            x += between + self._measure.horizontalAdvance(name)

    def _draw_gaps(self) -> None:
        grey = self._palette.color(QPalette.ColorRole.Text)
        grey.setAlpha(150)
        since, until = self._picture.since, self._picture.until
        for begin, end in self._picture.silences:
            if end > since and begin < until:
                left, right = self._x(max(begin, since)), self._x(min(end, until))
                box = QRectF(left, self._floor + 2, max(1.0, right - left), self._lane - 4)
                pattern = Qt.BrushStyle.BDiagPattern if box.width() > _HATCHED else Qt.BrushStyle.SolidPattern
                self._painter.fillRect(box, QBrush(grey, pattern))
        self._painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        reached, width = -1.0, 1 + max(self._measure.horizontalAdvance(sign) for sign, _ in MARKS.values())
        for mark in sorted(self._picture.marks):
            x = self._x(max(mark.time, since))
            if mark.time <= until and x >= reached:
                box = QRectF(x - width / 2, self._floor + 1, width, self._lane)
                self._painter.drawText(box, Qt.AlignmentFlag.AlignCenter, MARKS[mark.kind][0])
                reached = x + width  # as far as the middle of the next

    def _draw_axis(self) -> None:
        """Draw the floor, and as many times below it as have room beside each other."""
        self._painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        self._painter.drawLine(_MARGIN, self._floor, self._width - _MARGIN, self._floor)
        room = _room(self._measure)
        labels = max(2, min(_MOST_LABELS, 1 + 2 * (self._width - 2 * _MARGIN) // (3 * room)))  # the outer stand inwards
        for place in range(labels):
            time_us = self._picture.since + (self._picture.until - self._picture.since) * place // (labels - 1)
            side = _LEFT if place == 0 else _RIGHT if place == labels - 1 else _MIDDLE
            x = self._x(time_us) - {_LEFT: 0, _MIDDLE: room / 2, _RIGHT: room}[side]
            box = QRectF(x, self._floor + self._lane, room, self._line + 2)
            self._painter.drawText(box, side, format_second(time_us))
