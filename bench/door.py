"""The acceptor: latency of a quiet stream beside a flood, lock-step of stock clients, what connections cost.

`make bench-door`. Latency is from a line sent to its `ok` received: the line is durable then.
"""

import os
import select
import socket
import sys
import threading
import time

from bench.connections import CONNECTIONS, RATE, measure, of_ours
from bench.processes import call, serving

LINES = 200
SETTINGS = '[each-vm]\nrate = "1024 MiB/s"\ncalls-per-minute = 1000\n'


def main() -> None:
    """Measure, and print."""
    with serving(SETTINGS) as acceptor:
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
        lock_step()
        report("quiet stream alone", quiet("alone"))
        stop = threading.Event()
        flood = threading.Thread(target=send_on, args=(stop,))
        flood.start()
        report("quiet stream beside a flood", quiet("beside"))
        stop.set()
        flood.join()
        standing(acceptor)


def exchange(connection: socket.socket, answer: bytes) -> float:
    """Send a line, wait for its answer, and return how long that took, s."""
    began = time.perf_counter()
    connection.sendall(b"<13>a quiet word\n")
    received = b""
    while answer not in received:
        received += connection.recv(1_000)
    return time.perf_counter() - began


def lock_step() -> None:
    """Send as stock clients do, each line when the one before is acknowledged; print how fast that goes."""
    with call("stock", "qubes.Log") as connection:
        taken = sum(exchange(connection, b"OK\n") for _ in range(LINES))
    print(f"{'stock qubes.Log in lock-step':30} {LINES / taken:.0f} lines/s")


def quiet(vm: str) -> list[float]:
    """Send a line now and then; return how long each took to be durable, s."""
    taken = []
    with call(vm) as connection:
        for number in range(1, LINES + 1):
            taken.append(exchange(connection, b"ok %d\n" % number))
            time.sleep(0.02)
    return taken


def send_on(stop: threading.Event) -> None:
    """Send as much as is taken, until told to stop."""
    lines = (b"x" * 149 + b"\n") * 400
    with call("flood") as connection:
        while not stop.is_set():
            connection.sendall(lines)
            while select.select([connection], [], [], 0)[0]:
                connection.recv(65_536)


def report(what: str, taken: list[float]) -> None:
    """Print the middle and the worst of some times."""
    ranked = sorted(taken)
    p50, p99 = ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]
    print(f"{what:30} p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms, of {len(ranked)} lines")


def standing(acceptor: int) -> None:
    """Print what connections cost that only stand, and busy ones."""
    idle, busy = measure(acceptor, of_ours)
    print(f"\n{CONNECTIONS} connections, each of them, MiB PSS, and CPU ms a second")
    print(f"idle {idle.amount:6.2f}{idle.cpu:8.3f}")
    print(f"busy {busy.amount:6.2f}{busy.cpu:8.3f}   {RATE} lines a second")


if __name__ == "__main__":
    main()
