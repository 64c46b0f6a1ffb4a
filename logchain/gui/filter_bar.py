"""The bar that chooses which logs are shown: words, a time range, and states at one press."""

from contextlib import suppress
from datetime import datetime

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QLineEdit, QToolButton, QWidget

from logchain.format.errors import UsageError
from logchain.format.limits import MAX_TIME
from logchain.gui.logs import Filter
from logchain.gui.plain import label, line_edit, set_tip
from logchain.gui.states import PROBLEMS
from logchain.read.amounts import format_second
from logchain.read.times import format_local, parse_when

__all__ = ["FilterBar"]

_PAUSE = 150  # ms after the last key
_LONGEST = 500  # characters of the words: beyond that SQLite's patterns and expressions end
_TIMES = ("", "-1h", "-24h", "today", "yesterday", "-7d", "-30d")
_QUICK = (  # name, states, what for
    ("Connected", ("live", "silent", "throttled"), "Only logs whose sender is connected"),
    ("Silent", ("silent",), "Only logs whose sender is connected, and sent nothing for over an hour"),
    ("Unsealed", ("live", "silent", "throttled", "open", "closed"), "Only logs of which something is not sealed yet"),
    ("Problems", PROBLEMS, "Only logs that are damaged, broken, throttled, or that you may not read"),
)


class FilterBar(QWidget):
    """Words, since, until, and quick filters; `changed` tells the filter that follows from them."""

    changed = Signal(object)  # a Filter

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = line_edit("Filter: qube, stream, state … (Ctrl+F)", "Filter by words")
        self.words.setMinimumWidth(160)
        self.words.setMaxLength(_LONGEST)
        set_tip(self.words, "Every word has to be in the log's names, state or integrity")
        self.since = _time_box("Since", "Only logs with records at this time or later: -1h, today, 2026-11-23 10:15")
        self.until = _time_box("Until", "Only logs with records at this time or earlier")
        self.clear = QToolButton()
        self.clear.setText("All")
        set_tip(self.clear, "Show all logs of all times again (Escape)")
        self.quick = [_quick_button(name, told) for name, _, told in _QUICK]
        self.problem = label("", wrap=False)
        self.problem.setAccessibleName("What is wrong with the time range")
        row, states = QHBoxLayout(), QHBoxLayout()
        row.addWidget(self.words, 3)
        for name, box in (("&Since", self.since), ("&Until", self.until)):
            said = label(name.replace("&", ""), wrap=False)
            said.setBuddy(box)
            row.addWidget(said)
            row.addWidget(box, 1)
        for button in (*self.quick, self.clear):
            states.addWidget(button)
        states.addWidget(self.problem)
        states.addStretch()
        self._rows = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._rows.setContentsMargins(6, 4, 6, 0)
        self._rows.addLayout(row, 1)
        self._rows.addLayout(states)
        self.problem.hide()
        self._times = "", ""  # since and until, as they last could be read
        self._timer = QTimer(self, interval=_PAUSE, singleShot=True)
        self._timer.timeout.connect(self.tell)
        self.words.textChanged.connect(lambda: self._timer.start())
        for box in (self.since, self.until):
            box.currentTextChanged.connect(lambda: self._timer.start())
        for button in self.quick:
            button.toggled.connect(lambda: self._timer.start())
        self.clear.clicked.connect(self.show_all)
        QShortcut(QKeySequence.StandardKey.Find, self, self.words.setFocus)
        QShortcut(QKeySequence("Escape"), self, self.show_all)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Stand in one row where there is room for it, else in two."""
        super().resizeEvent(event)
        self._rows.setDirection(
            QBoxLayout.Direction.LeftToRight if self.width() >= self._width() else QBoxLayout.Direction.TopToBottom
        )

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size: as narrow as two rows."""
        return QSize(max(self._widths()), super().minimumSizeHint().height())

    def _width(self) -> int:
        return sum(self._widths()) + self._rows.spacing()

    def _widths(self) -> list[int]:
        """Return the least widths of the two rows."""
        margins = self._rows.contentsMargins()
        items = [self._rows.itemAt(place) for place in range(self._rows.count())]
        return [item.minimumSize().width() + margins.left() + margins.right() for item in items if item]

    def show_all(self) -> None:
        """Clear every filter."""
        self.words.clear()
        for box in (self.since, self.until):
            box.setCurrentText("")
        for button in self.quick:
            button.setChecked(False)

    def set_range(self, since: int, until: int) -> None:
        """Choose a time range, µs since 1970."""
        last = min(until + 999_999, MAX_TIME)  # it is told in whole seconds
        for box, time_us in ((self.since, since), (self.until, last)):
            text, second = format_second(time_us) if time_us else "", time_us - time_us % 1_000_000
            if text and parse_when(text, datetime.now()) != second:  # the clock showed that time twice
                text = format_local(second, None, full=True)
            box.setCurrentText(text)

    def times(self) -> list[str]:
        """Return the options by which a command has the same time range: the last that could be read, as is shown."""
        with suppress(UsageError):
            self.filter()
        return [f"--{name}={text}" for name, text in zip(("since", "until"), self._times, strict=True) if text]

    def tell(self) -> None:
        """Tell the filter, unless a time cannot be read."""
        try:
            found = self.filter()
        except UsageError as error:
            self.problem.setText("▲ not a time")
            set_tip(self.problem, str(error))
            self.problem.show()
            return
        self.problem.setText("")
        self.problem.hide()
        self.changed.emit(found)

    def filter(self) -> Filter:
        """Return the filter; UsageError where a time cannot be read."""
        now = datetime.now()
        since, until = self.since.currentText().strip(), self.until.currentText().strip()
        states = {state for _, states, _ in _QUICK for state in states}
        chosen = [set(states) for button, (_, states, _) in zip(self.quick, _QUICK, strict=True) if button.isChecked()]
        first, last = parse_when(since, now) if since else 0, parse_when(until, now) if until else MAX_TIME
        self._times = since, until
        return Filter(
            words=tuple(self.words.text().split()),
            since=first,
            until=last,
            states=tuple(sorted(states.intersection(*chosen) or {"-"})) if chosen else (),
        )


def _time_box(name: str, told: str) -> QComboBox:
    made = QComboBox()
    made.setEditable(True)
    made.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    made.addItems(_TIMES)
    made.setAccessibleName(name)
    made.setMinimumContentsLength(14)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    edit = made.lineEdit()
    assert isinstance(edit, QLineEdit)
    edit.setPlaceholderText("any time")
    edit.setAccessibleName(name)
    set_tip(made, told)
    return made


def _quick_button(name: str, told: str) -> QToolButton:
    made = QToolButton()
    made.setText(name)
    made.setCheckable(True)
    made.setAccessibleName(f"Quick filter: {name}")
    set_tip(made, told)
    return made
