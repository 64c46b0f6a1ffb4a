"""One stream of lines into our collector, and into what else one could collect logs with.

The clock stops when all lines are on the disk: at our collector's last `ok`; with the others when their files have
every line and are synced once. CPU time is that of the collecting process. docs/measured.md tells what each peer does
and does not do, and how to get it.
"""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import programs
from bench.processes import Failed, call, cpu, family, new_vm
from bench.rounds import Cost
from logchain.collect.lines import LineSplitter
from logchain.collect.pace import _MOST as COMMIT  # bytes between two commits while the collector is flooded
from logchain.format.limits import MAX_PART
from logchain.format.ratchet import chain
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream

SLOW_PART = 100  # of the lines, a peer gets one in so many that writes its keys to a disk with each
SEALED, SECURE = "systemd-journal-remote, 22 fields, sealed", "syslog-ng, $(slog), keys on tmpfs -> file"


def ingests(lines: bytes, acceptor: int) -> dict[str, Callable[[], Cost]]:
    """Return what takes the lines in, ours first; each leaves its files in a directory of its name."""
    remote, stream, datagram = programs.REMOTE, socket.SOCK_STREAM, socket.SOCK_DGRAM
    few, many = programs.FEW_FIELDS, programs.ALL_FIELDS
    rsyslog, syslog_ng = programs.RSYSLOGD, programs.SYSLOG_NGD
    runs: dict[str, Callable[[Path], Cost]] = {
        "rsyslog, unix stream -> file": partial(programs.daemon, rsyslog, programs.RSYSLOG_STREAM, stream, lines),
        "rsyslog, unix datagram -> file": partial(programs.daemon, rsyslog, programs.RSYSLOG_DATAGRAM, datagram, lines),
        "syslog-ng, unix stream -> file": partial(programs.daemon, syslog_ng, programs.SYSLOG_NG, stream, lines),
        SECURE: lambda here: programs.secure(lines, here, "/dev/shm"),
        "syslog-ng, $(slog), keys on a disk, 1 % of lines": partial(slowly, lines),
        f"{remote}, 5 fields": partial(programs.journal_remote, few, lines),
        f"{remote}, 22 fields": partial(programs.journal_remote, many, lines),
        SEALED: partial(programs.journal_remote, many, lines, sealed=True),
        "cat > file; sync": partial(programs.cat, lines),
    }
    ours: dict[str, Callable[[], Cost]] = {
        "logchain": partial(collector, lines, acceptor),
        "logchain: the writer, in-process": partial(writer, lines),
        "logchain: the hash loop, ratchet.chain": partial(hash_loop, lines),
    }
    return ours | {name: partial(in_place, name, run) for name, run in runs.items()}


def in_place(name: str, run: Callable[[Path], Cost]) -> Cost:
    """Run in an empty directory of its own, which stays."""
    here = place(name)
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    return run(here)


def place(name: str) -> Path:
    """Return where a peer leaves its files."""
    return Path("".join(letter for letter in name if letter.isalnum())).resolve()


def slowly(lines: bytes, here: Path) -> Cost:
    """Give secure logging with its keys on the disk only a part of the lines: it is that slow."""
    texts = lines.splitlines(keepends=True)
    part = texts[: len(texts) // SLOW_PART]
    cost = programs.secure(b"".join(part), here, str(here))
    return Cost(cost.amount * len(texts) / len(part), cost.cpu * len(texts) / len(part))


def make_records(lines: bytes) -> list[list[bytes]]:
    """Return the records that the collector makes of the lines, read by read."""
    splitter, prefix = LineSplitter(), b"2026-11-23T03:45:01.123456Z - "
    return [[prefix + line for _, read in splitter.feed(chunk) for line in read] for chunk in reads(lines)]


def reads(lines: bytes) -> Iterator[bytes]:
    """Yield the lines in pieces, as one read of the collector brings them."""
    return (lines[start : start + MAX_PART] for start in range(0, len(lines), MAX_PART))


def collector(lines: bytes, acceptor: int) -> Cost:
    """Send one stream through the door; every commit on the way is synced."""
    vm, expected = new_vm(), lines.count(b"\n")
    before = sum(map(cpu, family(acceptor)))
    with call(vm) as connection:
        began = time.perf_counter()
        connection.sendall(lines)
        connection.shutdown(socket.SHUT_WR)
        received, used = b"", 0.0
        while not received.endswith(b"ok %d\n" % expected):
            answer = connection.recv(1_000)
            received += answer
            if not answer:
                raise Failed(f"the collector's last words are {received[-100:]!r}")
            used = max(used, sum(map(cpu, family(acceptor))) - before)  # soon it has ended
        taken = time.perf_counter() - began
    count = sum(log.read_bytes().count(b"Z - <") for log in Path("store/live", vm, "main").glob("*.log"))
    if count != expected:
        raise Failed(f"{count:,} lines in the store")
    return Cost(taken, used / 1_000)


def writer(lines: bytes) -> Cost:
    """Store one stream without a socket: cut the reads into lines, append them, commit as often as the collector."""
    clock, splitter = SystemClock(), LineSplitter()
    with open_store("store") as store:
        stream = open_stream(store, new_vm(), "main", clock)
    stream.start_session(os.urandom(8), "bench")
    began, used = time.perf_counter(), time.process_time()
    for chunk in reads(lines):
        for kind, payloads in splitter.feed(chunk):
            stream.append(kind, payloads, clock.wall())
        if stream.uncommitted >= COMMIT:
            stream.commit()
    stream.commit()
    cost = Cost(time.perf_counter() - began, time.process_time() - used)
    stream.close()
    return cost


def hash_loop(lines: bytes) -> Cost:
    """Do what nobody who writes this in plain Python can leave out."""
    key, records = bytes(32), make_records(lines)
    began, used = time.perf_counter(), time.process_time()
    for of_read in records:
        key, _ = chain(key, of_read)
    return Cost(time.perf_counter() - began, time.process_time() - used)
