"""`logchain verify` with a store that is sealed: what it says, and what it exits with."""

import json
import os
import re
from pathlib import Path

import pytest

from logchain.store.clock import SystemClock
from logchain.store.heads import OpenHeads
from logchain.store.layout import open_store
from logchain.store.ledger import open_ledger
from logchain.store.opening import open_stream
from logchain.store.sealer import seal_segment
from tests.cli.conftest import Run


@pytest.fixture
def pin(stocked: Run) -> str:
    """The fingerprint of a store with a sealed stream, two that are listed, and one that is neither."""
    clock = SystemClock()
    with open_store("store") as store:
        writer = open_stream(store, "work", "journal", clock)
        writer.roll("size")
        writer.close()
        with open_ledger(store, clock) as ledger:
            seal_segment(store, ledger, "work", "journal", 1)
            OpenHeads().record(store, ledger)
    done = stocked("logchain", "verify", "--json")
    assert done.returncode == 3
    stocked("log-collector", "--stdio", "journal", vm="new", stdin=b"the newest line\n")
    found = json.loads(done.stdout)["ledger"]["fingerprint"]
    assert isinstance(found, str)
    return found


def test_the_fingerprint_carries_a_verdict(stocked: Run, pin: str) -> None:
    """In any way in which a person writes it; what it does not cover is said behind it."""
    spoken = " ".join(re.findall(".{8}", pin.upper()))
    for given in (pin, spoken, spoken.replace(" ", "-"), spoken.replace(" ", ":")):
        done = stocked("logchain", "verify", "--fingerprint", given)
        assert done.returncode == 0, done.stdout.decode()
    text = done.stdout.decode()
    assert "\nINTACT: what is sealed or listed" in text
    assert "the newest 4 records are not checked" in text
    assert "  new/journal: 4 records good up to" in text
    assert "intact, but for 4 that nothing has fixed yet" in text
    tail = text.partition("\nINTACT: ")[2]
    assert "ratchet  not checked: no --audit-secret." in tail
    assert "It begins with the key that the fingerprint is of." in tail
    assert "6 records are as they were sealed. Sealed segments in the store: 1." in tail
    assert "10 records of open segments are as listed by" in tail
    assert "witness  none." in tail


def test_fingerprint_and_secret_together(stocked: Run, pin: str) -> None:
    """All of it is checked, and both layers say so."""
    done = stocked("logchain", "verify", "--fingerprint", pin, "--audit-secret", "audit", "--jobs", "2")
    assert done.returncode == 0
    assert "\nINTACT: every record above" in done.stdout.decode()
    assert "ratchet  20 of 20 records checked one by one" in done.stdout.decode()


def test_without_a_pinned_fingerprint_it_cannot_tell(stocked: Run, pin: str) -> None:  # noqa: ARG001 (it seals)
    """The ledger may be made up."""
    done = stocked("logchain", "verify")
    assert done.returncode == 3
    assert "No pinned fingerprint" in done.stdout.decode()
    assert "intact" not in done.stdout.decode().lower()


def test_another_fingerprint_is_damage_and_none_is_wrong_usage(stocked: Run, pin: str) -> None:
    """Whoever replaces the ledger must not get away with 'cannot tell'."""
    done = stocked("logchain", "verify", "--fingerprint", "0" * 64)
    assert done.returncode == 1
    assert "BAD  ledger entry 0: the ledger has another fingerprint" in done.stdout.decode()
    for wrong in ("", "0" * 63, "x" * 64, pin + "00", "0" * 1000):
        done = stocked("logchain", "verify", "--fingerprint", wrong)
        assert (done.returncode, b"not a fingerprint" in done.stderr) == (2, True), wrong
    assert stocked("logchain", "verify", "--jobs", "0").returncode == 2


def test_damage_names_its_place(stocked: Run, pin: str) -> None:
    """A sealed text that was changed, in words and in JSON; more processes say the same."""
    path = Path("store/sealed/work/journal/00000001.log")
    os.chmod(path, 0o600)
    path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
    done = stocked("logchain", "verify", "--fingerprint", pin)
    assert done.returncode == 1
    assert re.search(
        r"BAD  segment 1, record 0, byte 0: records 0 to 5, received 2\S+ to 2\S+: the text was changed",
        done.stdout.decode(),
    )
    told = [stocked("logchain", "verify", "--fingerprint", pin, "--json", "--jobs", jobs) for jobs in ("1", "3")]
    assert told[0].stdout == told[1].stdout
    report = json.loads(told[0].stdout)
    assert report["verdict"] == "damaged"
    assert report["witness"] is None
    assert report["ledger"]["pinned"] is True
    assert report["ledger"]["head_time"].startswith("2")
    (work,) = [stream for stream in report["streams"] if stream["vm"] == "work"]
    assert [finding["segment"] for finding in work["findings"]] == [1]


def test_commands_know_a_stream_that_is_sealed_only(stocked: Run, pin: str) -> None:  # noqa: ARG001 (it seals)
    """`show` and `sessions` take its name, whatever became of live/."""
    assert b"first of work" in stocked("logchain", "show", "--vm", "work").stdout
    Path("store/live/work").rename("elsewhere")
    done = stocked("logchain", "show", "--vm", "work")
    assert b"first of work" in done.stdout
    assert done.returncode == 1  # the key state is a gap
    assert stocked("logchain", "sessions", "--vm", "work").returncode == 1


def test_one_log_alone(stocked: Run, pin: str) -> None:
    """`--vm` and `--stream` choose whose contents are read; what is missing elsewhere is found all the same."""
    stocked("log-collector", "--stdio", "web", vm="work", stdin=b"GET /\n")
    path = Path("store/live/work/web/00000001.log")
    path.write_bytes(path.read_bytes().replace(b"GET /", b"PUT /"))
    for words, logs, code in (
        (["--vm", "work", "--stream", "journal"], ["work/journal"], 0),
        (["--vm", "w*", "--stream", "journal", "--stream", "web"], ["work/journal", "work/web"], 1),
        (["--stream", "web"], ["work/web"], 1),
    ):
        done = stocked("logchain", "verify", "--audit-secret", "audit", "--fingerprint", pin, "--json", *words)
        report = json.loads(done.stdout)
        assert ([f"{row['vm']}/{row['stream']}" for row in report["streams"]], done.returncode) == (logs, code)
        assert report["told"].endswith(report["summary"])
        assert report["summary"].startswith(("INTACT: ", "DAMAGED: "))
    Path("store/live/vault").rename("elsewhere")
    done = stocked("logchain", "verify", "--fingerprint", pin, "--vm", "work", "--stream", "journal")
    assert done.returncode == 1
    assert re.search("\n  BAD  .*(is gone|are missing)", done.stdout.decode())
    assert stocked("logchain", "verify", "--stream", "../web").returncode == 2
