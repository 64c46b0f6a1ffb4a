"""`logchain list`: which logs, which segments, and how a program is told of what changes."""

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from logchain.cli.list import _Following
from logchain.compress.catalog import Catalog
from logchain.format.record import LINE
from logchain.read.selection import Selection
from logchain.store import forgetting
from logchain.store.layout import open_store
from tests.cli.conftest import SCRIPTS, Run
from tests.conftest import STREAM, VM, Store
from tests.read.archived import Archive


def objects(output: bytes) -> list[dict[str, Any]]:
    """Return the objects of a command's output."""
    return [json.loads(line) for line in output.splitlines()]


def test_segments_before_and_after_the_seal(stocked: Run) -> None:
    """A row a segment, with the same numbers whether it is open or sealed; a choice as for other commands."""
    (row,) = objects(stocked("logchain", "list", "--segments", "--vm", "work", "--json").stdout)
    assert (row["segment"], row["state"], row["number"], row["records"]) == (1, "open", 0, 5)
    (log,) = objects(stocked("logchain", "list", "--vm", "work", "--json").stdout)
    assert (log["size"], log["first"], log["last"]) == (row["size"], row["first"], row["last"])
    assert log["room"] > row["room"] > row["size"]
    assert stocked("logchain", "seal").returncode == 0
    for catalog in (True, False):
        (row,) = objects(stocked("logchain", "list", "--segments", "--vm", "wo*", "--json").stdout)
        assert (row["state"], row["records"]) == ("sealed", 6)  # and the `end` note
        (log,) = objects(stocked("logchain", "list", "--stream", "journal", "--vm", "work", "--json").stdout)
        assert (log["sealed"], log["compressed"], log["size"]) == (1, 0, row["size"])
        if catalog:
            Path("store/catalog.sqlite").unlink()
    table = stocked("logchain", "list", "--segments").stdout.decode().splitlines()
    assert table[0].split()[:4] == ["VM", "STREAM", "SEGMENT", "RECORDS"]
    assert len(table) == 4


def test_a_damaged_segment_has_a_row(stocked: Run) -> None:
    """What cannot be read is there, and says so."""
    stocked("logchain", "seal")
    Path("store/catalog.sqlite").unlink()
    manifest = Path("store/sealed/work/journal/00000001.manifest")
    manifest.chmod(0o600)
    manifest.write_bytes(b"logchain manifest v9\n")
    rows = objects(stocked("logchain", "list", "--segments", "--json").stdout)
    assert [row["state"] for row in rows] == ["sealed", "sealed", "damaged"]


def test_following(stocked: Run, tmp_path: Path) -> None:
    """All logs come, then one again when it changed, was sealed, or went; nothing else does."""
    command = [f"{SCRIPTS}/logchain", "list", "--json", "--follow", "--store", "store"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout
        rows = [json.loads(process.stdout.readline()) for _ in range(4)]
        assert [row.get("vm") for row in rows] == ["dom0", "vault", "work", None]
        assert rows[3] == {"listed": 3}
        stocked("log-collector", "--stdio", "web", vm="work", stdin=b"one\n")
        row = json.loads(process.stdout.readline())
        while row["connected"]:
            row = json.loads(process.stdout.readline())
        assert (row["vm"], row["stream"], row["records"]) == ("work", "web", 4)
        stocked("logchain", "forget", "--vm", "vault", "--yes")
        while (row := json.loads(process.stdout.readline()))["state"] != "gone":
            assert row["vm"] != "dom0" or row["state"] == "closed"
        assert (row["vm"], row["stream"]) == ("vault", "journal")
        process.kill()


def test_following_what_is_taken_away(stocked: Run, tmp_path: Path) -> None:
    """A log that is moved away is missing, not gone, and is told again when it is back; forgotten ones come first."""
    stocked("logchain", "forget", "--vm", "vault", "--yes")
    command = [f"{SCRIPTS}/logchain", "list", "--json", "--follow", "--store", "store"]
    told: list[dict[str, Any]] = []
    live, aside = tmp_path / "store/live/dom0", tmp_path / "aside"
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        for line in process.stdout or ():
            told.append(json.loads(line))
            if "listed" in told[-1]:
                live.rename(aside)
            elif told[-1].get("state") == "missing" and aside.exists():
                aside.rename(live)
            elif "listed" in [name for row in told for name in row]:
                process.kill()
    assert len(told[0]["forgotten"]) == 1
    assert told[-3] == {"listed": 2}
    assert told[-2] == told[1] | {"state": "missing"}
    assert told[-1] == told[1]


def test_following_what_is_being_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that the ledger says is forgotten is gone when it is gone, and not damaged while it goes."""
    store = Archive.make(tmp_path / "store")
    store.log(b"x")
    with open_store(store.path) as directory:
        following = _Following(str(store.path), directory, Selection())
        following._look([(VM, STREAM)])
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(forgetting, "_remove_stream", lambda *_: None)
            patch.setattr(forgetting, "_remove_vm", lambda *_: None)
            store.forget()
        (store.directory() / "ratchet").unlink()
        following._look([(VM, STREAM)])
        assert not capsys.readouterr().out
        with store.ledger() as (found, ledger):
            forgetting.finish_forgetting(found, ledger)
        following._changes.changed()
        following._look_for_missing()
    assert [row["state"] for row in objects(capsys.readouterr().out.encode())] == ["gone"]


def test_a_log_that_loses_its_keys_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a log that nobody forgot it is told that it is damaged."""
    store = Archive.make(tmp_path / "store")
    store.log(b"x")
    with open_store(store.path) as directory:
        following = _Following(str(store.path), directory, Selection())
        following._look([(VM, STREAM)])
        (store.directory() / "ratchet").unlink()
        following._look([(VM, STREAM)])
    assert [row["state"] for row in objects(capsys.readouterr().out.encode())][1:] == ["damaged"]


def test_following_is_for_programs(stocked: Run) -> None:
    """Without --json, or of segments, there is nothing to follow."""
    for words in (("-f",), ("-f", "--json", "--segments")):
        assert stocked("logchain", "list", *words).returncode == 2


def test_a_timeline(stocked: Run) -> None:
    """Every record is counted once, in as many rows as are asked for, of the qubes that are asked for."""
    for _ in range(2):
        rows = stocked("logchain", "timeline", "--buckets", "6").stdout.decode().splitlines()
        assert len(rows) == 7
        (told,) = objects(stocked("logchain", "timeline", "--json", "--buckets", "50").stdout)
        listed = {row["vm"]: row["records"] for row in objects(stocked("logchain", "list", "--json").stdout)}
        assert {vm: sum(counts) for vm, counts in told["counts"].items()} == listed
        assert told["since"] < told["until"]
        assert stocked("logchain", "seal").returncode == 0
    (told,) = objects(stocked("logchain", "timeline", "--json", "--vm", "work", "-U", "2020-01-01").stdout)
    assert not told["counts"]
    assert stocked("logchain", "timeline", "-U", "2020-01-01").returncode == 0
    assert stocked("logchain", "timeline", "--vm", "nobody").returncode == 2


def test_a_timeline_leaves_a_silence_empty(run: Run) -> None:
    """Between two sessions, and behind the last one, nothing is drawn, though one block spans them."""
    store = Archive.make(Path.cwd() / "store")
    for _ in range(2):
        store.log(*[b"x"] * 50)
        store.clock.go(7_200)
    store.roll()
    store.seal(block_size=1 << 18)
    with open_store(store.path) as directory, closing(Catalog(directory)) as catalog:
        catalog.refresh()
        assert [*catalog.condense()]
    (told,) = objects(run("logchain", "timeline", "--json", "--buckets", "10").stdout)
    counts = told["counts"]["work"]
    assert sum(counts) == 2 * 52 + 2
    assert sum(counts[1:4]) == sum(counts[6:]) == 0  # the second begins where the fifth and the sixth part meet
    assert counts[0] == pytest.approx(53, abs=2)


def test_a_timeline_knows_when_within_a_segment(run: Run) -> None:
    """Of a segment with a long silence in it, no record is put into the silence."""
    store = Store.make(Path.cwd() / "store")
    writer = store.open()
    writer.start_session(b"\x01" * 8, "logchain.Append")
    for count in (400, 600):
        writer.append(LINE, [b"x"] * count, store.clock.wall())
        writer.commit()
        store.clock.go(7_200)
    writer.close()
    (told,) = objects(run("logchain", "timeline", "--json", "--buckets", "10").stdout)
    counts = told["counts"]["work"]
    assert sum(counts) == 1_002
    assert counts[0] + counts[9] >= sum(counts) - 20  # a sample is the finest that is looked at
