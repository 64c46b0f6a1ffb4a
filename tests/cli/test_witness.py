"""`verify --witness`, `--witness-policy` and `status`: up to when the store is witnessed, and how old that is."""

import json
import re
import shutil
from pathlib import Path

import pytest

from logchain_witness.note import cosign
from logchain_witness.state import State
from tests.cli.conftest import SCRIPTS, Run, run_in, stock
from tests.format.pages import example

CALL = "env QREXEC_REMOTE_DOMAIN=sys-log {} --state witness answer"


class Witnessed:
    """A store, a witness beside it, and the settings that join them; `key` is the witness's."""

    def __init__(self, run: Run, place: Path) -> None:
        self.run = run
        self.key = str(State(str(place / "witness")).key()[0])
        call = place / "call"
        call.write_text(f"#!/bin/sh\nexec {CALL.format(f'{SCRIPTS}/logchain-witness')}\n")
        call.chmod(0o700)
        command = f'key = "{self.key}"\ncommand = ["{call}"]\n'
        (place / "conf").write_text(f'[collector]\nreserve = "0 B"\n[witness]\n{command}')

    def round(self) -> None:
        """Let the compressor work once."""
        done = self.run("log-compressor", "--store", "store", "--config", "conf", "--once")
        assert (done.returncode, b"witness" in done.stderr) == (0, False), done.stderr

    def verify(self, *more: str) -> tuple[int, dict[str, object]]:
        """Verify with the witness's key; return the exit code and what JSON has."""
        done = self.run("logchain", "verify", "--audit-secret", "audit", *(more or ("--witness", self.key)), "--json")
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stocked store whose log is pinned by a witness, that has signed nothing: `unsigned`; and once: `signed`."""
    place = tmp_path_factory.mktemp("template")
    (place / "unsigned").mkdir()
    run = run_in(place / "unsigned")
    stock(run)
    run("logchain-witness", "--state", "witness", "keygen", "--name", "vault/w")
    log = json.loads(run("logchain", "status", "--json").stdout)["ledger"]["log_key"]
    assert run("logchain-witness", "--state", "witness", "pin", log, "--qube", "sys-log").returncode == 0
    shutil.copytree(place / "unsigned", place / "signed", symlinks=True)
    Witnessed(run_in(place / "signed"), place / "signed").round()
    return place


@pytest.fixture
def witnessed(template: Path, run: Run, tmp_path: Path) -> Witnessed:
    """A stocked store that was witnessed once."""
    shutil.copytree(template / "signed", tmp_path, symlinks=True, dirs_exist_ok=True)
    return Witnessed(run, tmp_path)


def findings(report: dict[str, object]) -> str:
    """Return all findings of the store, a line each."""
    found = report["findings"]
    assert isinstance(found, list)
    return "\n".join(f"{'BAD ' if one['damage'] else ''}{one['text']}" for one in found)


def test_witnessed(witnessed: Witnessed) -> None:
    """Up to which entry, when, by whom, and how old that is; in words and in JSON."""
    code, report = witnessed.verify()
    assert (code, findings(report)) == (0, "")
    witness = report["witness"]
    assert isinstance(witness, dict)
    assert witness["entries"] == json.loads(witnessed.run("logchain", "status", "--json").stdout)["ledger"]["entries"]
    assert 0 <= witness["age"] < 600
    assert (witness["stale"], list(witness["witnesses"])) == (False, ["vault/w"])
    told = witnessed.run("logchain", "verify", "--audit-secret", "audit", "--config", "conf").stdout.decode()
    assert re.search(r"witness  (\d) of \1 entries were signed at 2\S+ \S+, \S+ \S+ ago\.\n", told)
    assert "Nothing here proves" not in told


def test_no_witness_was_asked_for(witnessed: Witnessed) -> None:
    """Without a key nothing is checked, and that is said."""
    code, report = witnessed.verify("--vm", "work")
    assert (code, report["witness"]) == (0, None)
    told = witnessed.run("logchain", "verify", "--audit-secret", "audit").stdout
    assert b"witness  none. Nothing here proves that this is the newest" in told


def test_not_witnessed(witnessed: Witnessed, run: Run) -> None:
    """No cosignature, or none of this witness, is no damage, and no silence."""
    other = run("logchain-witness", "--state", "other", "keygen", "--name", "vault/w").stdout.decode().strip()
    for key in (other, witnessed.key):
        code, report = witnessed.verify("--witness", key)
        assert code == 0
        assert findings(report).startswith("not witnessed: no cosignature") == (key == other)
    Path("store/ledger/witnessed").unlink()
    code, report = witnessed.verify()
    assert (code, findings(report).startswith("not witnessed: no cosignature")) == (0, True)
    done = run("logchain", "verify", "--audit-secret", "audit", "--witness", witnessed.key)
    assert b"\n  note not witnessed: no cosignature" in done.stdout
    assert b"witness  NOT WITNESSED. Nothing here proves" in done.stdout


def sign_at(witnessed: Witnessed, seconds: int) -> None:
    """Have the witness sign the ledger's checkpoint as at another time."""
    key, seed = State("witness").key()
    note = Path("store/ledger/checkpoint").read_bytes()
    line = cosign(note.rpartition(b"\n\n")[0] + b"\n", key, seed, seconds)
    Path("store/ledger/witnessed").chmod(0o640)
    Path("store/ledger/witnessed").write_bytes(note + line)
    assert str(key) == witnessed.key


def test_not_witnessed_since(witnessed: Witnessed, run: Run) -> None:
    """A cosignature of long ago: 'not witnessed since', with the time; exit code as before."""
    sign_at(witnessed, 1_700_000_000)
    code, report = witnessed.verify()
    assert code == 0
    assert findings(report).startswith("not witnessed since 2023-11-14 22:13:20.000: what came later")
    assert isinstance(report["witness"], dict)
    assert (report["witness"]["time"], report["witness"]["stale"]) == ("2023-11-14T22:13:20.000000Z", True)
    told = run("logchain", "verify", "--audit-secret", "audit", "--witness", witnessed.key).stdout
    assert b"NOT WITNESSED SINCE. Nothing here proves" in told
    status = run("logchain", "status", "--config", "conf")
    assert b"! the witness has signed nothing for over an hour" in status.stdout
    assert status.returncode == 3


def test_a_time_to_come(witnessed: Witnessed, run: Run) -> None:
    """A cosignature of the future is told of: one of the clocks is wrong."""
    sign_at(witnessed, 4_000_000_000)
    code, report = witnessed.verify()
    assert (code, findings(report)) == (
        0,
        "a witness signed at a time to come, by the clock here: how old that is, nobody can tell",
    )
    assert isinstance(report["witness"], dict)
    assert report["witness"]["stale"] is True
    told = run("logchain", "verify", "--audit-secret", "audit", "--witness", witnessed.key).stdout
    assert b"A TIME TO COME" in told
    assert b" ago" not in told
    status = run("logchain", "status", "--config", "conf")
    assert b"! the witness signed at a time to come" in status.stdout
    assert status.returncode == 3


@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1])
def test_a_time_that_no_calendar_has(witnessed: Witnessed, run: Run, seconds: int) -> None:
    """The form allows times behind the year 9999: one line, and no traceback."""
    sign_at(witnessed, seconds)
    for command in (
        ["verify", "--audit-secret", "audit", "--witness", witnessed.key],
        ["verify", "--audit-secret", "audit", "--witness", witnessed.key, "--json"],
        ["status", "--config", "conf"],
        ["status", "--config", "conf", "--json"],
    ):
        done = run("logchain", *command)
        assert done.returncode == (3 if command[0] == "status" else 0), done.stderr
        assert b"9999-12-31" in done.stdout or command[0] == "status"


def test_a_changed_cosignature(witnessed: Witnessed) -> None:
    """One bit of it, or of the checkpoint that it is on: somebody did that."""
    path = Path("store/ledger/witnessed")
    path.chmod(0o640)
    good = path.read_bytes()
    for place in (len(good) - 20, 12, good.index(b"\n") + 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        code, report = witnessed.verify()
        assert (code, "BAD what a witness signed was changed" in findings(report)) == (1, True), place
    path.write_bytes(b"")
    assert witnessed.verify()[0] == 1


def test_a_policy(witnessed: Witnessed, run: Run) -> None:
    """Whose signatures count, and how many: as C2SP's file says it."""
    other = run("logchain-witness", "--state", "other", "keygen", "--name", "friend/w").stdout.decode().strip()
    head = f"witness vault {witnessed.key}\nwitness friend {other}\n"
    for text, complete in (
        ("group both all vault friend\nquorum both", False),
        ("group one any vault friend\nquorum one", True),
        ("quorum none", False),
    ):
        Path("policy").write_text(f"{head}{text}\n")
        code, report = witnessed.verify("--witness-policy", "policy")
        assert code == 0
        assert isinstance(report["witness"], dict)
        assert (report["witness"]["time"] is not None, "not witnessed" in findings(report)) == (complete, not complete)
        assert list(report["witness"]["witnesses"]) == ["vault"]
    log = json.loads(run("logchain", "status", "--json").stdout)["ledger"]["log_key"]
    Path("policy").write_text(f"log {log}\n{head}quorum vault\n")
    assert witnessed.verify("--witness-policy", "policy")[0] == 0
    log = example("checkpoint.md", 1).decode().strip()
    Path("policy").write_text(f"log {log}\n{head}quorum vault\n")
    code, report = witnessed.verify("--witness-policy", "policy")
    assert (code, "the policy is for other logs" in findings(report)) == (1, True)


def test_wrong_usage(witnessed: Witnessed, run: Run) -> None:
    """A line that says what to do, and exit code 2."""
    Path("policy").write_text("quorum nobody\n")
    log = json.loads(run("logchain", "status", "--json").stdout)["ledger"]["log_key"]
    for arguments, words in (
        (("--witness", "rubbish"), b"--witness takes what 'logchain-witness status' shows"),
        (("--witness", log), b"another use"),
        (("--witness", witnessed.key, "--witness-policy", "policy"), b"either --witness or"),
        (("--witness-policy", "policy"), b"policy: line 1 of the policy: a name that no line before it defines"),
        (("--witness-policy", "none"), b"none: No such file"),
        (("--witness", "rubbish", "audit"), b"--witness takes what"),
    ):
        done = run("logchain", "verify", *arguments)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_status_tells_how_to_pin(template: Path, run: Run, tmp_path: Path) -> None:
    """Before the first signature `status` shows the command for the witness's qube; then how old the last one is."""
    shutil.copytree(template / "unsigned", tmp_path, symlinks=True, dirs_exist_ok=True)
    found = Witnessed(run, tmp_path)
    done = run("logchain", "status", "--config", "conf").stdout.decode()
    assert "witness     has signed nothing yet." in done
    assert "! the witness has signed nothing yet: see above" in done
    (key,) = re.findall(r"logchain-witness pin (logchain/\S+) --qube \S+", done)
    assert run("logchain-witness", "--state", "witness", "pin", key, "--qube", "sys-log").returncode == 0
    found.round()
    assert "witness     signed " in run("logchain", "status", "--config", "conf").stdout.decode()


def test_evidence_carries_the_cosignature(witnessed: Witnessed, run: Run) -> None:
    """What was sealed before the witness signed last is proven to its checkpoint: it was there by then."""
    run("logchain", "seal")
    early = run("logchain", "export", "--output", "early.tar", "--vm", "work")
    assert early.returncode == 0, early.stderr
    witnessed.round()
    done = run("logchain", "export", "--output", "file.tar", "--vm", "work")
    assert done.returncode == 0, done.stderr
    report = json.loads(run("logchain", "verify", "file.tar", "--witness", witnessed.key, "--json").stdout)
    assert report["findings"] == []
    assert 0 <= report["witness"]["age"] < 600
    assert report["witness"]["entries"] == report["checkpoint"]
    told = run("logchain", "verify", "file.tar", "--witness", witnessed.key).stdout.decode()
    assert re.search(r"\n  witness  signed that checkpoint at 2\S+Z: it was there by then\n", told)
    assert b"witness  " not in run("logchain", "verify", "file.tar").stdout
    told = run("logchain", "verify", "early.tar", "--config", "conf").stdout.decode()
    assert "witness  NOT WITNESSED: the checkpoint has no cosignature" in told
    data = Path("file.tar").read_bytes()
    line = next(line for line in data.splitlines() if line.startswith("\u2014 vault/w ".encode()))
    changed = line[:-9] + (b"A" if line[-9:-8] != b"A" else b"B") + line[-8:]
    Path("bad.tar").write_bytes(data.replace(line, changed))
    done = run("logchain", "verify", "bad.tar", "--witness", witnessed.key)
    assert (done.returncode, b"what a witness signed was changed" in done.stdout) == (1, True)
    other = example("checkpoint.md", 1).decode().strip()
    Path("policy").write_text(f"log {other}\nwitness w {witnessed.key}\nquorum w\n")
    done = run("logchain", "verify", "file.tar", "--witness-policy", "policy")
    assert (done.returncode, b"the policy on witnesses is for other logs" in done.stdout) == (1, True)


def test_a_restore_says_that_the_witness_has_to_be_told(witnessed: Witnessed, run: Run) -> None:
    """Where one signed the store; and then it signs again from there."""
    done = run("logchain", "restored", "--yes")
    assert b"run 'logchain-witness restored' in its qube" in done.stdout
    (row,) = json.loads(run("logchain-witness", "--state", "witness", "list", "--json").stdout)
    assert run("logchain-witness", "--state", "witness", "restored", row["origin"], "--yes").returncode == 0
    run("log-compressor", "--store", "store", "--config", "conf", "--once")
    code, report = witnessed.verify("--witness", witnessed.key, "--restored", "1")
    assert "not witnessed" not in findings(report)
    assert isinstance(report["witness"], dict)
    assert report["witness"]["stale"] is False
    assert code == 3  # no fingerprint, and the ledger speaks of a backup
