"""What a witness is asked and answers, as the store has it: docs/spec/witness.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.add_checkpoint import format_add_checkpoint, parse_answer, parse_size
from logchain.format.errors import FormatError
from logchain_witness.checkpoint import parse_question
from tests.format.pages import DIGESTS, NUMBERS, example
from tests.format.vectors import Vector, raw, vectors


@given(NUMBERS, st.lists(DIGESTS, max_size=63))
def test_what_is_asked_is_understood(old: int, proof: list[bytes]) -> None:
    """What the store writes, the witness, which shares no code with it, reads as it was meant."""
    note = example("checkpoint.md")
    found = parse_question(format_add_checkpoint(old, proof, note))
    assert (found.old, list(found.proof)) == (old, proof)
    assert note.startswith(found.note.text)


def test_the_page_s_question() -> None:
    """The question of the page is written byte for byte."""
    question = example("witness.md")
    found = parse_question(question)
    assert format_add_checkpoint(found.old, found.proof, question.partition(b"\n\n")[2]) == question


@pytest.mark.parametrize(("old", "proof"), [(-1, []), (1, [bytes(32)] * 64), (1, [bytes(31)])])
def test_what_is_not_asked(old: int, proof: list[bytes]) -> None:
    """What a witness would refuse is not written."""
    with pytest.raises(FormatError):
        format_add_checkpoint(old, proof, b"")


@vectors("witness.json", "good", "answer")
def test_good_answers(vector: Vector) -> None:
    """An answer is a status, words, and what follows."""
    found = parse_answer(raw(vector, "answer"))
    assert (found.status, found.body.decode()) == (vector["status"], vector["body"])


@vectors("witness.json", "bad", "answer")
def test_bad_answers(vector: Vector) -> None:
    """What is none is refused."""
    with pytest.raises(FormatError):
        parse_answer(raw(vector, "answer"))


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda data: b"409 x\n" + data))
def test_any_answer(data: bytes) -> None:
    """Whatever a witness says, it is an answer and a size, or refused."""
    try:
        parse_size(parse_answer(data).body)
    except FormatError:
        return
    assert data.endswith(b"\n")


@pytest.mark.parametrize("body", [b"", b"\n", b"1", b"01\n", b"-1\n", b"1\n1\n", b"9" * 19 + b"\n", b"\xb2\n"])
def test_bad_sizes(body: bytes) -> None:
    """A size prints back to its bytes, or is none."""
    with pytest.raises(FormatError):
        parse_size(body)
