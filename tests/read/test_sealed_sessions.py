"""Sessions told from what sealed segments were condensed to are those of their text; no hostile row does harm."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logchain.compress.catalog import Catalog
from logchain.format.activity import parse_activity
from logchain.format.errors import FormatError
from logchain.format.record import LINE, PART
from logchain.read.catalog import open_activity
from logchain.read.selection import Selection
from logchain.read.sessions import Event, Session, list_sessions
from logchain.store.layout import SEALED, TIERS, manifests, open_directory, open_store, stream_directory
from logchain.store.stream import StreamWriter
from tests.format.pages import example, flips
from tests.read.archived import Archive

SECOND = 1_000_000
WHEN = 1_700_000_000_000_000_000  # ns, long ago
EXAMPLE = example("catalog.md", 2).removesuffix(b"\n")
LAST = parse_activity(EXAMPLE.decode())[-1][0]  # its last time


@pytest.fixture
def archive(tmp_path: Path, unsynced: None) -> Archive:  # noqa: ARG001 (a fixture)
    """Three sealed segments with a session from the first to the last, and an open one."""
    archive = Archive.make(tmp_path / "store")
    writer = archive.open()
    writer.start_session(b"\xaa" * 8, "logchain.Append")
    for seconds in (1, 9, 3):
        archive.clock.go(seconds)
        writer.append(LINE, [b"x" * 100] * 5, archive.clock.now)
        archive.clock.go(seconds)
        writer.append(LINE, [b"y"], archive.clock.now)
        if seconds == 3:
            writer.end_session("eof", b"", 0)
        writer.roll("size")
    writer.close()
    archive.seal()
    archive.log(b"open")
    return archive


def condense(archive: Archive, most: int = 1_000_000) -> int:
    """Bring the catalog up to the files, and return how many segments were condensed, `most` at most."""
    with open_store(archive.path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        count = 0
        for _ in catalog.condense():
            if count == most:
                break
            count += 1
    return count


def told(archive: Archive) -> tuple[list[Session | Event], list[Session | Event]]:
    """Return what is told with the catalog, and without it, a minute after now."""
    with open_store(archive.path) as store, open_activity(store) as activity:
        now = archive.clock.now + 60 * SECOND
        return list_sessions(store, Selection(), now, activity), list_sessions(store, Selection(), now)


def gaps(rows: list[Session | Event]) -> set[str]:
    """Return of which segments something cannot be read."""
    return {row.untrusted_text.decode().partition(",")[0] for row in rows if isinstance(row, Event)}


def is_known(archive: Archive, segment: int) -> bool:
    """Tell whether a sealed segment's text needs not be read."""
    with (
        open_store(archive.path) as store,
        stream_directory(store, "work", "main", SEALED) as sealed,
        open_activity(store) as activity,
    ):
        return activity.of("work", "main", segment, sealed) is not None


def sql(archive: Archive, statement: str, *values: object) -> None:
    """Change the catalog."""
    with closing(sqlite3.connect(archive.path / "catalog.sqlite")) as database, database:
        database.execute(statement, values)


def spoil(archive: Archive, segment: int = 2) -> None:
    """Replace a sealed text by another one of the same size."""
    path = archive.text(segment)
    path.chmod(0o640)
    path.write_bytes(b"?" * path.stat().st_size)


class Acting:
    """Does to a store what happens to one, one thing after the other, as Hypothesis says."""

    def __init__(self, path: Path) -> None:
        self.archive = Archive.make(path)
        self.writer: StreamWriter | None = None
        for _ in range(3):
            self.archive.log(b"first")
            self.archive.roll()
        self.archive.seal()
        condense(self.archive, 2)

    def do(self, act: str, number: int) -> None:
        """Do one thing, if it can be done now."""
        getattr(self, act)(number)

    def connect(self, number: int) -> None:
        """Begin a session; one that is open goes on."""
        if not self.writer:
            self.writer = self.archive.open()
            self.writer.start_session(bytes([number + 1]) * 8, "logchain.Append")

    def lines(self, number: int) -> None:
        """Some lines arrive, with time between."""
        self.connect(number)
        assert self.writer
        for _ in range(number % 5):
            self.archive.clock.go(0.7 * number)
            self.writer.append(LINE, [b"# line %d" % number] * (1 + number % 3), self.archive.clock.now)

    def part(self, number: int) -> None:
        """A long line begins."""
        self.connect(number)
        assert self.writer
        self.writer.append(PART, [b"part"], self.archive.clock.now)

    def disconnect(self, number: int) -> None:
        """The session ends, perhaps in the middle of a line."""
        if self.writer:
            self.writer.end_session("eof", b"cut" * (number % 2), 3 * (number % 2))
            self.writer.close()
            self.writer = None

    def crash(self, _: int) -> None:
        """The session ends without a word."""
        if self.writer:
            self.writer.commit()
            self.writer.abandon()
            self.writer = None

    def reboot(self, number: int) -> None:
        """So it does with the machine."""
        self.crash(number)
        self.archive.clock.boot = bytes([number]) * 16

    def step(self, number: int) -> None:
        """The clock is set, back more often than not."""
        self.archive.clock.now += SECOND * (number - 15) * 100

    def roll(self, _: int) -> None:
        """A segment is closed."""
        if self.writer:
            self.writer.roll("size")

    def throttle(self, _: int) -> None:
        """The collector notes something."""
        if self.writer:
            self.writer.note("throttled", reason="rate", rate=1024)

    def seal(self, number: int) -> None:
        """What is closed is sealed, perhaps compressed."""
        self.archive.seal(block_size=512, tier=TIERS[number % 3])

    def condense(self, number: int) -> None:
        """The compressor condenses some of it."""
        condense(self.archive, 1 + number % 3)

    def evict(self, number: int) -> None:
        """A segment goes on purpose."""
        if numbers := self.sealed():
            self.archive.evict(numbers[number % len(numbers)])

    def lose(self, number: int) -> None:
        """A sealed text, or its manifest, is lost."""
        if numbers := self.sealed():
            with suppress(ValueError):
                self.archive.text(numbers[number % len(numbers)]).unlink()
            if number % 2:
                (self.archive.sealed() / f"{numbers[number % len(numbers)]:08}.manifest").unlink()

    def sealed(self) -> list[int]:
        """Return which segments are sealed."""
        top = self.archive.sealed()
        if not top.exists():
            return []
        with open_directory(top) as sealed:
            return manifests(sealed)


ACTS = [
    "connect",
    "lines",
    "lines",
    "lines",
    "part",
    "disconnect",
    "crash",
    "reboot",
    "step",
    "roll",
    "roll",
    "throttle",
]
ACTS += ["seal", "seal", "condense", "condense", "evict", "lose"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 20)), max_size=40))
def test_they_are_those_of_the_text(acts: list[tuple[str, int]]) -> None:
    """Whatever happened to a stream, and however much of it was condensed when."""
    with TemporaryDirectory() as directory, patch("os.fdatasync", lambda _: None):
        acting = Acting(Path(directory) / "store")
        for act, number in acts:
            acting.do(act, number)
        if acting.writer:
            acting.writer.commit()
        fast, slow = told(acting.archive)
        assert fast == slow
        if acting.writer:
            acting.writer.abandon()


def test_no_text_is_read_of_what_is_known(archive: Archive) -> None:
    """The text of a segment that was condensed is not looked into, that of the others is."""
    assert condense(archive, 2) == 2
    before = told(archive)[1]
    assert [is_known(archive, segment) for segment in (1, 2, 3)] == [False, True, True]
    spoil(archive, 2)
    spoil(archive, 3)
    assert told(archive)[0] == before
    spoil(archive, 1)
    fast, slow = told(archive)
    assert gaps(fast) == {"segment 1"}
    assert gaps(slow) == {"segment 1", "segment 2", "segment 3"}


def test_what_went_on_purpose_is_told_where_what_is_left_begins(archive: Archive) -> None:
    """At the time of the first record behind it, whose text need not be read for that."""
    condense(archive)
    archive.evict(1)
    spoil(archive, 2)
    begins = archive.clock.now - 15 * SECOND
    (event,) = (row for row in told(archive)[0] if isinstance(row, Event))
    assert event.time == begins
    assert event.untrusted_text.startswith(b"evicted segments=1 ")


def test_it_outlasts_a_tier_and_another_segment(archive: Archive) -> None:
    """What is condensed stays known when the text is compressed, and while another segment is sealed."""
    condense(archive)
    archive.compress(".lz4")
    archive.roll()
    archive.seal()
    assert [is_known(archive, segment) for segment in (1, 2, 3, 4)] == [True, True, True, False]
    assert condense(archive) == 1
    assert is_known(archive, 4)


def test_another_manifest_is_another_segment(archive: Archive) -> None:
    """What was known of the one that was there before does not count, and goes when the compressor sees it."""
    condense(archive)
    path = archive.sealed() / "00000002.manifest"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(WHEN, WHEN))
    assert not is_known(archive, 2)
    assert is_known(archive, 3)
    assert condense(archive) == 1
    assert is_known(archive, 2)


def test_a_text_that_is_not_there_is_told(archive: Archive) -> None:
    """Nor one that is no file, nor a manifest that is gone."""
    condense(archive)
    before = told(archive)[0]
    path = archive.text(2)
    aside = path.rename(path.with_name("aside"))
    assert told(archive)[0] == told(archive)[1] != before
    path.mkdir()
    assert told(archive)[0] == told(archive)[1] != before
    path.rmdir()
    path.symlink_to(aside)
    assert told(archive)[0] == told(archive)[1] != before
    path.unlink()
    aside.rename(path)
    assert told(archive)[0] == before
    (archive.sealed() / "00000002.manifest").unlink()
    fast, slow = told(archive)
    assert fast == slow != before


def test_what_is_in_live_too_counts_as_it_was_sealed(tmp_path: Path) -> None:
    """A segment that is in both, and in the ledger: whatever somebody put into live/."""
    archive = Archive.make(tmp_path / "store")
    archive.log(b"one")
    archive.roll()
    kept = {path: path.read_bytes() for path in archive.directory().glob("00000001.*")}
    archive.seal()
    condense(archive)
    for path, data in kept.items():
        path.write_bytes(data.replace(b" reason=eof", b" reason=xxx"))
    fast, slow = told(archive)
    assert fast == slow
    assert [row.why for row in fast if isinstance(row, Session)] == ["eof"]


def test_damage_that_was_there_before_is_told(archive: Archive) -> None:
    """A text that cannot be condensed is read each time, until it can be and the catalog is made anew."""
    good = archive.text(2).read_bytes()
    spoil(archive, 2)
    assert condense(archive) == 3
    assert not is_known(archive, 2)
    assert condense(archive) == 0
    fast, slow = told(archive)
    assert fast == slow
    archive.text(2).write_bytes(good)
    fast, slow = told(archive)
    assert fast == slow
    assert not any(isinstance(row, Event) for row in fast)


HOSTILE = {
    "nonsense": ("UPDATE activity SET told = 'nonsense'",),
    "a number": ("UPDATE activity SET told = 5",),
    "of another segment": ("UPDATE activity SET told = (SELECT told FROM activity WHERE segment = 3)",),
    "a first time behind it": ("UPDATE segments SET first_time = last_time + 1",),
    "bytes": ("UPDATE activity SET told = CAST(told AS BLOB)",),
    "bytes that are no text": ("UPDATE activity SET told = CAST(x'ff' AS TEXT)",),
    "more than may be": ("UPDATE activity SET told = replace(hex(zeroblob(1 << 19)), '00', '5\n')",),
    "more than is read": ("UPDATE activity SET told = hex(zeroblob(1 << 22))",),
    "a time after 9999": ("UPDATE segments SET first_time = 1 << 62",),
    "a time that is none": ("UPDATE segments SET first_time = 'now'",),
    "changed never": ("UPDATE segments SET changed = NULL",),
    "no activity": ("DELETE FROM activity",),
    "no segments": ("DELETE FROM segments",),
    "another table": ("DROP TABLE activity",),
    "a view": ("DROP TABLE activity", "CREATE VIEW activity AS SELECT 'work' vm, 'main' stream, 1 segment, '5' told"),
}


@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_row_only_makes_it_read_the_text(archive: Archive, statements: tuple[str, ...]) -> None:
    """Whatever stands in the catalog."""
    condense(archive)
    for statement in statements:
        sql(archive, statement)
    fast, slow = told(archive)
    assert fast == slow
    assert not is_known(archive, 2)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.just(EXAMPLE) | flips(EXAMPLE) | st.lists(flips(EXAMPLE), min_size=2).map(b"\n".join))
def test_any_text_for_an_activity(archive: Archive, data: bytes) -> None:
    """It is refused, and the segment's text is read; or it tells what it says, and nothing breaks."""
    if not (archive.path / "catalog.sqlite").exists():
        condense(archive)
    text = data.decode("latin-1")
    sql(archive, "UPDATE activity SET told = ?", text)
    sql(archive, "UPDATE segments SET first_time = 0, last_time = ?", LAST)
    fast, slow = told(archive)
    try:
        items = parse_activity(text)
    except FormatError:
        assert fast == slow
    else:
        assert is_known(archive, 2) == (items[-1][0] == LAST)


def test_it_holds_nobody_up(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that keeps the catalog to itself makes it read the text, once; and a reader keeps no writer waiting."""
    condense(archive)
    monkeypatch.setattr("logchain.read.catalog._PATIENCE", 0.1)
    with (
        closing(sqlite3.connect(archive.path / "catalog.sqlite", isolation_level=None, timeout=0)) as database,
        open_store(archive.path) as store,
        open_activity(store) as activity,
        stream_directory(store, "work", "main", SEALED) as sealed,
    ):
        assert activity.of("work", "main", 2, sealed)
        database.execute("BEGIN EXCLUSIVE")
        assert activity.of("work", "main", 2, sealed) is None
        database.execute("COMMIT")
        assert activity.of("work", "main", 2, sealed) is None
