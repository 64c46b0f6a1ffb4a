"""What root can make of segments that went on purpose: nothing that anybody would see, and nothing unseen."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.ledger import Evict, Forget, Seal, entry_key_name, parse_entry
from logchain.format.manifest import Block, format_manifest, parse_manifest
from logchain.format.record import parse_time
from logchain.format.signed_note import parse_note, sign
from tests.attacks.pinned import Pinned, copy, make_template

TIME = b"2026-11-23T04:00:11.000233Z"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that is attacked."""
    return make_template(tmp_path_factory.mktemp("gone") / "store")


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of it."""
    return copy(template, tmp_path / "store")


def events(store: Pinned, kind: type) -> list[object]:
    """Return the ledger's events of a kind."""
    found = [parse_entry(parse_note(entry, 4_096, most=1).text).event for entry in store.split()]
    return [event for event in found if isinstance(event, kind)]


@pytest.mark.parametrize("vm", ["vault", "innocent"])
def test_a_forgery_under_the_number_of_one_that_went(store: Pinned, vm: str) -> None:
    """It needs no key, and is found: in the stream's own directory, and in that of a VM that never was."""
    assert store.damage() == []
    (evicted,) = events(store, Evict)
    assert isinstance(evicted, Evict)
    text = TIME + b" # segment format=logchain/1 number=1\n" + TIME + b" - forged\n"
    model = parse_manifest(
        parse_note(next((store.path / "sealed/work/main").glob("*1.manifest")).read_bytes(), 1 << 20).text
    )
    time = parse_time(TIME)
    manifest = model._replace(
        stream_id=evicted.stream_id,
        segment=1,
        records=2,
        first=0,
        first_time=time,
        last_time=time,
        size=len(text),
        blocks=(Block(0, len(text), 2, time, sha256(text).digest()),),
    )
    home = store.path / "sealed" / vm / "main"
    home.mkdir(parents=True, exist_ok=True)
    note = sign(format_manifest(manifest), entry_key_name(store.audit.store_id), b"\x77" * 32)
    (home / "00000001.manifest").write_bytes(note)
    (home / "00000001.log").write_bytes(text)
    for audited in (False, True):
        assert any("what is there now is another" in line for line in store.damage(audited=audited))


def test_a_stream_that_is_forgotten_up_to_nothing_is_checked_all_the_same(store: Pinned) -> None:
    """An entry that forgets less than was sealed contradicts the ledger, and excuses nothing."""
    sealed = events(store, Seal)[0]
    assert isinstance(sealed, Seal)
    with store.entries.open("ab") as file:
        file.write(store.forge(Forget(sealed.stream_id, 0)))
    (store.path / "live" / "work" / "main" / "ratchet").unlink()
    bad = store.damage()
    assert any("is forgotten up to 0, and later segments were sealed" in line for line in bad)
    assert any("key state" in line for line in bad)


def test_a_leap_of_age_hides_no_eviction(store: Pinned) -> None:
    """Running takes time: what went within a week by either clock is listed as young."""
    sealed = events(store, Seal)[0]
    assert isinstance(sealed, Seal)
    keys = store.keys()
    entry = store.forge(Evict(sealed.stream_id, sealed.segment, sealed.manifest, "quota"))
    text = parse_note(entry, 4_096, most=1).text
    text = re.sub(rb"\nage \d+\n", b"\nage 10000000\n", text)
    with store.entries.open("ab") as file:
        file.write(sign(text, entry_key_name(store.audit.store_id), keys.seed))
    for path in (store.path / "sealed" / "work" / "main").glob("00000001.*"):
        path.unlink()
    assert any("segment 1 of work/main" in line or "segments from 1" in line for line in store.notices())
