"""Lines of a session to places in files: pure arithmetic, so it is tried everywhere."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_exporter.runs import Place, Record, Run, Runs, Said

Sent = list[tuple[int, int]]  # each line: file and where it begins; a line of our own is in file 0


@st.composite
def histories(draw: st.DrawFn) -> list[Run | Said]:
    """Draw runs as a source would make them: each file goes on where it was, or some byte later."""
    ends = {1: 0, 2: 0, 3: 0}
    history: list[Run | Said] = []
    for _ in range(draw(st.integers(0, 12))):
        file = draw(st.integers(0, 3))
        if not file:
            history.append(Said(f"note {len(history)}"))
            continue
        lines = draw(st.integers(1, 4))
        start = ends[file]
        ends[file] += 10 * lines
        history.append(Run(file, start, Place(ends[file], f"{ends[file]}"), lines, draw(st.booleans())))
    return history


def sent(history: Iterable[Run | Said]) -> Sent:
    """Return each line; all are ten bytes long."""
    return [
        (run.file, run.start + 10 * line) if isinstance(run, Run) else (0, 0)
        for run in history
        for line in range(run.lines)
    ]


def after_stop(runs: Runs, lines: int, ends: dict[int, int]) -> Sent:
    """Return the lines that a new session would send: per file from its place on, and what was not said."""
    stop = runs.split(lines)
    assert not stop.beyond
    places = {file: place.offset for file, place in stop.places.items()}
    if stop.inside:
        places[stop.inside.file] = stop.inside.start + 10 * stop.skip
    rest = [(file, offset) for file, end in ends.items() for offset in range(places.get(file, 0), end, 10)]
    return rest + [(0, 0) for left in stop.left if isinstance(left, Said)]


def built(history: Iterable[Run | Said]) -> tuple[Runs, list[Record]]:
    """Return the runs, and the journal that was written while they came."""
    runs = Runs()
    return runs, [record for run in history for record in runs.add(run)]


def file_ends(history: Iterable[Run | Said]) -> dict[int, int]:
    """Return where each file was at the end."""
    return {run.file: run.end.offset for run in history if isinstance(run, Run) and run.end}


@given(histories(), st.data())
def test_every_stop_leaves_exactly_the_remaining_lines(history: list[Run | Said], data: st.DataObject) -> None:
    """Whatever was acknowledged before, a session that stored N lines leaves all others, each once."""
    lines = sent(history)
    acknowledged = data.draw(st.integers(0, len(lines)))
    runs, _ = built(history)
    runs.acknowledge(acknowledged)
    assert runs.base <= acknowledged
    for count in range(acknowledged, len(lines) + 1):
        assert sorted(after_stop(runs, count, file_ends(history))) == sorted(lines[count:])


@given(histories(), st.data())
def test_a_journal_that_was_read_back_leaves_the_same(history: list[Run | Said], data: st.DataObject) -> None:
    """The journal, or the compact one from any acknowledged line on, says the same as the memory of the process."""
    lines = sent(history)
    runs, journal = built(history)
    again = Runs()
    again.replay(journal)
    for count in range(len(lines) + 1):
        assert sorted(after_stop(again, count, file_ends(history))) == sorted(lines[count:])
    runs.acknowledge(data.draw(st.integers(0, len(lines))))
    compact = Runs(runs.base, runs.places)
    compact.replay(runs.records())
    for count in range(runs.base, len(lines) + 1):
        assert sorted(after_stop(compact, count, file_ends(history))) == sorted(lines[count:])


@given(histories())
def test_what_must_be_durable_is_written_in_time(history: list[Run | Said]) -> None:
    """Cut behind any run's records, the journal explains all lines up to that run's end."""
    runs = Runs()
    journal: list[Record] = []
    for position, run in enumerate(history):
        journal += runs.add(run)
        again = Runs()
        again.replay(journal)
        upto = history[: position + 1]
        for count in range(len(sent(upto)) + 1):
            assert sorted(after_stop(again, count, file_ends(upto))) == sorted(sent(upto)[count:])


def test_one_file_writes_nothing() -> None:
    """While lines come from one file, only its first run is written."""
    runs = Runs()
    assert runs.add(Run(1, 0, Place(10, "a"), 1)) == [{"run": 1, "from": 0}]
    assert runs.add(Run(1, 10, Place(30, "b"), 2)) == []
    assert runs.add(Run(2, 0, Place(5, "c"), 1)) == [{"to": 30, "lines": 3, "tail": "b"}, {"run": 2, "from": 0}]


def test_lines_that_nobody_sent_are_beyond() -> None:
    """A collector that has more lines than the runs is not believed to have some file's."""
    runs, _ = built([Run(1, 0, Place(20, ""), 2)])
    assert runs.split(5).beyond == 3


def test_a_run_ends_once() -> None:
    """A journal in which a run ends twice is refused."""
    end = {"to": 10, "lines": 1, "tail": ""}
    with pytest.raises(ValueError, match="not open"):
        Runs().replay([{"run": 1, "from": 0}, end, end])
