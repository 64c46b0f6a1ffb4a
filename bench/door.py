"""The acceptor: latency of a quiet stream beside a flood, lock-step of stock clients, what idle connections cost.

`make bench-door`. Latency is from a line sent to its `ok` received: the line is durable then.
"""

import os
import select
import socket
import statistics
import sys
import threading
import time

from bench.processes import call, cpu, family, new_vm, pss, serving

CONNECTIONS, LINES = 120, 200
IDLE = int(os.environ.get("IDLE_SECONDS", "60"))
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
        idle(acceptor)


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


def idle(acceptor: int) -> None:
    """Hold connections that send a line and then nothing; print what they cost."""
    time.sleep(1)  # the last instance has ended
    standing = family(acceptor)
    alone = sum(map(pss, standing))
    kept = [call(new_vm()) for _ in range(CONNECTIONS)]
    for connection in kept:
        exchange(connection, b"ok 1\n")
    time.sleep(3)  # the last key is wiped then
    instances = family(acceptor) - standing
    before = {pid: cpu(pid) for pid in standing | instances}
    time.sleep(IDLE)
    used = {pid: cpu(pid) - before[pid] for pid in before}
    of_instances = [used[pid] for pid in instances]
    of_acceptor = sum(used[pid] for pid in standing)
    total = sum(map(pss, before))
    each = (total - alone) / len(instances)
    print(f"\n{len(instances)} connections, idle for {IDLE} s after a line each, told `ok 1` every 25 s")
    print(f"{'memory of all':30} {total / 1e6:.0f} MB = {total / (1 << 20):.0f} MiB PSS")
    print(f"{'  of each connection':30} {each / 1e6:.2f} MB; the acceptor alone {alone / 1e6:.1f} MB")
    print(f"{'CPU of all':30} {sum(used.values()) / IDLE / 10:.3f} % of a core")
    print(f"{'  of an instance':30} median {statistics.median(of_instances):.2f} ms, most {max(of_instances):.2f} ms")
    print(f"{'  of the acceptor':30} {of_acceptor:.1f} ms, with the process that forks; it weighs the VMs every 20 s")
    for connection in kept:
        connection.close()


if __name__ == "__main__":
    main()
