"""The spool: bounded, in order, over restarts, and honest about what it dropped."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from log_exporter.errors import UsageError
from log_exporter.sources import Gap, Piece, Place
from log_exporter.spool import Spool
from log_exporter.spooled import Spooled
from log_exporter.state import State
from log_exporter.wire import Greeting

LIMIT = 64 << 10


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool of 64 KiB."""
    spool = Spool(str(tmp_path / "spool"), "work", LIMIT)
    spool.go(None)
    yield spool
    spool.close()


def rest(spool: Spool) -> tuple[bytes, Place]:
    """Return all that can be read now, and the place behind it."""
    data, place = b"", {}
    while piece := spool.read():
        assert isinstance(piece, Piece)
        assert piece.lines == piece.data.count(b"\n")
        data, place = data + piece.data, piece.place
    return data, place


def lines(count: int, size: int = 100) -> bytes:
    """Return so many lines."""
    return b"".join(b"%d %b\n" % (number, b"x" * size) for number in range(count))


def test_what_was_appended_is_read_in_order_and_again(spool: Spool) -> None:
    """Over several files, from any place that was given."""
    data = b""
    for _ in range(10):
        spool.append(lines(50))
        data += lines(50)
    first = spool.read()
    assert isinstance(first, Piece)
    assert len(os.listdir(spool._path)) > 3
    more, _ = rest(spool)
    assert first.data + more == data
    spool.go(first.place)
    assert rest(spool)[0] == more
    spool.go(None)
    assert rest(spool)[0] == data


def test_a_restart_goes_on_where_it_was(spool: Spool, tmp_path: Path) -> None:
    """What was appended before a kill is read after it, and what comes then behind it."""
    spool.append(b"1\n2\n")
    _, place = rest(spool)
    spool.append(b"3\n")
    again = Spool(str(tmp_path / "spool"), "work", LIMIT)
    again.append(b"4\n")
    assert again.go(place) is None
    assert rest(again)[0] == b"3\n4\n"
    again.close()


@pytest.mark.parametrize("torn", [b"torn", b"\0" * 300_000, b""])
def test_a_torn_line_is_cut_off(spool: Spool, tmp_path: Path, torn: bytes) -> None:
    """Only whole lines count after a crash, so that no two become one."""
    spool.append(b"1\n")
    (file,) = (tmp_path / "spool").iterdir()
    with file.open("ab") as opened:
        opened.write(torn)
    again = Spool(str(tmp_path / "spool"), "work", LIMIT)
    again.append(b"2\n")
    again.go(None)
    assert rest(again)[0] == b"1\n2\n"
    again.close()


def test_what_does_not_fit_is_dropped_counted_and_told(spool: Spool) -> None:
    """The stream says at once that lines are dropped, and how many as soon as there is room again."""
    for _ in range(20):
        spool.append(lines(50))
    assert spool.full or spool.size + len(lines(50)) > LIMIT
    assert spool.size < LIMIT + 1000
    data, place = rest(spool)
    kept = len(re.findall(rb"^\d+ x", data, re.MULTILINE))
    assert spool.dropped == 20 * 50 - kept > 0
    assert data.count(b" log-exporter - dropping - the spool is full: lines are dropped\n") == 1
    spool.stored(place)
    spool.append(b"after\n")
    spool.go(place)
    told, after = rest(spool)[0].splitlines()
    assert told.endswith(b" log-exporter - dropped - %d lines were dropped: the spool was full" % spool.dropped)
    assert after == b"after"


def test_what_is_stored_makes_room(spool: Spool) -> None:
    """Files go when all in them is stored; the place itself stays good."""
    for _ in range(9):
        spool.append(lines(50))
    _, place = rest(spool)
    before = spool.size
    spool.stored(place)
    assert spool.size < before / 4
    assert spool.go(place) is None
    assert rest(spool)[0] == b""


def test_what_was_dropped_is_told_over_a_restart(spool: Spool, tmp_path: Path) -> None:
    """An orderly stop is the last moment at which somebody knows how many."""
    for _ in range(20):
        spool.append(lines(50))
    spool.close()
    again = Spool(str(tmp_path / "spool"), "work", LIMIT)
    again.go(None)
    told = rest(again)[0].splitlines()[-1]
    again.close()
    assert told.endswith(b" log-exporter - dropped - %d lines were dropped: the spool was full" % spool.dropped)
    spool._reading = spool._writing = -1
    spool._directory = os.open(tmp_path, os.O_RDONLY)  # for the fixture, which closes it once more


def test_a_disk_that_takes_no_more_drops(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC in the middle of a line leaves no half of it."""
    spool.append(b"1\n")
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[: len(data) - 50])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half)
        spool.append(b"2" * 200 + b"\n3\n")
    assert spool.dropped == 2
    spool.append(b"4\n")
    one, told, four = rest(spool)[0].splitlines()
    assert (one, four) == (b"1", b"4")
    assert b" dropped - 2 lines were dropped" in told


def test_a_spool_that_was_emptied_is_told_of(spool: Spool, tmp_path: Path) -> None:
    """Somebody deleted it, or the qube forgot it: what was in it is missing, and new files are no old ones."""
    spool.append(b"1\n")
    _, place = rest(spool)
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    again = Spool(str(tmp_path / "spool"), "work", LIMIT)
    again._sizes.clear()
    gap = again.go(place)
    assert isinstance(gap, Gap)
    assert gap.lines is None
    again.close()


def test_a_file_that_was_taken_away_is_told_of(spool: Spool, tmp_path: Path) -> None:
    """While we run: what was in it is missing, what comes then goes into another, and the stream goes on."""
    spool.append(b"1\n")
    (file,) = (tmp_path / "spool").iterdir()
    file.unlink()
    gap = spool.read()
    assert isinstance(gap, Gap)
    assert gap.words == "a file of the spool cannot be read: No such file or directory"
    spool.append(b"2\n")
    assert rest(spool)[0] == b"2\n"


def test_one_that_is_larger_than_the_spool_makes_room_when_it_is_stored(tmp_path: Path) -> None:
    """Whoever can wait may go beyond the limit once, and does not wait for ever then."""
    spool = Spool(str(tmp_path / "spool"), "work", 1000)
    spool.go(None)
    spool.append(lines(50), patient=True)
    assert spool.full
    data, place = rest(spool)
    assert data == lines(50)
    spool.stored(place)
    assert not spool.full
    spool.append(b"next\n", patient=True)
    assert rest(spool)[0] == b"next\n"
    spool.close()


def test_a_line_longer_than_a_read_is_whole(tmp_path: Path) -> None:
    """It is read as one, however long."""
    spool = Spool(str(tmp_path / "spool"), "work", 16 << 20)
    spool.append(b"y" * (3 << 20) + b"\nnext\n")
    spool.go(None)
    assert rest(spool)[0] == b"y" * (3 << 20) + b"\nnext\n"
    spool.close()


def test_a_directory_that_cannot_be_is_a_mistake(tmp_path: Path) -> None:
    """One line says which, and why."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="file/spool: Not a directory"):
        Spool(str(tmp_path / "file" / "spool"), "work", LIMIT)


class Taken:
    """An intake whose lines a test gives."""

    patient = True
    finished = False

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def fileno(self) -> int:
        """Return some descriptor."""
        return 0

    def take(self) -> bytes:
        """Return the next lines."""
        return self.lines.pop(0)

    def close(self) -> None:
        """Do nothing."""


def test_a_source_that_comes_once_is_stored_once(tmp_path: Path) -> None:
    """Taken while nobody listens, sent in part, the exporter killed: each line arrives once."""
    intake = Taken()
    intake.lines = [b"1\n2\n", b"3\n"]

    def opened() -> Spooled:
        return Spooled(intake, Spool(str(tmp_path / "spool"), "work", LIMIT), "work", State(tmp_path, "test"))

    source = opened()
    source.take()
    source.begin(Greeting("1" * 16))
    assert source.read() == b"1\n2\n"
    source._resumed._state.close()
    source = opened()
    source.take()
    source.begin(Greeting("2" * 16, (("1" * 16, 1),)))
    assert source.read() == b"2\n"
    assert source.read() == b"3\n"
    assert source.read() == b""
    assert source.close() == ""


def test_who_can_wait_has_to_wait(tmp_path: Path) -> None:
    """A patient intake is not asked while the spool is full."""
    intake = Taken()
    source = Spooled(intake, Spool(str(tmp_path / "spool"), "work", 1000), "work", State(tmp_path, "test"))
    assert source.fileno() == 0
    intake.lines = [b"x" * 999 + b"\n"]
    source.take()
    assert source.fileno() is None
    intake.patient = False
    assert source.fileno() == 0
    source.close()


def test_of_who_waits_nothing_is_dropped(tmp_path: Path) -> None:
    """Also what is larger than the room that is left: it was read, and nobody has it but we."""
    intake = Taken()
    source = Spooled(intake, Spool(str(tmp_path / "spool"), "work", 1000), "work", State(tmp_path, "test"))
    intake.lines = [b"x" * 599 + b"\n"] * 2
    while intake.lines:
        assert source.fileno() == 0
        source.take()
    assert source.fileno() is None
    source.begin(Greeting("1" * 16))
    sent = b""
    while data := source.read():
        sent += data
    assert sent == (b"x" * 599 + b"\n") * 2
    source.close()
