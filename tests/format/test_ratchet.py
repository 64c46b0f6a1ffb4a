"""The ratchet and its derivations: docs/spec/ratchet.md."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format import ratchet
from logchain.format.ratchet import chain, given_up_proof, seed, segment_key, step, stream_id, stream_secret, successor
from tests.format.vectors import Vector, raw, vectors

KEYS = st.binary(min_size=32, max_size=32)
RECORDS = st.lists(st.binary(max_size=300), max_size=20)

# the KDF itself is private: its vectors are run where a label is used with just these fields
KDF: dict[tuple[str, int], Callable[..., bytes]] = {
    ("next", 0): successor,
    ("births", 1): seed,
    ("stream", 1): stream_secret,
    ("segment", 2): lambda key, stream, number: segment_key(key, stream, int.from_bytes(number, "little")),
}


@vectors("ratchet.json", "good", "kdf")
def test_derivation_function(vector: Vector) -> None:
    """KDF hashes fields with their lengths before them; through a public name where there is one."""
    key, fields = raw(vector, "key"), [bytes.fromhex(field) for field in vector["fields_hex"]]
    out = vector["out_hex"]
    assert ratchet._kdf(key, vector["label"].encode(), *fields).hex() == out
    derive = KDF.get((vector["label"], len(fields)))
    if derive:
        assert derive(key, *fields).hex() == out


@vectors("ratchet.json", "good", "chain")
def test_chains(vector: Vector) -> None:
    """Records give the stated tags, and leave the stated key."""
    records = [bytes.fromhex(record) for record in vector["records_hex"]]
    key, tags = chain(raw(vector, "key"), records)
    assert (key.hex(), [tag.hex() for tag in tags]) == (vector["key_after_hex"], vector["tags_hex"])


@vectors("ratchet.json", "good", "stream-id")
def test_stream_ids(vector: Vector) -> None:
    """Salt and names give the stated id."""
    assert stream_id(raw(vector, "salt"), vector["vm"], vector["stream"]).hex() == vector["id_hex"]


@vectors("ratchet.json", "good", "derivation")
def test_derivation_from_the_audit_secret(vector: Vector) -> None:
    """The vault needs only birth, segment and stream id to know every key."""
    stream = raw(vector, "stream_id")
    first = seed(raw(vector, "audit_secret"), raw(vector, "store_id"))
    birth = successor(first, vector["birth"] - 1)
    r1 = stream_secret(birth, stream)
    rn = successor(r1, vector["segment"] - 1)
    found = {
        "seed_hex": first,
        "birth_secret_hex": birth,
        "r1_hex": r1,
        "segment_key_hex": segment_key(rn, stream, vector["segment"]),
        "next_hex": successor(rn),
    }
    assert {name: value.hex() for name, value in found.items()} == {name: vector[name] for name in found}


@vectors("ratchet.json", "good", "given-up")
def test_proofs_of_a_given_up_segment(vector: Vector) -> None:
    """Whoever has the key of the place can make it."""
    assert given_up_proof(raw(vector, "key")).hex() == vector["proof_hex"]


@vectors("ratchet.json", "good", "segment-step")
def test_segment_steps(vector: Vector) -> None:
    """R_n gives the segment's key and R_(n+1)."""
    key = segment_key(raw(vector, "r"), raw(vector, "stream_id"), vector["segment"])
    assert (key.hex(), successor(raw(vector, "r")).hex()) == (vector["segment_key_hex"], vector["next_hex"])


@given(KEYS, RECORDS)
def test_a_chain_is_its_steps(key: bytes, records: list[bytes]) -> None:
    """chain() is the hot loop, step() the formula."""
    tags, at = [], key
    for record in records:
        at, tag = step(at, record)
        tags.append(tag)
    assert chain(key, records) == (at, tags)


@given(KEYS, RECORDS, RECORDS)
def test_a_chain_may_be_cut_anywhere(key: bytes, some: list[bytes], more: list[bytes]) -> None:
    """What a commit holds makes no difference to the tags."""
    between, tags = chain(key, some)
    after, others = chain(between, more)
    assert chain(key, [*some, *more]) == (after, tags + others)


@given(KEYS, st.integers(0, 10))
def test_successors_are_steps(key: bytes, steps: int) -> None:
    """So many steps at once are so many steps."""
    at = key
    for _ in range(steps):
        at = successor(at)
    assert successor(key, steps) == at


@pytest.mark.parametrize("bad", [b"", b"k" * 31, b"k" * 65])
def test_the_key_and_the_tag_are_of_32_bytes(bad: bytes) -> None:
    """Other key lengths never come out of a parser, so they are not looked at; what comes out always fits."""
    key, tag = step(b"k" * 32, bad)
    assert (len(key), len(tag)) == (32, 32)
