"""`logchain verify` of sealed text beside `sha256sum` and `openssl dgst` of the same files, in one run.

Read the ratios, and where the machine does other things too, those of processor time. `python -m bench.verify [MiB]`;
each figure is the best of three.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.rounds import ROUNDS, Cost, command
from logchain.format.audit import format_audit
from logchain.format.ledger import fingerprint, open_genesis, split_entries
from logchain.format.limits import PREFIX
from logchain.format.record import LINE
from tests.read.archived import Archive

ROOT = Path(__file__).parents[1]
SEGMENT = 64 << 20
AT_ONCE = 2_000  # lines
FORM = b"Nov 23 03:45:%02d host sshd[%d]: Accepted publickey for amy from 10.0.0.%d port %d ssh2: ED25519 SHA256:%d"


def main() -> None:
    """Measure, and print a table."""
    size = int(sys.argv[1]) << 20 if len(sys.argv) > 1 else 512 << 20
    scratch = Path(tempfile.mkdtemp(dir=os.environ.get("BENCH_DIR", "/var/tmp")))
    try:
        for lists in (False, True):
            store = Archive.make(scratch / f"store{lists:d}")
            fill(store, size, lists)
            (scratch / "audit").write_bytes(format_audit(store.audit))
            measure(store, scratch / "audit", "listed every minute or so" if lists else "never listed while open")
    finally:
        shutil.rmtree(scratch)


def fill(store: Archive, size: int, lists: bool) -> None:
    """Log so many bytes of text, and seal them."""
    count = 0
    while size > 0:
        writer = store.open()
        writer.start_session(os.urandom(8), "logchain.Append")
        written = 0
        while written < min(size, SEGMENT):
            store.clock.go(10)
            lines = [form(number) for number in range(count, count + AT_ONCE)]  # no two are the same
            count += AT_ONCE
            writer.append(LINE, lines, store.clock.wall())
            written += sum(map(len, lines)) + (PREFIX + 1) * AT_ONCE
            if lists and written % (16 << 20) < 300_000:
                writer.commit()
                store.list_heads()
        writer.end_session("eof", b"", 0)
        writer.roll("size")
        writer.close()
        store.seal(block_size=256 << 10)
        size -= written


def form(number: int) -> bytes:
    """Return a line as a busy server writes it."""
    return FORM % (number % 60, number % 32_768, number % 250, 30_000 + number % 30_000, number * 7919)


def measure(store: Archive, audit: Path, what: str) -> None:
    """Print a table for one store."""
    texts = sorted(map(str, store.sealed().glob("*.log")))
    size = sum(os.path.getsize(text) for text in texts)
    entries, _ = split_entries((store.path / "ledger" / "entries").read_bytes())
    pin = fingerprint(open_genesis(entries[0])[1].key)
    verify = [sys.executable, "-c", "from logchain.cli.main import main; main()", "verify", "--store", str(store.path)]
    commands = {
        "sha256sum": ["sha256sum", *texts],
        "openssl dgst -sha256": ["openssl", "dgst", "-sha256", *texts],
        "verify --fingerprint": [*verify, "--fingerprint", pin],
        "verify --fingerprint --jobs 2": [*verify, "--fingerprint", pin, "--jobs", "2"],
        "verify --audit-secret": [*verify, "--fingerprint", pin, "--audit-secret", str(audit)],
    }
    records = sum(text.read_bytes().count(b"\n") for text in store.sealed().glob("*.log"))
    print(f"\n{size / 1e6:,.0f} MB of text in {len(texts)} segments, {records:,} records, {what}")
    heads = f"{'of sha256sum':>14}{'by CPU':>8}{'of openssl':>12}{'by CPU':>8}{'records/s':>12}"
    print(f"{'':32}{'MB/s':>8}{'CPU MB/s':>10}{heads}")
    found = {name: best([command(words) for _ in range(ROUNDS)]) for name, words in commands.items()}
    sums, ssl = found["sha256sum"], found["openssl dgst -sha256"]
    for name, (wall, cpu) in found.items():
        print(
            f"{name:32}{size / wall / 1e6:8,.0f}{size / cpu / 1e6:10,.0f}{sums[0] / wall:14.2f}{sums[1] / cpu:8.2f}"
            f"{ssl[0] / wall:12.2f}{ssl[1] / cpu:8.2f}{records / wall:12,.0f}"
        )


def best(costs: list[Cost]) -> Cost:
    """Return the least of each."""
    return Cost(*map(min, zip(*costs, strict=True)))


if __name__ == "__main__":
    main()
