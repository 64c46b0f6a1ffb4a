"""What log-compressor takes: memory and speed for one segment of 64 MiB, step by step, and CPU while nothing happens.

The second half of `make bench-compression`. LOGS is as in bench/compression.py; its lines fill the segment, again from
the first where they are too few.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from bench.processes import SCRIPTS, cpu
from logchain.format.limits import PREFIX
from logchain.format.record import LINE
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream
from logchain.store.stream import Rolling

LOGS = Path(os.environ.get("LOGS", "/var/log")).resolve()
IDLE = int(os.environ.get("IDLE_SECONDS", "180"))
STREAMS, ROUNDS, SIZE, COMMIT = 100, 3, 64 << 20, 4 << 20
STEPS = {  # lz4-after, xz-after
    "nothing to do": ("never", "never"),
    "seal": ("never", "never"),
    ".log to .lz4": ("1 s", "never"),
    ".lz4 to .xz": ("1 s", "1 s"),
}
MEASURED = """\
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, time.perf_counter() - began)
"""  # in a process of its own: a child's peak begins at its parent's


def lines() -> Iterator[bytes]:
    """Yield the lines of all logs, for ever."""
    for path in cycle(sorted(LOGS.glob("*.log"))):
        yield from filter(None, path.read_bytes().split(b"\n"))


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        one_segment()
        idle()


def one_segment() -> None:
    """Seal and compress one segment, a step a run; print the peak of each, and its speed."""
    taken: dict[str, list[list[float]]] = {step: [] for step in STEPS}
    for _ in range(ROUNDS):
        subprocess.run(["rm", "-rf", "store", "audit"], check=True)
        make_store()
        for step, ages in STEPS.items():
            if step == "seal":
                fill("main", SIZE)
            Path("settings").write_text('[tiers]\nlz4-after = "{}"\nxz-after = "{}"\n'.format(*ages))
            time.sleep(2)  # the segment is old enough for its next step
            os.sync()
            command = [sys.executable, "-c", MEASURED, *compressor("--once", "--config", "settings")]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            taken[step].append([float(number) for number in said.split()])
        assert list(Path("store/sealed/bench/main").glob("*.xz")), "it did not get that far"
    print(f"log-compressor --once, a segment of {SIZE >> 20} MiB, medians of {ROUNDS} rounds")
    print(f"{'':16}{'peak MiB':>10}{'CPU s':>8}{'MiB/s of CPU':>14}{'s in all':>10}")
    idle_cpu = statistics.median(used for _, used, _ in taken["nothing to do"])
    for step, rounds in taken.items():
        peak, used, wall = (statistics.median(values) for values in zip(*rounds, strict=True))
        speed = f"{(SIZE >> 20) / (used - idle_cpu):14.1f}" if step != "nothing to do" else f"{'':14}"
        print(f"{step:16}{peak:10.1f}{used:8.2f}{speed}{wall:10.2f}")


def idle() -> None:
    """Let the daemon wait beside streams that say nothing; print what that costs."""
    subprocess.run(["rm", "-rf", "store", "audit"], check=True)
    make_store()
    for number in range(STREAMS):
        fill(f"s{number}", 1)  # a sealed segment,
        fill(f"s{number}", 1, closed=False)  # and an open one
    with subprocess.Popen(compressor(), stderr=subprocess.DEVNULL) as daemon:
        time.sleep(10)  # it has sealed, and fixed the heads
        before = cpu(daemon.pid)
        time.sleep(IDLE)
        used = cpu(daemon.pid) - before
        peak = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{daemon.pid}/status").read_text())[0]
        daemon.terminate()
    print(f"\nthe daemon beside {STREAMS} silent streams for {IDLE} s")
    print(f"CPU {used:.0f} ms, {used / IDLE / 10:.4f} % of a core; peak {int(peak) / 1024:.1f} MiB")


def make_store() -> None:
    """Make an empty store."""
    made = [f"{SCRIPTS}/logchain", "init", "--store", "store", "--audit-secret-out", "audit"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)


def fill(name: str, size: int, *, closed: bool = True) -> None:
    """Give a stream a segment of so many bytes, and close it."""
    clock = SystemClock()
    with open_store("store") as store:
        stream = open_stream(store, "bench", name, clock, Rolling(size=1 << 30))
    stream.start_session(os.urandom(8), "bench")
    taken = 0
    for line in lines():
        stream.append(LINE, [line], clock.wall())
        taken += len(line) + PREFIX + 1
        if stream.uncommitted > COMMIT:
            stream.commit()
        if taken >= size:
            break
    if closed:
        stream.roll("size")
    stream.close()


def compressor(*options: str) -> list[str]:
    """Return the command."""
    return [f"{SCRIPTS}/log-compressor", "--store", "store", *options]


if __name__ == "__main__":
    main()
