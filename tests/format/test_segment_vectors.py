"""Whole segments: the vectors of tests/vectors/tags.json against the one reader that judges them, `verify`."""

import json
import re
from pathlib import Path

import pytest

from logchain.format.audit import AuditSecret
from logchain.format.identity import StoreIdentity, format_store, format_stream
from logchain.format.keystate import (
    BIRTHS_MAGIC,
    NO_KEY,
    RATCHET_MAGIC,
    BirthState,
    KeyState,
    Status,
    format_births,
    format_keystate,
)
from logchain.format.ratchet import chain, seed, stream_id, stream_secret, successor
from logchain.format.slots import format_slots
from logchain.format.tags import TAG_ENTRY
from logchain.read import verify_keys
from tests.conftest import Store
from tests.format.vectors import Vector, raw, vectors

NAMES = "work-web", "journal"


def known(file: str, name: str) -> Vector:
    """Return the good vector of this name."""
    found = json.loads((Path(__file__).parents[1] / "vectors" / file).read_text())["good"]
    return next(vector for vector in found if vector["name"] == name)


AUDIT = raw(known("ratchet.json", "birth 1, segment 1"), "audit_secret")
STORE_ID = raw(known("ratchet.json", "birth 1, segment 1"), "store_id")
SALT = raw(known("files.json", "id"), "salt")
STREAM = stream_id(SALT, *NAMES)

# What the pages say of a writer and verify does not ask: who has the right key may write such records. A person can
# see them; no record is lost by them, and none is changed.
NOT_ASKED = {
    "continues-missing",
    "continues-without-part",
    "broken-place",
    "clock-place",
    "empty-last-part",
    "end-count",
    "part-length",
    "partial-missing",
    "partial-wrong",
    "recovered-place",
    "segment-note-again",
    "two end notes",  # by its name: another record behind `end` is found
}


def store_of(tmp_path: Path, segments: list[Vector], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Make a store of these segments, as if they were all that was ever committed, each under its own first key."""
    store = Store(tmp_path, AuditSecret(STORE_ID, AUDIT))
    directory = store.directory(*NAMES)
    directory.mkdir(parents=True)
    (tmp_path / "format").write_bytes(format_store(StoreIdentity(STORE_ID, 0)))
    (directory / "id").write_bytes(format_stream(SALT, *NAMES))
    keys = {}
    number = birth = 1
    for count, segment in enumerate(segments):
        text, tags, key = raw(segment, "text"), raw(segment, "tags"), raw(segment, "key")
        number = int(_field(text, b"number=") or 1) if count + 1 == len(segments) or not count else number + 1
        birth = int(_field(text, b"birth=") or birth)
        keys[number] = key
        (directory / f"{number:08}.log").write_bytes(text)
        (directory / f"{number:08}.tags").write_bytes(tags)
    monkeypatch.setattr(verify_keys, "segment_key", lambda _, __, number: keys.get(number, NO_KEY))
    first = stream_secret(successor(seed(AUDIT, STORE_ID), birth - 1), STREAM)
    state = KeyState(
        birth=birth,
        segment=number,
        status=Status.OPEN,
        opened=0,
        first=int(_field(text, b"first=") or 0),
        records=len(tags) // TAG_ENTRY or 1,
        end=len(text) or 1,
        time=0,
        boot=bytes(16),
        tag=tags[-32:],
        key=chain(key, text.split(b"\n")[:-1])[0],
        next=successor(first, number),
        session=bytes(8),
        resume=(),
    )
    if b" # end " in text:
        state = state._replace(status=Status.CLOSED, key=NO_KEY)
    (directory / "ratchet").write_bytes(format_slots(RATCHET_MAGIC, format_keystate(state)))
    births = BirthState(birth + 1, successor(seed(AUDIT, STORE_ID), birth))
    (tmp_path / "births").write_bytes(format_slots(BIRTHS_MAGIC, format_births(births)))
    return store


def _field(text: bytes, name: bytes) -> bytes:
    """Return a field of the first note."""
    return text.partition(b"\n")[0].partition(b" " + name)[2].partition(b" ")[0]


# what is said of a segment that stands alone, behind others that are lost
ALONE = re.compile(
    r"segments? [0-9to ]+ (is|are) missing"
    r"|the stream had to begin anew .*"
    r"|a new birth with no word why"
    r"|the secret of the next segment does not follow from the audit secret"
)


def damage(store: Store) -> list[str]:
    """Return the damage that is found, but for what a segment that stands alone is bound to lack."""
    (stream,) = store.verify().streams
    return [found.text for found in stream.findings if found.damage and not ALONE.fullmatch(found.text)]


@vectors("tags.json", "good", "segment")
def test_good_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vector: Vector) -> None:
    """Each is found without fault, to its last record."""
    store = store_of(tmp_path, [vector], monkeypatch)
    assert damage(store) == []
    assert store.verify().streams[0].records == vector["records"]
    assert store.verify().streams[0].time == vector["last_time_us"]


@vectors("tags.json", "good", "segments")
def test_good_successions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vector: Vector) -> None:
    """Segments that follow one another are found without fault."""
    store = store_of(tmp_path, vector["segments"], monkeypatch)
    assert damage(store) == []
    assert store.verify().streams[0].records == vector["records"]


@vectors("tags.json", "bad", "segment")
def test_bad_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vector: Vector) -> None:
    """Every change to text, tags or key is damage."""
    assert damage(store_of(tmp_path, [vector], monkeypatch))


@vectors("tags.json", "bad", "log")
def test_bad_orders_of_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vector: Vector) -> None:
    """Records whose tags are right, in an order no writer of ours makes: damage, where verify asks."""
    found = damage(store_of(tmp_path, [vector], monkeypatch))
    assert bool(found) != bool({vector["reason"], vector["name"]} & NOT_ASKED), found


@vectors("tags.json", "bad", "segments")
def test_bad_successions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vector: Vector) -> None:
    """A segment that does not follow the one before it is damage, where verify asks."""
    store = store_of(tmp_path, vector["segments"], monkeypatch)
    everything = [finding.text for finding in store.verify().streams[0].findings if finding.damage]
    assert bool(everything) == (vector["reason"] not in NOT_ASKED), everything
