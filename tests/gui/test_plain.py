"""Nothing that a log, a qube or a file is called breaks out of the place where it is shown."""

import ast
import json
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

import logchain.gui
from logchain.format.limits import MAX_TIME
from logchain.gui.actions import ACTIONS
from logchain.gui.answers import objects
from logchain.gui.gaps import Mark
from logchain.gui.logs import Log
from logchain.gui.logs_model import LogsModel
from logchain.gui.options import Options
from logchain.gui.plain import label, message, shown, tip
from logchain.gui.sessions_view import SessionsView
from logchain.gui.timeline_picture import BUCKETS
from logchain.gui.timeline_view import TimelineView
from logchain.gui.window import Window
from tests.read.test_display import is_harmful

HOSTILE = "<img src='file:///x.png'><b>b</b>&amp;\x1b]0;owned\x07\u202egnp.exe\u2066\x00\ud800\u200b\u0301\u0301\u0301\u0301\u0301"
_GUESSING = {"QLabel", "QMessageBox", "QProgressDialog", "QErrorMessage", "QTextEdit", "QTextBrowser", "QWhatsThis"}


def harm(text: str) -> list[str]:
    """Return the characters of a text that should not be shown; newlines are ours."""
    return [char for char in text if char != "\n" and is_harmful(ord(char))]


def test_text_is_spelled_out() -> None:
    """Nothing harmful is left of it; newlines stay, and what is too long is cut."""
    text = shown(HOSTILE)
    assert not harm(text)
    assert shown("a\nb\tc") == "a\nb\\x09c"
    assert shown("x" * 9_999, 10) == "x" * 10 + "…"


def test_one_room_makes_what_guesses() -> None:
    """Widgets that guess rich text are made in gui/plain alone, and tooltips are set with its `tip` only."""
    for path in Path(logchain.gui.__file__).parent.glob("*.py"):
        if path.name == "plain.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name not in _GUESSING | {"setToolTip", "setStatusTip", "setWhatsThis"}, (path.name, node.lineno)
                assert name != "showText" or ast.unparse(node.args[1]).startswith("tip("), (path.name, node.lineno)


def test_labels_and_boxes_are_plain(qtbot: QtBot, window: Window) -> None:
    """Every label of the window and of its dialogs is plain text, and a message box too."""
    made = label(HOSTILE)
    qtbot.addWidget(made)
    assert made.textFormat() == Qt.TextFormat.PlainText
    box: QMessageBox = message(None, HOSTILE)
    qtbot.addWidget(box)
    assert box.textFormat() == Qt.TextFormat.PlainText
    hostile = Log(HOSTILE, HOSTILE, 0, 0, 0, 0, 0, HOSTILE, HOSTILE)
    dialogs = [Options(window.logchain, action, [hostile], [hostile], {}, window) for action in ACTIONS]
    widgets: list[QWidget] = [window, *dialogs]
    for widget in widgets:
        labels = [one for one in widget.findChildren(QLabel) if one.text() and not one.inherits("QSizeGrip")]
        assert labels
        for one in labels:
            assert one.textFormat() == Qt.TextFormat.PlainText or "<" not in one.text(), one.text()
            assert not harm(one.text())
        for text in widget.findChildren(QPlainTextEdit):
            assert not harm(text.toPlainText())


def test_cells_and_tips(model: LogsModel, qtbot: QtBot) -> None:
    """What a cell shows, its tooltip and what a screen reader reads have nothing harmful, and no markup of the name."""
    model.labels = {HOSTILE: "no label"}
    model.put([Log(HOSTILE.replace("\ud800", ""), HOSTILE.replace("\ud800", ""), 0, 0, 0, 0, 0, "x\x1b", "\u202ey")])
    model.arrange()
    for number in range(9):
        index = model.index(0, number)
        for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            assert not harm(str(model.data(index, role)))
        assert "<img" not in str(model.data(index, Qt.ItemDataRole.ToolTipRole))
    view = SessionsView()
    qtbot.addWidget(view)
    view.put([{"kind": "gap", "vm": HOSTILE, "stream": HOSTILE, "time": None, "message": HOSTILE}])
    view.choose(None, 0, MAX_TIME)
    for number in range(10):
        text = str(view.model.data(view.model.index(0, number)))
        assert not harm(text)
    assert "&lt;img" in tip(HOSTILE)


def test_a_timeline_of_hostile_names(qtbot: QtBot) -> None:
    """It is drawn, and told in words that are safe."""
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(600, 200)
    times = {"since": "2026-11-23T00:00:00.000000Z", "until": "2026-11-24T00:00:00.000000Z"}
    view.set_counts(times | {"counts": {f"{HOSTILE}{n}": [n] * BUCKETS for n in range(20)}})
    view.set_gaps([Mark(1_795_405_501_123_456, "gap", HOSTILE, HOSTILE)], [(0, 2**60)])
    assert not view.grab().isNull()
    assert not harm(view.accessibleDescription())


def test_lines_that_are_no_objects() -> None:
    """What a command prints is taken for what it is, or left out."""
    lines = [b"{}\n", b"[1]\n", b"\xff\xfe\n", b"{" * 9_999, json.dumps({"vm": "a"}).encode()]
    assert objects(lines) == [{}, {"vm": "a"}]


def test_every_widget_has_a_name(window: Window) -> None:
    """What takes the keyboard says what it is: to screen readers, and by its text or accessible name."""
    for widget in window.findChildren(QWidget):
        inner = widget.objectName().startswith("qt_") or "ScrollBar" in type(widget).__name__
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and not inner:
            text = widget.accessibleName() or getattr(widget, "text", lambda: "")()
            assert text or type(widget).__name__ in ("QTabBar", "QTabWidget", "QMenuBar"), widget
