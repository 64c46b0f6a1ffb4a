"""`logchain sessions`: a table, JSON, choices, and the exit code that tells of a gap."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_row_a_session(stocked: Run) -> None:
    """Oldest first, over all qubes; a line that was cut shows."""
    stocked("log-collector", "--stdio", "journal", vm="work", stdin=b"third\nhalf")
    heading, *table = stocked("logchain", "sessions").stdout.decode().splitlines()
    assert " ".join(heading.split()) == "VM STREAM SESSION START END BEFORE DURATION LONGEST LINES CUT WHY"
    rows = [line.split() for line in table]
    assert [row[0] for row in rows] == ["work", "vault", "dom0", "work"]
    assert [row[-3:] for row in rows] == [["2", "-", "eof"]] * 3 + [["1", "4", "eof"]]
    assert rows[0][7] == "-"  # nothing before it, so no silence
    assert rows[3][7].endswith("s")


def test_json(stocked: Run) -> None:
    """One object a session, with times to the µs and spans in seconds."""
    done = stocked("logchain", "sessions", "--json", "--vm", "work")
    (session,) = [json.loads(line) for line in done.stdout.splitlines()]
    log = Path("store/live/work/journal/00000001.log").read_text().splitlines()
    assert log[1].endswith(f"session-start session={session['session']} service=logchain.Append")
    assert (session["start"], session["end"]) == (log[1][:27], log[-1][:27])
    assert 0 <= session["longest_silence"] <= session["duration"] < 60
    rest = {key: session[key] for key in ("kind", "vm", "stream", "silence_before", "lines", "cut", "why")}
    assert rest == {
        "kind": "session",
        "vm": "work",
        "stream": "journal",
        "silence_before": None,
        "lines": 2,
        "cut": 0,
        "why": "eof",
    }


def test_choices(stocked: Run) -> None:
    """By qube, stream and time; nothing found is no error, a name that is not there is one."""
    assert stocked("logchain", "sessions", "--vm", "work", "--vm", "vault").stdout.count(b"\n") == 3
    assert stocked("logchain", "sessions", "-S", "1h ago", "-U", "now", "--utc").stdout.count(b"\n") == 4
    assert stocked("logchain", "sessions", "--since", "tomorrow", "--stream", "journal").stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--vm", "nobody"], b"there are no logs of nobody"),
        (["--vm", "journal"], b"there are no logs of journal"),
        (["--stream", "../x"], b"not a stream name"),
        (["--until", "2h"], b"understood are now"),
    ],
)
def test_sessions_refuses_in_one_line(stocked: Run, words: list[str], told: bytes) -> None:
    """What is wrong, and exit code 2."""
    done = stocked("logchain", "sessions", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_gap_is_exit_code_1(stocked: Run) -> None:
    """It has a row with `!`, and the other qubes are told."""
    Path("store/live/work/journal/00000001.log").unlink()
    done = stocked("logchain", "sessions")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].split() == b"work journal ! - segment 1 is missing".split()
    assert done.stdout.count(b"eof") == 2
    done = stocked("logchain", "sessions", "--json", "--vm", "work")
    assert json.loads(done.stdout) == {
        "kind": "gap",
        "vm": "work",
        "stream": "journal",
        "time": None,
        "message": "segment 1 is missing",
    }


def test_an_unusual_note_has_a_row(stocked: Run) -> None:
    """It stands behind `#`; what only looks like one is a gap."""
    log = Path("store/live/work/journal/00000001.log")
    log.write_bytes(log.read_bytes().replace(b"- second", b"# odd a="))
    done = stocked("logchain", "sessions", "--vm", "work")
    assert done.returncode == 1  # a field without a value
    assert b" !  " in done.stdout
    log.write_bytes(log.read_bytes().replace(b"# odd a=", b"# oddity"))
    done = stocked("logchain", "sessions", "--vm", "work")
    assert done.returncode == 0
    assert done.stdout.splitlines()[2].endswith(b"oddity")
