"""The Merkle tree of RFC 6962 over the ledger's entries (docs/spec/checkpoint.md)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import sha256

from logchain.format.errors import ProofError

__all__ = ["Tree", "consistency_proof", "inclusion_proof", "inclusion_proofs", "leaf_hash", "root", "verify_inclusion"]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + data).digest()  # SHA-256(0x00 || data), RFC 6962 §2.1


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()  # SHA-256(0x01 || left || right), RFC 6962 §2.1


class Tree:
    """A tree that grows leaf by leaf, and holds one hash for each bit that is set in its size."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of the full subtrees, the largest first

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the full subtrees that it is made of, the largest first."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        size, node = self.size, leaf
        while size & 1:  # a full subtree on the left of the same height
            node = _node(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root, 32 bytes."""
        if not self._peaks:
            return sha256().digest()
        *larger, found = self._peaks
        for peak in reversed(larger):
            found = _node(peak, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaves, given by their hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the audit path of a leaf, lowest first, from the hashes of all leaves; ProofError without such a leaf."""
    return inclusion_proofs([index], leaves)[index]


def inclusion_proofs(indexes: Iterable[int], leaves: Sequence[bytes]) -> dict[int, list[bytes]]:
    """Return the audit paths of several leaves, by their index; each leaf is hashed once. ProofError as above."""
    wanted = sorted(set(indexes))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < len(leaves):
        raise ProofError("a leaf that the tree does not have")
    paths: dict[int, list[bytes]] = {index: [] for index in wanted}

    def walk(begin: int, end: int, below: list[int]) -> bytes:
        if not below:
            return root(leaves[begin:end])
        if end - begin == 1:
            return leaves[begin]
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)  # the largest power of two below, RFC 6962 §2.1.1
        split = bisect_left(below, middle)
        left, right = walk(begin, middle, below[:split]), walk(middle, end, below[split:])
        for place, index in enumerate(below):
            paths[index].append(right if place < split else left)
        return _node(left, right)

    walk(0, len(leaves), wanted)
    return paths


def consistency_proof(old: int, peaks: Sequence[bytes], newer: Sequence[bytes]) -> list[bytes]:
    """Return the proof that a tree goes on from the one that it was, RFC 6962 §2.1.2: empty where nothing was added.

    The tree of `old` leaves, one at least, is given by its `Tree.peaks`, what was added by the hashes of its leaves.
    """
    left = list(peaks)  # the proof takes them from the smallest on

    def walk(begin: int, end: int, *, whole: bool) -> list[bytes]:
        if end == old:
            return [] if whole else [left.pop()]
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if old <= middle:
            return [*walk(begin, middle, whole=whole), root(newer[middle - old : end - old])]
        return [*walk(middle, end, whole=False), left.pop()]

    return walk(0, old + len(newer), whole=True)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless the leaf of this hash is number `index` (from 0) of the tree of this size and root."""
    if not 0 <= index < size:
        raise ProofError("a leaf that the tree does not have")
    found, place, last = leaf, index, size - 1
    for sibling in proof:  # RFC 9162 §2.1.3.2
        if not last:
            raise ProofError("a proof that is too long")
        if place & 1 or place == last:
            found = _node(sibling, found)
            while not place & 1 and place:  # levels where this node has no sibling
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, sibling)
        place, last = place >> 1, last >> 1
    if last or found != root:
        raise ProofError("a proof that does not lead to the root")
