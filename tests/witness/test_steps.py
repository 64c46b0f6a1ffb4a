"""A witness that is killed before any of its steps, or has no room: what it signed it remembers, whatever comes."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from logchain_witness.answer import answer
from tests.witness.conftest import Forest, Witness

# Runs `answer`, and kills itself before the n-th call that writes, or closes what was written.
_KILLED = """
import os, signal, sys
from logchain_witness.main import main
left = [int(sys.argv.pop())]
def counted(name):
    real = getattr(os, name)
    def call(*arguments, **named):
        if name != "open" or arguments[1] & (os.O_WRONLY | os.O_RDWR):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
        return real(*arguments, **named)
    setattr(os, name, call)
for name in ("open", "write", "fsync", "rename"):
    counted(name)
main(sys.argv[1:])
"""


def killed(witness: Witness, question: bytes, step: int) -> tuple[int, bytes]:
    """Ask a witness that dies before a step; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, "--state", str(witness.path), "answer", str(step)],
        input=question,
        capture_output=True,
        env={**os.environ, "QREXEC_REMOTE_DOMAIN": "sys-log"},
        check=False,
    )
    return done.returncode, done.stdout


def test_killed_before_each_step(witness: Witness, forest: Forest) -> None:
    """It remembers the old checkpoint or the new one, the new one if it said so, and goes on from there."""
    size, step, kept = 0, 0, 0
    while True:
        code, said = killed(witness, forest.question(size, size + 1), step)
        remembered = witness.size()
        assert remembered in (size, size + 1)
        assert not said or remembered == size + 1  # nothing is signed that is not on the disk
        kept += bool(remembered == size + 1 and not said)
        if code == 0:
            assert said.startswith(b"200")
            break
        assert code == -signal.SIGKILL
        fork = Forest([bytes(32)] * 40)
        if remembered:
            assert witness.ask(fork.question(remembered, remembered, [])) == (409, b"%d\n" % remembered)
        if remembered == size:
            assert witness.ask(forest.question(size, size + 1))[0] == 200
        size, step = size + 1, step + 1
    assert step >= 6  # lock, file, write, fsync, rename, directory's fsync, answer
    assert kept  # one death was between the disk and the answer: the asker is told the size, and asks again
    assert witness.ask(forest.question(0, size + 1)) == (409, b"%d\n" % (size + 1))


def test_the_order_of_steps(witness: Witness, forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written beside, synced, renamed, its directory synced: only then there is an answer."""
    steps: list[str] = []

    def noted(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            steps.append(name)
            return real(*arguments, **named)

        return call

    for name in ("write", "fsync", "rename"):
        monkeypatch.setattr(os, name, noted(name))
    found, _ = answer(witness.state, forest.question(0, 3), "sys-log")
    assert found.startswith(b"200")
    assert steps == ["write", "fsync", "rename", "fsync"]


def test_no_room(witness: Witness, forest: Forest) -> None:
    """A disk that takes nothing: no cosignature, 500, and it remembers what it did; then it goes on."""
    assert witness.ask(forest.question(0, 3))[0] == 200
    done = subprocess.run(
        [sys.executable, "-m", "logchain_witness.main", "--state", str(witness.path), "answer"],
        input=forest.question(3, 5),
        capture_output=True,
        env={**os.environ, "QREXEC_REMOTE_DOMAIN": "sys-log"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, b"")
    assert done.stdout.startswith(b"500 ")
    assert "\N{EM DASH}".encode() not in done.stdout
    assert witness.size() == 3
    assert witness.ask(forest.question(3, 5))[0] == 200


@pytest.mark.parametrize("spoil", [b"", b"\0" * 200, b"logchain witness log v1\n\n"])
def test_a_damaged_memory(witness: Witness, forest: Forest, spoil: bytes) -> None:
    """What cannot be read is no reason to begin anew: nothing is signed until a person looks."""
    assert witness.ask(forest.question(0, 3))[0] == 200
    (record,) = (witness.path / "logs").iterdir()
    record.write_bytes(spoil)
    assert witness.call(forest.question(0, 3)) == (500, b"")
    done = witness.run("status")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"is damaged" in done.stderr


def test_a_bit_anywhere(witness: Witness, forest: Forest) -> None:
    """A bit that is changed in what it remembers never makes it take an older ledger."""
    assert witness.ask(forest.question(0, 9))[0] == 200
    (record,) = (witness.path / "logs").iterdir()
    good = record.read_bytes()
    for place in range(0, len(good), 7):
        record.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        found, _ = answer(witness.state, forest.question(0, 4), "sys-log")
        assert not found.startswith(b"200"), place
    record.write_bytes(good)


def test_rolled_back_itself(witness: Witness, forest: Forest) -> None:
    """A witness that is restored from a backup knows no better: it signs a second story from there (threat model)."""
    assert witness.ask(forest.question(0, 4))[0] == 200
    (record,) = (witness.path / "logs").iterdir()
    backup = record.read_bytes()
    assert witness.ask(forest.question(4, 9))[0] == 200
    fork = Forest([*forest.leaves[:6], *[bytes(32)] * 34])
    assert witness.ask(fork.question(4, 9))[0] == 409
    record.write_bytes(backup)
    assert witness.ask(fork.question(4, 9))[0] == 200


def test_a_size_that_fell_to_nothing(witness: Witness, forest: Forest) -> None:
    """One bit makes 0 of 1 entry, and anything goes on from nothing: so the log's signature is looked at again."""
    assert witness.ask(forest.question(0, 1))[0] == 200
    (record,) = (witness.path / "logs").iterdir()
    record.write_bytes(record.read_bytes().replace(b"\n1\n", b"\n0\n"))
    fork = Forest([bytes(32)] * 40)
    assert witness.ask(fork.question(0, 4)) == (500, b"")


@pytest.mark.parametrize("odd", ["directory", "pipe", "link"])
def test_an_odd_file(witness: Witness, forest: Forest, odd: str) -> None:
    """What is no file where one should be stops nobody, and nothing is signed."""
    assert witness.ask(forest.question(0, 3))[0] == 200
    (record,) = (witness.path / "logs").iterdir()
    moved = record.rename(witness.path / "moved")
    if odd == "directory":
        record.mkdir()
    elif odd == "pipe":
        os.mkfifo(record)
    else:
        record.symlink_to(moved)
    assert witness.ask(forest.question(3, 5)) == (500, b"")
    done = witness.run("status")
    assert (done.returncode, done.stderr.count(b"\n"), b"Traceback" in done.stderr) == (3, 1, False)
