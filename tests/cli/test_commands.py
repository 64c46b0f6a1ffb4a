"""The commands, with good input and with bad: output, exit code, one line of error, nothing lost."""

import json
import os
import pty
import select
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPTS, Run


def _error(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """Return a command's error, which must be one line with the right exit code."""
    assert done.returncode == code, done
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("logchain: ")
    return lines[0]


def test_keygen_in_the_vault_and_init_in_the_logvm(run: Run) -> None:
    """The secrets are made in one place, the store in another, and they fit."""
    done = run("logchain", "keygen", "--audit-secret-out", "audit", "--seed-out", "seed")
    assert done.returncode == 0
    assert stat.S_IMODE(os.stat("audit").st_mode) == stat.S_IMODE(os.stat("seed").st_mode) == 0o600
    done = run("logchain", "init", "--seed", "seed")
    assert b"shred -u seed" in done.stdout
    run("log-collector", "--stdio", vm="work", stdin=b"line\n")
    assert run("logchain", "verify", "--audit-secret", "audit").returncode == 0


def test_init_without_a_seed_says_where_the_secret_belongs(run: Run) -> None:
    """The audit secret is written to a file, and plain words say that it has to leave."""
    done = run("logchain", "init", "--audit-secret-out", "audit")
    assert done.returncode == 0
    assert b"Move it to a vault qube now" in done.stdout
    assert Path("audit").read_bytes().startswith(b"logchain audit secret v1\n")


def test_a_secret_is_never_replaced(run: Run) -> None:
    """A file that is there is left alone, whatever it is, and no store is made."""
    Path("audit").write_text("precious")
    assert "cannot make audit" in _error(run("logchain", "init", "--audit-secret-out", "audit"), 2)
    assert "cannot make audit" in _error(
        run("logchain", "keygen", "--audit-secret-out", "audit", "--seed-out", "seed"), 2
    )
    assert Path("audit").read_text() == "precious"
    assert not Path("store").exists()


REFUSED = "raise OSError(28, 'No space left on device')"  # what a disk that is full says at the latest
MAIN = "from logchain.cli.main import main; main()"
ENDED = "os.kill(os.getpid(), 15); time.sleep(60)"


@pytest.mark.parametrize(("what", "code"), [(REFUSED, 3), (ENDED, 143)])
@pytest.mark.parametrize(
    ("words", "good"),  # and how many syncs go well before
    [
        ("recipient --secret-out a", 0),
        ("keygen --audit-secret-out a --seed-out b", 0),
        ("keygen --audit-secret-out a --seed-out b", 1),
    ],
)
def test_a_secret_is_written_whole_or_not_at_all(tmp_path: Path, what: str, code: int, words: str, good: int) -> None:
    """Half of one would look like one, and be in the way of the next try; a signal leaves none either."""
    fault = f"def fail(fd):\n if not good: {what}\n good.pop(); real(fd)\n"
    program = f"import os, time; real, good = os.fsync, [None] * {good}\n{fault}os.fsync = fail\n{MAIN}"
    done = subprocess.run([sys.executable, "-c", program, *words.split()], cwd=tmp_path, check=False)
    assert done.returncode == code
    assert not [path for path in tmp_path.iterdir() if path.name in "ab"]


def test_a_failed_init_leaves_no_secret_behind(run: Run) -> None:
    """Where the store cannot be made, its audit secret is of no use, and is gone."""
    Path("store").mkdir()
    Path("store/file").touch()
    assert "store is not empty" in _error(run("logchain", "init", "--audit-secret-out", "audit"), 2)
    assert not Path("audit").exists()


@pytest.mark.parametrize(
    "words", [[], ["--seed", "seed", "--audit-secret-out", "audit"], ["--seed", "none"], ["--seed", "/etc/passwd"]]
)
def test_init_refuses_what_makes_no_sense(run: Run, words: list[str]) -> None:
    """Neither or both, no file, no seed."""
    _error(run("logchain", "init", *words), 2)
    assert not Path("store").exists()


def test_list(stocked: Run) -> None:
    """A row a stream; the same for programs."""
    table = stocked("logchain", "list").stdout.decode().splitlines()
    assert [row.split()[:2] for row in table] == [
        ["VM", "STREAM"],
        ["dom0", "journal"],
        ["vault", "journal"],
        ["work", "journal"],
    ]
    rows = [json.loads(line) for line in stocked("logchain", "list", "--json").stdout.splitlines()]
    assert rows[2]["vm"] == "work"
    assert rows[2]["records"] == 5
    assert rows[2]["size"] == Path("store/live/work/journal/00000001.log").stat().st_size


def test_show_raw_gives_the_bytes(run: Run) -> None:
    """What was sent comes out, byte for byte."""
    run("logchain", "init", "--audit-secret-out", "audit")
    sent = bytes(range(256)) * 400 + b"\n\n\r\n" + b"x" * 200_000 + b"\nno newline at the end"
    run("log-collector", "--stdio", vm="work", stdin=sent)
    assert run("logchain", "show", "-o", "raw").stdout == sent


def test_show_selects(stocked: Run) -> None:
    """By qube, stream, pattern, time and number."""
    show = ("logchain", "show", "-o", "raw")
    assert stocked(*show, "--vm", "work").stdout == b"first of work\nsecond\n"
    assert stocked(*show, "--vm", "work", "--vm", "vault", "--grep", "first").stdout.count(b"\n") == 2
    assert stocked(*show, "-n", "1").stdout == b"second\n"
    assert stocked(*show, "--since", "1h ago", "--until", "now").stdout.count(b"\n") == 6
    assert stocked(*show, "--since", "tomorrow").stdout == b""
    assert stocked(*show, "--stream", "none").stdout == b""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--since", "2h"], "understood are now"),
        (["--vm", "nobody"], "there are no logs of nobody"),
        (["--vm", "../x"], "not a VM name"),
        (["--stream", "-"], "not a stream name"),
        (["--grep", "("], "not a regular expression"),
        (["--store", "none"], "no store at none"),
    ],
)
def test_show_refuses_in_one_line(stocked: Run, words: list[str], told: str) -> None:
    """What is wrong, and what to do."""
    assert told in _error(stocked("logchain", "show", *words), 3 if "none" in words else 2)


def _on_a_terminal(*words: str, keys: bytes = b"") -> bytes:
    """Run a command on a terminal of its own, and return what it prints there."""
    environment = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LOGCHAIN_STORE": "store", "TERM": "xterm"}
    environment.pop("PAGER", None)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, environment)
    printed = b""
    try:
        while select.select([terminal], [], [], 20)[0]:
            printed += os.read(terminal, 65536)
            if keys and b"lines 1-" in printed:
                os.write(terminal, keys)
                keys = b""
    except OSError:
        pass  # the terminal is closed: it has ended
    finally:
        os.close(terminal)
    return printed + b"\nexit %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_raw_refuses_a_terminal(stocked: Run) -> None:
    """Bytes of a sender never reach a terminal as they are."""
    assert stocked("logchain", "show", "-o", "raw").returncode == 0
    printed = _on_a_terminal("logchain", "show", "-o", "raw")
    assert b"raw logs can take over a terminal" in printed
    assert printed.endswith(b"exit 2")


def test_show_uses_a_pager_on_a_terminal(stocked: Run) -> None:
    """As git does: less, unless told not to, and the exit code is kept."""
    stocked("log-collector", "--stdio", vm="work", stdin=b"\x1b]0;owned\x07\n" * 100)
    printed = _on_a_terminal("logchain", "show", "-n", "60", keys=b"q")
    assert b"\x1b]0;" not in printed
    assert printed.endswith(b"exit 0")
    printed = _on_a_terminal("logchain", "show", "--no-pager", "-n", "60")
    assert printed.count(b"owned") == 60
    assert b"\x1b" not in printed


def test_verify_knows_its_three_answers(stocked: Run) -> None:
    """Intact, damaged, cannot tell, with exit codes 0, 1 and 3, in words and in JSON."""
    assert b"\nINTACT: " in stocked("logchain", "verify", "--audit-secret", "audit").stdout
    done = stocked("logchain", "verify")
    assert done.returncode == 3
    assert b"\nCANNOT TELL: " in done.stdout
    assert b"intact" not in done.stdout.lower()
    log = Path("store/live/vault/journal/00000001.log")
    good = log.read_bytes()
    log.write_bytes(good.replace(b"second", b"sEcond"))
    done = stocked("logchain", "verify", "--audit-secret", "audit")
    assert done.returncode == 1
    offset = good.rindex(b"\n", 0, good.index(b"second")) + 1
    assert f"BAD  segment 1, record 3, byte {offset}: ".encode() in done.stdout
    report = json.loads(stocked("logchain", "verify", "--audit-secret", "audit", "--json").stdout)
    assert report["verdict"] == "damaged"
    (found,) = next(stream for stream in report["streams"] if stream["vm"] == "vault")["findings"]
    assert (found["segment"], found["record"], found["offset"]) == (1, 3, offset)
    assert stocked("logchain", "verify", "--vm", "work", "--audit-secret", "audit").returncode == 0


def test_verify_of_nothing_cannot_tell(run: Run) -> None:
    """An empty store is no proof of anything."""
    run("logchain", "init", "--audit-secret-out", "audit")
    assert run("logchain", "verify", "--audit-secret", "audit").returncode == 3


def test_verify_refuses_another_stores_secret(stocked: Run) -> None:
    """A wrong secret is no evidence of tampering."""
    stocked("logchain", "init", "--store", "other", "--audit-secret-out", "wrong")
    assert "belongs to another store" in _error(stocked("logchain", "verify", "--audit-secret", "wrong"), 3)
    assert "holds no audit secret" in _error(stocked("logchain", "verify", "--audit-secret", "/etc/passwd"), 2)
    assert "cannot read none" in _error(stocked("logchain", "verify", "--audit-secret", "none"), 2)


def test_a_locked_audit_secret_asks_for_its_passphrase(run: Run) -> None:
    """Locked by keygen, opened by verify; a wrong passphrase opens nothing."""
    words = ("logchain", "keygen", "--passphrase", "--audit-secret-out", "audit", "--seed-out", "seed")
    assert run(*words, stdin=b"correct horse\ncorrect horse\n").returncode == 0
    assert b"\nlocked argon2id " in Path("audit").read_bytes()
    run("logchain", "init", "--seed", "seed")
    run("log-collector", "--stdio", vm="work", stdin=b"line\n")
    verify = ("logchain", "verify", "--audit-secret", "audit")
    assert run(*verify, stdin=b"correct horse\n").returncode == 0
    assert run(*verify, stdin=b"wrong\n").returncode == 3


def test_help_and_wrong_usage(run: Run) -> None:
    """Help everywhere, exit code 2 for what click refuses."""
    for words in ([], ["init"], ["keygen"], ["list"], ["show"], ["verify"]):
        done = run("logchain", *words, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(b"Usage: logchain")
    for words, text in (
        ([], b" (see logchain --help)"),
        (["frobnicate"], b" (see logchain --help)"),
        (["show", "--frobnicate"], b" (see logchain show --help)"),
        (["show", "-n", "-1"], b"-1 is not in the range x>=0 (see logchain show --help)"),
        (["audit-key"], b"Missing option '--audit-secret' (see logchain audit-key --help)"),
        (["show", "a\x1b[2J"], b"a\\x1b[2J) (see logchain show --help)"),
    ):
        done = run("logchain", *words)
        assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (2, 1, b"")
        assert done.stderr.startswith(b"logchain: ")
        assert text in done.stderr
    assert run("logchain", "--version").stdout.startswith(b"logchain")
    assert run("log-collector").returncode == 3  # there is no store here
