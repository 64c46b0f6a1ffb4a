"""Every system call of collector, compressor and commands that changes the store: the last one, or refused.

`make faults` tries all of them, `make test` some.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.check import Watch, check_done
from tests.faults.place import Done, Place, begin, run_command
from tests.faults.strace import Point, points, tracing, usable
from tests.faults.trying import SHARDS, try_points

pytestmark = pytest.mark.skipif(not usable(), reason="strace is missing, or may not trace here: apt install strace")


class Scenario(NamedTuple):
    """What is run, how many of a VM's oldest lines are gone when it and the compressor are done, how it may end when it
    is run again, and who sends before.
    """

    run: Callable[[Place, Sequence[str]], Done]
    gone: Mapping[str, int] = {"flood": 2}
    again: tuple[int, ...] = (0,)
    before: str = ""


def command(*words: str) -> Callable[[Place, Sequence[str]], Done]:
    """Return what runs `logchain` on the store of a place."""
    return lambda place, strace: run_command(strace, words[0], "--store", str(place.store.path), *words[1:])


SCENARIOS = {
    "birth": Scenario(lambda place, strace: place.collect("fresh", strace)),
    "rotation": Scenario(lambda place, strace: place.collect("work", strace)),
    "compressor": Scenario(lambda place, strace: place.compress(strace)),
    "seal": Scenario(command("seal"), again=(0, 3)),  # what was given up stays until its sender's next call
    "delete": Scenario(command("delete", "--vm", "work", "--until", "now", "--yes"), {"flood": 2, "work": 4}),
    "forget": Scenario(  # 2: there is no such VM any more
        command("forget", "--vm", "leaving", "--yes"), {"flood": 2, "leaving": 2}, again=(0, 2)
    ),
    "restored": Scenario(command("restored", "--yes"), before="work"),
}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A store in which there is everything to do; never touched, only copied."""
    return begin(tmp_path_factory.mktemp("faults") / "base")


def follow(place: Place, watch: Watch, scenario: Scenario) -> None:
    """Do it again undisturbed, then what else happens in a LogVM; nobody complains, and all is as it should be."""
    done = scenario.run(place, [])
    assert done.code in scenario.again, done
    for other in (done, place.collect("work"), place.collect("fresh"), place.compress()):
        assert other is done or other.code == 0, other
        assert "<3>" not in other.errors, other
        watch.look()
    watch.conclude(scenario.gone)


def copy(base: Place, path: Path, scenario: Scenario) -> Place:
    """Make a store for a scenario."""
    place = base.copy(path)
    if scenario.before:
        assert place.collect(scenario.before).code == 0
    return place


@pytest.fixture(scope="session")
def points_of(base: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Point]]:
    """Return all points of a scenario, from a run that nothing disturbs."""

    @cache
    def find(name: str) -> list[Point]:
        path = tmp_path_factory.mktemp(name)
        place = copy(base, path / "store", SCENARIOS[name])
        watch = Watch(place)
        done = SCENARIOS[name].run(place, tracing(path / "trace"))
        assert done.code == 0, done
        follow(place, watch, SCENARIOS[name])
        return points((path / "trace").read_text(), place.path)

    return find


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_call(
    base: Place,
    points_of: Callable[[str], list[Point]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
    shard: int,
) -> None:
    """Whichever it is, and however it ends: nothing is lost, doubled or forked, and the next run goes on."""
    scenario = SCENARIOS[name]

    def attempt(strace: Sequence[str], path: Path) -> None:
        place = copy(base, path, scenario)
        watch = Watch(place)
        done = scenario.run(place, strace)
        if done.code != -signal.SIGKILL:
            check_done(done)
        watch.look()
        follow(place, watch, scenario)

    try_points(points_of(name), shard, attempt, tmp_path, record_property)
