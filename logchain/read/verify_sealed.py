"""Checks one sealed segment: its manifest against the ledger, its text against the manifest and the lists of heads.

With the audit secret every record too. Text is read once.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

from logchain.format.errors import FormatError, OddFile, SignatureError
from logchain.format.ledger import entry_key_name
from logchain.format.limits import MAX_MANIFEST, TIME_SIZE
from logchain.format.manifest import Block, Manifest, open_manifest, unverified_manifest
from logchain.format.ratchet import chain
from logchain.format.record import format_time
from logchain.format.signed_note import Vkey
from logchain.read.ledger import SealedEntry
from logchain.read.sealed import SealedText, open_tier
from logchain.read.verify_heads import Beside, Prefix, lines
from logchain.read.verify_keys import StreamKeys
from logchain.read.verify_records import (
    MOST_LEADING,
    Damage,
    SegmentCheck,
    check_form,
    expected_note,
    is_end,
    leading_notes,
    own_note,
)
from logchain.store.layout import TIERS, Directory, log_name, manifest_name

__all__ = ["SealedTask", "check_sealed", "is_copy"]

_LARGE = 4 << 20  # bytes of text for which a thread is worth it


@dataclass(frozen=True)
class SealedTask:
    """Which segment to check, and what the ledger says of it."""

    vm: str
    stream: str
    number: int
    store_id: bytes
    stream_id: bytes
    entry: SealedEntry | None  # None: nothing vouches for it
    birth: int = 0  # that the ledger says it comes from; 0: unknown
    listed: bytes = b""  # lines of heads, packed


def check_sealed(sealed: Directory, task: SealedTask, keys: StreamKeys) -> SegmentCheck:
    """Check a segment in a stream's directory in sealed/."""
    check = SegmentCheck(task.number, sealed=True)
    try:
        manifest = _read_manifest(sealed, task)
    except (FileNotFoundError, FormatError, SignatureError) as error:
        check.lost = isinstance(error, FileNotFoundError)
        check.find("the manifest is missing" if check.lost else f"the manifest: {error}")
        return check
    for text in _contradictions(manifest, task):
        check.find(f"the manifest: {text}")
    check.vouched = bool(task.entry and task.entry.proven and not check.findings)
    check.first, check.records, check.tag = manifest.first, manifest.records, manifest.tag
    check.claimed = manifest.birth
    _check_tiers(sealed, manifest, task, keys, check)
    check.whole = not any(finding.damage for finding in check.findings)
    return check


def is_copy(live: Directory, sealed: Directory, number: int) -> bool:
    """Tell whether a text in live/ is the one that was sealed: a crash leaves it there for a while.

    FileNotFoundError where it went meanwhile. Whether the manifest is the right one is asked elsewhere.
    """
    try:
        manifest = unverified_manifest(sealed.read(manifest_name(number), MAX_MANIFEST))
        fd = live.file(log_name(number))
    except FormatError:
        return False
    try:
        if os.fstat(fd).st_size != manifest.size:
            return False
        return all(sha256(os.pread(fd, one.size, one.offset)).digest() == one.digest for one in manifest.blocks)
    except OSError:  # a disk that fails
        return False
    finally:
        os.close(fd)


def _read_manifest(sealed: Directory, task: SealedTask) -> Manifest:
    """Return the manifest that the ledger names, or, where it names none, the one that is there."""
    data = sealed.read(manifest_name(task.number), MAX_MANIFEST)
    if not task.entry:
        return unverified_manifest(data)
    if sha256(data).digest() != task.entry.manifest:
        raise FormatError(f"it is not the one that entry {task.entry.entry} of the ledger names")
    if not task.entry.key:  # the entry that named it cannot be read, and that was found
        return unverified_manifest(data)
    return open_manifest(data, Vkey(entry_key_name(task.store_id), task.entry.key))


def _contradictions(manifest: Manifest, task: SealedTask) -> Iterator[str]:
    """Yield what a manifest says that cannot be, by all that is known from elsewhere."""
    if (manifest.store_id, manifest.stream_id, manifest.segment) != (task.store_id, task.stream_id, task.number):
        yield "it is of another store, stream or segment"
    if task.entry and manifest.previous != task.entry.previous:
        yield "it does not follow the manifest before it"
    if task.entry and manifest.age > task.entry.age:
        yield "it is younger than the entry that names it"
    if task.birth and manifest.birth != task.birth:
        yield f"it is of birth {manifest.birth}, and the ledger says {task.birth}"


def _check_tiers(
    sealed: Directory, manifest: Manifest, task: SealedTask, keys: StreamKeys, check: SegmentCheck
) -> None:
    """Check the text in each form in which it is there; one, but for what a crash leaves."""
    there = 0
    for _ in range(2):  # a text moves on to the next tier, perhaps while we look
        for tier in TIERS:
            try:
                with open_tier(sealed, manifest, tier) as text:
                    there += 1
                    if there == 1:
                        _TextCheck(text, task, keys, check).run()
                    else:
                        check.find("the text is there in two forms: a crash left the older one", damage=False)
                        _check_again(text, check)
            except FileNotFoundError:
                continue
            except OddFile as error:
                there += 1
                check.find(str(error))
        if there:
            return
    check.lost = True
    check.find("the text is missing")


def _check_again(text: SealedText, check: SegmentCheck) -> None:
    bad = sum(not isinstance(block, bytes) for block in text.blocks())
    if bad or text.misfit:
        check.find(f"the second form of the text is not what the manifest says ({bad} blocks are bad)")


class _TextCheck:
    """The check of a text, block by block; each is hashed before anything is made of it."""

    def __init__(self, text: SealedText, task: SealedTask, keys: StreamKeys, check: SegmentCheck) -> None:
        self._text, self._manifest, self._task, self._check = text, text.manifest, task, check
        self._lines = lines(task.listed)
        self._prefix: Prefix | None = Prefix(self._lines)  # None behind a bad block
        self._key: bytes | None = None  # None where there is no secret, or no going on
        self._index = 0  # records before the block
        self._head: list[bytes] | None = []  # the first records, until there are enough
        self._time = b""  # of the last record
        self._tag = b""
        self._proven = 0  # records up to the last tag that was right
        self._bad: tuple[int, int, str] | None = None  # a run of bad blocks: first, last, why
        if keys.audited:
            try:
                self._key = keys.key(self._manifest.birth, task.number)
            except FormatError as error:
                check.find(str(error))

    def run(self) -> None:
        """Check all blocks."""
        if self._text.misfit:
            self._check.find(self._text.misfit)
        if self._prefix and self._lines and self._manifest.size >= _LARGE:
            with Beside(self._prefix) as beside:
                self._run(beside)
                beside.settle()
        else:
            self._run(self._prefix)
        self._tell_bad()
        self._finish()

    def _run(self, prefix: Prefix | Beside | None) -> None:
        text, manifest, check = self._text, self._manifest, self._check
        for place, block in enumerate(manifest.blocks):
            try:
                data = text.block(place)
            except FormatError as error:
                self._key = self._prefix = self._head = prefix = None
                if not text.is_unreadable:
                    self._add_bad(place, str(error))
            else:
                check.good, check.size = check.good + block.records, check.size + block.size
                if prefix:
                    prefix.feed(data)
                try:
                    self._look_into(place, block, data)
                except Damage as damage:
                    self._key = None
                    check.find(damage.text, record=manifest.first + damage.index, offset=damage.offset)
                except FormatError as error:
                    check.find(str(error), record=manifest.first + self._index, offset=block.offset)
            self._index += block.records

    def _look_into(self, place: int, block: Block, data: bytes) -> None:
        """See that a block whose hash is right holds what the manifest says; raises Damage, FormatError."""
        manifest, check = self._manifest, self._check
        is_last = place + 1 == len(manifest.blocks)
        until = manifest.last_time if is_last else manifest.blocks[place + 1].time
        check.time = block.time
        if data[:TIME_SIZE] != format_time(block.time) or not data.endswith(b"\n"):
            raise FormatError("a block that does not begin when the manifest says, or not with a record")
        if (records := data.count(b"\n")) != block.records:
            raise Damage(f"a block of {records} records, not {block.records}", self._index, block.offset)
        if self._head is not None:
            self._look_at_head(data)
        if is_last:
            last = data[data.rfind(b"\n", 0, len(data) - 1) + 1 : -1]
            if last[:TIME_SIZE] != format_time(until):
                raise FormatError("a text that does not end when the manifest says")
            check.ended, check.time = is_end(last), until
        if self._key is not None:
            self._chain(block, data)

    def _look_at_head(self, data: bytes) -> None:
        """Take the notes that the text begins with, however small its blocks are."""
        assert self._head is not None
        task = self._task
        self._head += data.split(b"\n", MOST_LEADING)[:-1]
        note = own_note(self._head[0], expected_note(task.store_id, task.vm, task.stream, task.number))
        if note.number("first") != self._manifest.first:
            raise FormatError("a segment whose note has not the number that the manifest has")
        self._check.head = leading_notes(self._head)
        if len(self._check.head) < len(self._head) or len(self._head) >= MOST_LEADING:
            self._head = None

    def _chain(self, block: Block, data: bytes) -> None:
        """Check a block's records one by one, and the tags that lists of heads have of them."""
        assert self._key is not None
        records = data[:-1].split(b"\n")
        ends = list(accumulate((len(record) + 1 for record in records), initial=block.offset))
        self._time = check_form(records, self._time, self._index, ends)
        self._key, tags = chain(self._key, records)
        self._tag = tags[-1]
        for line in self._lines:
            if self._index < line.records <= self._index + len(tags):
                if tags[line.records - self._index - 1] != line.tag:
                    raise Damage("the records were changed behind this one, or their tags were", self._proven, 0)
                self._proven = line.records

    def _finish(self) -> None:
        """See how the text ends."""
        check, manifest = self._check, self._manifest
        if self._key is not None:
            if self._tag == manifest.tag:
                self._proven = manifest.records
                check.key = self._key
            else:
                text = "the records were changed behind this one, before they were sealed"
                check.find(text, record=manifest.first + self._proven)
        check.chained = self._proven
        if self._prefix:
            bad = self._prefix.finish()
            if bad:
                check.contradict(bad)
            elif self._prefix.overrun:
                check.find("records were put behind its end")
            if self._prefix.good:
                check.listed = self._prefix.good.records

    def _add_bad(self, place: int, why: str) -> None:
        if self._bad and self._bad[1:] == (place - 1, why):
            self._bad = self._bad[0], place, why
        else:
            self._tell_bad()
            self._bad = place, place, why

    def _tell_bad(self) -> None:
        """Tell of a run of bad blocks."""
        if not self._bad:
            return
        begin, end, why = self._bad
        self._bad = None
        blocks, manifest = self._manifest.blocks, self._manifest
        first = manifest.first + sum(block.records for block in blocks[:begin])
        last = first + sum(block.records for block in blocks[begin : end + 1]) - 1
        until = blocks[end + 1].time if end + 1 < len(blocks) else manifest.last_time
        times = f"{format_time(blocks[begin].time).decode()} to {format_time(until).decode()}"
        self._check.find(
            f"records {first} to {last}, received {times}: {why}", record=first, offset=blocks[begin].offset
        )
