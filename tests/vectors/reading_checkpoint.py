"""docs/spec/checkpoint.md as code: the checkpoint, the tree, proofs of inclusion and of consistency."""

import base64
import hashlib

from tests.vectors.reading_common import NUMBER_MAX, NotProvenError, Vector, given, need, parse_number, raw, sample
from tests.vectors.reading_ledger import EVENTS, chain
from tests.vectors.reading_manifest import STORE
from tests.vectors.reading_note import (
    DASH,
    SPACES,
    line_of,
    open_note,
    parse_base64,
    sign,
    signature_line,
    vkey_of,
)

SPEC = "docs/spec/checkpoint.md"
CHECKPOINT_MAX = 128 << 10


def open_checkpoint(note: bytes, vkey: str, *, own: bool) -> Vector:
    """Items 1 to 4; `own`: that of `ledger/checkpoint`."""
    text = open_note(note, vkey, CHECKPOINT_MAX, 16).decode()
    lines = text[:-1].split("\n")
    need(all(lines), "empty-line")
    need(len(lines) >= 3, "line-missing")
    origin, size, root, *further = lines
    need(not own or origin == vkey.split("+")[0], "origin-of-another")
    found: Vector = {"origin": origin, "size": parse_number(size), "further": further}
    digest = parse_base64(root)
    need(len(digest) == 32, "root-size")
    return found | {"root_hex": digest.hex()}


def leaf_hash(leaf: bytes) -> bytes:
    """Item 5."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Item 5."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """Item 6: the largest power of two below."""
    return 1 << (size - 1).bit_length() - 1


def root_of(leaves: list[bytes]) -> bytes:
    """Item 6."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else hashlib.sha256().digest()
    k = split(len(leaves))
    return node_hash(root_of(leaves[:k]), root_of(leaves[k:]))


def prove(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*prove(index, leaves[:k]), root_of(leaves[k:])]
    return [*prove(index - k, leaves[k:]), root_of(leaves[:k])]


def lead(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """Item 7: the root to which a leaf's hash and its siblings lead, from the root down to the leaf and back."""
    if size == 1:
        need(not proof, "proof-too-long", NotProvenError)
        return leaf
    need(proof, "proof-too-short", NotProvenError)
    k = split(size)
    if index < k:
        return node_hash(lead(leaf, index, k, proof[:-1]), proof[-1])
    return node_hash(proof[-1], lead(leaf, index - k, size - k, proof[:-1]))


def prove_growth(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2: SUBPROOF."""
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*prove_growth(old, leaves[:k], whole=whole), root_of(leaves[k:])]
    return [*prove_growth(old - k, leaves[k:], whole=False), root_of(leaves[:k])]


def grow(old: int, new: int, proof: list[bytes], old_root: bytes, *, whole: bool = True) -> tuple[bytes, bytes]:
    """Item 8: the roots of the old and of the new tree to which a proof leads, from the top down and back."""
    if old == new:
        if whole:
            need(not proof, "proof-too-long", NotProvenError)
            return old_root, old_root
        need(proof, "proof-too-short", NotProvenError)
        need(len(proof) == 1, "proof-too-long", NotProvenError)
        return proof[0], proof[0]
    need(proof, "proof-too-short", NotProvenError)
    k = split(new)
    if old <= k:
        before, after = grow(old, k, proof[:-1], old_root, whole=whole)
        return before, node_hash(after, proof[-1])
    before, after = grow(old - k, new - k, proof[:-1], old_root, whole=False)
    return node_hash(proof[-1], before), node_hash(proof[-1], after)


def check_growth(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> None:
    """Item 8."""
    need(1 <= old <= new, "sizes", NotProvenError)
    need(grow(old, new, proof, old_root) == (old_root, new_root), "leads-elsewhere", NotProvenError)


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "checkpoint":
            found = open_checkpoint(raw(vector, "note"), vector["vkey"], own=vector["own"])
            if "note_parts" in vector:  # a long one
                found["further_bytes"] = sum(len(line.encode()) for line in found.pop("further"))
            return found
        case "root":
            return {"root_hex": root_of([bytes.fromhex(leaf) for leaf in vector["leaves_hex"]]).hex()}
        case "proof":
            leaves = [bytes.fromhex(leaf) for leaf in vector["leaves_hex"]]
            return {"proof_hex": [node.hex() for node in prove(vector["index"], leaves)]}
        case "inclusion":
            index, size = vector["index"], vector["size"]
            need(0 <= index < size, "no-such-leaf", NotProvenError)
            proof = [bytes.fromhex(node) for node in vector["proof_hex"]]
            root = lead(leaf_hash(bytes.fromhex(vector["leaf_hex"])), index, size, proof)
            need(root.hex() == vector["root_hex"], "leads-elsewhere", NotProvenError)
            return {"leaf_hash_hex": leaf_hash(bytes.fromhex(vector["leaf_hex"])).hex()}
        case "growth":
            leaves = [bytes.fromhex(leaf) for leaf in vector["leaves_hex"]]
            return {"proof_hex": [node.hex() for node in prove_growth(vector["old"], leaves)]}
        case "consistency":
            roots = (bytes.fromhex(vector[f"{which}_root_hex"]) for which in ("old", "new"))
            proof = [bytes.fromhex(node) for node in vector["proof_hex"]]
            check_growth(vector["old"], vector["new"], proof, *roots)
            return {"hashes": len(proof)}
        case what:
            raise ValueError(what)


NAME, SEED = f"logchain/{STORE}", bytes(range(32))
SIGNER = (NAME, SEED)
VKEY = vkey_of(*SIGNER)
ROOT = "e/KwnRsnf22mEQB32uY2RwY2aPqzcEAz5wvusWOeuuA="
EXAMPLE_SIGNATURE = "OIXctdhjMTj/3+W9s8YHYycIeiuVLrQ7zQVEHaFggloW5jWrOLT/zxKKw12JnQx0kBdHUlmYT48/A7unOwbHpYlQXAs="
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
TREE_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"  # of the page, and the proof of leaf 5
TREE_PROOF = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


def text_of(*lines: str) -> bytes:
    """Join lines, each with its newline; without any, those of the page's example."""
    return "".join(f"{line}\n" for line in lines or (NAME, "3", ROOT)).encode()


def filled(size: int) -> bytes:
    """Give a checkpoint of so many bytes: its further line is as long as that takes."""
    room = size - len(sign(text_of(NAME, "3", ROOT, ""), SIGNER))
    return sign(text_of(NAME, "3", ROOT, "x" * room), SIGNER)


def others(count: int) -> bytes:
    """Give so many signature lines of others."""
    return b"".join(signature_line(f"witness.example/{i}", sample(f"w{i}", 4), sample("s", 72)) for i in range(count))


def siblings(count: int) -> list[bytes]:
    """Give hashes that stand for as many subtrees that nobody could write down."""
    return [sample(f"sibling {index}") for index in range(count)]


def good() -> list[Vector]:
    """The page's examples, trees of all sizes, places in trees that are large."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    def checkpoint(name: str, data: bytes, vkey: str = VKEY, *, own: bool = True) -> None:
        add("checkpoint", name, own=own, vkey=vkey, **given("note", data))

    checkpoint("example of the page", f"{text_of().decode()}\n{DASH} {NAME} {EXAMPLE_SIGNATURE}\n".encode())
    empty = base64.b64encode(root_of([])).decode()
    checkpoint("of no entries", sign(text_of(NAME, "0", empty), SIGNER))
    checkpoint("size 1", sign(text_of(NAME, "1", ROOT), SIGNER))
    checkpoint("size that is written at most", sign(text_of(NAME, "100000000", ROOT), SIGNER))
    checkpoint("size at its limit", sign(text_of(NAME, str(NUMBER_MAX), ROOT), SIGNER))
    checkpoint("root of zeros", sign(text_of(NAME, "3", base64.b64encode(bytes(32)).decode()), SIGNER))
    checkpoint("further lines", sign(text_of(NAME, "3", ROOT, "one", "two words", "z\u00fcrich"), SIGNER))
    checkpoint("a further line like a signature's", sign(text_of(NAME, "3", ROOT, f"{DASH} a b"), SIGNER))
    whole = sign(text_of(), SIGNER)
    checkpoint("with a witness behind", whole + others(1))
    checkpoint("with 15 witnesses in front", text_of() + b"\n" + others(15) + line_of(*SIGNER, text_of()))
    checkpoint("128 KiB", filled(CHECKPOINT_MAX))
    foreign = {
        "of another log": "go.sum database tree",
        "with a plus and beyond ASCII": "example.com/z\u00fcrich+\U0001f511",
        "of spaces only": "  ",
        "that is a number": "3",
    }
    for name, origin in foreign.items():
        signer = ("log.example", sample("foreign"))
        checkpoint(f"origin {name}", sign(text_of(origin, "3", ROOT), signer), vkey_of(*signer), own=False)
    checkpoint("a log's own, read as any log's", whole, own=False)

    add("root", "no leaves", leaves_hex=[])
    for count in range(1, 9):
        add("root", f"{count} leaves of the page", leaves_hex=LEAVES[:count])
    add("root", "one leaf of no bytes is not no leaf", leaves_hex=[""])
    add("root", "the same leaf three times", leaves_hex=["aa"] * 3)
    for count in (16, 31, 33):
        add("root", f"{count} leaves", leaves_hex=[f"{index:02x}" for index in range(count)])
    entries = [entry.hex() for entry in chain(*EVENTS[:2])]
    add("root", "a ledger of three entries", leaves_hex=entries)
    for size in (1, 2, 3, 5, 7, 8):
        for index in range(size):
            add("proof", f"leaf {index} of {size}", leaves_hex=LEAVES[:size], index=index)

    def inclusion(name: str, index: int, size: int, leaf: str, proof: list[bytes], root: str = "") -> None:
        root = root or lead(leaf_hash(bytes.fromhex(leaf)), index, size, proof).hex()
        fields = {"leaf_hex": leaf, "proof_hex": [node.hex() for node in proof], "root_hex": root}
        add("inclusion", name, index=index, size=size, **fields)

    page_proof = [bytes.fromhex(node) for node in TREE_PROOF]
    inclusion("example of the page", 5, 8, LEAVES[5], page_proof, TREE_ROOT)
    inclusion("the same, as leaf 5 of 7: a size is not proven", 5, 7, LEAVES[5], page_proof, TREE_ROOT)
    for size in (1, 2, 3, 4, 6, 7):
        leaves = [bytes.fromhex(leaf) for leaf in LEAVES[:size]]
        for index in range(size):
            inclusion(
                f"leaf {index} of {size}", index, size, LEAVES[index], prove(index, leaves), root_of(leaves).hex()
            )
    inclusion("entry 1 of three", 1, 3, entries[1], prove(1, [bytes.fromhex(entry) for entry in entries]))
    large = 2**62
    inclusion("the first of very many", 0, large, "aa", siblings(62))
    inclusion("the last of very many", large - 1, large, "aa", siblings(62))
    inclusion("the last, alone on its side", large, large + 1, "aa", siblings(1))
    inclusion("the first, of one more", 0, large + 1, "aa", siblings(63))
    inclusion("the first of the most there can be", 0, NUMBER_MAX, "aa", siblings(63))
    inclusion("the last of the most there can be", NUMBER_MAX - 1, NUMBER_MAX, "aa", siblings(62))
    inclusion(
        "the last of a ledger that is full", 99_999_999, 100_000_000, "aa", siblings(bits(99_999_999, 100_000_000))
    )
    for new in range(1, 9):
        leaves = [bytes.fromhex(leaf) for leaf in LEAVES[:new]]
        for old in range(1, new + 1):
            add("growth", f"from {old} to {new}", leaves_hex=LEAVES[:new], old=old)
            roots = {"old_root_hex": root_of(leaves[:old]).hex(), "new_root_hex": root_of(leaves).hex()}
            proof = [node.hex() for node in prove_growth(old, leaves)]
            add("consistency", f"from {old} to {new}", old=old, new=new, proof_hex=proof, **roots)
    for name, old, new, count in (
        ("from one to very many", 1, 2**62, 62),
        ("from very many to one more", 2**62, 2**62 + 1, 1),
        ("to the most there can be", NUMBER_MAX - 1, NUMBER_MAX, 63),
    ):
        hashes = siblings(count)
        before = sample("before") if old & (old - 1) == 0 else b""
        both = grow(old, new, hashes, before)
        roots = {f"{which}_root_hex": found.hex() for which, found in zip(("old", "new"), both, strict=True)}
        add("consistency", name, old=old, new=new, proof_hex=[node.hex() for node in hashes], **roots)
    return vectors


def bits(index: int, size: int) -> int:
    """Count how many siblings a leaf has on its way up."""
    if size == 1:
        return 0
    k = split(size)
    return 1 + (bits(index, k) if index < k else bits(index - k, size - k))


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    def note(
        name: str, reason: str, data: bytes, kind: str = "malformed", vkey: str = VKEY, *, own: bool = True
    ) -> None:
        refused("checkpoint", name, reason, kind, own=own, vkey=vkey, **given("note", data))

    def lines(name: str, reason: str, *lines: str) -> None:
        note(name, reason, sign(text_of(*lines), SIGNER))

    whole = sign(text_of(), SIGNER)
    note("128 KiB and one byte", "too-long", filled(CHECKPOINT_MAX + 1))
    note("empty", "no-newline", b"")
    note("the text only", "no-empty-line", text_of())
    note("17 signatures", "signatures-too-many", whole + others(16))
    note("a tab in the origin", "control", sign(text_of(f"{NAME}\t", "3", ROOT), SIGNER))
    note("not UTF-8", "not-utf-8", sign(text_of() + b"\xff\n", SIGNER))

    def unsigned(name: str, reason: str, data: bytes, vkey: str = VKEY) -> None:
        note(name, reason, data, "not signed", vkey)

    unsigned("wrong key", "no-signature-of-this-key", whole, vkey_of(NAME, sample("another")))
    unsigned("signed by a witness only", "no-signature-of-this-key", text_of() + b"\n" + others(1))
    unsigned("size changed", "signature-wrong", whole.replace(b"\n3\n", b"\n4\n"))
    unsigned("size changed, and malformed", "signature-wrong", whole.replace(b"\n3\n", b"\n03\n"))
    unsigned("a further line put in", "signature-wrong", whole.replace(b"=\n\n", b"=\nmore\n\n"))
    by_entry = sign(text_of(), (f"{NAME}/entry", SEED))
    unsigned("signed under the name of entries' keys", "no-signature-of-this-key", by_entry)

    lines("one line", "line-missing", NAME)
    lines("two lines", "line-missing", NAME, "3")
    note("text is one newline", "empty-line", sign(b"\n", SIGNER))
    lines("empty line in front", "empty-line", "", NAME, "3", ROOT)
    lines("empty origin", "empty-line", "", "3", ROOT)
    lines("empty size", "empty-line", NAME, "", ROOT)
    lines("empty root", "empty-line", NAME, "3", "")
    lines("empty line behind", "empty-line", NAME, "3", ROOT, "")
    lines("empty line among further lines", "empty-line", NAME, "3", ROOT, "one", "", "two")
    lines("size and root changed places", "number-form", NAME, ROOT, "3")
    sizes = {
        "leading zero": ("03", "number-form"),
        "two zeros": ("00", "number-form"),
        "sign": ("+3", "number-form"),
        "minus": ("-3", "number-form"),
        "minus zero": ("-0", "number-form"),
        "space in front": (" 3", "number-form"),
        "space behind": ("3 ", "number-form"),
        "underscore": ("1_0", "number-form"),
        "hex": ("0x3", "number-form"),
        "a word": ("three", "number-form"),
        "another script": ("\u0663", "number-form"),
        "superscript": ("\u00b3", "number-form"),
        "a no-break space in front": ("\u00a03", "number-form"),
        "one beyond": (str(NUMBER_MAX + 1), "number-range"),
        "5,000 digits": ("9" * 5000, "number-range"),
    }
    for name, (size, reason) in sizes.items():
        lines(f"size: {name}", reason, NAME, size, ROOT)
    bits_behind = ROOT[:-2] + "B="
    roots = {
        "31 bytes": (base64.b64encode(bytes(31)).decode(), "root-size"),
        "33 bytes": (base64.b64encode(bytes(33)).decode(), "root-size"),
        "hex": (base64.b64decode(ROOT).hex(), "root-size"),
        "padding missing": (ROOT[:-1], "base64-form"),
        "padding too much": (f"{ROOT}=", "base64-form"),
        "bits behind the end": (bits_behind, "base64-bits-behind-end"),
        "the alphabet for URLs": (ROOT.replace("/", "_"), "base64-form"),
        "space behind": (f"{ROOT} ", "base64-form"),
        "space in front": (f" {ROOT}", "base64-form"),
        "a star in it": (ROOT.replace("/", "*"), "base64-form"),
        "a star more": (f"*{ROOT}", "base64-form"),
    }
    for name, (root, reason) in roots.items():
        lines(f"root: {name}", reason, NAME, "3", root)
    for name, origin in {
        "of another store": f"logchain/{'ff' * 16}",
        "in uppercase": NAME.upper(),
        "with a space behind": f"{NAME} ",
        "with a no-break space behind": f"{NAME}{SPACES[2]}",
        "of the entries' keys": f"{NAME}/entry",
    }.items():
        lines(f"own origin {name}", "origin-of-another", origin, "3", ROOT)

    def inclusion(name: str, reason: str, index: int, size: int, proof: list[str], **changed: str) -> None:
        fields = {"leaf_hex": LEAVES[5], "root_hex": TREE_ROOT} | changed
        refused("inclusion", name, reason, "not proven", index=index, size=size, proof_hex=proof, **fields)

    proof, elsewhere = TREE_PROOF, "leads-elsewhere"
    inclusion("leaf of another content", elsewhere, 5, 8, proof, leaf_hex="40414244")
    inclusion("leaf's hash for the leaf", elsewhere, 5, 8, proof, leaf_hex=leaf_hash(bytes.fromhex(LEAVES[5])).hex())
    inclusion("another root", elsewhere, 5, 8, proof, root_hex="00" * 32)
    for index in (0, 1, 4, 6, 7):
        inclusion(f"as leaf {index}", elsewhere, index, 8, proof)
    inclusion("as leaf 5 of 6", "proof-too-long", 5, 6, proof)
    inclusion("as leaf 8 of 8", "no-such-leaf", 8, 8, proof)
    inclusion("as leaf 13 of 8", "no-such-leaf", 13, 8, proof)
    inclusion("in a tree of none", "no-such-leaf", 0, 0, [])
    inclusion("in a tree of none, with a proof", "no-such-leaf", 5, 0, proof)
    inclusion("a hash too few, the lowest", "proof-too-short", 5, 8, proof[1:])
    inclusion("a hash too few, the highest", "proof-too-short", 5, 8, proof[:-1])
    inclusion("no hashes", "proof-too-short", 5, 8, [])
    inclusion("a hash too many", "proof-too-long", 5, 8, [*proof, "00" * 32])
    inclusion("a hash too many in front", "proof-too-long", 5, 8, ["00" * 32, *proof])
    inclusion("highest sibling first", elsewhere, 5, 8, proof[::-1])
    inclusion("a sibling changed", elsewhere, 5, 8, [proof[0], "00" * 32, proof[2]])
    alone = root_of([bytes.fromhex(LEAVES[5])]).hex()
    inclusion("a tree of one, with a hash", "proof-too-long", 0, 1, [proof[0]], root_hex=alone)
    inclusion("a tree of one, another leaf", elsewhere, 0, 1, [], root_hex=alone, leaf_hex="00")
    both = (leaf_hash(bytes.fromhex(LEAVES[4])) + leaf_hash(bytes.fromhex(LEAVES[5]))).hex()
    inclusion("a node for a leaf", elsewhere, 2, 4, proof[1:], leaf_hex=both)
    unmarked = hashlib.sha256(bytes.fromhex(LEAVES[0]) + b"").hexdigest()
    inclusion("a root without the byte for leaves", elsewhere, 0, 1, [], leaf_hex=LEAVES[0], root_hex=unmarked)
    grown = [bytes.fromhex(leaf) for leaf in LEAVES]

    def growth(name: str, reason: str, old: int, new: int, **changed: object) -> None:
        roots = {"old_root_hex": root_of(grown[:3]).hex(), "new_root_hex": root_of(grown[:7]).hex()}
        fields = {"proof_hex": [node.hex() for node in prove_growth(3, grown[:7])]} | roots | changed
        refused("consistency", name, reason, "not proven", old=old, new=new, **fields)

    right = [node.hex() for node in prove_growth(3, grown[:7])]
    growth("another old root", elsewhere, 3, 7, old_root_hex=root_of(grown[:2]).hex())
    growth("another new root", elsewhere, 3, 7, new_root_hex=root_of(grown).hex())
    growth(
        "roots changed places",
        elsewhere,
        3,
        7,
        old_root_hex=root_of(grown[:7]).hex(),
        new_root_hex=root_of(grown[:3]).hex(),
    )
    growth("from another size", "proof-too-long", 2, 7, proof_hex=right[1:])
    growth("backwards", "sizes", 7, 3)
    growth("from none", "sizes", 0, 7, proof_hex=[])
    growth("to none", "sizes", 0, 0, proof_hex=[])
    growth("a hash too few, the lowest", "proof-too-short", 3, 7, proof_hex=right[1:])
    growth("a hash too few, the highest", "proof-too-short", 3, 7, proof_hex=right[:-1])
    growth("no hashes", "proof-too-short", 3, 7, proof_hex=[])
    growth("a hash too many", "proof-too-long", 3, 7, proof_hex=[*right, "00" * 32])
    growth("a hash too many in front", "proof-too-long", 3, 7, proof_hex=["00" * 32, *right])
    growth("highest hash first", elsewhere, 3, 7, proof_hex=right[::-1])
    for place in range(len(right)):
        wrong = [*right[:place], "00" * 32, *right[place + 1 :]]
        growth(f"hash {place} changed", elsewhere, 3, 7, proof_hex=wrong)
    same = root_of(grown[:3]).hex()
    growth("the same size, with a hash", "proof-too-long", 3, 3, new_root_hex=same, proof_hex=right[:1])
    growth("the same size, another root", elsewhere, 3, 3, proof_hex=[])
    same_three, same_four = root_of(grown[:3]).hex(), root_of(grown[:4]).hex()
    growth("the old root as a larger tree's", "proof-too-short", 3, 7, new_root_hex=same_three, proof_hex=[same_three])
    full = {"old_root_hex": same_four, "new_root_hex": same_four}
    growth("the root of a full tree as a larger one's", "proof-too-short", 4, 7, proof_hex=[], **full)
    # right at both ends only: the new root is that of another tree, whose right side begins earlier
    forged = [*grown[:2], b"forged", *grown[3:7]]
    ends = [node.hex() for node in prove_growth(3, forged)]
    growth("right only at its new end", elsewhere, 3, 7, proof_hex=ends, new_root_hex=root_of(forged).hex())
    growth("right only at its old end", elsewhere, 3, 7, new_root_hex=root_of(forged).hex())
    return vectors
