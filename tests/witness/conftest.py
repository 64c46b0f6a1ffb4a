"""A witness in a directory of its own, and a log that asks it."""

import os
import subprocess
import sysconfig
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.merkle import Tree, consistency_proof, leaf_hash
from logchain.format.signed_note import Vkey, format_vkey, public_key, sign
from logchain_witness.answer import answer
from logchain_witness.main import main
from logchain_witness.note import Key
from logchain_witness.state import State

ORIGIN, LOG_SEED = "logchain/5b0c7a3f6f6f0b0e9b3f0c55a1d20a11", bytes(range(32))


@dataclass
class Forest:
    """A log: its leaves, and what it signs and asks."""

    leaves: list[bytes] = field(default_factory=lambda: [leaf_hash(bytes([place])) for place in range(40)])
    origin: str = ORIGIN
    seed: bytes = LOG_SEED

    @property
    def vkey(self) -> Vkey:
        """The log's key."""
        return public_key(self.origin, self.seed)

    def tree(self, size: int) -> Tree:
        """Return the tree of the first leaves."""
        tree = Tree()
        for leaf in self.leaves[:size]:
            tree.append(leaf)
        return tree

    def checkpoint(self, size: int) -> bytes:
        """Return a signed checkpoint."""
        return sign(format_checkpoint(Checkpoint(self.origin, size, self.tree(size).root())), self.origin, self.seed)

    def question(self, old: int, new: int, proof: Sequence[bytes] | None = None) -> bytes:
        """Return the question that goes from one size to another."""
        if proof is None:
            proof = consistency_proof(old, self.tree(old).peaks, self.leaves[old:new]) if 0 < old <= new else []
        lines = [f"old {old}", *(b64encode(node).decode() for node in proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint(new)


@dataclass
class Witness:
    """A witness, and who asks it."""

    path: Path

    @property
    def state(self) -> State:
        """What it keeps."""
        return State(str(self.path))

    @property
    def key(self) -> Key:
        """Its public key."""
        return self.state.key()[0]

    def run(self, *arguments: str, stdin: bytes = b"", qube: str = "sys-log") -> "subprocess.CompletedProcess[bytes]":
        """Run a command."""
        return subprocess.run(
            [f"{sysconfig.get_path('scripts')}/logchain-witness", "--state", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            env={**os.environ, "QREXEC_REMOTE_DOMAIN": qube},
            check=False,
        )

    def ask(self, question: bytes, qube: str = "sys-log") -> tuple[int, bytes]:
        """Ask in this process, which is faster; return the status and what follows it."""
        line, _, body = answer(self.state, question, qube)[0].partition(b"\n")
        return int(line[:3]), body

    def call(self, question: bytes, qube: str = "sys-log") -> tuple[int, bytes]:
        """Ask as qrexec does, a process for it; return the same."""
        done = self.run("answer", stdin=question, qube=qube)
        assert done.stderr == b""
        line, _, body = done.stdout.partition(b"\n")
        return int(line[:3]), body

    def size(self) -> int:
        """Return how many entries it remembers of the log."""
        log = self.state.find(ORIGIN)
        assert log
        return log.checkpoint.size if log.checkpoint else 0


@pytest.fixture
def forest() -> Forest:
    """A log."""
    return Forest()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness that has the log pinned for sys-log."""
    found = Witness(tmp_path / "witness")
    found.state.create("vault/logchain-witness")
    assert main(["--state", str(found.path), "pin", format_vkey(Forest().vkey), "--qube", "sys-log"]) == 0
    return found
