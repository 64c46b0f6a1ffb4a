"""The settings of /etc/logchain.toml, as a running acceptor keeps to them."""

import subprocess
import sys
import sysconfig
import time
from itertools import count
from pathlib import Path

import pytest

from logchain.read.verify import Verdict
from tests.collect.conftest import Doors
from tests.collect.door import until
from tests.conftest import Store


def test_a_flood_is_read_no_faster_than_its_vm_may(store: Store, new_door: Doors) -> None:
    """Nothing is lost, the log says that it was slowed, and another VM notices nothing."""
    door = new_door(settings='each-vm.rate = "100000 B/s"\neach-vm.burst = "100000 B"')
    began = time.monotonic()
    flood = door.call(vm="flood")
    lines = [b"%05d " % number + b"x" * 993 for number in range(300)]
    flood.send(b"".join(line + b"\n" for line in lines))
    quiet = door.call(vm="quiet", data=b"a word\n")
    quiet.greeting()
    quiet.until_ok(1)
    noticed = time.monotonic() - began
    flood.greeting()
    flood.until_ok(300)
    assert time.monotonic() - began > 1.5  # 300 kB at 100 kB/s, a burst of 100 kB ahead
    assert noticed < 1.5
    assert store.lines("flood") == lines
    (note,) = (note for note in store.notes("flood") if note.event == "throttled")
    assert note.fields == {"reason": "rate", "rate": "100000"}
    assert store.verdict() == Verdict.INTACT


def test_the_streams_of_a_vm_share_its_rate(store: Store, new_door: Doors) -> None:
    """One that floods leaves the other its half."""
    door = new_door(settings='each-vm.rate = "40000 B/s"\neach-vm.burst = "10000 B"')
    flood = door.call(stream="flood")
    flood.greeting()
    journal = door.call(stream="journal")
    journal.greeting()
    flood.send(b"x" * 999 + b"\n" + b"y" * 120_000)
    flood.until_ok(1)
    journal.send(b"a word\n")
    journal.until_ok(1)
    until(lambda: "throttled" in store.events(stream="flood"))
    (note,) = (note for note in store.notes(stream="flood") if note.event == "throttled")
    assert int(note.fields["rate"]) == 20_000
    assert "throttled" not in store.events(stream="journal")


def test_a_vm_over_its_quota_is_read_at_the_floor(store: Store, new_door: Doors) -> None:
    """Its neighbour notices nothing; when the quota is spent to its end it is not read, until there is room."""
    patches = "acceptor._WEIGH = 0.05; session._TELL_AGAIN = 0.2"
    door = new_door(patches, 'each-vm.quota = "800000 B"\neach-vm.floor = "20000 B/s"')
    flood, sent = door.call(vm="flood"), count(1)
    flood.greeting()

    def notes() -> list[dict[str, str]]:
        return [note.fields for note in store.notes("flood") if note.event == "throttled"]

    def throttled() -> bool:
        flood.send(b"y" * 9_999 + b"\n")
        flood.until_ok(next(sent))
        return bool(notes())

    ballast = store.path / "live" / "flood" / "main" / "quarantine" / "ballast"
    ballast.parent.mkdir(exist_ok=True)
    ballast.write_bytes(bytes(850_000))
    until(throttled)
    assert notes()[0] == {"reason": "quota", "rate": "20000"}
    door.store_line(vm="quiet")
    ballast.write_bytes(bytes(1_000_000))
    until(lambda: notes()[-1] == {"reason": "quota", "rate": "0"})
    flood.send(b"z\n")
    door.store_line(b"again", vm="quiet")
    assert store.lines("flood")[-1] == b"y" * 9_999
    ballast.unlink()
    flood.until_ok(next(sent))
    assert store.lines("flood")[-1] == b"z"
    assert store.verdict() == Verdict.INTACT


def test_who_calls_again_and_again_gets_no_more(store: Store, new_door: Doors) -> None:
    """A burst is a VM's, not a call's: the second call is read at the rate."""
    door = new_door(settings='each-vm.rate = "20000 B/s"\neach-vm.burst = "100000 B"')
    first = door.call("first", data=b"x" * 99_000 + b"\n")
    first.greeting()
    first.until_ok(1)
    second = door.call("second", data=b"x" * 20_000 + b"\n" + b"y" * 20_000 + b"\n")
    second.greeting()
    second.until_ok(2)
    assert "throttled" in store.events(stream="second")


def test_a_vm_that_has_spent_its_quota_gets_full(new_door: Doors) -> None:
    """At the door: another call, which is read a little before it is told, is not worth the room."""
    patches = "acceptor._WEIGH = 0.05; session._SILENCE = 0"
    door = new_door(patches, 'each-vm.quota = "10000 B"\neach-vm.calls-per-minute = 100_000')
    door.call(data=b"x\n")
    until(lambda: door.call("other").answer() == b"full")
    assert "work/other: over the quota" in door.errors()
    assert door.errors().count("over the quota") <= 5  # a minute
    for _ in range(10):
        assert door.refused(b"logchain.Append+other work\0") == b"full"
    assert door.errors().count("over the quota") == 5


def test_nobody_is_served_up_to_the_reserve(store: Store, new_door: Doors) -> None:
    """The last of the disk is not for logs: callers hear `full`, and nothing is made."""
    door = new_door(settings='collector.reserve = "999999 TiB"')
    assert door.refused(b"logchain.Append+main work\0x\n") == b"full"
    assert not list((store.path / "live").iterdir())
    assert "up to the reserve" in door.errors()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[each-vm]\nrate = "fast"\n', ': line 2: rate has to be a rate, like "4 MiB/s"'),
        (None, "cannot read "),
        ("[each-vm]\nstreams = \xff\n", "cannot read "),
    ],
)
def test_settings_that_make_no_sense_are_told_at_the_start(
    store: Store, tmp_path: Path, text: str | None, told: str
) -> None:
    """One line with file, line and key, exit code 2, and no socket is made."""
    config = tmp_path / "logchain.toml"
    if text is not None:
        config.write_text(text, encoding="latin-1")
    program = Path(sysconfig.get_path("scripts")) / "log-collector"
    done = subprocess.run(
        [sys.executable, program, "--listen", tmp_path / "s", "--store", store.path, "--config", config],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "s").exists()
