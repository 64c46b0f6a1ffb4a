"""How long `status`, `list` and `sessions` take on a store of ten million lines of 50 VMs, with and without a catalog.

`make bench-status`. The store is made here, by the store's own writer and compressor, without waiting for the disk: two
minutes and 1.5 GB in BENCH_DIR. It stays there, and is used again if it is found. LINES_TO_MEASURE makes it smaller.
All lines of a segment have one time: there is no text whose sessions are found faster.
"""

import os
import sys
import time
from contextlib import closing
from pathlib import Path

from bench.processes import SCRIPTS
from bench.rounds import command, median
from logchain.compress.catalog import Catalog
from logchain.format.record import LINE
from logchain.store.archive import compress_segment
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.heads import OpenHeads
from logchain.store.layout import Directory, open_store
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.opening import open_stream
from logchain.store.sealer import seal_segment

VMS, STREAMS, SEGMENTS = 50, 2, 50  # of each VM, and of each stream
LINES = int(os.environ.get("LINES_TO_MEASURE", "10000000")) // (VMS * STREAMS * SEGMENTS)  # of each segment
RUNS, SLOW_RUNS = 11, 3  # the second of what reads all text
TEXT = b"<13>1 2026-11-23T03:45:00.123456+00:00 host sshd 4711 - - Accepted publickey for amy from 10.137.0.%d port %d"


def main() -> None:
    """Make the store if it is not there, measure, and print."""
    path = Path(os.environ.get("BENCH_DIR", "/var/tmp")) / f"logchain-bench-status-{LINES}"
    if not (path / "format").exists():
        began = time.monotonic()
        make(path)
        print(f"made {VMS * STREAMS * SEGMENTS * LINES:,} lines in {time.monotonic() - began:.0f} s")
    with open_store(path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
    time.sleep(3)  # so that the catalog believes the directories' times
    with open_store(path) as store, closing(Catalog(store)) as catalog:
        catalog.refresh()
        began, before = time.monotonic(), time.process_time()
        if count := sum(1 for _ in catalog.condense()):
            used = time.process_time() - before
            print(f"condensed {count:,} segments in {time.monotonic() - began:.1f} s, {used:.1f} s of CPU")
    print(f"Python {sys.version.split()[0]}, medians of {RUNS}, ms" + 22 * " " + "wall    CPU\n")
    for words in (["status"], ["list"], ["sessions"], ["--version"]):
        measure(path, words, "")
    (path / "catalog.sqlite").rename(path / "aside")
    for words, runs in ((["status"], RUNS), (["list"], RUNS), (["sessions"], SLOW_RUNS)):
        measure(path, words, "without a catalog", runs)
    (path / "aside").rename(path / "catalog.sqlite")


def measure(path: Path, words: list[str], how: str, runs: int = RUNS) -> None:
    """Print how long a command takes."""
    environment, words = os.environ | {"LOGCHAIN_STORE": str(path)}, [f"{SCRIPTS}/logchain", *words]
    taken = median([command(words, environment, (0, 3)) for _ in range(runs)])  # 3: nobody is at work here
    wall, cpu = 1_000 * taken.amount, 1_000 * taken.cpu
    print(f"logchain {words[1]:10} {how:32} {wall:6.0f} {cpu:6.0f}")


def make(path: Path) -> None:
    """Make a store with all its segments sealed but the newest of each stream, a third of them compressed."""
    os.fdatasync = lambda fd: None  # noqa: ARG005 (its signature)
    clock = SystemClock()
    create_store(path, new_secrets()[1], clock)
    with open_store(path) as store, open_ledger(store, clock) as ledger:
        for vm in range(VMS):
            for stream in range(STREAMS):
                fill(store, ledger, f"vm{vm:02}", f"stream{stream}")
        OpenHeads().record(store, ledger)


def fill(store: Directory, ledger: Ledger, vm: str, stream: str) -> None:
    """Make one stream."""
    writer = open_stream(store, vm, stream, SystemClock())
    for segment in range(1, SEGMENTS + 1):
        writer.start_session(os.urandom(8), "logchain.Append")
        writer.append(LINE, [TEXT % (place % 256, place) for place in range(LINES)], SystemClock().wall())
        writer.end_session("eof", b"", 0)
        if segment < SEGMENTS:
            writer.roll("size")
            seal_segment(store, ledger, vm, stream, segment)
            if segment % 3 == 0:
                compress_segment(store, vm, stream, segment, ".lz4", 9)
    writer.close()


if __name__ == "__main__":
    main()
