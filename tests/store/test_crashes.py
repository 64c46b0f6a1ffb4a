"""A crash at every step of a stream's life: nothing acknowledged is lost, and nothing looks like tampering."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.record import LINE, PART
from logchain.read.verify import Verdict
from logchain.store.stream import Rolling
from tests.conftest import STREAM, VM, FakeClock, Store
from tests.store.crashes import Tell, run

pytestmark = pytest.mark.usefixtures("unsynced")

WAYS = ["kill", "torn", "power", "names"]
SENT = [b"%d %s" % (number, b"x" * 60) for number in range(12)]


class Life:
    """A stream's life: born, written in three sessions, rolled by size and boot, its clock set back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, tell: Tell) -> None:
        """Live it, and tell each line when it is durable."""
        clock = self._store.clock = FakeClock()
        lines = iter(SENT)
        for session in (b"session1", b"session2", b"session3"):
            writer = self._store.open(rolling=Rolling(size=800))
            writer.start_session(session, "logchain.Append")
            writer.append(LINE, [next(lines), next(lines)], clock.wall())
            writer.commit()
            line = next(lines)
            writer.append(PART, [line[:30]], clock.wall())
            writer.commit()
            writer.append(LINE, [line[30:]], clock.wall())
            writer.commit()
            told = SENT.index(line) + 1
            for known in SENT[told - 3 : told]:
                tell(known)
            clock.go(-2 if session == b"session2" else 2)
            writer.append(LINE, [next(lines)], clock.wall())
            writer.end_session("eof", b"cut", 3)
            writer.close()
            tell(SENT[told])
            clock.boot = session * 2


def check(store: Store, told: list[bytes], where: str) -> None:
    """After a crash: all that was told is there once, in order; it is no damage; and things go on."""
    assert store.verdict() != Verdict.DAMAGED, (where, store.found())
    store.log(b"other", stream="other")  # a birth that was cut short must not be in its way
    store.log(b"after")
    lines = store.lines()
    assert lines[-1] == b"after", where
    assert lines[:-1] == SENT[: len(lines) - 1], where
    assert len(lines) - 1 >= len(told), where
    assert told == SENT[: len(told)], where
    assert store.verdict() == Verdict.INTACT, (where, store.found())
    resume = [lines for _, lines in store.state().resume[1:]]
    assert sum(resume) == len(lines) - 1, where


def birth(store: Store, vm: str) -> Callable[[Tell], None]:
    """Open a stream and close it: it is born, or recovered."""

    def live(_: Tell) -> None:
        store.open(vm, STREAM).close()

    return live


@pytest.mark.parametrize("how", WAYS)
def test_a_crash_at_every_step(tmp_path: Path, how: str) -> None:
    """Whichever step is the last, and however it ends."""
    steps = 0
    for at in itertools.count(1):
        store = Store.make(tmp_path / f"{at}")
        finished, told = run(Life(store), at, how, chance=at)
        check(store, told, f"{how} at step {at}")
        if finished:
            assert told == SENT
            break
        steps = at
    assert steps > 60


@pytest.mark.parametrize("chance", range(40))
def test_a_crash_in_the_recovery_from_a_crash(tmp_path: Path, chance: int) -> None:
    """The start after a crash may be cut short as well, several times, each time anywhere."""
    chances = random.Random(chance)
    store = Store.make(tmp_path / "store")
    told = run(Life(store), chances.randrange(20, 110), chances.choice(WAYS), chance)[1]
    for again in range(3):
        at, how = chances.randrange(1, 30), chances.choice(WAYS)
        run(birth(store, VM), at, how, chance + again)
        assert store.verdict() != Verdict.DAMAGED, (chance, store.found())
    check(store, told, f"chance {chance}")


def test_a_crash_at_every_step_of_a_birth(tmp_path: Path) -> None:
    """The number goes to the stream that was named, once; the next birth is another's, and none is missing."""
    for at in itertools.count(1):
        store = Store.make(tmp_path / f"{at}")
        finished = run(birth(store, VM), at)[0]
        assert store.verdict() == Verdict.CANNOT_TELL, (at, store.found())  # not damaged, and no record yet
        store.log(b"x", stream="other")
        store.log(b"x")
        assert sorted((store.state().birth, store.state(stream="other").birth)) == [1, 2], at
        assert store.verdict() == Verdict.INTACT, (at, store.found())
        if finished:
            break
    assert at > 20


def test_a_cut_birth_whose_stream_never_comes_again(tmp_path: Path) -> None:
    """Other streams are born, as many as will, and nothing is missing."""
    for at in itertools.count(1):
        store = Store.make(tmp_path / f"{at}")
        finished = run(birth(store, "gone"), at)[0]
        for stream in ("one", "two"):
            store.log(b"x", stream=stream)
        assert store.verdict() == Verdict.INTACT, (at, store.found())
        if finished:
            break
