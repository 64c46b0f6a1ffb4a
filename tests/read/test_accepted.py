"""What the last `verify` found good is told from what came later; and what is not what it accepted is not shown."""

import os
import shutil
from pathlib import Path

import pytest

from logchain.format.errors import FormatError
from logchain.read.accepted import Accepted, accepted_path, read_accepted, write_accepted
from logchain.read.entries import Entry, Kind
from logchain.read.selection import Selection
from logchain.read.show import select
from logchain.read.verify import Verdict, verify_store
from logchain.read.view import View
from logchain.store.layout import open_store
from tests.attacks.pinned import Pinned, make_template
from tests.read.archived import Archive

ID = bytes(range(16))


@pytest.fixture
def pinned(tmp_path: Path) -> Pinned:
    """A store with sealed segments, and its fingerprint."""
    return make_template(tmp_path / "template")


def accept(store: Pinned) -> Verdict:
    """Verify, and keep what is good, as the command does."""
    with open_store(store.path) as directory:
        before = read_accepted(store.audit.store_id)
        report = verify_store(directory, fingerprint=store.fingerprint, accepted=before)
    if report.verdict == Verdict.INTACT:
        assert report.acceptance
        write_accepted(report.store_id, report.acceptance)
    return report.verdict


def shown(store: Archive, notes: bool = False) -> list[Entry]:
    """Return what is shown to who accepted something."""
    with open_store(store.path) as directory:
        view = View(directory, read_accepted(store.audit.store_id))
        return list(select(directory, Selection(notes=notes), view))


def test_rows_are_found() -> None:
    """Each segment has its manifest, and no other has one."""
    rows = [(bytes([stream]) * 32, segment, os.urandom(32)) for stream in range(3) for segment in (1, 7, 999_999)]
    accepted = Accepted.of(9, bytes(32), rows)
    assert [accepted.manifest(stream, segment) for stream, segment, _ in rows] == [digest for _, _, digest in rows]
    assert accepted.manifest(bytes([1]) * 32, 2) is None
    assert accepted.manifest(bytes([9]) * 32, 1) is None
    assert Accepted.of(1, bytes(32), []).manifest(bytes(32), 1) is None


def test_it_is_kept_for_the_user(tmp_path: Path) -> None:
    """Below the state directory that the environment names, whole or not at all."""
    assert read_accepted(ID) is None
    accepted = Accepted.of(3, b"\x07" * 32, [(bytes(32), 1, b"\x01" * 32)])
    write_accepted(ID, accepted)
    assert read_accepted(ID) == accepted
    assert Path(accepted_path(ID)) == tmp_path / "state" / "logchain" / f"{ID.hex()}.accepted"
    assert [path.name for path in Path(accepted_path(ID)).parent.iterdir()] == [Path(accepted_path(ID)).name]


@pytest.mark.parametrize("place", [0, 1, 50, 100, 133, 136, 150, 199])
def test_a_file_that_is_no_such_is_refused(place: int) -> None:
    """Canonical or refused: a changed head, a cut row, another store's."""
    write_accepted(ID, Accepted.of(3, b"\x07" * 32, [(bytes(32), 1, b"\x01" * 32)]))
    data = Path(accepted_path(ID)).read_bytes()
    Path(accepted_path(ID)).write_bytes(data[:place])
    with pytest.raises(FormatError, match="run 'logchain verify' again"):
        read_accepted(ID)
    Path(accepted_path(ID)).write_bytes(data.replace(ID.hex().encode(), bytes(16).hex().encode()))
    with pytest.raises(FormatError):
        read_accepted(ID)


def test_what_came_later_is_marked(pinned: Pinned) -> None:
    """Once for each stream, where it begins; and each line says whether it is good."""
    assert not [entry for entry in shown(pinned, notes=True) if b"not-yet-verified" in entry.untrusted_payload]
    assert accept(pinned) == Verdict.INTACT
    sealed = [entry for entry in shown(pinned) if entry.verified]
    assert sealed
    assert not [entry for entry in shown(pinned) if b"not-yet-verified" in entry.untrusted_payload]
    pinned.log(b"newer")
    pinned.roll()
    numbers = pinned.seal()
    notes = [entry for entry in shown(pinned) if entry.kind == Kind.NOTE]
    assert [entry.untrusted_payload for entry in notes if b"not-yet" in entry.untrusted_payload] == [
        b"not-yet-verified segment=%d" % numbers[0]
    ]
    assert {entry.verified for entry in shown(pinned) if entry.untrusted_payload == b"newer"} == {False}
    assert accept(pinned) == Verdict.INTACT
    assert {entry.verified for entry in shown(pinned) if entry.untrusted_payload == b"newer"} == {True}
    assert not [entry for entry in shown(pinned) if b"not-yet-verified" in entry.untrusted_payload]


def test_a_segment_that_was_replaced_is_not_shown(pinned: Pinned) -> None:
    """With text, blocks and a manifest that fit each other: not what was accepted, and so a gap."""
    assert accept(pinned) == Verdict.INTACT
    path = pinned.sealed() / "00000001.manifest"
    good = path.read_bytes()
    head, dash, signature = good.rpartition(b"\n\n")
    age = next(line for line in head.split(b"\n") if line.startswith(b"age "))
    path.chmod(0o640)
    path.write_bytes(head.replace(age, age + b"0") + dash + signature)
    entries = [entry for entry in shown(pinned) if (entry.vm, entry.stream) == ("work", "main")]
    (gap,) = [entry for entry in entries if entry.kind == Kind.GAP]
    assert b"not the one that your last 'logchain verify' accepted" in gap.untrusted_payload
    path.write_bytes(good)
    assert not [entry for entry in shown(pinned) if entry.kind == Kind.GAP]


@pytest.mark.parametrize(
    ("year", "wanted"), [(b"2001", Selection(since=10**15)), (b"2201", Selection(until=7 * 10**15))], ids=["old", "new"]
)
def test_a_changed_time_hides_no_segment(pinned: Pinned, year: bytes, wanted: Selection) -> None:
    """A manifest that was accepted, and says now that its lines are of another time, is a gap: not left out."""

    def gaps() -> list[bytes]:
        with open_store(pinned.path) as directory:
            entries = select(directory, wanted, View(directory, read_accepted(pinned.audit.store_id)))
            return [entry.untrusted_payload for entry in entries if entry.kind == Kind.GAP]

    assert accept(pinned) == Verdict.INTACT
    assert not gaps()
    path = pinned.sealed() / "00000001.manifest"
    good = path.read_bytes()
    times = next(line for line in good.split(b"\n") if line.startswith(b"time "))
    path.chmod(0o640)
    path.write_bytes(good.replace(times, b" ".join([b"time", *[year + b"-01-01T00:00:00.000000Z"] * 2])))
    (gap,) = gaps()
    assert b"not the one that your last 'logchain verify' accepted" in gap


def test_a_ledger_that_was_put_back_is_damage(pinned: Pinned, tmp_path: Path) -> None:
    """All of an older copy fits itself: only who accepted more can tell."""
    shutil.copytree(pinned.path, tmp_path / "older")
    pinned.log(b"newer")
    pinned.roll()
    pinned.seal()
    assert accept(pinned) == Verdict.INTACT
    shutil.rmtree(pinned.path)
    shutil.copytree(tmp_path / "older", pinned.path)
    assert accept(pinned) == Verdict.DAMAGED
    Path(accepted_path(pinned.audit.store_id)).unlink()
    assert accept(pinned) == Verdict.INTACT


def test_what_is_left_in_live_of_what_went_is_not_shown(tmp_path: Path) -> None:
    """The ledger says that it went: whoever put it there, it is told and left out."""
    store = Archive.make(tmp_path / "store")
    for line in (b"one", b"two", b"three"):
        store.log(line)
        store.roll()
    left = {path.name: path.read_bytes() for path in store.directory().glob("00000001.*")}
    store.log(b"four")
    store.seal()
    store.evict(1)
    for name, data in left.items():
        (store.directory() / name).write_bytes(data)
    entries = shown(store)
    assert [entry.untrusted_payload for entry in entries] == [
        b"evicted segments=1 left=live verified=no",
        b"two",
        b"three",
        b"four",
    ]
