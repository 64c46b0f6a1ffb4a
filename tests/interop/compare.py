"""`make interop`: our formats and our witness beside those of others, in both directions.

    python -m tests.interop.compare go                 golang.org/x/mod/sumdb: note, tlog (Debian: golang-go,
                                                       golang-golang-x-mod-dev)
    python -m tests.interop.compare aics PYTHON        aics-tlog and aics-witness from PyPI, by a Python that has them

Prints what was compared, and exits with 1 where anything differs that is not told why.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from logchain.format.checkpoint import Checkpoint, format_checkpoint, open_checkpoint
from logchain.format.cosignature import cosigned_at
from logchain.format.errors import LogchainError
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.merkle import Tree, consistency_proof, leaf_hash
from logchain.format.signed_note import COSIGNATURE, open_note, parse_note, parse_vkey, sign
from logchain_witness.answer import answer
from logchain_witness.checkpoint import check_consistency
from logchain_witness.errors import WitnessError
from logchain_witness.note import LOG, parse_key
from logchain_witness.state import Log, State
from tests.vectors.reading_checkpoint import NAME, SIGNER, VKEY, root_of
from tests.vectors.reading_cosignature import KEY, SEED
from tests.vectors.reading_cosignature import NAME as WITNESS
from tests.vectors.reading_witness import LEAVES

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors"
DIFFERENT = {  # vectors of which they think otherwise, and why
    "another of the same size": "tlog-witness says 409; aics-witness says 422, as torchwood does",
    "the time one beyond": "tlog-cosignature ends at 2^63 - 1; aics-tlog takes eight bytes whatever they say",
}
SIZES = 40  # leaves of trees that are compared size by size


def vectors(file: str, kind: str, what: str) -> list[dict[str, Any]]:
    """Return the vectors of a file for one reader that hold their bytes in plain text."""
    return [vector for vector in json.loads((VECTORS / file).read_text())[kind] if vector["what"] == what]


def text64(data: bytes) -> str:
    """Return base64."""
    return b64encode(data).decode()


def same(what: str, ours: object, theirs: object) -> None:
    """End where two things differ."""
    if ours != theirs:
        sys.exit(f"{what}: ours {ours!r}, theirs {theirs!r}")


def growths() -> list[dict[str, Any]]:
    """Return all good and bad proofs of consistency that Go's numbers can hold, as Go has them."""
    found = [*vectors("checkpoint.json", "good", "consistency"), *vectors("checkpoint.json", "bad", "consistency")]
    return [
        {
            "Old": vector["old"],
            "New": vector["new"],
            "OldRoot": text64(bytes.fromhex(vector["old_root_hex"])),
            "NewRoot": text64(bytes.fromhex(vector["new_root_hex"])),
            "Hashes": [text64(bytes.fromhex(node)) for node in vector["proof_hex"]],
            "ours": "reason" not in vector,
        }
        for vector in found
        if vector["new"] < 1 << 62  # beyond, Go's maxpow2 (sumdb/tlog) does not end
    ]


def compare_go() -> None:
    """Go opens our notes and proofs; we open its notes, make the same proofs, and sign the same bytes."""
    notes = [vector for vector in vectors("checkpoint.json", "good", "checkpoint") if "note" in vector]
    leaves = [b"leaf %d" % number for number in range(SIZES)]
    skey = f"PRIVATE+KEY+{NAME}+{parse_vkey(VKEY).key_id.hex()}+{text64(bytes([LOG]) + SIGNER[1])}"
    text = format_checkpoint(Checkpoint(NAME, 7, bytes(32))).decode()
    given = {
        "Notes": [{"Note": vector["note"], "Vkey": vector["vkey"]} for vector in notes],
        "Growths": growths(),
        "Signer": skey,
        "Text": text,
        "Leaves": [text64(leaf) for leaf in leaves],
    }
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(HERE / "main.go", place)
        done = subprocess.run(
            ["go", "run", "main.go"], cwd=place, env=environment, input=json.dumps(given).encode(), capture_output=True
        )
    if done.returncode:
        sys.exit(done.stderr.decode())
    out = json.loads(done.stdout)
    for vector, theirs in zip(notes, out["Notes"], strict=True):
        same(f"note {vector['name']}", True, theirs)
    for growth, theirs in zip(growths(), out["Growths"], strict=True):
        same(f"proof from {growth['Old']} to {growth['New']}", growth["ours"], theirs)
    same("a signed note", sign(text.encode(), *SIGNER).decode(), out["Signed"])
    open_checkpoint(out["Signed"].encode(), parse_vkey(VKEY))
    for made in out["Made"]:
        tree, old, new = Tree(), made["Old"], made["New"]
        for leaf in leaves[:old]:
            tree.append(leaf_hash(leaf))
        proof = consistency_proof(old, tree.peaks, [leaf_hash(leaf) for leaf in leaves[old:new]])
        hashes = made["Hashes"] or []
        same(f"the proof from {old} to {new}", [text64(node) for node in proof], hashes)
        check_consistency(
            old, new, list(map(b64decode, hashes)), b64decode(made["OldRoot"]), b64decode(made["NewRoot"])
        )
    told = len(notes), len(out["Growths"]), len(out["Made"])
    print("Go opened {} of our notes, judged {} proofs as we do, and made {} proofs that are ours".format(*told))


def compare_aics(python: str) -> None:
    """That witness answers our questions as ours does, and signs the same bytes; ours answers its."""
    asked = [
        vector
        for vector in vectors("witness.json", "good", "asked")
        if "question" in vector and not vector.get("retired") and "qube" not in vector
    ]
    for vector in asked:
        vector["root"] = text64(root_of(LEAVES[: vector["latest"]]))
    cosigned = [vector for vector in vectors("cosignature.json", "good", "cosigned") if vector["vkey"] == KEY]
    cosigned += vectors("cosignature.json", "bad", "cosigned")
    cosigned = [vector for vector in cosigned if "note" in vector]
    steps = [(0, 1), (1, 4), (4, 4), (4, 13), (13, SIZES)]
    given = {
        "seed": text64(SEED),
        "name": WITNESS,
        "witness": KEY,
        "origin": NAME,
        "vkey": VKEY,
        "log_seed": text64(SIGNER[1]),
        "questions": asked,
        "notes": [vector["note"] for vector in cosigned],
        "leaves": [text64(sha256(b"%d" % number).digest()) for number in range(SIZES)],
        "steps": steps,
    }
    done = subprocess.run(
        [python, HERE / "aics.py"], input=json.dumps(given).encode(), capture_output=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr.decode())
    out = json.loads(done.stdout)
    for vector, theirs in zip(asked, out["answers"], strict=True):
        if vector["name"] not in DIFFERENT:
            same(f"the answer to {vector['name']}", [vector["status"], vector["body"]], theirs)
    for vector, theirs in zip(cosigned, out["cosigned"], strict=True):
        if vector["name"] not in DIFFERENT:
            same(f"the cosignature {vector['name']}", vector.get("time") is not None, theirs)
    with tempfile.TemporaryDirectory() as place:
        state = State(f"{place}/witness")
        state.create(WITNESS)
        state.keep(Log(parse_key(VKEY, LOG), "sys-log"))
        for question in out["asked"]:
            same("its question", b"200", answer(state, question.encode(), "sys-log")[0][:3])
    for (_, new), note in zip(steps, out["lines"], strict=True):
        found = parse_note(note.encode(), MAX_CHECKPOINT)
        open_note(note.encode(), parse_vkey(VKEY), MAX_CHECKPOINT)
        same("the time of its cosignature", 1_700_000_000 + new, cosigned_at(found, parse_vkey(KEY, COSIGNATURE)))
    for name, why in DIFFERENT.items():
        print(f"but for '{name}': {why}")
    told = len(asked), len(cosigned), len(out["asked"])
    print(
        "aics-witness answered {} questions as ours does, judged {} cosignatures as we do; ours took {} of its".format(
            *told
        )
    )


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["go"]:
            compare_go()
        elif sys.argv[1:2] == ["aics"] and len(sys.argv) == 3:
            compare_aics(sys.argv[2])
        else:
            sys.exit(__doc__)
    except (LogchainError, WitnessError) as error:
        sys.exit(f"refused: {error}")
