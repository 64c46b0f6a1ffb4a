"""Files are followed through all that happens to log files."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from log_exporter.line import Plain
from log_exporter.sources.files import Files
from log_exporter.sources.followed import Followed, open_regular
from log_exporter.sources.shape import LINES
from log_exporter.state import State
from log_exporter.wire import Greeting
from tests.exporter.bench import Bench


def append(path: Path, data: bytes) -> None:
    """Write to a log as a logging program does."""
    with path.open("ab") as log:
        log.write(data)


def test_what_is_there_is_shipped_byte_for_byte(bench: Bench) -> None:
    """Any bytes but the newline are a line's own; an empty line is a line."""
    (bench.logs / "a.log").write_bytes(b"one\n\n\0\r\xff\x1b[31m\\\n \n")
    assert bench.ship() == ""
    assert bench.stored() == [b"one", b"", b"\0\r\xff\x1b[31m\\", b" "]


def test_lines_are_dressed_in_rfc_5424(bench: Bench) -> None:
    """Without --plain, each line has a head with program and path, and is escaped."""
    path = bench.logs / "app.log"
    path.write_bytes(b"one\ttwo\n\n")
    exporter = bench.exporter("files", "*.log", "--state-dir", str(bench.state), "--once")
    assert bench.end_of(exporter) == ""
    head = f'<13>1 - {os.uname().nodename} app.log - - [file@32473 path="{path}"] '.encode()
    assert bench.stored() == [head + rb"one\x09two", head]


def test_a_second_run_ships_only_what_is_new(bench: Bench) -> None:
    """The cursor is in the state directory, so nothing comes twice."""
    log = bench.logs / "a.log"
    append(log, b"1\n")
    bench.ship()
    bench.ship()
    append(log, b"2\n")
    bench.ship()
    assert bench.stored() == [b"1", b"2"]


def test_an_unfinished_line_waits_for_its_end(bench: Bench) -> None:
    """With --once the last line without a newline is left for the next run."""
    log = bench.logs / "a.log"
    append(log, b"whole\nhal")
    bench.ship()
    assert bench.stored() == [b"whole"]
    append(log, b"f\n")
    bench.ship()
    assert bench.stored() == [b"whole", b"half"]


def test_a_followed_file_is_shipped_as_it_grows(bench: Bench) -> None:
    """New lines and new files arrive while the exporter runs, and SIGTERM ends it with exit code 0."""
    append(bench.logs / "a.log", b"1\n")
    exporter = bench.files()
    bench.until_stored(b"1")
    append(bench.logs / "a.log", b"2\nun")
    bench.until_stored(b"1", b"2")
    append(bench.logs / "b.log", b"3\n")
    bench.until_stored(b"1", b"2", b"3")
    append(bench.logs / "a.log", b"finished\n")
    bench.until_stored(b"1", b"2", b"3", b"unfinished")
    assert bench.stop(exporter) == ""
    assert exporter.returncode == 0


def test_an_interrupt_is_a_stop_too(bench: Bench) -> None:
    """Ctrl-C gives no traceback, and saves the cursor like SIGTERM."""
    append(bench.logs / "a.log", b"1\n")
    exporter = bench.files()
    bench.until_stored(b"1")
    exporter.send_signal(signal.SIGINT)
    assert bench.end_of(exporter) == ""
    assert exporter.returncode == 0


def test_a_renamed_file_is_read_to_its_end(bench: Bench) -> None:
    """After a rotation lines that still go to the old file come, although its name no longer matches."""
    log, old = bench.logs / "a.log", bench.logs / "old"
    append(log, b"1\n")
    exporter = bench.files("*.log")
    bench.until_stored(b"1")
    log.rename(old)
    append(old, b"2\n")
    append(log, b"3\n")
    bench.until_stored(b"1", b"2", b"3")
    append(old, b"4\n")
    bench.until_stored(b"1", b"2", b"3", b"4")
    assert bench.stop(exporter) == ""


def test_a_file_that_was_renamed_meanwhile_is_found_again(bench: Bench) -> None:
    """While no exporter ran the log was rotated: first comes the rest of the old file, then the new one."""
    log = bench.logs / "a.log"
    append(log, b"1\n")
    bench.ship("*.log")
    append(log, b"2\n")
    log.rename(bench.logs / "a.old")
    append(log, b"3\n")
    bench.ship("*.log")
    assert bench.stored() == [b"1", b"2", b"3"]


def test_a_deleted_file_is_read_to_its_end(bench: Bench) -> None:
    """The open descriptor still has the lines, and the last of them need no newline."""
    log = bench.logs / "a.log"
    append(log, b"1\n")
    exporter = bench.files()
    bench.until_stored(b"1")
    exporter.send_signal(signal.SIGSTOP)
    append(log, b"2\n3")
    log.unlink()
    append(log, b"4\n")
    exporter.send_signal(signal.SIGCONT)
    bench.until_stored(b"1", b"2", b"3", b"4")
    bench.until(lambda: not any(name.endswith("a.log (deleted)") for name in open_files(exporter.pid)))
    assert bench.stop(exporter) == ""
    assert not bench.notes()


def open_files(process: int) -> list[str]:
    """Return what the descriptors of a process are."""
    return [os.readlink(descriptor) for descriptor in Path(f"/proc/{process}/fd").iterdir()]


def test_a_line_cut_by_rotation_is_not_joined_later(bench: Bench) -> None:
    """The last line of a rotated file is sent without its newline; what comes behind it is the next line."""
    log, old = bench.logs / "a.log", bench.logs / "a.log.1"
    append(log, b"1\ncut")
    exporter = bench.files()
    bench.until_stored(b"1")
    log.rename(old)
    append(log, b"2\n")
    bench.until_stored(b"1", b"cut", b"2")
    append(old, b" late\n")
    bench.until_stored(b"1", b"cut", b"2", b" late")
    exporter.kill()
    exporter.wait()
    bench.ship()
    assert bench.stored() == [b"1", b"cut", b"2", b" late"]


def test_a_truncated_file_begins_anew(bench: Bench) -> None:
    """copytruncate: what was read before stays, what comes after is new, and a line says what may be lost."""
    log = bench.logs / "a.log"
    append(log, b"1\n2\n")
    exporter = bench.files()
    bench.until_stored(b"1", b"2")
    os.truncate(log, 0)
    append(log, b"3\n")
    bench.until_stored(b"1", b"2", b"3")
    assert bench.stop(exporter) == ""
    assert bench.notes() == [f"truncated: {log} was truncated or rewritten: lines behind byte 4, if any, are lost"]


def test_a_file_that_grew_again_after_truncation_begins_anew(bench: Bench) -> None:
    """New content that is longer than the old is known by what stands before the cursor."""
    log = bench.logs / "a.log"
    append(log, b"same start\nold\n")
    exporter = bench.files()
    bench.until_stored(b"same start", b"old")
    log.write_bytes(b"same start\nnew content that is longer\n")
    bench.until_stored(b"same start", b"old", b"same start", b"new content that is longer")
    assert bench.stop(exporter) == ""
    assert [note.split(":")[0] for note in bench.notes()] == ["truncated"]


def test_a_file_that_was_rewritten_meanwhile_begins_anew(bench: Bench) -> None:
    """While no exporter ran the file got other content; the line says how much of the old one was read."""
    log = bench.logs / "a.log"
    append(log, b"1\n2\n")
    bench.ship()
    log.write_bytes(b"other\nlines\n")
    bench.ship()
    assert bench.stored() == [b"1", b"2", b"other", b"lines"]
    assert bench.notes() == [f"gone: {log} is gone or rewritten: lines behind byte 4, if any, are lost"]


def test_lost_lines_are_counted(bench: Bench) -> None:
    """Lines that were read, not stored, and are no longer there are named with their number."""
    a, b = bench.logs / "a.log", bench.logs / "b.log"
    append(a, b"1\n2\n3\n4\n")
    append(b, b"5\n")
    os.utime(a, (1, 1))
    exporter = bench.files(bad="--bad dies --after 3")
    bench.until(lambda: len(bench.stored()) >= 3)
    exporter.kill()
    exporter.wait()
    a.unlink()
    bench.ship()
    assert [line for line in bench.stored() if line != b"5"][:3] == [b"1", b"2", b"3"]
    assert bench.notes()[0] == f"gone: {a} is gone or rewritten: lines behind byte 8, if any, are lost"
    assert bench.notes()[1] == f"lost: 1 lines of {a} are lost: read, not stored, and no longer in the file"


@pytest.mark.parametrize("size", [255 * 1024, 256 * 1024, 3_000_000])
def test_a_long_line_is_one_line(bench: Bench, size: int) -> None:
    """A line may be longer than any buffer, also in the middle of others."""
    long = bytes(range(11, 251)) * (size // 240)
    append(bench.logs / "a.log", b"before\n" + long + b"\nafter\n")
    bench.ship()
    assert bench.stored() == [b"before", long, b"after"]


def test_a_long_line_is_escaped_like_a_short_one(bench: Bench) -> None:
    """The parts of a long line are cut between characters."""
    append(bench.logs / "a.log", "a€".encode() * 300_000 + b"\n")
    exporter = bench.exporter("files", "*.log", "--state-dir", str(bench.state), "--once")
    assert bench.end_of(exporter) == ""
    assert bench.stored()[0].endswith(b"] " + "a€".encode() * 300_000)


def test_a_long_line_without_end_keeps_nobody_waiting(bench: Bench) -> None:
    """A line is begun only when its end is there, so other files go on."""
    append(bench.logs / "a.log", b"x" * 600_000)
    exporter = bench.files()
    append(bench.logs / "b.log", b"1\n")
    bench.until_stored(b"1")
    append(bench.logs / "a.log", b"y\n")
    bench.until_stored(b"1", b"x" * 600_000 + b"y")
    (bench.logs / "a.log").unlink()
    assert bench.stop(exporter) == ""


def test_a_huge_file_without_newline_keeps_nobody_waiting(bench: Bench) -> None:
    """To look for the end of a line takes turns: other files go on, and a stop is heard."""
    with (bench.logs / "a.log").open("wb") as sparse:
        sparse.truncate(1 << 40)
    append(bench.logs / "b.log", b"1\n")
    exporter = bench.files()
    bench.until_stored(b"1")
    assert bench.stop(exporter) == ""


def test_a_line_whose_end_takes_turns_to_find_is_sent_once(bench: Bench) -> None:
    """With --once nobody leaves before all of a long line was looked through, though other files have nothing."""
    append(bench.logs / "a.log", b"x" * 6_000_000 + b"\n")
    append(bench.logs / "b.log", b"")
    bench.ship()
    assert bench.stored() == [b"x" * 6_000_000]


def test_only_regular_files_are_read(bench: Bench) -> None:
    """Links, pipes, directories and compressed files are left alone; the user is told of links."""
    (bench.directory / "secret").write_bytes(b"secret\n")
    (bench.logs / "link.log").symlink_to(bench.directory / "secret")
    os.mkfifo(bench.logs / "fifo.log")
    (bench.logs / "directory.log").mkdir()
    (bench.logs / "a.log.gz").write_bytes(b"compressed\n")
    append(bench.logs / "a.log", b"1\n")
    said = bench.ship()
    assert bench.stored() == [b"1"]
    assert said == f"log-exporter: {bench.logs}/link.log: is a link, and not followed\n"


def test_a_file_that_cannot_be_read_is_told_of_once(bench: Bench) -> None:
    """The others are shipped all the same, and no descriptor is left behind."""
    append(bench.logs / "a.log", b"1\n")
    exporter = bench.files("*.log", "/proc/self/mem")
    bench.until_stored(b"1")
    before = open_files(exporter.pid)
    append(bench.logs / "b.log", b"2\n")
    bench.until_stored(b"1", b"2")
    assert len(open_files(exporter.pid)) == len(before) + 1
    assert bench.stop(exporter) == "log-exporter: /proc/self/mem: Input/output error\n"


def test_names_that_are_no_text_are_shown_escaped(bench: Bench) -> None:
    """A file name can hold anything but a slash, and none of it reaches a terminal."""
    os.symlink("nowhere", os.fsencode(bench.logs) + b"/\x1b]0;\xff\n.log")
    assert bench.ship() == f"log-exporter: {bench.logs}/\\x1b]0;\\xff\\n.log: is a link, and not followed\n"


def test_older_files_come_first(bench: Bench) -> None:
    """At the first start rotated files are read in the order in which they were written."""
    for age, name in ((1, "a.log"), (2, "a.log.1"), (3, "a.log.2")):
        append(bench.logs / name, f"{age}\n".encode())
        os.utime(bench.logs / name, (1000 - age, 1000 - age))
    bench.ship()
    assert bench.stored() == [b"3", b"2", b"1"]


def test_a_changed_configuration_is_told_and_loses_nothing(bench: Bench) -> None:
    """With other patterns the old files still stand where they stood."""
    append(bench.logs / "a.log", b"1\n")
    append(bench.logs / "b.txt", b"2\n")
    bench.ship("*.log")
    append(bench.logs / "a.log", b"3\n")
    bench.ship("*.log", "*.t*")
    assert sorted(bench.stored()) == [b"1", b"2", b"3"]
    assert bench.notes() == ["configuration: the exporter's patterns or line format have changed"]


def test_a_damaged_cursor_sends_all_again(bench: Bench) -> None:
    """Rather twice than never, and a line says so."""
    append(bench.logs / "a.log", b"1\n")
    bench.ship()
    (bench.state / "test.cursor").write_bytes(b"rubbish\n")
    bench.ship()
    assert bench.stored() == [b"1", b"1"]
    assert bench.notes() == ["unknown: the cursor file was damaged: all files are sent from their start"]


def test_a_collector_that_lost_lines_is_told_on(bench: Bench) -> None:
    """A store that was rolled back does not get the lines again unseen: the gap is in the log."""
    append(bench.logs / "a.log", b"1\n2\n")
    bench.ship()
    (bench.store / "stored").unlink()
    append(bench.logs / "a.log", b"3\n")
    bench.ship()
    assert bench.stored() == [b"3"]
    assert bench.notes() == ["lost: the collector no longer counts 2 lines that it had acknowledged"]


def test_a_session_that_can_no_longer_be_found(bench: Bench) -> None:
    """After eight sessions of somebody else nobody can tell; it goes on from the last acknowledged line."""
    append(bench.logs / "a.log", b"1\n")
    bench.ship()
    others = b"".join(b"%016x other\n" % number for number in range(8))
    with (bench.store / "stored").open("ab") as store:
        store.write(others)
    append(bench.logs / "a.log", b"2\n")
    bench.ship()
    assert bench.stored() == [b"1", *[b"other"] * 8, b"2"]
    assert bench.notes() == ["unknown: the collector no longer knows the last session: lines may come twice"]


def test_once_ships_what_was_there_when_it_started(bench: Bench) -> None:
    """A file that grows faster than it is read does not keep --once from ending."""
    append(bench.logs / "a.log", b"1\n2\n")
    exporter = bench.files("--once", bad="--bad mute")
    bench.until(bench.calls)
    append(bench.logs / "a.log", b"3\n")
    assert exporter.poll() is None
    exporter.kill()
    exporter.wait()
    bench.ship()
    assert bench.stored() == [b"1", b"2", b"3"]


def test_once_sends_again_what_a_lost_call_did_not_store(bench: Bench) -> None:
    """The call is lost after all was sent and before it was stored: the end has not come."""
    append(bench.logs / "a.log", b"1\n2\n3\n")
    assert bench.ship(bad="--bad dies --after 1") == "log-exporter: the call ended; trying again\n"
    assert bench.stored() == [b"1", b"2", b"3"]


def test_once_asks_all_files_again(bench: Bench) -> None:
    """The end of a round in which the last files had nothing is not the end: the first ones may have more."""
    for number in range(17):
        path = bench.logs / f"{number}.log"
        path.write_bytes(b"x" * 99 + b"\n" + b"".join(b"%099d\n" % line for line in range(2999)))
        os.utime(path, (1000 + number, 1000 + number))
    (bench.logs / "last.log").touch()
    assert bench.ship() == ""
    assert len(bench.stored()) == 17 * 3000


def test_once_looks_again_for_a_file_that_was_renamed_just_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found by its old name, and is gone when it is opened: it has not ended before the new one was read."""
    (tmp_path / "a.log").write_bytes(b"1\n")

    def renamed(path: str) -> int:
        with suppress(FileNotFoundError):
            (tmp_path / "a.log").rename(tmp_path / "a.log.1")
        return open_regular(path)

    monkeypatch.setattr("log_exporter.sources.watch.open_regular", renamed)
    source = Files([f"{tmp_path}/a.log*"], Plain(), "work", State(tmp_path / "state", "test"), once=True)
    source.begin(Greeting("1" * 16))
    data = b""
    while not source.finished:
        data += source.read()
    assert data == b"1\n"
    source.close()


def test_many_files_are_looked_at_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In proportion to their number; and one that has not changed is not read again."""
    monkeypatch.setattr("log_exporter.sources.files._MANY", 10)
    for number in range(40):
        (tmp_path / f"{number}.log").write_bytes(b"1\n")
        os.utime(tmp_path / f"{number}.log", (1000, 1000))
    source = Files([f"{tmp_path}/*.log"], Plain(), "work", State(tmp_path / "state", "test"), once=False)
    source.begin(Greeting("1" * 16))
    assert sum(data.count(b"\n") for data in iter(source.read, b"")) == 40
    for again in range(2):
        source._look_at = 0.0
        if again:
            monkeypatch.setattr("log_exporter.sources.followed.os.pread", None)
        assert source.read() == b""
    assert 1.0 < source.pause <= 2.0
    source.close()


def test_a_line_is_not_looked_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that claims more lines than there can be does not have all of a large file read."""
    path = tmp_path / "a.log"
    path.write_bytes(b"x\n" * 300_000)
    monkeypatch.setattr("log_exporter.sources.followed._FAR", 1 << 18)
    file = Followed(1, str(path), os.open(path, os.O_RDONLY), LINES, once=False)
    assert file.after(0, 10, None) == (20, 0)
    offset, missing = file.after(0, 300_001, None)
    assert 0 < offset < 600_000
    assert missing == 300_001 - offset // 2
    file.close()


def test_the_end_of_a_long_line_is_noted_at_once(bench: Bench) -> None:
    """So nobody has to read it again to find its end."""
    append(bench.logs / "a.log", b"1\n" + b"x" * 300_000 + b"\n")
    exporter = bench.files()
    bench.until(lambda: len(bench.stored()) == 2)
    exporter.kill()
    exporter.wait()
    records = (bench.state / "test.cursor").read_bytes().splitlines()
    assert b'"to":300003' in records[-1]
    assert bench.ship() == ""
    assert len(bench.stored()) == 2


def test_nothing_to_ship_is_shipped(bench: Bench) -> None:
    """Patterns that match nothing yet are no mistake."""
    assert bench.ship() == ""
    assert bench.stored() == []


def test_many_files_in_turn(bench: Bench) -> None:
    """Two hundred files, more than one round, all arrive, each in its order."""
    lines = [f"{file} {line}" for file in range(200) for line in range(30)]
    for line in lines:
        append(bench.logs / f"{line.split()[0]}.log", f"{line} {'x' * 1500}\n".encode())
    bench.ship()
    stored = [line.decode().rsplit(" ", 1)[0] for line in bench.stored()]
    assert sorted(stored, key=lambda line: int(line.split()[0])) == lines


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing.log", "No such file"),
        ("fifo.log", "is no regular file"),
        ("old.gz", "is compressed"),
        ("link", "is a link"),
    ],
)
def test_a_file_that_was_named_and_cannot_be_read_is_a_failure(bench: Bench, name: str, told: str) -> None:
    """With --once a typo, or a file of the wrong kind, ends with 3; the other files are shipped all the same."""
    append(bench.logs / "a.log", b"1\n")
    os.mkfifo(bench.logs / "fifo.log")
    (bench.logs / "old.gz").write_bytes(b"x\n")
    (bench.logs / "link").symlink_to("a.log")
    exporter = bench.files("a.lo[g]*", str(bench.logs / name), "--once")
    said = bench.end_of(exporter)
    assert exporter.returncode == 3
    assert told in said
    assert bench.stored() == [b"1"]


def test_a_fifo_in_the_place_of_the_cursor_file_is_refused(bench: Bench) -> None:
    """It must not hang, and is told in one line."""
    append(bench.logs / "a.log", b"1\n")
    bench.state.mkdir(exist_ok=True)
    os.mkfifo(bench.state / "test.cursor")
    exporter = bench.files("--once")
    said = bench.end_of(exporter)
    assert exporter.returncode == 2
    assert "is no regular file" in said
