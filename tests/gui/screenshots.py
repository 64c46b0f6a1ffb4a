"""Makes the pictures of the guide: `python -m tests.gui.screenshots DIR` (`make screenshots`). Looked at by people."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["TZ"] = "UTC"

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from logchain.gui.actions import ACTIONS, Action
from logchain.gui.app import make_window
from logchain.gui.colours import set_scheme
from logchain.gui.options import Options
from logchain.gui.window import Window
from tests.gui.picture_store import make_week

_PATIENCE = 30  # s
_SETTINGS = """\
[each-vm]
quota = "3 MiB"
[disposables]
quota = "1 MiB"
[vm.personal]
quota = "256 KiB"
"""


def main() -> None:
    """Make all pictures."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = f"{scratch}/{name}"
        os.fdatasync = lambda fd: None  # noqa: ARG005 (its signature)
        archive = make_week(Path(scratch) / "sys-log", time.time_ns() // 1000)
        lock = os.open(archive.path / "keys/compressor", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)  # as if it ran
        settings = Path(scratch) / "logchain.toml"
        settings.write_text(_SETTINGS)
        app = QApplication(["logchain"])
        app.setStyle("Fusion")
        app.setFont(QFont("DejaVu Sans", 9))
        window = make_window(archive.path, str(settings))
        window.model.labels = {"work": "blue", "personal": "yellow", "sys-net": "red", "vault": "black"}
        window.show()
        _pictures(window, place)
        window.close()


def _pictures(window: Window, place: Path) -> None:
    _until(lambda: window.sessions.model.rowCount() > 0 and not window.feed.asks("timeline"))
    work = window.model.index(0, 0)
    window.logs.tree.expand(work)
    _until(lambda: window.model.rowCount(work) > 9)
    window.logs.choose("work", "journal")
    _take(window, place / "logs.png")
    window.logs.tree.collapseAll()
    window.timeline.setFocus()
    for _ in range(12):
        QTest.keyClick(window.timeline, Qt.Key.Key_PageDown, Qt.KeyboardModifier.NoModifier)
    for _ in range(30):
        QTest.keyClick(window.timeline, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(window.timeline, Qt.Key.Key_Return)
    _take(window, place / "range.png")
    window.bar.show_all()
    window.bar.words.setText("personal")
    QTest.qWait(300)
    _until(lambda: not window.feed.asks("timeline"))
    window.tabs.setCurrentWidget(window.sessions)
    _take(window, place / "sessions.png")
    window.bar.show_all()
    QTest.qWait(300)
    _until(lambda: not window.feed.asks("timeline"))
    window.tabs.setCurrentWidget(window.quota)
    _take(window, place / "quotas.png")
    window.tabs.setCurrentWidget(window.logs)
    window.logs.choose("work", "journal")
    _take_options(window, ("export",), place / "export.png")
    words = _take_options(window, ("delete",), place / "delete.png")
    asking = window.doing.run(_action(("delete",)), words)
    _until(lambda: asking.question.isVisible())
    _take(asking, place / "asks.png")
    asking.question.no.click()
    _until(lambda: asking.code is not None)
    asking.close()
    _take_verify(window, place / "verify.png")
    (log,) = (window.logchain.store / "live/work/web").glob("*.log")
    log.write_bytes(log.read_bytes().replace(b"systemd", b"syslogd", 1))
    _take_verify(window, place / "damaged.png")
    set_scheme("dark")
    QTest.qWait(200)
    _take(window, place / "dark.png")


def _action(command: tuple[str, ...]) -> Action:
    return next(action for action in ACTIONS if action.command == command)


def _take_options(window: Window, command: tuple[str, ...], path: Path) -> list[str]:
    """Take a picture of an action's options, and return its command."""
    values = {"--output": "/home/user/work.tar", "--until": "-3d"}
    options = Options(window.logchain, _action(command), window.logs.chosen(), window.model.logs.all(), values, window)
    options.show()
    _take(options, path)
    options.close()
    return options.words()


def _take_verify(window: Window, path: Path) -> None:
    command = ["logchain", "status", "--json", "--store", str(window.logchain.store)]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    words = ["verify", "--json", f"--fingerprint={told['ledger']['fingerprint']}"]
    job = window.doing.run(_action(("verify", "--json")), words)
    _until(lambda: job.code is not None)
    _take(job, path)
    job.close()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        QTest.qWait(20)


def _take(widget: QWidget, path: Path) -> None:
    QTest.qWait(150)
    assert widget.grab().save(str(path))


if __name__ == "__main__":
    main()
