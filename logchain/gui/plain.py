"""Makes the widgets that show text: plain, whatever the text looks like, and escaped.

Qt guesses whether a label, a message box or a tooltip holds rich text, and would load an image that a log names; and it
draws bidirectional controls as they are. So no other room of the window makes one of these.
"""

import html
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPlainTextEdit, QWidget

from logchain.read.display import escape_text

__all__ = ["label", "line_edit", "message", "mnemonic", "set_tip", "shown", "text_box", "tip"]

_LONGEST = 4_000  # characters of a label, a box or a tooltip


def shown(untrusted: str, most: int = _LONGEST) -> str:
    """Return text that is safe to show, its newlines kept, cut where it is too long."""
    text = "\n".join(map(escape_text, untrusted[: most + 1].split("\n")))
    return text if len(text) <= most else f"{text[:most]}…"


def label(untrusted: str = "", *, wrap: bool = True) -> QLabel:
    """Make a label whose text can be selected; set another text with `shown` only."""
    made = QLabel(shown(untrusted))
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def text_box(untrusted: str = "", most: int = 1 << 20) -> QPlainTextEdit:
    """Make a box of fixed-width text that can be read and copied."""
    made = QPlainTextEdit(shown(untrusted, most))
    made.setReadOnly(True)
    made.setTabChangesFocus(True)
    made.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    made.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    made.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return made


def line_edit(placeholder: str, name: str) -> QLineEdit:
    """Make a field to type into, with a name for screen readers."""
    made = QLineEdit()
    made.setPlaceholderText(placeholder)
    made.setAccessibleName(name)
    made.setClearButtonEnabled(True)
    return made


def message(
    parent: QWidget | None,
    untrusted: str,
    *,
    icon: QMessageBox.Icon = QMessageBox.Icon.Information,
    buttons: Sequence[QMessageBox.StandardButton] = (QMessageBox.StandardButton.Ok,),
) -> QMessageBox:
    """Make a message box, not shown yet; the first button is the default."""
    made = QMessageBox(parent)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWindowTitle("logchain")
    made.setIcon(icon)
    made.setText(shown(untrusted))
    for button in buttons:
        made.addButton(button)
    made.setDefaultButton(buttons[0])
    return made


def tip(untrusted: str) -> str:
    """Return text for a tooltip: so marked up that nothing in it is markup."""
    return f"<p style='white-space: pre-wrap'>{html.escape(shown(untrusted))}</p>"


def set_tip(widget: QWidget, text: str) -> None:
    """Give a widget a tooltip, which screen readers read too."""
    widget.setToolTip(tip(text))
    widget.setAccessibleDescription(shown(text))


def mnemonic(untrusted: str) -> str:
    """Return text for a menu's entry, in which & is no more than itself."""
    return shown(untrusted).replace("&", "&&")
