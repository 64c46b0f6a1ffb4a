"""What log-exporter does beside journalctl and cat, and what it costs a qube that is quiet.

    make bench-exporter            or python -m bench.exporter [--lines 200000] [--rounds 3] [--seconds 20]

Each round reads the same journal and the same file with everybody. Where the lines go is a process that only counts and
acknowledges them. Rates are lines for each second of the reader's own CPU, and by the clock; read the ratios.
"""

import argparse
import os
import platform
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
REMOTE = "/lib/systemd/systemd-journal-remote"
SINK = """
import os
os.write(1, b"logchain/1 session=9f81ca46d2e0b7a1 resume=\\n")
count = 0
while data := os.read(0, 1 << 20):
    count += data.count(b"\\n")
    os.write(1, b"ok %d\\n" % count)
    with open(PATH, "w") as file:
        file.write(str(count))
"""
READER = """
import sys, time
from systemd._reader import _Reader
journal, count = _Reader(0, sys.argv[1]), 0
while journal._next():
    journal._get_all(), journal._get_realtime(), journal._get_monotonic()
    count += 1
print(count)
"""
FIELDS = [
    "_BOOT_ID=0123456789abcdef0123456789abcdef",
    "_TRANSPORT=syslog",
    "SYSLOG_FACILITY=3",
    "SYSLOG_IDENTIFIER=sshd",
    "_UID=0",
    "_GID=0",
    "_COMM=sshd",
    "_EXE=/usr/sbin/sshd",
    "_CAP_EFFECTIVE=1ffffffffff",
    "_SYSTEMD_CGROUP=/system.slice/ssh.service",
    "_SYSTEMD_UNIT=ssh.service",
    "_SYSTEMD_SLICE=system.slice",
    "_SYSTEMD_INVOCATION_ID=aaaabbbbccccddddeeeeffff00001111",
    "_SELINUX_CONTEXT=unconfined",
    "_MACHINE_ID=fedcba9876543210fedcba9876543210",
    "_HOSTNAME=work",
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure log-exporter.")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="how long to log 100 lines a second")
    options = parser.parse_args()
    print(f"{options.lines:,} lines, medians of {options.rounds} rounds, Python {platform.python_version()}")
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        make_journal(directory / "journal", options.lines)
        make_file(directory / "file.log", options.lines)
        table(directory, options.lines, options.rounds)
        quiet(directory, options.lines, options.seconds)
        many(directory, 15_000, options.seconds)


def make_journal(directory: Path, lines: int) -> None:
    """Write a journal with entries of 23 fields, as journald's own have."""
    directory.mkdir()
    with subprocess.Popen(
        [REMOTE, f"--output={directory}/system.journal", "-"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as remote:
        assert remote.stdin
        for number in range(lines):
            moment = 1795000000000000 + number * 1000
            own = f"__REALTIME_TIMESTAMP={moment}\n__MONOTONIC_TIMESTAMP={number * 1000 + 1}\nPRIORITY={number % 8}\n"
            own += f"_PID={1000 + number % 50}\nSYSLOG_PID={1000 + number % 50}\n_SOURCE_REALTIME_TIMESTAMP={moment}\n"
            message = (
                f"MESSAGE=Accepted publickey for amy from 10.137.0.{number % 250} port {number} ssh2: {number:040d}\n"
            )
            remote.stdin.write("".join([own, *(f"{field}\n" for field in FIELDS), message, "\n"]).encode())
        remote.stdin.close()


def make_file(path: Path, lines: int) -> None:
    """Write a file with lines of 150 bytes."""
    with path.open("wb") as file:
        for number in range(lines):
            file.write(b"%-149b\n" % b"Nov 23 03:45:01 work sshd[411]: Accepted publickey for amy, number %d" % number)


class Measured:
    """CPU seconds and wall seconds of one run."""

    def __init__(self, cpu: float, wall: float) -> None:
        self.cpu, self.wall = cpu, wall


def table(directory: Path, lines: int, rounds: int) -> None:
    """Let everybody read the same, and print who did how much."""
    journal, file = directory / "journal", directory / "file.log"
    with_libsystemd = f'source = "journald"\ndirectory = "{journal}"'
    runs: dict[str, Callable[[], Measured | None]] = {
        "log-exporter, journald": lambda: exporter(directory, with_libsystemd, lines),
        "log-exporter, journald through journalctl": lambda: exporter(directory, with_libsystemd, lines, "x"),
        "  python3-systemd's _Reader, all fields, no lines": lambda: program(
            ["/usr/bin/python3", "-c", READER, str(journal)], str(lines)
        ),
        "journalctl -o export > /dev/null": lambda: program(["journalctl", "-D", str(journal), "-o", "export"]),
        "journalctl -o json > /dev/null": lambda: program(["journalctl", "-D", str(journal), "-o", "json"]),
        "log-exporter, files": lambda: exporter(directory, f'source = "files"\npaths = ["{file}"]', lines),
        "log-exporter, files, redacted": lambda: exporter(
            directory, f'source = "files"\npaths = ["{file}"]\nredact = ["publickey"]', lines
        ),
        "cat | wc -l": lambda: program(["sh", "-c", f"cat {file} | wc -l"], str(lines)),
    }
    found: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if measured := run():
                found[name].append(measured)
    print(f"{'':52}{'a CPU second':>14}{'a second':>12}{'µs CPU':>9}")
    for name, all_measured in found.items():
        if not all_measured:
            print(f"{name:52}{'not here':>14}")
            continue
        cpu = statistics.median(measured.cpu for measured in all_measured)
        wall = statistics.median(measured.wall for measured in all_measured)
        print(f"{name:52}{lines / max(cpu, 0.01):14,.0f}{lines / wall:12,.0f}{cpu / lines * 1e6:9.2f}")


def program(command: list[str], expected: str = "") -> Measured | None:
    """Run a program whose output is thrown away, or must be this."""
    before, start = os.times(), time.perf_counter()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE if expected else subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    wall, after = time.perf_counter() - start, os.times()
    assert not expected or done.stdout.strip() == expected.encode()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(spent, wall)


def start(directory: Path, streams: str, without_libsystemd: str = "") -> subprocess.Popen[bytes]:
    """Start an exporter that has nothing behind it."""
    subprocess.run(["rm", "-rf", directory / "state", directory / "spool"], check=True)
    for path in directory.glob("count-*"):
        path.unlink()
    (directory / "sink.py").write_text(
        SINK.replace("PATH", f"{str(directory)!r} + '/count-' + __import__('sys').argv[1]")
    )
    sink = shlex.join([sys.executable, "-I", "-S", str(directory / "sink.py")])
    config = directory / "exporter.toml"
    config.write_text(
        f'transport = "{sink} STREAM"\nstate = "{directory}/state"\nspool = "{directory}/spool"\n'
        f'status = "{directory}/status"\n{streams}\n'
    )
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'exporter')!r}); from log_exporter.sources import libsystemd; "
    code += "libsystemd._LIBRARY = 'not-here.so'; " if without_libsystemd else ""
    code += "from log_exporter.main import main; main()"
    command = [sys.executable, "-I", "-S", "-c", code, "run", "--config", str(config)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def exporter(directory: Path, settings: str, lines: int, without_libsystemd: str = "") -> Measured:
    """Let it ship all lines of one source; journalctl's CPU counts with it."""
    begun = time.perf_counter()
    process = start(directory, f"[streams.test]\n{settings}", without_libsystemd)
    try:
        while counted(directory, "test") < lines:
            time.sleep(0.01)
            assert process.poll() is None
        wall, spent = time.perf_counter() - begun, cpu(process.pid)
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "journalctl":
                spent += cpu(int(child))
        return Measured(spent, wall)
    finally:
        process.terminate()
        process.wait()


def counted(directory: Path, stream: str) -> int:
    """Return how many lines have arrived."""
    try:
        return int((directory / f"count-{stream}").read_text() or 0)
    except FileNotFoundError:
        return 0


def cpu(process: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quiet(directory: Path, lines: int, seconds: int) -> None:
    """Log a hundred lines a second into a file and a socket, beside a journal, and print what that takes."""
    log = directory / "quiet.log"
    log.touch()
    sources = [
        f'[streams.journal]\nsource = "journald"\ndirectory = "{directory}/journal"\n',
        f'[streams.files]\nsource = "files"\npaths = ["{log}"]\n',
        f'[streams.syslog]\nsource = "syslog"\nlisten = ["unix:{directory}/log"]\n',
    ]
    process = start(directory, "".join(sources))
    try:
        while counted(directory, "journal") < lines or not (directory / "log").exists():
            time.sleep(0.1)
        spent, begun, sent = cpu(process.pid), time.monotonic(), 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix, log.open("ab", buffering=0) as file:
            while time.monotonic() - begun < seconds:
                file.write(b"%-149d\n" % sent)
                unix.sendto(b"<13>me: %d" % sent, str(directory / "log"))
                sent += 2
                time.sleep(max(0.0, begun + sent / 100 - time.monotonic()))
        share = (cpu(process.pid) - spent) / (time.monotonic() - begun)
        resident = Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        print(f"\n100 lines a second for {seconds} s, 3 sources: {share:.2%} of a core, {int(resident):,} KiB resident")
    finally:
        process.terminate()
        process.wait()


def many(directory: Path, files: int, seconds: int) -> None:
    """Follow many files that nobody writes to, and print what that takes."""
    for number in range(files):
        (directory / f"{number}.many").write_bytes(b"x\n")
    process = start(directory, f'[streams.many]\nsource = "files"\npaths = ["{directory}/*.many"]\n')
    try:
        while counted(directory, "many") < files:
            time.sleep(0.1)
        taken = cpu(process.pid)
        time.sleep(seconds)
        share = (cpu(process.pid) - taken) / seconds
        resident = Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        print(f"{files:,} quiet files: {taken:.1f} s to begin with, then {share:.2%} of a core, {int(resident):,} KiB")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
