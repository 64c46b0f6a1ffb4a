"""How small sealed text becomes, and at what cost: our tiers beside journald's files and whole-file compressors.

`make bench-compression LOGS=DIR`. DIR holds logs as text, one a file, and for `NAME.log` perhaps `NAME.journal/`, the
files that journald has of the same lines; docs/measured.md tells which ones we took. Each log goes through the
collector's writer first, so that every line has its receive time. Speeds are bytes of text by CPU time, ours and our
children's, medians of interleaved rounds: machines are noisy, and others wait for the disk no less than we do.
"""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

import lz4.frame

from bench.processes import SCRIPTS
from bench.programs import FEW_FIELDS, REMOTE, find, peer
from logchain.collect.lines import LineSplitter
from logchain.format.limits import PREFIX
from logchain.format.manifest import NO_MANIFEST, Block, Manifest
from logchain.read.sealed import SealedText
from logchain.store import tiers
from logchain.store.blocks import cut_blocks
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream

LOGS = Path(os.environ.get("LOGS", "/var/log")).resolve()
ROUNDS = int(os.environ.get("ROUNDS", "3"))
BLOCK_SIZES = {64 << 10: lz4.frame.BLOCKSIZE_MAX64KB, 256 << 10: lz4.frame.BLOCKSIZE_MAX256KB}
BLOCK_SIZES[1 << 20] = lz4.frame.BLOCKSIZE_MAX1MB
LEVELS = {".lz4": (1, 3, 9, 12), ".xz": (0, 1, 3, 4, 6, 9)}
AGAINST = ((".lz4", 3), (".lz4", 9), (".xz", 1), (".xz", 3), (".xz", 6))  # what hostile text is put to
TOOLS = ("lz4 -1", "lz4 -9", "gzip -6", "zstd -3", "zstd -19", "xz -6")
READ = 1 << 16  # bytes of one read of the collector's
START = 1_795_405_500_000_000  # µs since 1970


class Log(NamedTuple):
    """A log: its name, its lines, and its text as the collector stored it."""

    name: str
    lines: bytes
    stored: Path
    size: int


class Cost(NamedTuple):
    """What one way makes of a log: bytes, and CPU seconds to pack all, to unpack all, to get one block."""

    size: int
    pack: float = 0.0
    unpack: float = 0.0
    reach: float = 0.0


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        made = [f"{SCRIPTS}/logchain", "init", "--store", "store", "--audit-secret-out", "audit"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        logs = [store(path) for path in sorted(LOGS.glob("*.log")) if path.stat().st_size]
        for log in logs:
            count = log.lines.count(b"\n")
            print(f"{log.name:10} {count:9,} lines {log.size / (1 << 20):7.1f} MiB as stored")
        ways: dict[str, Callable[[Log], Cost]] = {"plain, as sealed": partial(ours, "", 0, 256 << 10)}
        for tier, levels in LEVELS.items():
            for block in BLOCK_SIZES:
                for level in levels:
                    ways[f"{tier} level {level}, {block >> 10} KiB"] = partial(ours, tier, level, block)
        ways |= {
            f"{tool}, whole file": partial(theirs, tool.split()) for tool in TOOLS if shutil.which(tool.split()[0])
        }
        found: dict[str, dict[str, list[Cost]]] = {way: {log.name: [] for log in logs} for way in ways}
        for _ in range(ROUNDS):
            for log in logs:
                for way, measure in ways.items():
                    found[way][log.name].append(measure(log))
        report(logs, found)
        hostile()


def store(path: Path) -> Log:
    """Store a log as the collector does: two lines on average come with one read, a read every 50 ms or so."""
    lines, name, chance, clock = path.read_bytes(), path.stem, Random(path.stem), Arrivals()
    with open_store("store") as directory:
        stream = open_stream(directory, "bench", name, clock)
    stream.start_session(os.urandom(8), "bench")
    splitter = LineSplitter()
    for start in range(0, len(lines), READ):
        for kind, payloads in splitter.feed(lines[start : start + READ]):
            while payloads:
                count = 1 + int(chance.expovariate(1.0))
                clock.now += 1 + int(chance.expovariate(1 / 50_000))
                stream.append(kind, payloads[:count], clock.now)
                del payloads[:count]
    stream.close()
    stored = Path(f"{name}.text")
    parts = sorted(Path("store/live/bench", name).glob("*.log"))
    stored.write_bytes(b"".join(part.read_bytes() for part in parts))
    return Log(name, lines, stored, stored.stat().st_size)


class Arrivals(SystemClock):
    """A clock that is set to when lines come."""

    def __init__(self) -> None:
        super().__init__()
        self.now = super().wall()

    def wall(self) -> int:
        """Return the time it is set to."""
        return self.now


def cpu() -> float:
    """Return the CPU time that we and our children have used, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def ours(tier: str, level: int, size: int, log: Log) -> Cost:
    """Cut into blocks, compress, read back through the reader, SHA-256 and all; reach for the block in the middle."""
    with open(log.stored, "rb") as file:
        texts = list(cut_blocks(file.fileno(), log.size, size))
    with (
        patch.object(tiers, "_DICTIONARY", size),
        patch.object(lz4.frame, "BLOCKSIZE_MAX256KB", BLOCK_SIZES[size]),
        open("packed", "w+b") as packed,
    ):
        began = cpu()
        frames = [tiers.compress(text, tier, level) for text in texts] if tier else texts
        pack = cpu() - began
        packed.write(b"".join(frames))
        packed.flush()
        manifest = of_blocks(texts)
        began = cpu()
        text = SealedText(packed.fileno(), manifest, tier)
        back = sum(len(block) for block in text.blocks() if isinstance(block, bytes))
        unpack = cpu() - began
        assert back == log.size, text.misfit
        began = cpu()
        for _ in range(20):
            SealedText(packed.fileno(), manifest, tier).block(len(texts) // 2)
        return Cost(packed.tell(), pack, unpack, (cpu() - began) / 20)


def of_blocks(texts: list[bytes]) -> Manifest:
    """Return a manifest that is right about the blocks, and about nothing else."""
    offsets = [sum(map(len, texts[:place])) for place in range(len(texts))]
    blocks = [Block(at, len(text), 1, 0, sha256(text).digest()) for at, text in zip(offsets, texts, strict=True)]
    size = sum(map(len, texts))
    return Manifest(bytes(16), bytes(32), 1, 1, len(texts), 1, 0, 0, 0, size, bytes(32), NO_MANIFEST, tuple(blocks))


def theirs(tool: list[str], log: Log) -> Cost:
    """Compress the whole file with a tool, and read it back; for a block, up to the middle."""

    def run(command: str) -> float:
        began = cpu()
        subprocess.run(["bash", "-c", command], check=True, stderr=subprocess.DEVNULL)
        return cpu() - began

    pack = run(f"{' '.join(tool)} -c < {log.stored} > packed")
    unpack = run(f"{tool[0]} -dc < packed > /dev/null")
    reach = run(f"{tool[0]} -dc < packed | head -c {log.size // 2} > /dev/null")
    return Cost(Path("packed").stat().st_size, pack, unpack, reach)


def journals(log: Log) -> Iterator[tuple[str, int]]:
    """Yield what journald takes for the same lines, bytes on disk: with few fields, and as it wrote them itself."""
    if find(REMOTE):
        shutil.rmtree("remote", ignore_errors=True)
        os.mkdir("remote")
        numbered = enumerate(log.stored.read_bytes().split(b"\n")[:-1], 1)
        entries = ({b"time": START + at, b"up": at, b"line": line[PREFIX:]} for at, line in numbered)
        command = peer(REMOTE, f"--output={os.getcwd()}/remote/x.journal", "-")
        subprocess.run(command, input=b"".join(map(FEW_FIELDS.__mod__, entries)), check=True, capture_output=True)
        yield f"{REMOTE}, 5 fields", on_disk(Path("remote"))
    if (itself := LOGS / f"{log.name}.journal").is_dir():
        yield "journald itself, all fields", on_disk(itself)


def on_disk(directory: Path) -> int:
    """Return the room of journal files on the disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.glob("**/*.journal"))


def report(logs: list[Log], found: dict[str, dict[str, list[Cost]]]) -> None:
    """Print ratios for each log, and over all logs ratio, speeds, and what it costs to get one block."""
    names = [log.name for log in logs]
    total = sum(log.size for log in logs)
    print(f"\n{'':27}{'':>8}" + "".join(f"{name:>9}" for name in names) + f"{'pack':>8}{'unpack':>8}{'a block':>9}")
    print(f"{'text / what is stored':27}{'all':>8}" + " " * 9 * len(names) + f"{'MiB/s':>8}{'MiB/s':>8}{'ms':>9}")
    for way, costs in found.items():
        sizes = [costs[log.name][0].size for log in logs]
        line = "".join(f"{log.size / size:9.2f}" for log, size in zip(logs, sizes, strict=True))
        pack = sum(statistics.median(cost.pack for cost in costs[name]) for name in names)
        unpack = sum(statistics.median(cost.unpack for cost in costs[name]) for name in names)
        reach = statistics.mean(statistics.median(cost.reach for cost in costs[name]) for name in names)
        speeds = f"{total / pack / (1 << 20):8.1f}" if pack > 1e-3 else f"{'':8}"
        speeds += f"{total / unpack / (1 << 20):8.0f}{reach * 1_000:9.2f}"
        print(f"{way:27}{total / sum(sizes):8.2f}{line}{speeds}")
    of_journals: dict[str, dict[str, float]] = {}
    for log in logs:
        for way, size in journals(log):
            of_journals.setdefault(way, {})[log.name] = log.size / size
    for way, ratios in of_journals.items():
        print(f"{way:35}" + "".join(f"{ratios[name]:9.2f}" if name in ratios else f"{'':9}" for name in names))


def hostile() -> None:
    """Print how slowly a qube that sends what is hard can make us compress, MiB a CPU second."""
    chance, size = Random("hostile"), 256 << 10
    words = chance.choices([b"alpha", b"beta", b"gamma", b"delta"], k=size // 5)
    texts = {"random bytes": chance.randbytes(size), "two letters at random": bytes(chance.choices(b"ab", k=size))}
    texts["four words at random"] = b" ".join(words)[:size]
    print("\n256 KiB of hostile text" + "".join(f"{tier:>8} {level}" for tier, level in AGAINST))
    for what, text in texts.items():
        print(f"{what:23}", end="")
        for tier, level in AGAINST:
            began = cpu()
            for _ in range(ROUNDS):
                tiers.compress(text, tier, level)
            print(f"{ROUNDS * size / (cpu() - began) / (1 << 20):10.1f}", end="")
        print()


if __name__ == "__main__":
    main()
