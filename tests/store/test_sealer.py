"""Sealing: what a manifest says, in which order things are entered, and what is not sealed."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.errors import FormatError, Full, StoreError, WriteFailed
from logchain.format.keystate import RATCHET_MAGIC, format_keystate
from logchain.format.ledger import Birth, Broken, Event, Evict, Recover, Seal
from logchain.format.manifest import NO_MANIFEST, Manifest
from logchain.format.record import LINE, PART, format_note, format_time
from logchain.format.slots import WIPED, format_slots
from logchain.format.tags import TAG_ENTRY, format_tags, parse_tags
from logchain.store.archive import evict
from logchain.store.sealer import seal_segment
from logchain.store.stream import Rolling
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import check, entries, identity, lines, opened, roll, seal, texts
from tests.store.test_durable import Disk

LOG, TAGS = "00000001.log", "00000001.tags"


def closed_store(store: Store, *sent: bytes) -> None:
    """Store lines, and close the segment."""
    store.log(*sent)
    roll(store)


def one(store: Store, segment: int = 1, block_size: int = 256 << 10) -> Manifest:
    """Seal one segment."""
    with opened(store) as (directory, ledger):
        return seal_segment(directory, ledger, VM, STREAM, segment, block_size)


def events(store: Store) -> list[Event]:
    """Return what the ledger tells behind genesis."""
    return [entry.event for entry in check(store)[1:]]


@pytest.mark.usefixtures("unsynced")
def test_what_a_manifest_says(store: Store) -> None:
    """All there is to know of a segment, which is no longer in live/ then."""
    store.clock.go(7_000.9)
    start = store.clock.now
    store.log(b"x" * 300, b"y" * 300)
    store.clock.go(60)
    store.log(b"z")
    roll(store)
    state, (text,) = store.state(), texts(store).values()
    manifest = one(store, block_size=500)
    key = identity(store)
    assert manifest[:4] == (store.audit.store_id, key, 1, 1)
    assert (manifest.records, manifest.first, manifest.size) == (state.records, 0, len(text))
    assert (manifest.first_time, manifest.last_time) == (start, start + 60_000_000)
    assert (manifest.age, manifest.tag, manifest.previous) == (7_060, state.tag, NO_MANIFEST)
    assert len(manifest.blocks) == 4
    digest = sha256((store.path / "sealed" / VM / STREAM / "00000001.manifest").read_bytes()).digest()
    assert events(store) == [Birth(1, key, 1), Seal(key, 1, digest)]
    assert texts(store) == {1: text}
    assert not list(store.directory().glob("0*"))
    closed_store(store, b"more")
    following = one(store, 2)
    assert (following.first, following.previous) == (state.records, digest)
    assert lines(store) == [b"x" * 300, b"y" * 300, b"z", b"more"]


@pytest.mark.usefixtures("unsynced")
def test_long_lines_and_many(store: Store) -> None:
    """Blocks of the default size, of a text that is longer than a read."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    for number in range(12):
        writer.append(PART, [bytes([65 + number]) * 65_536] * 3, store.clock.wall())
        writer.append(LINE, [b"end %d" % number] * 2_000, store.clock.wall())
    writer.roll("size")
    writer.close()
    before = lines(store)
    manifest = one(store)
    check(store)
    assert lines(store) == before
    assert all(block.size <= 256 << 10 for block in manifest.blocks)
    assert 10 < len(manifest.blocks) < 40


@pytest.mark.usefixtures("unsynced")
def test_what_may_still_change_is_not_sealed(store: Store) -> None:
    """Nor is what is not there."""
    store.log(b"x")
    for segment in (1, 2):
        with pytest.raises(StoreError, match="may still change"):
            one(store, segment)
    roll(store)
    one(store)
    closed_store(store, b"y")
    store.directory().joinpath("00000002.log").unlink()
    with pytest.raises(FormatError, match="cannot be sealed"):
        one(store, 2)
    assert [type(event) for event in events(store)] == [Birth, Seal]


def link(path: Path) -> None:
    """Put a link in the place of the text, to that very text."""
    (path / LOG).rename(path / "x")
    (path / LOG).symlink_to("x")


def change(name: str, to: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change a file of the stream."""

    def act(path: Path) -> None:
        (path / name).write_bytes(to((path / name).read_bytes()))

    return act


def note(path: Path, **fields: str | int) -> None:
    """Replace the `segment` note, and fit the ends in the tags."""
    first, _, rest = (path / LOG).read_bytes().partition(b"\n")
    new = first[:30] + format_note("segment", **fields)
    (path / LOG).write_bytes(new + b"\n" + rest)
    shifted = [(end + len(new) - len(first), tag) for end, tag in parse_tags((path / TAGS).read_bytes())]
    (path / TAGS).write_bytes(format_tags(*zip(*shifted, strict=True)))


ODD: dict[str, Callable[[Path], None]] = {
    "text gone": lambda path: (path / LOG).unlink(),
    "text empty": change(LOG, lambda _: b""),
    "text a link": link,
    "text cut": change(LOG, lambda data: data[:-1]),
    "text cut behind a record": change(LOG, lambda data: data[: data[:-1].rfind(b"\n") + 1]),
    "text with more behind": change(LOG, lambda data: data + b"more"),
    "text with a record behind": change(LOG, lambda data: data + format_time(4 * 10**15) + b" - x\n"),
    "text longer": change(LOG, lambda data: data.replace(b"- x", b"- xx")),
    "text with a time that goes back": change(
        LOG, lambda data: data.replace(b"2026-11-23T03:45:01", b"2026-11-23T03:45:02", 1)
    ),
    "text without a kind": change(LOG, lambda data: data.replace(b" - ", b" ! ")),
    "tags gone": lambda path: (path / TAGS).unlink(),
    "tags empty": change(TAGS, lambda _: b""),
    "tags cut": change(TAGS, lambda data: data[:-1]),
    "a tag less": change(TAGS, lambda data: data[:-TAG_ENTRY]),
    "a tag more": change(TAGS, lambda data: data + data[-TAG_ENTRY:]),
    "part of a tag more": change(TAGS, lambda data: data + b"!"),
    "another end": change(TAGS, lambda data: b"!" + data[1:]),
    "another last tag": change(TAGS, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    "no number of a record": lambda path: note(path, store="00" * 16, number=1),
    "nonsense": change(LOG, lambda _: b"nonsense\n"),
    "a giant": lambda path: os.truncate(path / LOG, (256 << 20) + 1),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.usefixtures("unsynced")
def test_what_is_not_well_formed_is_not_sealed(store: Store, case: str) -> None:
    """It stays as it is, the error names it, and what comes after it is logged and sealed."""
    closed_store(store, b"x")
    with opened(store):
        pass
    ODD[case](store.directory())
    kept = {path.name: path.lstat() for path in store.directory().glob("0*")}
    for _ in range(2):
        with pytest.raises(FormatError, match="00000001"):
            one(store)
        assert {path.name: path.lstat() for path in store.directory().glob("0*")} == kept
        assert list((store.path / "sealed" / VM / STREAM).iterdir()) == []
    closed_store(store, b"y")
    manifest = one(store, 2)
    assert manifest.previous == NO_MANIFEST
    assert [type(event) for event in events(store)] == [Birth, Seal]
    with pytest.raises(FormatError, match="is never sealed: a later one was"):
        one(store)  # its place in the chain is taken


@pytest.mark.parametrize("other", [{"store": "00" * 16}, {"number": 2}])
@pytest.mark.usefixtures("unsynced")
def test_a_segment_of_another_place_is_not_sealed(store: Store, other: dict[str, str | int]) -> None:
    """Its note says of which store it is, and which segment: that is refused as such, before the key state is asked."""
    closed_store(store, b"x")
    fields: dict[str, str | int] = {"store": store.audit.store_id.hex(), "number": 1, "first": 0}
    note(store.directory(), **fields | other)
    with pytest.raises(FormatError, match="of another store, or of another number"):
        one(store)


@pytest.mark.usefixtures("unsynced")
def test_the_manifest_before_is_the_last_that_was_sealed(store: Store) -> None:
    """A segment that is missing is left out; one that was evicted is not."""
    for number in range(4):
        closed_store(store, b"%d" % number)
    one(store, 1)
    (store.directory() / "00000002.log").unlink()
    one(store, 3)
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 3, "cap")
    manifest = one(store, 4)
    found = events(store)
    assert isinstance(found[2], Seal)
    assert isinstance(found[3], Evict)
    assert manifest.previous == found[2].manifest


@pytest.mark.usefixtures("unsynced")
def test_a_seal_that_was_cut_short_is_finished(store: Store) -> None:
    """What the ledger calls sealed is not sealed again; it goes from live/ if its copy is good."""
    closed_store(store, b"x")
    kept = {name: (store.directory() / name).read_bytes() for name in (LOG, TAGS)}
    manifest = one(store)
    before = entries(store)
    for names in ([LOG, TAGS], [LOG]):
        for name in names:
            (store.directory() / name).write_bytes(kept[name])
        assert one(store) == manifest
        assert not list(store.directory().glob("0*"))
    assert check(store) == before


@pytest.mark.parametrize("name", ["00000001.manifest", "00000001.log"])
@pytest.mark.usefixtures("unsynced")
def test_the_last_copy_is_kept(store: Store, name: str) -> None:
    """Where what is sealed was damaged meanwhile, what is still in live/ stays."""
    closed_store(store, b"x")
    kept = {name: (store.directory() / name).read_bytes() for name in (LOG, TAGS)}
    one(store)
    path = store.path / "sealed" / VM / STREAM / name
    data = path.read_bytes()
    path.unlink()
    for _ in range(2):
        for each, found in kept.items():
            (store.directory() / each).write_bytes(found)
        with pytest.raises((FormatError, FileNotFoundError)):
            one(store)
        assert {path.name for path in store.directory().glob("0*")} == {LOG, TAGS}
        if name.endswith("manifest"):
            path.unlink(missing_ok=True)
            path.write_bytes(data.replace(b"age", b"age", 1)[:-5])


@pytest.mark.usefixtures("unsynced")
def test_incidents_are_entered_once_and_before_the_seal(store: Store) -> None:
    """A torn write, cut off twice in one segment, is one entry."""
    store.log(b"x")
    for _ in range(2):
        with (store.directory() / LOG).open("ab") as log:
            log.write(b"torn")
        store.log(b"y")
    roll(store)
    one(store)
    key = identity(store)
    assert events(store)[:2] == [Birth(1, key, 1), Recover(key, 1, "torn")]
    assert len(events(store)) == 3


def test_a_segment_that_was_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note is in the next segment, the entry is about the one before."""
    disk = Disk(monkeypatch)
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"x"], store.clock.wall())
    writer.commit()
    writer.append(LINE, [b"lost"], store.clock.wall())
    disk.fails = lambda *call: call == ("sync", LOG)
    with pytest.raises(WriteFailed):
        writer.commit()
    disk.fails = lambda *_: False
    writer.close()
    closed_store(store, b"y")
    assert [manifest.segment for manifest in seal(store)] == [1, 2]
    key = identity(store)
    assert [type(event) for event in events(store)] == [Birth, Seal, Recover, Seal]
    assert Recover(key, 1, "io") in events(store)
    assert lines(store) == [b"x", b"y"]


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_was_born_again(store: Store) -> None:
    """Its births are entered, each with the first segment under it, and its manifests name the right one."""
    closed_store(store, b"1")
    closed_store(store, b"2")
    (store.directory() / "ratchet").write_bytes(WIPED * 2)
    closed_store(store, b"3")
    (store.directory() / "ratchet").unlink()
    store.open().close()
    (store.directory() / "ratchet").unlink()  # once more, before anything was stored
    closed_store(store, b"4")
    found = seal(store)
    assert [(manifest.segment, manifest.birth) for manifest in found] == [(1, 1), (2, 1), (3, 2), (4, 4)]
    key = identity(store)
    assert [event for event in events(store) if not isinstance(event, Seal)] == [
        Birth(1, key, 1),
        Birth(2, key, 3),
        Birth(4, key, 4),  # of the third nothing is left to tell
        Broken(key, 2, "keys"),
        Broken(key, 3, "keys"),
    ]
    assert lines(store) == [b"1", b"2", b"3", b"4"]


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_lost_its_id(store: Store) -> None:
    """What was written under the old id is sealed under it, as far as the ledger knows it."""
    closed_store(store, b"1")
    one(store)
    closed_store(store, b"2")
    old = identity(store)
    (store.directory() / "id").unlink()
    closed_store(store, b"3")
    new = identity(store)
    found = seal(store)
    assert [(manifest.segment, manifest.stream_id, manifest.birth) for manifest in found] == [(2, old, 1), (3, new, 2)]
    assert found[1].previous == NO_MANIFEST
    assert Broken(new, 2, "id") in events(store)
    assert lines(store) == [b"1", b"2", b"3"]


@pytest.mark.usefixtures("unsynced")
def test_a_segment_whose_birth_nobody_knows(store: Store) -> None:
    """It stays in live/: its manifest would have to name one."""
    closed_store(store, b"1")
    (store.directory() / "id").unlink()
    closed_store(store, b"2")
    (store.directory() / LOG).write_bytes(b"nonsense\n")  # its note would have told
    with pytest.raises(StoreError, match="birth of segment 1 is not known"):
        one(store)
    assert one(store, 2).birth == 2


@pytest.mark.usefixtures("unsynced")
def test_a_stream_whose_segments_are_all_gone_from_live(store: Store) -> None:
    """A lost key state begins anew behind them, with the right number, be they sealed or evicted."""
    store.log(b"1")
    roll(store)
    closed_store(store, b"2")
    number = store.state().next_number
    seal(store)
    (store.directory() / "ratchet").write_bytes(WIPED * 2)
    store.log(b"3")
    state = store.state()
    assert (state.segment, state.birth, state.first) == (3, 2, number)
    roll(store)
    seal(store)
    with opened(store) as (directory, ledger):
        for segment in (1, 2, 3):
            evict(directory, ledger, VM, STREAM, segment, "quota")
    (store.directory() / "ratchet").unlink()
    store.log(b"4")
    assert store.state().segment == 4


@pytest.mark.usefixtures("unsynced")
def test_a_lost_key_state_and_id(store: Store) -> None:
    """What is sealed under the old id keeps its names."""
    closed_store(store, b"1")
    seal(store)
    for name in ("ratchet", "id"):
        (store.directory() / name).unlink()
    store.log(b"2")
    assert store.state().segment == 2
    roll(store)
    seal(store)
    check(store)
    assert lines(store) == [b"1", b"2"]


def test_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is full, nothing is sealed by half, and the next time it is."""
    closed_store(store, b"x")
    disk = Disk(monkeypatch)
    disk.error = 28
    for name in (".00000001.log.new", ".00000001.manifest.new", "ledger"):
        disk.fails = lambda *call, name=name: call == ("write", name)
        with pytest.raises(Full):
            one(store)
        disk.fails = lambda *_: False
        assert sorted(path.name for path in store.directory().glob("0*")) == [LOG, TAGS]
        assert not any(isinstance(entry.event, Seal) for entry in entries(store))
    one(store)
    check(store)


def test_the_order_of_a_seal(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, then manifest, then the entry, each on the disk before the next; then it goes from live/."""
    closed_store(store, b"x")
    with opened(store) as (directory, ledger):
        ledger.append(Birth(1, identity(store), 1))
        disk = Disk(monkeypatch)
        real = os.unlink

        def unlink(name: str, *, dir_fd: int) -> None:
            disk.calls.append(("unlink", name))
            real(name, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", unlink)
        seal_segment(directory, ledger, VM, STREAM, 1)
    names = [
        ("sync", ".00000001.log.new"),
        ("sync", ".00000001.manifest.new"),
        ("sync", "ledger"),
        ("sync", "entries"),
        ("unlink", TAGS),
        ("unlink", LOG),
    ]
    assert [call for call in dict.fromkeys(disk.calls) if call in names] == names
    assert disk.calls[-1] == ("sync", STREAM)


def test_a_key_state_that_says_something_else(store: Store) -> None:
    """A closed segment has to end where its key state says."""
    closed_store(store, b"x")
    state = store.state()
    for wrong in (state._replace(end=state.end + 1), state._replace(records=1), state._replace(tag=b"t" * 32)):
        (store.directory() / "ratchet").write_bytes(format_slots(RATCHET_MAGIC, format_keystate(wrong)))
        with pytest.raises(FormatError, match="does not end where the key state says"):
            one(store)
    (store.directory() / "ratchet").write_bytes(format_slots(RATCHET_MAGIC, format_keystate(state)))
    one(store)
    check(store)


def test_rolling_by_size(store: Store) -> None:
    """Many small segments, sealed while the stream goes on."""
    writer = store.open(rolling=Rolling(size=700))
    writer.start_session(b"session1", "logchain.Append")
    for number in range(30):
        writer.append(LINE, [b"%d" % number * 40], store.clock.wall())
        writer.commit()
        if number % 7 == 0:
            seal(store)
    writer.close()
    assert lines(store) == [b"%d" % number * 40 for number in range(30)]
    check(store)
