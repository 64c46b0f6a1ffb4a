"""What can be done with logs: each action is a logchain command, with a dialog for its options."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from logchain.gui.command import Logchain
from logchain.gui.plain import label, line_edit, set_tip, shown, text_box
from logchain.gui.records import Log

__all__ = ["ACTIONS", "Action", "Field", "Options", "also_taken", "choose"]

Values = Mapping[str, str]


class Field(NamedTuple):
    """An option of an action. `kind`: text, time, file, new file, check, qube."""

    option: str
    name: str
    kind: str = "text"
    told: str = ""
    needed: bool = False


class Action(NamedTuple):
    """A command, what it is called in menus, and what a person can choose."""

    command: tuple[str, ...]
    name: str
    told: str
    fields: tuple[Field, ...]
    chooses: str = "logs"  # that are selected: logs; qube: one whole qube; qubes: whole, or all
    shortcut: str = ""
    danger: bool = False
    results: Mapping[int, str] = {}


_SINCE = Field("--since", "Since", "time", "-1h, yesterday 18:00, 2026-11-23 10:15; empty: from the first")
_UNTIL = Field("--until", "Until", "time", "empty: up to the last")
_KEY = Field("--encrypt-to", "Encrypt to", told="A key of 'logchain recipient'; empty: not encrypted")

ACTIONS = (
    Action(
        ("open",),
        "&Open in a disposable …",
        "The lines go as one text file, escaped, to a disposable, view-only; nothing of it stays here. At most 16 MiB.",
        (
            _SINCE,
            _UNTIL,
            Field("--dispvm", "Disposable template", told="empty: that of the settings, or the qube's own default"),
            Field("--notes", "The collector's own notes too", "check"),
        ),
        shortcut="Ctrl+O",
        results={1: "▲ Something could not be read; its place is marked with '!' in what you saw."},
    ),
    Action(
        ("export",),
        "&Export evidence …",
        "One file that proves what the lines are, anywhere, to whoever has the store's fingerprint. What is not sealed "
        "yet is sealed first, and the ledger gets an entry that says what was taken out.",
        (Field("--output", "New file", "new file", needed=True), _SINCE, _UNTIL, _KEY),
        shortcut="Ctrl+E",
    ),
    Action(
        ("export", "--to-qube"),
        "Copy evidence to another &qube …",
        "As an export; dom0 asks for the qube that gets the file. Nothing of it stays here.",
        (_SINCE, _UNTIL, _KEY),
        shortcut="Ctrl+Shift+E",
    ),
    Action(
        ("export", "--to-dispvm"),
        "Open e&vidence in a disposable …",
        "As an export; the file is opened in a disposable. Nothing of it stays here.",
        (_SINCE, _UNTIL, Field("--dispvm", "Disposable template", told="empty: that of the settings")),
    ),
    Action(
        ("verify", "--json"),
        "&Verify …",
        "Tells whether what is stored is what was logged, layer by layer, and where the first bad record is.",
        (
            Field("--vm", "Records of", "qube"),
            Field("--fingerprint", "Fingerprint", told="as 'logchain init' showed it; empty: that of the settings"),
            Field(
                "--witness", "Witness", told="public key of a witness, to tell how far it signed; empty: the settings'"
            ),
            Field(
                "--audit-secret",
                "Audit secret",
                "file",
                "only on a copy of the store, in an offline disposable: in a LogVM it is a secret no more",
            ),
        ),
        chooses="qubes",
        shortcut="Ctrl+R",
        results={
            0: "✔ INTACT: see below what was checked.",
            1: "▲ DAMAGED: records are missing or changed. See the lines with BAD.",
            3: "▲ CANNOT TELL: see below why.",
        },
    ),
    Action(
        ("seal",),
        "&Seal now …",
        "Closes and signs now what nobody writes. What a connected qube writes cannot be sealed.",
        (Field("--vm", "Segments of", "qube"),),
        chooses="qubes",
    ),
    Action(
        ("delete",),
        "&Delete old segments …",
        "Removes whole sealed segments, for good; the ledger keeps an entry for each. The command shows exactly what "
        "goes, and asks, before anything is done.",
        (
            Field("--vm", "Of qube", "qube", needed=True),
            Field("--stream", "Only this stream", told="empty: all of its streams"),
            _UNTIL._replace(needed=True, told="what was received at this time or earlier: now, -30d, 2026-11-01"),
        ),
        chooses="qube",
        danger=True,
    ),
    Action(
        ("forget",),
        "&Forget a qube …",
        "Removes all that a qube ever logged, and its name, for good. The command shows exactly what goes, and asks "
        "for the qube's name, before anything is done. End the qube's senders first.",
        (Field("--vm", "Qube", "qube", needed=True),),
        chooses="qube",
        danger=True,
    ),
)


def choose(logs: Sequence[Log]) -> list[str]:
    """Return the options that choose these logs, and those of `also_taken`."""
    vms, streams = sorted({log.vm for log in logs}), sorted({log.stream for log in logs})
    return [*(f"--vm={vm}" for vm in vms), *(f"--stream={stream}" for stream in streams)]


def also_taken(logs: Sequence[Log], known: Sequence[Log]) -> list[Log]:
    """Return the logs that are taken too where these are: those of the same qubes with the same streams."""
    names = {log[:2] for log in logs}
    vms, streams = {log.vm for log in logs}, {log.stream for log in logs}
    return [log for log in known if log.vm in vms and log.stream in streams and log[:2] not in names]


class Options(QDialog):
    """Asks for an action's options, and shows the command that it will be."""

    def __init__(
        self,
        logchain: Logchain,
        action: Action,
        logs: Sequence[Log],
        known: Sequence[Log],
        values: Values,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(action.name.replace("&", "").rstrip(" …"))
        self._logchain, self._action, self._logs = logchain, action, logs
        self._widgets: dict[str, QLineEdit | QComboBox | QCheckBox] = {}
        form = QFormLayout()
        if action.chooses == "logs":
            names = ", ".join(f"{log.vm}/{log.stream}" for log in logs[:12])
            more = f" and {len(logs) - 12:,} more" if len(logs) > 12 else ""
            form.addRow("Logs", label(f"{names}{more}"))
            if others := also_taken(logs, known):
                names = ", ".join(f"{log.vm}/{log.stream}" for log in others[:12])
                form.addRow(
                    "▲ Too", label(f"{names}: the same streams of the same qubes. Choose one qube to leave them out.")
                )
        vms = sorted({log.vm for log in (logs or known)})
        for field in action.fields:
            self._add(form, field, vms, values)
        self.line = text_box()
        self.line.setAccessibleName("The command")
        self.line.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.line.setFixedHeight(4 * self.line.fontMetrics().height())
        self._copy = QPushButton("&Copy")
        self._copy.setAutoDefault(False)
        set_tip(self._copy, "Copy the command, to be run in a terminal")
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._line()))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(self.line)
        row.addWidget(self._copy)
        form.addRow("Command", row)
        layout = QVBoxLayout(self)
        layout.addWidget(label(action.told))
        layout.addLayout(form)
        layout.addWidget(self.buttons)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(720, self.sizeHint().height())
        self._changed()

    def words(self) -> list[str]:
        """Return the command's words."""
        found = list(self._action.command)
        if self._action.chooses == "logs":
            found += choose(self._logs)
        for field in self._action.fields:
            value = self._value(field)
            if value:
                found.append(field.option if field.kind == "check" else f"{field.option}={value}")
        return found

    def _value(self, field: Field) -> str:
        widget = self._widgets[field.option]
        if isinstance(widget, QCheckBox):
            return "yes" if widget.isChecked() else ""
        if isinstance(widget, QComboBox):
            return str(widget.currentData() or "")
        return widget.text().strip()

    def _add(self, form: QFormLayout, field: Field, vms: Sequence[str], values: Values) -> None:
        row: QWidget | QHBoxLayout
        made: QLineEdit | QComboBox | QCheckBox
        if field.kind == "check":
            row = made = QCheckBox(field.name)
            made.toggled.connect(self._changed)
        elif field.kind == "qube":
            row = made = QComboBox()
            if not field.needed:
                made.addItem("the whole store", "")
            elif len(vms) != 1 or not self._logs:
                made.addItem("choose one", "")  # nothing is removed because it stood first
            for vm in vms:
                made.addItem(shown(vm), vm)
            if len(vms) == 1 and self._logs:
                made.setCurrentIndex(made.count() - 1)
            made.currentIndexChanged.connect(self._changed)
        else:
            row = made = line_edit(field.told, field.name)
            made.setText(values.get(field.option, ""))
            made.textChanged.connect(self._changed)
            if field.kind == "new file" and self._logchain.sudo:
                made.setPlaceholderText("it will belong to root, as all that sudo makes")
            if "file" in field.kind:
                row = self._with_browser(made, new=field.kind == "new file")
        made.setAccessibleName(field.name)
        made.setAccessibleDescription(field.told)
        self._widgets[field.option] = made
        form.addRow("" if field.kind == "check" else field.name, row)

    def _with_browser(self, edit: QLineEdit, *, new: bool) -> QHBoxLayout:
        browse = QPushButton("&Browse …")
        browse.setAutoDefault(False)
        ask: Callable[..., tuple[str, str]] = QFileDialog.getSaveFileName if new else QFileDialog.getOpenFileName

        def choose_file() -> None:
            path, _ = ask(self, "logchain")
            if path:
                edit.setText(path)

        browse.clicked.connect(choose_file)
        row = QHBoxLayout()
        row.addWidget(edit)
        row.addWidget(browse)
        return row

    def _changed(self) -> None:
        if hasattr(self, "buttons"):
            self.line.setPlainText(shown(self._line()))
            ready = all(self._value(field) for field in self._action.fields if field.needed)
            self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(ready)

    def _line(self) -> str:
        return self._logchain.line(*(word for word in self.words() if word != "--json"))
