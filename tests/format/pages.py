"""The examples of the pages in docs/spec, and what is true of every text that is canonical or refused."""

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_NUMBER, MAX_SEGMENT, MAX_TIME

__all__ = ["DIGESTS", "KEYS", "NUMBERS", "SEGMENTS", "STORES", "TIMES", "example", "flips", "refused_or_the_same"]

STORES = st.binary(min_size=16, max_size=16)
DIGESTS = st.binary(min_size=32, max_size=32)
KEYS = DIGESTS  # seeds of Ed25519
SEGMENTS = st.integers(1, MAX_SEGMENT)
NUMBERS = st.integers(0, MAX_NUMBER)
TIMES = st.integers(0, MAX_TIME)

_SPEC = Path(__file__).parents[2] / "docs" / "spec"
_FENCED = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def example(page: str, place: int = 0) -> bytes:
    """Return a page's example, the first at place 0: the bytes between its fences."""
    found: list[str] = _FENCED.findall((_SPEC / page).read_text("utf-8"))
    return found[place].encode()


def flips(data: bytes) -> st.SearchStrategy[bytes]:
    """Return these bytes with one of them changed, added or taken away."""

    def change(place: int, value: int, kind: int) -> bytes:
        return data[:place] + bytes([value])[: kind < 2] + data[place + (kind != 1) :]

    found = st.builds(change, st.integers(0, len(data) - 1), st.integers(0, 255), st.integers(0, 2))
    return found.filter(lambda changed: changed != data)


def refused_or_the_same(data: bytes, again: Callable[[bytes], bytes]) -> None:
    """Assert that bytes are refused, or parsed to what is written as these bytes again."""
    try:
        found = again(data)
    except FormatError:
        return
    assert found == data
