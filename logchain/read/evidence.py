"""Checks an evidence file by itself, without a store (docs/spec/evidence.md): what it proves, and what does not fit.

It is read once, from its begin to its end, and nothing larger than a manifest is held. What is not the form that the
page describes is refused; what has it, and does not fit, is damage.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from logchain.format.checkpoint import Checkpoint, open_checkpoint
from logchain.format.errors import FormatError, ProofError, SignatureError
from logchain.format.evidence import (
    ENTRIES,
    GENESIS_PEM,
    INDEX,
    LOG_PEM,
    README,
    EvidenceIndex,
    IndexedStream,
    parse_index,
    pem,
    proof_path,
)
from logchain.format.evidence_readme import README_TEXT
from logchain.format.ledger import Entry, Genesis, fingerprint, split_entries
from logchain.format.limits import MAX_ENTRY, MAX_INDEX, MAX_MEMBER, MAX_SMALL_FILE
from logchain.format.merkle import leaf_hash, verify_inclusion
from logchain.format.signed_note import Vkey
from logchain.format.tlog_proof import MAX_PROOF, parse_tlog_proof
from logchain.read.evidence_parts import Parts
from logchain.read.evidence_stream import EvidenceStream, Sealing, Stop, StreamCheck
from logchain.read.findings import Finding
from logchain.read.ledger import prove_entry
from logchain.read.verify import Verdict

__all__ = ["EvidenceReport", "check_evidence"]


@dataclass
class EvidenceReport:
    """What was found in an evidence file."""

    store_id: bytes
    since: int
    until: int
    fingerprint: str = ""  # of the key that signs the ledger's first entry
    pinned: bool = False  # that is the one that was given
    entries: int = 0  # of the ledger that are proven, from the first on
    head_digest: str = ""  # SHA-256 of the last of these
    head_time: int = 0
    checkpoint: int = 0  # entries that the ledger had when this was made, as its checkpoint says
    streams: list[EvidenceStream] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many records of the range are good."""
        return sum(stream.records for stream in self.streams)

    @property
    def verdict(self) -> Verdict:
        """Damaged as soon as anything is; else intact where the fingerprint was given."""
        if any(finding.damage for finding in self.findings) or any(stream.damaged for stream in self.streams):
            return Verdict.DAMAGED
        proves = self.records or all(stream.begins and stream.ends for stream in self.streams)
        return Verdict.INTACT if self.pinned and proves else Verdict.CANNOT_TELL


def check_evidence(untrusted_read: Callable[[int], bytes], pinned: str | None = None) -> EvidenceReport:
    """Check an evidence file and return what was found; `untrusted_read(n)` returns at most n bytes, none at the end.

    `pinned` is the fingerprint that a person got from the owner of the store, 64 hex. Raises FormatError where the file
    is none, or is cut off.
    """
    parts = Parts(untrusted_read)
    if parts.whole(README, MAX_SMALL_FILE * 4) != README_TEXT:
        raise FormatError(f"{README} is not that of this version: do not do what it says")
    index = parse_index(parts.whole(INDEX, MAX_INDEX))
    check = _Check(parts, index)
    check.ledger(pinned)
    try:
        for stream in index.streams:
            check.stream(stream)
    except Stop:
        return check.report
    parts.end()
    return check.report


class _Check:
    def __init__(self, parts: Parts, index: EvidenceIndex) -> None:
        self._parts, self._index = parts, index
        self._sealing: dict[int, Sealing] = {}  # by entry: those that are proven
        self.report = EvidenceReport(index.store_id, index.since, index.until)

    def ledger(self, pinned: str | None) -> None:
        """Check keys, entries and proofs."""
        report = self.report
        keys = [self._parts.whole(path, MAX_SMALL_FILE) for path in (GENESIS_PEM, LOG_PEM)]
        genesis = self._entries()
        if genesis:
            report.fingerprint = fingerprint(genesis.key)
            report.pinned = pinned == report.fingerprint
            if keys != [pem(genesis.key), pem(genesis.log)]:
                self._find("the files in keys/ are not the keys that the ledger's first entry names")
            if pinned and not report.pinned:
                self._find("the ledger has another fingerprint: it was made up, or the fingerprint is another store's")
        self._proofs(genesis)

    def _find(self, text: str, entry: int | None = None) -> None:
        self.report.findings.append(Finding(True, text, entry=entry))

    def _entries(self) -> Genesis | None:
        """Check each entry against the one before; return what the first says, None where it is not good."""
        wanted = {segment.entry for stream in self._index.streams for segment in stream.segments}
        head: Entry | None = None
        genesis: Genesis | None = None
        key: Vkey | None = None
        last, rest, error = b"", b"", ""
        for data in self._parts.pieces(ENTRIES, MAX_MEMBER):
            if error:
                continue
            found, rest = split_entries(rest + data)
            for one in found:
                try:
                    entry = prove_entry(one, self._index.store_id, head, last)
                except (FormatError, SignatureError) as refused:
                    error = str(refused)
                    break
                if isinstance(entry.event, Genesis):
                    genesis = entry.event
                elif key and entry.number in wanted:
                    self._sealing[entry.number] = Sealing(entry, key, leaf_hash(one))
                head, last, key = entry, one, entry.next
            if len(rest) > MAX_ENTRY:
                error = "what follows is no ledger"
        count = head.number + 1 if head else 0
        if error:
            self._find(f"{error}; from here on nothing in the ledger is proven", entry=count)
        elif rest or count != self._index.entries:
            self._find(f"the ledger has not the {self._index.entries:,} entries that the index says", entry=count)
        if head:
            self.report.entries, self.report.head_time = count, head.time
            self.report.head_digest = sha256(last).hexdigest()
        return genesis

    def _proofs(self, genesis: Genesis | None) -> None:
        """Check that each entry that seals a segment here is in the tree of one and the same checkpoint."""
        first, checkpoint = b"", None
        for number in sorted(segment.entry for stream in self._index.streams for segment in stream.segments):
            proof = parse_tlog_proof(self._parts.whole(proof_path(number), MAX_PROOF))
            if not first:
                first, checkpoint = proof.checkpoint, self._checkpoint(proof.checkpoint, genesis)
            if (proof.entry, proof.checkpoint) != (number, first):
                raise FormatError(f"{proof_path(number)} is of another entry, or has a checkpoint of its own")
            sealing = self._sealing.get(number)
            if sealing and checkpoint:
                try:
                    verify_inclusion(sealing.leaf, number, checkpoint.size, proof.hashes, checkpoint.root)
                except ProofError as error:
                    self._find(f"its proof: {error}", entry=number)

    def _checkpoint(self, data: bytes, genesis: Genesis | None) -> Checkpoint | None:
        if not genesis:
            return None
        try:
            checkpoint = open_checkpoint(data, genesis.log)
        except (FormatError, SignatureError) as error:
            self._find(f"the checkpoint: {error}")
            return None
        self.report.checkpoint = checkpoint.size
        return checkpoint

    def stream(self, stream: IndexedStream) -> None:
        """Check the manifests, blocks and text of a stream."""
        report = EvidenceStream(stream.vm, stream.stream, stream.stream_id.hex(), stream.salt is not None)
        self.report.streams.append(report)
        StreamCheck(self._parts, self._index, stream, self._sealing, report).run()
