"""`logchain export` and `verify FILE` beside sha256sum and tar on the same file, in one run, and what memory they take.

`make bench-evidence`. A store with TEXT_MIB of lines in one stream (1,024) and LEDGER entries in its ledger (10,000) is
made in BENCH_DIR, sealed, and compressed with LZ4. What matters is the ratio, and that memory does not grow with the
text. Of an export it tells for how much of its time it has the ledger to itself, too.
"""

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.processes import SCRIPTS
from logchain.format.ledger import Config, fingerprint, open_genesis, split_entries
from logchain.format.record import LINE
from logchain.store.archive import compress_segment
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import open_store
from logchain.store.ledger import open_ledger
from logchain.store.opening import open_stream
from logchain.store.sealer import seal_segment
from logchain.store.segments import closed_segments

TEXT_MIB = int(os.environ.get("TEXT_MIB", "1024"))
LEDGER = int(os.environ.get("LEDGER", "10000"))
HERE = Path(os.environ.get("BENCH_DIR", "/var/tmp")) / f"logchain-bench-evidence-{os.getpid()}"
BATCH = [
    b"<13>1 2026-11-23T03:45:00Z web sshd %d - - Accepted publickey for amy " % place + b"x" * 50
    for place in range(999)
]


def make(store: Path) -> str:
    """Make the store; return its fingerprint."""
    clock = SystemClock()
    create_store(store, new_secrets()[1], clock)
    with open_store(store) as directory:
        writer = open_stream(directory, "work", "journal", clock)
        writer.start_session(os.urandom(8), "logchain.Append")
        left = TEXT_MIB << 20
        while left > 0:
            writer.append(LINE, BATCH, clock.wall())
            left -= sum(len(line) + 31 for line in BATCH)
            writer.commit()
        writer.end_session("eof", b"", 0)
        writer.roll("size")
        writer.close()
        with open_ledger(directory, clock) as ledger:
            for _ in range(LEDGER):
                ledger.append(Config(os.urandom(32)))
            for segment in closed_segments(directory, "work", "journal"):
                seal_segment(directory, ledger, "work", "journal", segment)
                compress_segment(directory, "work", "journal", segment, ".lz4", 3)
    entries, _ = split_entries((store / "ledger" / "entries").read_bytes()[:8_192])
    return fingerprint(open_genesis(entries[0])[1].key)


def run(name: str, size: int, *words: str) -> int:
    """Run a command, print what it took, and return how large the file is then."""
    began = time.perf_counter()
    process = subprocess.Popen(words, cwd=HERE, stdout=subprocess.DEVNULL)
    held = looks = pid = 0
    while not pid:
        held, looks = held + is_held(), looks + 1
        time.sleep(0.005)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    size = size or (HERE / "evidence.tar").stat().st_size
    cpu, most = used.ru_utime + used.ru_stime, used.ru_maxrss >> 10
    row = f"{name:24}{took:8.1f} s{cpu:8.1f} s CPU{size / cpu / 1e6:8.0f} MB a CPU second{most:6} MiB"
    print(f"{row}  exit {process.returncode}, ledger held {held / looks:.0%}", flush=True)
    return size


def is_held() -> bool:
    """Tell whether somebody has the ledger to himself in this moment."""
    with open(HERE / "store/ledger/lock", "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> None:
    """Make the store, and measure."""
    HERE.mkdir()
    try:
        mark = make(HERE / "store")
        logchain = f"{SCRIPTS}/logchain"
        load = os.getloadavg()[0]
        size = run("logchain export", 0, logchain, "export", "--store", "store", "--output", "evidence.tar")
        run("logchain verify FILE", size, logchain, "verify", "evidence.tar", "--fingerprint", mark)
        run("sha256sum", size, "sha256sum", "evidence.tar")
        run("tar -t", size, "tar", "-tf", "evidence.tar")
        print(
            f"a file of {size:,} bytes: {TEXT_MIB} MiB of text, twice, and {LEDGER:,} entries; load before {load:.1f}"
        )
    finally:
        shutil.rmtree(HERE)


if __name__ == "__main__":
    main()
