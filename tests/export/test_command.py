"""`logchain export`, `verify FILE`, `recipient` and `decrypt`, as a person runs them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.format.ledger import Export, open_entry, open_genesis, split_entries
from logchain.format.ledger import fingerprint as fingerprint_of
from tests.cli.conftest import SCRIPTS, Run, run_in
from tests.cli.test_seal import events, sender
from tests.export.files import check, parts, texts

PLACE = "evidence/streams/work/journal"
# logchain, but that it waits less long for a collector
IMPATIENT = "from logchain.store import closing; closing._PATIENCE = 0.5; from logchain.cli.main import main; main()"


def fingerprint() -> str:
    """Return the fingerprint of the store, from its ledger."""
    entries, _ = split_entries(Path("store/ledger/entries").read_bytes())
    return fingerprint_of(open_genesis(entries[0])[1].key)


def last_entry() -> Export:
    """Return the ledger's last event, which has to be an export."""
    entries, _ = split_entries(Path("store/ledger/entries").read_bytes())
    entry = open_genesis(entries[0])[0]
    for data in entries[1:]:
        entry = open_entry(data, entry.next)
    assert isinstance(entry.event, Export)
    return entry.event


def test_a_whole_round(stocked: Run) -> None:
    """What nobody writes is sealed, the file is there for its owner alone, on record, and intact."""
    done = stocked("logchain", "export", "--output", "all.tar")
    assert (done.returncode, done.stderr) == (
        0,
        b"".join(b"%s/journal: segment 1 is sealed\n" % vm for vm in (b"dom0", b"vault", b"work")),
    )
    data = Path("all.tar").read_bytes()
    assert Path("all.tar").stat().st_mode & 0o777 == 0o600
    assert events() == ["genesis", *["birth", "seal"] * 3, "export"]
    event = last_entry()
    assert (event.evidence, event.since, event.births) == (sha256(data).digest(), 0, (1, 2, 3))
    assert sha256(data).hexdigest() in done.stdout.decode()
    assert done.stdout.startswith(b"all.tar  18 records of 3 streams, ")
    assert b"- first of work\n" in texts(data)["work/journal"]
    done = stocked("logchain", "verify", "all.tar", "--fingerprint", fingerprint(), "--store", "nowhere")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\nINTACT: every record above is as the store received and sealed it.\n" in done.stdout
    done = stocked("logchain", "verify", "all.tar", "--restored", "1")
    assert (done.returncode, b"FILE is checked by itself: leave out" in done.stderr) == (2, True)
    done = stocked("logchain", "verify", "--fingerprint", fingerprint())
    assert (done.returncode, b"lines were taken out 1 time.\n" in done.stdout) == (0, True)


def test_the_range_and_the_stream(stocked: Run) -> None:
    """Only what was asked for is sealed, goes in, and is on record."""
    stocked("log-collector", "--stdio", "web", vm="work", stdin=b"GET\n")
    done = stocked(
        "logchain", "export", "--vm", "work", "--stream", "web", "-S", "-1h", "-U", "+1h", "--output", "e.tar"
    )
    assert done.returncode == 0
    data = Path("e.tar").read_bytes()
    assert list(texts(data)) == ["work/web"]
    event = last_entry()
    assert event.until - event.since == pytest.approx(7_200_000_000, abs=1)
    assert len(event.births) == 1
    assert not Path("store/sealed/vault").exists()


def test_verdicts_and_json(stocked: Run) -> None:
    """0 with the fingerprint, 3 without, 1 where something was changed or the fingerprint is another's."""
    stocked("logchain", "export", "--vm", "work", "--output", "e.tar")
    done = stocked("logchain", "verify", "e.tar", "--json", "--fingerprint", fingerprint())
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["pinned"]) == (0, "intact", True)
    assert [(row["vm"], row["records"], row["begins"], row["ends"]) for row in report["streams"]] == [
        ("work", 6, True, False)
    ]
    done = stocked("logchain", "verify", "e.tar")
    assert (done.returncode, b"\nCANNOT TELL: " in done.stdout) == (3, True)
    assert stocked("logchain", "verify", "e.tar", "--fingerprint", "00" * 32).returncode == 1
    data = Path("e.tar").read_bytes()
    Path("e.tar").write_bytes(data.replace(b"first of work", b"worst of work"))
    done = stocked("logchain", "verify", "e.tar", "--fingerprint", fingerprint())
    assert (done.returncode, b"\nDAMAGED: " in done.stdout) == (1, True)
    assert (
        b"BAD  segment 1, record 0, byte 0: records 0 to 5: the text was changed, or is not all there\n" in done.stdout
    )
    Path("settings.toml").write_text(f'[verify]\nfingerprint = "{fingerprint()}"\n')
    Path("e.tar").write_bytes(data)
    assert stocked("logchain", "verify", "e.tar", "--config", "settings.toml").returncode == 0


def test_what_is_no_evidence(stocked: Run) -> None:
    """One line, exit 3; a directory, or no file at all, is wrong usage."""
    Path("cut.tar").write_bytes(b"")
    done = stocked("logchain", "verify", "cut.tar")
    assert (done.returncode, done.stdout) == (3, b"")
    assert (
        done.stderr == b"logchain: cut.tar is no evidence file that is whole: no evidence/README: the file is cut off\n"
    )
    for name in ("store", "nowhere"):
        done = stocked("logchain", "verify", name)
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    done = stocked("logchain", "verify", "cut.tar", "--vm", "work")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--output", "new.tar", "--to-dispvm"),
        ("--to-dispvm", "--encrypt-to", "evidence-to+00000000+AA=="),
        ("--output", "new.tar", "--encrypt-to", "evidence-to+00000000+AA=="),
        ("--output", "audit"),
        ("--output", "nowhere/new.tar"),
        ("--output", "new.tar", "--vm", "wrok"),
        ("--output", "new.tar", "--until", "2020-01-01"),
    ],
)
def test_wrong_usage(stocked: Run, arguments: tuple[str, ...]) -> None:
    """Each is one line and exit 2; nothing is made, replaced, or put on record."""
    before = Path("audit").read_bytes()
    done = stocked("logchain", "export", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert Path("audit").read_bytes() == before
    assert not Path("new.tar").exists()
    assert "export" not in events()


def test_a_sender_that_is_connected(stocked: Run) -> None:
    """Its segment is closed by its collector, sealed, and goes in up to now; it stays connected, and goes on."""
    with sender("work", "journal"):
        done = stocked("logchain", "export", "--vm", "work", "--output", "e.tar")
        assert done.returncode == 0
        written = b"work/journal: is being written; what comes from now on is not in it\n"
        assert done.stderr.startswith(written + b"waiting for the collectors to close their segments\n")
        data = Path("e.tar").read_bytes()
        assert texts(data)["work/journal"].endswith(b"- line\n")
        assert b"# end reason=sealed records=8\n" in dict(parts(data))[f"{PLACE}/00000001/000000000"]
        assert check(data).streams[0].is_whole
        assert last_entry().until < time.time() * 1_000_000
    assert not list(Path("store/live").rglob("*.close"))
    assert b"session-end" in stocked("logchain", "show", "--vm", "work", "--notes").stdout
    assert stocked("logchain", "verify", "--fingerprint", fingerprint(), "--audit-secret", "audit").returncode == 0


def test_a_collector_that_does_not_answer(stocked: Run) -> None:
    """What cannot be closed is not taken out; what came before can be. The message tells from when on."""
    with sender("work", "journal") as process:
        process.send_signal(signal.SIGSTOP)
        try:
            done = stocked(sys.executable, "-c", IMPATIENT, "export", "--vm", "work", "--output", "e.tar")
            assert (done.returncode, Path("e.tar").exists()) == (3, False)
            assert b"work/journal: what came since " in done.stderr
            assert stocked("logchain", "export", "--vm", "vault", "--output", "v.tar").returncode == 0
        finally:
            process.send_signal(signal.SIGCONT)
    assert not list(Path("store/live").rglob("*.close"))


def test_a_stream_that_has_nothing_sealed(stocked: Run) -> None:
    """Where only later lines are not sealed, the stream is left out, and that is told."""
    stocked("logchain", "seal", "--vm", "work")
    done = stocked("logchain", "export", "--until", "2020-01-01", "--output", "e.tar")
    assert done.returncode == 0
    assert done.stderr == b"".join(
        b"%s/journal: nothing of it is sealed; it is not in the file\n" % vm for vm in (b"dom0", b"vault")
    )
    assert stocked("logchain", "verify", "e.tar", "--fingerprint", fingerprint()).returncode == 0


def test_a_damaged_store(stocked: Run) -> None:
    """Of a ledger that was changed nothing is taken out, and nothing goes on record."""
    stocked("logchain", "seal")
    manifest = Path("store/sealed/work/journal/00000001.manifest")
    manifest.chmod(0o600)
    manifest.write_bytes(manifest.read_bytes().replace(b"birth 1", b"birth 2").replace(b"birth 3", b"birth 2"))
    done = stocked("logchain", "export", "--vm", "work", "--output", "e.tar")
    assert (done.returncode, done.stderr.count(b"\n")) == (3, 1)
    assert b"the ledger does not say what is sealed; 'logchain verify' tells more" in done.stderr
    assert not Path("e.tar").exists()
    assert "export" not in events()


def test_a_disk_without_room(stocked: Run) -> None:
    """The file goes again; that it was about to be made is on record."""
    stocked("log-collector", "--stdio", "big", vm="work", stdin=b"%s\n" % (b"x" * 999) * 400)
    stocked("logchain", "seal")
    command = f"ulimit -f 300; exec {SCRIPTS}/logchain export --store store --vm work --output e.tar"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (3, 1)
    assert done.stderr.startswith(b"logchain: cannot write e.tar: ")
    assert not Path("e.tar").exists()
    assert events()[-1] == "export"
    assert stocked("logchain", "verify", "--audit-secret", "audit").returncode != 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another")
def test_root_acts_as_the_owner_and_is_root_again(stocked: Run) -> None:
    """What is made in the store is its owner's; the file is root's, in a directory that the owner may not enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        place = f"{directory}/store"
        subprocess.run(["cp", "-a", "store", place], check=True)
        subprocess.run(["chown", "-R", "65534:65534", place], check=True)
        Path("private").mkdir(mode=0o700)
        done = stocked("logchain", "export", "--store", place, "--output", "private/e.tar")
        assert done.returncode == 0, done.stderr
        assert Path("private/e.tar").stat().st_uid == 0
        assert {path.stat().st_uid for path in Path(place).rglob("*")} == {65534}
        done = stocked("logchain", "export", "--store", place, "--vm", "nobody", "--output", "private/f.tar")
        assert (done.returncode, Path("private/f.tar").exists()) == (2, False)


@pytest.fixture(scope="module")
def encrypting(stockroom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence that is encrypted, `for-ann`, of several chunks; Ann's secret; and what it is, `plain.tar`."""
    directory = tmp_path_factory.mktemp("encrypted")
    shutil.copytree(stockroom, directory, dirs_exist_ok=True)
    run = run_in(directory)
    run("log-collector", "--stdio", "big", vm="work", stdin=b"%s\n" % (b"x" * 999) * 100)
    public = run("logchain", "recipient", "--secret-out", "ann").stdout.decode().strip()
    assert run("logchain", "export", "--output", "for-ann", "--encrypt-to", public).returncode == 0
    assert run("logchain", "decrypt", "for-ann", "--secret", "ann", "--output", "plain.tar").returncode == 0
    return directory


@pytest.fixture
def encrypted(run: Run, encrypting: Path, tmp_path: Path) -> Run:
    """A copy of that."""
    shutil.copytree(encrypting, tmp_path, dirs_exist_ok=True)
    return run


def test_encrypted_to_somebody(encrypted: Run) -> None:
    """Nothing of the text is readable; what is decrypted is what the entry hashes, and intact."""
    assert b"first of work" not in Path("for-ann").read_bytes()
    assert Path("ann").stat().st_mode & 0o777 == Path("plain.tar").stat().st_mode & 0o777 == 0o600
    assert last_entry().evidence == sha256(Path("plain.tar").read_bytes()).digest()
    assert len(parts(Path("plain.tar").read_bytes())) > 10
    assert encrypted("logchain", "verify", "plain.tar", "--fingerprint", fingerprint()).returncode == 0
    done = encrypted("logchain", "verify", "for-ann")
    assert (done.returncode, done.stderr.count(b"\n"), b"'logchain decrypt'" in done.stderr) == (2, 1, True)


def test_not_for_others(encrypted: Run) -> None:
    """With another secret it does not open; with what is no secret it is wrong usage."""
    encrypted("logchain", "recipient", "--secret-out", "bob")
    done = encrypted("logchain", "decrypt", "for-ann", "--secret", "bob", "--output", "new")
    assert (done.returncode, Path("new").exists()) == (3, False)
    assert done.stderr.startswith(b"logchain: for-ann: it is encrypted to somebody else")
    for words in (("for-ann", "--secret", "audit"), ("nowhere", "--secret", "ann"), ("for-ann", "--secret", "nowhere")):
        done = encrypted("logchain", "decrypt", *words, "--output", "new")
        assert (done.returncode, done.stderr.count(b"\n"), Path("new").exists()) == (2, 1, False)


def test_cut_off(encrypted: Run) -> None:
    """Wherever it is cut off, nothing comes out, and it is one line."""
    data = Path("for-ann").read_bytes()
    for size in (0, 100, 135 + 65_553, -17, -1):
        Path("cut").write_bytes(data[:size])
        done = encrypted("logchain", "decrypt", "cut", "--secret", "ann", "--output", "new")
        assert (done.returncode, done.stderr.count(b"\n"), Path("new").exists()) == (3, 1, False)


def test_a_stream_whose_id_was_lost(stocked: Run) -> None:
    """Who makes the file is told what its reader will be: that nothing proves the name."""
    stocked("logchain", "seal", "--vm", "work")
    Path("store/live/work/journal/id").unlink()
    done = stocked("logchain", "export", "--vm", "work", "--output", "e.tar")
    assert done.returncode == 0
    assert b"  work/journal: its id was lost: nothing proves these names, so 'verify' cannot tell\n" in done.stdout
    done = stocked("logchain", "verify", "e.tar", "--fingerprint", fingerprint())
    assert (done.returncode, b"\n  what this file calls work/journal: 6 records good" in done.stdout) == (3, True)
