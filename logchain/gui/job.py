"""The dialog of a command that runs: its progress, its questions, what it says, and how it ended."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from logchain.gui.answers import objects
from logchain.gui.command import Logchain
from logchain.gui.plain import label, line_edit, shown, text_box
from logchain.gui.process import Process

__all__ = ["Job"]

_MOST = 256 << 10  # bytes of text that are shown
_PAUSE = 50  # ms between two writes into the box
# ms for a command that was told to end, before it can be killed (no double click does that); as long for one that was
# killed, before we give up
_PATIENCE = 3_000
_LEFT = -2  # no exit code: it is not known how it ends
_RESULTS = {
    0: "✔ Done.",
    1: "▲ There is evidence of tampering or loss: see below.",
    2: "▲ It could not be done as asked: see below.",
    3: "▲ Not all is well, or it cannot be told: see below.",
    130: "✕ Cancelled. What was done before stays done; the command says so below if anything was.",
    _LEFT: "▲ It does not end, even when it is killed. It goes on by itself: look for it with 'ps'.",
    -1: "▲ The command could not be run, or was killed. What it had in memory to be opened or copied may still be "
    "in /dev/shm: the next command that opens or copies something clears it away.",
}


class Job(QDialog):
    """Runs one command without waiting for it, and stays open until the person closes it.

    `results` are the words for its exit codes where they are others than usual. Where `as_json` is given, it is
    called with the JSON object that is printed, and returns the text to be shown for it.
    """

    done_with = Signal(int)  # exit code

    def __init__(
        self,
        logchain: Logchain,
        title: str,
        words: Sequence[str],
        parent: QWidget | None = None,
        *,
        results: Mapping[int, str] | None = None,
        as_json: Callable[[dict[str, Any]], str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(shown(title))
        self.resize(980, 480)
        self.code: int | None = None
        self._results, self._as_json = _RESULTS | dict(results or {}), as_json
        self._ending = self._killed = False
        self._unseen = 0  # lines that are not shown, for there are too many
        self._size, self._waiting = 0, list[str]()
        self.line = logchain.line(*words)
        self.heading = label(title)
        self.heading.setAccessibleName("How it stands")
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName("Progress")
        self.text = text_box()
        self.text.setAccessibleName("What the command says")
        self.question = _Question(self)
        self.question.answered.connect(self._answer)
        self.copy = QPushButton("Copy as c&ommand")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.line))
        self.button = QPushButton("&Cancel")
        self.button.clicked.connect(self._press)
        buttons = QDialogButtonBox()
        buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.button, QDialogButtonBox.ButtonRole.RejectRole)
        layout = QVBoxLayout(self)
        for widget in (self.heading, self.bar, self.text, self.question, buttons):
            layout.addWidget(widget)
        self._timer = QTimer(self, interval=_PAUSE, singleShot=True)
        self._timer.timeout.connect(self._write)
        self._patience = QTimer(self, interval=_PATIENCE, singleShot=True)
        self._patience.timeout.connect(self._lose_patience)
        self.process = Process(logchain.program(*words), self)
        self.process.lines.connect(self._take)
        self.process.said.connect(self._say)
        self.process.progress.connect(self._progress)
        self.process.asked.connect(self._ask)
        self.process.ended.connect(self._end)
        self.process.start()

    def reject(self) -> None:
        """Close it; a command that runs is told to end first."""
        if self.code is None:
            self.cancel()
        else:
            super().reject()

    def cancel(self) -> None:
        """Tell the command to end; only where it then does not, it can be killed."""
        if self.code is None and not self._ending:
            self._ending = True
            self.process.cancel()
            self.heading.setText("Cancelling …")
            self.question.setEnabled(False)
            self.button.setEnabled(False)
            self._patience.start()

    def _lose_patience(self) -> None:
        if self._killed:
            self.process.let_go()
            self._end(_LEFT)
        elif self.code is None:
            self.button.setText("&Kill")
            self.button.setEnabled(True)

    def _press(self) -> None:
        if self.code is not None:
            self.accept()
        elif self._ending:
            self._killed = True
            self.heading.setText("Killing it …")
            self.button.setEnabled(False)
            self.process.kill()
            self._patience.start()
        else:
            self.cancel()

    def _take(self, lines: list[bytes]) -> None:
        if self._as_json:
            for told in objects(lines):
                self._say(self._as_json(told))

    def _say(self, text: str) -> None:
        kept = "" if self._unseen else text[: _MOST - self._size]
        if kept:
            self._waiting.append(kept)
            self._size += len(kept)
        if len(kept) < len(text):
            if not self._unseen:
                self._waiting.append("… and more, which is not shown here: run the command in a terminal")
            self._unseen += text[len(kept) :].count("\n") + 1
        if not self._timer.isActive():
            self._timer.start()

    def _write(self) -> None:
        if self._waiting:
            self.text.appendPlainText(shown("\n".join(self._waiting), 2 * _MOST))
            self._waiting = []

    def _progress(self, percent: int, doing: str) -> None:
        self.bar.setRange(0, 100)
        self.bar.setValue(percent)
        self.bar.setFormat(shown(f"{doing} %p %", 60))

    def _ask(self, question: str, word: str, secret: bool) -> None:
        self._write()
        self.bar.hide()
        self.question.ask(question, word, secret, self._unseen)

    def _answer(self, text: str) -> None:
        self.bar.setRange(0, 0)
        self.bar.show()
        self.process.answer(text)

    def _end(self, code: int) -> None:
        self._write()
        code = -1 if self._killed and code != _LEFT else code
        self.code = code
        self._patience.stop()
        self.question.hide()
        self.bar.setRange(0, 1)
        self.bar.setValue(1 if code == 0 else 0)
        self.bar.setVisible(False)
        self.heading.setText(shown(self._results.get(code, f"▲ It ended with exit code {code}.")))
        self.button.setText("&Close")
        self.button.setEnabled(True)
        self.button.setFocus()
        self.done_with.emit(code)


class _Question(QWidget):
    """A question of the command's: yes or no, or a word that has to be typed."""

    answered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word = ""
        self.told = label()
        self.field = line_edit("", "Answer")
        self.yes = QPushButton("&Yes")
        self.yes.setAutoDefault(False)  # nothing goes by a press of Enter alone
        self.no = QPushButton("&No")
        row = QHBoxLayout()
        row.addWidget(self.field, 1)
        row.addStretch()
        for button in (self.yes, self.no):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.told)
        layout.addLayout(row)
        self.yes.clicked.connect(lambda: self._tell(self.field.text() if self.field.isVisible() else self._word))
        self.no.clicked.connect(lambda: self._tell(""))
        self.field.textChanged.connect(self._typed)
        self.field.installEventFilter(self)
        self.hide()

    def ask(self, question: str, word: str, secret: bool, unseen: int = 0) -> None:
        """Show a question; a word other than `yes` has to be typed. `unseen` lines before it could not be shown."""
        self._word = word
        warning = f"▲ {unseen:,} more lines of what it is about are not shown above; a terminal shows them all.\n"
        self.told.setText(shown(f"{warning if unseen else ''}{question}"))
        self.field.clear()
        self.field.setEchoMode(QLineEdit.EchoMode.Password if secret else QLineEdit.EchoMode.Normal)
        self.field.setVisible(word != "yes")
        self.yes.setText(("&Yes" if word == "yes" else "&OK") + (f", without {unseen:,} lines seen" if unseen else ""))
        self._typed("")
        self.show()
        (self.no if word == "yes" else self.field).setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take Enter in the field as OK once the word is right; the dialog would press No, or Cancel."""
        pressed = event.key() if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress else None
        if pressed in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.yes.click()
            return True
        return super().eventFilter(watched, event)

    def _typed(self, text: str) -> None:
        self.yes.setEnabled(self._word == "yes" or (text == self._word if self._word else bool(text)))

    def _tell(self, answer: str) -> None:
        self.hide()
        self.answered.emit(answer)
