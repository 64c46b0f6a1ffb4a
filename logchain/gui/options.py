"""The dialog before an action: it asks for the options, and shows the command that they make."""

import os
from collections.abc import Callable, Mapping, Sequence

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

from logchain.format.errors import UsageError
from logchain.gui.actions import Action, Field
from logchain.gui.command import Logchain
from logchain.gui.logs import Log
from logchain.gui.naming import also_taken, choose, names_of
from logchain.gui.plain import label, line_edit, set_tip, shown, text_box

__all__ = ["Options"]

_WHY_ALSO = "the command takes these streams of all these qubes. Choose logs of one qube to leave them out."
_ONE_QUBE = "These are logs of several qubes: choose those of one."
_WITHOUT_ASKING = QFileDialog.Option.DontConfirmOverwrite  # no command replaces a file, so nobody is asked whether to


class Options(QDialog):
    """Asks for an action's options. `logs` are selected, `known` are all; `values` are there at first, by option."""

    def __init__(
        self,
        logchain: Logchain,
        action: Action,
        logs: Sequence[Log],
        known: Sequence[Log],
        values: Mapping[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(action.title)
        self._logchain, self._action, self._logs = logchain, action, logs
        self._choice, self._problem = _choose(action, logs, known)
        self._widgets: dict[str, QLineEdit | QComboBox | QCheckBox] = {}
        self.line = text_box()
        self.line.setAccessibleName("The command")
        self.line.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.line.setFixedHeight(4 * self.line.fontMetrics().height())
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        form = QFormLayout()
        takes_logs = action.takes_logs or any(field.kind == "logs" for field in action.fields)
        if action.takes_logs:
            form.addRow("Logs", label(names_of(logs)))
        if takes_logs and not self._problem and (others := also_taken(logs, known)):
            form.addRow("▲ Also", label(f"{names_of(others)}: {_WHY_ALSO}"))
        if self._problem:
            form.addRow("▲", label(self._problem))
        has = {field.option for field in action.fields}
        if "--until" in has and "--since" not in has and (since := values.get("--since")):
            form.addRow("▲ Since", label(f"There is none here: what came before {since} goes too."))
        vms = sorted({log.vm for log in (logs or known)})
        for field in action.fields:
            self._add(form, field, vms, values)
        copy = QPushButton("&Copy")
        copy.setAutoDefault(False)
        set_tip(copy, "Copy the command, to be run in a terminal")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._line()))
        row = QHBoxLayout()
        row.addWidget(self.line)
        row.addWidget(copy)
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
        if self._action.takes_logs:
            found += self._choice
        for field in self._action.fields:
            value = self._value(field)
            if field.kind == "logs":
                found += self._choice if value else []
            elif value:
                found.append(field.option if field.kind == "check" else f"{field.option}={value}")
        return found

    def _value(self, field: Field) -> str:
        widget = self._widgets[field.option]
        if isinstance(widget, QCheckBox):
            return "yes" if widget.isChecked() else ""
        if isinstance(widget, QComboBox):
            return str(widget.currentData() or "")
        value = widget.text().strip()
        return os.path.expanduser(value) if "file" in field.kind else value  # no shell does it for us

    def _add(self, form: QFormLayout, field: Field, vms: Sequence[str], values: Mapping[str, str]) -> None:
        row: QWidget | QHBoxLayout
        made: QLineEdit | QComboBox | QCheckBox
        if field.kind == "check":
            row = made = QCheckBox(field.name)
            made.toggled.connect(self._changed)
        elif field.kind == "logs":
            row = made = QComboBox()
            made.addItem("the whole store", "")
            if self._logs:
                made.addItem(shown(f"the chosen logs: {names_of(self._logs)}", 100), "chosen")
                made.setCurrentIndex(1)
            made.currentIndexChanged.connect(self._changed)
        elif field.kind == "qube":
            row = made = QComboBox()
            if not field.needed:
                made.addItem("the whole store", "")
            elif len(vms) != 1 or not self._logs:
                made.addItem("choose one", "")  # so that nothing is removed only because it stood first
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
            path, _ = ask(self, "logchain", options=_WITHOUT_ASKING)
            if path:
                edit.setText(path)

        browse.clicked.connect(choose_file)
        row = QHBoxLayout()
        row.addWidget(edit)
        row.addWidget(browse)
        return row

    def _changed(self) -> None:
        self.line.setPlainText(shown(self._line()))
        ready = all(self._value(field) for field in self._action.fields if field.needed)
        if self._problem and (self._action.takes_logs or self._value(self._action.fields[0])):
            ready = False
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(ready)

    def _line(self) -> str:
        return self._logchain.line(*(word for word in self.words() if word != "--json"))


def _choose(action: Action, logs: Sequence[Log], known: Sequence[Log]) -> tuple[list[str], str]:
    """Return the options that choose logs, and why these cannot be taken; one of both is empty."""
    if action.one_qube and len({log.vm for log in logs}) > 1:
        return [], _ONE_QUBE
    try:
        return choose(logs, lambda: known), ""
    except UsageError as error:
        return [], str(error)
