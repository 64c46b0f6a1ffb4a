"""A crash at every step of what the compressor does: the ledger stays one chain, nothing is lost or doubled."""

import itertools
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from logchain.format.errors import Busy
from logchain.format.keystate import Status
from logchain.format.ledger import Delete, Evict, Forget, Recover, Seal
from logchain.format.record import LINE
from logchain.read.verify import Verdict
from logchain.store.archive import compress_segment, delete, evict, finish_removals
from logchain.store.forgetting import forget
from logchain.store.heads import KeptLists, OpenHeads
from logchain.store.layout import streams
from logchain.store.sealer import seal_segment
from logchain.store.segments import close_idle, closed_segments
from logchain.store.stream import Rolling
from tests.conftest import VM, Store
from tests.store.crashes import Tell, run
from tests.store.sealing import check, identity, lines, opened, seal

pytestmark = pytest.mark.usefixtures("unsynced")

WAYS = ["kill", "torn", "power", "names"]
OTHER = "gone"  # the VM that is forgotten
SENT = [b"%d %s" % (number, b"x" * 300) for number in range(12)]
LEFT = [SENT[number] for number in (2, 3, 4, 8, 9, 10, 11)]  # without segments 1 and 3
SHARDS = 4  # so that several processes can share the work


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with some segments sealed, some closed, some open, one torn and recovered, and a list of heads."""
    store = Store.make(tmp_path_factory.mktemp("begun") / "store")
    for vm in (VM, OTHER):
        writer = store.open(vm, rolling=Rolling(size=1_000))
        writer.start_session(b"session1", "logchain.Append")
        for line in SENT[:8]:
            store.clock.go(1)
            writer.append(LINE, [line], store.clock.wall())
        writer.end_session("eof", b"", 0)
        writer.close()
    seal(store)
    seal(store, OTHER)
    with opened(store) as (directory, ledger):
        OpenHeads().record(directory, ledger)
    with (store.directory() / "00000004.log").open("ab") as log:
        log.write(b"torn")
    writer = store.open(rolling=Rolling(size=1_000))
    writer.start_session(b"session2", "logchain.Append")
    for line in SENT[8:]:
        store.clock.go(1)
        writer.append(LINE, [line], store.clock.wall())
    writer.end_session("eof", b"", 0)
    writer.close()
    store.clock.go(100)
    assert closed(store) == [4]
    check(store)
    return store


def closed(store: Store) -> list[int]:
    """Return the segments that wait for their seal."""
    with opened(store) as (directory, _):
        return closed_segments(directory, VM, "main")


class Round:
    """A day of the compressor, and a person's commands; whatever of it is done already is left out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, tell: Tell) -> None:
        """Do it, and tell each step when it is done."""
        with opened(self._store) as (store, ledger):
            finish_removals(store, ledger)
            heads = OpenHeads()
            heads.record(store, ledger)
            for vm, stream in list(streams(store)):
                close_idle(store, vm, stream, self._store.clock, 5_000_000)
                for segment in closed_segments(store, vm, stream):
                    seal_segment(store, ledger, vm, stream, segment, 500)
                    tell(b"sealed %s %d" % (vm.encode(), segment))
            heads.record(store, ledger)
            history = ledger.state.of(identity(self._store))
            for segment, tier in ((1, ".lz4"), (2, ".lz4"), (2, ".xz")):
                if segment in history.sealed:
                    compress_segment(store, VM, "main", segment, tier, 3)
            if 1 in history.sealed:
                evict(store, ledger, VM, "main", 1, "quota")
            tell(b"evicted")
            if 3 in history.sealed:
                delete(store, ledger, VM, "main", 3)
            tell(b"deleted")
            if OTHER in {vm for vm, _ in streams(store)}:
                forget(store, ledger, OTHER)
            tell(b"forgotten")
            KeptLists().drop(store, ledger)


def check_after(store: Store, told: list[bytes], where: str) -> None:
    """After a crash: no check takes it for damage, and one more round makes all as if there had been none."""
    assert store.verdict() != Verdict.DAMAGED, (where, store.found())
    Round(store)(lambda _: None)
    assert store.verdict() != Verdict.DAMAGED, (where, store.found())
    found = [entry.event for entry in check(store)]
    key = identity(store)
    sealed = [event.segment for event in found if isinstance(event, Seal) and event.stream_id == key]
    assert sealed == [1, 2, 3, 4, 5][: 4 if store.state().status == Status.GIVEN_UP else 5], where
    assert [event.segment for event in found if isinstance(event, Evict)] == [1], where
    assert [event.segment for event in found if isinstance(event, Delete)] == [3], where
    assert len([event for event in found if isinstance(event, Forget)]) == 1, where
    torn = [event for event in found if isinstance(event, Recover)]  # closing a segment may be torn, too
    assert Recover(key, 4, "torn") in torn, where
    assert len(torn) == len(set(torn)), where
    assert lines(store) == LEFT, where
    assert (b"forgotten" in told) <= (not [path for path in store.path.rglob("*") if path.name == OTHER]), where
    for vm, left in ((VM, LEFT), (OTHER, [])):
        store.log(b"after", vm=vm)
        assert lines(store, vm) == [*left, b"after"], where


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("how", WAYS)
def test_a_crash_at_every_step(begun: Store, tmp_path: Path, how: str, shard: int) -> None:
    """Whichever step is the last: one chain, each segment sealed once, no key is left, and no line lost."""
    for at in itertools.count(1 + shard, SHARDS):
        store = copy_of(begun, tmp_path / f"{at}")
        finished, told = run(Round(store), at, how, chance=at)
        check_after(store, told, f"{how} at step {at}")
        shutil.rmtree(store.path)
        if finished:
            break
    assert at > 200


def copy_of(begun: Store, path: Path) -> Store:
    """Return a store of its own that is as far as `begun`."""
    shutil.copytree(begun.path, path, symlinks=True)
    return Store(path, begun.audit, replace(begun.clock))


@pytest.mark.parametrize("how", WAYS)
def test_a_sender_that_comes_before_the_rest_is_forgotten(begun: Store, tmp_path: Path, how: str) -> None:
    """After a crash in `forget` no line is stored under an id that the ledger calls forgotten: it would be removed."""
    for at in itertools.count(240):
        store = copy_of(begun, tmp_path / f"{at}")
        finished = run(Round(store), at, how, chance=at)[0]
        with opened(store) as (_, ledger):
            forgotten = [key for key, history in ledger.state.streams.items() if history.forgotten is not None]
        try:
            store.log(b"early", vm=OTHER)
        except Busy:
            assert forgotten or (store.directory(OTHER) / "forgetting").exists()
        else:
            assert identity(store, OTHER) not in forgotten
        shutil.rmtree(store.path)
        if finished:
            break
    assert forgotten


@pytest.mark.parametrize("chance", range(40))
def test_a_crash_in_what_follows_a_crash(begun: Store, tmp_path: Path, chance: int) -> None:
    """What finishes the work of before may be cut short as well, several times, each time anywhere."""
    chances = random.Random(chance)
    store = copy_of(begun, tmp_path / "store")
    for again in range(5):
        run(Round(store), chances.randrange(1, 120), chances.choice(WAYS), chance + again)
        if chances.random() < 0.2:
            store.clock.boot, store.clock.up = bytes([again]) * 16, 1_000_000
    check_after(store, [], f"chance {chance}")
