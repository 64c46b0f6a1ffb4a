"""When to commit: a table of the rules, and what must hold whatever happens."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.collect.pace import Pace

MIB = 1 << 20

# since: when something was appended; took: how long the last commit took that ended at 0, None if there was none
TABLE = [
    # what it is about, since, took, now, dry, waiting, due
    ("nothing waits", None, None, 9.0, True, 0, False),
    ("the first line of a quiet sender goes at once", 1.0, None, 1.0, True, 50, True),
    ("but not while more comes", 1.0, None, 1.0, False, 50, False),
    ("not within 20 ms of the last commit", 0.010, 0.001, 0.0199, True, 50, False),
    ("from 20 ms on", 0.010, 0.001, 0.020, True, 50, True),
    ("nor within four times what that one took", 0.010, 0.030, 0.119, True, 50, False),
    ("from four times on", 0.010, 0.030, 0.120, True, 50, True),
    ("a slow disk does not hold a line for longer than 200 ms", 0.010, 1.000, 0.209, True, 50, False),
    ("from 200 ms on", 0.010, 1.000, 0.2100001, True, 50, True),
    ("whether more comes or not", 1.0, None, 1.2000001, False, 50, True),
    ("a busy sender is not asked before that", 1.0, None, 1.199, False, 4 * MIB - 1, False),
    ("but at 4 MiB", 1.0, None, 1.0, False, 4 * MIB, True),
    ("even within the rest", 0.001, 1.0, 0.002, False, 4 * MIB, True),
]


@pytest.mark.parametrize(
    ("since", "took", "now", "dry", "waiting", "due"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_rules(since: float | None, took: float | None, now: float, dry: bool, waiting: int, due: bool) -> None:
    """Each rule from both sides of its limit."""
    pace = Pace()
    if took is not None:
        pace.committed(-took, 0.0)
    if since is not None:
        pace.appended(since)
        pace.appended(since + 0.001)  # later lines do not put off the first
    assert pace.due(now, dry=dry, waiting=waiting) is due


TIMES = st.floats(0, 10)


@given(st.floats(0, 2), st.lists(TIMES, min_size=1, max_size=5), TIMES)
def test_who_waits_as_told_finds_it_due(took: float, appended: list[float], now: float) -> None:
    """After `wait` seconds without input a commit is due, and that is at most 200 ms after the line."""
    pace = Pace()
    pace.committed(-took, 0.0)
    for moment in sorted(appended):
        pace.appended(moment)
    now = max(now, *appended)
    wait = pace.wait(now)
    assert 0.0 <= wait <= 0.2 + 1e-9
    assert now + wait <= max(min(appended) + 0.2, now) + 1e-9
    assert pace.due(now + wait + 1e-9, dry=True, waiting=1)
    if wait > 1e-6:
        assert not pace.due(now + wait - 1e-6, dry=True, waiting=1)
    pace.committed(now, now)
    assert not pace.due(now + 100, dry=True, waiting=0)
    assert pace.wait(now) == inf
