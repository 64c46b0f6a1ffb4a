"""The timeline as a widget: what is at the cursor is told, and a range can be chosen, by mouse or keyboard."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from logchain.gui.gaps import Mark
from logchain.gui.plain import shown, tip
from logchain.gui.timeline_picture import BUCKETS, TimelinePicture, least_size

__all__ = ["TimelineView"]


class TimelineView(QWidget):
    """Bars, a lane of gaps, an axis.

    Arrows move a cursor, with Shift they choose; Enter takes the choice, Escape lets it go.
    """

    chosen = Signal(object, object)  # since and until, µs since 1970, both included; None: no choice any more

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Timeline of records")
        self._picture = TimelinePicture()
        self._cursor, self._anchor = 0, -1  # buckets; -1: no choice is being made
        self._choice: tuple[int, int] | None = None  # that was taken, times
        self.setAccessibleDescription(self.told())

    def set_counts(self, told: Mapping[str, Any]) -> None:
        """Show what `logchain timeline --json` told, with BUCKETS buckets."""
        self._picture.set_counts(told)
        self._moved()

    def set_gaps(self, marks: Sequence[Mark], silences: Sequence[tuple[int, int]]) -> None:
        """Show what was lost, and when nobody was connected."""
        self._picture.marks, self._picture.silences = marks, silences
        self._moved()

    def set_note(self, note: str) -> None:
        """Tell how what is shown differs from what was asked for; nothing where it does not."""
        self._picture.note = note
        self._moved()

    def clear_choice(self) -> None:
        """Let go of what was chosen."""
        self._anchor, self._choice = -1, None
        self._moved()

    def range(self) -> tuple[int, int]:
        """Return the times of the buckets from the anchor to the cursor, µs since 1970."""
        ends = sorted((self._cursor, self._anchor if self._anchor >= 0 else self._cursor))
        return self._picture.time(ends[0]), self._picture.time(ends[1] + 1) - 1

    def told(self) -> str:
        """Return in words what is at the cursor."""
        return self._picture.told(self._cursor)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size that it can be read in."""
        return least_size(self.fontMetrics())

    def _moved(self) -> None:
        self.setAccessibleDescription(shown(self.told()))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Draw all of it."""
        painter = QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.base())
        if not self._picture.bands:
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.told())
            return
        drawing = self._picture.draw(painter, self.size(), palette)
        if self._choice and self._anchor < 0:
            drawing.draw_choice(*self._choice, filled=True)
        if self._anchor >= 0 or self.hasFocus():
            drawing.draw_choice(*self.range(), filled=self._anchor >= 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a choice."""
        if self._picture.bands and event.button() == Qt.MouseButton.LeftButton:
            self._cursor = self._anchor = self._picture.bucket(event.position().x(), self.width())
            self._moved()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Go on with it."""
        if self._picture.bands and event.buttons() & Qt.MouseButton.LeftButton:
            self._cursor = self._picture.bucket(event.position().x(), self.width())
            self._moved()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End it."""
        if self._picture.bands and self._anchor >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._take()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the cursor, choose, take it, let it go."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        key = Qt.Key(event.key())
        if key in steps and self._picture.bands:
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._anchor = self._cursor if self._anchor < 0 else self._anchor
            else:
                self._anchor = -1
            self._cursor = max(0, min(BUCKETS - 1, self._cursor + steps[key]))
            self._moved()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._picture.bands:
            self._take()
        elif key == Qt.Key.Key_Escape and self._anchor >= 0:  # what was taken before stays
            self._anchor = -1
            self._moved()
        elif key == Qt.Key.Key_Escape and self._choice:
            self.clear_choice()
            self.chosen.emit(None, None)
        else:
            super().keyPressEvent(event)

    def _take(self) -> None:
        self._choice = self.range()
        self._anchor = -1
        self.chosen.emit(*self._choice)

    def event(self, event: QEvent) -> bool:
        """Tell what is below the pointer; keep Escape from the window where it lets go of something here."""
        asked = event.key() if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride else None
        if asked == Qt.Key.Key_Escape and (self._anchor >= 0 or self._choice):
            event.accept()
            return True
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._picture.bands:
            before, self._cursor = self._cursor, self._picture.bucket(event.pos().x(), self.width())
            QToolTip.showText(event.globalPos(), tip(self.told()), self)
            self._cursor = before
            return True
        return super().event(event)
