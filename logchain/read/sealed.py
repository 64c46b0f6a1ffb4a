"""Opens a sealed segment, however it is stored, and gives out nothing of it that its manifest does not vouch for.

Whatever is in the store may be hostile: sizes are looked at before contents, and no more is decompressed than a block
has. Whether the manifest itself is the one that was signed is for `logchain verify`.
"""

import lzma
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import lz4.frame

from logchain.format.errors import FormatError, OddFile
from logchain.format.frames import Frame, lz4_frames, xz_streams
from logchain.format.limits import MAX_MANIFEST, TIME_SIZE
from logchain.format.manifest import Block, Manifest, unverified_manifest
from logchain.format.record import Note, format_time, parse_record, parse_time
from logchain.read.live import line_goes_on, segment_note
from logchain.store.layout import TIERS, Directory, manifest_name, sealed_name

__all__ = [
    "BadBlock",
    "Outline",
    "SealedText",
    "digested_manifest",
    "offset_at",
    "open_sealed",
    "open_tier",
    "peek",
    "read_manifest",
    "require_accepted",
]

_SLACK = 1_024  # what a frame or a stream of text that cannot be compressed has beyond it
_XZ_MEMORY = 8 << 20  # of a decoder, its dictionary of at most 1 MiB included
_PEEK = 1_024  # bytes of a manifest in which all is that stands before its blocks
_parse = lru_cache(maxsize=256)(unverified_manifest)  # who reads window after window of time meets the same ones
_OUTLINE = re.compile(
    rb"\Alogchain manifest v1\nstore [0-9a-f]{32}\nstream ([0-9a-f]{64}) ([0-9]{1,6})\nbirth [0-9]{1,8}\n"
    rb"records ([0-9]{1,10}) ([0-9]{1,19})\ntime ([^ \n]{27}) ([^ \n]{27})\nage [0-9]{1,19}\nbytes ([0-9]{1,9})\n"
)


class Outline(NamedTuple):
    """What the head of a manifest says; nothing of it is proven."""

    stream_id: bytes
    segment: int
    records: int
    first: int  # number of its first record in the stream
    first_time: int
    last_time: int
    size: int  # bytes of its text


class BadBlock(NamedTuple):
    """A block whose text is not what the manifest says, and why."""

    place: int  # counted from 0
    block: Block
    first: int  # number of its first record in the stream
    reason: str

    def __str__(self) -> str:
        """Return it in words."""
        last = self.first + self.block.records - 1
        return f"records {self.first} to {last}: {self.reason}"


class SealedText:
    """The text of a sealed segment, open for reading; `misfit` says why the file cannot be what its manifest says."""

    def __init__(self, fd: int, manifest: Manifest, tier: str) -> None:
        self.manifest, self.tier = manifest, tier
        self.number, self.records = manifest.segment, manifest.records
        self.size = manifest.size
        self.misfit = ""
        self.digest = b""  # of the manifest's file, where it was read from one
        self._fd = fd
        self._frames: list[Frame] = []
        self._offsets = [block.offset for block in manifest.blocks]
        self._last = -1, b""  # the block that was given out last: who seeks in it reads it next
        try:
            self._measure()
        except (FormatError, OSError) as error:
            self.misfit = str(error)

    def _measure(self) -> None:
        """Look at sizes; FormatError where they are not those of the manifest."""
        size, blocks = os.fstat(self._fd).st_size, self.manifest.blocks
        if not self.tier:
            if size != self.manifest.size:
                raise FormatError(f"the text has {size:,} bytes, not {self.manifest.size:,}")
            return
        walk = lz4_frames if self.tier == ".lz4" else xz_streams
        frames = walk(self._read, size, len(blocks))
        if [frame.content for frame in frames] != [block.size for block in blocks]:
            raise FormatError("the compressed text has not the blocks of its manifest")
        if any(frame.size > frame.content + _SLACK for frame in frames):
            raise FormatError("a block takes more room compressed than any that logchain writes")
        self._frames = frames

    @property
    def is_unreadable(self) -> bool:
        """Whether no block can be found: a compressed file that is not what logchain writes."""
        return bool(self.tier) and not self._frames

    def block(self, index: int) -> bytes:
        """Return the text of a block, checked; FormatError where it is not what the manifest says."""
        if index == self._last[0]:
            return self._last[1]
        block = self.manifest.blocks[index]
        try:
            text = self._take(index, block)
        except OSError as error:  # a disk that fails
            raise FormatError(f"it cannot be read: {error.strerror}") from error
        if len(text) != block.size or sha256(text).digest() != block.digest:
            raise FormatError("the text was changed, or is not all there")
        self._last = index, text
        return text

    def _take(self, index: int, block: Block) -> bytes:
        if not self.tier:
            return self._read(block.offset, block.size)
        if self.is_unreadable:
            raise FormatError(self.misfit)
        frame = self._frames[index]
        return _decompress(self.tier, self._read(frame.offset, frame.size), block.size)

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def blocks(self, start: int = 0) -> Iterator[bytes | BadBlock]:
        """Yield the text from a record's start on, block by block; in the place of one that is bad, what it was."""
        blocks = self.manifest.blocks
        begin = bisect_right(self._offsets, start) - 1 if start < self.manifest.size else len(blocks)
        first = self.manifest.first + sum(block.records for block in blocks[:begin])
        for index, block in enumerate(blocks[begin:], begin):
            try:
                yield self.block(index)[max(0, start - block.offset) :]
            except FormatError as error:
                yield BadBlock(index, block, first, str(error))
            first += block.records

    def first_note(self) -> Note:
        """Return the `segment` note; FormatError where the text does not begin with one."""
        return segment_note(self.block(0).partition(b"\n")[0])

    def first_number(self) -> int:
        """Return the number of its first record in the stream."""
        return self.manifest.first

    def first_time(self) -> int:
        """Return when its first record was received."""
        return self.manifest.first_time

    def last_time(self) -> int:
        """Return when its last record was received."""
        return self.manifest.last_time

    def seek(self, since: int) -> tuple[int, int, bool]:
        """Return place, counted from 0, and offset of the first record that was received at `since` or later.

        And whether it goes on with a line that began before it. FormatError.
        """
        blocks = self.manifest.blocks
        index = max(0, bisect_left(blocks, since, key=lambda block: block.time) - 1)
        place, offset = sum(block.records for block in blocks[:index]), blocks[index].offset
        try:
            text = self.block(index)
        except FormatError:
            return place, offset, False
        skipped = offset_at(text, format_time(since), bisect_left)
        return place + text.count(b"\n", 0, skipped), offset + skipped, self._is_in_line(index, text[:skipped])

    def _is_in_line(self, index: int, text: bytes) -> bool:
        """Tell whether a line goes on behind a text, the beginning of a block, and the blocks before."""
        while True:
            end = len(text)
            while end:
                begin = text.rfind(b"\n", 0, end - 1) + 1
                goes_on = line_goes_on(parse_record(text[begin : end - 1]))
                if goes_on is not None:
                    return goes_on
                end = begin
            if not index:
                return False
            index -= 1
            try:
                text = self.block(index)
            except FormatError:
                return False


def offset_at(text: bytes, time: bytes, bisect: Callable[..., int]) -> int:
    """Return where, in a text of records, those of a time begin (bisect_left), or end (bisect_right)."""
    # asked of any byte, the time of the record that it is of: so the first byte of a later one is the first of all
    return bisect(
        range(len(text)), time, key=lambda at: text[(begin := text.rfind(b"\n", 0, at) + 1) : begin + TIME_SIZE]
    )


def _decompress(tier: str, data: bytes, size: int) -> bytes:
    """Return the text of one frame or stream, at most `size` bytes of it; FormatError where it is not whole."""
    decoder: lz4.frame.LZ4FrameDecompressor | lzma.LZMADecompressor
    decoder = lz4.frame.LZ4FrameDecompressor() if tier == ".lz4" else lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
    try:
        text: bytes = decoder.decompress(data, max_length=size)
    except (RuntimeError, lzma.LZMAError, EOFError) as error:
        raise FormatError("it cannot be decompressed") from error
    if not decoder.eof or decoder.unused_data:
        raise FormatError("it holds more or less than its header says")
    return text


@contextmanager
def open_tier(sealed: Directory, manifest: Manifest, tier: str) -> Iterator[SealedText]:
    """Open a segment's text as one of TIERS; FileNotFoundError where it is not there, OddFile."""
    fd = sealed.file(sealed_name(manifest.segment, tier))
    try:
        yield SealedText(fd, manifest, tier)
    finally:
        os.close(fd)


@contextmanager
def open_sealed(sealed: Directory, manifest: Manifest) -> Iterator[SealedText]:
    """Open a segment's text in whatever tier it is: the first, in their order, that has the sizes of the manifest.

    Where none has, the first that is there. Raises FileNotFoundError where none is, OddFile.
    """
    with ExitStack() as stack:
        found: SealedText | None = None
        error: Exception = FileNotFoundError()
        for tier in TIERS * 2:  # a text moves on to the next tier, perhaps while we look
            try:
                text = stack.enter_context(open_tier(sealed, manifest, tier))
            except FileNotFoundError:
                continue
            except OddFile as odd:
                error = odd
                continue
            found = found if found and text.misfit else text
            if not text.misfit:
                break
        if not found:
            raise error
        yield found


def read_manifest(sealed: Directory, number: int) -> Manifest:
    """Return what a manifest says, whoever signed it; FileNotFoundError, FormatError."""
    return digested_manifest(sealed, number)[0]


def digested_manifest(sealed: Directory, number: int) -> tuple[Manifest, bytes]:
    """Return what a manifest says, and the SHA-256 by which the ledger names it; FileNotFoundError, FormatError."""
    data = sealed.read(manifest_name(number), MAX_MANIFEST)
    manifest = _parse(data)
    if manifest.segment != number:
        raise FormatError("a manifest of another segment")
    return manifest, sha256(data).digest()


def require_accepted(digest: bytes, accepted: bytes | None) -> None:
    """Raise FormatError where a manifest's SHA-256 is another than the one that was accepted, if any was."""
    if accepted and digest != accepted:
        raise FormatError("its manifest is not the one that your last 'logchain verify' accepted")


def peek(sealed: Directory, number: int, accepted: bytes | None = None) -> Outline:
    """Return what the head of a manifest says; FileNotFoundError, FormatError.

    It is read as a whole only where it was `accepted`, to see that it is the one of that SHA-256.
    """
    if accepted:
        head = sealed.read(manifest_name(number), MAX_MANIFEST)
        require_accepted(sha256(head).digest(), accepted)
    else:
        fd = sealed.file(manifest_name(number))
        try:
            head = os.pread(fd, _PEEK, 0)
        finally:
            os.close(fd)
    match = _OUTLINE.match(head)
    if not match:
        raise FormatError("not a manifest")
    stream_id, segment, records, first, first_time, last_time, size = match.groups()
    return Outline(
        bytes.fromhex(stream_id.decode()),
        int(segment),
        int(records),
        int(first),
        parse_time(first_time),
        parse_time(last_time),
        int(size),
    )
