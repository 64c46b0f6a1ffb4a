"""An hour of fifty qubes at once: steady ones, bursty ones, and floods; what came of every acknowledged line.

`make load` (SECONDS=60 by default; a night: SECONDS=28800). However long it takes, it is an hour of the senders' time.
Latency is from a line sent to its `ok` received: the line is durable then. Exit code 1 where a line is missing,
doubled or out of order, a quota is not kept, or `verify` finds anything.
"""

import argparse
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench.processes import SCRIPTS, Failed, call, family, open_files, pss, running, serving
from logchain.format.ledger import fingerprint, open_genesis, split_entries

HOUR, MINUTES = 3_600, 60
LOOKS = 8  # at what is taken
QUOTA = 8 << 20
SETTINGS = f"""
[collector]
reserve = "0 B"
[store]
segment = "1 MiB"
heads = "1 min"
[tiers]
lz4-after = "1 s"
[each-vm]
rate = "1 MiB/s"
burst = "4 MiB"
quota = "{QUOTA >> 20} MiB"
keep-at-least = "1 s"
"""


class Kind(NamedTuple):
    """How a qube logs: how many there are, lines at once, and how often, s of their time; 0: as fast as it goes."""

    qubes: int
    lines: int
    every: float


KINDS = {"steady": Kind(30, 1, 10.0), "bursty": Kind(15, 200, 60.0), "flood": Kind(5, 400, 0.0)}
DISTRIBUTION = (0.5, 0.99, 1.0)


class Taken(NamedTuple):
    """What all our processes have of the machine: bytes PSS, open files, bytes on the disk."""

    memory: int
    files: int
    disk: int


class Sender:
    """A qube: it numbers its lines, and remembers when those were sent that nobody acknowledged yet."""

    def __init__(self, name: str, kind: Kind, first: float) -> None:
        self.name, self.kind, self.next = name, kind, first
        self.sent = self.acknowledged = 0
        self.taken: list[float] = []  # s from line to `ok`
        self._waiting: deque[tuple[int, float]] = deque()
        self._out, self._heard = b"", b""
        self.connection = call(name)
        self.connection.setblocking(False)

    def think(self, now: float, pace: float) -> None:
        """Log what is due; a flood always has something to say, but never more than it can get rid of."""
        if now < self.next if self.kind.every else self._out:
            return
        numbers = range(self.sent + 1, self.sent + self.kind.lines + 1)
        self._out += b"".join(b"%b %d %b\n" % (self.name.encode(), number, b"x" * 120) for number in numbers)
        self.sent = numbers[-1]
        self._waiting.append((self.sent, now))
        self.next += self.kind.every * pace

    def speak(self) -> None:
        """Send as much as is taken."""
        if self._out:
            with suppress(BlockingIOError):
                self._out = self._out[self.connection.send(self._out) :]

    def hear(self, now: float) -> None:
        """Take the collector's words."""
        with suppress(BlockingIOError):
            data = self.connection.recv(65_536)
            if not data:
                raise Failed(f"{self.name}: the collector hung up behind {self.acknowledged} lines")
            *words, self._heard = (self._heard + data).split(b"\n")
            for word in words:
                if not word.startswith(b"ok "):
                    raise Failed(f"{self.name}: the collector says {word!r}")
                self.acknowledged = int(word[3:])
        while self._waiting and self._waiting[0][0] <= self.acknowledged:
            self.taken.append(now - self._waiting.popleft()[1])

    @property
    def is_done(self) -> bool:
        """Whether all that was said is acknowledged."""
        return not self._out and self.acknowledged == self.sent

    def hang_up(self) -> None:
        """Say that this was all, and wait for the end."""
        self.connection.setblocking(True)
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(65_536):
            pass
        self.connection.close()


def senders(pace: float) -> Iterator[tuple[str, Sender]]:
    """Connect all of them; those of a kind begin one after the other, not at once."""
    for name, kind in KINDS.items():
        for number in range(kind.qubes):
            first = time.monotonic() + kind.every * pace * number / kind.qubes
            yield name, Sender(f"{name}-{number}", kind, first)


def converse(found: list[tuple[str, Sender]], seconds: float, processes: list[int]) -> list[Taken]:
    """Let them log for so long, then until all is acknowledged; return what is taken in the course of it.

    The last process is the compressor, to which a minute is one of theirs too.
    """
    course: list[Taken] = []
    begun = look = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for _, sender in found:
            selector.register(sender.connection, selectors.EVENT_READ, sender)
        while True:
            now = time.monotonic()
            over = now - begun >= seconds
            if over and all(sender.is_done for _, sender in found):
                break
            if now >= look:
                os.kill(processes[-1], signal.SIGHUP)
                look = now + max(1.0, seconds / MINUTES)
            if now - begun >= seconds * (len(course) + 1) / LOOKS:
                course.append(take(processes))
            for _, sender in found:
                if not over:
                    sender.think(now, seconds / HOUR)
                sender.speak()
            for key, _ in selector.select(0.002):
                key.data.hear(time.monotonic())
    for _, sender in found:
        sender.hang_up()
    return course


def take(processes: list[int]) -> Taken:
    """Look at what these processes, and all that descend from them, have now."""
    found = [pid for first in processes for pid in family(first)]
    return Taken(sum(map(pss, found)), sum(map(open_files, found)), on_disk())


def on_disk() -> int:
    """Return the room of the store, in bytes; a file that goes while we look has none."""
    size = 0
    for path in Path("store").rglob("*"):
        with suppress(FileNotFoundError):
            size += path.lstat().st_blocks * 512
    return size


def check(found: list[tuple[str, Sender]]) -> Iterator[str]:
    """Yield what is wrong with what is stored."""
    show = [f"{SCRIPTS}/logchain", "show", "--store", "store", "-o", "raw"]
    stored: dict[str, list[int]] = {sender.name: [] for _, sender in found}
    for line in subprocess.run(show, capture_output=True, check=True).stdout.decode().splitlines():
        name, number, _ = line.split(" ")
        stored[name].append(int(number))
    for kind, sender in found:
        numbers = stored[sender.name]
        first = numbers[0] if numbers else 0
        if numbers != list(range(first, sender.sent + 1)):
            yield f"{sender.name}: its {sender.sent:,} lines are not all there once, in order"
        if first != 1 and kind != "flood":
            yield f"{sender.name}: lines before {first:,} are gone, and it is not over its quota"
    told = subprocess.run(
        [f"{SCRIPTS}/logchain", "status", "--store", "store", "--config", "settings", "--json"],
        capture_output=True,
        check=False,
    )
    for row in json.loads(told.stdout)["budgets"]:
        if row["used"] > QUOTA:
            yield f"{row['name']}: {row['used']:,} bytes, and its quota is {QUOTA:,}"
    genesis = split_entries(Path("store/ledger/entries").read_bytes())[0][0]
    pinned = fingerprint(open_genesis(genesis)[1].key)
    verify = [f"{SCRIPTS}/logchain", "verify", "--store", "store", "--audit-secret", "audit", "--fingerprint", pinned]
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    if verified.returncode:
        yield verified.stdout + verified.stderr


def main() -> int:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the hour takes (60)")
    seconds = parser.parse_args().seconds
    with serving(SETTINGS) as acceptor:
        compressor = [f"{SCRIPTS}/log-compressor", "--store", "store", "--config", "settings"]
        with running(compressor, Path()) as process:
            found = list(senders(seconds / HOUR))
            course = converse(found, seconds, [acceptor, process.pid])
        subprocess.run([*compressor, "--once"], check=True, capture_output=True)
        print(
            f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {seconds:.0f} s\n"
        )
        for kind in KINDS:
            of_kind = [sender for name, sender in found if name == kind]
            taken = sorted(time for sender in of_kind for time in sender.taken)
            ranks = [taken[min(len(taken) - 1, int(len(taken) * part))] for part in DISTRIBUTION]
            lines = sum(sender.sent for sender in of_kind)
            words = ", ".join(
                f"{name} {1000 * rank:.0f}" for name, rank in zip(("p50", "p99", "most"), ranks, strict=True)
            )
            print(f"{kind:8} {len(of_kind):3} qubes {lines:12,} lines, ms to be durable: {words}")
        print("in the course of it, all processes")
        print(f"memory, MB     {' '.join(f'{taken.memory / 1e6:6.0f}' for taken in course)}")
        print(f"open files     {' '.join(f'{taken.files:6}' for taken in course)}")
        print(f"on the disk, MB{' '.join(f'{taken.disk / 1e6:6.0f}' for taken in course)}")
        wrong = list(check(found))
    print("\n".join(wrong) or "every acknowledged line is there once, in order, or was evicted; quotas kept; INTACT")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
