"""What the timeline draws below its bars: when nobody was connected, and what was lost, cut or removed."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from logchain.gui.answers import as_time

__all__ = ["MARKS", "Mark", "marks_of", "silences"]

MARKS = {  # by the first word of a note: sign, and what it means
    "gap": ("!", "cannot be read"),
    "broken": ("B", "broken: the key state was lost"),
    "dropped": ("D", "lines were dropped"),
    "evicted": ("E", "evicted for want of room"),
    "deleted": ("X", "deleted by a person"),
    "throttled": ("T", "read slowly"),
    "recovered": ("R", "recovered from a crash"),
    "clock": ("C", "the clock stepped"),
}


class Mark(NamedTuple):
    """Something unusual: when, which of MARKS, of which stream, and in words."""

    time: int
    kind: str
    name: str
    message: str


def marks_of(rows: Iterable[Mapping[str, Any]]) -> list[Mark]:
    """Return what is unusual in rows of `logchain sessions --json`, in their order."""
    found = []
    for row in rows:
        if row.get("kind") != "session":
            message = str(row.get("message", ""))
            word = message.split(" ")[0]
            kind = "gap" if row.get("kind") == "gap" else word
            if kind in MARKS:
                found.append(Mark(as_time(row.get("time")), kind, f"{row.get('vm')}/{row.get('stream')}", message))
    return found


def silences(rows: Iterable[Mapping[str, Any]], now: int) -> list[tuple[int, int]]:
    """Return from when to when none of the sessions in rows of `logchain sessions --json` was open, up to now."""
    spans = sorted(
        (as_time(row.get("start")) or as_time(row.get("end")), as_time(row.get("end")) or now)
        for row in rows
        if row.get("kind") == "session"
    )
    found, reached = [], spans[0][0] if spans else now
    for start, end in spans:
        if start > reached:
            found.append((reached, start))
        reached = max(reached, end)
    return [*found, (reached, now)] if reached < now else found
