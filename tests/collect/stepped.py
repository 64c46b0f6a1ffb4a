"""log-collector as it is, but for clocks that a test sets, small segments, and less patience: a program of the tests.

python -m tests.collect.stepped CLOCKS SEGMENT-SIZE SILENCE --listen PATH --store DIR …
"""

import mmap
import struct
import sys
from pathlib import Path

from logchain.collect import allowance, main, session
from logchain.format.limits import MAX_TIME
from logchain.store import clock, opening
from logchain.store.stream import StreamWriter


class SharedClocks:
    """Clocks that stand until they are moved, the same for a test, a collector and all its instances.

    They are in a mapped file: an instance that is confined opens none, but has the mapping from its birth on.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 24)).cast("q")  # wall, running, boot

    @classmethod
    def make(cls, path: Path, now: int) -> "SharedClocks":
        """Make them, a day after a boot; `now` in µs since 1970."""
        path.write_bytes(struct.pack("=qqq", now, 86_400_000_000, 1))
        return cls(path)

    def wall(self) -> int:
        """Return what the wall clock shows, µs since 1970."""
        return self._words[0]

    def running(self) -> int:
        """Return what the boot clock shows, µs."""
        return self._words[1]

    def boot_id(self) -> bytes:
        """Return which boot this is."""
        return self._words[2].to_bytes(16, "little")

    def step(self, seconds: float) -> None:
        """Set the wall clock."""
        self._words[0] = min(max(self._words[0] + round(1_000_000 * seconds), 0), MAX_TIME)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: both clocks go on, while CLOCK_MONOTONIC stands."""
        self._words[1] += round(1_000_000 * seconds)
        self.step(seconds)

    def boot(self) -> None:
        """Start the machine anew."""
        self._words[1] = 1_000_000
        self._words[2] += 1


def run() -> None:
    """Run log-collector with this module's changes, which are made before it forks anything."""
    path, size, silence, *arguments = sys.argv[1:]
    clocks = SharedClocks(Path(path))
    for owner, name, value in (
        (clock.SystemClock, "wall", clocks.wall),
        (clock.SystemClock, "running", clocks.running),
        (clock.SystemClock, "boot_id", clocks.boot_id),
        (opening, "StreamWriter", lambda *given: StreamWriter(*(*given[:-1], given[-1]._replace(size=int(size))))),
        (session, "_SILENCE", float(silence)),
        (session, "_LOOK", 0.05),
        (allowance, "_LOOK", 0.05),
    ):
        setattr(owner, name, value)
    sys.argv[1:] = arguments
    main.main()


if __name__ == "__main__":
    run()
