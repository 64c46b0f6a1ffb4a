"""`logchain audit-key`: one segment's key, made in the vault without reading a log."""

import json
import stat
from pathlib import Path

import pytest

from logchain.format.ratchet import chain
from logchain.format.segment_key import parse_segment_key
from logchain.format.tags import parse_tags
from tests.cli.conftest import Run


def audit_key(run: Run, identity: str, birth: int, segment: int, *words: str) -> bytes:
    """Ask for a key, and return the file."""
    where = ("--stream-id", identity, "--birth", str(birth), "--segment", str(segment), "--key-out", "key")
    done = run("logchain", "audit-key", "--audit-secret", "audit", *where, *words)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    assert b"Whoever has it can forge the segment" in done.stdout
    return Path("key").read_bytes()


def test_the_key_is_the_segments(stocked: Run) -> None:
    """With it, and nothing else, the segment's tags can be made again; of another segment they cannot."""
    for line in (b"one\n", b"two\n"):
        stocked("logchain", "seal", "--vm", "work")
        stocked("log-collector", "--stdio", "journal", vm="work", stdin=line)
    (row,) = [
        found
        for found in map(json.loads, stocked("logchain", "list", "--json").stdout.splitlines())
        if found["vm"] == "work"
    ]
    data = audit_key(stocked, row["id"], row["birth"], 3)
    assert stat.S_IMODE(Path("key").stat().st_mode) == 0o600
    key = parse_segment_key(data)
    assert (key.stream_id.hex(), key.segment, key.birth) == (row["id"], 3, row["birth"])
    live = Path("store/live/work/journal")
    records = (live / "00000003.log").read_bytes().split(b"\n")[:-1]
    assert chain(key.key, records)[1] == [tag for _, tag in parse_tags((live / "00000003.tags").read_bytes())]
    manifest = Path("store/sealed/work/journal/00000002.manifest").read_text().splitlines()
    assert manifest[2] == f"stream {row['id']} 2"
    assert manifest[3] == f"birth {row['birth']}"
    records = Path("store/sealed/work/journal/00000002.log").read_bytes().split(b"\n")[:-1]
    assert chain(key.key, records)[1][-1].hex() != manifest[8].removeprefix("tag ")


@pytest.mark.parametrize(
    "words",
    [
        ["--stream-id", "ab" * 31, "--birth", "1", "--segment", "1"],
        ["--stream-id", "AB" * 32, "--birth", "1", "--segment", "1"],
        ["--stream-id", "ab" * 32, "--birth", "0", "--segment", "1"],
        ["--stream-id", "ab" * 32, "--birth", "10000001", "--segment", "1"],
        ["--stream-id", "ab" * 32, "--birth", "1", "--segment", "1000000"],
        ["--stream-id", "ab" * 32, "--birth", "1"],
    ],
)
def test_what_makes_no_sense(stocked: Run, words: list[str]) -> None:
    """It is refused, and no file is made."""
    done = stocked("logchain", "audit-key", "--audit-secret", "audit", "--key-out", "key", *words)
    assert done.returncode == 2
    assert not Path("key").exists()


def test_no_file_is_replaced(stocked: Run) -> None:
    """A key that is there stays, whatever it is."""
    Path("key").write_text("precious")
    words = ("--stream-id", "ab" * 32, "--birth", "1", "--segment", "1", "--key-out", "key")
    done = stocked("logchain", "audit-key", "--audit-secret", "audit", *words)
    assert (done.returncode, done.stderr) == (2, b"logchain: cannot make key: File exists\n")
    assert Path("key").read_text() == "precious"
