"""Which blocks and records of a segment are of a range of times, both ends included (docs/spec/evidence.md).

A place is that of a block in `manifest.blocks`, from 0 on; times are µs since 1970.
"""

from bisect import bisect_left
from itertools import pairwise

from logchain.format.errors import FormatError
from logchain.format.limits import TIME_SIZE
from logchain.format.manifest import Manifest
from logchain.format.record import parse_time

__all__ = ["covering", "cut", "is_within"]


def covering(manifest: Manifest, since: int, until: int) -> range:
    """Return the places of the blocks that can have records of the range; each ends by when the next begins."""
    begins = [block.time for block in manifest.blocks]
    ends = [*begins[1:], manifest.last_time]
    first = bisect_left(ends, since)
    last = bisect_left(begins, until + 1)
    return range(first, max(first, last))


def is_within(manifest: Manifest, place: int, since: int, until: int) -> bool:
    """Tell whether all records of a block are of the range."""
    begin, after = manifest.blocks[place].time, manifest.blocks[place + 1 : place + 2]
    return since <= begin and (after[0].time if after else manifest.last_time) <= until


def cut(text: bytes, since: int, until: int) -> tuple[int, int, bytes]:
    """Return how many of a block's records stand before the range, how many are in it, and these.

    Raises FormatError where a record has no time, or times go back.
    """
    times, lines = _times(text)
    first, last = bisect_left(times, since), bisect_left(times, until + 1)
    last = max(first, last)
    return first, last - first, b"".join(lines[first:last])


def _times(text: bytes) -> tuple[list[int], list[bytes]]:
    lines = [line + b"\n" for line in text.split(b"\n")[:-1]]
    times = [parse_time(line[:TIME_SIZE]) for line in lines]
    if any(later < time for time, later in pairwise(times)):
        raise FormatError("a block whose times go back")
    return times, lines
