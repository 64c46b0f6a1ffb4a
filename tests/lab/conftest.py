"""One machine for all tests of this room, which run in order, as a life does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.container import Container, make_root, unusable

DIST = os.environ.get("LOGCHAIN_LAB", "")
collect_ignore_glob = [] if DIST else ["test_*.py"]  # minutes, root and packages: `make lab` has them


def packages() -> list[Path]:
    """Return the Debian packages that were built."""
    found = sorted(Path(DIST).resolve().glob("*.deb"))
    assert found, f"no packages in {DIST!r}; make packages"
    return found


@pytest.fixture(scope="session")
def machine() -> Iterator[Container]:
    """A qube that is LogVM and sender at once, not set up yet."""
    reason = unusable()
    if reason:
        pytest.skip(reason)
    container = Container(make_root(packages()))
    try:
        container.boot()
        yield container
        container.shut_down()
    finally:
        container.remove()
