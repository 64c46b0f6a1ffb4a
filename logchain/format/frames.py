"""Where the blocks of a compressed segment are: walks LZ4 frames and xz streams by their headers (docs/spec/sealed.md).

Nothing is decompressed. What we do not write is refused, so that a hostile file cannot ask for much memory or time.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_BLOCK

__all__ = ["Frame", "lz4_frames", "xz_streams"]

_LZ4_MAGIC, _LZ4_FLAGS = 0x184D2204, 0x6C  # version 1, blocks independent, content size, content checksum, no more
_LZ4_HEAD = Struct("<IBBQB")  # magic, flags, block size, content size, checksum of these
_LZ4_BLOCKS = {0x40: 64 << 10, 0x50: 256 << 10, 0x60: 1 << 20}
_LZ4_PLAIN = 1 << 31  # the bit of a block that is stored as it is

_XZ_FLAGS = b"\x00\x04"  # CRC64
_XZ_HEAD = b"\xfd7zXZ\x00" + _XZ_FLAGS + crc32(_XZ_FLAGS).to_bytes(4, "little")
_XZ_FOOT = Struct("<II2s2s")  # CRC32 of the next two, size of the index / 4 - 1, flags, magic
_XZ_FILTERS = b"\x02\x00\x21\x01"  # a header of 12 bytes, one filter, LZMA2, one byte of properties: the dictionary
_XZ_MOST_DICTIONARY = 16  # 1 MiB
_XZ_MOST_INDEX = 24  # for one block: two numbers of at most nine bytes


class Frame(NamedTuple):
    """One block as it is stored: where it begins, how long it is, and how many bytes of text it says to hold."""

    offset: int
    size: int
    content: int


class _File:
    """A file of known size, read in small pieces, none of them beyond its end."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self.size = size

    def take(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > self.size:
            raise FormatError("a compressed file that is cut off")
        data = self._read(offset, size)
        if len(data) != size:
            raise FormatError("a compressed file that became shorter")
        return data

    def number(self, offset: int) -> int:
        return int.from_bytes(self.take(offset, 4), "little")


def lz4_frames(read: Callable[[int, int], bytes], size: int, limit: int) -> list[Frame]:
    """Return the frames of an `.lz4` file of this size, at most `limit`; `read(offset, size)` returns so many bytes.

    Raises FormatError where the file is anything but frames as we write them, from its first byte to its last.
    """
    file = _File(read, size)
    frames: list[Frame] = []
    offset = 0
    while offset < size:
        if len(frames) == limit:
            raise FormatError("more frames than blocks")
        frames.append(_lz4_frame(file, offset))
        offset += frames[-1].size
    return frames


def _lz4_frame(file: _File, offset: int) -> Frame:
    magic, flags, code, content, _ = _LZ4_HEAD.unpack(file.take(offset, _LZ4_HEAD.size))
    most = _LZ4_BLOCKS.get(code)
    if (magic, flags) != (_LZ4_MAGIC, _LZ4_FLAGS) or not most or not 1 <= content <= MAX_BLOCK:
        raise FormatError("not an LZ4 frame, or not one that logchain wrote")
    at = offset + _LZ4_HEAD.size
    for _ in range(-(-content // most)):  # each holds `most` bytes, the last what is left
        size = file.number(at) & ~_LZ4_PLAIN
        if not 1 <= size <= most:
            raise FormatError("an LZ4 frame with a block too short or too long")
        at += 4 + size
    if file.number(at):
        raise FormatError("an LZ4 frame with too many blocks")
    end = at + 8  # the end mark, the content's checksum
    file.take(end - 4, 4)
    return Frame(offset, end - offset, content)


def xz_streams(read: Callable[[int, int], bytes], size: int, limit: int) -> list[Frame]:
    """Return the streams of an `.xz` file of this size, at most `limit`; `read(offset, size)` returns so many bytes.

    Raises FormatError where the file is anything but streams as we write them, from its first byte to its last.
    """
    file = _File(read, size)
    streams: list[Frame] = []
    end = size
    while end:
        if len(streams) == limit:
            raise FormatError("more streams than blocks")
        streams.append(_xz_stream(file, end))
        end = streams[-1].offset
    return streams[::-1]


def _xz_stream(file: _File, end: int) -> Frame:
    foot = file.take(end - _XZ_FOOT.size, _XZ_FOOT.size)
    checksum, backward, flags, magic = _XZ_FOOT.unpack(foot)
    index_size = (backward + 1) * 4
    if (flags, magic, checksum) != (_XZ_FLAGS, b"YZ", crc32(foot[4:10])) or index_size > _XZ_MOST_INDEX:
        raise FormatError("not an xz stream, or not one that logchain wrote")
    index_at = end - _XZ_FOOT.size - index_size
    unpadded, content = _xz_index(file.take(index_at, index_size))
    at = index_at - (unpadded + 3) // 4 * 4  # blocks are padded to four bytes
    if file.take(at - len(_XZ_HEAD), len(_XZ_HEAD)) != _XZ_HEAD:
        raise FormatError("an xz stream without its header")
    block = file.take(at, 12)
    dictionary = block[4]
    expected = _XZ_FILTERS + bytes([dictionary, 0, 0, 0])
    if block != expected + crc32(expected).to_bytes(4, "little") or dictionary > _XZ_MOST_DICTIONARY:
        raise FormatError("an xz stream with filters, or a dictionary, that logchain does not write")
    offset = at - len(_XZ_HEAD)
    return Frame(offset, end - offset, content)


def _xz_index(data: bytes) -> tuple[int, int]:
    """Return stored size, before padding, and content of the one block that an index has to tell of."""
    unpadded, at = _xz_number(data, 2)
    content, at = _xz_number(data, at)
    index = data[:at].ljust(-(-at // 4) * 4, b"\0")
    if data[:2] != b"\x00\x01" or data != index + crc32(index).to_bytes(4, "little"):
        raise FormatError("an xz stream of none or more than one block, or with a bad index")
    # a header of 12 bytes, five of LZMA2 for the shortest text, a checksum of 8
    if unpadded < 25 or not 1 <= content <= MAX_BLOCK:
        raise FormatError("an xz stream too short or too long")
    return unpadded, content


def _xz_number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and where it ends."""
    value = 0
    for place in range(at, min(at + 9, len(data))):
        value |= (data[place] & 0x7F) << 7 * (place - at)
        if data[place] < 0x80:
            if place > at and not data[place]:
                break  # not the shortest form
            return value, place + 1
    raise FormatError("an xz stream with a bad number")
