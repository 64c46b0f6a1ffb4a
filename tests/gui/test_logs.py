"""The list of logs: what it shows, in which order, which of it, and how it keeps up."""

import os
import signal
from functools import partial
from pathlib import Path

import click
import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeView
from pytestqt.qtbot import QtBot

from logchain.cli.commands import logchain_group
from logchain.gui.actions import ACTIONS
from logchain.gui.command import CONFIGURED, Logchain
from logchain.gui.logs import Filter, Log
from logchain.gui.logs_model import HEADINGS, LogsModel
from logchain.gui.states import state_of
from logchain.gui.window import Window
from tests.cli.conftest import run_in
from tests.gui.conftest import Open, column, names


def test_a_row_a_log_newest_first(window: Window) -> None:
    """All logs are there with what `list` tells of them; the one that was received last stands first."""
    assert names(window)[0] == "work/web"
    assert sorted(names(window)) == ["dom0/journal", "vault/journal", "work/journal", "work/web"]
    assert column(window, 2) == sorted(column(window, 2), reverse=True)
    assert column(window, 4)[0] == "53"
    assert column(window, 7) == ["▷ open", "■ sealed", "■ sealed", "■ sealed"]
    assert set(column(window, 8)) == {"not checked"}
    assert "4 of 4 logs" in window.counts.text()


@pytest.mark.parametrize("number", range(len(HEADINGS)))
def test_any_column_sorts(number: int, model: LogsModel) -> None:
    """Both ways, as numbers where it is numbers."""
    logs = model.logs
    model.put([_log(place) for place in (3, 1, 20, 100)])
    model.arrange()
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        model.sort(number, order)
        values = [logs.at(place)[number] for place in range(4)]
        assert values == sorted(values, reverse=order == Qt.SortOrder.DescendingOrder)


def _log(place: int) -> Log:
    return Log(f"vm{place:04}", "journal", place, place, place, place, place, "open", f"checked {place:04}")


def test_a_line_that_arrives_is_shown(window: Window, qtbot: QtBot, room: Path) -> None:
    """A collector stores a line of an old log: its row changes, and stands first now; a new qube's appears."""
    run = run_in(room)
    run("log-collector", "--stdio", "journal", vm="vault", stdin=b"late\n")
    qtbot.waitUntil(lambda: names(window)[0] == "vault/journal", timeout=10_000)
    run("log-collector", "--stdio", "main", vm="new", stdin=b"first\n")
    qtbot.waitUntil(lambda: names(window)[0] == "new/main", timeout=10_000)
    run("logchain", "forget", "--vm", "new", "--yes")
    qtbot.waitUntil(lambda: "new/main" not in names(window), timeout=10_000)


def test_a_list_that_ended_comes_back(window: Window, qtbot: QtBot, room: Path) -> None:
    """It is told, and tried again; what went meanwhile is not there any more."""
    window.feed._again.setInterval(2_000)
    os.kill(window.feed._running["list"]._process.processId(), signal.SIGKILL)
    qtbot.waitUntil(lambda: "no longer current" in window.banner.text(), timeout=20_000)
    run_in(room)("logchain", "forget", "--vm", "vault", "--yes")
    qtbot.waitUntil(partial(shows, window, 3), timeout=20_000)
    assert "vault/journal" not in names(window)
    qtbot.waitUntil(lambda: "no longer current" not in window.banner.text(), timeout=20_000)


def test_the_timeline_is_of_what_is_shown(window: Window, qtbot: QtBot) -> None:
    """Words choose what it counts, a time range does not; where nothing passes it is empty."""
    window.bar.words.setText("dom0")
    qtbot.waitUntil(lambda: window.refresher.timeline_words() == ["--vm=dom0", "--stream=journal"])
    window.bar.until.setCurrentText("2020-01-01")
    qtbot.waitUntil(lambda: window.model.rowCount() == 0)
    assert window.refresher.timeline_words() == ["--vm=dom0", "--stream=journal"]
    window.menus.zoom.setChecked(True)
    assert window.refresher.timeline_words() == ["--until=2020-01-01", "--vm=dom0", "--stream=journal"]
    window.bar.words.setText("nobody")
    qtbot.waitUntil(lambda: window.timeline.told() == "There are no records in this time", timeout=20_000)


def test_what_is_below_a_log(window: Window, qtbot: QtBot) -> None:
    """Opened, a log shows its segments and its sessions."""
    place = names(window).index("work/journal")
    log = window.model.index(place, 0)
    assert window.model.hasChildren(log)
    window.logs.tree.expand(log)
    qtbot.waitUntil(lambda: window.model.rowCount(log) == 2, timeout=10_000)
    qtbot.waitUntil(lambda: not window.feed.asks("sessions work journal"), timeout=10_000)
    cells = [
        [window.model.data(window.model.index(row, number, log)) for number in range(9)]
        for row in range(window.model.rowCount(log))
    ]
    assert (cells[0][0], cells[0][4], cells[0][7]) == ("segment 1", "6", "sealed")
    assert (cells[1][0][:8], cells[1][4], cells[1][7]) == ("session ", "2", "eof")
    assert window.model.parent(window.model.index(0, 0, log)).row() == place


def test_what_is_below_is_read_anew(window: Window, qtbot: QtBot, room: Path) -> None:
    """A log that is closed and opened again shows what is there now; one may be open while others come and go."""
    log = QPersistentModelIndex(window.model.index(names(window).index("work/web"), 0))
    for count in (2, 4):  # the first is a segment and a session, then there are two of each
        window.logs.tree.expand(window.model.index(log.row(), 0))
        qtbot.waitUntil(partial(_has_below, window, log, count), timeout=10_000)
        if count == 2:
            run = run_in(room)
            run("logchain", "seal")
            run("log-collector", "--stdio", "web", vm="work", stdin=b"more\n")
            run("log-collector", "--stdio", "main", vm="new", stdin=b"first\n")
            qtbot.waitUntil(lambda: names(window)[0] == "new/main", timeout=10_000)
            window.logs.tree.collapse(window.model.index(log.row(), 0))
            assert window.model.rowCount(log) == 0


def _has_below(window: Window, log: QPersistentModelIndex, count: int) -> bool:
    done = not window.feed.asks("sessions work web") and not window.feed.asks("segments work web")
    return done and window.model.rowCount(log) == count


def test_the_filter(window: Window, qtbot: QtBot) -> None:
    """Words, times and quick filters choose; what cannot be read as a time is told; Escape shows all again."""
    window.bar.words.setText("WORK jour")
    qtbot.waitUntil(lambda: names(window) == ["work/journal"])
    window.bar.words.setText("sealed")
    qtbot.waitUntil(lambda: window.model.rowCount() == 3)
    window.bar.words.setText("%")
    qtbot.waitUntil(lambda: window.model.rowCount() == 0)
    assert window.logs.currentIndex() == 1
    assert "No log passes" in window.logs.told.text()
    window.logs.button.click()
    qtbot.waitUntil(lambda: window.model.rowCount() == 4)
    window.bar.since.setCurrentText("2020-13-01")
    qtbot.waitUntil(lambda: window.bar.problem.isVisible())
    window.bar.since.setCurrentText("2020-01-01")
    window.bar.until.setCurrentText("2020-02-01")
    qtbot.waitUntil(lambda: window.model.rowCount() == 0)
    window.bar.show_all()
    qtbot.waitUntil(lambda: window.model.rowCount() == 4)
    for button, count in zip(window.bar.quick, (0, 0, 1, 0), strict=True):
        button.click()
        qtbot.waitUntil(partial(shows, window, count))
        button.click()


def shows(window: Window, count: int) -> bool:
    """Tell whether so many logs are shown."""
    return window.model.rowCount() == count


def test_who_is_selected_stays_selected(window: Window) -> None:
    """Whatever the order, the selection is the same log; one that is filtered out is selected no more."""
    assert window.logs.choose("vault", "journal")
    for number in (0, 4, 2):
        window.model.sort(number, Qt.SortOrder.AscendingOrder)
        assert [log[:2] for log in window.logs.chosen()] == [("vault", "journal")]
    window.model.arrange(Filter(words=("dom0",)))
    assert not window.logs.chosen()


def test_a_hundred_thousand_logs(model: LogsModel, qtbot: QtBot) -> None:
    """They are all there; a view asks for a page of rows, whatever it shows, and none of what is far away."""
    logs = model.logs
    model.put([Log(f"vm{place}", "journal", place, 0, 0, 0, 0, "open", "") for place in range(100_000)])
    model.arrange()
    assert model.rowCount() == 100_000
    assert model.data(model.index(0, 0)) == "vm99999"
    assert model.data(model.index(99_999, 0)) == "vm0"
    view = QTreeView()
    qtbot.addWidget(view)
    view.setUniformRowHeights(True)
    view.setModel(model)
    view.show()
    view.scrollToBottom()
    qtbot.waitExposed(view)
    assert len(logs._pages) < 10  # of 782
    assert view.indexAt(view.viewport().rect().center()).isValid()


def test_no_store(open_window: Open, tmp_path: Path, qtbot: QtBot) -> None:
    """The page tells what is wrong, in the words of the command, and which command it was."""
    window = open_window(tmp_path / "none")
    qtbot.waitUntil(lambda: "There is no list of logs" in window.logs.told.text(), timeout=10_000)
    assert "logchain:" in window.logs.told.text()
    assert "logchain list --store" in window.logs.told.text()
    assert window.logs.button.isVisible()


def test_an_empty_store(open_window: Open, room: Path, qtbot: QtBot) -> None:
    """It tells how logs get there."""
    run_in(room)("logchain", "init", "--audit-secret-out", "other", LOGCHAIN_STORE="fresh")
    window = open_window(room / "fresh")
    qtbot.waitUntil(lambda: "If no qube has sent anything yet" in window.logs.told.text(), timeout=10_000)


def test_states() -> None:
    """A state follows from what `list` tells, whether the qube is throttled, and how long it has been quiet."""
    row = {"state": "open", "connected": True, "segments": 2, "sealed": 1, "compressed": 1}
    assert [state_of(row, throttled, quiet) for throttled, quiet in ((False, 0), (False, 10**10), (True, 0))] == [
        "live",
        "silent",
        "throttled",
    ]
    row |= {"connected": False, "state": "closed"}
    assert state_of(row, True, 0) == "closed"
    assert state_of(row | {"sealed": 2}, False, 0) == "sealed"
    assert state_of(row | {"sealed": 2, "compressed": 2}, False, 0) == "compressed"
    assert state_of(row | {"state": "damaged", "connected": True}, False, 0) == "damaged"


def test_commands_as_a_person_types_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoted for a shell; with sudo where only root may look into the store; --config only where it is taken."""
    store = tmp_path / "a store"
    store.mkdir()
    ours = Logchain(store, "my settings")
    assert ours.line("status") == f"logchain status --store '{store}' --config 'my settings'"
    assert ours.line("list", "--vm=a b") == f"logchain list '--vm=a b' --store '{store}'"
    assert Logchain(Path("/var/lib/logchain")).line("list") in ("logchain list", "sudo logchain list")
    (tmp_path / "sudo").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    access = os.access
    shut = [store]
    monkeypatch.setattr(os, "access", lambda path, mode: path not in shut and access(path, mode))
    for place in (store, store / "live", store / "sealed"):  # what may be read is asked for each command
        place.mkdir(exist_ok=True)
        shut[:] = [place]
        assert ours.program("list")[:2] == ["sudo", "-n"]
        assert ours.line("list").startswith("sudo logchain list ")
        shut[:] = []
        assert "sudo" not in ours.program("list")
    shut[:] = [store / "none"]
    assert not Logchain(store / "none").sudo


def test_which_commands_take_settings() -> None:
    """Those that the window gives --config are those that have it."""
    context = click.Context(logchain_group)
    commands = {name: logchain_group.get_command(context, name) for name in logchain_group.list_commands(context)}
    has = {name for name, command in commands.items() if command and any(p.name == "config" for p in command.params)}
    assert set(CONFIGURED) <= has
    used = {action.command[0] for action in ACTIONS} | {"list", "status", "sessions", "timeline", "show"}
    assert has & used == set(CONFIGURED)


def test_a_number_is_never_lent_again(model: LogsModel) -> None:
    """A log that is gone hands its number, and with it that it is selected, to no other."""
    model.put([Log("work", "web", 1, 1, 1, 1, 1, "open", "")])
    model.arrange()
    before = model.logs.order[0]
    model.logs.remove("work", "web")
    model.put([Log("vault", "web", 1, 1, 1, 1, 1, "open", "")])
    model.arrange()
    assert model.logs.order[0] != before


def test_counts_of_a_forged_catalog(model: LogsModel) -> None:
    """Numbers beyond what SQLite takes stop nothing, nor do their sums."""
    forged = [Log(f"vm{n}", "web", 1, 1, -(1 << 70), 1 << 63, (1 << 70) + n, "open", "\ud800") for n in range(3)]
    model.put(forged)
    model.put([Log("work", "web", 1, 1, 1, 1, 1, "open", "")])
    model.arrange()
    assert model.rowCount() == 4
    assert model.logs.sums()[0] == 4
    assert all(model.data(model.index(row, column)) for row in range(4) for column in range(8))


def test_numbers_of_a_forged_catalog_pass_the_feed(window: Window, qtbot: QtBot) -> None:
    """Qt cannot take them; what came with them is shown all the same."""
    row = {"vm": "new", "stream": "web", "state": "open", "room": (1 << 63) + 8_192, "records": 1 << 70}
    window.feed.rows.emit([row])
    qtbot.waitUntil(lambda: "new/web" in names(window), timeout=20_000)


def test_f5_reads_the_list_and_what_is_open_again(window: Window, qtbot: QtBot, room: Path) -> None:
    """Also what the list told wrongly, and what is below a row that was opened before its last lines came."""
    index = window.model.index(names(window).index("vault/journal"), 0)
    window.logs.tree.expand(index)
    qtbot.waitUntil(lambda: _below(window, "vault/journal") > 1, timeout=20_000)
    qtbot.waitUntil(lambda: not any(window.feed.asks(f"{kind} vault journal") for kind in ("segments", "sessions")))
    before = _below(window, "vault/journal")
    run_in(room)("log-collector", "--stdio", "journal", vm="vault", stdin=b"late\n")
    qtbot.waitUntil(lambda: names(window)[0] == "vault/journal", timeout=20_000)
    assert _below(window, "vault/journal") == before
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert not window.listing.is_complete
    qtbot.waitUntil(lambda: window.listing.is_complete, timeout=20_000)
    qtbot.waitUntil(lambda: _below(window, "vault/journal") > before, timeout=20_000)
    assert len(names(window)) == 4


def _below(window: Window, name: str) -> int:
    return window.model.rowCount(window.model.index(names(window).index(name), 0))
