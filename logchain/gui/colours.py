"""Dark and light: as the system has it, or as the person chooses."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

__all__ = ["SCHEMES", "is_dark", "set_scheme", "warning_colour"]

SCHEMES = {"system": Qt.ColorScheme.Unknown, "light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
_ROLE = QPalette.ColorRole
_OWN = {  # where the platform does not follow: window, base, text, button, highlight, faint
    "light": ("#efefef", "#ffffff", "#000000", "#e6e6e6", "#2f6fb0", "#707070"),
    "dark": ("#2b2b2b", "#1f1f1f", "#f0f0f0", "#3a3a3a", "#4d8fd6", "#a0a0a0"),
}


def set_scheme(name: str) -> None:
    """Choose one of SCHEMES for all windows."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.setPalette(QPalette())
    QGuiApplication.styleHints().setColorScheme(SCHEMES[name])
    if name != "system" and is_dark() != (name == "dark"):
        app.setStyle("Fusion")
        app.setPalette(_palette(*_OWN[name]))


def is_dark() -> bool:
    """Tell whether text is light on dark."""
    return QGuiApplication.palette().base().color().lightness() < 128


def warning_colour() -> QColor:
    """Return the colour of what is bad; a sign or a word always stands beside it."""
    return QColor("#ff8a80" if is_dark() else "#b00020")


def _palette(window: str, base: str, text: str, button: str, highlight: str, faint: str) -> QPalette:
    made = QPalette(QColor(button), QColor(window))
    for role in (_ROLE.WindowText, _ROLE.Text, _ROLE.ButtonText, _ROLE.ToolTipText, _ROLE.BrightText):
        made.setColor(role, QColor(text))
    made.setColor(_ROLE.Base, QColor(base))
    made.setColor(_ROLE.AlternateBase, QColor(window))
    made.setColor(_ROLE.ToolTipBase, QColor(window))
    made.setColor(_ROLE.Highlight, QColor(highlight))
    made.setColor(_ROLE.HighlightedText, QColor("#ffffff"))
    made.setColor(_ROLE.PlaceholderText, QColor(faint))
    for role in (_ROLE.WindowText, _ROLE.Text, _ROLE.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(faint))
    return made
