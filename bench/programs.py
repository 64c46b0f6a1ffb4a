"""Foreign collectors: found, fed, and what they wrote counted.

PEERS may name a directory into which packages were unpacked.
"""

import os
import resource
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

from bench.processes import STUCK, Failed, connect, cpu, running
from bench.rounds import Cost

PEERS = os.environ.get("PEERS") and os.path.abspath(os.environ["PEERS"])
REMOTE = "systemd-journal-remote"
DAY = 86_400_000_000  # µs
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
source s { unix-stream("HERE/socket" flags(syslog-protocol)); };
destination d { file("HERE/out"); };
log { source(s); destination(d); flags(flow-control); };
"""
SECURE = """\
@version: current
source s { unix-stream("HERE/socket" flags(syslog-protocol, store-raw-message)); };
template t { template("$(slog -k KEYS/host.key -m KEYS/mac $RAWMSG)\\n"); };
destination d { file("HERE/out" template(t)); };
log { source(s); destination(d); flags(flow-control); };
"""  # the key is written anew for each line
SEALED = """\
set -e
mount -t tmpfs tmpfs /var/log
mkdir -p "/var/log/journal/$(cat /etc/machine-id)"
cd "/var/log/journal/$(cat /etc/machine-id)"
if [ -e "$0/fss" ]; then cp "$0/fss" .; exec "$@"; fi
journalctl --setup-keys --interval=15min --force >"$0/key"
cp fss "$0/"
"""  # in a mount namespace of its own; the first time it makes the keys
PACKAGES = {"rsyslogd": "rsyslog", "syslog-ng": "syslog-ng-core", "journalctl": "systemd"}
PACKAGES |= dict.fromkeys(("slogkey", "slogverify"), "syslog-ng-mod-slog")
MODULES = {"rsyslogd": ("-M", "usr/lib/*/rsyslog"), "syslog-ng": ("--module-path", "usr/lib/syslog-ng/[0-9]*")}


def make_export(lines: bytes, entry: bytes) -> bytes:
    """Return the lines as such entries of the journal's export format, of a day that begins now."""
    start, texts = time.time_ns() // 1_000, lines.splitlines()
    step = DAY // len(texts)
    return b"".join(
        entry % {b"time": start + step * number, b"up": step * number, b"line": line}
        for number, line in enumerate(texts, 1)
    )


def journal_remote(entry: bytes, lines: bytes, here: Path, *, sealed: bool = False) -> Cost:
    """Write journal files from a pipe, a line an entry; the program syncs each when it closes it."""
    command = peer(REMOTE, f"--output={here}/x.journal", "-")
    if sealed:
        alone = ["unshare", "-m", "--propagation", "private", "bash", "-c", SEALED, str(here)]
        subprocess.run(alone, check=True, capture_output=True)
        command = [*alone, *command, "--seal=yes"]
    exported, used = make_export(lines, entry), used_by_children()
    with running(command, here) as process:
        assert process.stdin
        began = time.perf_counter()
        process.stdin.write(exported)
        process.stdin.close()
        process.wait(STUCK)
    files = list(here.glob("*.journal"))  # it begins a new one now and then
    sync(files)
    cost = Cost(time.perf_counter() - began, used_by_children() - used)
    count = sum(unpack_from("<Q", file.read_bytes(), ENTRIES_AT)[0] for file in files)
    if count != lines.count(b"\n"):
        raise Failed(f"{count:,} entries written; {said(here)}")
    return cost


def daemon(command: Sequence[str], config: str, kind: socket.SocketKind, lines: bytes, here: Path) -> Cost:
    """Send to a syslog daemon's socket, in one stream or a line a datagram; it writes to a file."""
    parts = [lines] if kind == socket.SOCK_STREAM else lines.splitlines()
    with serving_peer(command, config, here) as pid, connect(here / "socket", kind) as connection:
        began, used = time.perf_counter(), cpu(pid)
        for part in parts:
            connection.sendall(part)
        wait_for_lines(here, lines.count(b"\n"))
        sync([here / "out"])
        return Cost(time.perf_counter() - began, (cpu(pid) - used) / 1_000)


@contextmanager
def serving_peer(command: Sequence[str], config: str, here: Path) -> Iterator[int]:
    """Run a syslog daemon that listens on `socket` and writes to `out`, in a directory; give its process."""
    (here / "conf").write_text(config.replace("HERE", str(here)))
    (here / "out").touch()
    try:
        with running(peer(*command), here) as process:
            yield process.pid
    except OSError as error:
        raise Failed(f"{error}; {said(here)}") from error


def secure(lines: bytes, here: Path, keys: str) -> Cost:
    """Let syslog-ng write with its secure logging template; its key and its MAC are files in a directory of `keys`.

    The first key stays in `first.key`, what slogverify asks for besides in `mac`.
    """
    with tempfile.TemporaryDirectory(dir=keys) as name:
        place = Path(name).resolve()
        for words in (["-m", "master"], ["-d", "master", "00:00:00:00:00:00", "1", "host.key"]):
            subprocess.run(peer("slogkey", *words), cwd=place, check=True, capture_output=True)
        shutil.copy(place / "host.key", here / "first.key")
        cost = daemon(SYSLOG_NGD, SECURE.replace("KEYS", str(place)), socket.SOCK_STREAM, lines, here)
        shutil.copy(place / "mac", here)
    return cost


def cat(lines: bytes, here: Path) -> Cost:
    """Write to a file, and sync it."""
    with open(here / "out", "wb") as file:
        used = used_by_children()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as process:
            assert process.stdin
            began = time.perf_counter()
            process.stdin.write(lines)
    sync([here / "out"])
    return Cost(time.perf_counter() - began, used_by_children() - used)


def used_by_children() -> float:
    """Return the CPU time of all our children that have ended, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find(program: str) -> str | None:
    """Return where a program is: below PEERS, or installed."""
    places = ("usr/sbin", "usr/bin", "usr/lib/systemd", "lib/systemd")
    return shutil.which(program, path=":".join(f"{root}/{place}" for root in (PEERS, "") for place in places))


def peer(program: str, *options: str) -> list[str]:
    """Return the command for a program; one below PEERS is told where its libraries and modules are.

    Raises Failed where there is none.
    """
    path = find(program)
    if not path:
        raise Failed(f"{program} is not here: apt install {PACKAGES.get(program, program)}")
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
