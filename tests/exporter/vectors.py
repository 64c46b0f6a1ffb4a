"""The test vectors, as tests want them."""

import json
from pathlib import Path
from typing import Any, TypeAlias

VECTORS = Path(__file__).parents[1] / "vectors"
Vector: TypeAlias = dict[str, Any]


def vectors(page: str, verdict: str, what: str) -> list[Vector]:
    """Return the good or bad vectors of a page for one reader."""
    found: list[Vector] = json.loads((VECTORS / f"{page}.json").read_text())[verdict]
    return [vector for vector in found if vector["what"] == what]


def by_name(vector: Vector) -> str:
    """Name a test after its vector."""
    return str(vector["name"])


def raw(vector: Vector, field: str) -> bytes:
    """Return the bytes of a field that is text, or hex where it is none."""
    return vector[field].encode() if field in vector else bytes.fromhex(vector[f"{field}_hex"])
