"""A session in this process, over real pipes, with less patience than the real one has."""

import errno
import fcntl
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from logchain.collect import main as main_module
from logchain.collect import session as session_module
from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.errors import Busy, Full, StoreError, UsageError, WriteFailed
from logchain.format.keystate import Status
from logchain.format.slots import WIPED
from logchain.read.verify import Verdict
from tests.collect.call import PATIENCE, Call
from tests.collect.door import until
from tests.conftest import VM, Store


class Serving:
    """A session that runs in a thread, and the sender's side of it."""

    def __init__(self, store: Store) -> None:
        self.logged: list[str] = []
        self._up, self._stop, self._down = os.pipe(), os.pipe(), os.pipe()
        fcntl.fcntl(self._down[1], fcntl.F_SETPIPE_SZ, 4_096)  # so that a slow reader is soon too slow
        self._open = [*self._up, *self._stop, *self._down]
        self.call = Call(self._up[1], self._down[0])
        self.error: BaseException | None = None
        self.answers = Answers(self._down[1])
        session = Session(self._up[0], self.answers, store.open(), store.clock, self._stop[0], self.logged.append)
        self._thread = threading.Thread(target=self._run, args=[session])
        self._thread.start()

    def _run(self, session: Session) -> None:
        try:
            session.run("logchain.Append")
        except BaseException as error:
            self.error = error
        finally:
            self._close(self._down[1])

    def _close(self, fd: int) -> None:
        with suppress(ValueError):
            self._open.remove(fd)
            os.close(fd)

    def half_close(self) -> None:
        """Say that this was all."""
        self._close(self._up[1])

    def stop_reading(self) -> None:
        """Close the sender's reading end."""
        self._close(self._down[0])

    def stop(self) -> None:
        """Tell the session to end."""
        os.write(self._stop[1], b"\x0f")

    def ended(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """End it, whatever the test has done."""
        self.half_close()
        self.stop_reading()
        self.ended()
        for fd in list(self._open):
            self._close(fd)


@pytest.fixture
def serving(store: Store) -> Iterator[Serving]:
    """A session that waits for lines."""
    serving = Serving(store)
    yield serving
    serving.close()


def test_eof(store: Store, serving: Serving) -> None:
    """The rest is stored as cut, and the last `ok` counts whole lines."""
    session = serving.call.greeting().session.decode()
    serving.call.send(b"a\nb\nrest")
    serving.half_close()
    assert serving.call.last_words()[-1] == b"ok 2"
    serving.ended()
    assert serving.error is None
    expected = {"session": session, "reason": "eof", "lines": "2", "partial": "4"}
    assert store.notes()[-1].fields == expected
    assert store.verdict() == Verdict.INTACT


def test_stop(store: Store, serving: Serving) -> None:
    """What was read is durable; the session says why it ended."""
    serving.call.greeting()
    serving.call.send(b"a\n")
    serving.call.until_ok(1)
    serving.stop()
    assert serving.call.last_words() == [b"ok 1"]
    serving.ended()
    assert store.notes()[-1].fields["reason"] == "stop"


def test_a_quiet_session_is_kept_alive(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `ok` comes from time to time, also before the first line, and says what the last one said."""
    monkeypatch.setattr(session_module, "_KEEP_ALIVE", 0.05)
    serving = Serving(store)
    try:
        serving.call.greeting()
        assert [serving.call.answer() for _ in range(3)] == [b"ok 0"] * 3
        serving.call.send(b"a\n")
        serving.call.until_ok(1)
        assert serving.call.answer() == b"ok 1"
    finally:
        serving.close()


def test_a_line_is_acknowledged_while_more_comes_without_a_pause(serving: Serving) -> None:
    """Nobody has to stop to hear of it."""
    serving.call.greeting()
    began = time.monotonic()
    sent = 0
    while not select.select([serving.call.down], [], [], 0)[0]:
        serving.call.send(b"x" * 100 + b"\n")
        sent += 1
        assert time.monotonic() - began < PATIENCE
    serving.half_close()
    assert serving.call.last_words()[-1] == b"ok %d" % sent


def test_the_last_key_is_wiped_for_its_own_sake(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing follows a commit, the wipe reaches the disk on its own, once."""
    monkeypatch.setattr(session_module, "_WIPE", 0.05)
    real, synced = os.fdatasync, list[str]()

    def fdatasync(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    serving = Serving(store)
    try:
        serving.call.greeting()
        serving.call.send(b"a\n")
        serving.call.until_ok(1)
        until(lambda: synced[-2:] == ["ratchet", "ratchet"])  # of the commit, and of the wipe
        before = len(synced)
        time.sleep(0.2)
        assert synced[before - 3 :] == ["00000001.tags", "ratchet", "ratchet"]
        assert (store.directory() / "ratchet").read_bytes().count(WIPED) == 1
    finally:
        serving.close()


def test_lines_of_one_read_share_one_time(store: Store, serving: Serving) -> None:
    """That is when they were received."""
    serving.call.greeting()
    for number in range(1, 4):
        store.clock.now += 1_000
        serving.call.send(b"a\nb\nc\n")
        serving.call.until_ok(3 * number)
    start = store.clock.now - 3_000
    times = [record.time - start for record in store.records() if record.kind == b"-"]
    assert times == [1_000] * 3 + [2_000] * 3 + [3_000] * 3


def test_a_sender_that_is_slow_to_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what is current when it reads again, and the last `ok` if it does so in time."""
    monkeypatch.setattr(session_module, "_KEEP_ALIVE", 0.0001)
    monkeypatch.setattr(session_module, "_FAREWELL", 0.2)
    serving = Serving(store)
    try:
        until(lambda: serving.answers.waiting)
        serving.call.send(b"a\n" * 1_000)
        until(lambda: len(store.lines()) == 1_000)
        serving.call.greeting()
        until(lambda: serving.call.answer() == b"ok 1000")
        serving.half_close()
        serving.ended()  # though nobody reads: the farewell is short
        assert serving.error is None
    finally:
        serving.close()


def test_a_sender_that_closed_its_reading_end(store: Store, serving: Serving) -> None:
    """Its lines are stored to the last."""
    serving.call.greeting()
    serving.stop_reading()
    sent = list[bytes]()
    for number in range(5):
        sent.append(b"%d" % number)
        serving.call.send(sent[-1] + b"\n")
        until(lambda: store.lines() == sent)
    serving.half_close()
    serving.ended()
    assert serving.error is None


def test_a_reset_is_an_end(store: Store) -> None:
    """A socket is reset when its peer goes with answers unread: it ends the session as a half close does."""
    ours, theirs = socket.socketpair()
    stop = os.pipe()
    with ours, theirs, theirs.dup() as down:
        down.send(b"an answer that nobody reads\n")
        ours.send(b"a\nrest")
        ours.close()
        session = Session(theirs.fileno(), Answers(down.fileno()), store.open(), store.clock, stop[0], lambda _: None)
        session.run("logchain.Append")
    assert store.lines() == [b"a"]
    assert store.notes()[-1].fields["reason"] == "eof"
    for fd in stop:
        os.close(fd)


def test_a_disk_that_fails(store: Store, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session ends with the error, what was acknowledged is there, and the next says what happened."""
    serving.call.greeting()
    serving.call.send(b"kept\n")
    serving.call.until_ok(1)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as context:
        context.setattr(os, "fdatasync", fail)
        serving.call.send(b"lost\n")
        serving.ended()
    assert isinstance(serving.error, WriteFailed)
    assert serving.call.last_words() == []
    store.log(b"after")
    assert store.lines()[:1] == [b"kept"]
    assert store.lines()[-1:] == [b"after"]
    assert store.state().status == Status.OPEN
    assert store.verdict() == Verdict.INTACT


REFUSALS = [
    (Busy("x"), b"busy\n", 3),
    (Full("x"), b"full\n", 3),
    (UsageError("not a name\x1b[2J \u2713"), b"error not a name?[2J ?\n", 2),
    (WriteFailed("/dev/vdb is dying"), b"error cannot store; the LogVM's journal tells why\n", 3),
    (StoreError("no store at /secret"), b"error cannot store; the LogVM's journal tells why\n", 3),
    (RuntimeError("secret"), b"error internal fault; the LogVM's journal tells more\n", 3),
]


@pytest.mark.parametrize(("error", "line", "code"), REFUSALS, ids=[type(row[0]).__name__ for row in REFUSALS])
def test_every_error_is_an_answer(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, line: bytes, code: int
) -> None:
    """Whatever stops a call, the sender gets one line, of ours and not of the error's making."""

    def fail(*_: object) -> None:
        raise error

    logged: list[str] = []
    monkeypatch.setenv("QREXEC_REMOTE_DOMAIN", VM)
    monkeypatch.setattr(main_module, "open_stream", fail)
    monkeypatch.setattr("syslog.syslog", lambda _, text: logged.append(text))
    up, down = os.pipe(), os.pipe()
    assert main_module._serve_one(up[0], down[1], str(store.path), "") == code
    assert os.read(down[0], 1_000) == line
    assert bool(logged) == (not isinstance(error, Busy | UsageError))
    for fd in (*up, *down):
        os.close(fd)
