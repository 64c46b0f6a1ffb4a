"""A store that came back from a backup: no key serves twice, nothing that the backup has is lost, crashes included."""

import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logchain.format.errors import Busy, StoreError
from logchain.format.keystate import (
    BIRTHS_MAGIC,
    NO_KEY,
    NO_SESSION,
    RATCHET_MAGIC,
    BirthState,
    Status,
    format_births,
    format_keystate,
    read_births,
)
from logchain.format.ledger import Birth, Restored
from logchain.format.limits import MAX_BIRTHS
from logchain.format.record import LINE
from logchain.format.slots import format_slots
from logchain.format.tags import TAG_ENTRY
from logchain.read.verify import Verdict, verify_store
from logchain.store import restoring
from logchain.store.heads import OpenHeads
from logchain.store.layout import open_store
from logchain.store.opening import open_stream
from logchain.store.restoring import restore
from logchain.store.segments import close_idle
from logchain.store.stream import Rolling
from tests.conftest import VM, Store
from tests.store.crashes import Tell, run
from tests.store.sealing import check, lines, opened, seal

pytestmark = pytest.mark.usefixtures("unsynced")

WAYS = ["kill", "torn", "power", "names"]
STREAMS = ["open", "closed", "torn", "new", "lost"]


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with streams in every state, some of it sealed; as it was when the backup was made."""
    store = Store.make(tmp_path_factory.mktemp("backup") / "store")
    for stream in STREAMS:
        if stream == "new":
            store.directory(stream=stream).mkdir(parents=True)
            with opened(store) as (directory, _):
                open_stream(directory, VM, stream, store.clock).close()
            continue
        writer = store.open(stream=stream, rolling=Rolling(size=1_000))
        writer.start_session(b"session1", "logchain.Append")
        for number in range(4):
            writer.append(LINE, [b"%d %s" % (number, b"x" * 300)], store.clock.wall())
        writer.commit()
        if stream == "closed":
            writer.roll("size")
        writer.close()
    seal(store, stream="open")
    with (store.directory(stream="torn") / "00000002.log").open("ab") as log:
        log.write(b"torn")
    (store.directory(stream="lost") / "ratchet").unlink()
    return store


def brought_back(backup: Store, path: Path) -> Store:
    """Return the store that a backup gives."""
    shutil.copytree(backup.path, path, symlinks=True)
    return Store(path, backup.audit, replace(backup.clock))


def told(store: Store) -> int:
    """Do what `logchain restored` does; return how many streams begin anew."""
    with opened(store) as (directory, ledger):
        return restore(directory, ledger)


def go_on(store: Store) -> dict[str, bytes]:
    """Log a line to each stream; return the keys of what they are in."""
    for stream in STREAMS:
        store.log(b"after", stream=stream)
    return {stream: store.state(stream=stream).next for stream in STREAMS}


def births(store: Store) -> BirthState:
    """Return the births of now."""
    return read_births((store.path / "births").read_bytes())


def damage(store: Store) -> list[str]:
    """Return what is found to be damaged, but what the backup had lost already."""
    report = store.verify()
    found = [*report.findings, *(one for row in report.streams if row.stream != "lost" for one in row.findings)]
    return [finding.text for finding in found if finding.damage]


def test_every_stream_begins_anew(backup: Store, tmp_path: Path) -> None:
    """In a new segment under a new birth; what the backup has verifies, and where it ends is proven."""
    store = brought_back(backup, tmp_path / "store")
    assert told(store) == 4  # what is lost begins anew by itself
    assert store.state(stream="open").status == Status.RESTORED
    assert store.state(stream="new").status == Status.CLOSED
    assert damage(store) == []
    go_on(store)
    assert damage(store) == []
    for stream in ("open", "closed", "torn"):
        events = store.events(stream=stream)
        reasons = [
            note.fields["reason"] for note in store.notes(stream=stream) if note.event in ("broken", "recovered")
        ]
        assert reasons == (["restored"] if stream == "closed" else ["restored", "restored"])
        assert "session-end" not in events[: events.index("broken")]
        assert lines(store, stream=stream)[-2:] == [b"3 " + b"x" * 300, b"after"]
        assert store.state(stream=stream).birth > backup.state(stream=stream).birth
    assert [note.fields["reason"] for note in store.notes(stream="lost") if note.event == "broken"] == ["keys"]
    assert lines(store, stream="new") == [b"after"]


def test_what_the_ledger_says(backup: Store, tmp_path: Path) -> None:
    """Births from before stand before the entry, those behind it after; and all of it is one chain."""
    store = brought_back(backup, tmp_path / "store")
    told(store)
    events = [entry.event for entry in check(store)]
    (place,) = [place for place, event in enumerate(events) if isinstance(event, Restored)]
    first = next(event.birth for event in events if isinstance(event, Restored))
    given = [event for event in events if isinstance(event, Birth)]
    assert [event.birth < first for event in given] == [events.index(event) < place for event in given]
    assert [event.birth for event in events[place + 1 :] if isinstance(event, Birth)] == list(range(first, first + 4))
    assert births(store).birth == first + 4
    seal(store, stream="open")
    seal(store, stream="closed")
    check(store)
    assert damage(store) == []


def test_no_key_serves_twice(backup: Store, tmp_path: Path) -> None:
    """Not in the store that went on, and not in the same backup, brought back twice."""
    went_on = brought_back(backup, tmp_path / "went on")
    keys = [go_on(went_on)]
    for name in ("once", "twice"):
        store = brought_back(backup, tmp_path / name)
        told(store)
        keys.append(go_on(store))
    for stream in STREAMS:
        if stream != "lost":
            assert len({found[stream] for found in keys}) == 3
            before = backup.state(stream=stream)
            assert not {before.next, before.key} & {found[stream] for found in keys[1:]}


def test_the_keys_of_the_backup_are_gone(backup: Store, tmp_path: Path) -> None:
    """But the one that proves where an open segment ends, until the next one says so."""
    store = brought_back(backup, tmp_path / "store")
    told(store)
    for stream in ("open", "closed", "new"):
        before, data = backup.state(stream=stream), (store.directory(stream=stream) / "ratchet").read_bytes()
        assert before.next not in data
        assert (before.key in data and before.key != NO_KEY) == (stream == "open")
    assert backup.verify() is not None
    go_on(store)
    assert backup.state(stream="open").key not in (store.directory(stream="open") / "ratchet").read_bytes()


def test_again_and_again(backup: Store, tmp_path: Path) -> None:
    """A second backup that came back, before anybody sent or after, is the same again."""
    store = brought_back(backup, tmp_path / "store")
    told(store)
    told(store)
    assert damage(store) == []
    go_on(store)
    told(store)
    go_on(store)
    assert damage(store) == []
    assert len([entry for entry in check(store) if isinstance(entry.event, Restored)]) == 3


def test_while_somebody_writes(backup: Store, tmp_path: Path) -> None:
    """Nothing is done, and those who write go on."""
    store = brought_back(backup, tmp_path / "store")
    writer = store.open(stream="open")
    entries = (store.path / "ledger" / "entries").read_bytes()
    with pytest.raises(Busy):
        told(store)
    assert (store.path / "ledger" / "entries").read_bytes() == entries
    assert not (store.path / "restoring").exists()
    assert births(store) == births(backup)
    writer.close()
    store.log(b"line", stream="other")
    assert told(store) == 5


def test_nobody_writes_before_it_is_finished(backup: Store, tmp_path: Path) -> None:
    """Where it was cut short collectors and the compressor leave all streams alone, new ones too."""
    store = brought_back(backup, tmp_path / "store")
    finished, _ = run(_Restored(store), 40)
    assert not finished
    assert (store.path / "restoring").exists()
    for stream in ("open", "closed", "other"):
        with pytest.raises(Busy, match="comes back from a backup; 'logchain restored' has to finish it"):
            store.open(stream=stream)
    with opened(store) as (directory, _):
        assert not close_idle(directory, VM, "open", store.clock, 0)
    told(store)
    go_on(store)
    assert damage(store) == []


class _Restored:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, tell: Tell) -> None:
        told(self._store)
        tell(b"done")


@pytest.mark.parametrize("how", WAYS)
def test_a_crash_at_every_step(backup: Store, tmp_path: Path, how: str) -> None:
    """Whichever step is the last, no check takes it for damage; run again it does all of it."""
    for at in itertools.count(1 + WAYS.index(how), int(os.environ.get("EVERY", len(WAYS)))):  # a quarter each way
        store = brought_back(backup, tmp_path / f"{at}")
        finished, _ = run(_Restored(store), at, how, chance=at)
        where = f"{how} at step {at}"
        assert damage(store) == [], where
        if not finished:
            told(store)
            assert damage(store) == [], where
        entries = [entry.event.birth for entry in check(store) if isinstance(entry.event, Restored)]
        assert len(entries) in (1, 2), where
        assert not (store.path / "restoring").exists(), where
        assert all(store.state(stream=stream).birth >= entries[-1] for stream in STREAMS if stream != "lost"), where
        go_on(store)
        assert damage(store) == [], where
        shutil.rmtree(store.path)
        if finished:
            break
    assert at > 40


def test_a_cut_is_no_backup(backup: Store, tmp_path: Path) -> None:
    """Who cuts an open segment and says that a backup had no more of it has not the key of that place."""
    store = brought_back(backup, tmp_path / "store")
    told(store)
    state = store.state(stream="open")
    log, tags = (store.directory(stream="open") / f"{state.segment:08}.{kind}" for kind in ("log", "tags"))
    last, records = log.read_bytes().splitlines(keepends=True)[-1], state.records - 1
    os.truncate(log, state.end - len(last))
    os.truncate(tags, TAG_ENTRY * records)
    tag = tags.read_bytes()[-32:]
    cut = state._replace(records=records, end=state.end - len(last), tag=tag, key=os.urandom(32))
    data = format_slots(RATCHET_MAGIC, format_keystate(cut))
    (store.directory(stream="open") / "ratchet").write_bytes(data)
    assert "the key of now does not follow from the audit secret" in damage(store)
    store.log(b"after", stream="open")
    assert "the segment has no end: records are missing" in damage(store)


def test_a_claim_that_no_entry_backs(backup: Store, tmp_path: Path) -> None:
    """A stream that says it came back, in a store that did not, has lost something."""
    store = brought_back(backup, tmp_path / "store")
    entries, keys, births_, checkpoint = (
        (store.path / name).read_bytes() for name in ("ledger/entries", "keys/ledger", "births", "ledger/checkpoint")
    )
    told(store)
    (store.path / "ledger/entries").write_bytes(entries)
    (store.path / "keys/ledger").write_bytes(keys)
    (store.path / "ledger/checkpoint").write_bytes(checkpoint)
    assert births_
    store.log(b"after", stream="closed")
    assert [text for text in damage(store) if text.startswith("the stream had to begin anew (restored)")]


@pytest.mark.parametrize("stream", ["open", "closed"])
def test_a_half_restored_store(backup: Store, tmp_path: Path, stream: str) -> None:
    """Where sealed/ is newer than live/, the stream goes on behind all that is sealed, and has nothing to prove."""
    store = brought_back(backup, tmp_path / "store")
    live = store.directory(stream=stream)
    old = {path.name: path.read_bytes() for path in live.iterdir() if path.is_file()}
    for _ in range(3):
        store.log(b"more", stream=stream)
        with opened(store) as (directory, _):
            close_idle(directory, VM, stream, store.clock, 0)
    seal(store, stream=stream)
    behind = store.state(stream=stream).next_number
    for path in live.glob("*.*"):
        path.unlink()
    for name, data in old.items():
        (live / name).write_bytes(data)
    last = max(int(path.stem) for path in (store.path / "sealed" / VM / stream).glob("*.manifest"))
    before = store.state(stream=stream)
    assert before.segment < last
    told(store)
    state = store.state(stream=stream)
    assert (state.segment, state.status, state.first, state.records) == (last, Status.RESTORED, behind, 0)
    assert (state.end, state.tag, state.key) == (0, bytes(32), NO_KEY)
    assert (state.session, state.resume) == (NO_SESSION, ())
    assert before.resume
    store.log(b"after", stream=stream)
    assert store.state(stream=stream).segment == last + 1
    assert store.lines(stream=stream)[-1] == b"after"


def test_a_loss_that_nobody_told_of_yet(backup: Store, tmp_path: Path) -> None:
    """A stream that lost its keys, and then came back before it went on, still says that it lost them."""
    store = brought_back(backup, tmp_path / "store")
    store.open(stream="lost").close()
    before = store.state(stream="lost")
    assert before.status == Status.LOST_KEYS
    told(store)
    assert store.state(stream="lost")[1:-4] == before[1:-4]
    assert store.state(stream="lost").birth > before.birth
    store.log(b"after", stream="lost")
    assert [note.fields["reason"] for note in store.notes(stream="lost") if note.event == "broken"] == ["keys"]


def test_when_all_births_are_given(backup: Store, tmp_path: Path) -> None:
    """It says so, and nothing was done."""
    store = brought_back(backup, tmp_path / "store")
    spent = format_births(births(store)._replace(birth=MAX_BIRTHS))
    (store.path / "births").write_bytes(format_slots(BIRTHS_MAGIC, spent))
    with pytest.raises(StoreError, match="begin a new store"):
        told(store)
    assert not (store.path / "restoring").exists()


@pytest.mark.parametrize("number", ["x", "0", "007", "+7", "7_0", "10000001", "77"])
def test_a_mark_that_no_entry_knows(backup: Store, tmp_path: Path, number: str) -> None:
    """It may have come with the backup, or anybody wrote it: another number is drawn, each time another."""
    drawn = set()
    for name in ("once", "twice"):
        store = brought_back(backup, tmp_path / name)
        (store.path / "restoring").write_text(f"logchain restoring v1\nbirth {number}\n")
        told(store)
        (first,) = [entry.event.birth for entry in check(store) if isinstance(entry.event, Restored)]
        assert not (store.path / "restoring").exists()
        assert damage(store) == []
        drawn.add(first)
    assert len(drawn) == 2
    assert 77 not in drawn


def test_a_backup_of_a_run_that_was_cut_short(backup: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mark and its entry come with the backup: brought back twice it gives other births, and other keys."""
    half = brought_back(backup, tmp_path / "half")
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "skip_births", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            told(half)
    assert (half.path / "restoring").exists()
    keys = []
    for name in ("once", "twice"):
        store = brought_back(half, tmp_path / name)
        told(store)
        keys.append(go_on(store))
        assert damage(store) == []
    assert not set(keys[0].values()) & set(keys[1].values())


@pytest.mark.parametrize("odd", ["link", "directory", "fifo"])
def test_a_lock_that_is_none(backup: Store, tmp_path: Path, odd: str) -> None:
    """Nobody can hold it, and nobody could open the stream: it goes to quarantine, and the stream begins anew."""
    store = brought_back(backup, tmp_path / "store")
    lock = store.directory(stream="open") / "lock"
    lock.unlink()
    if odd == "link":
        lock.symlink_to("/etc/hostname")
    elif odd == "directory":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    told(store)
    (away,) = (store.directory(stream="open") / "quarantine").glob("*-lock")
    assert os.path.lexists(away)
    (first,) = [entry.event.birth for entry in check(store) if isinstance(entry.event, Restored)]
    assert store.state(stream="open").birth >= first
    store.log(b"after", stream="open")
    assert damage(store) == []


@pytest.mark.parametrize("name", ["lock", "ratchet", "id", "log", "tags"])
def test_a_file_that_may_not_be_opened(
    backup: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The error names it, and nothing was done: the store is not left where nobody can write."""
    store = brought_back(backup, tmp_path / "store")
    directory = store.directory(stream="open")
    path = directory / name if name in ("lock", "ratchet", "id") else max(directory.glob(f"*.{name}"))
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    mode = path.stat().st_mode
    path.chmod(0)
    real = os.open

    def refusing(path: Any, flags: int, *more: Any, **named: Any) -> int:
        fd = real(path, flags, *more, **named)
        if not os.fstat(fd).st_mode & 0o444:  # root, who may run the tests, could
            os.close(fd)
            raise PermissionError(13, "Permission denied", path)
        return fd

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing)
        with pytest.raises(StoreError, match=f"cannot open .*{path.name}: Permission denied"):
            told(store)
    path.chmod(mode)
    assert not (store.path / "restoring").exists()
    assert not [entry for entry in check(store) if isinstance(entry.event, Restored)]
    assert {path.name for path in before if path.read_bytes() != before[path]} <= {
        "births",
        "entries",
        "checkpoint",
        "ledger",
    }
    assert told(store)
    assert damage(store) == []


def test_the_verdict_is_intact(tmp_path: Path) -> None:
    """Of a whole ledger with its fingerprint, to who knows of the backup; else anybody could say that there was one."""
    store = Store.make(tmp_path / "store")
    store.log(b"one")
    fingerprint = store.verify().ledger.fingerprint
    told(store)
    for _ in range(2):
        with open_store(store.path) as directory:
            report = verify_store(directory, store.audit, fingerprint=fingerprint, restored=1)
            assert report.verdict == Verdict.INTACT
        assert store.verdict() == Verdict.CANNOT_TELL
        store.log(b"two")
    assert store.found() == [
        "the store came back from a backup: what was logged since then is not in it",
        "the stream begins anew: the store came back from a backup",
        "the backup had no more of it: the segment ends early",
    ]


def test_a_backup_hides_no_stream(backup: Store, tmp_path: Path) -> None:
    """However far births are said to have gone on: a stream that the ledger knows has to be there."""
    store = brought_back(backup, tmp_path / "store")
    with opened(store) as (directory, ledger):
        OpenHeads().record(directory, ledger)
        ledger.append(Restored(MAX_BIRTHS))
    before = damage(store)
    shutil.rmtree(store.directory(stream="torn"))
    found = [text for text in damage(store) if text not in before]
    assert [text for text in found if text.endswith("which birth 3 was given to, is gone")]
