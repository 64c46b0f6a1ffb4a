"""How time grows with the records that a store has: from 10,000 to ten million, fitted and drawn.

`make growth` (MOST=10000000). Each store is made here by the store's own writer, sealer and catalog, ten streams with
segments of 4 MiB, and removed: 1 GB in BENCH_DIR. CPU time is fitted, for machines are noisy: the exponent of all sizes
by least squares of the logarithms, and of the last decade alone, where what a program takes to start counts least.
`--record` puts the table and the picture below docs/.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from math import log10
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.chart import chart
from bench.processes import SCRIPTS
from bench.record import ROOT, machine, record
from bench.rounds import Cost, command, measure, median
from bench.show import Arrivals, make_lines
from logchain.compress.catalog import Catalog
from logchain.format.audit import format_audit
from logchain.format.record import LINE
from logchain.store.archive import compress_segment
from logchain.store.creation import create_store, new_secrets
from logchain.store.heads import OpenHeads
from logchain.store.layout import Directory, open_store
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.opening import open_stream
from logchain.store.sealer import seal_segment
from logchain.store.segments import closed_segments
from logchain.store.stream import Rolling, StreamWriter

STREAMS, SEGMENT, COMMIT = 10, 4 << 20, 4 << 20
AT_ONCE, APART = 400, 10_000  # lines of one read; µs between two lines of a stream, so that a window has always as many
POOL = 4_000  # lines, more than a block has
START = 1_795_405_500_000_000  # µs since 1970
PICTURE = ROOT / "docs" / "measured" / "growth.svg"


class Step(NamedTuple):
    """What is measured, and the exponent with which it may grow."""

    name: str
    exponent: int


STEPS = [
    Step("append, every commit synced", 1),
    Step("seal, LZ4, catalog", 1),
    Step("a round with nothing to do", 0),
    Step("list", 0),
    Step("status", 0),
    Step("show, a window of 10 s", 0),
    Step("show -n 10", 0),
    Step("verify", 1),
    Step("verify --audit-secret", 1),
]
FITS = 0.2  # an exponent may be more by so much


class Watch:
    """Adds up what passes of a thing that is done in pieces."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done meanwhile."""
        began, used = time.perf_counter(), time.process_time()
        yield
        self.wall, self.cpu = self.wall + time.perf_counter() - began, self.cpu + time.process_time() - used

    def cost(self) -> Cost:
        """Return what was counted."""
        return Cost(self.wall, self.cpu)


def main() -> None:
    """Measure, print, draw, and record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000_000, help="records of the largest store")
    parser.add_argument("--record", action="store_true", help="put table and picture below docs/")
    asked = parser.parse_args()
    sizes = [10**power for power in range(4, 9) if 10**power <= asked.most]
    found: dict[str, list[Cost]] = {step.name: [] for step in STEPS}
    said = list(machine())
    print("\n".join(said), flush=True)
    for size in sizes:
        for name, cost in at(size).items():
            found[name].append(cost)
        print(f"{size:,} records measured", flush=True)
    said += ["", *table(sizes, found)]
    print("\n".join(said[3:]))
    picture = PICTURE if asked.record else ROOT / "build" / PICTURE.name
    picture.parent.mkdir(parents=True, exist_ok=True)
    curves = {
        name: [(size, cost.cpu) for size, cost in zip(sizes, costs, strict=True)] for name, costs in found.items()
    }
    picture.write_text(chart(curves, "records", "seconds of CPU time"))
    print(f"\ndrawn: {picture}")
    if asked.record:
        record("growth", "\n".join(said))


def table(sizes: list[int], found: dict[str, list[Cost]]) -> Iterator[str]:
    """Yield a row for each step: wall clock and CPU time for each size, and how it grows."""
    yield f"{'s, and s of CPU':30}" + "".join(f"{size:>18,}" for size in sizes) + f"{'exponent':>10}{'at last':>9}"
    for name, exponent in STEPS:
        costs = found[name]
        points = [(log10(size), log10(cost.cpu)) for size, cost in zip(sizes, costs, strict=True)]
        of_all, last = slope(points), slope(points[-2:])
        verdict = "as it should" if last <= exponent + FITS else f"WORSE than {exponent}"
        row = "".join(f"{cost.amount:10.3f}{cost.cpu:8.3f}" for cost in costs)
        yield f"{name:30}{row}{of_all:10.2f}{last:9.2f}  {verdict}"


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line that lies nearest to some points."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def at(size: int) -> dict[str, Cost]:
    """Make a store with so many records, and return what each step takes."""
    scratch = Path(tempfile.mkdtemp(dir=os.environ.get("BENCH_DIR", "/var/tmp")))
    try:
        append, seal = fill(scratch, size)
        found = {STEPS[0].name: append, STEPS[1].name: seal}
        middle = START // 1_000_000 + size // STREAMS * APART // 2_000_000
        words = {
            "list": ["list"],
            "status": ["status"],
            "show, a window of 10 s": ["show", "-S", f"@{middle}", "-U", f"@{middle + 10}"],
            "show -n 10": ["show", "-n", "10"],
            "verify": ["verify"],
            "verify --audit-secret": ["verify", "--audit-secret", f"{scratch}/audit"],
        }
        runs: dict[str, Callable[[], Cost]] = {
            name: partial(command, [f"{SCRIPTS}/logchain", *more, "--store", f"{scratch}/store"], None, (0, 3))
            for name, more in words.items()
        }  # 3: without a fingerprint `verify` cannot tell; who is at work here does not matter to `status`
        runs[STEPS[2].name] = partial(command, [f"{SCRIPTS}/log-compressor", "--once", "--store", f"{scratch}/store"])
        return found | {name: median(costs) for name, costs in measure(runs).costs.items()}
    finally:
        shutil.rmtree(scratch)


def fill(scratch: Path, size: int) -> tuple[Cost, Cost]:
    """Fill a store, stream after stream; return what appending took, and sealing."""
    append, seal, clock, path = Watch(), Watch(), Arrivals(START), scratch / "store"
    audit, seed = new_secrets()
    (scratch / "audit").write_bytes(format_audit(audit))
    create_store(path, seed, clock)
    with open_store(path) as store, open_ledger(store, clock) as ledger, closing(Catalog(store)) as catalog:
        for number in range(STREAMS):
            clock.now, vm = START, f"vm{number}"
            with append.running():
                writer = open_stream(store, vm, "journal", clock, Rolling(size=SEGMENT))
                writer.start_session(os.urandom(8), "logchain.Append")
            log(writer, clock, append, make_lines(Random(number), POOL), size // STREAMS)
            with append.running():
                writer.end_session("eof", b"", 0)
                writer.roll("idle")
                writer.close()
            with seal.running():
                seal_all(store, ledger, vm)
        with seal.running():
            OpenHeads().record(store, ledger)
            catalog.refresh()
            for _ in catalog.condense():
                pass
    time.sleep(3)  # so that the catalog believes the directories' times
    subprocess.run([f"{SCRIPTS}/log-compressor", "--once", "--store", path], check=True, capture_output=True)
    return append.cost(), seal.cost()


def log(writer: StreamWriter, clock: Arrivals, watch: Watch, pool: list[bytes], count: int) -> None:
    """Append so many lines."""
    batches = [pool[first : first + AT_ONCE] for first in range(0, POOL, AT_ONCE)]
    with watch.running():
        for number in range(count // AT_ONCE):
            clock.now += AT_ONCE * APART
            writer.append(LINE, batches[number % len(batches)], clock.now)
            if writer.uncommitted >= COMMIT:
                writer.commit()
        writer.append(LINE, pool[: count % AT_ONCE] or pool[:1], clock.now)
        writer.commit()


def seal_all(store: Directory, ledger: Ledger, vm: str) -> None:
    """Seal and compress what is closed of a stream, as log-compressor does."""
    for segment in closed_segments(store, vm, "journal"):
        seal_segment(store, ledger, vm, "journal", segment)
        compress_segment(store, vm, "journal", segment, ".lz4", 3)


if __name__ == "__main__":
    main()
