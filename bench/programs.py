"""Foreign collectors: found, fed, and what they wrote counted.

PEERS may name a directory into which packages were unpacked.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from struct import unpack_from

from bench.processes import STUCK, Failed, connect, running

PEERS = os.environ.get("PEERS") and os.path.abspath(os.environ["PEERS"])
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
RSYSLOG_STREAM = """\
module(load="imptcp")
input(type="imptcp" path="HERE/socket" ruleset="r")
ruleset(name="r") { action(type="omfile" file="HERE/out") }
"""
RSYSLOG_DATAGRAM = """\
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="HERE/socket" ruleset="r")
ruleset(name="r") { action(type="omfile" file="HERE/out") }
"""
SYSLOG_NGD = ("syslog-ng", "-F", "-f", "conf", "-R", "persist", "-p", "pid", "-c", "control")
SYSLOG_NG = """\
@version: current
source s { unix-stream("HERE/socket"); };
destination d { file("HERE/out"); };
log { source(s); destination(d); flags(flow-control); };
"""
MODULES = {"rsyslogd": ("-M", "usr/lib/*/rsyslog"), "syslog-ng": ("--module-path", "usr/lib/syslog-ng/[0-9]*")}


def make_export(lines: bytes, entry: bytes) -> bytes:
    """Return the lines as such entries of the journal's export format."""
    start = 1_795_405_500_000_000  # µs since 1970
    numbered = enumerate(lines.splitlines(), 1)
    return b"".join(entry % {b"time": start + number, b"up": number, b"line": line} for number, line in numbered)


def journal_remote(entry: bytes, lines: bytes) -> float:
    """Write journal files from a pipe, a line an entry; the program syncs each when it closes it."""
    exported = make_export(lines, entry)
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
        if count != lines.count(b"\n"):
            raise Failed(f"{count:,} entries written; {said(here)}")
        return taken


def daemon(command: Sequence[str], config: str, kind: socket.SocketKind, lines: bytes) -> float:
    """Send to a syslog daemon's socket, in one stream or a line a datagram; it writes to a file."""
    parts = [lines] if kind == socket.SOCK_STREAM else lines.splitlines()
    with workplace() as here:
        (here / "conf").write_text(config.replace("HERE", str(here)))
        (here / "out").touch()
        try:
            with running(peer(*command), here), connect(here / "socket", kind) as connection:
                began = time.perf_counter()
                for part in parts:
                    connection.sendall(part)
                wait_for_lines(here, lines.count(b"\n"))
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
        wait_for_lines(here, lines.count(b"\n"))
        sync([here / "out"])
        return time.perf_counter() - began


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


def wait_for_lines(here: Path, expected: int) -> None:
    """Wait until the file `out` has all lines."""
    count, grew = 0, time.monotonic()
    with open(here / "out", "rb") as file:
        while count < expected:
            if more := file.read(1 << 20):
                count, grew = count + more.count(b"\n"), time.monotonic()
            elif time.monotonic() - grew > STUCK:
                break
            else:
                time.sleep(0.002)
    if count != expected:
        raise Failed(f"{count:,} lines written; {said(here)}")


def sync(files: Iterable[Path]) -> None:
    """See that files are on the disk."""
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def said(here: Path) -> str:
    """Return the end of what a program said."""
    return " ".join((here / "said").read_text(errors="replace").split())[-200:] if (here / "said").exists() else ""
