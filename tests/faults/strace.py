"""Runs a command under strace: once to see what it asks of the disk, then again with one of these calls disturbed."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["WAYS", "Point", "disturbing", "points", "tracing", "usable"]

WAYS = {"kill": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
_ROOM = {"openat", "write", "pwrite64", "fdatasync", "rename", "renameat", "mkdir", "mkdirat"}  # what may find no room
_CALLS = (
    *(
        "openat",
        "write",
        "pwrite64",
        "fdatasync",
        "fsync",
        "ftruncate",
        "fchmod",
        "fchmodat",
        "flock",
        "link",
        "linkat",
    ),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "chmod"),
)
_QUICK = ["-f", "--seccomp-bpf"]  # only calls that are traced stop the process; a signal to inject is lost there (6.1)


class Point(NamedTuple):
    """Where a run is disturbed, and how: at the call of this name with this number, counted from 1 in its process."""

    way: str
    call: str
    number: int
    line: str  # of the undisturbed run's trace


@cache
def usable() -> bool:
    """Tell whether there is an strace that may trace."""
    try:
        return not subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


def tracing(output: Path) -> list[str]:
    """Return what stands before a command whose calls are to be traced; `?` is for what a machine may not have."""
    calls = ",".join(f"?{call}" for call in _CALLS)
    return ["strace", *_QUICK, "-y", "-o", str(output), "-e", "signal=none", "-e", f"trace={calls}"]


def disturbing(output: Path, point: Point) -> list[str]:
    """Return what stands before a command that is to be disturbed."""
    quick = [] if point.way == "kill" else _QUICK
    inject = f"inject={point.call}:{WAYS[point.way]}:when={point.number}"
    return ["strace", *quick, "-y", "-o", str(output), "-e", "signal=none", "-e", f"trace={point.call}", "-e", inject]


def points(trace: str, place: Path) -> list[Point]:
    """Return all points of a run: each call in its trace that changes what is below `place`, and each way."""
    below = re.escape(str(place))
    changes = re.compile(rf'(\w+)\((?:\w+<{below}[/>]|(?:AT_FDCWD<[^>]*>, )?"{below}/)')
    found, numbers = list[Point](), dict[str, int]()
    for line in trace.splitlines():
        line = line.partition(" ")[2].strip()  # behind the number of the process
        name = line.partition("(")[0]
        numbers[name] = numbers.get(name, 0) + 1
        if changes.match(line) and (name != "openat" or "O_CREAT" in line):
            ways = [way for way in WAYS if way != "ENOSPC" or name in _ROOM]
            found += [Point(way, name, numbers[name], line) for way in ways]
    return found
