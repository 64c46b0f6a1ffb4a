"""The installed commands in a fresh directory, as tests/cli has them; the store in it is copied, not made anew."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, run, run_in, stock

__all__ = ["run"]


@pytest.fixture(scope="session")
def stockroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three qubes' lines."""
    directory = tmp_path_factory.mktemp("stockroom")
    stock(run_in(directory))
    return directory


@pytest.fixture
def stocked(run: Run, stockroom: Path, tmp_path: Path) -> Run:
    """A copy of that store."""
    shutil.copytree(stockroom, tmp_path, dirs_exist_ok=True)
    return run
