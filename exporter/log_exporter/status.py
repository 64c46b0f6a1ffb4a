"""The status file: what `run` writes now and then, and `log-exporter status` shows."""

import json
import os
import time
from typing import Any

from log_exporter.errors import NotRunning
from log_exporter.messages import printable

_OLD = 60.0  # seconds after which a status is one of a process that hangs or is gone
_COLUMNS = ("STREAM", "SOURCE", "STATE", "LINES", "BYTES", "LAG", "SPOOL", "DROPPED", "LAST OK")

Status = dict[str, Any]


def write(path: str, streams: list[Status]) -> str:
    """Replace the file; return in words why it cannot be, which is no reason to stop."""
    status = {"exporter": 1, "pid": os.getpid(), "at": time.monotonic(), "streams": streams}
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(f"{path}.new", "w") as file:
            json.dump(status, file)
        os.rename(f"{path}.new", path)
    except OSError as error:
        return f"{printable(path)}: {error.strerror}"
    return ""


def load(path: str) -> Status:
    """Return what the exporter that runs has written; raises NotRunning."""
    try:
        with open(path) as file:
            status = json.load(file)
        age = time.monotonic() - status["at"]
        alive = os.path.exists(f"/proc/{int(status['pid'])}")
        for stream in status["streams"]:
            stream["lag"], stream["last_ok"] = _older(stream["lag"], age), _older(stream["last_ok"], age)
        table(status)  # so that it can be shown
    except OSError as error:
        raise NotRunning(f"{printable(path)}: {error.strerror}: log-exporter run does not run here") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise NotRunning(f"{printable(path)} is no status of log-exporter") from error
    if not alive or not 0 <= age <= _OLD:
        raise NotRunning(f"log-exporter run has ended or hangs: {printable(path)} is {age:.0f} s old")
    return dict(status)


def _older(seconds: float | None, age: float) -> float | None:
    return seconds + age if seconds else seconds  # what is over, or never was, does not become older


def table(status: Status) -> str:
    """Return it for a person."""
    rows = [_COLUMNS, *(_row(stream) for stream in status["streams"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def _row(stream: Status) -> tuple[str, ...]:
    spool, limit = stream["spool"], stream["spool_limit"]
    return (
        printable(stream["stream"]),
        printable(stream["source"]),
        printable(stream["state"]),
        f"{stream['lines']:,}",
        f"{stream['bytes']:,}",
        _seconds(stream["lag"]),
        "-" if spool is None else f"{spool >> 10:,} of {limit >> 10:,} KiB",
        "-" if spool is None else f"{stream['dropped']:,}",
        "never" if stream["last_ok"] is None else f"{_seconds(stream['last_ok'])} ago",
    )


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
