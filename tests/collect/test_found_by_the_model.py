"""What the model in test_model found, each as short as it can be told."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partialmethod
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from logchain.read.verify import Verdict
from logchain.store.layout import Directory
from tests.collect.conftest import Doors
from tests.collect.door import DoorCall, until
from tests.collect.killable import ended, listens
from tests.collect.sender import Sender
from tests.conftest import Store

# a segment is full with its first line, and a commit comes a second after the one before
SMALL = """
from logchain.collect import pace
from logchain.store import opening, stream
pace._REST = pace._LATEST = 1.0
opening.StreamWriter = lambda *given: stream.StreamWriter(*given[:-1], given[-1]._replace(size=300))
"""
SLOW = """
import time
real = forkserver.be_instance
forkserver.be_instance = lambda *given: (time.sleep(0.5), real(*given))[1]
"""
SLOW_WEIGHING = """
import os, time
real = forkserver.weigh
forkserver.weigh = lambda *given: (os.write(2, b"weighing"), time.sleep(0.5), real(*given))[2]
"""


def test_no_ok_for_a_line_behind_the_one_that_is_durable(store: Store, new_door: Doors) -> None:
    """A full segment is committed when the next line comes: that one is in memory, and has no `OK` yet."""
    sender = Sender(Path(new_door(SMALL).path), 0, lambda _: None, stock=True)
    sender.introduce(b"qubes.Log work\0")
    until(lambda: "session-start" in store.events("work", "qubes.Log"))  # committed: the next time in a second
    sender.listen_until_greeted()
    sender.send(b"one" * 200 + b"\n")
    sender.await_reading()
    sender.send(b"two\n")
    sender.listen_until(lambda: sender.acknowledged > 0)
    assert len(store.lines("work", "qubes.Log")) >= sender.acknowledged
    sender.listen_until_acknowledged()
    sender.hang_up()


def test_stopped_while_an_instance_begins(store: Store, new_door: Doors) -> None:
    """It hears of it all the same: nobody waits for it until it has to be killed."""
    door = new_door(SLOW)
    sender = Sender(Path(door.path), 0, lambda _: None, stock=False)
    sender.introduce(b"logchain.Append+main work\0")
    began = time.monotonic()
    door.stop()
    assert time.monotonic() - began < 10.0
    assert "killed" not in door.errors()
    sender.listen_to_the_end()
    assert sender.greeted
    assert store.verdict() == Verdict.INTACT


def test_killed_while_it_weighs(new_door: Doors) -> None:
    """Nobody waits for the weights any more, and that is no fault for the log."""
    door = new_door(SLOW_WEIGHING)
    until(lambda: "weighing" in door.errors())
    server = door.fork_server()
    door.process.kill()
    door.process.wait()
    until(lambda: ended(server))
    assert "Traceback" not in door.errors()


LOOKS = ("names", "directory", "file", "read")


@pytest.mark.usefixtures("unsynced")
def test_a_stream_that_begins_while_verify_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever look of verify it comes before: there was no key state, and then there are segments, and no alarm."""
    alarms: dict[int, list[str]] = {}
    for moment in count():
        store = Store.make(tmp_path / str(moment))
        store.log(b"line", vm="other")
        store.directory().mkdir(parents=True)  # as the birth of a stream begins
        looks = iter([False] * moment + [True])  # whether the stream begins before it

        def look(self: Directory, *given: Any, real: Any, store: Store = store, looks: Iterator[bool] = looks) -> Any:
            if next(looks, False):
                store.log(b"line")
            return real(self, *given)

        with monkeypatch.context() as patched:
            for name in LOOKS:
                patched.setattr(Directory, name, partialmethod(look, real=getattr(Directory, name)))
            report = store.verify()
        if next(looks, None) is not None:  # it had looked at all of it
            break
        if report.verdict != Verdict.INTACT:
            alarms[moment] = [finding.text for stream in report.streams for finding in stream.findings]
    assert moment > 20
    assert alarms == {}


def test_a_log_that_takes_no_line(store: Store, tmp_path: Path) -> None:
    """Who cannot say what went wrong serves all the same."""
    path = tmp_path / "socket"
    command = [sys.executable, "-c", "from logchain.collect.main import main; main()"]
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen([*command, "--listen", str(path), "--store", str(store.path)], stderr=full)
    try:
        until(lambda: listens(path))
        (store.path / "live").rename(store.path / "away")
        with closing(DoorCall(str(path))) as refused:
            refused.send(b"logchain.Append+main work\0x\n")
            assert refused.answer() == b"error cannot store; the LogVM's journal tells why"
        (store.path / "away").rename(store.path / "live")
        with closing(DoorCall(str(path))) as call:
            call.send(b"logchain.Append+main work\0x\n")
            call.greeting()
            call.until_ok(1)
    finally:
        process.terminate()
        process.wait(30)
