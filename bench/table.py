"""Every peer on the same lines, on this machine, in this run: taking them in, size, checking, looking, connections.

`make bench` (LINES_TO_MEASURE, 300,000 there). The lines are those of bench/show.py, of 50 qubes and a week. Each row
says what a peer takes and what we do; a ratio over 1 says that the peer takes more. Who is not here is named as not
measured. `--record` puts the table into docs/measured.md.
"""

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import compression, peers, programs, show
from bench.connections import BUSY, CONNECTIONS, IDLE, RATE, of_ours, of_peer
from bench.connections import measure as measure_connections
from bench.processes import SCRIPTS, Failed, serving
from bench.record import machine, record
from bench.rounds import HEAD, Cost, command, measure, row, rows
from logchain.format.ledger import fingerprint, open_genesis, split_entries
from logchain.format.limits import PREFIX
from logchain.format.manifest import format_manifest
from logchain.store.blocks import cut_blocks

SETTINGS = '[each-vm]\nrate = "999 GiB/s"\nburst = "999 GiB"\n'
BLOCK = 256 << 10
TIERS = {"logchain's .lz4, after an hour": (".lz4", 3), "logchain's .xz, after a day": (".xz", 3)}
TOOLS = ("lz4 -9", "gzip -6", "zstd -3", "zstd -19", "xz -6")
MIB = 1 << 20


def main() -> None:
    """Measure, print, and record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="put the table into docs/measured.md")
    asked = parser.parse_args()
    began, said = time.monotonic(), []
    for line in table():
        print(line, flush=True)
        said.append(line)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if asked.record:
        record("bench", "\n".join(said))


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield from machine()
    show.make()
    with serving(SETTINGS) as acceptor:  # its directory is the current one now
        stored = Path("stored").resolve()
        subprocess.run(f"cat {show.STORE}/sealed/*/*/*.lz4 | lz4cat > {stored}", shell=True, check=True)
        lines = b"".join(line[PREFIX:] for line in stored.read_bytes().splitlines(keepends=True) if line[28:29] == b"-")
        yield from [
            "",
            f"{len(lines.splitlines()):,} lines, {len(lines) / 1e6:.1f} MB, of {show.VMS} qubes and a week",
            HEAD,
        ]
        yield "taking in all lines, from a socket or a pipe to the disk, s"
        yield from rows(measure(peers.ingests(lines, acceptor)), "logchain")
        yield from sizes(stored)
        yield from checks(stored)
        yield "looking at it, s (ours; the peer's)"
        for what, ours, other in show.comparisons():
            yield show.compare(f"  {what}", ours, other)
        yield from connections(acceptor)


def sizes(stored: Path) -> Iterator[str]:
    """Yield what the same text takes on the disk; CPU time is that of compressing."""
    log = compression.Log("all", b"", stored, stored.stat().st_size)
    packs: dict[str, Callable[[], Cost]] = {name: partial(of_tier, log, *tier) for name, tier in TIERS.items()}
    packs |= {"the text": lambda: Cost(log.size / 1e6, 0.0)}
    packs |= {tool: partial(pack, log, tool) for tool in TOOLS}
    for name in (peers.SEALED, "systemd-journal-remote, 5 fields"):
        packs[name] = partial(on_disk, peers.place(name), "*.journal")
    packs["rsyslog's file"] = partial(on_disk, peers.place("rsyslog, unix stream -> file"), "out")
    packs["syslog-ng's file of $(slog)"] = partial(on_disk, peers.place(peers.SECURE), "out")
    found = measure(packs, rounds=1)
    for name in TIERS:
        yield f"size, beside {name}: MB, and s of CPU to make it"
        yield from rows(found, name)


def of_tier(log: compression.Log, tier: str, level: int) -> Cost:
    """Compress as log-compressor does."""
    cost = compression.ours(tier, level, BLOCK, log)
    with open(log.stored, "rb") as file:
        manifest = format_manifest(compression.of_blocks(list(cut_blocks(file.fileno(), log.size, BLOCK))))
    return Cost((cost.size + len(manifest)) / 1e6, cost.pack)


def pack(log: compression.Log, tool: str) -> Cost:
    """Compress with a tool."""
    if not shutil.which(tool.split()[0]):
        raise Failed(f"{tool.split()[0]} is not here")
    cost = compression.theirs(tool.split(), log)
    return Cost(cost.size / 1e6, cost.pack)


def on_disk(place: Path, pattern: str) -> Cost:
    """Return the room of what a peer left."""
    if not (found := list(place.glob(pattern))):
        raise Failed("it left nothing, see above")
    return Cost(sum(path.stat().st_blocks * 512 for path in found) / 1e6, 0.0)


def checks(stored: Path) -> Iterator[str]:
    """Yield what it takes to find that nothing was changed."""
    genesis = split_entries((show.STORE / "ledger/entries").read_bytes()[: 1 << 20])[0][0]
    verify = [f"{SCRIPTS}/logchain", "verify", "--store", str(show.STORE)]
    verify += ["--fingerprint", fingerprint(open_genesis(genesis)[1].key)]
    quick, full = "logchain verify, of LZ4", "logchain verify --audit-secret"
    runs: dict[str, Callable[[], Cost]] = {
        quick: partial(command, verify),
        full: partial(command, [*verify, "--audit-secret", str(show.AUDIT)]),
        "sha256sum of the text": partial(command, ["sha256sum", str(stored)]),
        "openssl dgst -sha256 of the text": partial(command, ["openssl", "dgst", "-sha256", str(stored)]),
        "lz4cat | openssl dgst -sha256": partial(
            command, f"cat {show.STORE}/sealed/*/*/*.lz4 | lz4cat | openssl dgst -sha256"
        ),
        "journalctl --verify, 22 fields, sealed": journalctl,
        "slogverify": slogverify,
    }
    found = measure(runs)
    for name in (quick, full):
        yield f"checking all of it, beside {name}: s"
        yield from rows(found, name)


def journalctl() -> Cost:
    """Check the sealed journal with its key."""
    here = peers.place(peers.SEALED)
    if not (here / "key").exists():
        raise Failed("there is no sealed journal, see above")
    key = (here / "key").read_text().strip()
    return command([*programs.peer("journalctl"), "-q", "--verify", f"--verify-key={key}", "-D", str(here)])


def slogverify() -> Cost:
    """Check what secure logging wrote, with its first key; it writes the lines to a file."""
    here = peers.place(peers.SECURE)
    if not (here / "mac").exists():
        raise Failed("there is no file of $(slog), see above")
    options = ["-k", str(here / "first.key"), "-m", str(here / "mac"), str(here / "out"), str(here / "plain")]
    return command(programs.peer("slogverify", *options))


def connections(acceptor: int) -> Iterator[str]:
    """Yield what each of many connections costs."""
    ours = measure_connections(acceptor, of_ours)
    daemons = {
        "rsyslog, unix stream": (programs.RSYSLOGD, programs.RSYSLOG_STREAM),
        "syslog-ng, unix stream": (programs.SYSLOG_NGD, programs.SYSLOG_NG),
    }
    theirs: dict[str, tuple[Cost, Cost] | str] = {}
    for number, (name, (daemon, config)) in enumerate(daemons.items()):
        try:
            theirs[name] = of_peer(daemon, config, Path(f"daemon{number}").resolve())
        except (Failed, OSError) as error:
            theirs[name] = f"not measured: {error}"
    theirs["systemd-journald"] = "not measured: it runs once a machine, and is the init system's"
    for place, kind in enumerate((f"idle for {IDLE:.0f} s", f"busy, {RATE} lines a second each for {BUSY:.0f} s")):
        yield f"each of {CONNECTIONS} connections, {kind}: MiB (PSS), and CPU in ms a second"
        for name, costs in theirs.items():
            yield f"  {name:48}{costs}" if isinstance(costs, str) else row(f"  {name}", [costs[place]], [ours[place]])


if __name__ == "__main__":
    main()
