"""The window as a whole: what it keeps, how it starts and ends, and what it is without PySide6."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from logchain.gui.actions import ACTIONS
from logchain.gui.answers import Objects
from logchain.gui.checks import store_key
from logchain.gui.colours import is_dark, set_scheme
from logchain.gui.feed import Feed
from logchain.gui.process import Process
from logchain.gui.window import Window
from tests.cli.conftest import run_in
from tests.gui.conftest import Open, column, names


def test_the_layout_is_kept(open_window: Open, room: Path, qtbot: QtBot) -> None:
    """Order, columns, choices of the menus and labels are the same the next time."""
    window = open_window(room / "store", logs=4)
    window.logs.tree.sortByColumn(4, Qt.SortOrder.AscendingOrder)
    window.logs.tree.setColumnHidden(6, True)
    window.menus.shows_timeline.setChecked(False)
    window.logs.choose("work", "web")
    window.logs.labelled.emit(["work"], "blue")
    window.resize(900, 700)
    window.close()
    again = open_window(room / "store", logs=4)
    assert again.logs.tree.isColumnHidden(6)
    assert again.logs.tree.header().sortIndicatorSection() == 4
    assert again.model.data(again.model.index(3, 4)) == "53"
    assert not again.timeline.isVisible()
    assert again.model.labels == {"work": "blue"}
    assert not again.menus.previews.isChecked()
    index = again.model.index(3, 0)
    assert "label blue" in again.model.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert qtbot.screenshot(again) is not None


def test_each_command_runs_once_at_first(open_window: Open, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is begun twice is killed, and costs a start."""
    begun: list[str] = []
    ask = Feed.ask

    def count(self: Feed, name: str, command: Sequence[str], answer: Callable[[Objects, str], None]) -> None:
        begun.append(name)
        ask(self, name, command, answer)

    monkeypatch.setattr(Feed, "ask", count)
    open_window(room / "store", logs=4)
    assert sorted(begun) == ["sessions", "status", "timeline"]


def test_dark_and_light(window: Window) -> None:
    """Both can be chosen, whatever the platform has."""
    try:
        for name, dark in (("dark", True), ("light", False)):
            set_scheme(name)
            assert is_dark() == dark
            assert not window.grab().isNull()
    finally:
        set_scheme("system")


def test_all_can_be_reached_by_the_keyboard(window: Window) -> None:
    """Tab goes through filter, timeline, tabs and list, and comes round again."""
    window.activateWindow()
    window.bar.words.setFocus()
    seen: list[QWidget] = []
    for _ in range(40):
        focus = window.focusWidget()
        assert focus
        if focus in seen and focus is seen[0]:
            break
        seen.append(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    assert {window.bar.words, window.timeline, window.tabs.tabBar(), window.logs.tree} <= set(seen)
    entries = window.findChildren(QAction)
    shortcuts = [entry.shortcut().toString() for entry in entries if not entry.shortcut().isEmpty()]
    assert len(shortcuts) == len(set(shortcuts)) > 10


def test_a_flood_of_lines_comes_in_portions(qtbot: QtBot) -> None:
    """Not more than twenty times a second, and none is lost."""
    code = "for n in range(20000): print('{%d}' % n)\nimport sys; sys.stdin.readline(); print('end\\n{\"done\": 0}')"
    process = Process([sys.executable, "-c", code])
    portions: list[list[bytes]] = []
    words: list[str] = []
    process.lines.connect(portions.append)
    process.said.connect(words.append)
    process.start()
    qtbot.waitUntil(lambda: sum(map(len, portions)) == 20_000, timeout=20_000)
    assert max(map(len, portions)) <= 1_000
    assert b"".join(line for portion in portions for line in portion) == b"".join(b"{%d}\n" % n for n in range(20_000))
    with qtbot.waitSignal(process.ended, timeout=20_000) as ended:
        process.cancel()
    assert (ended.args, words) == ([0], ["end"])


def test_a_program_that_is_not_there(qtbot: QtBot) -> None:
    """It ends as one that could not be run, and says so."""
    process = Process(["/none/logchain"])
    words: list[str] = []
    process.said.connect(words.append)
    with qtbot.waitSignal(process.ended, timeout=20_000) as ended:
        process.start()
    assert (ended.args, words) == ([-1], ["/none/logchain cannot be run"])


def test_the_command(room: Path) -> None:
    """`logchain gui` shows the window until it is told to end; nothing that it started is left."""
    process = subprocess.Popen(["logchain", "gui", "--store", "store"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text():
        assert process.poll() is None
    started = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b""), err
    assert b"Traceback" not in err
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert (room / "config/logchain/window.ini").exists()


def test_without_pyside(room: Path) -> None:
    """One line that tells what to install."""
    (room / "PySide6.py").write_text("raise ImportError('no such module')")
    environment = os.environ | {"PYTHONPATH": str(room)}
    command = ["logchain", "gui", "--store", "store"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "install PySide6" in done.stderr


def test_settings_that_another_hand_wrote(open_window: Open, room: Path) -> None:
    """They are left alone: the window opens all the same."""
    (room / "config/logchain").mkdir(parents=True)
    (room / "config/logchain/window.ini").write_text(
        "[General]\ngeometry=wide\nsplitter=1, 2\ncolumns=all\nsessions=5\ncolours=mauve\npreviews=maybe\n"
    )
    window = open_window(room / "store", logs=4)
    assert not window.menus.previews.isChecked()


def test_what_is_known_of_checks_may_be_anything(open_window: Open, room: Path) -> None:
    """A file that nests without end, or has half a character, stops no window."""
    for text in ("[" * 100_000, '{"work/web": "\\ud800"}', '{"a": 1e999}'):
        (room / "state/logchain").mkdir(parents=True, exist_ok=True)
        (room / f"state/logchain/window-{store_key(room / 'store')}.json").write_text(text)
        open_window(room / "store", logs=4).close()


def test_a_store_that_is_taken_away(window: Window, room: Path, qtbot: QtBot) -> None:
    """What is shown is told to be old, whatever else is told; what comes in its place is shown by itself."""
    (room / "store").rename(room / "aside")
    qtbot.waitUntil(lambda: "no longer current" in window.banner.text(), timeout=20_000)
    assert window.model.rowCount() == 4
    window.show_banner(["something else"])
    assert "no longer current" in window.banner.text()
    assert "something else" in window.banner.text()
    (room / "aside").rename(room / "store")
    window.feed.follow()
    qtbot.waitUntil(lambda: "no longer current" not in window.banner.text(), timeout=20_000)


@pytest.mark.usefixtures("room")
def test_no_screen() -> None:
    """Qt would abort; a line tells it."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in screens}
    done = subprocess.run(["logchain", "gui", "--store", "store"], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"no screen" in done.stderr


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(("platform", "why"), [("xcb", ":7654"), ("parchment", "parchment")])
def test_a_screen_that_is_dead(platform: str, why: str) -> None:
    """A display that nobody serves, or a platform that Qt has not: one line in place of Qt's abort."""
    environment = os.environ | {"DISPLAY": ":7654", "QT_QPA_PLATFORM": platform}
    command = ["logchain", "gui", "--store", "store"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert why in done.stderr or "xcb" in done.stderr  # where xcb's own libraries are not there, Qt tells that


@pytest.mark.parametrize("home", ["", "relative"])
def test_no_home(open_window: Open, room: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """The window opens without settings, keeps none, and makes no directory where it was started."""
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    before = sorted(room.iterdir())
    window = open_window(room / "store", logs=4)
    window.logs.labelled.emit(["work"], "blue")
    window.close()
    assert window.model.labels == {"work": "blue"}
    assert sorted(room.iterdir()) == before


def test_a_list_that_says_nothing(window: Window, qtbot: QtBot) -> None:
    """It may hang: the banner tells it, until the list says something; it does so by itself, with nothing new."""
    window.feed.silence.setInterval(200)
    window.feed.silence.start()
    qtbot.waitUntil(lambda: "says nothing" in window.banner.text(), timeout=20_000)
    window.feed.silence.setInterval(30_000)
    qtbot.waitUntil(lambda: "says nothing" not in window.banner.text(), timeout=30_000)


def test_a_narrow_window(window: Window, qtbot: QtBot) -> None:
    """It fits into half of a screen: the filter bar then has two rows, in which nothing overlaps."""
    least, height = window.minimumSizeHint().width(), window.bar.height()
    assert least < 800
    for width, has_two_rows in ((least, True), (1240, False)):
        window.resize(width, 700)
        qtbot.waitUntil(partial(_is_higher, window, height, has_two_rows))
        boxes = [part.geometry() for part in (window.bar.words, window.bar.until, *window.bar.quick, window.bar.clear)]
        assert not any(box.intersects(other) for place, box in enumerate(boxes) for other in boxes[place + 1 :])


def _is_higher(window: Window, height: int, wanted: bool) -> bool:
    return (window.bar.height() > height) == wanted


def test_a_log_that_is_taken_away(window: Window, room: Path, qtbot: QtBot) -> None:
    """It is missing, and no longer called intact; nor is one that has less than was checked, or went unlisted."""
    words = ["verify", "--json", f"--audit-secret={room / 'audit'}"]
    verify = next(one for one in ACTIONS if one.command == ("verify", "--json"))
    job = window.doing.run(verify, words)
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    assert all(cell.startswith("intact") for cell in column(window, 8))
    for part in ("live", "sealed"):
        shutil.rmtree(room / "store" / part / "vault")
    shutil.rmtree(room / "store/live/work/web")
    (room / "store/live/work/web").mkdir()
    qtbot.waitUntil(lambda: _cells(window)["vault/journal"][0] == "▲ missing", timeout=20_000)
    qtbot.waitUntil(lambda: _cells(window)["work/web"][1].startswith("LESS"), timeout=20_000)
    assert _cells(window)["vault/journal"][1] == "LESS than what was checked: it is not here any more"
    window.bar.quick[3].click()
    qtbot.waitUntil(lambda: sorted(names(window)) == ["vault/journal", "work/web"])
    job = window.doing.run(verify, words)
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    assert job.code == 1
    assert _cells(window)["vault/journal"][1].startswith("DAMAGED: it is not in the store any more")
    assert _cells(window)["work/web"][1].startswith("LESS than an earlier check")


def _cells(window: Window) -> dict[str, tuple[str, str]]:
    """Return state and integrity of the logs that are shown."""
    return dict(zip(names(window), zip(column(window, 7), column(window, 8), strict=True), strict=True))


def test_an_older_copy_in_the_place_of_the_store(window: Window, room: Path, qtbot: QtBot) -> None:
    """What has less than was checked says so; a log that the copy does not have is missing."""
    shutil.copytree(room / "store", room / "older")
    run = run_in(room)
    run("log-collector", "--stdio", "web", vm="work", stdin=b"later\n" * 9)
    run("log-collector", "--stdio", "main", vm="new", stdin=b"first\n")
    qtbot.waitUntil(lambda: "new/main" in names(window), timeout=20_000)
    verify = next(one for one in ACTIONS if one.command == ("verify", "--json"))
    job = window.doing.run(verify, ["verify", "--json", f"--audit-secret={room / 'audit'}"])
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    assert _cells(window)["work/web"][1].startswith("intact")
    (room / "store").rename(room / "aside")
    (room / "older").rename(room / "store")
    qtbot.waitUntil(lambda: _cells(window)["new/main"][0] == "▲ missing", timeout=30_000)
    assert _cells(window)["work/web"][1].startswith("LESS than what was checked, which went to 20")


def test_a_check_that_is_newer_than_the_list(window: Window, room: Path, qtbot: QtBot) -> None:
    """What the list does not have yet is not called lost; what goes later is."""
    window.feed.stop()
    run_in(room)("log-collector", "--stdio", "web", vm="work", stdin=b"later\n" * 9)
    assert _verify(window, room, qtbot)["work/web"][1].startswith("intact")
    window.feed.follow()
    qtbot.waitUntil(lambda: max(log.records for log in window.model.logs.all() if log.stream == "web") > 9)
    shutil.rmtree(room / "store/live/work/web")
    (room / "store/live/work/web").mkdir()
    qtbot.waitUntil(lambda: _cells(window)["work/web"][1].startswith("LESS"), timeout=20_000)


def test_a_log_whose_records_were_all_deleted(window: Window, room: Path, qtbot: QtBot) -> None:
    """A check before and one after it say nothing of less: the ledger has who did it."""
    _verify(window, room, qtbot)
    run = run_in(room)
    run("logchain", "seal")
    run("logchain", "delete", "--vm=vault", "--until=now", "--yes")
    qtbot.waitUntil(
        lambda: [log.records for log in window.model.logs.all() if log.vm == "vault"] == [0], timeout=20_000
    )
    assert not _cells(window)["vault/journal"][1].startswith(("LESS", "DAMAGED"))
    assert not _verify(window, room, qtbot)["vault/journal"][1].startswith(("LESS", "DAMAGED"))


def _verify(window: Window, room: Path, qtbot: QtBot) -> dict[str, tuple[str, str]]:
    verify = next(one for one in ACTIONS if one.command == ("verify", "--json"))
    job = window.doing.run(verify, ["verify", "--json", f"--audit-secret={room / 'audit'}"])
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    return _cells(window)


def test_labels_outlive_an_empty_moment(open_window: Open, room: Path, qtbot: QtBot) -> None:
    """A store that has no logs for now, as while it is restored, takes no label."""
    window = open_window(room / "store", logs=4)
    window.logs.labelled.emit(["work"], "red")
    window.close()
    (room / "store/live").rename(room / "live")
    (room / "store/sealed").rename(room / "sealed")
    (room / "store/live").mkdir()
    (room / "store/sealed").mkdir()
    again = open_window(room / "store")
    qtbot.waitUntil(lambda: again.listing.is_complete, timeout=20_000)
    assert again.model.labels == {"work": "red"}


def test_two_windows_keep_what_each_found(room: Path, open_window: Open) -> None:
    """Neither what one checked nor its labels are written over by the other; one that is forgotten leaves no trace."""
    first, second = (open_window(room / "store", logs=4) for _ in range(2))
    first.logs.labelled.emit(["work"], "red")
    second.logs.labelled.emit(["vault"], "blue")
    logs = first.model.logs.all()
    for window, vm in ((first, "vault"), (second, "work")):
        damage = [{"damage": True, "text": f"{vm}/x is no file"}]
        row = {"vm": vm, "stream": "journal", "findings": damage, "records": 3}
        window.checks.take({"streams": [row]}, 1, logs, whole=False)
    first.close()
    second.close()
    third = open_window(room / "store", logs=4)
    assert third.model.labels == {"work": "red", "vault": "blue"}
    cells = _cells(third)
    assert cells["vault/journal"][1].startswith("DAMAGED: vault/x")
    assert cells["work/journal"][1].startswith("DAMAGED")
    (kept,) = (room / "state/logchain").glob("window-*.json")
    third.checks.forget({next(log.id for log in logs if log.vm == "vault")})
    assert "vault" not in kept.read_text()
    assert "work" in kept.read_text()


def test_a_page_of_text_in_the_filter(window: Window, qtbot: QtBot) -> None:
    """Pasted words are cut to what can be looked for; the list follows them."""
    for text in ("%" * 30_000, "a " * 1_500):
        window.bar.words.setText(text)
        qtbot.waitUntil(lambda: bool(window.model.filter.words), timeout=20_000)
        assert len(window.bar.words.text()) <= 500
        window.bar.show_all()
        qtbot.waitUntil(lambda: window.model.rowCount() == 4, timeout=20_000)


def test_a_layout_of_another_version(window: Window) -> None:
    """A column that there is not sorts nothing; labels that are none are none."""
    before = names(window)
    window.model.sort(10, Qt.SortOrder.AscendingOrder)
    assert names(window) == before
    assert window.model.headerData(9, Qt.Orientation.Horizontal) is None
    assert window.model.headerData(8, Qt.Orientation.Horizontal)
    for value in (5, 1.5, True, QSize(1, 2)):
        window.settings.setValue(window._labels_key, value)
        assert window._kept_labels() == {}


def test_close_where_the_command_ended_meanwhile(window: Window, qtbot: QtBot, room: Path) -> None:
    """Who is asked whether to cancel it, and presses Close when it has ended, has the window closed."""
    verify = next(one for one in ACTIONS if one.command == ("verify", "--json"))
    job = window.doing.run(verify, ["verify", "--json", f"--audit-secret={room / 'audit'}"])
    window.close()
    (box,) = window.findChildren(QMessageBox)
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    assert window.isVisible()
    box.button(QMessageBox.StandardButton.Close).click()
    qtbot.waitUntil(lambda: not window.isVisible())
