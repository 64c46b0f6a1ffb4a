"""What is stored is shown: merged, selected, joined, and nothing twice."""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from threading import Timer

import pytest

from logchain.format.limits import MAX_JOINED, MAX_PART
from logchain.format.record import LINE, PART
from logchain.read.entries import Entry, Kind
from logchain.read.grep import Pattern
from logchain.read.selection import Selection
from logchain.read.show import AsEntries, Show, select
from logchain.read.view import View
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import Directory, open_store
from logchain.store.opening import open_stream
from logchain.store.stream import StreamWriter
from tests.read.shown import shown

SECOND = 1_000_000


class Wall:
    """A clock that stands where it is put, in µs."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def wall(self) -> int:
        """Return the time that was set."""
        return self.now

    def running(self) -> int:
        """Return the same."""
        return self.now

    def boot_id(self) -> bytes:
        """Return one boot for all."""
        return bytes(16)


class Store:
    """A store that a test writes at times of its choosing."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, Wall()
        create_store(path, new_secrets()[1], self.clock)
        self.directory = open_store(path)

    def writer(self, vm: str = "work", stream: str = "main") -> StreamWriter:
        """Open a stream with a new session."""
        writer = open_stream(self.directory, vm, stream, self.clock)
        writer.start_session(os.urandom(8), "logchain.Append")
        return writer

    def log(self, at: int, *lines: bytes, vm: str = "work", stream: str = "main", roll: bool = False) -> None:
        """Store lines of one session at a second."""
        self.clock.now = at * SECOND
        writer = self.writer(vm, stream)
        writer.append(LINE, lines, self.clock.now)
        writer.end_session("eof", b"", 0)
        if roll:
            writer.roll("size")
        writer.close()

    def shown(self, form: str = "raw", selection: Selection = Selection()) -> bytes:  # noqa: B008 (immutable)
        """Return what is shown."""
        return shown(self.directory, form, selection)


@pytest.fixture
def store(tmp_path: Path) -> Iterable[Store]:
    """An empty store."""
    store = Store(tmp_path / "store")
    yield store
    store.directory.close()


def test_streams_are_merged_by_time(store: Store) -> None:
    """Lines of several qubes come in the order in which they were received, over segments."""
    store.log(1000, b"a", roll=True)
    store.log(1001, b"b", vm="vault")
    store.log(1002, b"c", roll=True)
    store.log(1003, b"d", vm="vault", stream="other")
    store.log(1004, b"e")
    assert store.shown() == b"a\nb\nc\nd\ne\n"


def test_a_clock_that_was_set_back_leaves_the_order_of_numbers(store: Store) -> None:
    """What came later stands behind what came before it, and before what other qubes sent after that."""
    store.log(1000, b"a", b"b")
    store.log(1001, b"other", vm="vault")
    store.log(990, b"c", b"d")
    store.log(1002, b"e")
    assert store.shown() == b"a\nb\nc\nd\nother\ne\n"


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(since=1010 * SECOND), b"10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n"),
        (Selection(since=1005 * SECOND, until=1006 * SECOND), b"5\n6\n"),
        (Selection(since=1005 * SECOND + 1, until=1007 * SECOND - 1), b"6\n"),
        (Selection(until=999 * SECOND), b""),
        (Selection(since=1020 * SECOND), b""),
        (Selection(last=3), b"17\n18\n19\n"),
        (Selection(last=0), b""),
        (Selection(pattern=Pattern(rb"^1?[02]$"), last=2), b"10\n12\n"),
        (Selection(vms=("work",), since=1015 * SECOND), b"16\n18\n"),
        (Selection(streams=("main",), vms=("vault",), since=1015 * SECOND), b"15\n17\n19\n"),
        (Selection(streams=("none",)), b""),
    ],
)
def test_selections(store: Store, selection: Selection, expected: bytes) -> None:
    """Times with both ends included, last lines, patterns, qubes and streams."""
    for second in range(20):
        store.log(1000 + second, b"%d" % second, vm=("work", "vault")[second % 2], roll=second % 6 == 0)
    assert store.shown(selection=selection) == expected


def test_a_selection_may_begin_in_the_middle_of_a_line(store: Store) -> None:
    """A line whose last part was received in time is shown whole or not at all, never in half."""
    writer = store.writer()
    for second in range(3):
        writer.append(PART, [b"%d" % second * MAX_PART], (1000 + second) * SECOND)
    writer.append(LINE, [b"end"], 1003 * SECOND)
    writer.append(LINE, [b"next"], 1004 * SECOND)
    writer.close()
    for since in range(1000, 1005):
        assert store.shown(selection=Selection(since=since * SECOND)).split(b"\n")[-2] == b"next"
        assert len(store.shown(selection=Selection(since=since * SECOND)).split(b"\n")[0]) in (3 * MAX_PART + 3, 4)


def test_short_shows_what_a_line_is(store: Store) -> None:
    """The sign behind the stream tells lines, cut lines, notes and gaps apart, and controls are visible."""
    store.log(1000, b"plain", b"esc \x1b[31m", b"work/main# segment")
    store.clock.now = 1001 * SECOND
    writer = store.writer()
    writer.end_session("eof", b"half", 4)
    writer.close()
    signs = [line.split(" ", 2)[2] for line in store.shown("short", Selection(notes=True)).decode().splitlines()]
    assert [sign.split(" ")[0] for sign in signs] == ["work/main#"] * 2 + ["work/main:"] * 3 + [
        "work/main#",
        "work/main#",
        "work/main+",
        "work/main#",
    ]
    assert r"work/main: esc \x1b[31m" in signs
    assert "work/main: work/main# segment" in signs


def test_mundane_notes_are_shown_on_demand_only(store: Store) -> None:
    """Sessions and segments are left out unless asked for; what tells of trouble is not."""
    store.log(1000, b"a", roll=True)
    assert store.shown("short").count(b"\n") == 1
    assert store.shown("short", Selection(notes=True)).count(b"\n") == 5
    store.log(990, b"b")  # the clock was set back
    assert b"# clock last=1970-01-01T00:16:40.000000Z now=1970-01-01T00:16:30.000000Z" in store.shown("short")


def test_json_is_ascii_and_gives_the_bytes(store: Store) -> None:
    """Every line is one JSON object; what is no UTF-8 comes in base64."""
    store.log(1000, "ä\u202e\x7f\x1b".encode(), b"\xff\x00")
    lines = store.shown("json").splitlines()
    assert all(line.isascii() and b"\x7f" not in line and b"\x1b" not in line for line in lines)
    first, second = map(json.loads, lines)
    assert first == {
        "v": 1,
        "verified": False,
        "time": "1970-01-01T00:16:40.000000Z",
        "vm": "work",
        "stream": "main",
        "number": 2,
        "kind": "line",
        "message": "ä\u202e\x7f\x1b",
    }
    assert second["message_base64"] == "/wA="


def test_a_cut_line_is_left_out_where_it_was_sent_again(store: Store) -> None:
    """`-o raw` has a line once if the next session sent it whole, and what there is of it otherwise."""
    for rest, then in ((b"par", b"partial"), (b"lost", b"other")):
        writer = store.writer()
        writer.end_session("eof", rest, len(rest))
        writer.close()
        store.log(1000, then)
    writer = store.writer()
    writer.end_session("eof", b"last", 4)
    writer.close()
    assert store.shown() == b"partial\nlost\nother\nlast"
    kinds = [entry.kind for entry in select(store.directory, Selection())]
    assert kinds == [Kind.RESENT, Kind.LINE, Kind.CUT, Kind.LINE, Kind.CUT]


def test_a_crash_cuts_a_line_too(store: Store) -> None:
    """Parts that no session-end follows are ended by the next session."""
    writer = store.writer()
    writer.append(PART, [b"x" * MAX_PART], store.clock.now)
    writer.commit()
    writer.abandon()
    store.log(1000, b"next")
    assert store.shown() == b"x" * MAX_PART + b"\nnext\n"


def test_a_line_of_any_length_is_given_whole(store: Store) -> None:
    """Lines too long to join come in pieces, and raw puts them together again; over segments too."""
    line = os.urandom(3 * MAX_JOINED + 17).replace(b"\n", b"n")
    parts = [line[start : start + MAX_PART] for start in range(0, len(line), MAX_PART)]
    writer = store.writer()
    for part in parts[:-1]:
        writer.append(PART, [part], store.clock.now)
        if part is parts[5]:
            writer.roll("size")
    writer.append(LINE, [parts[-1]], store.clock.now)
    writer.append(LINE, [b"next"], store.clock.now)
    writer.close()
    assert store.shown() == line + b"\nnext\n"
    assert b"continues=yes" in store.shown("short", Selection(notes=True))


@pytest.mark.parametrize("lost", ["00000001.log", "00000001.tags", "ratchet"])
def test_what_cannot_be_read_is_a_gap(store: Store, lost: str) -> None:
    """Nothing is passed over in silence: the rest is shown, and the gap with its reason."""
    store.log(1000, b"a", roll=True)
    store.log(1001, b"b")
    store.log(1002, b"c", vm="vault")
    (store.path / "live" / "work" / "main" / lost).unlink()
    entries = list(select(store.directory, Selection()))
    assert [entry.vm for entry in entries if entry.kind == Kind.GAP] == ["work"]
    assert b"c" in [entry.untrusted_payload for entry in entries]
    assert b"! " in store.shown("short")


@pytest.mark.parametrize("form", ["short", "short-full", "json", "export", "raw"])
@pytest.mark.parametrize("harm", [b"\x1b[31m\x07x", b':0", "ab', b"\xff\xff\xff\xff\xff\xff\xff", b":99.xyz"])
def test_a_time_that_is_none_is_a_gap(store: Store, form: str, harm: bytes) -> None:
    """Whoever writes the disk puts nothing on a terminal, nor into a format, in the place of a time."""
    store.log(1000, b"first", b"second", b"third")
    path = store.path / "live" / "work" / "main" / "00000001.log"
    text = bytearray(path.read_bytes())
    at = text.index(b"Z - second") - 10
    text[at : at + 7] = harm
    path.write_bytes(text)
    text_shown = store.shown(form)
    assert harm not in text_shown
    assert b"second" not in text_shown
    assert b"first" in text_shown
    if form != "raw":
        assert b"cannot be read behind record 3" in text_shown


def test_uncommitted_records_are_not_shown(store: Store) -> None:
    """What is behind the key state is nobody's word yet."""
    store.log(1000, b"a")
    with (store.path / "live" / "work" / "main" / "00000001.log").open("ab") as file:
        file.write(b"2026-11-23T03:45:01.123456Z - forged\n")
    assert store.shown() == b"a\n"


def follow(directory: Directory, selection: Selection) -> Iterator[Entry]:
    """Yield entries as they come, for ever."""
    for entries in Show(View(directory), selection, AsEntries()).follow():
        yield from entries


def test_follow_goes_on_into_new_segments_and_streams(store: Store) -> None:
    """Each line comes once, in the order of its commit, from streams that are born meanwhile too."""
    store.log(1000, b"a", b"b", b"c")

    def go_on() -> None:
        store.log(1001, b"d", roll=True)
        store.log(1002, b"e")
        store.log(1003, b"f", vm="newborn")

    timer = Timer(0.3, go_on)
    timer.start()
    entries = islice(follow(store.directory, Selection(last=2)), 5)
    assert [entry.untrusted_payload for entry in entries] == [b"b", b"c", b"d", b"e", b"f"]
    timer.join()


def test_a_store_given_as_a_directory_is_left_open(store: Store) -> None:
    """Selecting is lazy: the caller's directory serves until the last entry."""
    store.log(1000, b"a")
    entries = select(store.directory, Selection())
    assert isinstance(store.directory, Directory)
    assert [entry.untrusted_payload for entry in entries] == [b"a"]
