"""What makes the window known to a desktop."""

import configparser
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from PySide6.QtGui import QIcon
from pytestqt.qtbot import QtBot

from tests.docs.pages import ROOT


def test_the_desktop_file(tmp_path: Path) -> None:
    """It starts a command that there is, and it and its icon are installed where desktops look for them."""
    subprocess.run(["make", "-s", "install-logvm", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True)
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # (names have capitals)
    parser.read(tmp_path / "usr/share/applications/logchain.desktop")
    entry = parser["Desktop Entry"]
    assert (entry["Type"], entry["Exec"], entry["Terminal"]) == ("Application", "logchain gui", "false")
    assert (ROOT / "logchain/cli/gui.py").exists()
    icon = tmp_path / f"usr/share/icons/hicolor/scalable/apps/{entry['Icon']}.svg"
    assert ElementTree.fromstring(icon.read_text()).tag.endswith("svg")


def test_the_icon_can_be_drawn(qtbot: QtBot) -> None:
    """Qt makes a picture of it."""
    assert qtbot
    assert not QIcon(str(ROOT / "logchain/gui/logchain.svg")).pixmap(64, 64).isNull()
