"""Two hundred real kill -9 of `log-collector --stdio`, each at some moment: what was acknowledged is stored, once.

Each collector is a process of its own, forked from this one, which has loaded all that it needs: that takes
milliseconds. KILLS=10000 is a soak; KILL_SEED repeats a run.
"""

import os
import random
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from logchain.collect.main import main
from logchain.read.verify import Verdict
from tests.collect.call import Call
from tests.conftest import STREAM, VM, Store

KILLS = int(os.environ.get("KILLS", "200"))


class Forked:
    """A collector, with pipes to it."""

    def __init__(self, store: Store, errors: Path) -> None:
        (source, up), (down, sink) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _collect(store, errors, source, sink, (up, down))
        os.close(source)
        os.close(sink)
        self.call = Call(up, down)

    def end(self, number: int = 0) -> tuple[list[bytes], int]:
        """Kill it, or hang up; return what still came down, and how it ended."""
        if number:
            os.kill(self.pid, number)
        os.close(self.call.up)
        words = self.call.last_words()
        os.close(self.call.down)
        return words, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _collect(store: Store, errors: Path, source: int, sink: int, others: tuple[int, int]) -> None:
    try:
        for fd in others:
            os.close(fd)
        os.dup2(source, 0)
        os.dup2(sink, 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
        os.environ["QREXEC_REMOTE_DOMAIN"] = VM
        sys.argv = ["log-collector", "--stdio", STREAM, "--store", str(store.path)]
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException:
        traceback.print_exc(file=open(errors, "a"))  # noqa: SIM115 (nothing comes after)
        os._exit(99)


def line(number: int) -> bytes:
    """Return a line of this number, sometimes a long one."""
    return b"%d " % number + b"x" * (20, 300, 5_000)[number % 3]


def test_kills(store: Store, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """The sender goes on from what the next greeting tells, as the exporter does; and at the end all is there, once."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**9)))
    print(f"KILL_SEED={seed}")  # noqa: T201  (shown when the test fails)
    chance, killed, acknowledged = random.Random(seed), 0, 0
    stored, session = 0, b""  # that the last session began with
    while killed < KILLS:
        collector = Forked(store, tmp_path / "errors")
        if chance.random() < 0.25:  # while it opens the stream
            time.sleep(chance.uniform(0, 0.02))
            assert collector.end(signal.SIGKILL)[1] == -signal.SIGKILL
            killed += 1
            continue
        greeting = collector.call.greeting()
        stored += greeting.resume.get(session, 0)
        assert stored >= acknowledged
        session = greeting.session
        count = chance.randrange(1, 12)
        collector.call.send(b"".join(line(stored + number) + b"\n" for number in range(count)))
        if chance.random() < 0.3:  # however slow the machine is
            acknowledged = stored + collector.call.until_ok(count)[-1]
            collector.call.send(line(stored + count) + b"\n")
        time.sleep(chance.uniform(0, 0.04))
        words, code = collector.end(signal.SIGKILL)
        assert code == -signal.SIGKILL
        killed += 1
        for word in words:
            match = re.fullmatch(rb"ok ([0-9]+)", word)
            assert match, word
            acknowledged = max(acknowledged, stored + int(match[1]))
    last = Forked(store, tmp_path / "errors")
    stored += last.call.greeting().resume.get(session, 0)
    assert stored >= acknowledged
    last.call.send(line(stored) + b"\n")
    assert last.end() == ([b"ok 1"], 0)
    assert not (tmp_path / "errors").read_bytes()
    assert acknowledged > KILLS // 10
    assert store.lines() == [line(number) for number in range(stored + 1)]
    assert store.verdict() is Verdict.INTACT
    record_property("kills", killed)
