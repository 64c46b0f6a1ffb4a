"""The acceptor: latency of a quiet stream beside a flood, lock-step of stock clients, memory of idle connections.

`make bench-door`. Latency is from a line sent to its `ok` received: the line is durable then.
"""

import os
import re
import select
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

CONNECTIONS, LINES = 120, 200
SCRIPTS = sysconfig.get_path("scripts")
SETTINGS = '[each-vm]\nrate = "1024 MiB/s"\ncalls-per-minute = 1000\n'


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        store = ["--store", "store"]
        made = [f"{SCRIPTS}/logchain", "init", *store, "--audit-secret-out", "audit"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        Path("settings").write_text(SETTINGS)
        door = subprocess.Popen([f"{SCRIPTS}/log-collector", "--listen", "door", *store, "--config", "settings"])
        while not Path("door").exists():
            time.sleep(0.01)
        print(f"Python {sys.version.split()[0]}, {LINES} lines each\n")
        stock = call("qubes.Log stock")
        taken = [exchange(stock, b"OK\n") for _ in range(LINES)]
        print(f"stock qubes.Log in lock-step            {LINES / sum(taken):6.0f} lines/s")
        report("quiet stream alone", quiet("alone"))
        stop = threading.Event()
        flood = threading.Thread(target=send_on, args=(stop,))
        flood.start()
        report("quiet stream beside a flood", quiet("beside"))
        stop.set()
        flood.join()
        kept = [call(f"logchain.Append+idle vm{number}") for number in range(CONNECTIONS - 1)]  # and the stock one
        time.sleep(1)
        [fork_server] = children(door.pid)
        pids = [door.pid, fork_server, *children(fork_server)]
        total = sum(map(pss, pids)) / 1024
        print(f"memory of {len(pids) - 2} connections and what serves them {total:6.0f} MiB PSS")
        for connection in kept:
            connection.close()
        door.terminate()
        door.wait()


def children(pid: int) -> list[int]:
    """Return the processes that one has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def call(untrusted_descriptor: str) -> socket.socket:
    """Call a service, and read the first line that comes down."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("door")
    connection.sendall(untrusted_descriptor.encode() + b"\0")
    connection.recv(1_000)
    return connection


def exchange(connection: socket.socket, answer: bytes) -> float:
    """Send a line, wait for its answer, and return how long that took, s."""
    began = time.perf_counter()
    connection.sendall(b"<13>a quiet word\n")
    received = b""
    while answer not in received:
        received += connection.recv(1_000)
    return time.perf_counter() - began


def quiet(vm: str) -> list[float]:
    """Send a line now and then; return how long each took to be durable, s."""
    connection = call(f"logchain.Append+quiet {vm}")
    taken = []
    for number in range(1, LINES + 1):
        taken.append(exchange(connection, b"ok %d\n" % number))
        time.sleep(0.02)
    connection.close()
    return taken


def send_on(stop: threading.Event) -> None:
    """Send as much as is taken, until told to stop."""
    connection = call("logchain.Append+main flood")
    lines = (b"x" * 149 + b"\n") * 400
    while not stop.is_set():
        connection.sendall(lines)
        while select.select([connection], [], [], 0)[0]:
            connection.recv(65_536)
    connection.close()


def report(what: str, taken: list[float]) -> None:
    """Print the middle and the worst of some times."""
    ranked = sorted(taken)
    p50, p99 = ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]
    print(f"{what:39} p50 {1000 * p50:5.1f} ms, p99 {1000 * p99:5.1f} ms")


def pss(pid: int) -> int:
    """Return a process's share of memory, KiB."""
    return int(re.findall(r"Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[0])


if __name__ == "__main__":
    main()
