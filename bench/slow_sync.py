"""A disk on which each sync takes 20 ms, beside ten senders: latency, lines a second, commits a second.

`make bench-slow-sync`. The delay is put before fdatasync(2), in real collectors. Latency is from a line sent to its
`ok`.
"""

import os
import sys
import time

from bench.load import Kind, Sender
from bench.processes import Failed, serving

__all__ = ["SLOW"]

SENDERS, SECONDS, DELAY = 10, 5.0, 0.020
SETTINGS = '[collector]\nreserve = "0 B"\n[each-vm]\nrate = "1024 MiB/s"\n'
SLOW = f"""
import os, time
sync = os.fdatasync
def slow(fd):
    time.sleep({DELAY})
    sync(fd)
os.fdatasync = slow
"""
KINDS = {"100 lines/s each": Kind(SENDERS, 1, 0.01), "as fast as it goes": Kind(SENDERS, 400, 0.0)}


def main() -> None:
    """Measure, and print a table."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
    print(f"{'ten senders':20} {'a sync':>10} {'p50':>8} {'p99':>8} {'lines/s':>9} {'commits/s of each':>18}")
    for what, kind in KINDS.items():
        for name, patch in (("as it is", ""), (f"+ {1000 * DELAY:.0f} ms", SLOW)):
            print(f"{what:20} {name:>10} {measure(kind, patch)}", flush=True)


def measure(kind: Kind, patch: str) -> str:
    """Let ten senders log for some seconds; return latencies, ms, and lines and commits a second."""
    collector = (sys.executable, "-c", f"{patch}\nfrom logchain.collect.main import main; main()")
    with serving(SETTINGS, collector):
        senders = [Sender(f"qube-{number}", kind, 0.0) for number in range(SENDERS)]  # a birth is many syncs
        told, began = 0, time.monotonic()
        for sender in senders:
            sender.next = began
        while (now := time.monotonic()) < began + SECONDS or not all(sender.is_done for sender in senders):
            if now > began + 60:
                raise Failed("lines are not acknowledged")
            for sender in senders:
                if now < began + SECONDS:
                    sender.think(now, 1.0)
                sender.speak()
                before = sender.acknowledged
                sender.hear(time.monotonic())
                told += sender.acknowledged > before
            time.sleep(0.0005)
        took, lines = time.monotonic() - began, sum(sender.acknowledged for sender in senders)
    taken = sorted(one for sender in senders for one in sender.taken)
    p50, p99 = (1000 * taken[int(len(taken) * share)] for share in (0.5, 0.99))
    return f"{p50:5.0f} ms {p99:5.0f} ms {lines / took:9,.0f} {told / took / SENDERS:18.1f}"


if __name__ == "__main__":
    main()
