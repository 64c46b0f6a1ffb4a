"""docs/spec/witness.md as code: the question, and what the answer is, given what is remembered."""

import base64
import re
from typing import Any

from tests.vectors.reading_checkpoint import (
    NAME,
    SIGNER,
    VKEY,
    check_growth,
    open_checkpoint,
    prove_growth,
    root_of,
    text_of,
)
from tests.vectors.reading_common import NotProvenError, RefusedError, Vector, given, need, parse_number, raw, sample
from tests.vectors.reading_cosignature import NAME as WITNESS
from tests.vectors.reading_cosignature import SEED, TIME, cosign
from tests.vectors.reading_ledger import EVENTS, chain
from tests.vectors.reading_note import parse_base64, parse_note, sign

SPEC = "docs/spec/witness.md"
QUESTION_MAX = 132 << 10
LEAVES = [*chain(*EVENTS[:2]), b"a fourth", b"a fifth", b"a sixth", b"a seventh"]


def parse_question(data: bytes) -> tuple[int, list[bytes], bytes]:
    """Items 1 to 3."""
    need(len(data) <= QUESTION_MAX, "too-long")
    head, blank, note = data.partition(b"\n\n")
    need(blank, "no-empty-line")
    need(head.isascii(), "question-form")
    first, *lines = head.decode().split("\n")
    need(first.startswith("old "), "question-form")
    old = parse_number(first[4:])
    need(len(lines) <= 63, "hashes-too-many")
    proof = [parse_base64(line) for line in lines]
    need(all(len(found) == 32 for found in proof), "hash-size")
    return old, proof, note


def parse_answer(data: bytes) -> Vector:
    """Item 4."""
    need(len(data) <= 16 << 10, "too-long")
    match = re.match(rb"\A([1-5][0-9]{2})(?: ([ -~]{0,199}))?\n", data)
    need(match, "answer-form")
    assert match
    return {"status": int(match[1]), "body": data[match.end() :].decode()}


def status(vector: Vector) -> tuple[int, str]:
    """Item 5, in its order."""
    try:
        old, proof, note = parse_question(raw(vector, "question"))
        text, _ = parse_note(note, 128 << 10, 16)
        lines = text.decode()[:-1].split("\n")
        need(all(lines) and len(lines) >= 3, "line-missing")
        size = parse_number(lines[1])
        need(len(parse_base64(lines[2])) == 32, "root-size")
    except RefusedError:
        return 400, ""
    if lines[0] != NAME or vector.get("retired"):
        return 404, ""
    try:
        found = open_checkpoint(note, VKEY, own=True)
    except RefusedError:
        return 403, ""
    if vector.get("qube", "sys-log") != "sys-log":
        return 403, ""
    if old > size:
        return 400, ""
    latest = vector["latest"]
    before = root_of(LEAVES[:latest])
    if size < latest or (size == latest and latest and bytes.fromhex(found["root_hex"]) != before) or old != latest:
        return 409, f"{latest}\n"
    try:
        if latest:
            check_growth(latest, size, proof, before, bytes.fromhex(found["root_hex"]))
        else:
            empty = found["root_hex"] == root_of([]).hex()
            need(not proof and (size or empty), "first", NotProvenError)
    except RefusedError:
        return 422, ""
    return 200, cosign(WITNESS, SEED, vector["time"], text).decode()


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "asked":
            code, body = status(vector)
            return {"status": code, "body": body}
        case "answer":
            return parse_answer(raw(vector, "answer"))
        case what:
            raise ValueError(what)


def checkpoint(size: int, leaves: list[bytes], name: str = NAME, seed: bytes = SIGNER[1]) -> bytes:
    """Give a signed checkpoint over the first leaves."""
    root = base64.b64encode(root_of(leaves[:size])).decode()
    return sign(text_of(name, str(size), root), (name, seed))


def question(old: int | str, proof: list[bytes], note: bytes) -> bytes:
    """Write a question."""
    return "\n".join([f"old {old}", *(base64.b64encode(node).decode() for node in proof), "", ""]).encode() + note


def good() -> list[Vector]:
    """Questions with a latest checkpoint of so many of the ledger's entries and more, and answers."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    def asked(name: str, latest: int, data: bytes, **fields: Any) -> None:
        add("asked", name, latest=latest, time=TIME, **given("question", data), **fields)

    def grown(old: int, new: int) -> bytes:
        return question(old, prove_growth(old, LEAVES[:new]) if old else [], checkpoint(new, LEAVES))

    asked("example of the page", 1, grown(1, 3))
    for old, new in ((0, 1), (0, 7), (3, 3), (3, 4), (4, 7), (6, 7), (2, 6)):
        asked(f"from {old} to {new}", old, grown(old, new))
    asked("of no entries, as the first", 0, question(0, [], checkpoint(0, [])))
    asked("of no entries, with another root", 0, question(0, [], sign(text_of(NAME, "0", "A" * 43 + "="), SIGNER)))
    asked("the first, with a proof", 0, question(0, [sample("x")], checkpoint(3, LEAVES)))
    asked("the first again, as if nothing were remembered", 3, grown(0, 3))
    asked("an older one, rolled back", 7, grown(3, 4))
    asked("an older one, as the first", 7, grown(0, 4))
    asked("the latest, from an older one", 4, grown(3, 4))
    asked("a newer one, from an older one", 4, grown(3, 7))
    asked("a newer one, from one that never was", 3, grown(4, 7))
    asked("older than it says it comes from", 7, question(7, [], checkpoint(4, LEAVES)))
    forged = [*LEAVES[:2], b"forged", *LEAVES[3:]]
    asked("another of the same size", 4, question(4, [], checkpoint(4, forged)))
    asked("a fork, with its own proof", 4, question(4, prove_growth(4, forged), checkpoint(7, forged)))
    asked("a fork, with the true proof", 4, question(4, prove_growth(4, LEAVES), checkpoint(7, forged)))
    later = [*LEAVES[:5], b"forged", *LEAVES[6:]]
    asked("true, with the proof of a fork", 4, question(4, prove_growth(4, later), checkpoint(7, LEAVES)))
    asked(
        "a fork behind the latest only: nobody can tell", 4, question(4, prove_growth(4, later), checkpoint(7, later))
    )
    proof = prove_growth(3, LEAVES)
    asked("a hash too few", 3, question(3, proof[1:], checkpoint(7, LEAVES)))
    asked("a hash too many", 3, question(3, [*proof, sample("x")], checkpoint(7, LEAVES)))
    asked("no proof", 3, question(3, [], checkpoint(7, LEAVES)))
    asked("the same again, with a hash", 7, question(7, [sample("x")], checkpoint(7, LEAVES)))
    asked("from another qube", 3, grown(3, 7), qube="work")
    asked("from dom0", 3, grown(3, 7), qube="dom0")
    asked("of a log that is retired", 3, grown(3, 7), retired=True)
    asked("of another log", 0, question(0, [], checkpoint(3, LEAVES, "logchain/other")))
    asked("signed by another key", 3, question(3, proof, checkpoint(7, LEAVES, NAME, sample("thief"))))
    note = checkpoint(7, LEAVES)
    asked("changed behind its signature", 3, question(3, proof, note.replace(b"\n7\n", b"\n6\n")))
    asked(
        "cosigned before", 3, question(3, proof, note + cosign(WITNESS, SEED, TIME, note.partition(b"\n\n")[0] + b"\n"))
    )
    broken = {
        "no bytes": b"",
        "no empty line": b"old 3\n" + note.partition(b"\n\n")[0],
        "another word": question(3, proof, note).replace(b"old", b"new", 1),
        "a size with a zero in front": question("03", proof, note),
        "a size with a sign": question("+3", proof, note),
        "a size that is no number": question("three", proof, note),
        "no size": question("", proof, note),
        "two spaces": question(" 3", proof, note),
        "a hash of 31 bytes": question(3, [proof[0][:31], *proof[1:]], note),
        "a hash in lax base64": question(3, proof, note).replace(b"=\n", b"\n", 1),
        "64 hashes": question(3, [sample("x")] * 64, note),
        "no note": question(3, proof, b""),
        "a note without signatures": question(3, proof, note.partition(b"\n\n")[0] + b"\n"),
        "a note of two lines": question(3, proof, sign(text_of(NAME, "7"), SIGNER)),
        "a root of 31 bytes": question(
            3, proof, sign(text_of(NAME, "7", base64.b64encode(bytes(31)).decode()), SIGNER)
        ),
        "a carriage return": question(3, proof, note).replace(b"old 3\n", b"old 3\r\n", 1),
        "too long": question(3, proof, note) + b"x" * QUESTION_MAX,
    }
    for name, data in broken.items():
        asked(f"not a question: {name}", 3, data)
    for name, answer in {
        "cosigned": b"200 cosigned\n" + cosign(WITNESS, SEED, TIME, text_of()),
        "without words": b"404\n",
        "a size": b"409 so many\n4711\n",
        "words at their limit": b"500 " + b"x" * 199 + b"\n",
    }.items():
        add("answer", name, **given("answer", answer))
    return vectors


def bad() -> list[Vector]:
    """Answers that are none."""
    answers = {
        "empty": ("answer-form", b""),
        "no newline": ("answer-form", b"200"),
        "two digits": ("answer-form", b"20\n"),
        "a word first": ("answer-form", b"HTTP/1.1 200 OK\n"),
        "0 first": ("answer-form", b"000\n"),
        "a control character": ("answer-form", b"200 \x1b[2J\n"),
        "not ASCII": ("answer-form", "200 ö\n".encode()),
        "words too long": ("answer-form", b"200 " + b"x" * 200 + b"\n"),
        "too long": ("too-long", b"200\n" + b"x" * (16 << 10)),
    }
    return [
        {"what": "answer", "name": name, "reason": reason, "class": "malformed"} | given("answer", answer)
        for name, (reason, answer) in answers.items()
    ]
