"""The journal, with a real journald and real journal files: through libsystemd and through journalctl."""

import re
import select
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_exporter.choice import Choice, Names
from log_exporter.errors import SourceError
from log_exporter.sources import Gap, Place, libsystemd
from log_exporter.sources.entry import LONGEST_READ, LONGEST_SENT, Entries
from log_exporter.sources.journalctl import Journalctl
from log_exporter.sources.journald import Journald
from tests.exporter.entries import BOOT, VALUES, is_line_of, parsed
from tests.exporter.journal import Journald as Daemon
from tests.exporter.journal import damage, entry, write

Reader: TypeAlias = Journald | Journalctl
Make: TypeAlias = Callable[[Path], Reader]


def through_libsystemd(directory: Path) -> Journald:
    """Return the reader that is used where it can be."""
    return Journald(libsystemd.load(), Entries("work", Choice(), Names(), 7), named(directory), current_boot=False)


def through_journalctl(directory: Path) -> Journalctl:
    """Return the one for where it cannot."""
    return Journalctl(Entries("work", Choice(), Names(), 7), named(directory), current_boot=False)


def named(directory: Path) -> str:
    """Return the directory's name; nothing for Path(), the system's own."""
    return str(directory) if directory.is_absolute() else ""


@pytest.fixture(params=[through_libsystemd, through_journalctl], ids=["libsystemd", "journalctl"])
def make(request: pytest.FixtureRequest) -> Make:
    """Each of both."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A journald of this test's own."""
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.stop()


class Seen:
    """What a reader has given so far."""

    def __init__(self, reader: Reader, place: Place | None = None) -> None:
        self.reader = reader
        self.gaps: list[Gap] = []
        self.lines: list[bytes] = []
        self.place: Place = {}
        if gap := reader.go(place):
            self.gaps.append(gap)

    def until(self, condition: Callable[["Seen"], bool]) -> None:
        """Read until it holds."""
        deadline = time.monotonic() + 20
        while not condition(self):
            assert time.monotonic() < deadline, (self.lines[-3:], self.gaps)
            found = self.reader.read()
            if isinstance(found, Gap):
                self.gaps.append(found)
            elif found:
                assert found.lines == found.data.count(b"\n")
                self.lines += found.data.split(b"\n")[:-1]
                self.place = found.place
            else:
                descriptor = self.reader.fileno()
                if descriptor is None:
                    time.sleep(0.05)
                elif select.select([descriptor], [], [], 0.5)[0]:
                    self.reader.take()

    def messages(self, word: bytes = b"say ") -> list[bytes]:
        """Return the messages that begin with a word."""
        found = (re.search(rb'monotonic="[0-9.]+"\] (.*)', line) for line in self.lines)
        return [match[1] for match in found if match and match[1].startswith(word)]

    def has(self, *messages: bytes) -> None:
        """Read until there are as many messages, which are these."""
        self.until(lambda seen: len(seen.messages()) >= len(messages))
        assert self.messages() == list(messages)


def on_disk(daemon: Daemon, message: bytes) -> None:
    """Wait until a message can be read."""
    seen = Seen(through_libsystemd(daemon.directory))
    seen.until(lambda seen: message in seen.messages())
    seen.reader.close()


def test_entries_come_as_they_are_logged(daemon: Daemon, make: Make) -> None:
    """Also such as have newlines, and bytes that are no text."""
    seen = Seen(make(daemon.directory))
    daemon.log(b"say one", SYSLOG_IDENTIFIER="me", PRIORITY="3", SYSLOG_FACILITY="4")
    seen.has(b"say one")
    daemon.log(b"say \x1b[31m two\nlines \xff\xfe", SYSLOG_IDENTIFIER="me")
    seen.has(b"say one", rb"say \x1b[31m two\nlines \xff\xfe")
    pattern = (
        rb'<35>1 20\d\d-\d\d-\d\dT[0-9:.]{15}Z work me \d+ - \[journal@32473 (.*) monotonic="\d+\.\d{6}"\] say one'
    )
    (match,) = [found for line in seen.lines if (found := re.fullmatch(pattern, line))]
    assert re.search(rb'transport="journal" comm="[^"]+" uid="\d+" exe="/[^"]+" boot="[0-9a-f]{32}"', match[1])
    seen.reader.close()


def test_rotation_loses_nothing(daemon: Daemon, make: Make) -> None:
    """A new file while it is followed, and another before a new reader starts."""
    seen = Seen(make(daemon.directory))
    for number in range(5):
        daemon.log(b"say %d" % number)
        daemon.rotate()
    messages = [b"say %d" % number for number in range(5)]
    seen.has(*messages)
    place = seen.place
    seen.reader.close()
    daemon.log(b"say 5")
    daemon.rotate()
    daemon.log(b"say 6")
    again = Seen(make(daemon.directory), place)
    again.has(b"say 5", b"say 6")
    assert seen.gaps == again.gaps == []
    again.reader.close()


def test_what_is_vacuumed_before_it_was_read_is_counted(daemon: Daemon, make: Make) -> None:
    """The entry where it left off is gone with some behind it: how many, and then on with what there is."""
    seen = Seen(make(daemon.directory))
    daemon.log(b"say first")
    seen.has(b"say first")
    seen.reader.close()
    for number in range(7):
        daemon.log(b"say lost %d" % number)
    on_disk(daemon, b"say lost 6")
    daemon.rotate()
    daemon.vacuum()
    daemon.log(b"say last")
    on_disk(daemon, b"say last")
    again = Seen(make(daemon.directory), seen.place)
    again.has(b"say last")
    (gap,) = again.gaps
    # journald logs of its own when it rotates.
    assert gap.lines is not None
    assert 7 <= gap.lines <= 12
    assert re.fullmatch(r"the journal behind 20[0-9T:.-]+Z was deleted before it was sent", gap.words)
    assert again.reader.go(again.place) is None
    again.reader.close()


def test_a_vacuum_under_a_slow_reader_is_noticed(daemon: Daemon) -> None:
    """Nobody restarts: it stands at an entry that goes, and says how many are missing."""
    seen = Seen(through_libsystemd(daemon.directory))
    daemon.log(b"say first")
    seen.has(b"say first")
    for number in range(7):
        daemon.log(b"say lost %d" % number)
    on_disk(daemon, b"say lost 6")
    daemon.rotate()
    daemon.vacuum()
    daemon.log(b"say last")
    on_disk(daemon, b"say last")
    seen.until(lambda seen: b"say last" in seen.messages())
    assert seen.messages() == [b"say first", b"say last"]
    assert [gap.lines is not None and 7 <= gap.lines <= 12 for gap in seen.gaps] == [True]
    seen.reader.close()


def test_a_new_file_is_read_in_order(daemon: Daemon) -> None:
    """Entries of a file that was not there when the reader looked come before later ones of others."""
    seen = Seen(through_libsystemd(daemon.directory))
    for number in range(40):
        daemon.log(b"say %d" % number)
        if number % 4 == 0:
            daemon.rotate()
        seen.has(*[b"say %d" % before for before in range(number + 1)])
    seen.reader.close()


def test_a_journal_of_another_boot_is_new(tmp_path: Path, make: Make) -> None:
    """The qube forgot its journal, and its clock went back: nothing of the new one is left out."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    write(old / "system.journal", [entry(1000, b"say old", boot="a" * 32)])
    seen = Seen(make(old))
    seen.has(b"say old")
    seen.reader.close()
    write(new / "system.journal", [entry(number, b"say %d" % number, boot="b" * 32) for number in range(3)])
    again = Seen(make(new), seen.place)
    again.has(b"say 0", b"say 1", b"say 2")
    assert [gap.lines for gap in again.gaps] == [None]
    again.reader.close()


@pytest.mark.parametrize("kind", [through_libsystemd, through_journalctl])
def test_many_entries_come_in_pieces(tmp_path: Path, kind: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several pieces, and over reopening, each one once; from any piece's place the rest."""
    monkeypatch.setattr("log_exporter.sources.journald._REOPEN", 700)
    write(tmp_path / "system.journal", [entry(number, b"say %d" % number) for number in range(2500)])
    seen = Seen(kind(tmp_path))
    seen.until(lambda seen: bool(seen.lines))
    place, count = seen.place, len(seen.lines)
    seen.has(*[b"say %d" % number for number in range(2500)])
    seen.reader.close()
    again = Seen(kind(tmp_path), place)
    again.has(*[b"say %d" % number for number in range(count, 2500)])
    again.reader.close()


def test_a_damaged_entry_is_told_of(tmp_path: Path, make: Make) -> None:
    """It is no line that somebody left empty: it says that it has no message, and all others are what they were."""
    path = tmp_path / "x.journal"
    write(path, [entry(number, b"say %d" % number) for number in range(20)])
    for number in (0, 7, 8, 19):
        damage(path, b"say %d" % number)
    seen = Seen(make(tmp_path))
    seen.until(lambda seen: len(seen.lines) == 20)
    marked = [number for number, line in enumerate(seen.lines) if b' message="none"] ' in line]
    assert marked == [number for number, line in enumerate(seen.lines) if line.endswith(b"] ")] == [0, 7, 8, 19]
    assert all(line.endswith(b"] say %d" % number) for number, line in enumerate(seen.lines) if number not in marked)
    seen.reader.close()


def test_a_directory_that_is_missing_is_told_of(tmp_path: Path, make: Make) -> None:
    """It may come: until then each call says so, and then what is in it is sent."""
    reader = make(tmp_path / "none")
    for _ in range(2):
        assert reader.go(None) is None
        with pytest.raises(SourceError, match="/none: No such file or directory"):
            reader.read()
        assert reader.fileno() is None
    (tmp_path / "none").mkdir()
    write(tmp_path / "none" / "x.journal", [entry(1, b"say here")])
    seen = Seen(reader)
    seen.has(b"say here")
    reader.close()


@pytest.mark.parametrize("through", ["libsystemd", "journalctl"])
def test_current_boot_only(tmp_path: Path, through: str) -> None:
    """`boot = "current"` leaves out what other boots have said, and what it left out is not missed."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    entries = Entries("work", Choice(), Names(), 7)

    def make(*, current: bool) -> Reader:
        if through == "libsystemd":
            return Journald(libsystemd.load(), entries, str(tmp_path), current_boot=current)
        return Journalctl(entries, str(tmp_path), current_boot=current)

    write(tmp_path / "system.journal", [entry(number, b"say old %d" % number) for number in range(3)])
    before = Seen(make(current=False))
    before.until(lambda seen: bool(seen.lines))
    place = before.place
    before.reader.close()
    more = [entry(number, b"say old %d" % number) for number in range(3, 6)]
    write(tmp_path / "system.journal", [*more, entry(6, b"say new", boot=boot)])
    write(tmp_path / "system.journal", [entry(7, b"say of another machine")])
    for start in (None, place):
        seen = Seen(make(current=True), start)
        seen.has(b"say new")
        seen.reader.close()
        assert seen.gaps == []
    again = Seen(make(current=True), seen.place)
    write(tmp_path / "system.journal", [entry(8, b"say newer", boot=boot)])
    again.has(b"say newer")
    again.reader.close()
    assert again.gaps == []


def test_all_boots(tmp_path: Path, make: Make) -> None:
    """Those that came before the last one too, from the start and from a place in any of them; none is told missing."""
    boots = ["b" * 32] * 3 + ["c" * 32] * 3 + ["a" * 32] * 3
    entries = [entry(number, b"say %d" % number, boot=boot) for number, boot in enumerate(boots)]
    write(tmp_path / "system.journal", entries[:4])
    seen = Seen(make(tmp_path))
    seen.has(*[b"say %d" % number for number in range(4)])
    seen.reader.close()
    write(tmp_path / "system.journal", entries[4:])
    again = Seen(make(tmp_path), seen.place)
    again.has(*[b"say %d" % number for number in range(4, 9)])
    again.reader.close()
    assert seen.gaps == again.gaps == []


class TwoBoots:
    """A journal whose files have no common numbers: one of a boot that is over, one of this boot."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")

    def old(self, *seconds: int) -> None:
        """Log in the boot that is over."""
        write(self.directory / "old.journal", [entry(second, b"say old %d" % second) for second in seconds])

    def new(self, *seconds: int) -> None:
        """Log in this boot."""
        entries = [entry(second, b"say new %d" % second, boot=self.boot) for second in seconds]
        write(self.directory / "new.journal", entries)


def test_a_clock_that_was_set_back_over_a_boot(tmp_path: Path, make: Make) -> None:
    """This boot's entries stand before those of the last: each comes once all the same, live and after restarts."""
    boots = TwoBoots(tmp_path)
    boots.old(100, 102, 104)
    seen = Seen(make(tmp_path))
    seen.has(b"say old 100", b"say old 102", b"say old 104")
    place = seen.place
    boots.new(0, 1, 2)
    new = [b"say new 0", b"say new 1", b"say new 2"]
    seen.has(b"say old 100", b"say old 102", b"say old 104", *new)
    seen.reader.close()
    boots.new(105)
    for start, expected in ((place, [*new, b"say new 105"]), (seen.place, [b"say new 105"])):
        again = Seen(make(tmp_path), start)
        again.has(*expected)
        assert again.gaps == []
        again.reader.close()


def test_the_boot_after_a_clock_that_was_set_back(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was set right in between: the next boot comes behind what was read, and nothing else comes again."""
    monkeypatch.setattr("log_exporter.sources.journalctl._QUIET", 0.3)
    boots = TwoBoots(tmp_path)
    boots.old(100, 102)
    seen = Seen(make(tmp_path))
    seen.has(b"say old 100", b"say old 102")
    boots.new(0, 1, 200)
    seen.has(b"say old 100", b"say old 102", b"say new 0", b"say new 1", b"say new 200")
    seen.reader.close()
    for module in ("journald", "journalctl"):
        monkeypatch.setattr(f"log_exporter.sources.{module}.current_boot_id", lambda: "c" * 32)
    boots.new(201)
    write(tmp_path / "next.journal", [entry(second, b"say next %d" % second, boot="c" * 32) for second in (300, 301)])
    again = Seen(make(tmp_path), seen.place)
    again.has(b"say new 201", b"say next 300", b"say next 301")
    write(tmp_path / "next.journal", [entry(302, b"say next 302", boot="c" * 32)])
    again.has(b"say new 201", b"say next 300", b"say next 301", b"say next 302")
    again.reader.close()
    assert seen.gaps == again.gaps == []


@pytest.mark.parametrize(
    ("kind", "size"),
    [*((through_libsystemd, size) for size in (1, 2, 1000)), *((through_journalctl, size) for size in (400, 262144))],
)
def test_two_boots_between_each_other(tmp_path: Path, kind: Make, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one had more to say, in the time to which the clock was set back: it is read to its end before."""
    monkeypatch.setattr("log_exporter.sources.journald._ENTRIES", size)
    monkeypatch.setattr("log_exporter.sources.journalctl._READ", size)
    monkeypatch.setattr("log_exporter.sources.journalctl._QUIET", 0.3)
    boots = TwoBoots(tmp_path)
    boots.old(100, 102, 104)
    before = Seen(kind(tmp_path))
    before.has(b"say old 100", b"say old 102", b"say old 104")
    before.reader.close()
    boots.new(0, 1, 105, 107)
    boots.old(106, 108)
    rest = [b"say old 106", b"say old 108", *[b"say new %d" % second for second in (0, 1, 105, 107)]]
    place, count = before.place, 0
    while count < len(rest):
        seen = Seen(kind(tmp_path), place)
        seen.until(lambda seen: bool(seen.messages()))
        place, count = seen.place, count + len(seen.messages())
        assert seen.messages() == rest[count - len(seen.messages()) : count]
        assert seen.gaps == []
        seen.reader.close()


@pytest.mark.parametrize("through", ["libsystemd", "journalctl"])
def test_the_systems_own_journal(daemon: Daemon, through: str) -> None:
    """Where no directory is named: all of this machine, and not what lies there of others."""
    other = daemon.directory.parent / ("0" * 32)
    other.mkdir()
    write(other / "system.journal", [entry(1, b"say other", _MACHINE_ID="0" * 32)])
    daemon.log(b"say own")
    on_disk(daemon, b"say own")
    program = f"""
import os, sys
sys.path.insert(0, "exporter")
from pathlib import Path
from tests.exporter.test_journald import Seen, through_{through}
seen = Seen(through_{through}(Path()))
seen.until(lambda seen: seen.messages())
print(seen.messages())
"""
    assert daemon.inside(sys.executable, "-c", program) == b"[b'say own']\n"


def test_journalctl_that_is_killed_is_started_again(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it had begun to say is said again, once."""
    monkeypatch.setattr("log_exporter.sources.journalctl._RESTART", 0.0)
    seen = Seen(through_journalctl(daemon.directory))
    for number in range(20):
        daemon.log(b"say %d" % number)
        if number % 5 == 2:
            assert isinstance(seen.reader, Journalctl)
            assert seen.reader._process
            seen.reader._process.kill()
        seen.has(*[b"say %d" % before for before in range(number + 1)])
    seen.reader.close()


@given(st.lists(VALUES, min_size=1, max_size=40))
@settings(deadline=None, max_examples=25)
def test_every_field_comes_back_from_a_real_journal(entries: list[dict[bytes, bytes]]) -> None:
    """Written into a journal file and read from it, through libsystemd and through journalctl: the same lines."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory / "system.journal", [[*timed(number), *one.items()] for number, one in enumerate(entries)])
        lines: list[list[bytes]] = []
        for reader in (through_libsystemd(directory), through_journalctl(directory)):
            seen = Seen(reader)
            seen.until(lambda seen: len(seen.lines) >= len(entries))
            reader.close()
            lines.append(seen.lines)
    assert lines[0] == lines[1]
    for number, (text, values) in enumerate(zip(lines[0], entries, strict=True)):
        is_line_of(text + b"\n", values)
        assert parsed(text + b"\n")["monotonic"] == b"%d.000007" % number


def timed(number: int) -> list[tuple[bytes, bytes]]:
    """Return what an entry of a numbered second begins with."""
    times = [(b"__REALTIME_TIMESTAMP", b"%d" % (1_795_000_000_000_000 + number * 1_000_000))]
    return [*times, (b"__MONOTONIC_TIMESTAMP", b"%d" % (number * 1_000_000 + 7)), (b"_BOOT_ID", BOOT.hex().encode())]


@pytest.mark.parametrize("size", [LONGEST_SENT, LONGEST_SENT + 1, 16 << 20])
def test_nobody_fills_our_memory_with_a_message(tmp_path: Path, make: Make, size: int) -> None:
    """Any user may log some hundred MiB in one entry: what is too much is left out, and how much is kept is told."""
    message = b"%0*d" % (size, 7)
    write(tmp_path / "system.journal", [entry(0, message), entry(1, b"say after", SYSLOG_IDENTIFIER="x" * size)])
    seen = Seen(make(tmp_path))
    tracemalloc.start()
    try:
        seen.until(lambda seen: len(seen.lines) >= 2)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
        seen.reader.close()
    found = parsed(seen.lines[0] + b"\n")
    kept = min(size, LONGEST_SENT)
    assert found["message"] == message[: len(found["message"])]
    assert len(found["message"]) in (kept, kept if size > LONGEST_READ else size - (64 << 10))
    assert found.get("cut") == (None if size <= LONGEST_SENT else b"%d" % len(found["message"]))
    assert seen.messages() == [b"say after"]
