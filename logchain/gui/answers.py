"""Reads what the commands print as JSON: objects, line by line, and times and spans in them."""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from logchain.format.errors import FormatError
from logchain.format.record import parse_time
from logchain.read.amounts import format_span

__all__ = ["Objects", "as_span", "as_time", "event_sign", "objects"]

Objects: TypeAlias = list[dict[str, Any]]


def objects(lines: Sequence[bytes]) -> Objects:
    """Return the JSON objects of lines; what is none is left out."""
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def as_time(told: object) -> int:
    """Return a time, µs since 1970; 0 for none."""
    if not isinstance(told, str):
        return 0
    try:
        return parse_time(told.encode())
    except FormatError:
        return 0


def as_span(told: float | None) -> str:
    """Return a span that was told in seconds as people read it; nothing for none."""
    return "" if told is None else format_span(round(float(told) * 1_000_000))


def event_sign(kind: object) -> str:
    """Return how a row of `logchain sessions --json` that is no session is marked."""
    return "! gap" if kind == "gap" else "# note"
