"""One stream of 150-byte lines into our collector, and into what else one could collect logs with, in one run.

`make bench-peers`. The clock stops when all lines are on the disk: at our collector's last `ok`; with the others when
their files have every line and are synced once. Medians of interleaved rounds. docs/measured.md tells what each peer
does and does not do, and how to get it.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from operator import truediv
from pathlib import Path
from typing import NamedTuple

from bench import programs
from bench.processes import Failed, call, new_vm, serving
from logchain.collect.lines import LineSplitter
from logchain.collect.pace import _MOST as COMMIT  # bytes between two commits while the collector is flooded
from logchain.format.limits import MAX_PART
from logchain.format.ratchet import chain
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream

LINES = int(os.environ.get("LINES_TO_MEASURE", "200000"))
ROUNDS = 5
SETTINGS = '[each-vm]\nrate = "999 GiB/s"\nburst = "999 GiB"\n'


class Peer(NamedTuple):
    """What is measured: `run` takes lines, and returns seconds; `program`, of an apt `package`, has to be there."""

    name: str
    run: Callable[[bytes], float]
    program: str = ""
    package: str = ""


def main() -> None:
    """Measure, and print."""
    remote, stream, datagram = programs.REMOTE, socket.SOCK_STREAM, socket.SOCK_DGRAM
    few_fields = partial(programs.journal_remote, programs.FEW_FIELDS)
    all_fields = partial(programs.journal_remote, programs.ALL_FIELDS)
    rsyslog_stream = partial(programs.daemon, programs.RSYSLOGD, programs.RSYSLOG_STREAM, stream)
    rsyslog_datagram = partial(programs.daemon, programs.RSYSLOGD, programs.RSYSLOG_DATAGRAM, datagram)
    syslog_ng = partial(programs.daemon, programs.SYSLOG_NGD, programs.SYSLOG_NG, stream)
    peers = [
        Peer("log-collector --listen, to its last `ok`", collector),
        Peer("  of it the writer, in-process", writer),
        Peer("  of it the hash loop, ratchet.chain", hash_loop),
        Peer(f"{remote}, pipe, 5 fields", few_fields, remote, remote),
        Peer("  entries as journald's own, 22 fields", all_fields, remote, remote),
        Peer("rsyslog, unix stream -> file", rsyslog_stream, "rsyslogd", "rsyslog"),
        Peer("rsyslog, unix datagram -> file", rsyslog_datagram, "rsyslogd", "rsyslog"),
        Peer("syslog-ng, unix stream -> file", syslog_ng, "syslog-ng", "syslog-ng-core"),
        Peer("cat > file; sync", programs.cat),
    ]
    with serving(SETTINGS):
        print(f"{LINES:,} lines of 150 bytes, medians of {ROUNDS} rounds, Python {sys.version.split()[0]}")
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
        report(*measure(peers, make_lines()))


def make_lines() -> bytes:
    """Return the lines, as syslog clients send them: it is what the daemons are made to parse."""
    text = "<13>Nov 23 03:45:01 work app: {:09} the quick brown fox jumps over the lazy dog; {:07} "
    lines = (text.format(number, number * 7919 % 1000003) for number in range(LINES))
    return "".join(line.ljust(149, "x") + "\n" for line in lines).encode()


def make_records(lines: bytes) -> list[list[bytes]]:
    """Return the records that the collector makes of the lines, read by read."""
    splitter, prefix = LineSplitter(), b"2026-11-23T03:45:01.123456Z - "
    return [[prefix + line for _, read in splitter.feed(chunk) for line in read] for chunk in reads(lines)]


def reads(lines: bytes) -> Iterator[bytes]:
    """Yield the lines in pieces, as one read of the collector brings them."""
    return (lines[start : start + MAX_PART] for start in range(0, len(lines), MAX_PART))


def measure(peers: list[Peer], lines: bytes) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return the seconds that each peer took, round by round, and of the others why there are none."""
    lacking = [peer for peer in peers if peer.program and not programs.find(peer.program)]
    missing = {peer.name: f"not here: apt install {peer.package}" for peer in lacking}
    taken: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer in [peer for peer in peers if peer.name not in missing]:
            os.sync()  # what others wrote is not for this one to wait for
            try:
                taken[peer.name].append(peer.run(lines))
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                if not peer.program:
                    raise
                missing[peer.name] = f"failed: {error}"
    return taken, missing


def report(taken: dict[str, list[float]], missing: dict[str, str]) -> None:
    """Print the table; the ratio is the median of each round's, for a machine is slower now and faster then."""
    ours, inside, bound = list(taken.values())[:3]
    print(f"{'':42} {'lines/s':>10} {'µs/line':>8} {'ours is':>8}")
    for name, seconds in taken.items():
        if name in missing:
            print(f"{name:42} {missing[name]}")
        else:
            rate = LINES / statistics.median(seconds)
            ratio = statistics.median(map(truediv, seconds, ours))
            print(f"{name:42} {rate:10,.0f} {1e6 / rate:8.2f} {ratio:7.2f}x")
    ratios = [statistics.median(map(truediv, bound, seconds)) for seconds in (ours, inside)]
    print("\nof the hash loop's speed: {:.2f} through the socket, {:.2f} in-process".format(*ratios))


def collector(lines: bytes) -> float:
    """Send one stream through the door; every commit on the way is synced."""
    vm = new_vm()
    with call(vm) as connection:
        began = time.perf_counter()
        connection.sendall(lines)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while not received.endswith(b"ok %d\n" % LINES):
            answer = connection.recv(1_000)
            received += answer
            if not answer:
                raise Failed(f"the collector's last words are {received[-100:]!r}")
        taken = time.perf_counter() - began
    count = sum(log.read_bytes().count(b"Z - <13>") for log in Path("store/live", vm, "main").glob("*.log"))
    if count != LINES:
        raise Failed(f"{count:,} lines in the store")
    return taken


def writer(lines: bytes) -> float:
    """Store one stream without a socket: cut the reads into lines, append them, commit as often as the collector."""
    clock, splitter = SystemClock(), LineSplitter()
    with open_store("store") as store:
        stream = open_stream(store, new_vm(), "main", clock)
    stream.start_session(os.urandom(8), "bench")
    began = time.perf_counter()
    for chunk in reads(lines):
        for kind, payloads in splitter.feed(chunk):
            stream.append(kind, payloads, clock.wall())
        if stream.uncommitted >= COMMIT:
            stream.commit()
    stream.commit()
    taken = time.perf_counter() - began
    stream.close()
    return taken


def hash_loop(lines: bytes) -> float:
    """Do what nobody who writes this in plain Python can leave out."""
    key, records = bytes(32), make_records(lines)
    began = time.perf_counter()
    for of_read in records:
        key, _ = chain(key, of_read)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
