"""Opening a stream again: what verifies is adopted, what is torn is put away, what is lost is said for ever."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import Busy, FormatError, StoreError
from logchain.format.keystate import RATCHET_MAGIC, Status, format_keystate
from logchain.format.limits import MAX_NUMBER, MAX_SEGMENT
from logchain.format.record import LINE, NOTE, PART, format_note, format_time
from logchain.format.slots import SLOT_SIZE, WIPED, format_slot, format_slots
from logchain.read.verify import Verdict
from logchain.store.layout import open_directory, open_store
from logchain.store.opening import hold_stream, is_written, prepare_stream
from tests.conftest import STREAM, VM, Store

pytestmark = pytest.mark.usefixtures("unsynced")

LOG, TAGS = "00000001.log", "00000001.tags"


@pytest.fixture
def torn(store: Store) -> Store:
    """A store whose writer was killed: one line acknowledged, then two lines and a part written, not committed."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"acknowledged"], store.clock.wall())
    writer.commit()
    ratchet = (store.directory() / "ratchet").read_bytes()
    writer.append(LINE, [b"written 1", b"written 2"], store.clock.wall())
    writer.append(PART, [b"begun"], store.clock.wall())
    writer.commit()
    writer.abandon()
    (store.directory() / "ratchet").write_bytes(ratchet)
    return store


def text(store: Store, name: str = LOG) -> bytes:
    """Return a file of the stream."""
    return (store.directory() / name).read_bytes()


def change(store: Store, name: str, to: Callable[[bytes], bytes]) -> None:
    """Change a file of the stream."""
    (store.directory() / name).write_bytes(to(text(store, name)))


def quarantined(store: Store) -> dict[str, bytes]:
    """Return what was put away, by the names that the files had."""
    return {path.name.partition("-")[2]: path.read_bytes() for path in (store.directory() / "quarantine").glob("*")}


def test_the_keys_of_a_stream_that_begins_anew_are_overwritten(store: Store) -> None:
    """Who copies the disk later does not find them in what the old file held."""
    store.log(b"x")
    old = store.state()
    (store.directory() / LOG).write_bytes(b"")
    with (store.directory() / "ratchet").open("rb") as ratchet:
        assert old.next in ratchet.read()
        store.open().close()
        ratchet.seek(0)
        assert not any(ratchet.read())
    assert (store.state().status, store.state().time) == (Status.LOST_TEXT, old.time)
    assert old.next not in text(store, "ratchet")


def test_whether_somebody_writes(store: Store) -> None:
    """It is told while a writer has the stream, and who asks keeps nobody from it."""
    writer = store.open()
    with open_directory(store.directory()) as directory:
        assert is_written(directory)
        writer.close()
        assert not is_written(directory)
        before = len(os.listdir("/proc/self/fd"))
        assert not is_written(directory)
        assert len(os.listdir("/proc/self/fd")) == before
        store.log(b"x")
    assert store.lines() == [b"x"]


@pytest.mark.parametrize("identity", [None, b"", b"another program's\n"])
def test_a_stream_of_what_is_no_store_is_not_held(store: Store, identity: bytes | None) -> None:
    """Its keys would be used for a store that nobody can name; whose stream it was is not even locked."""
    store.log(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with open_store(store.path) as directory:
        (store.path / "format").unlink()
        if identity is not None:
            (store.path / "format").write_bytes(identity)
        with pytest.raises(StoreError, match="is no store, or not a whole one"):
            hold_stream(directory, VM, STREAM)
        with pytest.raises(StoreError, match="is no store, or not a whole one"):
            prepare_stream(directory, "new", STREAM)
    assert not (store.path / "live/new").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_stream_whose_keys_go_while_it_is_held(store: Store) -> None:
    """It is let go: neither its lock nor a descriptor stays with who could not open it."""
    store.log(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with open_store(store.path) as directory:
        held = hold_stream(directory, VM, STREAM)
        (store.directory() / "ratchet").write_bytes(WIPED * 2)
        with pytest.raises(FormatError):
            held.open(store.clock)
    assert len(os.listdir("/proc/self/fd")) == before
    store.log(b"y")
    assert store.lines() == [b"x", b"y"]


def test_what_verifies_is_adopted(torn: Store) -> None:
    """It was received and stamped: it counts, and its session is told of it; the part is a cut line."""
    before = text(torn), text(torn, TAGS)
    writer = torn.open()
    assert (text(torn), text(torn, TAGS)) == before
    writer.start_session(b"session2", "logchain.Append")
    assert writer.resume == ((b"session1", 3),)
    writer.close()
    torn.log(b"after")
    assert torn.lines() == [b"acknowledged", b"written 1", b"written 2", b"after"]
    assert "recovered" not in torn.events()
    assert not quarantined(torn)
    assert torn.verdict() == Verdict.INTACT


END = -len(format_time(0) + b" + begun\n")
TORN: dict[str, tuple[str, Callable[[bytes], bytes], int]] = {  # file, change, lines that are left
    "text without its last newline": (LOG, lambda data: data[:-1], 3),
    "text cut in a record": (LOG, lambda data: data[: END - 3], 2),
    "text cut behind a record": (LOG, lambda data: data[:END], 3),
    "text with zeros at its end": (LOG, lambda data: data[: END - 3] + bytes(3 - END), 2),
    "text with zeros in a record": (LOG, lambda data: data.replace(b"written 1", bytes(9)), 1),
    "text changed in a record": (LOG, lambda data: data.replace(b"written 2", b"writing 2"), 2),
    "text with more behind": (LOG, lambda data: data + b"more", 3),
    "text with lines behind": (LOG, lambda data: data + data[END:] * 2, 3),
    "tags cut in an entry": (TAGS, lambda data: data[:-1], 3),
    "tags cut behind an entry": (TAGS, lambda data: data[:-40], 3),
    "tags cut to what is committed": (TAGS, lambda data: data[:-120], 1),
    "tags with zeros at their end": (TAGS, lambda data: data[:-80] + bytes(80), 2),
    "tags with a wrong end": (TAGS, lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:], 3),
    "tags with an end far beyond": (TAGS, lambda data: data[:-40] + b"\xff" * 8 + data[-32:], 3),
    "tags with more behind": (TAGS, lambda data: data + bytes(40), 3),
}


@pytest.mark.parametrize("case", TORN)
def test_what_is_torn_is_put_away(torn: Store, case: str) -> None:
    """The good records before it are adopted, it goes to quarantine and into a note, and all is intact again."""
    name, tear, left = TORN[case]
    change(torn, name, tear)
    before = {each: text(torn, each) for each in (LOG, TAGS)}
    assert torn.verdict() != Verdict.DAMAGED
    torn.open().close()
    for each, kept in quarantined(torn).items():
        assert before[each].endswith(kept)
        assert kept
    assert quarantined(torn) or case == "text cut behind a record"
    torn.log(b"after")
    assert torn.lines() == [*[b"acknowledged", b"written 1", b"written 2"][:left], b"after"]
    cut = quarantined(torn).get(LOG, b"")
    notes = [note.fields for note in torn.notes() if note.event == "recovered"]
    end = text(torn).find(b" # recovered ") - 27
    assert notes == ([{"end": str(end), "cut": str(len(cut)), "reason": "torn"}] if cut else [])
    assert text(torn)[:end] + cut in (before[LOG], text(torn)[:end])
    assert torn.verdict() == Verdict.INTACT


def test_a_torn_newest_slot(torn: Store) -> None:
    """The older one still counts, and what was written since is adopted: nothing is lost."""
    writer = torn.open()
    writer.start_session(b"session2", "logchain.Append")
    writer.commit()
    writer.append(LINE, [b"more"], torn.clock.wall())
    old = text(torn, "ratchet")
    writer.commit()
    writer.abandon()
    new = text(torn, "ratchet")
    place = 0 if any(new[:SLOT_SIZE]) else 1
    slots = [old[:SLOT_SIZE], old[SLOT_SIZE:]]
    slots[place] = new[place * SLOT_SIZE :][:1_000] + bytes(SLOT_SIZE - 1_000)
    change(torn, "ratchet", lambda _: b"".join(slots))
    torn.log(b"after")
    assert torn.lines() == [b"acknowledged", b"written 1", b"written 2", b"more", b"after"]
    assert torn.verdict() == Verdict.INTACT


def test_a_session_that_was_adopted_from_start_to_end(store: Store) -> None:
    """Notes are adopted as they are: the session is known, and not connected."""
    store.log(b"before")
    ratchet = text(store, "ratchet")
    writer = store.open()
    writer.start_session(b"session2", "logchain.Append")
    writer.append(LINE, [b"x", b"y"], store.clock.wall())
    writer.end_session("eof", b"", 0)
    writer.commit()
    writer.roll("size")
    writer.abandon()
    change(store, "ratchet", lambda _: ratchet)
    store.open().close()
    state = store.state()
    assert (state.status, state.session, state.resume[0]) == (Status.CLOSED, bytes(8), (b"session2", 2))
    assert store.verdict() == Verdict.INTACT
    store.log(b"after")
    assert store.state().segment == 2
    assert store.verdict() == Verdict.INTACT


def test_more_behind_an_adopted_end(store: Store) -> None:
    """Behind its `end` a segment holds nothing of ours: it is put away, and no record follows `end`."""
    store.log(b"before")
    ratchet = text(store, "ratchet")
    writer = store.open()
    writer.roll("size")
    writer.abandon()
    change(store, "ratchet", lambda _: ratchet)
    change(store, LOG, lambda data: data + b"more")
    store.log(b"after")
    assert quarantined(store) == {LOG: b"more"}
    assert store.lines() == [b"before", b"after"]
    assert store.verdict() == Verdict.INTACT


def test_what_a_recovery_that_was_cut_short_left_in_quarantine(store: Store) -> None:
    """A copy that was not finished goes when what it was a copy of is put away; what else is there stays."""
    store.log(b"before")
    change(store, LOG, lambda data: data + b"torn")
    quarantine = store.directory() / "quarantine"
    quarantine.mkdir(exist_ok=True)
    for name in (f".1795405501123456-{LOG}.new", f"1795405501123455-{TAGS}"):
        (quarantine / name).write_bytes(b"to")
    store.log(b"after")
    assert quarantined(store) == {LOG: b"torn", TAGS: b"to"}
    assert len(list(quarantine.iterdir())) == 2
    assert store.lines() == [b"before", b"after"]


def test_a_segment_that_was_never_committed(store: Store) -> None:
    """It holds nothing that anybody was told of, and goes to quarantine whole."""
    store.log(b"before")
    writer = store.open()
    writer.roll("size")
    writer.close()
    (store.directory() / "00000002.log").write_bytes(b"its first notes")
    assert store.verdict() == Verdict.INTACT
    store.log(b"after")
    assert quarantined(store) == {"00000002.log": b"its first notes"}
    assert store.lines() == [b"before", b"after"]
    assert store.verdict() == Verdict.INTACT


def test_a_second_writer_is_told_to_come_back(store: Store) -> None:
    """One stream has one writer; another stream has its own."""
    writer = store.open()
    with pytest.raises(Busy):
        store.open()
    store.open(stream="other").close()
    writer.close()
    store.open().close()


def remove(*names: str) -> Callable[[Path], None]:
    """Remove files of a stream."""

    def lose(path: Path) -> None:
        for name in names:
            (path / name).unlink()

    return lose


def put(name: str, data: bytes) -> Callable[[Path], None]:
    """Replace a file of a stream."""

    def lose(path: Path) -> None:
        (path / name).write_bytes(data)

    return lose


def cut(name: str, to: int | None = None) -> Callable[[Path], None]:
    """Cut a file of a stream, by a byte or to a size."""

    def lose(path: Path) -> None:
        os.truncate(path / name, (path / name).stat().st_size - 1 if to is None else to)

    return lose


def link_text(path: Path) -> None:
    """Put a link in the place of the text, to that very text."""
    (path / LOG).rename(path / "x")
    (path / LOG).symlink_to("x")


def change_tag(path: Path) -> None:
    """Change the last tag."""
    (path / TAGS).write_bytes((path / TAGS).read_bytes()[:-1] + b"!")


LOST: dict[str, tuple[str, Callable[[Path], None]]] = {
    "key state gone": ("keys", remove("ratchet")),
    "key state empty": ("keys", put("ratchet", b"")),
    "key state of zeros": ("keys", put("ratchet", WIPED * 2)),
    "key state of another kind": ("keys", put("ratchet", format_slots(b"lcbirth1", b"x" * 42))),
    "key state of nonsense": ("keys", put("ratchet", format_slots(RATCHET_MAGIC, b"x" * 312))),
    "id gone": ("id", remove("id")),
    "id of another": ("id", put("id", b"logchain stream v1\n")),
    "id and key state gone": ("id", remove("id", "ratchet")),
    "text gone": ("text", remove(LOG)),
    "text cut": ("text", cut(LOG)),
    "text empty": ("text", cut(LOG, 0)),
    "text a link": ("text", link_text),
    "tags gone": ("text", remove(TAGS)),
    "tags cut": ("text", cut(TAGS)),
    "last tag changed": ("text", change_tag),
    "all gone but the text": ("id", remove("id", "ratchet", "lock", TAGS)),
}


@pytest.mark.parametrize("case", LOST)
def test_what_no_crash_of_ours_loses(store: Store, case: str) -> None:
    """A new birth and a `broken` note: logging goes on, numbers too where they can, and damage is said for ever."""
    reason, lose = LOST[case]
    store.log(b"before")
    was = store.state()
    left = store.directory()
    lose(left)
    damaged = store.verdict()
    assert damaged == Verdict.DAMAGED
    kept = {path.name: path.read_bytes() for path in left.glob("00000001.*")}
    for line in (b"after 1", b"after 2"):
        store.log(line)
        assert store.verdict() == Verdict.DAMAGED
    state = store.state()
    assert (state.birth, state.segment, state.status) == (2, 2, Status.OPEN)
    assert {path.name: path.read_bytes() for path in left.glob("00000001.*")} == kept  # a segment is left as it is
    notes = store.notes()
    begins = next(place for place, note in enumerate(notes) if note.fields.get("number") == "2")
    assert [note.event for note in notes[begins : begins + 3]] == ["segment", "broken", "session-start"]
    assert notes[begins + 1].fields == {"reason": reason}
    assert notes[begins].fields["birth"] == "2"
    assert notes[begins].fields["previous"] == "0" * 64
    if case not in ("all gone but the text",):
        assert notes[begins].number("first") == was.next_number
    assert store.lines()[-2:] == [b"after 1", b"after 2"]
    assert [name.hex() for name, _ in state.resume] == [
        note.fields["session"] for note in notes[:begins:-1] if note.event == "session-start"
    ]


def test_a_stream_that_breaks_before_its_first_segment(store: Store) -> None:
    """Its first segment then says `broken` and the second birth."""
    store.open().close()
    (store.directory() / "ratchet").write_bytes(b"")
    store.log(b"after")
    assert store.events()[:2] == ["segment", "broken"]
    assert store.notes()[0].fields["birth"] == "2"
    assert store.verdict() == Verdict.DAMAGED


@pytest.mark.parametrize(
    "first", [b"no record", b"1970-01-01T00:00:00.000000Z - x", b"%s # end first=x" % format_time(0)]
)
def test_a_lost_key_state_and_a_segment_that_tells_nothing(store: Store, first: bytes) -> None:
    """Records are counted from 0 then, and logging goes on."""
    store.log(b"before")
    (store.directory() / "ratchet").unlink()
    change(store, LOG, lambda data: first + b"\n" + data)
    store.log(b"after")
    assert store.state().first == 0
    assert store.lines()[-1] == b"after" if first.startswith(b"1970") else True
    assert store.verdict() == Verdict.DAMAGED


def test_a_number_that_somebody_made_up(store: Store) -> None:
    """A first number beyond all bounds must not make the new key state unreadable."""
    store.log(b"before")
    (store.directory() / "ratchet").unlink()
    note = format_note("segment", first=MAX_NUMBER)
    change(store, LOG, lambda data: b"%s %s %s\n" % (format_time(0), NOTE, note) + data)
    for line in (b"after 1", b"after 2"):
        store.log(line)
    assert store.state().birth == 2  # and not one more each time
    assert store.verdict() == Verdict.DAMAGED


def test_a_stream_out_of_segments(store: Store) -> None:
    """After segment 999,999 there is none, and nothing is broken by asking."""
    store.log(b"before")
    writer = store.open()
    writer.roll("size")
    writer.close()
    state = store.state()._replace(segment=MAX_SEGMENT)
    full = format_slot(RATCHET_MAGIC, 99, format_keystate(state)) + WIPED
    change(store, "ratchet", lambda _: full)
    for _ in range(2):
        with pytest.raises(StoreError, match="all the segments"):
            store.log(b"after")
        assert store.state() == state
