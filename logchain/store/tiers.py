"""How sealed text is stored: as it is, one LZ4 frame a block, or one xz stream a block (docs/spec/sealed.md)."""

import lzma
import os
from collections.abc import Iterator
from hashlib import sha256

import lz4.frame

from logchain.format.errors import FormatError
from logchain.format.frames import Frame, lz4_frames, xz_streams
from logchain.format.manifest import Manifest
from logchain.store.durable import reading

__all__ = ["compress", "read_blocks"]

_DICTIONARY = 256 << 10  # a block's size: more would be memory for nothing


def compress(text: bytes, tier: str, level: int) -> bytes:
    """Return a block's text as a tier stores it; levels are those of the tools: 0 to 12 for LZ4, 0 to 9 for xz."""
    if tier == ".lz4":
        frame: bytes = lz4.frame.compress(
            text,
            compression_level=level,
            block_size=lz4.frame.BLOCKSIZE_MAX256KB,
            block_linked=False,
            content_checksum=True,
        )
        return frame
    filters = [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": _DICTIONARY}]
    return lzma.compress(text, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)


def _decompress(data: bytes, tier: str, size: int) -> bytes:
    """Return the text, of exactly `size` bytes or not the right one; FormatError where it is no such frame."""
    try:
        if tier == ".lz4":
            text: bytes = lz4.frame.decompress(data)
            return text
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data, size + 1)
    except (RuntimeError, lzma.LZMAError, EOFError) as error:
        raise FormatError(f"a block that cannot be decompressed: {error}") from error


def read_blocks(fd: int, tier: str, manifest: Manifest) -> Iterator[bytes]:
    """Yield the text of each block of a file, as the manifest says it is; FormatError where it is not."""
    size = os.fstat(fd).st_size
    with reading("sealed text"):
        frames = _frames(fd, tier, manifest, size)
    if [frame.content for frame in frames] != [block.size for block in manifest.blocks]:
        raise FormatError("not the blocks of the manifest")
    if size != sum(frame.size for frame in frames):
        raise FormatError("a text longer or shorter than the manifest says")
    for block, frame in zip(manifest.blocks, frames, strict=True):
        with reading("sealed text"):
            data = os.pread(fd, frame.size, frame.offset)
        text = _decompress(data, tier, block.size) if tier else data
        if sha256(text).digest() != block.digest:
            raise FormatError(f"the block at {block.offset:,} is not what the manifest says")
        yield text


def _frames(fd: int, tier: str, manifest: Manifest, size: int) -> list[Frame]:
    def read(offset: int, length: int) -> bytes:
        return os.pread(fd, length, offset)

    if tier == ".lz4":
        return lz4_frames(read, size, len(manifest.blocks))
    if tier == ".xz":
        return xz_streams(read, size, len(manifest.blocks))
    return [Frame(block.offset, block.size, block.size) for block in manifest.blocks]
