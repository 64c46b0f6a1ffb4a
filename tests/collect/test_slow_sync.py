"""A disk on which each sync takes 20 ms: nothing is lost or doubled."""

from collections.abc import Callable

from bench.slow_sync import SLOW
from logchain.read.verify import Verdict
from tests.collect.door import Door
from tests.conftest import Store

SENDERS, LINES = 10, 200


def test_ten_senders_on_a_slow_disk(store: Store, new_door: Callable[..., Door]) -> None:
    """All lines are acknowledged, and stored once, in order; a commit is of several lines."""
    door = new_door(SLOW)
    names = [f"qube-{number}" for number in range(SENDERS)]
    calls = [door.call(vm=name) for name in names]
    for call in calls:
        call.greeting()
    for number in range(LINES):
        for call in calls:
            call.send(b"%d\n" % number)
    for call in calls:
        call.half_close()
    for call, name in zip(calls, names, strict=True):
        words = call.last_words()
        assert words[-1] == b"ok %d" % LINES
        assert len(words) < LINES // 2
        assert store.lines(name) == [b"%d" % number for number in range(LINES)]
    assert store.verdict() is Verdict.INTACT
