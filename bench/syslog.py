"""rsyslog and syslog-ng to the LogVM with the snippets of examples/syslog, in one run: how many lines a second.

`make bench-syslog`. The clock runs from the first line that is logged until the last one is in the store. PEERS may
name a directory into which the daemon that is not installed was unpacked (docs/measured.md).
"""

import os
import shlex
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.processes import SCRIPTS, STUCK, Failed, connect, new_vm, running, serving
from bench.programs import RSYSLOGD, SYSLOG_NGD, find, peer, workplace

ROOT = Path(__file__).parents[1]
QREXEC = ROOT / "tests" / "examples" / "qrexec.py"
LINES = int(os.environ.get("LINES_TO_MEASURE", "20000"))
ONE_BY_ONE = 1000  # lines, where each waits for the one before
SETTINGS = '[each-vm]\nrate = "999 GiB/s"\nburst = "999 GiB"\n'
RSYSLOG = """\
global(workDirectory="HERE")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="HERE/log")
"""
SYSLOG_NG = '@version: current\nsource s_src { unix-dgram("HERE/log"); };\n'
WAYS = ["rsyslog-to-exporter", "rsyslog-stdin", "rsyslog-append", "rsyslog-qubes-log"]
WAYS += ["syslog-ng-to-exporter", "syslog-ng-stdin", "syslog-ng-append"]


def main() -> None:
    """Measure each way once, and print."""
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}\n")
    print(f"{'':24} {'lines/s':>8} {'of the first':>13}")
    first = 0.0
    with serving(SETTINGS):
        for way in WAYS:
            command = RSYSLOGD if way.startswith("rsyslog") else SYSLOG_NGD
            if not find(command[0]):
                print(f"{way:24} {command[0]} is not here")
                continue
            rate = measure(way, command)
            first = first or rate
            print(f"{way:24} {rate:8,.0f} {rate / first:13.3f}")


def measure(way: str, command: tuple[str, ...]) -> float:
    """Send lines one way; return how many a second."""
    count = ONE_BY_ONE if "qubes-log" in way else LINES
    vm = new_vm()
    with workplace() as here, ExitStack() as stack:
        text = (ROOT / "examples" / "syslog" / f"{way}.conf").read_text()
        text = text.replace("/usr/bin/", f"{here}/").replace("1601", port := free_port())
        program(
            here / "qrexec-client-vm",
            sys.executable,
            "-S",
            str(QREXEC),
            os.path.abspath("door"),
            vm,
            "qrexec-client-vm",
        )
        program(here / "log-exporter", "env", f"PATH={here}:{os.environ['PATH']}", f"{SCRIPTS}/log-exporter")
        if "to-exporter" in way:
            config = here / "log-exporter.toml"
            places = "".join(f'{name} = "{here}/{name}"\n' for name in ("state", "spool", "status"))
            config.write_text(places + (ROOT / "examples/syslog/log-exporter.toml").read_text().replace("1601", port))
            stack.enter_context(running([f"{here}/log-exporter", "run", "--config", str(config)]))
            listens(int(port))
        head = RSYSLOG if command is RSYSLOGD else SYSLOG_NG
        (here / "conf").write_text(head.replace("HERE", str(here)) + text)
        stack.enter_context(running(peer(*command), here))
        with connect(here / "log", socket.SOCK_DGRAM) as log:
            began = time.perf_counter()
            for number in range(count):
                log.send(b"<13>Nov 23 03:45:01 app[12]: event %d %b" % (number, b"x" * 100))
            wait(vm, count)
        return count / (time.perf_counter() - began)


def program(path: Path, *command: str) -> None:
    """Make a program that runs a command."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


def wait(vm: str, count: int) -> None:
    """Wait until so many lines of a VM are in the store."""
    found, grew = 0, time.monotonic()
    while found < count:
        time.sleep(0.05)
        now = sum(log.read_bytes().count(b" app 12 ") for log in Path("store/live", vm).glob("*/*.log"))
        if now == found and time.monotonic() - grew > STUCK:
            raise Failed(f"{found:,} of {count:,} lines are in the store")
        if now != found:
            found, grew = now, time.monotonic()


def free_port() -> str:
    """Return a TCP port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def listens(port: int) -> None:
    """Wait until somebody listens there."""
    end = time.monotonic() + STUCK
    while time.monotonic() < end:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Failed("log-exporter does not listen")


if __name__ == "__main__":
    main()
