"""`logchain verify --segment-key`: the records of one segment, on a copy, with nothing but its key."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_audit_key import audit_key

OPEN, SEALED = 3, 1


@pytest.fixture
def keyed(stocked: Run) -> Run:
    """A store whose stream work/journal has two sealed segments and an open one, and the keys of all three."""
    for line in (b"one\n", b"two\n"):
        stocked("logchain", "seal", "--vm", "work")
        stocked("log-collector", "--stdio", "journal", vm="work", stdin=line)
    rows = map(json.loads, stocked("logchain", "list", "--json").stdout.splitlines())
    (row,) = [row for row in rows if row["vm"] == "work"]
    for segment in (1, 2, 3):
        audit_key(stocked, row["id"], row["birth"], segment)
        Path("key").rename(f"key{segment}")
    return stocked


def verify(run: Run, *segments: int) -> tuple[int, list[str]]:
    """Check these segments; return the exit code and the lines."""
    done = run("logchain", "verify", *(word for number in segments for word in ("--segment-key", f"key{number}")))
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()


def test_a_sealed_segment_is_checked_alone(keyed: Run) -> None:
    """Of the copy nothing else has to be there."""
    for name in ("ledger", "keys", "births", "catalog.sqlite", "live/vault", "live/work/journal/00000003.log"):
        path = Path("store", name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, lines = verify(keyed, 1, 2)
    assert code == 0, lines
    assert lines[0].startswith("work/journal, segment 1: records 0 to 5 good, the last of 20")
    assert lines[1].startswith("work/journal, segment 2: records 6 to ")
    assert lines[2].startswith("INTACT")


def test_also_without_the_streams_id(keyed: Run) -> None:
    """Its manifest says which it is."""
    shutil.rmtree("store/live/work")
    assert verify(keyed, 1)[0] == 0


def test_an_open_segment_may_have_had_more(keyed: Run) -> None:
    """What is there is good; that nothing was cut off behind it the key cannot tell."""
    code, lines = verify(keyed, OPEN)
    assert code == 3
    assert lines[0].endswith(": intact so far")
    assert "it has no end so far" in lines[1]
    assert lines[2].startswith("CANNOT TELL")


@pytest.mark.parametrize("segment", [SEALED, OPEN])
def test_a_changed_record_is_found(keyed: Run, segment: int) -> None:
    """In a sealed segment also where the manifest was made up to fit, which needs no key of ours."""
    where = "live" if segment == OPEN else "sealed"
    path = Path(f"store/{where}/work/journal/{segment:08}.log")
    good = path.read_bytes()
    path.chmod(0o600)
    for place in range(40, len(good), 37):
        bad = bytearray(good)
        bad[place] ^= 1
        path.write_bytes(bad)
        code, lines = verify(keyed, segment)
        assert (code, lines[-2][:7]) == (1, "DAMAGED"), (place, lines)
    path.write_bytes(good)


def test_another_segments_key_fits_nothing(keyed: Run) -> None:
    """A key whose file says it is of another segment is no use."""
    text = Path("key2").read_text().splitlines()
    text[2] = text[2][:-1] + "1"
    Path("key2").write_text("\n".join([*text, ""]))
    code, lines = verify(keyed, 2)
    assert (code, lines[-2][:7]) == (1, "DAMAGED"), lines


def test_json(keyed: Run) -> None:
    """A row a segment, and the verdict."""
    done = keyed("logchain", "verify", "--segment-key", "key1", "--json")
    found = json.loads(done.stdout)
    (row,) = found["segments"]
    assert (found["verdict"], row["vm"], row["stream"], row["segment"]) == ("intact", "work", "journal", 1)
    assert (row["records"], row["first"], row["ended"], row["findings"]) == (6, 0, True, [])


def test_what_makes_no_sense(keyed: Run) -> None:
    """Each has its error, of one line."""
    Path("junk").write_bytes(b"\x1b[2J")
    for words, code, text in (
        (["--segment-key", "none"], 2, "cannot read none: No such file or directory"),
        (["--segment-key", "junk"], 2, "junk holds no segment key"),
        (["--segment-key", "key1", "--vm", "work"], 2, "leave out the other options"),
        (["--segment-key", "key1", "--audit-secret", "audit"], 2, "leave out the other options"),
        (["--segment-key", "key1", "--restored", "1"], 2, "leave out the other options"),
    ):
        done = keyed("logchain", "verify", *words)
        assert (done.returncode, done.stderr.count(b"\n")) == (code, 1)
        assert text in done.stderr.decode()
    shutil.rmtree("store/sealed/work")
    done = keyed("logchain", "verify", "--segment-key", "key1")
    assert (done.returncode, b"is not here" in done.stderr) == (3, True)
    Path("store/format").write_text(Path("store/format").read_text().replace("store ", "store f", 1))
    assert keyed("logchain", "verify", "--segment-key", "key1").returncode == 3


def test_of_another_store(keyed: Run) -> None:
    """A key says whose it is."""
    keyed("logchain", "init", "--store", "other", "--audit-secret-out", "audit2")
    done = keyed("logchain", "verify", "--store", "other", "--segment-key", "key1")
    assert (done.returncode, b"belongs to another store" in done.stderr) == (3, True)


def test_a_pinned_fingerprint_in_the_settings(keyed: Run) -> None:
    """`[verify] fingerprint` stands for --fingerprint, which goes before it."""
    digits = json.loads(keyed("logchain", "verify", "--json").stdout)["ledger"]["fingerprint"]
    for shown, code in ((digits, 0), (" ".join(digits[at : at + 8] for at in range(0, 64, 8)), 0), ("0" * 64, 1)):
        Path("settings").write_text(f'[verify]\nfingerprint = "{shown}"\n')
        assert keyed("logchain", "verify", "--config", "settings").returncode == code
        assert keyed("logchain", "verify", "--config", "settings", "--fingerprint", digits).returncode == 0
    Path("settings").write_text('[verify]\nfingerprint = "1234"\n')
    done = keyed("logchain", "verify", "--config", "settings")
    assert (
        done.stderr
        == b'logchain: settings: line 2: fingerprint has to be a fingerprint, as "logchain init" showed it\n'
    )


@pytest.mark.parametrize("command", ["verify", "seal"])
def test_an_empty_name_is_no_name(keyed: Run, command: str) -> None:
    """`--vm "$forgotten"` does not mean all."""
    done = keyed("logchain", command, "--vm", "")
    assert (done.returncode, done.stderr[:24]) == (2, b"logchain: not a VM name:")
