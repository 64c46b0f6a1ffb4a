"""One stream of 150-byte lines into our collector, and into what else one could collect logs with, in one run.

`make bench-peers`. The clock stops when all lines are on the disk: at our collector's last `ok`; with the others when
their files have every line and are synced once. Medians of interleaved rounds. docs/measured.md tells what each peer
does and does not do, and how to get it; PEERS may name a directory into which packages were unpacked.
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from glob import glob
from operator import truediv
from pathlib import Path
from struct import pack, unpack_from
from typing import NamedTuple

from logchain.collect.lines import LineSplitter
from logchain.format.ratchet import chain
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store
from logchain.store.opening import open_stream

LINES = int(os.environ.get("LINES_TO_MEASURE", "200000"))
IDLE = int(os.environ.get("IDLE_SECONDS", "60"))
PEERS = os.environ.get("PEERS") and os.path.abspath(os.environ["PEERS"])
ROUNDS, CONNECTIONS = 5, 50
STUCK = 20  # s without progress: this peer will not take all lines
READ, COMMIT = 1 << 16, 4 << 20  # bytes of one read of the collector's, and between two commits while it is flooded
SCRIPTS = sysconfig.get_path("scripts")
SETTINGS = '[collector]\nconnections = 200\n[each-vm]\nrate = "999 GiB/s"\nburst = "999 GiB"\n'
REMOTE = "systemd-journal-remote"
ENTRIES_AT = 152  # n_entries in the header of a journal file, systemd's JOURNAL_FILE_FORMAT
FEW_FIELDS = b"""\
__REALTIME_TIMESTAMP=%(time)d
__MONOTONIC_TIMESTAMP=%(up)d
_BOOT_ID=0123456789abcdef0123456789abcdef
_HOSTNAME=work
PRIORITY=5
SYSLOG_IDENTIFIER=app
MESSAGE=%(line)b

"""
ALL_FIELDS = (
    b"""\
_SOURCE_REALTIME_TIMESTAMP=%(time)d
_TRANSPORT=syslog
_MACHINE_ID=fedcba9876543210fedcba9876543210
_PID=1234
_UID=1000
_GID=1000
_COMM=app
_EXE=/usr/bin/app
_CMDLINE=/usr/bin/app --serve --port 8080
_CAP_EFFECTIVE=0
_SYSTEMD_CGROUP=/system.slice/app.service
_SYSTEMD_UNIT=app.service
_SYSTEMD_SLICE=system.slice
_SYSTEMD_INVOCATION_ID=00112233445566778899aabbccddeeff
SYSLOG_FACILITY=1
SYSLOG_PID=1234
SYSLOG_TIMESTAMP=Nov 23 03:45:01
"""
    + FEW_FIELDS
)  # as journald writes them for a service that speaks syslog
RSYSLOGD = ("rsyslogd", "-n", "-f", "conf", "-i", "pid")
RSYSLOG_STREAM = 'module(load="imptcp")\ninput(type="imptcp" path="HERE/socket" ruleset="r")\n'
RSYSLOG_DATAGRAM = """\
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="HERE/socket" ruleset="r")
"""
RSYSLOG_FILE = 'ruleset(name="r") { action(type="omfile" file="HERE/out") }\n'
SYSLOG_NGD = ("syslog-ng", "-F", "-f", "conf", "-R", "persist", "-p", "pid", "-c", "control")
SYSLOG_NG = """\
@version: current
source s { unix-stream("HERE/socket"); };
destination d { file("HERE/out"); };
log { source(s); destination(d); flags(flow-control); };
"""
MODULES = {"rsyslogd": ("-M", "usr/lib/*/rsyslog"), "syslog-ng": ("--module-path", "usr/lib/syslog-ng/[0-9]*")}


class Failed(Exception):
    """Not all lines were taken."""


class Peer(NamedTuple):
    """What is measured: `run` returns the seconds it took; `program`, of an apt `package`, has to be there."""

    name: str
    run: Callable[[], float]
    program: str = ""
    package: str = ""


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        made = [f"{SCRIPTS}/logchain", "init", "--store", "store", "--audit-secret-out", "audit"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        Path("settings").write_text(SETTINGS)
        served = [f"{SCRIPTS}/log-collector", "--listen", "door", "--store", "store", "--config", "settings"]
        lines = make_lines()
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        rsyslog_stream = partial(daemon, RSYSLOGD, RSYSLOG_STREAM + RSYSLOG_FILE, [lines], stream)
        rsyslog_datagram = partial(daemon, RSYSLOGD, RSYSLOG_DATAGRAM + RSYSLOG_FILE, lines.splitlines(), datagram)
        few_fields = partial(journal_remote, make_export(lines, FEW_FIELDS))
        all_fields = partial(journal_remote, make_export(lines, ALL_FIELDS))
        syslog_ng = partial(daemon, SYSLOG_NGD, SYSLOG_NG, [lines], stream)
        peers = [
            Peer("log-collector --listen, to its last `ok`", partial(collector, lines)),
            Peer("  of it the writer, in-process", partial(writer, lines)),
            Peer("  of it the hash loop, ratchet.chain", partial(hash_loop, make_records(lines))),
            Peer(f"{REMOTE}, pipe, 5 fields", few_fields, REMOTE, REMOTE),
            Peer("  entries as journald's own, 22 fields", all_fields, REMOTE, REMOTE),
            Peer("rsyslog, unix stream -> file", rsyslog_stream, "rsyslogd", "rsyslog"),
            Peer("rsyslog, unix datagram -> file", rsyslog_datagram, "rsyslogd", "rsyslog"),
            Peer("syslog-ng, unix stream -> file", syslog_ng, "syslog-ng", "syslog-ng-core"),
            Peer("cat > file; sync", partial(cat, lines)),
        ]
        with running(served) as door:
            connect(Path("door")).close()
            print(f"{LINES:,} lines of 150 bytes, medians of {ROUNDS} rounds, Python {sys.version.split()[0]}")
            print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
            report(*measure(peers))
            idle(door.pid)


def make_lines() -> bytes:
    """Return the lines, as syslog clients send them: it is what the daemons are made to parse."""
    text = "<13>Nov 23 03:45:01 work app: {:09} the quick brown fox jumps over the lazy dog; {:07} "
    lines = (text.format(number, number * 7919 % 1000003) for number in range(LINES))
    return "".join(line.ljust(149, "x") + "\n" for line in lines).encode()


def make_records(lines: bytes) -> list[list[bytes]]:
    """Return the records that the collector makes of the lines, read by read."""
    splitter, prefix = LineSplitter(), b"2026-11-23T03:45:01.123456Z - "
    return [[prefix + line for _, read in splitter.feed(chunk) for line in read] for chunk in reads(lines)]


def make_export(lines: bytes, entry: bytes) -> bytes:
    """Return the lines as such entries of the journal's export format."""
    start = 1_795_405_500_000_000  # µs since 1970
    numbered = enumerate(lines.splitlines(), 1)
    return b"".join(entry % {b"time": start + number, b"up": number, b"line": line} for number, line in numbered)


def reads(lines: bytes) -> Iterator[bytes]:
    """Yield the lines in pieces, as one read of the collector brings them."""
    return (lines[start : start + READ] for start in range(0, len(lines), READ))


def measure(peers: list[Peer]) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return the seconds that each peer took, round by round, and of the others why there are none."""
    lacking = [peer for peer in peers if peer.program and not find(peer.program)]
    missing = {peer.name: f"not here: apt install {peer.package}" for peer in lacking}
    taken: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer in [peer for peer in peers if peer.name not in missing]:
            os.sync()  # what others wrote is not for this one to wait for
            try:
                taken[peer.name].append(peer.run())
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


def hash_loop(records: list[list[bytes]]) -> float:
    """Do what nobody who writes this in plain Python can leave out."""
    key = bytes(32)
    began = time.perf_counter()
    for of_read in records:
        key, _ = chain(key, of_read)
    return time.perf_counter() - began


def journal_remote(exported: bytes) -> float:
    """Write journal files from a pipe; the program syncs each when it closes it."""
    with workplace() as here:
        with running(peer(REMOTE, f"--output={here}/x.journal", "-"), here) as process:
            assert process.stdin
            began = time.perf_counter()
            process.stdin.write(exported)
            process.stdin.close()
            process.wait(STUCK)
        files = list(here.glob("*.journal"))  # it begins a new one now and then
        sync(files)
        taken = time.perf_counter() - began
        count = sum(unpack_from("<Q", file.read_bytes(), ENTRIES_AT)[0] for file in files)
        if count != LINES:
            raise Failed(f"{count:,} entries written; {said(here)}")
        return taken


def daemon(command: Sequence[str], config: str, parts: list[bytes], kind: socket.SocketKind) -> float:
    """Send to a syslog daemon's socket, one `send` a part; it writes to a file."""
    with workplace() as here:
        (here / "conf").write_text(config.replace("HERE", str(here)))
        (here / "out").touch()
        try:
            with running(peer(*command), here), connect(here / "socket", kind) as connection:
                began = time.perf_counter()
                for part in parts:
                    connection.sendall(part)
                wait_for_lines(here)
                sync([here / "out"])
                return time.perf_counter() - began
        except OSError as error:
            raise Failed(f"{error}; {said(here)}") from error


def cat(lines: bytes) -> float:
    """Write to a file, and sync it."""
    with workplace() as here, open(here / "out", "wb") as file:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as process:
            assert process.stdin
            began = time.perf_counter()
            process.stdin.write(lines)
        wait_for_lines(here)
        sync([here / "out"])
        return time.perf_counter() - began


def idle(door: int) -> None:
    """Hold connections that say nothing; print what they cost beyond what is there without them."""
    time.sleep(1)  # the last instance has ended
    standing = family(door)
    alone = sum(map(pss, standing))
    kept = [call(new_vm()) for _ in range(CONNECTIONS)]
    time.sleep(3)  # the start is committed then, and its key wiped
    instances = family(door) - standing
    before = {pid: cpu(pid) for pid in standing | instances}
    time.sleep(IDLE)
    used = {pid: cpu(pid) - before[pid] for pid in before}
    of_instances = [used[pid] for pid in instances]
    of_acceptor = sum(used[pid] for pid in standing)
    memory = (sum(map(pss, before)) - alone) / len(instances)
    print(f"\n{len(instances)} idle connections for {IDLE} s, each told `ok 0` every 25 s")
    print(f"CPU of an instance   median {statistics.median(of_instances):.2f} ms, most {max(of_instances):.2f} ms")
    print(f"CPU of the acceptor  {of_acceptor:.2f} ms")
    print(f"CPU of all           {sum(used.values()) / IDLE / 10:.4f} % of a core")
    print(f"memory               {memory:.2f} MiB PSS more for each; the acceptor alone {alone:.1f} MiB")
    for connection in kept:
        connection.close()


def call(vm: str) -> socket.socket:
    """Call the collector, and wait for its greeting."""
    connection = connect(Path("door"))
    connection.sendall(f"logchain.Append+main {vm}\0".encode())
    greeting = connection.recv(1_000)
    if not greeting.startswith(b"logchain/1"):
        raise Failed(f"the collector greets with {greeting!r}")
    return connection


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid}.union(*(family(int(child)) for child in children))


def cpu(pid: int) -> float:
    """Return the CPU time that a process has used, ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def pss(pid: int) -> float:
    """Return a process's share of memory, MiB."""
    return int(re.findall(r"Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[0]) / 1024


def new_vm() -> str:
    """Return the name of a VM that has not sent yet."""
    return f"bench-{os.urandom(4).hex()}"


def find(program: str) -> str | None:
    """Return where a program is: below PEERS, or installed."""
    places = ("usr/sbin", "usr/bin", "usr/lib/systemd", "lib/systemd")
    return shutil.which(program, path=":".join(f"{root}/{place}" for root in (PEERS, "") for place in places))


def peer(program: str, *options: str) -> list[str]:
    """Return the command for a program; one below PEERS is told where its libraries and modules are."""
    path = find(program)
    assert path
    if not PEERS or not path.startswith(PEERS):
        return [path, *options]
    libraries = [
        found for pattern in ("lib/*", "usr/lib/*", "usr/lib/*/systemd") for found in glob(f"{PEERS}/{pattern}")
    ]
    option, pattern = MODULES.get(program, ("", ""))
    modules = [option, *glob(f"{PEERS}/{pattern}")] if option else []
    return ["env", f"LD_LIBRARY_PATH={':'.join(libraries)}", path, *options, *modules]


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a directory, removed at the end."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        yield Path(name).resolve()


@contextmanager
def running(command: list[str], here: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, in a directory and with its words in the file `said` there; end it if it has not."""
    with open(here / "said" if here else os.devnull, "wb") as words:
        process = subprocess.Popen(
            command, cwd=here, stdin=subprocess.PIPE, stdout=words, stderr=words if here else None
        )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def connect(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Connect to a socket, as soon as it is there."""
    connection = socket.socket(socket.AF_UNIX, kind)
    for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, way, pack("ll", STUCK, 0))
    end = time.monotonic() + STUCK
    while True:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() >= end:
                connection.close()
                raise
            time.sleep(0.01)
        else:
            return connection


def wait_for_lines(here: Path) -> None:
    """Wait until the file `out` has all lines."""
    count, grew = 0, time.monotonic()
    with open(here / "out", "rb") as file:
        while count < LINES:
            if more := file.read(1 << 20):
                count, grew = count + more.count(b"\n"), time.monotonic()
            elif time.monotonic() - grew > STUCK:
                break
            else:
                time.sleep(0.002)
    if count != LINES:
        raise Failed(f"{count:,} lines written; {said(here)}")


def sync(files: Iterable[Path]) -> None:
    """See that files are on the disk."""
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def said(here: Path) -> str:
    """Return the end of what a program said."""
    return " ".join((here / "said").read_text(errors="replace").split())[-200:] if (here / "said").exists() else ""


if __name__ == "__main__":
    main()
