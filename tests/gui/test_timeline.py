"""The timeline, the gaps below it, and the sessions."""

import time

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from logchain.format.limits import MAX_TIME
from logchain.format.record import parse_time
from logchain.gui.filter_bar import FilterBar
from logchain.gui.gaps import Mark, marks_of, silences
from logchain.gui.logs import Filter, Log
from logchain.gui.quota_view import QuotaView
from logchain.gui.sessions_view import SessionsView
from logchain.gui.timeline_picture import BUCKETS, TimelinePicture
from logchain.gui.timeline_view import TimelineView
from logchain.gui.window import Window
from tests.gui.conftest import names

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
    for number in (*range(view.model.columnCount()), 99):  # a layout that was kept may be of a version with more
        view.model.sort(number, Qt.SortOrder.AscendingOrder)
        assert len({view.model.data(view.model.index(row, 3)) for row in range(4)}) == 3
    view.model.sort(0, Qt.SortOrder.AscendingOrder)
    assert [view.model.data(view.model.index(row, 0)) for row in range(4)] == ["vault", "work", "work", "work"]
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


def test_escape_lets_go_of_what_is_chosen_and_of_no_more(window: Window) -> None:
    """First of the choice that is being made, then of the one that was taken; the words of the filter stay."""
    window.activateWindow()
    window.bar.words.setText("work")
    window.timeline.setFocus()
    QTest.keyClick(window.timeline, Qt.Key.Key_PageDown)
    QTest.keyClick(window.timeline, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(window.timeline, Qt.Key.Key_Return)
    taken = window.bar.filter()
    before = window.timeline.range()
    QTest.keyClick(window.timeline, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert window.timeline.range() != before
    QTest.keyClick(window.timeline, Qt.Key.Key_Escape)
    since, until = window.timeline.range()
    assert until - since < before[1] - before[0] + 1_000_000  # the cursor's bucket only
    assert window.bar.filter() == taken
    QTest.keyClick(window.timeline, Qt.Key.Key_Escape)
    assert window.bar.filter() == Filter(words=("work",))
    QTest.keyClick(window.timeline, Qt.Key.Key_Escape)
    assert window.bar.filter() == Filter()


class _Recorder(QPainter):
    """A painter that keeps where it drew which text."""

    def __init__(self, device: QImage) -> None:
        super().__init__(device)
        self.texts: list[tuple[str, QRectF]] = []

    def drawText(self, *args: object) -> None:  # type: ignore[override]  # noqa: N802
        """Draw it, and keep the box that it fills."""
        text, at = str(args[-1]), args[0]
        if isinstance(at, QPointF):
            box = QRectF(self.fontMetrics().boundingRect(text)).translated(at)
            super().drawText(at, text)
        else:
            assert isinstance(at, QRectF)
            assert isinstance(args[1], Qt.AlignmentFlag)
            box = self.boundingRect(at, args[1], text)
            super().drawText(at, args[1], text)
        self.texts.append((text, box))


@pytest.mark.parametrize("size", [7, 24])
def test_any_font_has_room(view: TimelineView, size: int) -> None:
    """Wide or as small as it may be: what is written is within the picture, and no two texts overlap."""
    font = QFont(view.font())
    font.setPointSize(size)
    view.setFont(font)
    picture = TimelinePicture()
    counts = {f"a-long-name-{place}": [place + 1] * BUCKETS for place in range(9)}
    picture.set_counts({"since": SINCE, "until": UNTIL, "counts": counts})
    picture.marks = [Mark(BEGIN + DAY * place // 40, "dropped", "work/web", "") for place in range(1, 40)]
    for width in (view.minimumSizeHint().width(), 700, 1240):
        image = QImage(width, view.minimumSizeHint().height(), QImage.Format.Format_RGB32)
        painter = _Recorder(image)
        painter.setFont(font)
        picture.draw(painter, image.size(), view.palette())
        texts = painter.texts
        painter.end()
        assert any(text.startswith("2026-11-23") for text, _ in texts)
        for place, (text, box) in enumerate(texts):
            assert QRectF(image.rect()).adjusted(-1, -1, 1, 1).contains(box), (width, text, box)
            for other, beside in texts[place + 1 :]:
                common = box.intersected(beside)
                assert min(common.width(), common.height()) <= 1, (width, text, other)


def test_what_is_chosen_stays_when_sessions_are_read_again(qtbot: QtBot) -> None:
    """A session that goes on has more lines then, and another place; it is the same to who looks at it."""
    view = SessionsView()
    qtbot.addWidget(view)
    row = {"kind": "session", "vm": "work", "stream": "main", "why": "eof", "lines": 1, "end": None}
    rows = [row | {"session": f"{place:016}", "start": _time(place)} for place in range(60)]
    view.put(rows)
    view.choose(None, 0, MAX_TIME)
    view.table.selectRow(40)
    chosen = view.model.rows[40]["session"]
    view.put([*(one | {"lines": 7} for one in rows), row | {"session": "f" * 16, "start": _time(99)}])
    view.choose(None, 0, MAX_TIME)
    (index,) = view.table.selectionModel().selectedRows()
    assert (index.row(), view.model.rows[index.row()]["session"]) == (41, chosen)
    assert view.table.currentIndex().row() == 41


def test_the_place_in_the_quotas_stays(qtbot: QtBot) -> None:
    """When they are told again, in another order, the same qube is chosen, and as far is scrolled."""
    view = QuotaView()
    qtbot.addWidget(view)
    view.resize(600, 300)
    view.show()
    budgets = [{"name": f"vm{place:03}", "used": 5, "quota": 9, "standing": "within", "vms": 1} for place in range(200)]
    view.put({"budgets": budgets})
    item = view.rows.topLevelItem(100)
    assert item
    view.rows.setCurrentItem(item)
    place = view.rows.verticalScrollBar().value()
    view.put({"budgets": [budgets[101], *budgets[:101], *budgets[102:]]})
    current = view.rows.currentItem()
    assert current
    assert (current.text(0), view.rows.indexOfTopLevelItem(current)) == ("vm100", 101)
    assert current.isSelected()
    assert view.rows.verticalScrollBar().value() == place > 0


def test_a_timeline_of_more_than_was_asked_for(window: Window, qtbot: QtBot) -> None:
    """Where the names of the logs that pass also take others, or are too many, it says so as long as it is so."""
    window.model.put([Log("vault", "web", 1, 1, 1, 1, 1, "open", "")])
    window.bar.words.setText("jour")
    qtbot.waitUntil(lambda: len(names(window)) == 3)
    assert "also" not in window.timeline.told()
    window.bar.words.clear()
    window.bar.quick[2].click()
    window.model.put(
        [Log("vault", "journal", 1, 1, 1, 1, 1, "sealed", ""), Log("dom0", "x", 1, 1, 1, 1, 1, "open", "")]
    )
    window.bar.words.setText("o")
    qtbot.waitUntil(lambda: sorted(names(window)) == ["dom0/x", "vault/web", "work/web"])
    window.model.put([Log("work", "x", 1, 1, 1, 1, 1, "sealed", "")])
    window.refresher.timeline_words()
    assert "▲ also counts work/x" in window.timeline._picture.note
    window.model.put([Log(f"vm{n}", f"s{n % 400}", 1, 1, 1, 1, 1, "open", "") for n in range(600)])
    window.refresher.timeline_words()
    assert window.timeline._picture.note.startswith("▲ of all logs")
    window.bar.show_all()
    qtbot.waitUntil(lambda: not window.timeline._picture.note)


@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize("time_us", [0, 1, MAX_TIME - 1_999_999, MAX_TIME - 999_999], ids=str)
def test_a_range_at_either_end_of_time(time_us: int) -> None:
    """What a forged time makes of the axis can be chosen: it fits in the fields."""
    bar = FilterBar()
    bar.set_range(time_us, time_us)
    chosen = bar.filter()
    assert chosen.since <= time_us <= chosen.until


def test_a_time_that_cannot_be_read_takes_no_more(window: Window, qtbot: QtBot) -> None:
    """An action takes the range that the list still shows, not all times."""
    window.bar.since.setCurrentText("-1h")
    qtbot.waitUntil(lambda: window.model.filter.since > 0)
    window.bar.until.setCurrentText("yesterdy")
    qtbot.waitUntil(window.bar.problem.isVisible)
    assert window.bar.times() == ["--since=-1h"]


def test_a_range_where_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    """Of an hour that came twice the one that was chosen is kept."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        bar = FilterBar()
        qtbot.addWidget(bar)
        first = 1_792_891_800_000_000  # 2026-10-25 01:30 UTC, when it is 02:30 for the second time
        bar.set_range(first, first + 600_000_000)
        found = bar.filter()
        assert found.since == first
        assert found.since < found.until <= first + 601_000_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_sessions_that_cannot_be_read_stay(window: Window, qtbot: QtBot) -> None:
    """What was read before is kept, and is told to be old: no session is no answer."""
    before = len(window.sessions.model.rows)
    assert before
    window.refresher._take_sessions([], "logchain: it cannot be read")
    assert len(window.sessions.model.rows) == before
    assert "this is old: logchain: it cannot be read" in window.sessions.told.text()
    window.refresh()
    qtbot.waitUntil(lambda: "old" not in window.sessions.told.text(), timeout=20_000)
