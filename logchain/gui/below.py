"""What is below a log when it is opened: its segments and its sessions, as rows of the list of logs."""

from collections.abc import Mapping, Sequence
from typing import Any

from logchain.gui.answers import as_span, as_time, event_sign
from logchain.gui.logs import COLUMNS
from logchain.read.amounts import format_second, format_size

__all__ = ["rows_below", "words_below"]


def rows_below(
    segments: Sequence[Mapping[str, Any]], sessions: Sequence[Mapping[str, Any]], problem: str
) -> list[tuple[str, ...]]:
    """Return a text for each column of the list, by row: segments, then sessions, the newest of each first.

    They are rows of `logchain list --segments --json` and of `logchain sessions --json`; `problem` is what those
    commands said of errors.
    """
    rows = [_segment(row) for row in reversed(segments)]
    rows += [_session(row) for row in reversed(sessions)]
    rows += [words_below(f"▲ {line}") for line in problem.splitlines()]
    return rows or [words_below("nothing is stored")]


def words_below(words: str) -> tuple[str, ...]:
    """Return a row that has words only, where there is most room."""
    return (*[""] * (len(COLUMNS) - 1), words)


def _segment(row: Mapping[str, Any]) -> tuple[str, ...]:
    times = [format_second(as_time(row.get(name))) for name in ("last", "first")]
    sizes = [format_size(int(row.get(name) or 0)) for name in ("size", "room")]
    sign = "▲ " if row.get("state") == "damaged" else ""
    return (
        f"segment {row.get('segment')}",
        "",
        *times,
        f"{row.get('records') or 0:,}",
        *sizes,
        f"{sign}{row.get('state')}",
    )


def _session(row: Mapping[str, Any]) -> tuple[str, ...]:
    if row.get("kind") != "session":
        sign, when = event_sign(row.get("kind")), format_second(as_time(row.get("time")))
        return (sign, "", when, "", "", "", "", "", str(row.get("message")))
    end, before = as_time(row.get("end")), as_span(row.get("silence_before"))
    quiet = f"after a silence of {before}" if before else ""
    name = f"session {str(row.get('session'))[:8] or '-'}"
    times = format_second(end) if end else "connected", format_second(as_time(row.get("start")))
    return (name, "", *times, f"{row.get('lines') or 0:,}", "", "", str(row.get("why")), quiet)
