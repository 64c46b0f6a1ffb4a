"""Every system call of `logchain init`: the last one, or refused. There is a whole store then, or none."""

import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from logchain.format.audit import AuditSecret, parse_audit
from logchain.format.ledger import fingerprint, open_genesis, split_entries
from tests.conftest import Store
from tests.faults.check import Watch, check_done
from tests.faults.place import SETTINGS, Done, Place, run_command
from tests.faults.strace import Point, points, tracing, usable
from tests.faults.trying import SHARDS, try_points

pytestmark = pytest.mark.skipif(not usable(), reason="strace is missing, or may not trace here: apt install strace")


def init(path: Path, strace: Sequence[str] = ()) -> Done:
    """Make a store and its audit secret in a directory."""
    return run_command(strace, "init", "--store", str(path / "store"), "--audit-secret-out", str(path / "audit"))


def check_store(path: Path) -> None:
    """See that a store can be used: lines are stored, sealed and proved."""
    (path / "logchain.toml").write_text(SETTINGS)
    audit = parse_audit((path / "audit").read_bytes())
    assert isinstance(audit, AuditSecret)
    genesis = open_genesis(split_entries((path / "store/ledger/entries").read_bytes())[0][0])[1]
    place = Place(path, Store(path / "store", audit), fingerprint(genesis.key), {})
    watch = Watch(place)
    for done in (place.collect("work"), place.collect("fresh"), place.compress()):
        assert done.code == 0, done
        watch.look()
    watch.conclude({})


@pytest.fixture(scope="session")
def points_of_init(tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """All points of a run that nothing disturbs."""
    directory = tmp_path_factory.mktemp("init")
    path = directory / "place"
    path.mkdir()
    assert init(path, tracing(directory / "trace")).code == 0
    check_store(path)
    return points((directory / "trace").read_text(), path)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_call_of_init(
    points_of_init: list[Point], tmp_path: Path, record_property: Callable[[str, object], None], shard: int
) -> None:
    """After a kill a store that has its `format` is whole; else the next `init` says that something is there."""

    def attempt(strace: Sequence[str], path: Path) -> None:
        path.mkdir()
        done = init(path, strace)
        if done.code != -signal.SIGKILL:
            check_done(done, 2)  # 2: the secret's file cannot be made
            assert (path / "audit").exists() == (done.code == 0), done
        if done.code > 0 or not (path / "store/format").exists():
            again = init(path)
            if again.code:
                assert again.code == 2, again
                shutil.rmtree(path)
                path.mkdir()
                assert init(path).code == 0
        check_store(path)

    try_points(points_of_init, shard, attempt, tmp_path, record_property)
