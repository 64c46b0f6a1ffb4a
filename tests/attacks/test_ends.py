"""What root at T makes of ends and beginnings: a cut that nobody is left to explain, a backup that never was."""

from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.keystate import (
    BIRTHS_MAGIC,
    NO_KEY,
    NO_SESSION,
    RATCHET_MAGIC,
    BirthState,
    KeyState,
    Status,
    format_births,
    format_keystate,
    read_births,
)
from logchain.format.manifest import Block
from logchain.format.ratchet import stream_secret, successor
from logchain.format.slots import format_slots
from logchain.read.verify import Verdict, verify_store
from logchain.store import sealer
from logchain.store.blocks import TextCheck
from logchain.store.layout import open_store
from logchain.store.restoring import restore
from tests.attacks.pinned import Pinned, copy, make_template


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that is attacked."""
    return make_template(tmp_path_factory.mktemp("ends") / "store")


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of it."""
    return copy(template, tmp_path / "store")


def put_state(store: Pinned, state: KeyState, vm: str = "work") -> None:
    """Write the key state of a stream `main`."""
    (store.directory(vm) / "ratchet").write_bytes(format_slots(RATCHET_MAGIC, format_keystate(state)))


def test_a_cut_whose_next_segment_is_evicted(store: Pinned) -> None:
    """A segment without its end has to be explained by the one behind it; if that is gone, it is damage."""
    store.list_heads()
    store.log(b"harmless")
    listed = store.state()
    store.log(b"INTRUSION")
    state, live = store.state(), store.directory()
    log, tags = (live / f"{state.segment:08}{end}" for end in (".log", ".tags"))
    log.write_bytes(log.read_bytes()[: listed.end])
    tags.write_bytes(tags.read_bytes()[: 40 * listed.records])
    cut = state._replace(records=listed.records, end=listed.end, tag=listed.tag)
    put_state(store, cut._replace(status=Status.CLOSED, key=NO_KEY, session=NO_SESSION))
    store.log(b"made up, soon gone")
    store.roll()
    store.log(b"nothing to see here")
    store.seal()
    store.evict(state.segment + 1)
    for audited in (False, True):
        bad = store.damage(audited=audited)
        assert any("the segment has no end, and what could say why is gone" in text for text in bad)


def restored(store: Pinned) -> None:
    """Bring the store back, as the command does."""
    with store.ledger() as (directory, ledger):
        restore(directory, ledger)
    store.list_heads()


def verdict(store: Pinned, times: int) -> Verdict:
    """Return what verify says to somebody who has all secrets, and knows of so many backups."""
    with open_store(store.path) as directory:
        return verify_store(directory, store.audit, fingerprint=store.fingerprint, restored=times).verdict


def test_a_backup_that_nobody_knows_of(store: Pinned) -> None:
    """Root can sign `restored`, and what is not sealed or listed is excused by it: so a person has to know of it."""
    assert verdict(store, 0) == Verdict.INTACT
    for times in (1, 2):
        restored(store)
        assert verdict(store, times - 1) == Verdict.CANNOT_TELL
        assert verdict(store, times) == Verdict.INTACT


def test_a_backup_comes_back_once(store: Pinned) -> None:
    """Long after a real one somebody with the keys of T, but none of the ledger, drops segments, and says it again."""
    restored(store)
    store.log(b"after the restore")
    store.roll()
    store.list_heads()
    store.seal(block_size=1_024)
    kept = store.state()
    for text in (b"INTRUSION", b"more"):
        store.log(text)
        store.roll()
    assert verdict(store, 1) == Verdict.INTACT
    for path in store.directory().glob("0*.*"):
        path.unlink()
    births = read_births((store.path / "births").read_bytes())
    identity = bytes.fromhex((store.directory() / "id").read_text().split()[-1])
    secret = successor(stream_secret(births.secret, identity), kept.segment)
    after = BirthState(births.birth + 1, successor(births.secret))
    (store.path / "births").write_bytes(format_slots(BIRTHS_MAGIC, format_births(after)))
    anew = KeyState(
        birth=births.birth,
        segment=kept.segment,
        status=Status.RESTORED,
        opened=0,
        first=kept.first + kept.records,
        records=0,
        end=0,
        time=kept.time,
        boot=bytes(16),
        tag=bytes(32),
        key=NO_KEY,
        next=secret,
        session=NO_SESSION,
        resume=(),
    )
    put_state(store, anew)
    store.log(b"nothing to see here")
    store.list_heads()
    assert any("had to begin anew (restored)" in text for text in store.damage(audited=True))


def test_an_eviction_dated_ahead(store: Pinned) -> None:
    """Both clocks of the entry are the attacker's; what comes behind it tells when it was at the latest."""
    store.clock.go(8 * 86_400)
    store.evict(1)
    store.clock.now -= 8 * 86_400 * 1_000_000
    store.list_heads()
    store.log(b"goes on")
    store.list_heads()
    assert any("segment 1 of work/main was evicted" in notice for notice in store.notices())


def test_records_behind_an_end(store: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that was closed and listed whole goes on in the text that root seals."""
    store.roll()
    store.list_heads()
    number = store.state().segment
    last = (store.directory() / f"{number:08}.log").read_bytes().split(b"\n")[-2]
    more = last[:27] + b" - alice: I did it\n" + last + b"\n"
    real = sealer._copy

    def longer(*arguments: object) -> tuple[TextCheck, list[Block]]:
        check, blocks = real(*arguments)  # type: ignore[arg-type]
        path = store.sealed() / f"{number:08}.log"
        path.chmod(0o600)
        data = path.read_bytes() + more
        path.write_bytes(data)
        check.size += len(more)
        end = blocks[-1]
        text = data[end.offset :]
        return check, [*blocks[:-1], end._replace(size=len(text), digest=sha256(text).digest())]

    monkeypatch.setattr(sealer, "_copy", longer)
    store.seal()
    bad = store.damage()
    assert any("records were put behind its end" in text for text in bad)
    assert any("a block of" in text for text in bad)
