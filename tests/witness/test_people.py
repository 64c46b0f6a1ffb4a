"""What a person does with a witness, and sees: each command, its exit codes, and nothing of an attacker unescaped."""

import json
import os
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from logchain.format.signed_note import format_vkey
from logchain_witness.answer import answer
from tests.witness.conftest import ORIGIN, Forest, Witness


def test_making_one(tmp_path: Path) -> None:
    """A key is made once, for its owner only; before that nothing works, and says why."""
    witness = Witness(tmp_path / "new")
    done = witness.run("status")
    assert (done.returncode, b"keygen" in done.stderr) == (3, True)
    done = witness.run("keygen", "--name", "vault/logchain-witness")
    assert done.returncode == 0
    assert done.stdout.decode() == f"{witness.key}\n"
    assert (witness.path / "key").stat().st_mode & 0o777 == 0o600
    assert witness.path.stat().st_mode & 0o777 == 0o700
    again = witness.run("keygen")
    assert (again.returncode, again.stdout) == (2, b"")
    done = witness.run("status")
    assert (done.returncode, b"no log is pinned" in done.stdout) == (3, True)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_names_of_keys(tmp_path: Path, name: str) -> None:
    """A name that no key can have is refused."""
    assert Witness(tmp_path / "new").run("keygen", "--name", name).returncode == 2


def test_pinning(witness: Witness, forest: Forest) -> None:
    """A log is given to a qube, and to another; not with another key."""
    assert witness.ask(forest.question(0, 3))[0] == 200
    assert witness.run("pin", format_vkey(forest.vkey), "--qube", "new-log").returncode == 0
    assert witness.ask(forest.question(3, 4)) == (403, b"")
    assert witness.ask(forest.question(3, 4), qube="new-log")[0] == 200
    other = witness.run("pin", format_vkey(Forest(seed=bytes(32)).vkey), "--qube", "sys-log")
    assert (other.returncode, b"another key" in other.stderr) == (2, True)
    assert witness.run("pin", "rubbish", "--qube", "sys-log").returncode == 2
    assert witness.run("pin", str(witness.key), "--qube", "sys-log").returncode == 2
    assert witness.run("pin", format_vkey(forest.vkey), "--qube", "../etc").returncode == 2


def test_retiring(witness: Witness, forest: Forest) -> None:
    """A retired log gets no answers, and is remembered; pinned again it goes on from where it was."""
    assert witness.ask(forest.question(0, 3))[0] == 200
    assert witness.run("retire", ORIGIN).returncode == 0
    assert witness.ask(forest.question(3, 4)) == (404, b"")
    assert witness.run("retire", "other").returncode == 2
    assert witness.run("pin", format_vkey(forest.vkey), "--qube", "sys-log").returncode == 0
    assert witness.ask(forest.question(0, 2)) == (409, b"3\n")
    (row,) = json.loads(witness.run("list", "--json").stdout)
    assert [event.split()[1] for event in row["events"]] == ["pinned", "retired", "pinned"]


def test_a_restore_on_purpose(witness: Witness, forest: Forest) -> None:
    """Only behind the word of a person an older ledger is taken, once; what was before stays on record."""
    assert witness.run("restored", ORIGIN, "--yes").returncode == 2
    assert witness.ask(forest.question(0, 9))[0] == 200
    fork = Forest([*forest.leaves[:4], *[bytes(32)] * 36])
    assert witness.ask(fork.question(0, 6)) == (409, b"9\n")
    assert witness.run("restored", ORIGIN, stdin=b"n\n").returncode == 2
    assert witness.run("restored", ORIGIN).returncode == 2
    assert witness.size() == 9
    assert witness.run("restored", ORIGIN, stdin=b"y\n").returncode == 0
    assert witness.ask(fork.question(0, 6))[0] == 200
    assert witness.ask(forest.question(0, 9)) == (409, b"6\n")
    (row,) = json.loads(witness.run("list", "--json").stdout)
    assert (row["restored"], row["entries"]) == (1, 6)
    assert " restored from 9 entries, root " in row["events"][1]
    assert row["events"][1] in witness.run("list").stdout.decode()


def test_what_is_remembered_of_a_refusal(witness: Witness, forest: Forest) -> None:
    """An older ledger, signed by its key, is evidence: kept, told, and exit code 1 until the ledger goes on."""
    assert witness.ask(forest.question(0, 9))[0] == 200
    assert witness.run("status").returncode == 0
    assert witness.ask(Forest(seed=bytes(32)).question(0, 4))[0] == 403
    assert witness.ask(forest.question(0, 4), qube="work")[0] == 403
    assert witness.ask(forest.question(0, 9))[0] == 409  # whoever lost what it knew asks so
    assert witness.run("status").returncode == 0
    assert witness.ask(forest.question(0, 4)) == (409, b"9\n")
    done = witness.run("status")
    assert done.returncode == 1
    assert b"older than the latest, of 9 entries" in done.stdout
    (row,) = json.loads(witness.run("status", "--json").stdout)["logs"]
    assert "older" in row["refused"]["reason"]
    (kept,) = (witness.path / "refused").iterdir()
    assert kept.read_bytes().endswith(forest.checkpoint(4))
    proof = [bytes(32)] * 3
    assert witness.ask(forest.question(9, 12, proof))[0] == 422
    assert b"does not lead to both roots" in witness.run("status").stdout


def test_comparing(witness: Witness, forest: Forest, tmp_path: Path) -> None:
    """A checkpoint that is handed in: the same, older, a fork, or newer than what the witness was shown."""
    path = tmp_path / "witnessed"

    def check(data: bytes) -> tuple[int, str]:
        path.write_bytes(data)
        done = witness.run("check", str(path), "--json")
        return done.returncode, json.loads(done.stdout)["verdict"] if done.stdout else done.stderr.decode()

    assert check(forest.checkpoint(9)) == (3, "cannot-tell")
    status, line = witness.ask(forest.question(0, 9))
    assert status == 200
    assert check(forest.checkpoint(9) + line) == (0, "same")
    assert check(forest.checkpoint(8)) == (1, "older")
    assert check(Forest([bytes(32)] * 40).checkpoint(9)) == (1, "fork")
    assert check(forest.checkpoint(12)) == (3, "cannot-tell")
    assert check(Forest(seed=bytes(32)).checkpoint(9))[0] == 2
    assert check(Forest(origin="other").checkpoint(9))[0] == 2
    assert check(b"\xff\n")[0] == 2
    assert witness.run("check", str(tmp_path / "none")).returncode == 2
    done = witness.run("check", "-", stdin=forest.checkpoint(8))
    assert done.returncode == 1
    assert done.stdout.startswith(b"OLDER: it has 8 entries, and the witness signed 9 entries at 20")


def test_nothing_reaches_the_terminal(witness: Witness) -> None:
    """A name with anything in it that a terminal obeys, or an eye is fooled by, is shown escaped."""
    evil = Forest(origin="log\u202egol\x9b31m")
    assert witness.run("pin", format_vkey(evil.vkey), "--qube", "sys-log").returncode == 0
    assert witness.ask(evil.question(0, 3))[0] == 200
    for command in ("list", "status"):
        out = witness.run(command).stdout
        assert out.isascii()
        assert b"log\\u202egol\\x9b31m" in out
    assert witness.run("check", "/nowhere\x1b[2J").stderr.isascii()


def test_wrong_usage(witness: Witness, tmp_path: Path) -> None:
    """No command, a directory that is a file: a line, and no traceback."""
    assert witness.run().returncode == 2
    (tmp_path / "file").write_text("")
    done = Witness(tmp_path / "file").run("keygen")
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_root_does_belongs_to_the_service(witness: Witness, forest: Forest) -> None:
    """Root's commands run as the owner of the directory: what they leave, the service can read and replace."""
    with TemporaryDirectory() as place:  # pytest's own are closed to others
        Path(place).chmod(0o755)
        theirs = Witness(Path(place) / "witness")
        shutil.copytree(witness.path, theirs.path)
        for path in (theirs.path, *theirs.path.rglob("*")):
            os.chown(path, 65534, 65534)
        assert theirs.run("pin", format_vkey(forest.vkey), "--qube", "other").returncode == 0
        assert {path.stat().st_uid for path in theirs.path.rglob("*")} == {65534}


def test_a_clock_that_was_put_back(witness: Witness, forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused behind the latest cosignature is told, also where that has a later time: and that it has."""
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert answer(witness.state, forest.question(0, 5), "sys-log")[0].startswith(b"200")
    monkeypatch.undo()
    assert witness.run("status").returncode == 3
    assert witness.ask(forest.question(0, 3))[0] == 409
    done = witness.run("status")
    assert (done.returncode, b"\n! refused a checkpoint" in done.stdout) == (1, True)
    assert b"! the latest was cosigned at a time to come" in done.stdout
    assert witness.ask(forest.question(5, 5))[0] == 200
    done = witness.run("status")
    assert (done.returncode, b"\nrefused a checkpoint" in done.stdout) == (0, True)


def test_nobody_asked_for_long(witness: Witness, forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the LogVM can stop asking: `status` says so, and of a retired log it does not."""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    assert answer(witness.state, forest.question(0, 5), "sys-log")[0].startswith(b"200")
    monkeypatch.undo()
    done = witness.run("status")
    assert (done.returncode, b"! nothing was cosigned for over an hour" in done.stdout) == (3, True)
    assert witness.run("retire", ORIGIN).returncode == 0
    assert witness.run("status").returncode == 0


def test_odd_words_and_closed_streams(witness: Witness) -> None:
    """Bytes that are no text, and streams that are not there: a line, and no traceback."""
    done = witness.run("retire", "x\udcff\x1b[31m")
    assert (done.returncode, done.stderr.count(b"\n"), b"\x1b" in done.stderr) == (2, 1, False)
    assert witness.run("keygen", "--name", "\x9bred/w").returncode == 2
    program = f"{sysconfig.get_path('scripts')}/logchain-witness"
    for closed in ("<&-", ">&-", ">&- 2>&-"):
        command = ["/bin/sh", "-c", f'"$0" --state "$1" status {closed}', program, str(witness.path)]
        shut = subprocess.run(command, capture_output=True, check=False)
        assert (shut.returncode, b"Traceback" in shut.stderr) == (3, False), closed
