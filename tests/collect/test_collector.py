"""`log-collector --stdio` as qrexec starts it: a real process, real pipes, a real store."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from logchain.collect.descriptor import APPEND, check_call
from logchain.format.errors import UsageError
from logchain.format.limits import MAX_PART
from logchain.read.verify import Verdict
from tests.collect.call import PATIENCE, Call
from tests.conftest import Collector, Store
from tests.format.vectors import Vector, raw, vectors

Process = subprocess.Popen[bytes]


def serve(process: Process, data: bytes = b"", code: int = 0) -> list[bytes]:
    """Send data, say that this was all, and return what came down."""
    out = process.communicate(data, PATIENCE)[0]
    assert process.returncode == code
    assert out.endswith(b"\n")
    return out.split(b"\n")[:-1]


def tree(path: Path) -> dict[str, bytes]:
    """Return all files below a path, and directories as empty."""
    return {
        str(found.relative_to(path)): found.read_bytes() if found.is_file() else b""
        for found in sorted(path.rglob("*"))
    }


def test_lines_are_stored_and_acknowledged(store: Store, collector: Collector) -> None:
    """A half close ends the call; the last `ok` says that all of it is durable."""
    said = serve(collector(), b"one\n\ntwo\r\n\0\xff\n" + b"x" * (MAX_PART + 1) + b"\ncut")
    assert re.fullmatch(rb"logchain/1 session=[0-9a-f]{16} resume=", said[0])
    assert said[-1] == b"ok 5"
    assert store.lines() == [b"one", b"", b"two\r", b"\0\xff", b"x" * (MAX_PART + 1)]
    assert store.notes()[-1].fields["partial"] == "3"
    assert store.notes()[-1].fields["reason"] == "eof"
    assert store.notes()[1].fields["service"] == "logchain.Append"
    assert store.verdict() == Verdict.INTACT


def test_acknowledgements_come_while_the_call_goes_on(store: Store, collector: Collector) -> None:
    """Each is cumulative, and true: what it counts is in the store."""
    process = collector()
    call = Call.of(process)
    call.greeting()
    for number in range(1, 4):
        call.send(b"a\nb")
        call.send(b"\n")
        call.until_ok(2 * number)
        assert len(store.lines()) == 2 * number
    assert process.stdin
    process.stdin.close()
    assert call.last_words() == [b"ok 6"]
    assert process.wait(PATIENCE) == 0


def test_what_is_stored_can_be_resumed(store: Store, collector: Collector) -> None:
    """Eight sessions at most, newest first, and only those that stored a line."""
    known: list[bytes] = []
    for number in range(10):
        said = serve(collector(), b"line\n" * (number % 3 * 2) + b"cut")
        session, resume = re.fullmatch(rb"logchain/1 session=(.*) resume=(.*)", said[0]).groups()  # type: ignore[union-attr]
        assert resume == b",".join(known[:8])
        if number % 3:
            known.insert(0, b"%s:%d" % (session, number % 3 * 2))
    for _ in range(4):
        known.insert(0, re.fullmatch(rb".* session=(.*) resume=.*", serve(collector(), b"x\n")[0])[1] + b":1")  # type: ignore[index]
    assert serve(collector())[0].endswith(b" resume=" + b",".join(known[:8]))
    assert len(known) > 8
    assert store.verdict() == Verdict.INTACT


def test_a_kill_loses_nothing_that_was_acknowledged(store: Store, collector: Collector) -> None:
    """The next greeting tells of the session, and of at least the lines it was told of."""
    process = collector()
    call = Call.of(process)
    session = call.greeting().session
    call.send(b"one\ntwo\n")
    call.until_ok(2)
    call.send(b"three\n" * 1_000)
    process.kill()
    process.wait()
    again = Call.of(collector())
    lines = again.greeting().resume[session]
    assert lines >= 2
    assert len(store.lines()) == lines
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_order(store: Store, collector: Collector, number: signal.Signals) -> None:
    """What was read is durable and acknowledged, the session's end is noted, and the exit code is 0."""
    process = collector()
    call = Call.of(process)
    call.greeting()
    call.send(b"one\ntwo\nbegun")
    call.until_ok(2)
    process.send_signal(number)
    assert call.last_words()[-1:] == [b"ok 2"]
    assert process.wait(PATIENCE) == 0
    assert store.notes()[-1].fields["reason"] == "stop"
    assert store.lines() == [b"one", b"two"]
    assert store.verdict() == Verdict.INTACT


def test_a_sender_that_never_reads(store: Store, collector: Collector) -> None:
    """Its lines are stored all the same, and its answers are no reason to wait while it sends."""
    process = collector()
    call = Call.of(process)
    for _ in range(50):
        call.send(b"x" * 99 + b"\n" + b"y" * 70_000 + b"\n")
    call.greeting()
    call.until_ok(100)
    assert len(store.lines()) == 100


def test_a_sender_that_closes_its_reading_end(store: Store, collector: Collector) -> None:
    """EPIPE is no reason to stop storing."""
    process = collector()
    call = Call.of(process)
    call.greeting()
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    for number in range(5):
        call.send(b"%d\n" % number)
    process.communicate(b"last\n", PATIENCE)
    assert process.returncode == 0
    assert store.lines() == [b"0", b"1", b"2", b"3", b"4", b"last"]
    assert store.verdict() == Verdict.INTACT


def test_a_second_writer_is_busy(store: Store, collector: Collector) -> None:
    """It comes back later; another stream has a writer of its own, and the first is not disturbed."""
    process = collector()
    call = Call.of(process)
    call.greeting()
    assert serve(collector(), b"no\n", code=3) == [b"busy"]
    assert serve(collector(argument="other"), b"yes\n")[-1] == b"ok 1"
    call.send(b"first\n")
    call.until_ok(1)
    assert (store.lines(), store.lines(stream="other")) == ([b"first"], [b"yes"])


def refused(process: Process) -> bytes:
    """See that a call is refused for what it is; return why."""
    (line,) = serve(process, b"line\n", code=2)
    assert re.fullmatch(rb"error [ -~]{1,200}", line)
    return line


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "../../etc", "$adminvm", "1vm", "a\n", "a" * 32, "w\u00e9b", b"\xff\xfe"]
)
def test_a_vm_that_is_none(store: Store, collector: Collector, name: str | bytes) -> None:
    """It is refused in words, with exit code 2, and nothing is created."""
    before = tree(store.path)
    assert refused(collector(vm=name)).startswith(b"error not a VM name")
    assert tree(store.path) == before


def test_a_call_without_a_vm(store: Store, collector: Collector) -> None:
    """Who does not say who sends gets no stream."""
    before = tree(store.path)
    refused(collector(vm=None))
    assert tree(store.path) == before


@vectors("wire.json", "bad", "argument")
def test_arguments_that_are_refused(store: Store, collector: Collector, vector: Vector) -> None:
    """Each is refused in words, with exit code 2, and nothing is created."""
    untrusted_argument = raw(vector, "argument")
    before = tree(store.path)
    if b"\0" in untrusted_argument:  # no environment can say this; a descriptor could
        with pytest.raises(UsageError):
            check_call(APPEND, "work", untrusted_argument.decode("latin-1"))
    else:
        refused(collector(argument=untrusted_argument))
    assert tree(store.path) == before


@pytest.mark.parametrize("argument", ["../a", "qubes.Log", "a b", "\u0663"])
def test_arguments_on_the_command_line(store: Store, collector: Collector, argument: str) -> None:
    """They are looked at no less."""
    before = tree(store.path)
    refused(collector(argument, argument="main"))
    assert tree(store.path) == before


def test_where_the_stream_comes_from(store: Store, collector: Collector) -> None:
    """The command line, else what qrexec tells, else `main`."""
    serve(collector("a", argument="b"), b"1\n")
    serve(collector(argument="b"), b"2\n")
    serve(collector(argument=""), b"3\n")
    serve(collector(argument=None, vm="dom0"), b"4\n")
    assert [store.lines(stream=name) for name in ("a", "b", "main")] == [[b"1"], [b"2"], [b"3"]]
    assert store.lines("dom0") == [b"4"]


def told_of_no_store(process: Process) -> None:
    """See that a sender is told that nothing can be stored."""
    (line,) = serve(process, b"line\n", code=3)
    assert re.fullmatch(rb"error [ -~]{1,200}", line)
    assert b"internal fault" not in line


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_store(collector: Collector, tmp_path: Path, what: str) -> None:
    """The sender is told that there is none, and nothing is made."""
    path = tmp_path / "other"
    if what == "empty":
        path.mkdir()
    elif what == "file":
        path.touch()
    before = tree(tmp_path)
    told_of_no_store(collector(at=path))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("what", ["not a format", "no live", "no births"])
def test_what_is_not_a_whole_store(store: Store, collector: Collector, tmp_path: Path, what: str) -> None:
    """The sender is told the same. What is there stays; without births a stream is made that nobody can write to."""
    if what == "not a format":
        (store.path / "format").write_bytes(b"logchain store v2\n")
    else:
        (store.path / what.removeprefix("no ")).rename(tmp_path / "gone")
    before = tree(tmp_path)
    told_of_no_store(collector())
    after = tree(tmp_path)
    assert after.items() >= before.items()
    begun = {f"store/live/work{name}" for name in ("", "/main", "/main/id", "/main/lock")}
    assert after.keys() - before.keys() == (begun if what == "no births" else set())


def test_the_store_may_be_named_on_the_command_line(store: Store, collector: Collector, tmp_path: Path) -> None:
    """--store goes before the environment."""
    serve(collector("--store", str(store.path), at=tmp_path / "missing"), b"x\n")
    assert store.lines() == [b"x"]


def test_files_are_for_the_group(store: Store, collector: Collector) -> None:
    """The compressor's user reads and writes what the collector's made: 0660, and directories 2770."""
    serve(collector(), b"x\n")
    made = [store.directory().parent, *store.directory().parent.rglob("*")]
    assert {path.stat().st_mode & 0o7777 for path in made if path.is_file()} == {0o660}
    assert {path.stat().st_mode & 0o7777 for path in made if path.is_dir()} == {0o2770}


def test_over_a_socket(store: Store) -> None:
    """qrexec may hand over one socket for both ways; a reset at the end is an end, and what came before is stored."""
    ours, theirs = socket.socketpair()
    environment = os.environ | {"QREXEC_REMOTE_DOMAIN": "work", "LOGCHAIN_STORE": str(store.path)}
    command = [sys.executable, "-c", "from logchain.collect.main import main; main()", "--stdio"]
    end = theirs.fileno()
    with ours, theirs, subprocess.Popen(command, stdin=end, stdout=end, env=environment) as process:
        theirs.close()
        call = Call(ours.fileno(), ours.fileno())
        call.greeting()
        call.send(b"one\n")
        call.until_ok(1)
        call.send(b"two\nthree\n")
        assert select.select([ours], [], [], PATIENCE)[0]
        ours.close()  # with an answer unread: a reset
        assert process.wait(PATIENCE) == 0
    assert store.lines() == [b"one", b"two", b"three"]
    assert store.events()[-1] == "session-end"
    assert store.verdict() == Verdict.INTACT
