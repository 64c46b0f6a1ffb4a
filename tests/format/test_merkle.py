"""The Merkle tree: docs/spec/checkpoint.md, RFC 6962, and the vectors of certificate-transparency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import ProofError
from logchain.format.merkle import Tree, inclusion_proof, leaf_hash, root, verify_inclusion
from tests.format.pages import DIGESTS, example

_DATA = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [leaf_hash(bytes.fromhex(data)) for data in _DATA]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PROOFS = {  # (leaf, size of the tree)
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
TREES = st.lists(DIGESTS, min_size=1, max_size=70)


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    """The published leaves give the published roots, at once and one by one."""
    tree = Tree()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    assert root(LEAVES[:size]).hex() == ROOTS[size] == tree.root().hex()
    assert tree.size == size


@pytest.mark.parametrize(("place", "size"), PROOFS)
def test_published_proofs(place: int, size: int) -> None:
    """The published proofs are made, and hold."""
    proof = inclusion_proof(place, LEAVES[:size])
    assert [sibling.hex() for sibling in proof] == PROOFS[place, size]
    verify_inclusion(LEAVES[place], place, size, proof, bytes.fromhex(ROOTS[size]))


def test_the_page_s_example() -> None:
    """The root and the proof of the page hold."""
    found = bytes.fromhex(example("checkpoint.md", 2).decode())
    proof = [bytes.fromhex(line) for line in example("checkpoint.md", 3).decode().splitlines()]
    verify_inclusion(LEAVES[5], 5, 8, proof, found)


def test_every_leaf_of_small_trees() -> None:
    """In trees of up to 40 leaves every leaf is proven, and at no other place, in no other tree."""
    leaves = [leaf_hash(bytes([place])) for place in range(40)]
    for size in range(1, 41):
        found = root(leaves[:size])
        for place in range(size):
            proof = inclusion_proof(place, leaves[:size])
            verify_inclusion(leaves[place], place, size, proof, found)
            for wrong in {place ^ 1, place - 1, place + 1, size, -1}:
                with pytest.raises(ProofError):
                    verify_inclusion(leaves[place], wrong, size, proof, found)


@given(TREES, st.data())
def test_changed_proofs(leaves: list[bytes], data: st.DataObject) -> None:
    """A proof with another leaf, another hash, one less or one more is refused."""
    place, found = data.draw(st.integers(0, len(leaves) - 1)), root(leaves)
    proof, other = inclusion_proof(place, leaves), data.draw(DIGESTS.filter(lambda digest: digest not in leaves))
    changed = [*([*proof[:at], other, *proof[at + 1 :]] for at in range(len(proof))), [*proof, other]]
    changed += [proof[:-1], proof[1:]] if proof else []
    verify_inclusion(leaves[place], place, len(leaves), proof, found)
    with pytest.raises(ProofError):
        verify_inclusion(other, place, len(leaves), proof, found)
    for wrong in changed:
        with pytest.raises(ProofError):
            verify_inclusion(leaves[place], place, len(leaves), wrong, found)


@given(st.integers(-1, 100), st.integers(-1, 100), st.lists(DIGESTS, max_size=10), DIGESTS)
def test_any_proof(place: int, size: int, proof: list[bytes], leaf: bytes) -> None:
    """Hashes that were never of a tree prove nothing, whatever place and size they claim."""
    with pytest.raises(ProofError):
        verify_inclusion(leaf, place, size, proof, bytes(32))


@pytest.mark.parametrize("place", [-1, 8])
def test_a_leaf_that_is_not_there(place: int) -> None:
    """There is no proof of a leaf that the tree does not have."""
    with pytest.raises(ProofError):
        inclusion_proof(place, LEAVES)
