"""Which line of a session came from where: lines ↔ places in files. No I/O.

The collector counts lines, a source has files. A *run* is lines that follow each other in one file; a session
is a row of runs. Whoever knows the row can turn "N lines are stored" into a place in each file.

    {"run": 3, "from": 100}                          a run begins in file 3 at byte 100
    {"to": 740, "lines": 9, "tail": "5e0c…"}         and has ended, at byte 740, after nine lines
    {"said": "<44>1 …"}                              a line of the exporter's own

While lines come from one file, its run stays open and nothing is written: the file itself tells how many lines
it has. So the record that a run *ended* must be durable before a line of the next one is sent.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

Record: TypeAlias = dict[str, Any]


class Place(NamedTuple):
    """Where a line begins in a file, and a digest of the bytes before it, to know the file again."""

    offset: int = 0
    tail: str = ""


class Run(NamedTuple):
    """Lines that follow each other in one file."""

    file: int
    start: int
    end: Place | None = None  # None: open, as the file itself tells
    lines: int = 0
    closed: bool = False  # its end is noted at once: it is not left open, to be told from the file

    def follows(self, before: "Run") -> bool:
        """Whether both together are one run."""
        return self.file == before.file and before.end is not None and self.start == before.end.offset

    def begun(self) -> Record:
        """Return what says that the run begins."""
        return {"run": self.file, "from": self.start}

    def ended(self) -> Record:
        """Return what says that it has ended."""
        assert self.end
        return {"to": self.end.offset, "lines": self.lines, "tail": self.end.tail}


class Said(NamedTuple):
    """A line of the exporter's own, without its newline."""

    text: str
    lines: int = 1


class Split:
    """Where a session's first N lines end."""

    def __init__(self, places: dict[int, Place]) -> None:
        self.places = places  # per file: up to here it is stored
        self.inside: Run | None = None  # the run in whose middle it is,
        self.skip = 0  # and how many of that run's lines are stored
        self.left: list[Run | Said] = []  # not stored, `inside` first
        self.beyond = 0  # lines that no run explains


class Runs:
    """The runs of one session from its last acknowledged one on."""

    def __init__(self, base: int = 0, places: dict[int, Place] | None = None) -> None:
        self.base = base  # so many lines are acknowledged, and stand before the first run
        self.places = dict(places or {})  # where each file stood then
        self.moved = 0  # bytes by which it has moved
        self._runs: deque[Run | Said] = deque()
        self._open: Run | None = None  # the one that is open in the cursor file, as far as it has come

    def __iter__(self) -> Iterator[Run | Said]:
        return iter(self._runs)

    def add(self, run: Run | Said) -> list[Record]:
        """Count the run; return the records that must be durable before its lines are sent."""
        self._runs.append(run)
        return self._note(run)

    def _note(self, run: Run | Said) -> list[Record]:
        before = self._open
        if isinstance(run, Run) and before and run.follows(before):
            self._open = run._replace(start=before.start, lines=before.lines + run.lines)
            records = []
        else:
            self._open = run if isinstance(run, Run) else None
            records = [before.ended()] if before else []
            records.append(run.begun() if isinstance(run, Run) else {"said": run.text})
        if self._open and self._open.closed:
            records.append(self._open.ended())
            self._open = None
        return records

    def acknowledge(self, lines: int) -> None:
        """Forget the runs that are durable as a whole."""
        while self._runs and self.base + self._runs[0].lines <= lines:
            run = self._runs.popleft()
            self.base += run.lines
            if isinstance(run, Run) and run.end:
                self.places[run.file] = run.end
                self.moved += run.end.offset - run.start

    def records(self) -> list[Record]:
        """Return the cursor file as it would be had it begun with the first run of now."""
        self._open = None
        return [record for run in self._runs for record in self._note(run)]

    def split(self, lines: int) -> Split:
        """Return where the session's first so many lines end."""
        left = lines - self.base
        split = Split(dict(self.places))
        for run in self._runs:
            is_open = isinstance(run, Run) and run.end is None
            if left >= run.lines and not is_open:
                left -= run.lines
                if isinstance(run, Run) and run.end:
                    split.places[run.file] = run.end
                continue
            if left and isinstance(run, Run):
                split.inside, split.skip, left = run, left, 0
            split.left.append(run)
        split.beyond = left
        return split

    def replay(self, records: Iterable[Record]) -> None:
        """Read the cursor file back; its last run may be open."""
        for record in records:
            if "run" in record:
                self._runs.append(Run(record["run"], record["from"]))
            elif "to" in record:
                run = self._runs.pop()
                if not isinstance(run, Run) or run.end:
                    raise ValueError("the end of a run that is not open")
                end = Place(record["to"], record["tail"])
                self._runs.append(run._replace(end=end, lines=record["lines"]))
            else:
                self._runs.append(Said(record["said"]))
