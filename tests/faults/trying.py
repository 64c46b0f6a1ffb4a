"""Tries the points of a run one by one: all of them for `make faults`, some in `make test`."""

import os
import re
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.faults.strace import Point, disturbing

__all__ = ["SHARDS", "try_points"]

_ALL = os.environ.get("LOGCHAIN_FAULTS") == "all"
_STRIDE = 1 if _ALL else 151  # neither even nor divisible by 3: all ways have their turn
SHARDS = 24 if _ALL else 1  # so that several processes can share the work


def try_points(
    points: list[Point],
    shard: int,
    attempt: Callable[[list[str], Path], None],
    directory: Path,
    record: Callable[[str, object], None],
) -> None:
    """Try a shard's points, and fail with all that went wrong.

    `attempt` gets what stands before the command, and a path that is free; what it leaves there stays if it fails.
    """
    trace, found, missed = directory / "trace", list[str](), 0
    chosen = points[shard * _STRIDE :: SHARDS * _STRIDE]
    for number, point in enumerate(chosen):
        place = directory / str(number)
        try:
            attempt(disturbing(trace, point), place)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            found.append(f"{point}\n  left in {place}, {at.filename}:{at.lineno}: {at.line}\n  {error!r:.2000}")
        else:
            shutil.rmtree(place)
        # how many calls a collector makes depends on how fast the machine is
        missed += not re.search(r"\(INJECTED\)|= \?", trace.read_text())
    record("points tried", len(chosen) - missed)
    record("points that never came", missed)
    assert not found, "\n".join([f"{len(found)} of {len(chosen)}:", *found])
