"""What a witness signs and what is asked of one: the vectors of cosignature and policy, and proofs of consistency."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.cosignature import cosigned_at
from logchain.format.errors import FormatError, SignatureError
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.merkle import Tree, consistency_proof, leaf_hash
from logchain.format.signed_note import COSIGNATURE, format_vkey, parse_note, parse_vkey
from logchain.format.tlog_policy import parse_policy, policy_of, witnessed_at
from tests.format.pages import example
from tests.format.vectors import Vector, raw, vectors

CLASSES = {"malformed": FormatError, "not signed": SignatureError}


@vectors("cosignature.json", "good", "vkey")
def test_good_keys(vector: Vector) -> None:
    """A witness's key says what its page says, prints the same again, and is no log's key."""
    found = parse_vkey(vector["vkey"], COSIGNATURE)
    assert (found.name, found.key_id.hex(), found.key.hex()) == (
        vector["key_name"],
        vector["id_hex"],
        vector["public_hex"],
    )
    assert format_vkey(found) == vector["vkey"]
    with pytest.raises(FormatError):
        parse_vkey(vector["vkey"])


@vectors("cosignature.json", "bad", "vkey")
def test_bad_keys(vector: Vector) -> None:
    """A key for another use, or in another form, is refused."""
    with pytest.raises(FormatError):
        parse_vkey(vector["vkey"], COSIGNATURE)


def cosigned(vector: Vector) -> int | None:
    """Ask a note when it was cosigned."""
    return cosigned_at(parse_note(raw(vector, "note"), MAX_CHECKPOINT), parse_vkey(vector["vkey"], COSIGNATURE))


@vectors("cosignature.json", "good", "cosigned")
def test_good_cosignatures(vector: Vector) -> None:
    """A cosignature tells its time; none is no error; of several the last counts."""
    assert cosigned(vector) == vector["time"]


@vectors("cosignature.json", "bad", "cosigned")
def test_bad_cosignatures(vector: Vector) -> None:
    """One that names the witness's key and does not hold makes the note unbelievable."""
    with pytest.raises(CLASSES[vector["class"]]):
        cosigned(vector)


def test_the_page_s_example() -> None:
    """The note of the page is cosigned by the key of the page; the policy of its page is of both."""
    note, vkey = example("cosignature.md"), example("cosignature.md", 1).decode().strip()
    witness = parse_vkey(vkey, COSIGNATURE)
    assert cosigned_at(parse_note(note, MAX_CHECKPOINT), witness) == 1_795_402_800
    policy = parse_policy(example("policy.md"))
    assert (policy.witnesses, policy.quorum) == ({"vault": witness}, "vault")
    assert format_vkey(policy.logs[0]) == example("checkpoint.md", 1).decode().strip()


@vectors("policy.json", "good", "policy")
def test_good_policies(vector: Vector) -> None:
    """A policy says what its page says."""
    found = parse_policy(raw(vector, "text"))
    assert [format_vkey(log) for log in found.logs] == vector["logs"]
    assert {name: format_vkey(key) for name, key in found.witnesses.items()} == vector["witnesses"]
    assert {name: [least, *members] for name, (least, members) in found.groups.items()} == vector["groups"]
    assert found.quorum == vector["quorum"]


@vectors("policy.json", "bad", "policy")
def test_bad_policies(vector: Vector) -> None:
    """A policy that breaks one rule is refused."""
    with pytest.raises(FormatError):
        parse_policy(raw(vector, "text"))


@vectors("policy.json", "good", "quorum")
def test_quorums(vector: Vector) -> None:
    """A quorum is complete when the last of those that it takes cosigned."""
    assert witnessed_at(parse_policy(raw(vector, "text")), vector["times"]) == vector["time"]


def test_names_are_octets() -> None:
    """A name that is no UTF-8 is a name like any other."""
    vkey = example("cosignature.md", 1).strip()
    found = parse_policy(b"witness \xff\x80 " + vkey + b"\nquorum \xff\x80\n")
    assert witnessed_at(found, dict.fromkeys(found.witnesses, 7)) == 7


def test_one_witness_is_a_policy() -> None:
    """`--witness` stands for a policy of that one."""
    witness = parse_vkey(example("cosignature.md", 1).decode().strip(), COSIGNATURE)
    assert witnessed_at(policy_of(witness), {witness.name: 7}) == 7
    assert witnessed_at(policy_of(witness), {}) is None


@given(st.binary(max_size=300) | st.text("logwitnesgrupqm \t#+", max_size=300).map(lambda text: f"{text}\n".encode()))
def test_any_policy(data: bytes) -> None:
    """Whatever a file holds, it is a policy or refused."""
    with suppress(FormatError):
        parse_policy(data)


@vectors("checkpoint.json", "good", "growth")
def test_consistency_proofs(vector: Vector) -> None:
    """The proof that a tree goes on from an older one is that of RFC 6962."""
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in vector["leaves_hex"]]
    tree = Tree()
    for leaf in leaves[: vector["old"]]:
        tree.append(leaf)
    found = consistency_proof(vector["old"], tree.peaks, leaves[vector["old"] :])
    assert [node.hex() for node in found] == vector["proof_hex"]


def test_the_page_s_proof() -> None:
    """The published proof from 3 leaves to 7 is on the page."""
    leaves = [
        leaf_hash(bytes.fromhex(leaf)) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
    ]
    tree = Tree()
    for leaf in leaves[:3]:
        tree.append(leaf)
    found = consistency_proof(3, tree.peaks, leaves[3:])
    assert example("checkpoint.md", 4).decode().split() == [node.hex() for node in found]
