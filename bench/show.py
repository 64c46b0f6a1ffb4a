"""`logchain show` beside journalctl, lz4cat and grep, on the same lines of 50 VMs, in one run.

`make bench-show`. Store and journal are made once, in BENCH_DIR, with `LINES` lines (a million; docs/measured.md has
ten): the store by its own writer and compressor, all of it sealed and LZ4 but the newest lines; the journal by
systemd-journal-remote (PEERS may hold it), with the 22 fields that journald has for a service that speaks syslog;
FIELDS=few: with the five that are the fewest that make sense. Everybody writes to /dev/null. Medians of interleaved
rounds; what matters is the ratio.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from bench.processes import SCRIPTS
from bench.programs import ALL_FIELDS, FEW_FIELDS, REMOTE, find, peer
from bench.rounds import HEAD, OURS, ROUNDS, command, measure, rows
from logchain.format.audit import format_audit
from logchain.format.limits import PREFIX, TIME_SIZE
from logchain.format.record import LINE, parse_time
from logchain.read.entries import Entry, Run
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View
from logchain.store.archive import compress_segment
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.heads import OpenHeads
from logchain.store.layout import Directory, open_store
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.opening import open_stream
from logchain.store.sealer import seal_segment

LINES = int(os.environ.get("LINES_TO_MEASURE", "1000000"))
HERE = Path(os.environ.get("BENCH_DIR", "/var/tmp")) / f"logchain-bench-show-{LINES}"
FIELDS = FEW_FIELDS if os.environ.get("FIELDS") == "few" else ALL_FIELDS
JOURNAL = HERE / ("journal-few" if FIELDS == FEW_FIELDS else "journal")
STORE, AUDIT = HERE / "store", HERE / "audit"
VMS, DAYS = 50, 7
START, DAY = 1_795_405_500_000_000, 86_400_000_000  # µs since 1970; µs
RARE = "request 5eed"  # a literal that few lines have
WORDS = [bytes(Random(place).choices(b"abcdefghijklmnopqrstuvwxyz", k=3 + place % 9)) for place in range(2000)]
LOGCHAIN = f"{SCRIPTS}/logchain show --no-pager"


class Arrivals(SystemClock):
    """A clock that is set to when lines come."""

    def __init__(self, now: int) -> None:
        super().__init__()
        self.now = now

    def wall(self) -> int:
        """Return the time it is set to."""
        return self.now


def main() -> None:
    """Make what is not there, measure, and print."""
    make()
    print(f"{LINES:,} lines of {VMS} VMs, Python {sys.version.split()[0]}, medians of {ROUNDS} rounds, s")
    print(f"{os.cpu_count()} CPUs, load before {os.getloadavg()[0]:.1f} (show uses the CPUs that are idle)\n")
    print(HEAD)
    command(f"{LOGCHAIN} -n 1", environment())
    for what, ours, other in comparisons():
        print(compare(what, ours, other), flush=True)
    for count in (1, 2):
        floor = f"{sys.executable} -m bench.floor {STORE} {count}"
        sealed = f"cat {STORE}/sealed/*/*/*.lz4 | lz4cat"
        print(compare(f"lz4cat; LZ4 and SHA-256 alone, {count} of Python", floor, sealed), flush=True)


def make() -> None:
    """Make store and journal where they are not yet."""
    if not AUDIT.exists():  # the last that is made
        shutil.rmtree(HERE, ignore_errors=True)
        make_store(STORE)
    if find(REMOTE) and not JOURNAL.exists():
        make_journal(STORE, JOURNAL)


def compare(what: str, ours: str, other: str) -> str:
    """Return a row that says how long two commands take."""
    if "journalctl" in other and not JOURNAL.exists():
        return f"{what:50}not measured: {REMOTE} is not here"
    fine = (0, 1)  # journalctl and grep: nothing found
    runs = {name: partial(command, line, environment(), fine) for name, line in ((OURS, ours), (what, other))}
    return rows(measure(runs), OURS)[0]


def comparisons() -> Iterator[tuple[str, str, str]]:
    """Yield what is asked, our command for it, and another's."""
    journalctl = f"journalctl -q --no-pager -D {JOURNAL}"
    sealed = f"cat {STORE}/sealed/*/*/*.lz4 | lz4cat"
    one = f"cat {STORE}/sealed/vm07/*/*.lz4 | lz4cat"
    yield "all, -o short; journalctl -o short", f"{LOGCHAIN} -o short", f"{journalctl} -o short"
    yield "all, -o raw; lz4cat", f"{LOGCHAIN} -o raw", sealed
    yield "one VM, -o raw; lz4cat", f"{LOGCHAIN} -o raw --vm vm07", one
    yield "all, -o export; journalctl -o export", f"{LOGCHAIN} -o export", f"{journalctl} -o export"
    for what, width in (("a second", 1), ("a minute", 60), ("an hour", 3600)):
        since = START // 1_000_000 + 3 * 86_400
        window = f"-S @{since} -U @{since + width}"
        yield f"{what} of a week; journalctl -S -U", f"{LOGCHAIN} {window}", f"{journalctl} {window}"
    yield "the last 10 lines; journalctl -n 10", f"{LOGCHAIN} -n 10", f"{journalctl} -n 10"
    yield "the first line; journalctl", f"{LOGCHAIN} | head -n 1", f"{journalctl} | head -n 1"
    rare, regex = f"{LOGCHAIN} -g '{RARE}'", "request [0-9a-f]*cafe[0-9]"
    yield f"-g '{RARE}'; journalctl -g", rare, f"{journalctl} --case-sensitive=yes -g '{RARE}'"
    yield f"-g '{RARE}'; lz4cat | grep -F", rare, f"{sealed} | grep -aF '{RARE}'"
    yield f"-g '{regex}'; journalctl -g", f"{LOGCHAIN} -g '{regex}'", f"{journalctl} -g '{regex}'"
    by_line = f"^<27>.*{RARE}"
    yield f"-g '{by_line}'; lz4cat | grep -E", f"{LOGCHAIN} -g '{by_line}'", f"{sealed} | grep -aE '{RARE}'"
    loud = RARE.upper()
    yield f"-i -g '{loud}'; lz4cat | grep -i", f"{LOGCHAIN} -i -g '{loud}'", f"{sealed} | grep -aiF '{loud}'"


def environment() -> dict[str, str]:
    """Return what our command finds its store with; an installed program is compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "LOGCHAIN_STORE": str(STORE)
    }


def make_store(path: Path) -> None:
    """Make the store: a segment a day and VM, two lines a read on average, and nothing waits for the disk."""
    began = time.monotonic()
    os.fdatasync = os.fsync = lambda fd: None  # noqa: ARG005 (their signature)
    path.parent.mkdir(parents=True, exist_ok=True)
    audit, seed = new_secrets()
    create_store(path, seed, SystemClock())
    with open_store(path) as store, open_ledger(store, SystemClock()) as ledger:
        for vm in range(VMS):
            fill(store, ledger, f"vm{vm:02}", Random(vm), START + vm * 1_234_567)
        OpenHeads().record(store, ledger)
    AUDIT.write_bytes(format_audit(audit))
    print(f"made the store in {time.monotonic() - began:.0f} s")


def fill(store: Directory, ledger: Ledger, vm: str, chance: Random, now: int) -> None:
    """Make one stream."""
    clock, count = Arrivals(now), LINES // VMS // DAYS
    writer = open_stream(store, vm, "journal", clock)
    for day in range(1, DAYS + 1):
        writer.start_session(os.urandom(8), "logchain.Append")
        lines = make_lines(chance, count)
        while lines:
            read = 1 + int(chance.expovariate(1.0))
            clock.now += 1 + int(chance.expovariate(count / (1.8 * DAY)))
            writer.append(LINE, lines[-read:], clock.now)
            del lines[-read:]
            if writer.uncommitted > 4 << 20:
                writer.commit()
        writer.end_session("eof", b"", 0)
        writer.roll("age")
        seal_segment(store, ledger, vm, "journal", day)
        compress_segment(store, vm, "journal", day, ".lz4", 3)
    writer.start_session(os.urandom(8), "logchain.Append")
    writer.append(LINE, make_lines(chance, 100), clock.now)
    writer.close()


def make_lines(chance: Random, count: int) -> list[bytes]:
    """Return made-up lines of four kinds."""
    pick, bits = chance.choice, chance.getrandbits
    head = b"1 2026-11-23T03:45:00.%06d+00:00 work"
    kinds = (
        lambda: (
            b"<38>"
            + head % bits(19)
            + b" sshd %d - - Accepted publickey for %b from 10.137.0.%d port %d ssh2: ED25519 SHA256:%x"
            % (bits(15), pick(WORDS[:40]), bits(8), bits(16), bits(100))
        ),
        lambda: (
            b"<30>"
            + head % bits(19)
            + b" systemd 1 - - Started %b.service - %b %b %b."
            % (pick(WORDS[:200]), pick(WORDS), pick(WORDS), pick(WORDS))
        ),
        lambda: (
            b"<30>"
            + head % bits(19)
            + b' nginx %d - - 10.137.0.%d - - "GET /%b/%b.html HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11)"'
            % (bits(15), bits(8), pick(WORDS), pick(WORDS), bits(16))
        ),
        lambda: (
            b"<27>"
            + head % bits(19)
            + b" app %d - - request %x of %b failed: %b is not %b (code %d)"
            % (bits(15), bits(64), pick(WORDS), pick(WORDS), pick(WORDS), bits(6))
        ),
    )
    return [pick(kinds)() for _ in range(count)]


class JournalEntries:
    """Makes journal entries of lines."""

    def run(self, run: Run) -> list[bytes]:
        """Return an entry for each."""
        lines = run.untrusted_lines
        times = [parse_time(line[:TIME_SIZE]) for line in lines]
        return [
            FIELDS % {b"time": at, b"up": at - START, b"line": line[PREFIX:]}
            for at, line in zip(times, lines, strict=True)
        ]

    def entry(self, entry: Entry) -> None:
        """Leave out what is no line."""


def make_journal(path: Path, journal: Path) -> None:
    """Make journal files of the same lines, in the order in which they are shown."""
    began = time.monotonic()
    unready = journal.with_suffix(".unready")
    shutil.rmtree(unready, ignore_errors=True)
    unready.mkdir()
    command = peer(REMOTE, f"--output={unready}/x.journal", "-")
    with (
        open_store(path) as store,
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as remote,
    ):
        assert remote.stdin
        for entries in Show(View(store), Selection(), JournalEntries()).all():
            remote.stdin.write(b"".join(entries))
        remote.stdin.close()
    unready.rename(journal)
    print(f"made the journal in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
