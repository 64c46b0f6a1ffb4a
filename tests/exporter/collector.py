"""A stand-in for log-collector: a real program that speaks docs/spec/wire.md and stores durably.

It keeps a file `stored`: each line as `<session> <line>`, synced before it is acknowledged. What was torn by a
kill is cut off at the next start, so the sessions and their counts are always what the file says.

    python collector.py DIR [--bad KIND] [--after N]
"""

import argparse
import fcntl
import os
import select
import sys
import time
from pathlib import Path

KEEP_ALIVE = 0.2  # seconds; the real one takes 30


def main() -> None:
    """Serve one call on standard input and output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--bad", default="", help="how to misbehave")
    parser.add_argument("--after", type=int, default=1, help="from which line on")
    options = parser.parse_args()
    options.directory.mkdir(exist_ok=True)
    with (options.directory / "calls").open("a") as calls:
        calls.write(f"{os.getpid()}\n")
    if not _misbehave_at_once(options.bad):
        _serve(options.directory / "stored", options.bad, options.after)


def _misbehave_at_once(bad: str) -> bool:
    if bad in ("busy", "full", "error \x1b[31mred", "error no room", "nonsense", "ok 0"):
        _say(bad)
    elif bad == "refused":
        sys.exit(126)
    elif bad == "endless":
        os.write(1, b"x" * 5000)
        time.sleep(600)
    elif bad == "mute":
        time.sleep(600)
    else:
        return False
    return True


def _serve(path: Path, bad: str, after: int) -> None:
    with path.open("a+b") as store:
        try:
            fcntl.flock(store, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("busy")
            return
        session = os.urandom(8).hex()
        _say(f"logchain/1 session={session} resume={_resume(store.fileno())}")
        if bad == "never-reads":
            time.sleep(600)
        if bad == "greets-twice":
            _say(f"logchain/1 session={session} resume=")
        _Call(store.fileno(), session.encode(), bad, after).run()


def _resume(store: int) -> str:
    data = os.pread(store, os.fstat(store).st_size, 0)
    os.ftruncate(store, data.rfind(b"\n") + 1)
    counts: dict[bytes, int] = {}
    for line in data.split(b"\n")[:-1]:
        counts[line[:16]] = counts.get(line[:16], 0) + 1
    newest = list(counts.items())[:-9:-1]
    return ",".join(f"{name.decode()}:{count}" for name, count in newest)


class _Call:
    def __init__(self, store: int, session: bytes, bad: str, after: int) -> None:
        self.store, self.session, self.bad, self.after = store, session, bad, after
        self.lines = 0
        self.rest = b""

    def run(self) -> None:
        """Store lines until the sender has no more."""
        while True:
            if select.select([0], [], [], KEEP_ALIVE)[0]:
                data = os.read(0, 1 << 20)
                if not data:
                    break
                self.store_lines(data)
            if self.bad == "over" and self.lines >= self.after:
                self.lines += 1000
            if self.bad == "back" and self.lines >= self.after:
                _say(f"ok {self.lines}")
                self.lines = 0
            if self.bad != "never-acknowledges":
                _say(f"ok {self.lines}")

    def store_lines(self, data: bytes) -> None:
        """Make the lines durable; die in the middle if that is wanted."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        if self.bad == "dies" and self.lines + len(lines) >= self.after:
            lines = lines[: max(0, self.after - self.lines)]
        os.write(self.store, b"".join(b"%b %b\n" % (self.session, line) for line in lines))
        os.fdatasync(self.store)
        self.lines += len(lines)
        if self.bad == "dies" and self.lines >= self.after:
            os._exit(1)


def _say(line: str) -> None:
    try:
        os.write(1, line.encode() + b"\n")
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
