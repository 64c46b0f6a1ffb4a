"""Pagers that cannot be."""

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import on_a_terminal


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("pager", ["un'balanced", "back\\"])
def test_a_pager_that_is_no_command(monkeypatch: pytest.MonkeyPatch, pager: str) -> None:
    """One line that says which, and exit 2."""
    monkeypatch.setenv("LOGCHAIN_PAGER", pager)
    shown = on_a_terminal("logchain", "show", question=b"no question", answer=b"")
    assert shown.startswith(b"logchain: the pager that is set, %s, is no command: " % pager.encode())
    assert shown.endswith(b"exit 2")


@pytest.mark.parametrize("pager", ["cat; ls", " "])
def test_no_pager(stocked: Run, monkeypatch: pytest.MonkeyPatch, pager: str) -> None:
    """What cannot be started is done without, and nothing of it is run by a shell."""
    monkeypatch.setenv("LOGCHAIN_PAGER", pager)
    shown = on_a_terminal("logchain", "show", "--utc", question=b"no question", answer=b"")
    assert shown.replace(b"\r", b"") == stocked("logchain", "show", "--utc").stdout + b"\nexit 0"
