"""A show beside running collectors and a running compressor never fails, and neither doubles nor misses a line."""

import os
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logchain.read.entries import Kind
from logchain.read.selection import Selection
from logchain.read.show import select
from logchain.store.layout import open_store
from tests.collect.door import Door, doors, until
from tests.conftest import Store

VMS, LINES, READ = ("work", "vault"), 9_000, 60
PADDING = b"x" * 480
SETTINGS = '[store]\nsegment = "1 MiB"\n[tiers]\nlz4-after = "1 s"\nxz-after = "2 s"\n'
SCRIPTS = sysconfig.get_path("scripts")


@pytest.fixture
def door(store: Store, tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Start acceptors."""
    yield from doors(store, tmp_path)


class Sender(threading.Thread):
    """A qube that sends numbered lines, and counts those that were acknowledged."""

    def __init__(self, door: Door, vm: str) -> None:
        super().__init__()
        self.vm, self.durable = vm, 0
        self._call = door.call("journal", vm)
        self._call.greeting()

    def run(self) -> None:
        """Send all, no faster than a compressor can follow."""
        for start in range(0, LINES, READ):
            self._call.send(b"".join(b"%d %b\n" % (number, PADDING) for number in range(start, start + READ)))
            time.sleep(0.025)
            while self.durable < start - 20 * READ:
                self._hear()
        self._call.half_close()
        while self.durable < LINES:
            self._hear()

    def _hear(self) -> None:
        line = self._call.answer()
        assert line.startswith(b"ok "), line
        self.durable = int(line[3:])


def numbers(lines: list[bytes]) -> list[int]:
    """Return the numbers that lines begin with."""
    return [int(line.partition(b" ")[0]) for line in lines]


def test_nothing_fails_doubles_or_is_missed(store: Store, tmp_path: Path, door: Callable[..., Door]) -> None:
    """Segments roll, are sealed, become LZ4 and then xz, while all of it is shown again and again, and followed."""
    served = door(settings=SETTINGS)
    (tmp_path / "compressor.toml").write_text(SETTINGS)
    environment = os.environ | {"LOGCHAIN_STORE": str(store.path)}
    compress = [f"{SCRIPTS}/log-compressor", "--once", "--config", str(tmp_path / "compressor.toml")]
    ended = threading.Event()

    def compressor() -> None:
        while not ended.is_set():
            subprocess.run(compress, env=environment, check=True, capture_output=True)

    senders = [Sender(served, vm) for vm in VMS]
    worker = threading.Thread(target=compressor)
    followed = tmp_path / "followed"
    with followed.open("wb") as file:
        follow = [f"{SCRIPTS}/logchain", "show", "-f", "-S", "@0", "-o", "raw"]
        follower = subprocess.Popen(follow, env=environment, stdout=file, stderr=subprocess.PIPE)
    try:
        for thread in (*senders, worker):
            thread.start()
        end = time.monotonic() + 60
        while any(sender.is_alive() for sender in senders) or ".xz" not in suffixes(store):
            assert time.monotonic() < end
            look(store, senders, Selection())
            look(store, senders, Selection(reverse=True))
        until(lambda: followed.read_bytes().count(b"\n") >= len(VMS) * LINES)
    finally:
        ended.set()
        follower.terminate()
        _, errors = follower.communicate()
        worker.join()
    assert errors == b""
    assert sorted(numbers(followed.read_bytes().splitlines())) == sorted([*range(LINES)] * len(VMS))


def suffixes(store: Store) -> set[str]:
    """Return what the names of sealed files end with."""
    return {path.suffix for path in (store.path / "sealed").glob("*/*/*")}


def look(store: Store, senders: list[Sender], selection: Selection) -> None:
    """See that all that is durable is shown once, in its order, and nothing else."""
    durable = [sender.durable for sender in senders]
    with open_store(store.path) as directory:
        entries = list(select(directory, selection))
    assert not [entry for entry in entries if entry.kind == Kind.GAP]
    for sender, least in zip(senders, durable, strict=True):
        found = numbers([entry.untrusted_payload for entry in entries if entry.vm == sender.vm])
        assert found[:: -1 if selection.reverse else 1] == list(range(len(found)))
        assert len(found) >= least
