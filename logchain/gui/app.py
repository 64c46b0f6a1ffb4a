"""Starts the window for a store, and ends when it is closed."""

import os
import signal
import sys
from pathlib import Path

from PySide6.QtCore import QMessageLogContext, QSettings, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from logchain.format.errors import StoreError
from logchain.gui.checks import Checks, store_key
from logchain.gui.command import Logchain
from logchain.gui.plain import shown
from logchain.gui.window import Window

__all__ = ["make_window", "run"]

_NOWHERE = Path(os.devnull)  # nobody can make a file below it, nor root
_ICON = Path(__file__).with_name("logchain.svg")


def run(store: Path, config: str | None) -> int:
    """Show the window until it is closed; return the exit code."""
    app = _make_application()
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


def _make_application() -> QApplication:
    """Return Qt's application; where there is no screen, Qt would abort: tell it in one line instead, and end."""
    heard: list[str] = []

    def hear(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:  # noqa: ARG001 (Qt's signature)
        heard.append(message)
        if kind == QtMsgType.QtFatalMsg:
            why = shown(heard[0].split("\n")[0].removeprefix("qt.qpa.xcb: "))
            sys.stderr.write(f"logchain: the window cannot be shown here: {why}\n")
            sys.stderr.flush()
            os._exit(StoreError.exit_code)  # back in Qt it aborts

    qInstallMessageHandler(hear)
    app = QApplication(sys.argv[:1])
    qInstallMessageHandler(None)
    return app


def _directory(variable: str, default: str) -> Path:
    """Return where our files of a kind are; where the user has no home, a place in which there can be none."""
    base, home = os.environ.get(variable, ""), os.path.expanduser("~")
    if base.startswith("/"):
        return Path(base) / "logchain"
    return (Path(home) / default if home.startswith("/") and home != "/" else _NOWHERE) / "logchain"
