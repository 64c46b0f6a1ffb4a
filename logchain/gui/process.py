"""A command that runs beside the window: what it prints comes in portions, so that the window never waits for it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from PySide6.QtCore import QElapsedTimer, QObject, QProcess, QTimer, Signal

from logchain.gui.answers import objects

__all__ = ["Process"]

_PAUSE = 50  # ms between two portions: twenty a second
_PORTION = 1_000  # lines
_LONGEST = 64 << 20  # bytes of a line; the largest is the report of a check
_CTRL_C, _CTRL_BACKSLASH = b"\x03", b"\x1c"


class Process(QObject):
    """One run of one command. Nothing of it comes before `start` has returned, and nothing after `ended`.

    Its standard input stays open, and is what a keyboard is to a terminal (`logchain --frontend`): so it can be ended
    where it runs as another user. At the end of it the command ends, as on Ctrl-C. Standard output and error come
    through one pipe, for a question must not be shown before what it is about.
    """

    lines = Signal(list)  # one JSON object each, as bytes
    said = Signal(str)  # lines for the person, with newlines between them
    progress = Signal(int, str)  # percents, of what
    asked = Signal(str, str, bool)  # a question, the word that agrees, whether the answer is a secret
    ended = Signal(int)  # the command's exit code; -1: it could not be run, or was killed: it told none

    def __init__(self, program: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._program = list(program)
        self._code: int | None = None
        self._done: object = None  # the exit code that the command told; any other is sudo's, or the system's
        self._process = QProcess(self)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self._process.readyRead.connect(self._plan)
        self._process.errorOccurred.connect(self._failed)
        self._process.finished.connect(self._finished)
        self._timer = QTimer(self, singleShot=True)
        self._since = QElapsedTimer()
        self._timer.timeout.connect(self._take)

    def start(self) -> None:
        """Run it."""
        self._process.start(self._program[0], self._program[1:])

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def answer(self, text: str) -> None:
        """Answer its question."""
        self._process.write(text.replace("\n", " ").encode() + b"\n")

    def cancel(self) -> None:
        """Tell it to end; it clears away first what is not to stay."""
        self._press(_CTRL_C)

    def kill(self) -> None:
        """End it at once, whatever it leaves behind, also where it may get no signal from us."""
        self._press(_CTRL_BACKSLASH)
        self._process.closeWriteChannel()
        self._process.kill()

    def _press(self, key: bytes) -> None:
        if self.runs:
            self._process.write(key + b"\n")
            self._process.waitForBytesWritten(0)

    def discard(self) -> None:
        """End it without waiting; nothing is told any more, and this object goes when it has ended."""
        self.blockSignals(True)
        if not self.runs:
            self.deleteLater()
            return
        self._process.finished.connect(self.deleteLater)
        self.kill()

    def let_go(self, patience: int = 0) -> None:
        """Kill it, and wait for so many ms until it has ended, not longer; nothing is told any more."""
        self.blockSignals(True)
        self._timer.stop()
        self._process.blockSignals(True)
        self.kill()
        if self.runs and not self._process.waitForFinished(patience):
            self._process.setProcessState(QProcess.ProcessState.NotRunning)  # else Qt waits 30 s when we end

    def _plan(self) -> None:
        """Take what came: at once if nothing came lately, else after the pause."""
        if not self._timer.isActive():
            passed = self._since.elapsed() if self._since.isValid() else _PAUSE
            self._timer.start(max(0, _PAUSE - passed))

    def _take(self) -> None:
        """Tell of what came, a portion of it."""
        self._since.start()
        found: list[bytes] = []
        while len(found) < _PORTION and self._process.canReadLine():
            found.append(bytes(self._process.readLine().data()))
        self._tell(found)
        if len(found) == _PORTION:
            self._timer.start(0)  # the rest, after what else waits
        elif self._process.bytesAvailable() > _LONGEST:
            self.kill()
        elif self._code is not None:
            self._tell([bytes(self._process.readAll().data())])
            self.ended.emit(self._code if self._code == self._done else -1)

    def _tell(self, found: list[bytes]) -> None:
        """Tell each line to whom it is for, in their order."""
        for kind, group in groupby(found, _kind):
            lines = list(group)
            if kind == "said":
                text = b"".join(lines).decode("utf-8", "replace").rstrip("\n")
                if text:
                    self.said.emit(text)
            elif kind == "objects":
                self.lines.emit(lines)
            else:
                for told in objects(lines):
                    self._hear(told)

    def _hear(self, told: dict[str, Any]) -> None:
        percent = told.get("progress")
        if isinstance(percent, int) and 0 <= percent <= 100:
            self.progress.emit(percent, str(told.get("doing", "")))
        elif "done" in told:
            self._done = told["done"]
        elif "ask" in told:
            self.asked.emit(str(told.get("ask")), str(told.get("word", "")), bool(told.get("secret")))

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._code = -1
            self.said.emit(f"{self._program[0]} cannot be run")
            self._plan()

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._code = code if status == QProcess.ExitStatus.NormalExit else -1
        self._plan()


def _kind(line: bytes) -> str:
    """Tell for whom a line is; no line of a log, nor of a table, begins with a brace."""
    if not line.startswith(b"{"):
        return "said"
    return "front end" if line.startswith((b'{"progress": ', b'{"ask": ', b'{"done": ')) else "objects"
