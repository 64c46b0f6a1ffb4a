"""What a journal cursor says of its entry, and what is missing between two of them. No I/O."""

import re
from typing import NamedTuple

from log_exporter.line import at

_CURSOR = re.compile(r"s=([0-9a-f]{32});i=([0-9a-f]{1,16});b=([0-9a-f]{32});m=[0-9a-f]+;t=([0-9a-f]{1,14});x=[0-9a-f]+")


class Cursor(NamedTuple):
    """An entry's number in the sequence that a journald counts, its boot, its time."""

    sequence: str
    number: int
    boot: str
    realtime: int  # microseconds

    @property
    def gone(self) -> str:
        """Words for that what came behind it is gone."""
        return f"the journal behind {at(self.realtime)} was deleted before it was sent"

    def missing(self, now: "Cursor", told: int) -> int | None:
        """Return how many entries stood between this one and a later one, but for those told of; None: not counted."""
        return max(0, now.number - self.number - 1 - told) if now.sequence == self.sequence else None


def parse(text: str) -> Cursor | None:
    """Return what the cursor says; None if it is none, or says nothing of that."""
    match = _CURSOR.fullmatch(text)
    return Cursor(match[1], int(match[2], 16), match[3], int(match[4], 16)) if match else None
