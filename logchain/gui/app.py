"""Starts the window for a store, and ends when it is closed."""

import os
import signal
import sys
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from logchain.gui.checks import Checks, store_key
from logchain.gui.command import Logchain
from logchain.gui.window import Window

__all__ = ["make_window", "run"]

_ICON = Path(__file__).with_name("logchain.svg")


def run(store: Path, config: str | None) -> int:
    """Show the window until it is closed; return the exit code."""
    app = QApplication(sys.argv[:1])
    app.setApplicationName("logchain")
    QGuiApplication.setDesktopFileName("logchain")
    app.setWindowIcon(QIcon(str(_ICON)))
    signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, app.closeAllWindows))
    window = make_window(store, config)
    wake = QTimer()  # Python sees a signal only when it runs
    wake.start(500)
    wake.timeout.connect(lambda: None)
    window.show()
    return app.exec()


def make_window(store: Path, config: str | None) -> Window:
    """Return the window of a store, with the user's settings; not shown yet."""
    store = store.absolute()
    settings = QSettings(str(_directory("XDG_CONFIG_HOME", ".config") / "window.ini"), QSettings.Format.IniFormat)
    checks = Checks(_directory("XDG_STATE_HOME", ".local/state") / f"window-{store_key(store)}.json")
    return Window(Logchain(store, config), settings, checks)


def _directory(variable: str, default: str) -> Path:
    base = os.environ.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / default) / "logchain"
