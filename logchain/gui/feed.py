"""Where what the window shows comes from: a command that goes on, and others that are run when asked."""

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from logchain.gui.answers import Objects, objects
from logchain.gui.command import Logchain
from logchain.gui.process import Process

__all__ = ["Feed"]

_LAST = 0.3  # s in which all commands should have ended when the window is closed
_AGAIN = 5_000  # ms until a list that ended is tried again
_SILENCE = 30_000  # ms; a list that runs says something three times as often


class Feed(QObject):
    """Runs the commands. A question that is asked anew under the same name replaces the one before."""

    rows = Signal(object)  # of `logchain list --json --follow`, as they come; Qt would stumble over large numbers
    silent = Signal(bool)  # the list runs, and says nothing: a disk may hang; False: it does again
    failed = Signal(str)  # why there is no list; it is tried again by and by

    def __init__(self, logchain: Logchain, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._logchain = logchain
        self._running: dict[str, Process] = {}
        self._again = QTimer(self, interval=_AGAIN, singleShot=True)
        self._again.timeout.connect(self.follow)
        self.silence = QTimer(self, interval=_SILENCE, singleShot=True)
        self.silence.timeout.connect(lambda: self._fall_silent(True))
        self._is_silent = False

    def follow(self) -> None:
        """Read the list, and go on as it changes."""
        self._again.stop()
        process, said = self._begin("list", ["list", "--json", "--follow"])
        self._fall_silent(False)

        def take(lines: list[bytes]) -> None:
            self._fall_silent(False)
            self.rows.emit(objects(lines))

        def ended(code: int) -> None:
            self.silence.stop()
            self.failed.emit("\n".join(said) or f"'logchain list' ended with {code}")
            self._again.start()

        process.lines.connect(take)
        process.ended.connect(ended)
        process.start()

    def _fall_silent(self, now: bool) -> None:
        """Take note that the list says nothing; else, that it said something now."""
        if not now:
            self.silence.start()
        if now != self._is_silent:
            self._is_silent = now
            self.silent.emit(now)

    def ask(self, name: str, command: Sequence[str], answer: Callable[[Objects, str], None]) -> None:
        """Run a command, and call `answer` with the objects that it printed, and with what it said of errors."""
        process, said = self._begin(name, command)
        found: Objects = []
        process.lines.connect(lambda lines: found.extend(objects(lines)))

        def ended(code: int) -> None:  # noqa: ARG001 (3 is an answer too: what it says counts)
            self._running.pop(name).deleteLater()
            answer(found, "\n".join(said))

        process.ended.connect(ended)
        process.start()

    def asks(self, name: str) -> bool:
        """Tell whether such a question is not answered yet."""
        return name in self._running

    def stop(self) -> None:
        """End all that runs: it only reads, so nothing is lost. Who closes the window does not wait for it."""
        self._again.stop()
        self.silence.stop()
        for process in self._running.values():
            process.kill()
        end = time.monotonic() + _LAST
        for process in self._running.values():
            process.let_go(max(0, round(1000 * (end - time.monotonic()))))
        self._running = {}

    def _begin(self, name: str, command: Sequence[str]) -> tuple[Process, list[str]]:
        """Make a process, and a list that fills with what it says."""
        before = self._running.pop(name, None)
        if before:
            before.discard()
        said: list[str] = []
        process = Process(self._logchain.program(*command), self)
        process.said.connect(said.append)
        self._running[name] = process
        return process, said
