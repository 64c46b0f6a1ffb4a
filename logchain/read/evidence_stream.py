"""Checks what an evidence file has of one stream: manifests, blocks and text (docs/spec/evidence.md)."""

from dataclasses import dataclass, field
from hashlib import sha256

from logchain.format.errors import FormatError, SignatureError
from logchain.format.evidence import (
    EvidenceIndex,
    IndexedSegment,
    IndexedStream,
    block_path,
    manifest_path,
    text_path,
)
from logchain.format.evidence_range import covering, cut, is_within
from logchain.format.ledger import Seal
from logchain.format.limits import MAX_MANIFEST, MAX_MEMBER, TIME_SIZE
from logchain.format.manifest import NO_MANIFEST, Block, Manifest, open_manifest, parse_manifest
from logchain.format.record import format_time, parse_time
from logchain.format.signed_note import parse_note
from logchain.read.evidence_ledger import EvidenceLedger, Sealing
from logchain.read.evidence_parts import Parts
from logchain.read.findings import Finding

__all__ = ["EvidenceStream", "Stop", "StreamCheck"]


@dataclass
class EvidenceStream:
    """What was found of one stream; numbers are those of records in the stream, times are µs since 1970."""

    vm: str
    stream: str
    stream_id: str
    named: bool  # the names are proven
    segments: int = 0
    records: int = 0  # within the range, that are good
    first: int | None = None  # number of the first of these
    last: int | None = None
    first_time: int = 0
    last_time: int = 0
    sealed_entry: int = 0  # of the ledger: the last that seals a segment here
    sealed_time: int = 0  # the latest that an entry up to that one tells
    waited: int = 0  # µs: the longest from the first record of a segment here to its seal, by these times
    begins: bool = False  # nothing of the range can be missing before: what is before is known to be older
    ends: bool = False  # nor behind
    findings: list[Finding] = field(default_factory=list)

    @property
    def damaged(self) -> bool:
        """Whether anything is wrong with it."""
        return any(finding.damage for finding in self.findings)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the range can be missing."""
        return self.begins and self.ends


class Stop(Exception):
    """What follows cannot be looked at: where parts begin is not known any more."""


class StreamCheck:
    """The check of one stream, whose parts come now; the ledger's were read."""

    def __init__(
        self,
        parts: Parts,
        index: EvidenceIndex,
        stream: IndexedStream,
        ledger: EvidenceLedger,
        report: EvidenceStream,
    ) -> None:
        self._parts, self._index, self._stream, self._report = parts, index, stream, report
        self._ledger = ledger
        self._hash, self._size = sha256(), 0  # of the text that the blocks give
        self._known = True  # all of it
        self._before: Manifest | None = None
        self._previous = b""  # SHA-256 of its file

    def run(self) -> None:
        """Check all of it; raises FormatError, and Stop."""
        since, until, report = self._index.since, self._index.until, self._report
        if self._stream.salt is None:
            report.findings.append(Finding(False, "its id was lost: nothing here proves that these are its names"))
        for segment in self._stream.segments:
            manifest = self._manifest(segment)
            if not self._before:
                at_first = manifest.first == 0 and manifest.previous == NO_MANIFEST
                report.begins = at_first or (manifest.first_time < since and not self._ledger.begins_in_doubt)
            self._before = manifest
            first = manifest.first
            places = covering(manifest, since, until)
            for place, block in enumerate(manifest.blocks):
                if place in places:
                    self._block(segment.segment, manifest, place, first)
                first += block.records
            report.segments += 1
            report.ends = manifest.last_time > until and not self._ledger.ends_in_doubt
        self._text()

    def _find(
        self, text: str, segment: int | None = None, record: int | None = None, offset: int | None = None
    ) -> None:
        self._report.findings.append(Finding(True, text, segment, record, offset))

    def _manifest(self, segment: IndexedSegment) -> Manifest:
        """Return a manifest that was checked against its entry and the manifest before it."""
        number = segment.segment
        data = self._parts.whole(manifest_path(self._stream, number), MAX_MANIFEST)
        digest, sealing = sha256(data).digest(), self._ledger.sealing.get(segment.entry)
        if not sealing:
            self._find("the entry of the ledger that seals it is not proven", number)
            manifest = parse_manifest(parse_note(data, MAX_MANIFEST, most=1).text)
        elif sealing.entry.event != Seal(self._stream.stream_id, number, digest):
            self._find(f"the manifest is not the one that entry {segment.entry} of the ledger names", number)
            raise Stop
        else:
            manifest = self._signed(data, sealing, number)
            self._report.sealed_entry, self._report.sealed_time = segment.entry, sealing.time
            self._report.waited = max(self._report.waited, sealing.time - manifest.first_time)
        identity = self._index.store_id, self._stream.stream_id, number
        if (manifest.store_id, manifest.stream_id, manifest.segment) != identity:
            self._find("the manifest is of another store, stream or segment", number)
        follows = self._previous if self._before else sealing.previous if sealing else manifest.previous
        if manifest.previous != follows:
            self._find("the manifest does not follow the one before it: a segment was left out", number)
        elif self._before and manifest.first != self._before.first + self._before.records:
            self._find(f"it begins with record {manifest.first:,}: those before it were lost, or never sealed", number)
        self._previous = digest
        return manifest

    def _signed(self, data: bytes, sealing: Sealing, number: int) -> Manifest:
        try:
            manifest = open_manifest(data, sealing.key)
        except SignatureError as error:
            self._find(f"the manifest: {error}", number)
            return parse_manifest(parse_note(data, MAX_MANIFEST, most=1).text)
        if manifest.age > sealing.entry.age:
            self._find("the manifest is younger than the entry that names it", number)
        return manifest

    def _block(self, number: int, manifest: Manifest, place: int, first: int) -> None:
        """Check a block of a segment, whose first record has number `first`, and count what is within the range."""
        block = manifest.blocks[place]
        path = block_path(self._stream, number, block.offset)
        data = self._parts.whole(path, block.size)
        try:
            if len(data) != block.size or sha256(data).digest() != block.digest:
                last = first + block.records - 1
                raise FormatError(f"records {first:,} to {last:,}: the text was changed, or is not all there")
            _check_form(block, data)
            if is_within(manifest, place, self._index.since, self._index.until):
                skipped, count, text = 0, block.records, data
            else:
                skipped, count, text = cut(data, self._index.since, self._index.until)
        except FormatError as error:
            self._find(str(error), number, first, block.offset)
            self._known = False
            return
        self._hash.update(text)
        self._size += len(text)
        if count:
            self._count(first + skipped, count, text)

    def _count(self, first: int, count: int, text: bytes) -> None:
        report = self._report
        last = text.rfind(b"\n", 0, len(text) - 1) + 1
        if report.first is None:
            report.first, report.first_time = first, parse_time(text[:TIME_SIZE])
        report.records += count
        report.last, report.last_time = first + count - 1, parse_time(text[last : last + TIME_SIZE])

    def _text(self) -> None:
        """Check that the text is what the blocks give."""
        found, size = sha256(), 0
        for data in self._parts.pieces(text_path(self._stream), MAX_MEMBER):
            found.update(data)
            size += len(data)
        if self._known and (size, found.digest()) != (self._size, self._hash.digest()):
            self._find(f"{text_path(self._stream)} is not what stands in the blocks: do not believe it")


def _check_form(block: Block, data: bytes) -> None:
    """See that a block is so many records from such a time on; FormatError."""
    if data.count(b"\n") != block.records or not data.endswith(b"\n"):
        raise FormatError(f"a block that is not {block.records:,} records")
    if data[:TIME_SIZE] != format_time(block.time):
        raise FormatError("a block that does not begin when the manifest says")
