"""Attacks on whole segments, streams and births."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.keystate import (
    BIRTHS_MAGIC,
    RATCHET_MAGIC,
    KeyState,
    format_births,
    format_keystate,
    parse_births,
    parse_keystate,
)
from logchain.format.slots import WIPED, format_slot, format_slots, newest
from logchain.read.selection import Selection
from logchain.read.verify import Verdict, verify_store
from logchain.store.layout import open_store
from tests.attacks.conftest import Auditor

Log = Callable[..., None]


@pytest.fixture
def store(auditor: Auditor, log: Log) -> Auditor:
    """Three streams; one of three segments, the others of one."""
    for _ in range(2):
        log(roll=True)
    log()
    log("vault")
    log("work", "other")
    assert not auditor.damage()
    return auditor


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("names", [["log", "tags"], ["log"], ["tags"]])
def test_a_removed_segment_is_found(store: Auditor, number: int, names: list[str]) -> None:
    """The first, a middle and the last segment, or one file of it."""
    for name in names:
        (store.stream() / f"{number:08}.{name}").unlink()
    assert any(found.startswith(f"{number}:") for found in store.damage())


def test_swapped_segments_are_found(store: Auditor) -> None:
    """Two closed segments under each other's number."""
    for name in ("log", "tags"):
        one, two = (store.stream() / f"0000000{number}.{name}" for number in (1, 2))
        third = store.stream() / "swap"
        one.rename(third)
        two.rename(one)
        third.rename(two)
    assert store.damage()


def test_a_segment_of_another_stream_is_found(store: Auditor) -> None:
    """The segment of the same number of another qube's stream."""
    for name in ("log", "tags"):
        shutil.copy(store.stream("vault") / f"00000001.{name}", store.stream() / f"00000001.{name}")
    assert store.damage()


def test_a_removed_stream_is_found(store: Auditor) -> None:
    """A stream, a qube, everything."""
    shutil.rmtree(store.stream("work", "other"))
    assert "births are missing, birth 3 first" in store.damage()[0]
    shutil.rmtree(store.path / "live" / "vault")
    assert "2 of 3 births are missing, birth 2 first" in store.damage()[0]
    shutil.rmtree(store.path / "live" / "work")
    assert "3 of 3 births are missing" in store.damage()[0]


def test_a_stream_under_another_name_is_found(store: Auditor) -> None:
    """A qube's logs given out as another's, by a copy or by a rename."""
    shutil.copytree(store.path / "live" / "vault", store.path / "live" / "innocent")
    assert store.damage()
    shutil.rmtree(store.path / "live" / "vault")
    assert store.damage()


def test_a_stream_replaced_from_its_start_is_found(store: Auditor, log: Log) -> None:
    """The collector itself, made to begin the stream anew with the keys it has, leaves a birth missing."""
    shutil.rmtree(store.stream("vault"))
    log("vault")
    assert "birth 2 first" in store.damage()[0]


def test_a_stream_made_up_under_the_next_birth_is_found(store: Auditor, log: Log) -> None:
    """Births set back by one, so that a replaced stream takes the number of the removed one."""
    births = store.path / "births"
    before = births.read_bytes()
    state = parse_births(newest(BIRTHS_MAGIC, before).body)
    shutil.rmtree(store.stream("work", "other"))  # birth 3, the last one
    births.write_bytes(format_slot(BIRTHS_MAGIC, 99, format_births(state._replace(birth=3))) + WIPED)
    log("work", "other")  # its secret is that of birth 4 under the number 3
    assert store.damage()


def test_a_birth_that_was_never_closed_is_found(auditor: Auditor, log: Log) -> None:
    """Whoever keeps the secret of a birth in `births` can forge what its stream logs; a collector closes it first."""
    births = auditor.path / "births"
    before = parse_births(newest(BIRTHS_MAGIC, births.read_bytes()).body)
    log("victim")
    log("victim")
    assert not auditor.damage()
    kept = before._replace(pending=("victim", "main"))
    births.write_bytes(format_slots(BIRTHS_MAGIC, format_births(kept)))
    assert "was never closed" in auditor.damage()[0]
    log("victim")  # the next call finishes it, before it stores a line
    assert not auditor.damage()
    assert parse_births(newest(BIRTHS_MAGIC, births.read_bytes()).body).birth == 2


def test_births_are_not_claimed_by_what_cannot_show_them(store: Auditor) -> None:
    """With --vm, too: a made-up note in another qube's stream does not stand in for a removed one."""
    shutil.rmtree(store.stream("work", "other"))  # birth 3
    vault = store.stream("vault")
    note = (vault / "00000001.log").read_bytes().split(b"\n")[0].replace(b"birth=2", b"birth=3")
    (vault / "00000009.log").write_bytes(note + b"\n")
    (vault / "00000009.tags").write_bytes(bytes(40))
    with open_store(store.path) as directory:
        assert verify_store(directory, store.audit, Selection(vms=("work",))).verdict == Verdict.DAMAGED


@pytest.mark.parametrize("name", ["births", "live/work/main/ratchet", "live/work/main/id"])
def test_a_lost_key_state_is_found(store: Auditor, name: str) -> None:
    """Removed, emptied, wiped, replaced by a link."""
    path = store.path / name
    good = path.read_bytes()
    for bad in (None, b"", bytes(len(good)), good[:-1]):
        path.unlink()
        if bad is not None:
            path.write_bytes(bad)
        assert store.damage(), bad
        path.write_bytes(good)
    path.rename(store.path.parent / "elsewhere")
    path.symlink_to(store.path.parent / "elsewhere")
    assert store.damage()


@pytest.mark.parametrize("forge", [lambda s: s._replace(key=bytes(31) + b"k"), lambda s: s._replace(next=bytes(32))])
def test_a_key_that_does_not_follow_is_found(store: Auditor, forge: Callable[[KeyState], KeyState]) -> None:
    """Keys put in place of ours, so that what comes next could be forged at will."""
    ratchet = store.stream() / "ratchet"
    state = forge(parse_keystate(newest(RATCHET_MAGIC, ratchet.read_bytes()).body))
    ratchet.write_bytes(format_slot(RATCHET_MAGIC, 99, format_keystate(state)) + WIPED)
    assert "does not follow" in store.damage()[0]


def test_a_birth_secret_that_does_not_follow_is_found(store: Auditor) -> None:
    """Streams that are born from it later would be the attacker's own."""
    births = store.path / "births"
    state = parse_births(newest(BIRTHS_MAGIC, births.read_bytes()).body)
    births.write_bytes(format_slot(BIRTHS_MAGIC, 99, format_births(state._replace(secret=os.urandom(32)))) + WIPED)
    assert "next birth does not follow" in store.damage()[0]


@pytest.mark.parametrize("lost", ["ratchet", "id", "00000003.log"])
def test_what_was_lost_is_told_for_ever(store: Auditor, log: Log, lost: str) -> None:
    """Logging goes on after damage, under a new birth, and no later record hides it."""
    (store.stream() / lost).unlink()
    log(roll=True)
    log()
    damage = store.damage()
    assert any("had to begin anew" in found for found in damage)


def test_a_link_in_the_place_of_a_directory_is_not_followed(store: Auditor, tmp_path: Path) -> None:
    """A qube's directory moved away and linked to is as good as gone."""
    vault = store.path / "live" / "vault"
    vault.rename(tmp_path / "vault")
    vault.symlink_to(tmp_path / "vault")
    assert "birth 2 first" in store.damage()[0]


def test_a_changed_birth_is_found_where_it_is_and_nowhere_else(store: Auditor) -> None:
    """The segments behind the changed note are checked under the birth that is true, and are good."""
    path = store.stream() / "00000001.log"
    path.write_bytes(path.read_bytes().replace(b"birth=1", b"birth=2", 1))
    (found,) = store.damage()
    assert found.startswith("1:0:0 ")
    (stream,) = (stream for stream in store.report().streams if (stream.vm, stream.stream) == ("work", "main"))
    assert stream.segments == 2


def test_strange_files_are_no_evidence(store: Auditor) -> None:
    """What does not belong there is left alone, and is no damage to what does."""
    (store.path / "live" / "no name of a qube").mkdir()
    (store.path / "live" / "file").write_text("x")
    (store.path / "live" / "work" / "file").write_text("x")
    (store.stream() / "notes.txt").write_text("x")
    assert not store.damage()


def test_a_store_that_is_written_is_never_damaged(store: Auditor, log: Log) -> None:
    """Verify beside a writer that appends, rolls and gives births."""
    from threading import Thread

    done = []

    def write() -> None:
        for count in range(40):
            log("work", roll=count % 3 == 0)
            log(f"disp{count}")
        done.append(True)

    writer = Thread(target=write)
    writer.start()
    checks = 0
    while not done:
        with open_store(store.path):
            assert not store.damage()
        checks += 1
    writer.join()
    assert checks > 3
    assert not store.damage()
