"""Checks an evidence file by itself, without a store (docs/spec/evidence.md): what it proves, and what does not fit.

It is read once, from beginning to end, and nothing larger than a manifest is held. What is not the form that the
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
from logchain.format.ledger import fingerprint
from logchain.format.limits import MAX_CHECKPOINT, MAX_INDEX, MAX_MEMBER, MAX_SMALL_FILE
from logchain.format.merkle import verify_inclusion
from logchain.format.signed_note import parse_note
from logchain.format.tlog_policy import Policy
from logchain.format.tlog_proof import MAX_PROOF, parse_tlog_proof
from logchain.read.evidence_ledger import EvidenceLedger
from logchain.read.evidence_parts import Parts
from logchain.read.evidence_stream import EvidenceStream, Stop, StreamCheck
from logchain.read.findings import Finding
from logchain.read.verify import Verdict
from logchain.read.witnessed import WitnessReport, signed_note

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
    head_time: int = 0  # the latest that one of them tells
    checkpoint: int = 0  # entries that the ledger had when this was made, as its checkpoint says
    streams: list[EvidenceStream] = field(default_factory=list)
    witness: WitnessReport | None = None  # how far those asked for signed; None where none was asked for, or none can
    findings: list[Finding] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many records of the range are good."""
        return sum(stream.records for stream in self.streams)

    @property
    def proves(self) -> bool:
        """Whether it proves anything of the times asked for, to whoever has the fingerprint: records, or silence."""
        return bool(self.records) or all(stream.is_whole for stream in self.streams)

    @property
    def verdict(self) -> Verdict:
        """Damaged as soon as anything is; else intact where the fingerprint was given, and all names are proven."""
        if any(finding.damage for finding in self.findings) or any(stream.damaged for stream in self.streams):
            return Verdict.DAMAGED
        named = all(stream.named for stream in self.streams)
        return Verdict.INTACT if self.pinned and self.proves and named else Verdict.CANNOT_TELL


def check_evidence(
    untrusted_read: Callable[[int], bytes], pinned: str | None = None, policy: Policy | None = None
) -> EvidenceReport:
    """Check an evidence file and return what was found; `untrusted_read(n)` returns at most n bytes, none at the end.

    `pinned` is the fingerprint that a person got from the owner of the store, 64 hex. Raises FormatError where the file
    is none, or is cut off. A `policy` says whose cosignatures on its checkpoint count.
    """
    parts = Parts(untrusted_read)
    if parts.whole(README, MAX_SMALL_FILE * 4) != README_TEXT:
        raise FormatError(f"{README} is not that of this version: do not do what it says")
    index = parse_index(parts.whole(INDEX, MAX_INDEX))
    check = _Check(parts, index, policy)
    check.ledger(pinned)
    try:
        for stream in index.streams:
            check.stream(stream)
    except Stop:
        return check.report
    parts.end()
    return check.report


class _Check:
    def __init__(self, parts: Parts, index: EvidenceIndex, policy: Policy | None) -> None:
        self._parts, self._index, self._policy = parts, index, policy
        self._ledger = EvidenceLedger(index)
        self.report = EvidenceReport(index.store_id, index.since, index.until)

    def ledger(self, pinned: str | None) -> None:
        """Check keys, entries and proofs."""
        report = self.report
        keys = [self._parts.whole(path, MAX_SMALL_FILE) for path in (GENESIS_PEM, LOG_PEM)]
        ledger = self._ledger
        report.findings += ledger.read(self._parts.pieces(ENTRIES, MAX_MEMBER))
        if ledger.head:
            report.entries, report.head_time = ledger.head.number + 1, ledger.time
            report.head_digest = sha256(ledger.last).hexdigest()
        if genesis := ledger.genesis:
            report.fingerprint = fingerprint(genesis.key)
            report.pinned = pinned == report.fingerprint
            if keys != [pem(genesis.key), pem(genesis.log)]:
                self._find("the files in keys/ are not the keys that the ledger's first entry names")
            if pinned and not report.pinned:
                self._find("the ledger has another fingerprint: it was made up, or the fingerprint is another store's")
        self._proofs()

    def _find(self, text: str, entry: int | None = None) -> None:
        self.report.findings.append(Finding(True, text, entry=entry))

    def _proofs(self) -> None:
        """Check that each entry that seals a segment here is in the tree of one and the same checkpoint."""
        first, checkpoint = b"", None
        for number in sorted(segment.entry for stream in self._index.streams for segment in stream.segments):
            proof = parse_tlog_proof(self._parts.whole(proof_path(number), MAX_PROOF))
            if not first:
                first, checkpoint = proof.checkpoint, self._checkpoint(proof.checkpoint)
            if (proof.entry, proof.checkpoint) != (number, first):
                raise FormatError(f"{proof_path(number)} is of another entry, or has a checkpoint of its own")
            sealing = self._ledger.sealing.get(number)
            if sealing and checkpoint:
                try:
                    verify_inclusion(sealing.leaf, number, checkpoint.size, proof.hashes, checkpoint.root)
                except ProofError as error:
                    self._find(f"its proof: {error}", entry=number)

    def _checkpoint(self, data: bytes) -> Checkpoint | None:
        """Return the checkpoint; None where the key that has to sign it is not known, or it is not signed by it."""
        if not self._ledger.genesis:
            return None
        log = self._ledger.genesis.log
        try:
            checkpoint = open_checkpoint(data, log)
        except (FormatError, SignatureError) as error:
            self._find(f"the checkpoint: {error}")
            return None
        self.report.checkpoint = checkpoint.size
        if self._policy and self._policy.logs and log not in self._policy.logs:
            self._find("the policy on witnesses is for other logs than this one")
        elif self._policy:
            try:
                self.report.witness = signed_note(parse_note(data, MAX_CHECKPOINT), checkpoint.size, self._policy)
            except SignatureError as error:
                self._find(f"what a witness signed was changed: {error}")
        return checkpoint

    def stream(self, stream: IndexedStream) -> None:
        """Check the manifests, blocks and text of a stream."""
        report = EvidenceStream(stream.vm, stream.stream, stream.stream_id.hex(), stream.salt is not None)
        report.findings += self._ledger.found(stream.stream_id)
        self.report.streams.append(report)
        StreamCheck(self._parts, self._index, stream, self._ledger, report).run()
