"""What is wrong with one stream is told of that stream: no other waits for it."""

import os
from pathlib import Path
from typing import Any

import pytest

from logchain.compress.sealing import seal_now
from logchain.format.keystate import RATCHET_MAGIC, KeyState, format_keystate
from logchain.format.ledger import Heads
from logchain.format.manifest import Manifest
from logchain.format.settings import parse_settings
from logchain.format.slots import format_slots
from logchain.read.listing import list_streams
from logchain.read.status import read_status
from logchain.store.layout import open_store
from tests.compress.conftest import Working
from tests.conftest import Store
from tests.store.sealing import check, entries, opened, roll

SETTINGS = parse_settings('[tiers]\nlz4-after = "1 s"\nxz-after = "never"\n')
FILES = ["id", "ratchet", "lock", "00000001.log", "00000001.tags"]


@pytest.fixture
def no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may not open what nobody may read; root could."""
    real = os.open

    def refusing(path: Any, flags: int, *more: Any, **named: Any) -> int:
        fd = real(path, flags, *more, **named)
        if not os.fstat(fd).st_mode & 0o444:
            os.close(fd)
            raise PermissionError(13, "Permission denied", path)
        return fd

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.usefixtures("no_root", "unsynced")
@pytest.mark.parametrize("what", ["", "main", *(f"main/{name}" for name in FILES)])
def test_a_mode_that_lets_nobody_in(store: Store, working: Working, what: str) -> None:
    """The others are sealed, compressed, listed and shown; the one is a complaint; when it is well again all is."""
    for vm in ("a", "evil", "z"):
        store.log(b"one", vm=vm)
        if vm != "evil" or what.endswith(("log", "tags")):
            roll(store, vm)
            store.log(b"two", vm=vm)
    path = store.path / "live/evil" / what
    mode = path.stat().st_mode
    path.chmod(0)
    working.round(SETTINGS)
    store.clock.go(3_700)
    working.round(SETTINGS)
    assert {"a/main/00000001.log.lz4", "z/main/00000001.log.lz4"} <= set(working.sealed())
    assert "heads" in working.events()
    assert "live/evil" in working.told()
    for vm in ("a", "z"):
        store.log(b"three", vm=vm)
    with opened(store) as (directory, ledger):
        found = list(seal_now(directory, ledger, store.clock, SETTINGS.store))
    assert {vm for vm, _, _, result in found if isinstance(result, Manifest)} >= {"a", "z"}
    with open_store(store.path) as directory:
        status = read_status(directory, SETTINGS, store.clock.wall())
        assert {budget.name for budget in status.budgets} >= {"a", "z"}
        assert [line for line in status.attention if "evil" in line or "above" in line]
        assert {row.vm for row in list_streams(directory)} == {"a", "evil", "z"} if what else True
    path.chmod(mode)
    store.clock.go(7_200)
    working.round(SETTINGS)
    working.round(SETTINGS)
    assert [name for name in working.sealed() if name.startswith("evil/")]
    assert working.told() == ""
    check(store)


def put_state(path: Path, state: KeyState) -> None:
    """Put a key state in the place of a stream's own."""
    (path / "ratchet").write_bytes(format_slots(RATCHET_MAGIC, format_keystate(state)))


def test_a_birth_that_is_anothers(store: Store, working: Working) -> None:
    """A collector gone bad claims it, with a segment of the same number; whose it was first is served as ever."""
    store.log(b"one", vm="honest")
    working.round()
    store.log(b"bad", vm="evil")
    log = store.directory("evil") / "00000001.log"
    log.write_bytes(log.read_bytes().replace(b"birth=2", b"birth=1"))
    put_state(store.directory("evil"), store.state(vm="evil")._replace(birth=1))
    store.log(b"two", vm="honest")
    working.after(hours=0.1)
    assert "evil/main: birth 1 is another's too" in working.told()
    lists = [entry.event.segments for entry in entries(store) if isinstance(entry.event, Heads)]
    assert lists == [((1, 1),), ((1, 1),)]
    working.after(hours=2)
    working.after(hours=2)
    assert "honest/main/00000001.log.lz4" in working.sealed()
    assert [text for text in store.found() if "birth 1, claimed by" in text]
    assert not [text for text in store.found() if "the list" in text]
