"""Bytes to begin with: the test vectors, good and bad; and what earlier runs found worth keeping."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path

from tests.vectors.reading_common import Vector, raw

__all__ = ["keep", "kept", "syslog_messages", "vectors"]

_VECTORS = Path(__file__).parents[1] / "vectors"
_CORPUS = Path(__file__).parent / "corpus"  # a file a target, a line an input, base64
_FIELDS = (
    "question",  # before "body", which is what is answered
    "answer",
    "note",
    "text",
    "file",
    "entries",
    "line",
    "down",
    "tags",
    "body",
    "slot",
    "shown",
    "index",
    "vkey",
    "record",
)
_MOST = 1 << 16  # characters of a corpus
_LONGEST = 1 << 16  # bytes: a vector of a limit teaches a fuzzer nothing


def vectors(file: str, *what: str) -> Callable[[], list[bytes]]:
    """Return what gives the inputs of a vector file, of these readers."""

    def read() -> list[bytes]:
        found = json.loads((_VECTORS / f"{file}.json").read_text())
        inputs = [_input(vector) for vector in [*found["good"], *found["bad"]] if vector["what"] in what]
        assert inputs, f"{file}.json has nothing for {what}"
        return [data for data in inputs if len(data) <= _LONGEST]

    return read


def _input(vector: Vector) -> bytes:
    """Return a vector's main field, whichever way it is written."""
    if "front_hex" in vector:
        return raw(vector, "front") + raw(vector, "entry")
    ways = ("", "_hex", "_parts", "_hex_parts")
    field = next(field for field in _FIELDS for way in ways if f"{field}{way}" in vector)
    return raw(vector, field)


def syslog_messages() -> list[bytes]:
    """Return messages as programs write them, framed in both ways."""
    return [
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed\n",
        b'<165>1 2003-10-11T22:14:15.003Z host app 12 ID47 [a@1 b="c\\"d"] text\n',
        b"11 <13>1 - - -\n",
        b"<13>cron[12]: x\0<999>y\n",
    ]


def kept(target: str) -> list[bytes]:
    """Return the corpus of a target."""
    path = _CORPUS / f"{target}.txt"
    return [b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Replace the corpus of a target; what is largest is left out where it gets too much."""
    lines = sorted({b64encode(data).decode() + "\n" for data in inputs}, key=lambda line: (len(line), line))
    sizes = accumulate(map(len, lines))
    text = "".join(line for line, size in zip(lines, sizes, strict=True) if size <= _MOST)
    (_CORPUS / f"{target}.txt").write_text(text)
