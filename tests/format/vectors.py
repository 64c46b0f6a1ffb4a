"""The vectors of tests/vectors, as pytest takes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.reading_common import raw

__all__ = ["Vector", "raw", "vectors"]

Vector = dict[str, Any]
_HERE = Path(__file__).parents[1] / "vectors"


def vectors(file: str, kind: str, *what: str) -> pytest.MarkDecorator:
    """Run a test once for each `good` or `bad` vector of a file for these readers, as its argument `vector`."""
    found = [vector for vector in json.loads((_HERE / file).read_text())[kind] if vector["what"] in what]
    assert found, f"{file} has no {kind} vectors for {what}"
    return pytest.mark.parametrize("vector", found, ids=[f"{vector['what']}: {vector['name']}" for vector in found])
