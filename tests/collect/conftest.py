"""What the tests of the acceptor share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.collect.door import Door, doors
from tests.conftest import Store

Doors = Callable[..., Door]


@pytest.fixture
def new_door(store: Store, tmp_path: Path) -> Iterator[Doors]:
    """Start an acceptor, with patches and settings of the test's choosing."""
    yield from doors(store, tmp_path)


@pytest.fixture
def door(new_door: Doors) -> Door:
    """An acceptor as it is."""
    return new_door()
