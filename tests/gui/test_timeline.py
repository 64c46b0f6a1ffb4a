"""The timeline, the gaps below it, and the sessions."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from logchain.format.limits import MAX_TIME
from logchain.format.record import parse_time
from logchain.gui.gaps import Mark, marks_of, silences
from logchain.gui.logs import Filter
from logchain.gui.sessions_view import SessionsView
from logchain.gui.timeline_view import BUCKETS, TimelineView
from logchain.gui.window import Window

DAY = 86_400_000_000
SINCE, UNTIL = "2026-11-23T00:00:00.000000Z", "2026-11-23T23:59:59.999999Z"
BEGIN = parse_time(SINCE.encode())


@pytest.fixture
def view(qtbot: QtBot) -> TimelineView:
    """A day of two qubes: one record in each bucket of one, ten in the tenth of the other."""
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(BUCKETS * 5 + 16, 200)
    counts = {"work": [1] * BUCKETS, "vault": [0] * 9 + [10] + [0] * (BUCKETS - 10)}
    view.set_counts({"since": SINCE, "until": UNTIL, "counts": counts})
    view.show()
    return view


def test_a_drag_chooses(view: TimelineView, qtbot: QtBot) -> None:
    """From where the button goes down to where it goes up, whole buckets, in either direction."""
    for start, end in ((10, 19), (19, 10)):
        with qtbot.waitSignal(view.chosen) as told:
            QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(8 + start * 5 + 2, 50))
            QTest.mouseMove(view, QPoint(8 + end * 5 + 2, 50))
            QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(8 + end * 5 + 2, 50))
        assert told.args == [BEGIN + DAY * 10 // BUCKETS, BEGIN + DAY * 20 // BUCKETS - 1]


def test_the_keyboard_chooses_too(view: TimelineView, qtbot: QtBot) -> None:
    """Arrows move, and tell what is there; with Shift they choose; Enter takes it, Escape lets it go."""
    for _ in range(9):
        QTest.keyClick(view, Qt.Key.Key_Right)
    assert "vault: 10" in view.accessibleDescription()
    assert "work: 1" in view.accessibleDescription()
    QTest.keyClick(view, Qt.Key.Key_PageDown, Qt.KeyboardModifier.ShiftModifier)
    with qtbot.waitSignal(view.chosen) as told:
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert told.args == [BEGIN + DAY * 9 // BUCKETS, BEGIN + DAY * 20 // BUCKETS - 1]
    with qtbot.waitSignal(view.chosen) as told:
        QTest.keyClick(view, Qt.Key.Key_Escape)
    assert told.args == [None, None]


def test_what_is_drawn_is_told(view: TimelineView) -> None:
    """Marks and silences change the picture, and stand in words where the cursor is."""
    before = view.grab().toImage()
    view.set_gaps([Mark(BEGIN, "dropped", "work/web", "dropped lines=5")], [(BEGIN, BEGIN + DAY // 4)])
    assert view.grab().toImage() != before
    assert "work/web: lines were dropped (dropped lines=5)" in view.accessibleDescription()
    assert "nobody was connected" in view.accessibleDescription()
    view.set_counts({"since": None, "until": None, "counts": {}})
    assert view.told() == "There are no records in this time"
    assert not view.grab().isNull()


def test_more_qubes_than_colours(view: TimelineView) -> None:
    """The largest have colours of their own, the others share one: no record is left out."""
    counts = {f"vm{place}": [place] * BUCKETS for place in range(1, 31)}
    view.set_counts({"since": SINCE, "until": UNTIL, "counts": counts})
    told = view.accessibleDescription()
    assert "vm30: 30" in told
    assert f"23 others: {sum(range(1, 24))}" in told


def test_silences_and_marks() -> None:
    """Silence is when none is connected: sessions that overlap have none between them."""

    def session(start: int, end: int | None) -> dict[str, object]:
        times = {"start": _time(start), "end": None if end is None else _time(end)}
        return {"kind": "session", "vm": "work", "stream": "main", "why": "eof", "lines": 1, **times}

    now = BEGIN + 100 * 1_000_000
    rows = [session(0, 10), session(5, 20), session(30, 40), session(32, 33), session(60, 70)]
    spans = [(start - BEGIN, end - BEGIN) for start, end in silences(rows, now)]
    assert spans == [(20_000_000, 30_000_000), (40_000_000, 60_000_000), (70_000_000, 100_000_000)]
    assert silences([*rows, session(65, None)], now)[-1][1] == BEGIN + 60_000_000
    assert not silences([], now)
    notes = ["evicted segments=1-2 reason=quota verified=no", "throttled seconds=9", "restart"]
    events = [{"kind": "note", "vm": "work", "stream": "main", "time": SINCE, "message": text} for text in notes]
    gap = {"kind": "gap", "vm": "work", "stream": "main", "time": None, "message": "segment 3 is missing"}
    assert [mark.kind for mark in marks_of([*rows, *events, gap])] == ["evicted", "throttled", "gap"]


def _time(second: int) -> str:
    return f"2026-11-23T00:{second // 60:02}:{second % 60:02}.000000Z"


def test_sessions_sort_and_filter(qtbot: QtBot) -> None:
    """By number where it is numbers; words and times choose, a session that goes on is in every time behind it."""
    view = SessionsView()
    qtbot.addWidget(view)
    base = {"kind": "session", "vm": "work", "stream": "main", "session": "ab" * 8, "why": "eof", "duration": 1.0}
    rows = [
        base
        | {"start": _time(place), "end": _time(place + 1) if place else None, "lines": lines, "longest_silence": 0.5}
        for place, lines in enumerate((5, 100, 20))
    ]
    gap = {"kind": "gap", "vm": "vault", "stream": "main", "time": _time(2), "message": "segment 3 is missing"}
    view.put([*rows, gap])
    view.choose(None, 0, MAX_TIME)
    assert [view.model.data(view.model.index(row, 8)) for row in range(4)] == ["20", "", "100", "5"]
    view.table.sortByColumn(8, Qt.SortOrder.AscendingOrder)
    assert [view.model.data(view.model.index(row, 8)) for row in range(4)] == ["", "5", "20", "100"]
    assert "▲ gaps: 1" in view.told.text()
    view.choose({("vault", "main")}, 0, MAX_TIME)
    assert view.model.rowCount() == 1
    view.choose(None, BEGIN + 5_000_000, MAX_TIME)
    assert [view.model.data(view.model.index(row, 8)) for row in range(view.model.rowCount())] == ["5"]


def test_a_choice_is_what_the_list_shows(window: Window, qtbot: QtBot) -> None:
    """The range goes into the filter, to the second; Escape takes it away again."""
    window.timeline.setFocus()
    QTest.keyClick(window.timeline, Qt.Key.Key_PageDown, Qt.KeyboardModifier.ShiftModifier)
    with qtbot.waitSignal(window.timeline.chosen) as told:
        QTest.keyClick(window.timeline, Qt.Key.Key_Return)
    since, until = told.args
    wanted = window.bar.filter()
    assert wanted.since <= since < wanted.since + 1_000_000
    assert until <= wanted.until < until + 1_000_000
    QTest.keyClick(window.timeline, Qt.Key.Key_Escape)
    assert window.bar.filter() == Filter()
