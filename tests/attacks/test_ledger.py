"""Attacks on the ledger and on what stands beside it: lists of heads, checkpoint, keys."""

import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.heads import format_heads, parse_heads
from logchain.format.ledger import (
    Birth,
    Broken,
    Config,
    Delete,
    Event,
    Evict,
    Forget,
    Heads,
    Seal,
    log_key_name,
    parse_entry,
    split_entries,
)
from logchain.format.ledger_keys import parse_log_key
from logchain.format.merkle import leaf_hash, root
from logchain.format.signed_note import parse_note, sign
from logchain.read.ledger import Ledger
from logchain.read.verify import Verdict
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import open_store
from tests.attacks.pinned import Pinned, copy, make_template


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that every test gets a copy of."""
    store = make_template(tmp_path_factory.mktemp("template") / "store")
    assert store.report().verdict == Verdict.INTACT
    return store


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of a store that is intact, whoever looks."""
    return copy(template, tmp_path / "store")


def test_the_untouched_store_is_intact(store: Pinned) -> None:
    """With the fingerprint, and with fingerprint and secret; with the secret alone nobody knows what was evicted."""
    assert store.damage() == store.damage(audited=True) == store.damage(pinned=False, audited=True) == []
    assert store.report().verdict == Verdict.INTACT
    assert store.report(audited=True).verdict == Verdict.INTACT
    assert store.report(pinned=False, audited=True).verdict == Verdict.CANNOT_TELL
    assert store.report(pinned=False).verdict == Verdict.CANNOT_TELL
    assert {text.split(" ", 1)[1].partition(",")[0] for text in store.notices()} == {
        "segment 1 of vault/main was evicted (quota) within 7 days",
        "segment 2 of vault/main was deleted within 7 days",
        "a stream was forgotten",
    }
    ledger = store.report().ledger
    assert (ledger.entries, ledger.sealed, ledger.evicted, ledger.deleted, ledger.forgotten) == (
        len(store.split()),
        4,
        1,
        1,
        1,
    )
    assert (ledger.pinned, ledger.key) == (True, "next")


def test_a_bit_flip_in_each_byte_of_an_entry_is_found(store: Pinned) -> None:
    """Each byte of the first, of one in the middle and of the last, by the chain of signatures alone."""
    entries = store.split()
    good = store.entries.read_bytes()
    for index in (0, 5, len(entries) - 1):
        start = sum(map(len, entries[:index]))
        for place in range(start, start + len(entries[index])):
            bad = bytearray(good)
            bad[place] ^= 1 << place % 8
            store.entries.write_bytes(bad)
            with open_store(store.path) as directory:
                ledger = Ledger(directory, store.audit.store_id)
                ledger.advance()
            # a torn end is told as such by the key in hand
            assert ledger.findings or ledger.torn, f"byte {place - start} of entry {index}"
            assert ledger.proven <= index + 1


def test_flips_anywhere_in_the_ledger_are_damage(store: Pinned) -> None:
    """The verdict follows, whatever the rest of the store says."""
    good = store.entries.read_bytes()
    for place in range(0, len(good), 151):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 8
        with store.changed(store.entries, bytes(bad)):
            assert store.damage(), f"byte {place}"
    assert not store.damage()


def test_removed_entries_are_found(store: Pinned) -> None:
    """Any one entry, and any number of the newest: root has no key that fits what is left."""
    entries = store.split()
    for gone in range(len(entries)):
        with store.changed(store.entries, b"".join(entries[:gone] + entries[gone + 1 :])):
            assert store.damage(), f"entry {gone}"
        with store.changed(store.entries, b"".join(entries[:gone])):
            assert store.damage(), f"cut behind {gone}"


def test_swapped_and_repeated_entries_are_found(store: Pinned) -> None:
    """Each entry says which one is before it."""
    entries = store.split()
    for place in range(len(entries) - 1):
        swapped = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
        with store.changed(store.entries, b"".join(swapped)):
            assert store.damage(), f"entries {place} and {place + 1}"
        with store.changed(store.entries, b"".join([*entries[: place + 1], *entries[place:]])):
            assert store.damage(), f"entry {place} twice"


def test_one_bad_entry_is_one_finding(store: Pinned) -> None:
    """What is behind is still taken for what it says: the segments it names are not called too many."""
    entries = store.split()
    bad = entries[3].replace(b"\nage ", b"\nage 1", 1)
    with store.changed(store.entries, b"".join([*entries[:3], bad, *entries[4:]])):
        assert store.damage() == [
            "None:None:3 a note that is not what its key signed; from here on nothing in the ledger is proven"
        ]
        assert store.report().ledger.entries == 3


def test_cutting_the_newest_part_with_all_its_traces_is_not_found_but_said(store: Pinned) -> None:
    """The limit of this layer: who rolls back ledger, checkpoint and files, and removes the key, needs a witness."""
    before = len(store.split())
    with store.ledger() as (_, ledger):
        for _ in range(2):
            ledger.append(Config(b"\x01" * 32))
    store.entries.write_bytes(b"".join(store.split()[:before]))
    assert any("entries from" in text for text in store.damage())
    assert any("checkpoint" in text for text in store.damage())
    checkpoint(store, before)
    assert any("entries from" in text for text in store.damage())
    (store.path / "keys" / "ledger").unlink()
    report = store.report()
    assert report.verdict == Verdict.INTACT
    assert report.ledger.key == "none"


def checkpoint(store: Pinned, size: int) -> None:
    """Put a checkpoint of the first entries in place, as root can: the log key never changes."""
    log = parse_log_key((store.path / "keys" / "log").read_bytes())
    name = log_key_name(store.audit.store_id)
    text = format_checkpoint(Checkpoint(name, size, root(map(leaf_hash, store.split()[:size]))))
    (store.path / "ledger" / "checkpoint").write_bytes(sign(text, name, log.seed))


EVENTS: list[Callable[[Pinned], Event]] = [
    lambda store: Seal(stream(store), 5, b"\x01" * 32),
    lambda store: Seal(stream(store), 2, b"\x01" * 32),
    lambda _: Seal(b"\x01" * 32, 1, b"\x01" * 32),
    lambda store: Evict(stream(store), 2, b"\x01" * 32, "quota"),
    lambda store: Evict(stream(store), 4, b"\x01" * 32, "quota"),
    lambda _: Delete(b"\x01" * 32, 1, b"\x01" * 32),
    lambda _: Heads(((1, 1),), b"\x01" * 32),
    lambda store: Birth(1, stream(store), 1),
    lambda store: Birth(9, stream(store), 5),
    lambda _: Birth(4, b"\x01" * 32, 1),
]


def stream(store: Pinned) -> bytes:
    """Return the id of work/main."""
    return bytes.fromhex((store.directory() / "id").read_text().split()[-1])


@pytest.mark.parametrize("event", EVENTS)
def test_an_entry_that_contradicts_the_store_is_damage(store: Pinned, event: Callable[[Pinned], Event]) -> None:
    """Root can sign what he likes with the key of now, but it has to fit what is there."""
    with store.ledger() as (_, ledger):
        ledger.append(event(store))
    assert store.damage()


@pytest.mark.parametrize("seed", [b"\x42" * 32, None])
def test_an_entry_behind_the_last_is_found(store: Pinned, seed: bytes | None) -> None:
    """With another key it is not signed; with the key of now it leaves keys/ and checkpoint behind."""
    entries = store.entries.read_bytes()
    with store.changed(store.entries, entries + store.forge(Config(bytes(32)), seed)):
        assert store.damage()


def test_a_removal_that_root_signs_is_listed(store: Pinned) -> None:
    """He can evict what is young: it is on record, with the entry that says so."""
    digest = next(
        event.manifest
        for event in (parse_entry(parse_note(data, 2048, 1).text).event for data in store.split())
        if isinstance(event, Seal) and (event.stream_id, event.segment) == (stream(store), 2)
    )
    number = len(store.split())
    with store.ledger() as (_, ledger):
        ledger.append(Evict(stream(store), 2, digest, "quota"))
    assert "2:None:None it went on purpose, and is still there: a crash left it" in store.notices()
    for path in store.sealed().glob("00000002.*"):
        path.unlink()
    assert not store.damage()
    assert f"None:None:{number} segment 2 of work/main was evicted (quota) within 7 days" in store.notices()
    assert store.report().ledger.evicted == 2
    with store.ledger() as (_, ledger):
        ledger.append(Forget(stream(store), 4))
    shutil.rmtree(store.sealed())
    shutil.rmtree(store.directory())
    assert not store.damage()
    assert any("was forgotten" in text for text in store.notices())


def test_a_break_whose_segment_went_is_damage_for_ever(store: Pinned) -> None:
    """`broken` stands in the ledger when its segment does not any more; until the whole stream is forgotten."""
    vault = bytes.fromhex((store.directory("vault") / "id").read_text().split()[-1])
    with store.ledger() as (_, ledger):
        ledger.append(Broken(vault, 1, "text"))
    assert any("vault/main had to begin anew behind segment 1 (text)" in text for text in store.damage())
    store.forget("vault")
    assert not store.damage()


def test_another_ledger_from_its_first_entry_is_found(store: Pinned, tmp_path: Path) -> None:
    """Root makes up a whole store's ledger, with keys of his own: the fingerprint tells."""
    other = tmp_path / "other"
    seed = new_secrets()[1]._replace(store_id=store.audit.store_id)
    create_store(other, seed, SystemClock())
    for name in ("ledger", "keys"):
        shutil.rmtree(store.path / name)
        shutil.copytree(other / name, store.path / name)
    assert any("another fingerprint" in text for text in store.damage())
    shutil.rmtree(store.path / "sealed")
    assert any("another fingerprint" in text for text in store.damage())
    assert store.report(pinned=False).verdict == Verdict.DAMAGED  # segments 1 to 3 are missing


@pytest.mark.parametrize("what", ["ledger", "ledger/entries", "ledger/checkpoint"])
def test_a_ledger_that_is_gone_is_damage(store: Pinned, what: str) -> None:
    """No store of ours lacks one."""
    path = store.path / what
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert store.damage()
    assert store.damage(pinned=False)


@pytest.mark.parametrize("what", ["ledger", "ledger/entries", "ledger/checkpoint", "ledger/heads", "keys/ledger"])
@pytest.mark.parametrize("odd", ["link", "fifo", "file", "directory"])
def test_an_odd_file_is_damage_and_hangs_nobody(store: Pinned, tmp_path: Path, what: str, odd: str) -> None:
    """A link to the very bytes, a FIFO, another kind of file."""
    path = store.path / what
    path.rename(tmp_path / "elsewhere")
    if odd == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif odd == "fifo":
        os.mkfifo(path)
    elif odd == "file":
        path.write_bytes(b"nothing")
    else:
        path.mkdir()
    assert store.damage()


@pytest.mark.parametrize("junk", [b"\n" * (20 << 20), b"x" * (20 << 20), b"x\n" * (1 << 20)])
def test_a_giant_is_refused_quickly(store: Pinned, junk: bytes) -> None:
    """Megabytes of nothing behind the last entry."""
    with store.entries.open("ab") as file:
        file.write(junk)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert store.damage()
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_a_torn_last_entry_is_no_damage(store: Pinned) -> None:
    """Each way in which a crash leaves an append: the key has the rest."""
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    entries = store.split()
    size = len(b"".join(entries[:-1]))
    whole = store.entries.read_bytes()
    checkpoint(store, len(entries) - 1)
    for cut in range(0, len(entries[-1]), 23):
        with store.changed(store.entries, whole[: size + cut]):
            assert not store.damage(), f"{cut} bytes of it"
            assert store.report().ledger.key == "pending"
            assert any("was not appended to its end" in text for text in store.notices())
    (store.path / "keys" / "ledger").unlink()
    with store.changed(store.entries, whole[: size + 100]):
        assert not store.damage()
        assert any("was not appended to its end" in text for text in store.notices())


def test_a_checkpoint_one_behind_is_no_damage(store: Pinned) -> None:
    """A crash between an entry and its checkpoint; more than one behind, or ahead, no crash leaves."""
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    size = len(store.split())
    for told, bad in ((size, False), (size - 1, False), (size - 2, True), (1, True)):
        checkpoint(store, told)
        assert bool(store.damage()) == bad, told


def test_checkpoints_that_are_not_the_ledgers_are_found(store: Pinned) -> None:
    """A flipped bit at any place; another root; another size."""
    path = store.path / "ledger" / "checkpoint"
    good = path.read_bytes()
    for place in range(0, len(good), 5):
        bad = bytearray(good)
        bad[place] ^= 4
        with store.changed(path, bytes(bad)):
            assert store.damage(), f"byte {place}"
    log = parse_log_key((store.path / "keys" / "log").read_bytes())
    name = log_key_name(store.audit.store_id)
    for size, found in ((len(store.split()), bytes(32)), (len(store.split()) + 1, bytes(32))):
        with store.changed(path, sign(format_checkpoint(Checkpoint(name, size, found)), name, log.seed)):
            assert any("checkpoint" in text for text in store.damage())


def test_a_checkpoint_that_the_disk_had_no_room_for(store: Pinned) -> None:
    """Behind an entry without one there may be what makes room, and nothing else: then it is an older copy."""
    checkpoint = store.path / "ledger" / "checkpoint"
    store.list_heads()
    older = checkpoint.read_bytes()
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    store.evict(1, 2)
    with store.changed(checkpoint, older):
        assert store.damage() == []
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    with store.changed(checkpoint, older):
        assert any("it is an older copy" in text for text in store.damage())


def test_an_older_copy_of_the_keys_is_found(store: Pinned) -> None:
    """Root put keys/ledger back from a backup, or the rest."""
    keys = store.path / "keys" / "ledger"
    older = keys.read_bytes()
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
        ledger.append(Config(bytes(32)))
    with store.changed(keys, older):
        assert any("another copy" in text for text in store.damage())
    with store.changed(keys, bytes(len(older))):
        assert any("keys are lost" in text for text in store.damage())


# lists of heads


def test_flips_in_a_list_are_found(store: Pinned) -> None:
    """Each byte of each list."""
    for path in store.lists():
        good = path.read_bytes()
        for place in range(0, len(good), 29):
            bad = bytearray(good)
            bad[place] ^= 1 << place % 8
            with store.changed(path, bytes(bad)):
                assert any("the list of open segments" in text for text in store.damage()), f"{path.name}: {place}"


def test_a_list_that_has_to_be_there_is_missed(store: Pinned) -> None:
    """Each of them speaks of a segment that is there; with its segments gone it may go."""
    for path in store.lists():
        data = path.read_bytes()
        path.unlink()
        assert any("list of open segments is missing" in text for text in store.damage()), path.name
        path.write_bytes(data)
    first = store.lists()[0]  # of segment 1 of work/main, and of nothing else
    assert [head.segment for head in parse_heads(first.read_bytes())[1]] == [1]
    first.unlink()
    store.evict(1)
    assert not store.damage()


def test_no_clock_excuses_a_missing_list(store: Pinned) -> None:
    """Root redates the open text, and appends entries of 1970, to get rid of the lists that give him away."""
    live = store.path / "live/work/main"
    text = max(live.glob("*.log"))
    data = text.read_bytes()
    text.write_bytes(data.replace(b"2026-", b"2036-"))
    for path in store.lists():
        if f" {int(text.stem)} ".encode() in path.read_bytes():
            path.unlink()
    store.clock.now = 1
    with store.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    assert any("list of open segments is missing" in text for text in store.damage())


def test_lists_that_went_rightly_are_not_missed(store: Pinned) -> None:
    """Whatever a clock says of segments that come later."""
    store.roll()
    store.seal()
    store.evict(1, 2, 3, 4)
    named = {path: {head[:2] for head in parse_heads(path.read_bytes())[1]} for path in store.lists()}
    for path, segments in named.items():
        if segments <= {(stream(store), number) for number in range(1, 5)}:
            path.unlink()
    store.clock.now -= 86_400_000_000
    store.log(b"from yesterday")
    store.list_heads()
    assert len(store.lists()) < len(named) + 1
    assert not store.damage()


def test_swapped_lists_are_found(store: Pinned) -> None:
    """Two good lists under each other's number, and one in a place of its own."""
    one, two = store.lists()[:2]
    third = one.with_name("third")
    one.rename(third)
    two.rename(one)
    third.rename(two)
    assert len(store.damage()) >= 2


def test_a_list_made_up_to_fit_is_found(store: Pinned) -> None:
    """A list is named by its hash: the segment taken out of it is missed there."""
    path = store.lists()[-1]
    store_id, heads = parse_heads(path.read_bytes())
    with store.changed(path, format_heads(store_id, heads[:1])):
        assert store.damage()


def test_the_audit_secret_does_not_make_up_for_the_ledger(store: Pinned) -> None:
    """All of this is damage with the secret too."""
    entries = store.split()
    with store.changed(store.entries, b"".join(entries[:4])):
        assert store.damage(audited=True)
        assert store.damage(pinned=False, audited=True)
    assert split_entries(store.entries.read_bytes())[0] == entries


def test_a_checkpoint_torn_in_place_is_damage_until_the_ledger_is_opened(store: Pinned) -> None:
    """Written over the old one on a full disk, and cut off by a crash: nothing but opening the ledger mends it."""
    path = store.path / "ledger" / "checkpoint"
    good = path.read_bytes()
    for cut in (0, 1, 40, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:cut])
        assert any("the checkpoint: " in text for text in store.damage()), cut
        with store.ledger():
            pass
        assert path.read_bytes() == good, cut
        assert not store.damage(audited=True)
