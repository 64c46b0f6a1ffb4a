"""A real store, filled by real collectors, and the real window on it, offscreen."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from logchain.gui.app import make_window
from logchain.gui.logs import Logs
from logchain.gui.logs_model import LogsModel
from logchain.gui.window import Window
from tests.cli.conftest import SCRIPTS, run_in, stock

Open = Callable[..., Window]


@pytest.fixture(scope="session")
def stocked_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store of three qubes, sealed once and with more lines since, and its audit secret."""
    directory = tmp_path_factory.mktemp("stocked")
    run = run_in(directory)
    stock(run)
    run("logchain", "seal")
    run("log-collector", "--stdio", "web", vm="work", stdin=b"GET /\n" * 50)
    return directory


@pytest.fixture
def room(stocked_room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed; settings and state are this test's own."""
    shutil.copytree(stocked_room, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("PATH", f"{SCRIPTS}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Open]:
    """Open the window of a store, wait for what it shows first, and close it with the test."""
    windows: list[Window] = []

    def opened(store: Path, config: str | None = None, *, logs: int | None = None) -> Window:
        window = make_window(store, config)
        windows.append(window)
        qtbot.addWidget(window)
        window.show()
        if logs is not None:
            qtbot.waitUntil(lambda: window.model.rowCount() == logs, timeout=20_000)
            qtbot.waitUntil(lambda: settled(window), timeout=20_000)
        return window

    yield opened
    for window in windows:
        for job in window.doing.jobs:
            job.process.let_go(5_000)
            job.code = job.code or 0
        window.close()
    QApplication.processEvents()


@pytest.fixture
def window(open_window: Open, room: Path) -> Window:
    """The window of the stocked store, with all that it reads at first."""
    return open_window(room / "store", logs=4)


@pytest.fixture
def model() -> Iterator[LogsModel]:
    """A list of logs with none in it."""
    logs = Logs()
    yield LogsModel(logs)
    logs.close()


def settled(window: Window) -> bool:
    """Tell whether all that is read at first was read."""
    asked = any(window.feed.asks(name) for name in ("timeline", "sessions", "status"))
    return not asked and window.quota.rows.topLevelItemCount() > 0


def column(window: Window, number: int) -> list[str]:
    """Return a column of the list, from above."""
    model = window.model
    return [str(model.data(model.index(row, number))) for row in range(model.rowCount())]


def names(window: Window) -> list[str]:
    """Return the logs that are shown, from above."""
    return [f"{vm}/{stream}" for vm, stream in zip(column(window, 0), column(window, 1), strict=True)]
