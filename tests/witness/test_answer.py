"""What a witness answers: docs/spec/witness.md, its vectors, and those that torchwood's witness is tested with."""

import os
import subprocess
import sysconfig
import time
from base64 import b64decode
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.cosignature import cosigned_at
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.signed_note import COSIGNATURE, parse_note, parse_vkey
from logchain_witness.answer import answer
from logchain_witness.checkpoint import check_consistency, parse_checkpoint, parse_question
from logchain_witness.errors import FormatError, ProofError, SignatureError
from logchain_witness.note import LOG, Key, cosign, parse_key, public_key, verify
from logchain_witness.note import parse_note as parse
from logchain_witness.state import Log, State
from tests.format.pages import example
from tests.format.vectors import Vector, raw, vectors
from tests.vectors.reading_checkpoint import NAME, SIGNER, VKEY
from tests.vectors.reading_cosignature import NAME as WITNESS
from tests.vectors.reading_cosignature import SEED
from tests.vectors.reading_witness import LEAVES, checkpoint
from tests.witness.conftest import ORIGIN, Forest, Witness

CLASSES = {"malformed": FormatError, "not signed": SignatureError}


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A witness with the key of the vectors."""
    state = State(str(tmp_path / "vectors"))
    state.create(WITNESS)
    (tmp_path / "vectors" / "key").write_text(f"logchain witness key v1\nname {WITNESS}\nseed {SEED.hex()}\n")
    return state


@vectors("witness.json", "good", "asked")
def test_what_is_answered(vector: Vector, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question gets the status and the body of the page; what was refused left no trace in what is remembered."""
    monkeypatch.setattr(time, "time", lambda: vector["time"])
    note = checkpoint(vector["latest"], LEAVES) if vector["latest"] else b""
    state.keep(Log(parse_key(VKEY, LOG), "sys-log", vector.get("retired", False), note=note))
    found, trouble = answer(state, raw(vector, "question"), vector.get("qube", "sys-log"))
    line, _, body = found.partition(b"\n")
    assert (int(line[:3]), body.decode(), trouble) == (vector["status"], vector["body"], "")
    log = state.find(NAME)
    assert log
    assert (log.note != note) == (vector["status"] == 200)
    assert not body.startswith("\N{EM DASH}".encode()) or body in log.note


def test_the_page_s_example() -> None:
    """The question and the answer of the page are the vector's."""
    found = parse_question(example("witness.md"))
    assert (found.old, len(found.proof)) == (1, 2)
    line = example("witness.md", 1).partition(b"\n")[2]
    witness = parse_vkey(example("cosignature.md", 1).decode().strip(), COSIGNATURE)
    note = example("witness.md").partition(b"\n\n")[2]
    assert cosigned_at(parse_note(note + line, MAX_CHECKPOINT), witness)


@vectors("checkpoint.json", "good", "consistency")
def test_good_proofs(vector: Vector) -> None:
    """A proof leads to the roots of both sizes, of any size."""
    check(vector)


@vectors("checkpoint.json", "bad", "consistency")
def test_bad_proofs(vector: Vector) -> None:
    """A proof that is right at one end only, or of another shape, proves nothing."""
    with pytest.raises(ProofError):
        check(vector)


def check(vector: Vector) -> None:
    """Verify a proof of consistency as its vector says."""
    proof = [bytes.fromhex(found) for found in vector["proof_hex"]]
    check_consistency(vector["old"], vector["new"], proof, raw(vector, "old_root"), raw(vector, "new_root"))


@given(st.data())
def test_no_other_proof(data: st.DataObject) -> None:
    """Every size goes on to every later one; with any hash changed, dropped or doubled it does not."""
    forest = Forest()
    new = data.draw(st.integers(2, 40))
    old = data.draw(st.integers(1, new - 1))
    question = parse_question(forest.question(old, new))
    roots = forest.tree(old).root(), forest.tree(new).root()
    check_consistency(old, new, question.proof, *roots)
    place = data.draw(st.integers(0, len(question.proof) - 1))
    changed = data.draw(st.sampled_from([[], [bytes(32)], [question.proof[place]] * 2]))
    with pytest.raises(ProofError):
        check_consistency(old, new, [*question.proof[:place], *changed, *question.proof[place + 1 :]], *roots)


@vectors("cosignature.json", "good", "cosign")
def test_cosigning(vector: Vector) -> None:
    """A seed, a time and a text give the line of the page, and the key is that of the page."""
    key = public_key(vector["key_name"], bytes.fromhex(vector["seed_hex"]))
    line = cosign(raw(vector, "text"), key, bytes.fromhex(vector["seed_hex"]), vector["time"])
    assert (line.decode(), str(key)) == (vector["line"], vector["vkey"])


@vectors("checkpoint.json", "good", "checkpoint")
def test_good_notes(vector: Vector) -> None:
    """The witness, which shares no code with the store, takes every checkpoint that its page allows."""
    note = parse(raw(vector, "note"))
    verify(note, parse_key(vector["vkey"], LOG))
    assert parse_checkpoint(note.text).size == vector["size"]


@vectors("checkpoint.json", "bad", "checkpoint")
def test_bad_checkpoints(vector: Vector, state: State) -> None:
    """And cosigns none that its page refuses."""
    key = parse_key(vector["vkey"], LOG)
    state.keep(Log(key, "sys-log"))
    found, trouble = answer(state, b"old 0\n\n" + raw(vector, "note"), "sys-log")
    assert (found[:3] in (b"400", b"403", b"404"), trouble) == (True, "")
    log = state.find(key.name)
    assert log
    assert not log.note


@vectors("note.json", "bad", "note")
def test_bad_notes(vector: Vector) -> None:
    """And refuses every note that its page refuses, of the same class, but those that only smaller limits do."""
    smaller = vector["bytes_max"] < 4096 or vector["signatures_max"] < 16
    with nullcontext() if smaller else pytest.raises(CLASSES[vector["class"]]):
        verify(parse(raw(vector, "note")), parse_key(vector["vkey"], LOG))


@vectors("note.json", "bad", "vkey")
def test_bad_keys(vector: Vector) -> None:
    """And every key that its page refuses."""
    with pytest.raises(FormatError):
        parse_key(vector["vkey"], LOG)


@given(st.binary(max_size=500))
def test_any_question(data: bytes) -> None:
    """Whatever comes, it is a question or refused."""
    for whole in (data, Forest().question(3, 7)[: len(data)] + data, b"old 0\n\n" + data):
        try:
            parse_question(whole)
        except FormatError:
            continue


SIGSUM = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f")
SIGNED = {  # size: root, signature
    1: (
        "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    ),
    3: (
        "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
        "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
    ),
    5: (
        "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
        "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
    ),
}
PROOFS = {
    (0, 1): [],
    (1, 3): ["KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
    (1, 5): [
        "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
        "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ],
}


def sigsum(old: int, new: int, extra: int = 0) -> bytes:
    """Return a question that torchwood's tests ask (internal/witness/witness_test.go)."""
    root, signature = SIGNED[new]
    lines = [f"old {old}", *PROOFS.get((old, new), []), *[PROOFS[1, 3][0]] * extra, ""]
    return "\n".join([*lines, SIGSUM, str(new), root, "", f"\N{EM DASH} {SIGSUM} {signature}", ""]).encode()


def test_what_torchwood_is_asked(state: State) -> None:
    """The checkpoints and proofs of a Sigsum log, made by others: taken and refused as that witness does."""
    state.keep(Log(Key(SIGSUM, SIGSUM_KEY, LOG), "sys-log"))

    def status(question: bytes) -> bytes:
        return answer(state, question, "sys-log")[0][:3]

    assert status(sigsum(0, 1, 64)) == b"400"
    assert status(sigsum(0, 1)) == b"200"
    assert status(sigsum(1, 5)) == b"200"
    assert status(sigsum(1, 3)) == b"409"
    log = state.find(SIGSUM)
    assert log
    assert log.checkpoint
    assert (log.checkpoint.size, log.checkpoint.root) == (5, b64decode(SIGNED[5][0]))


def test_as_a_service(witness: Witness, forest: Forest) -> None:
    """A process a call: the first, one that goes on, the same again; what verify has takes the cosignature."""
    for old, new in ((0, 5), (5, 9), (9, 9)):
        status, line = witness.call(forest.question(old, new))
        assert (status, witness.size()) == (200, new)
        assert cosigned_at(
            parse_note(forest.checkpoint(new) + line, MAX_CHECKPOINT), parse_vkey(str(witness.key), COSIGNATURE)
        )
    assert witness.call(forest.question(0, 9)) == (409, b"9\n")
    assert witness.call(forest.question(9, 20), qube="work") == (403, b"")
    assert witness.call(Forest(seed=bytes(32)).question(9, 20)) == (403, b"")
    assert witness.call(Forest(origin="logchain/other").question(0, 20)) == (404, b"")
    assert witness.call(b"GET / HTTP/1.1\r\n\r\n") == (400, b"")
    assert witness.size() == 9


def test_two_at_once(witness: Witness, forest: Forest) -> None:
    """Of many questions at once none makes it go back: it ends at the largest that it cosigned."""
    assert witness.ask(forest.question(0, 5))[0] == 200
    command = [f"{sysconfig.get_path('scripts')}/logchain-witness", "--state", str(witness.path), "answer"]
    environment = {**os.environ, "QREXEC_REMOTE_DOMAIN": "sys-log"}
    calls = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) for _ in range(6)
    ]
    found = []
    for size, call in enumerate(calls, 10):
        assert call.stdin
        call.stdin.write(forest.question(5, size))
    for call in calls:
        assert call.stdin
        call.stdin.close()
    for size, call in enumerate(calls, 10):
        assert call.stdout
        if call.stdout.read().startswith(b"200"):
            found.append(size)
        call.stdout.close()
        call.wait()
    assert len(found) == 1  # all of them come from 5
    assert witness.size() == found[0]


def test_looking_and_keeping_are_one_step(witness: Witness, forest: Forest) -> None:
    """Who has the lock goes first, also where another has asked before: it is judged by what is kept then."""
    assert witness.ask(forest.question(0, 5))[0] == 200
    command = [f"{sysconfig.get_path('scripts')}/logchain-witness", "--state", str(witness.path), "answer"]
    environment = {**os.environ, "QREXEC_REMOTE_DOMAIN": "sys-log"}
    with witness.state.locked():
        call = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert call.stdin
        call.stdin.write(forest.question(5, 10))
        call.stdin.close()
        time.sleep(1)  # without the lock it would have answered by now
        log = witness.state.find(ORIGIN)
        assert log
        log.note = forest.checkpoint(8)
        witness.state.keep(log)
    assert call.stdout
    assert call.stdout.read().endswith(b"\n8\n")
    call.stdout.close()
    call.wait()
    assert witness.size() == 8


def test_signer_is_the_log_s() -> None:
    """The vectors' log and the fixtures' are the same: what one proves holds for the other."""
    assert (Forest().origin, Forest().seed) == SIGNER
