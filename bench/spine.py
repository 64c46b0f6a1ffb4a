"""The three hot loops, append, verify and show, beside plain tools on the same lines, in one run.

`make bench`. Machines are noisy: read the ratios, not the seconds. Each figure is the best of three.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

LINES = int(os.environ.get("LINES_TO_MEASURE", "1000000"))
ROUNDS = 3
SCRIPTS = sysconfig.get_path("scripts")


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as scratch:
        os.chdir(scratch)
        os.environ |= {
            "LOGCHAIN_STORE": "store",
            "QREXEC_REMOTE_DOMAIN": "work",
            "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        }
        with open("lines", "w") as file:
            for number in range(LINES):
                file.write(
                    f"{number:09} the quick brown fox jumps over the lazy dog; {number * 7919 % 1000003:07} ".ljust(
                        149, "x"
                    )
                    + "\n"
                )
        print(f"{LINES:,} lines of 150 bytes, Python {sys.version.split()[0]}, best of {ROUNDS}\n")
        bare = best(bare_hash_loop)
        append = best(append_lines, prepare=new_store)
        copy = best(lambda: shell("cat lines > copy && sync copy"))
        rows = [
            ("append", "log-collector --stdio < lines, every commit synced", append, append),
            ("", "bare BLAKE2b loop, the bound in plain Python", bare, append),
            ("", "cat > file; sync", copy, append),
        ]
        verify = best(lambda: shell("logchain verify --audit-secret audit"))
        digest = best(lambda: shell("cat store/live/work/main/*.log | sha256sum"))
        rows += [
            ("verify", "logchain verify --audit-secret", verify, verify),
            ("", "bare BLAKE2b loop", bare, verify),
            ("", "sha256sum of the same text", digest, verify),
        ]
        short = best(lambda: shell("logchain show --no-pager"))
        raw = best(lambda: shell("logchain show -o raw"))
        plain = best(lambda: shell("cat store/live/work/main/*.log"))
        rows += [
            ("show", "logchain show -o short", short, short),
            ("", "logchain show -o raw", raw, short),
            ("", "cat of the same text", plain, short),
        ]
        print(f"{'':7} {'':52} {'lines/s':>12} {'µs/line':>8} {'speed':>7}")
        for group, name, seconds, reference in rows:
            rate = LINES / seconds
            print(f"{group:7} {name:52} {rate:12,.0f} {1e6 / rate:8.2f} {reference / seconds:6.2f}x")


def best(work: Callable[[], None], prepare: Callable[[], None] = lambda: None) -> float:
    """Return the least seconds that some work took."""
    taken = []
    for _ in range(ROUNDS):
        prepare()
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def shell(command: str) -> None:
    """Run a command, its output thrown away."""
    subprocess.run(["bash", "-c", f"{{ {command}; }} > /dev/null"], check=True)


def new_store() -> None:
    """Begin with an empty store."""
    shell("rm -rf store audit && logchain init --audit-secret-out audit")


def append_lines() -> None:
    """Send all lines to a collector; it has them on the disk when it ends."""
    shell("log-collector --stdio < lines")


def bare_hash_loop() -> None:
    """Do for each record what nobody who writes this in plain Python can leave out."""
    key = bytes(32)
    for line in Path("lines").read_bytes().split(b"\n")[:-1]:
        out = blake2b(b"2026-11-23T03:45:01.123456Z - " + line, digest_size=64, key=key, person=b"logchain.record")
        key = out.digest()[:32]


if __name__ == "__main__":
    main()
