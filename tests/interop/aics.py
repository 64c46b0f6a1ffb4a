"""The other witness of `make interop`: aics-witness and aics-tlog from PyPI, in an environment of their own.

Reads JSON on standard input, prints what that witness answers to each question, and questions and cosignatures of its
own making.
"""

import json
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

from aics_tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from aics_tlog.cosign import sign_cosignature, verify_cosignature
from aics_tlog.note import format_vkey, parse_note, parse_vkey
from aics_tlog.tree import MerkleTree
from aics_witness.config import LogConfig
from aics_witness.protocol import format_add_checkpoint_request, format_signature_line
from aics_witness.service import Witness, WitnessError
from aics_witness.store import WitnessStore
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def main() -> None:
    """Answer, verify, make."""
    given = json.load(sys.stdin)
    key = Ed25519PrivateKey.from_private_bytes(b64decode(given["seed"]))
    out: dict[str, Any] = {"answers": [answered(given, key, question) for question in given["questions"]]}
    out["cosigned"] = [cosigned(note, given["witness"]) for note in given["notes"]]
    log = Ed25519PrivateKey.from_private_bytes(b64decode(given["log_seed"]))
    tree = MerkleTree()
    for leaf in given["leaves"]:
        tree.append(b64decode(leaf))
    out["asked"], out["lines"] = [], []
    for old, new in given["steps"]:
        checkpoint = Checkpoint(given["origin"], new, tree.root(new))
        note = sign_checkpoint(checkpoint, log, given["origin"]).serialise().encode()
        proof = tree.consistency_proof(old, new) if old else []
        out["asked"].append(format_add_checkpoint_request(old, proof, note).decode())
        _, line = sign_cosignature(key, given["name"], 1_700_000_000 + new, given["origin"], new, tree.root(new))
        out["lines"].append(note.decode() + format_signature_line(line))
    json.dump(out, sys.stdout)


def answered(given: dict[str, Any], key: Ed25519PrivateKey, question: dict[str, Any]) -> list[Any]:
    """Ask that witness, which remembers so many entries of the log; return status and body."""
    with tempfile.TemporaryDirectory() as place:
        store = WitnessStore(Path(place) / "db", create=True)
        initial = (question["latest"], b64decode(question["root"])) if question["latest"] else None
        logs = [LogConfig(given["origin"], (parse_vkey(given["vkey"]),), True, initial)]
        witness = Witness(given["name"], key, store, logs, clock=lambda: float(question["time"]))
        assert format_vkey(witness.vkey) == given["witness"]
        try:
            return [200, witness.add_checkpoint(question["question"].encode()).decode()]
        except WitnessError as error:
            return [error.status, error.body.decode() if error.status == 409 else ""]
        finally:
            store.close()


def cosigned(text: str, vkey: str) -> bool:
    """Tell whether a note is cosigned by this witness."""
    note, key = parse_note(text), parse_vkey(vkey)
    found = parse_checkpoint(note.text)
    return all(
        verify_cosignature(
            line.signature, key.name, key.public_key, found.origin, found.size, found.root, found.extension_lines
        )
        for line in note.signatures
        if (line.name, line.key_id) == (key.name, key.key_id)
    ) and any((line.name, line.key_id) == (key.name, key.key_id) for line in note.signatures)


if __name__ == "__main__":
    main()
