"""LZ4 frames and xz streams, written by hand, so that a vector does not change with a library's version.

From the LZ4 Frame Format 1.6, the LZ4 Block Format, the .xz File Format 1.1 and what xz-utils calls LZMA2; only what
docs/spec/sealed.md allows, and what one has to get wrong for a bad vector.
"""

import zlib
from functools import cache

LZ4_MAGIC = bytes.fromhex("04224d18")
XZ_HEADER = bytes.fromhex("fd377a585a000004e6d6b446")
MASK = 0xFFFFFFFF
PRIMES = (2654435761, 2246822519, 3266489917, 668265263, 374761393)


def u32(value: int) -> bytes:
    """Four bytes, little endian."""
    return value.to_bytes(4, "little")


def rotate(value: int, bits: int) -> int:
    """Rotate 32 bits to the left."""
    value &= MASK
    return (value << bits | value >> (32 - bits)) & MASK


@cache
def xxh32(data: bytes) -> int:
    """XXH32 with seed 0."""
    p1, p2, p3, p4, p5 = PRIMES
    at, total = 0, p5
    if len(data) >= 16:
        lanes = [(p1 + p2) & MASK, p2, 0, -p1 & MASK]
        while at + 16 <= len(data):
            words = (int.from_bytes(data[at + 4 * lane : at + 4 * lane + 4], "little") for lane in range(4))
            lanes = [rotate(lane + word * p2, 13) * p1 & MASK for lane, word in zip(lanes, words, strict=True)]
            at += 16
        total = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True))
    total = (total + len(data)) & MASK
    while at + 4 <= len(data):
        total = rotate(total + int.from_bytes(data[at : at + 4], "little") * p3, 17) * p4 & MASK
        at += 4
    for byte in data[at:]:
        total = rotate(total + byte * p5, 11) * p1 & MASK
    total = (total ^ total >> 15) * p2 & MASK
    total = (total ^ total >> 13) * p3 & MASK
    return total ^ total >> 16


@cache
def crc64(data: bytes) -> int:
    """CRC64 of ECMA-182, as xz has it."""
    crc = MASK << 32 | MASK
    for byte in data:
        crc = _crc64_table()[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ (MASK << 32 | MASK)


@cache
def _crc64_table() -> list[int]:
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0xC96C5795D7870F42 if entry & 1 else 0)
        table.append(entry)
    return table


def lz4_length(length: int) -> bytes:
    """Write what a length has beyond 15."""
    return b"\xff" * (length // 255) + bytes([length % 255])


def lz4_run(size: int) -> bytes:
    """Compress so many times `a`: one of them, the same again at offset 1, and the last five as they are."""
    match = size - 1 - 5 - 4
    return bytes([0x1F, 0x61, 1, 0]) + lz4_length(match - 15) + b"\x50" + b"a" * 5


def lz4_decode(data: bytes, limit: int) -> bytes | None:
    """Decompress a block of at most so many bytes; nothing where it is none."""
    out, at = bytearray(), 0
    try:
        while True:
            token, at = data[at], at + 1
            length = token >> 4
            while length >= 15 and data[at] == 255:
                length, at = length + 255, at + 1
            if length >= 15:
                length, at = length + data[at], at + 1
            if at + length > len(data) or len(out) + length > limit:
                return None
            out += data[at : at + length]
            at += length
            if at == len(data):
                return bytes(out)
            offset, at = data[at] | data[at + 1] << 8, at + 2
            length = token & 15
            while length >= 15 and data[at] == 255:
                length, at = length + 255, at + 1
            if length >= 15:
                length, at = length + data[at], at + 1
            length += 4
            if not 0 < offset <= len(out) or len(out) + length > limit:
                return None
            out += (bytes(out[-offset:]) * (length // offset + 1))[:length]
    except IndexError:
        return None


def lz4_blocks(text: bytes, size: int, *, run: bool = False) -> list[bytes]:
    """Cut a text into blocks of a frame, as they are or, where it is `a` alone, compressed."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    if run:
        return [u32(len(lz4_run(len(piece)))) + lz4_run(len(piece)) for piece in pieces]
    return [u32(len(piece) | 1 << 31) + piece for piece in pieces]


def lz4_frame(
    text: bytes,
    *,
    flags: int = 0x6C,
    descriptor: int = 0x40,
    size: int | None = None,
    blocks: list[bytes] | None = None,
    end: bytes = bytes(4),
) -> bytes:
    """Write a frame; whatever is given takes the place of what were right."""
    front = bytes([flags, descriptor]) + (len(text) if size is None else size).to_bytes(8, "little")
    check = bytes([xxh32(front) >> 8 & 0xFF])
    body = b"".join(lz4_blocks(text, 1 << 16) if blocks is None else blocks)
    return LZ4_MAGIC + front + check + body + end + u32(xxh32(text))


def lzma2(text: bytes) -> bytes:
    """Write chunks that are not compressed, of at most 64 KiB; the first resets the dictionary."""
    chunks = b""
    for at in range(0, len(text), 1 << 16):
        piece = text[at : at + (1 << 16)]
        chunks += bytes([2 if at else 1]) + (len(piece) - 1).to_bytes(2, "big") + piece
    return chunks + b"\0"


def vli(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def padded(data: bytes) -> bytes:
    """Fill up with zeros to a multiple of four."""
    return data + bytes(-len(data) % 4)


def summed(data: bytes) -> bytes:
    """Put the CRC32 behind."""
    return data + u32(zlib.crc32(data))


def xz_footer(index: bytes, flags: bytes = b"\0\4", *, backward: int | None = None) -> bytes:
    """Write a footer."""
    middle = u32(len(index) // 4 - 1 if backward is None else backward) + flags
    return u32(zlib.crc32(middle)) + middle + b"YZ"


def xz_index(stored: int, size: int, *, head: bytes = b"\0\1") -> bytes:
    """Write an index of one record."""
    return summed(padded(head + vli(stored) + vli(size)))


def xz_block_header(dictionary: int = 0x0C) -> bytes:
    """Write a block's header of 12 bytes."""
    return summed(bytes([2, 0, 0x21, 1, dictionary, 0, 0, 0]))


def xz_stream(
    text: bytes,
    *,
    header: bytes = XZ_HEADER,
    block_header: bytes | None = None,
    data: bytes | None = None,
    padding: bytes | None = None,
    check: bytes | None = None,
    index: bytes | None = None,
    footer: bytes | None = None,
) -> bytes:
    """Write a stream; whatever is given takes the place of what were right."""
    block_header = xz_block_header() if block_header is None else block_header
    data = lzma2(text) if data is None else data
    padding = bytes(-len(data) % 4) if padding is None else padding
    check = crc64(text).to_bytes(8, "little") if check is None else check
    stored = len(block_header) + len(data) + len(check)
    index = xz_index(stored, len(text)) if index is None else index
    return header + block_header + data + padding + check + index + (xz_footer(index) if footer is None else footer)
