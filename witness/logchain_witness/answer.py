"""One question, one answer: a checkpoint is cosigned where it goes on from the latest one, and is kept before that."""

import time

from logchain_witness.checkpoint import Checkpoint, Question, check_growth, parse_checkpoint, parse_question
from logchain_witness.errors import FormatError, ProofError, SignatureError, WitnessError
from logchain_witness.note import cosign, format_line, verify
from logchain_witness.state import Log, State

_WORDS = {
    200: "cosigned",
    400: "not a question that a witness takes",
    403: "this qube may not ask for this log, or the log's key did not sign",
    404: "no such log is pinned here",
    409: "this does not go on from the latest checkpoint, which has so many entries",
    422: "the proof does not lead from the latest checkpoint to this one",
    500: "the witness cannot read or keep what it remembers; look there",
}


class _Refusal(Exception):
    def __init__(self, status: int, body: bytes = b"") -> None:
        self.status, self.body = status, body


def answer(state: State, untrusted_question: bytes, qube: str) -> tuple[bytes, str]:
    """Answer the question of a qube, which qrexec names; return the answer, and what to log where we cannot go on."""
    status, body, trouble = 200, b"", ""
    try:
        body = _cosign(state, untrusted_question, qube)
    except _Refusal as refusal:
        status, body = refusal.status, refusal.body
    except WitnessError as error:
        status, trouble = 500, str(error)
    return f"{status} {_WORDS[status]}\n".encode() + body, trouble


def _cosign(state: State, untrusted_question: bytes, qube: str) -> bytes:
    """Return our signature line, once what it says is on the disk; raise _Refusal, or StateError."""
    try:
        question = parse_question(untrusted_question)
        new = parse_checkpoint(question.note.text)
    except FormatError as error:
        raise _Refusal(400) from error
    key, seed = state.key()
    with state.locked():  # from the look at the latest to the new one: else the later of two calls could go back
        log = state.find(new.origin)
        if not log or log.retired:
            raise _Refusal(404)
        if qube != log.qube:
            raise _Refusal(403)
        own = _signed_by_the_log(log, question)
        _compare(state, log, question, new)
        line = cosign(question.note.text, key, seed, int(time.time()))
        log.note = question.note.text + b"\n" + format_line(log.key.name, log.key.id, own) + line
        state.keep(log)  # the commit point: durable before anybody sees the line
    return line


def _signed_by_the_log(log: Log, question: Question) -> bytes:
    """Return the log's own signature, or refuse."""
    try:
        return verify(question.note, log.key)
    except SignatureError as error:
        raise _Refusal(403) from error


def _compare(state: State, log: Log, question: Question, new: Checkpoint) -> None:
    """Refuse what does not go on from the latest checkpoint; what is signed and contradicts it is evidence."""
    latest = log.checkpoint
    size = latest.size if latest else 0
    if question.old > new.size:
        raise _Refusal(400)
    if latest and (new.size < size or (new.size == size and new.root != latest.root)):
        kind = "it is older than" if new.size < size else "it is of the same size, and another than"
        state.remember_refused(log, f"{kind} the latest, of {size} entries", question.note)
        raise _Refusal(409, b"%d\n" % size)
    if question.old != size:
        raise _Refusal(409, b"%d\n" % size)
    try:
        check_growth(latest, new, question.proof)
    except ProofError as error:
        state.remember_refused(log, f"{error}, from {size} entries", question.note)
        raise _Refusal(422) from error
