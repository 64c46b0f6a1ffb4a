"""A qube and the LogVM's door: the exporter and the collector as they are, with a stand-in for qrexec between them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.collect.door import Door, doors
from tests.conftest import Store


@pytest.fixture
def new_door(store: Store, tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Start the collector of a LogVM."""
    yield from doors(store, tmp_path)
