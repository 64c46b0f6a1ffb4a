"""The compressor asks a witness: the real one, behind a stand-in for qrexec-client-vm that behaves as QUBES.md says."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from logchain.format.cosignature import cosigned_at
from logchain.format.ledger import split_entries
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.merkle import leaf_hash, root
from logchain.format.settings import Settings, parse_settings
from logchain.format.signed_note import (
    COSIGNATURE,
    Signature,
    format_signature,
    parse_note,
    parse_vkey,
    public_key,
)
from logchain.store.layout import open_store
from logchain.store.witnessed import Growth, read_checkpoint, witnessed_size
from logchain_witness.checkpoint import check_growth, parse_checkpoint
from logchain_witness.note import LOG, parse_key
from logchain_witness.note import parse_note as parse
from logchain_witness.state import Log, State
from tests.compress.conftest import Working
from tests.conftest import Store

PROGRAM = f"{sysconfig.get_path('scripts')}/logchain-witness"


class Vault:
    """A witness in its qube, and the way there."""

    def __init__(self, store: Store, place: Path) -> None:
        self.store, self.state = store, State(str(place / "witness"))
        self.key = str(self.state.create("vault/logchain-witness"))
        self._switch = place / "qrexec"
        self.up()
        self.pin()

    def up(self, first: str = "") -> None:
        """Let qrexec carry calls: the service runs, its environment says who calls."""
        self.switch(f"{first}exec env QREXEC_REMOTE_DOMAIN=sys-log {PROGRAM} --state {self.state.path} answer")

    def switch(self, script: str) -> None:
        """Let something else happen to calls."""
        self._switch.write_text(f"#!/bin/sh\n{script}\n")
        self._switch.chmod(0o700)

    def pin(self, qube: str = "sys-log") -> None:
        """Pin the store's log."""
        with open_store(self.store.path) as directory:
            _, genesis = read_checkpoint(directory)
        entries = (self.store.path / "ledger" / "entries").read_text()
        key = next(word for word in entries.split() if word.startswith(f"{genesis.origin}+"))
        self.state.keep(Log(parse_key(key, LOG), qube))

    @property
    def settings(self) -> Settings:
        """The settings of a LogVM that has this witness."""
        return parse_settings(f'[witness]\nkey = "{self.key}"\ncommand = ["{self._switch}"]\n')

    def size(self) -> int:
        """Return how many entries it remembers."""
        (log,) = self.state.logs()
        return log.checkpoint.size if log.checkpoint else 0


@pytest.fixture
def vault(store: Store, tmp_path: Path) -> Vault:
    """A witness that has the store pinned."""
    return Vault(store, tmp_path)


def witnessed(store: Store, vault: Vault) -> int:
    """Return how many entries are cosigned, as the store keeps it, and see that the cosignature holds."""
    note = parse_note((store.path / "ledger" / "witnessed").read_bytes(), MAX_CHECKPOINT)
    assert cosigned_at(note, parse_vkey(vault.key, COSIGNATURE))
    with open_store(store.path) as directory:
        return witnessed_size(directory, parse_vkey(vault.key, COSIGNATURE))


def test_it_is_asked_and_kept(store: Store, working: Working, vault: Vault) -> None:
    """What a round adds to the ledger is cosigned behind it, and both remember the same."""
    store.log(b"one")
    working.round(vault.settings)
    size = vault.size()
    assert size > 1
    assert witnessed(store, vault) == size
    store.log(b"two")
    store.clock.go(400)
    working.round(vault.settings)
    assert vault.size() > size
    assert witnessed(store, vault) == vault.size()
    assert not working.told()


def test_when_it_is_asked(store: Store, working: Working, vault: Vault, tmp_path: Path) -> None:
    """Entries that come together are one question; without any, five minutes later it is asked again: a heartbeat."""
    vault.up(f"echo >> {tmp_path}/calls; ")

    def calls() -> int:
        return (tmp_path / "calls").stat().st_size if (tmp_path / "calls").exists() else 0

    working.round(vault.settings)
    assert calls() == 1
    for _ in range(5):
        store.clock.go(10)
        working.round(vault.settings)
    assert calls() == 1
    written = (store.path / "ledger" / "witnessed").stat().st_ino
    for _ in range(30):
        store.clock.go(10)
        working.round(vault.settings)
    assert calls() == 2
    assert (store.path / "ledger" / "witnessed").stat().st_ino != written


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 126", "the policy in dom0 refuses the call"),
        ("exit 127", "no such service"),
        ("cat > /dev/null; exit 0", "ended with exit code 0"),
        ("echo 200; exit 0", "not signed by the key"),
        ("echo HTTP/1.1 200 OK", "no answer of a witness"),
        ("yes", "an answer that is too long"),
        ("echo '409 x'; echo 1x", "not a number"),
        ("echo '409 x'; echo 99999", "signed 99999 entries of this ledger"),
        ("echo '500 no room'", "cannot keep what it is shown"),
        ("echo '418 \033[2J teapot'", "no answer of a witness"),
        ("echo '418 teapot'", "refuses (418): teapot"),
    ],
)
def test_without_a_witness(store: Store, working: Working, vault: Vault, script: str, words: str) -> None:
    """It goes on, says so once in its log, tells `status` every round, and asks again; then all is well."""
    vault.switch(script)
    store.log(b"one")
    for _ in range(4):
        working.round(vault.settings)
        store.clock.go(60)
    told = [line for line in working.logged if words in line]
    assert len(told) == 1, working.logged
    assert words in working.told()
    assert not (store.path / "ledger" / "witnessed").exists()
    vault.up()
    store.clock.go(300)
    working.round(vault.settings)
    assert any("signs again" in line for line in working.logged)
    working.round(vault.settings)
    assert not working.told()
    assert witnessed(store, vault) == vault.size() > 1


def test_no_command(store: Store, working: Working, vault: Vault) -> None:
    """Without qrexec-client-vm, as outside of Qubes, it says so and goes on."""
    settings = vault.settings._replace(witness_command=("/nowhere/qrexec-client-vm",))
    working.round(settings)
    working.round(settings)
    assert "/nowhere/qrexec-client-vm: No such file" in "".join(working.logged)
    assert working.told().startswith("no witness: ")
    assert not (store.path / "ledger" / "witnessed").exists()


def test_it_says_nothing_and_stays(
    store: Store, working: Working, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that closes its output and does not end is given up like any other that has no answer."""
    monkeypatch.setattr("logchain.compress.witness._PATIENCE", 0.5)
    working.round(vault.settings._replace(witness_command=("/bin/sh", "-c", "exec >&-; exec sleep 60")))
    assert "said nothing, and does not end" in working.logged[-1]
    assert not (store.path / "ledger" / "witnessed").exists()


def test_a_witness_that_signs_another_text(store: Store, working: Working, tmp_path: Path) -> None:
    """With a blank line in its answer the text that it signed is another: what is kept has to hold by itself."""
    store.log(b"one")
    seed, name = bytes(range(32)), "vault/logchain-witness"
    key = public_key(name, seed)._replace(kind=COSIGNATURE)
    with open_store(store.path) as directory:
        working.round(Settings())
        note, _ = read_checkpoint(directory)
    signature = SigningKey(seed).sign(b"cosignature/v1\ntime 1800000000\n" + note).signature
    line = format_signature(Signature(name, key.key_id, (1_800_000_000).to_bytes(8, "big") + signature))
    assert cosigned_at(parse_note(note + b"\n" + line, MAX_CHECKPOINT), key) == 1_800_000_000
    (tmp_path / "answer").write_bytes(b"200\n\n" + line)
    working.round(Settings(witness=key, witness_command=("cat", str(tmp_path / "answer"))))
    assert "the witness could not be asked, or did not answer as it should" in working.logged[-1]
    assert not (store.path / "ledger" / "witnessed").exists()


def test_another_witness_answers(store: Store, working: Working, vault: Vault, tmp_path: Path) -> None:
    """A cosignature of a key that is not the one in the settings is not kept."""
    (tmp_path / "other").mkdir()
    other = Vault(store, tmp_path / "other")
    working.round(vault.settings._replace(witness_command=other.settings.witness_command))
    assert "not signed by the key in the settings" in working.logged[-1]
    assert not (store.path / "ledger" / "witnessed").exists()


def test_it_lost_what_it_knew(store: Store, working: Working, vault: Vault) -> None:
    """Killed between the answer and its own disk, it asks from too far back, is told the size, and asks again."""
    working.round(vault.settings)
    (store.path / "ledger" / "witnessed").unlink()
    store.log(b"more")
    store.clock.go(600)
    working.round(vault.settings)
    assert witnessed(store, vault) == vault.size()
    assert not working.told()


def test_the_witness_went_back(store: Store, working: Working, vault: Vault) -> None:
    """A witness that remembers less than it signed is told of, in the log, and cosigns from there."""
    working.round(vault.settings)
    backup = Path(vault.state.path).with_name("backup")
    shutil.copytree(vault.state.path, backup)
    store.log(b"more")
    store.clock.go(600)
    working.round(vault.settings)
    size = vault.size()
    shutil.rmtree(vault.state.path)
    backup.rename(vault.state.path)
    assert vault.size() < size
    store.clock.go(600)
    working.round(vault.settings)
    assert "it was taken back to an older state" in working.logged[-1]
    assert vault.size() >= size


def test_an_older_store(store: Store, vault: Vault, tmp_path: Path) -> None:
    """A store that is put back from a backup gets no cosignature, whether it goes on or not."""
    first = Working(store)
    store.log(b"one")
    first.round(vault.settings)
    shutil.copytree(store.path, tmp_path / "backup")
    for _ in range(3):
        store.log(b"more")
        store.clock.go(600)
        first.round(vault.settings)
    size = vault.size()
    first.close()
    shutil.rmtree(store.path)
    (tmp_path / "backup").rename(store.path)
    again = Working(store)
    try:
        again.round(vault.settings)
        assert f"signed {size} entries of this ledger" in again.logged[-1]
        while ledger_size(store) <= size:
            store.log(b"another story")
            store.clock.go(600)
            again.round(vault.settings)
        assert "it remembers another ledger" in again.logged[-1]
        assert vault.size() == size
    finally:
        again.close()


def ledger_size(store: Store) -> int:
    """Return how many entries the ledger has."""
    with open_store(store.path) as directory:
        return read_checkpoint(directory)[1].size


def test_proofs_from_any_size(store: Store, working: Working) -> None:
    """From each size to the ledger's own, in any order of asking."""
    for _ in range(12):
        store.log(b"x")
        store.clock.go(600)
        working.round()
    with open_store(store.path) as directory:
        note, new = read_checkpoint(directory)
        growth, shown = Growth(directory), parse_checkpoint(parse(note).text)
        entries = (store.path / "ledger" / "entries").read_bytes()
        leaves = [leaf_hash(entry) for entry in split_entries(entries)[0]]
        for old in [1, 3, new.size, 2, new.size - 1, 0, 5, 5]:
            before = shown._replace(size=old, root=root(leaves[:old]))
            check_growth(before, shown, growth.proof(old, new))


def test_another_ledger_in_its_place(store: Store, working: Working, tmp_path: Path) -> None:
    """What was read of one ledger says nothing of another that is put there: its proofs are its own."""
    working.round()
    other = Store.make(tmp_path / "other")
    for each in (store, other):
        again = Working(each)
        for _ in range(5 if each is store else 9):
            each.log(b"x")
            each.clock.go(600)
            again.round()
        again.close()
    with open_store(store.path) as directory:
        growth = Growth(directory)
        _, new = read_checkpoint(directory)
        assert growth.proof(3, new)
        shutil.rmtree(store.path / "ledger")
        shutil.copytree(other.path / "ledger", store.path / "ledger")
        note, new = read_checkpoint(directory)
        leaves = [leaf_hash(entry) for entry in split_entries((store.path / "ledger" / "entries").read_bytes())[0]]
        shown = parse_checkpoint(parse(note).text)
        check_growth(shown._replace(size=4, root=root(leaves[:4])), shown, growth.proof(4, new))


def test_the_daemon_asks(store: Store, vault: Vault, tmp_path: Path) -> None:
    """log-compressor as a process, with --once: it asks behind what it did."""
    store.log(b"one")
    config = tmp_path / "logchain.toml"
    command = vault.settings.witness_command[0]
    config.write_text(f'[collector]\nreserve = "0 B"\n[witness]\nkey = "{vault.key}"\ncommand = ["{command}"]\n')
    start = [
        sys.executable,
        "-c",
        "from logchain.compress.main import main; main()",
        "--once",
        "--store",
        str(store.path),
    ]
    done = subprocess.run([*start, "--config", str(config)], capture_output=True, check=True)
    assert b"witness" not in done.stderr
    assert witnessed(store, vault) == vault.size() > 1
