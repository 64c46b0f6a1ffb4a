"""docs/spec/sealed.md as code: the frames of a file, found without decompressing, and what one of them holds."""

import hashlib
import lzma
import zlib

from tests.vectors.compressed import (
    LZ4_MAGIC,
    XZ_HEADER,
    crc64,
    lz4_blocks,
    lz4_decode,
    lz4_frame,
    lz4_run,
    lzma2,
    padded,
    summed,
    u32,
    vli,
    xxh32,
    xz_block_header,
    xz_footer,
    xz_index,
    xz_stream,
)
from tests.vectors.reading_common import RefusedError, Vector, given, need, raw

SPEC = "docs/spec/sealed.md"
KIB, MIB = 1 << 10, 1 << 20
BLOCK_SIZES = {0x40: 64 * KIB, 0x50: 256 * KIB, 0x60: MIB}

Place = tuple[int, int]  # offset in the file, bytes


def lz4_parts(file: bytes, at: int) -> tuple[int, list[tuple[bytes, bool]], int, int]:
    """Items 5 to 8: the content's size, what is stored and whether it is compressed, BD's size, the frame's end."""
    need(len(file) >= at + 15, "cut-off")
    need(file[at : at + 4] == LZ4_MAGIC, "magic")
    need(file[at + 4] == 0x6C, "flags")
    need(file[at + 5] in BLOCK_SIZES, "descriptor")
    size, most = int.from_bytes(file[at + 6 : at + 14], "little"), BLOCK_SIZES[file[at + 5]]
    need(1 <= size <= MIB, "content-size")
    at += 15
    blocks = []
    for _ in range(-(-size // most)):
        need(len(file) >= at + 4, "cut-off")
        word = int.from_bytes(file[at : at + 4], "little")
        stored = word & 0x7FFFFFFF
        need(word, "blocks-too-few")
        need(1 <= stored <= most, "block-size")
        need(len(file) >= at + 4 + stored, "cut-off")
        blocks.append((file[at + 4 : at + 4 + stored], word == stored))
        at += 4 + stored
    need(len(file) >= at + 8, "cut-off")
    need(file[at : at + 4] == bytes(4), "end-mark")
    return size, blocks, most, at + 8


def walk_lz4(file: bytes, sizes: list[int]) -> list[Place]:
    """Item 2, for LZ4."""
    at, places = 0, []
    for size in sizes:
        need(at < len(file), "frame-missing")
        its_size, _, _, end = lz4_parts(file, at)
        need(its_size == size, "size-of-another")
        places.append((at, end - at))
        at = end
    need(at == len(file), "bytes-behind")
    return places


def open_lz4(frame: bytes, size: int) -> bytes:
    """Item 9: what a frame holds, its two checksums checked."""
    walk_lz4(frame, [size])
    _, blocks, most, _ = lz4_parts(frame, 0)
    need(frame[14] == xxh32(frame[4:14]) >> 8 & 0xFF, "header-checksum")
    text = b""
    for stored, compressed in blocks:
        piece = lz4_decode(stored, most) if compressed else stored
        if piece is None:
            raise RefusedError("block-not-lz4")
        text += piece
    need(len(text) == size, "not-so-many-bytes")
    need(frame[-4:] == u32(xxh32(text)), "content-checksum")
    return text


def take_vli(index: bytes, at: int) -> tuple[int, int]:
    """Item 12: a number, and where it ends."""
    value = 0
    for count in range(9):
        need(at + count < len(index), "index-cut-off")
        byte = index[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            need(byte or not count, "index-number-form")
            return value, at + count + 1
    raise RefusedError("index-number-form")


def xz_parts(file: bytes, end: int) -> tuple[int, int, bytes, int]:
    """Items 10 to 13, from the end: bytes of text, where the stream begins, what its block stores, its stored size."""
    need(end >= 12, "cut-off")
    footer = file[end - 12 : end]
    need(footer[10:] == b"YZ", "footer-magic")
    need(footer[8:10] == b"\0\4", "footer-flags")
    need(footer[:4] == u32(zlib.crc32(footer[4:10])), "footer-crc")
    length = 4 * (int.from_bytes(footer[4:8], "little") + 1)
    need(8 <= length <= 24, "index-size")
    need(end >= 12 + length, "cut-off")
    index = file[end - 12 - length : end - 12]
    need(index[-4:] == u32(zlib.crc32(index[:-4])), "index-crc")
    need(index[0] == 0, "index-indicator")
    need(index[1] == 1, "index-records")
    stored, at = take_vli(index[:-4], 2)
    size, at = take_vli(index[:-4], at)
    need(index[at:-4] == bytes(-at % 4), "index-padding")
    need(stored >= 25, "stored-size")
    need(1 <= size <= MIB, "text-size")
    block = end - 12 - length - (stored + 3) // 4 * 4
    need(block >= 12, "cut-off")
    need(file[block - 12 : block] == XZ_HEADER, "header")
    need(file[block : block + 4] == bytes([2, 0, 0x21, 1]), "block-header")
    need(file[block + 4] <= 0x10, "dictionary")
    need(file[block + 5 : block + 8] == bytes(3), "block-header")
    need(file[block + 8 : block + 12] == u32(zlib.crc32(file[block : block + 8])), "block-header-crc")
    return size, block - 12, file[block + 12 : end - 12 - length], stored


def walk_xz(file: bytes, sizes: list[int]) -> list[Place]:
    """Item 2 and 13, for xz."""
    end, places = len(file), []
    for size in reversed(sizes):
        need(end > 0, "stream-missing")
        its_size, start, _, _ = xz_parts(file, end)
        need(its_size == size, "size-of-another")
        places.append((start, end - start))
        end = start
    need(end == 0, "bytes-in-front")
    return places[::-1]


def open_xz(stream: bytes, size: int) -> bytes:
    """Item 4: what a stream holds, its checksum checked."""
    walk_xz(stream, [size])
    _, _, inside, stored = xz_parts(stream, len(stream))
    data, padding, check = inside[: stored - 20], inside[stored - 20 : -8], inside[-8:]
    need(not any(padding), "padding")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": MIB}])
    try:
        text = decoder.decompress(data, size + 1)
    except lzma.LZMAError as error:
        raise RefusedError("block-not-lzma2") from error
    need(len(text) == size, "not-so-many-bytes")
    need(decoder.eof and not decoder.unused_data, "block-not-lzma2")
    need(check == crc64(text).to_bytes(8, "little"), "check")
    return text


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "plain":
            file, sizes = raw(vector, "file"), vector["sizes"]
            need(len(file) == sum(sizes), "size-of-another")
            return {"places": [[sum(sizes[:at]), size] for at, size in enumerate(sizes)]}
        case "lz4":
            return {"places": [list(place) for place in walk_lz4(raw(vector, "file"), vector["sizes"])]}
        case "xz":
            return {"places": [list(place) for place in walk_xz(raw(vector, "file"), vector["sizes"])]}
        case "lz4-block" | "xz-block":
            opened = open_lz4 if vector["what"] == "lz4-block" else open_xz
            text = opened(raw(vector, "file"), vector["size"])
            need(hashlib.sha256(text).hexdigest() == vector["sha256_hex"], "digest")
            return given("text", text)
        case what:
            raise ValueError(what)


LAST = b"2026-11-23T03:59:59.999120Z # end reason=idle records=3\n"  # the second block of manifest.md's example
SHORT = b"2026-11-23T03:59:59.999120Z - x\n"
LINES = b"".join(
    b"2026-11-23T03:45:%02d.123456Z - <13>1 2026-11-23T03:45:%02dZ web sshd 411 - - Accepted publickey for amy\n"
    % (i, i)
    for i in range(8)
)
LINES_LZMA2 = bytes.fromhex(  # as liblzma 5.4 has it
    "e00327007c5d00190c0292b2a966148567a024e1c89a04dec6d74d123ed2ce2f3a77eb84fe060eb855fc7a3ba457a3d9ddd5a56740e5063c"
    "c51df619e95ad3e3540c59079816a58d66aff6d08f9a48b32eec4babda79afe1d0642515fffabfa0b51b1b4913b71d53f62c622d5c3dc365"
    "3a3ee8c165f37bee720a7cebb69cefe8a0e30000"
)
RUN_LZMA2 = bytes.fromhex(  # of 1 MiB of `a`
    "efffff00d95d0030effbbffea3b15ee5f83fb2aa2655f868704170150f8dfd1e4c1b8a42b719f4691871ae66238a8a4d2fa30dd97fa6e38c"
    "231153e05918c5758ae277f8b6947f0c6ac0de744964e2e95c53b204d8f7440cab5f0d6d46e9e5c37688b79657acb64de1691d6ffb4b8810"
    "6c42cb883f5c008fd04eaf262894711f3d8f24e1709ea7235fec28cb85d195988a7e2a91f22775f719c006984d98fdd8afd5900fc42553f8"
    "f591363105a5b0ee6fc1704d470cd19111aaad601dbaceb127185c5986e9665258bee976ac59e4e55b0508f9c7daadfcfb522af7e4952500"
    "00"
)


def lines_lz4() -> bytes:
    """Compress LINES: each literal where a line differs from the one before, at offset one line."""
    width = len(LINES) // 8
    out, at, literal = b"", width, LINES[:width]
    while at < len(LINES):
        same = 0
        while at + same < len(LINES) - 5 and LINES[at + same] == LINES[at + same - width]:
            same += 1
        if same < 4 or at + 12 > len(LINES):
            literal, at = literal + LINES[at : at + 1], at + 1
            continue
        out += lz4_sequence(literal, width, same)
        literal, at = b"", at + same
    return out + lz4_sequence(literal)


def lz4_sequence(literal: bytes, offset: int = 0, match: int = 4) -> bytes:
    """Write a sequence of the LZ4 block format; the last has no offset."""
    high, low = min(len(literal), 15), min(match - 4, 15)
    more = bytes(0) if high < 15 else b"\xff" * ((len(literal) - 15) // 255) + bytes([(len(literal) - 15) % 255])
    out = bytes([high << 4 | (low if offset else 0)]) + more + literal
    if offset:
        out += offset.to_bytes(2, "little")
        out += bytes(0) if low < 15 else b"\xff" * ((match - 19) // 255) + bytes([(match - 19) % 255])
    return out


def run_frame(size: int, descriptor: int) -> bytes:
    """Write a frame of so many times `a`, compressed."""
    text = b"a" * size
    return lz4_frame(text, descriptor=descriptor, blocks=lz4_blocks(text, BLOCK_SIZES[descriptor], run=True))


def stored_frame(text: bytes, descriptor: int) -> bytes:
    """Write a frame of blocks that are not compressed."""
    return lz4_frame(text, descriptor=descriptor, blocks=lz4_blocks(text, BLOCK_SIZES[descriptor]))


def compressed_block(data: bytes) -> list[bytes]:
    """Give the one block of a frame."""
    return [u32(len(data)) + data]


def good() -> list[Vector]:
    """The page's examples, and every limit."""
    vectors: list[Vector] = []

    def add(what: str, name: str, file: bytes, **fields: object) -> None:
        vector = {"what": what, "name": name} | given("file", file) | fields
        vectors.append(vector | read(vector))

    def walk(what: str, name: str, file: bytes, *sizes: int) -> None:
        add(what, name, file, sizes=list(sizes))

    def block(what: str, name: str, file: bytes, text: bytes) -> None:
        add(what, name, file, size=len(text), sha256_hex=hashlib.sha256(text).hexdigest())

    walk("plain", "one block", LAST, 56)
    walk("plain", "three blocks", LAST + LINES + b"a" * MIB, 56, len(LINES), MIB)

    walk("lz4", "example of the page", lz4_frame(LAST), 56)
    walk("lz4", "three frames", lz4_frame(LAST) + lz4_frame(LINES) + lz4_frame(LAST), 56, len(LINES), 56)
    walk("lz4", "a byte", lz4_frame(b"a"), 1)
    for descriptor, most in BLOCK_SIZES.items():
        walk("lz4", f"BD {descriptor:#x}, 56 bytes", lz4_frame(LAST, descriptor=descriptor), 56)
        walk("lz4", f"BD {descriptor:#x}, a block that is full", run_frame(most, descriptor), most)
        walk("lz4", f"BD {descriptor:#x}, 1 MiB", run_frame(MIB, descriptor), MIB)
        walk("lz4", f"BD {descriptor:#x}, 1 MiB, not compressed", stored_frame(b"a" * MIB, descriptor), MIB)
    two = [*compressed_block(lz4_run(64 * KIB)), u32(1 | 1 << 31) + b"a"]
    walk("lz4", "64 KiB and one byte", lz4_frame(b"a" * (64 * KIB + 1), blocks=two), 64 * KIB + 1)
    full = [u32(64 * KIB) + b"\0" * (64 * KIB)]
    walk("lz4", "a compressed block that saves nothing: not looked into", lz4_frame(LAST, blocks=full), 56)
    wrong = bytearray(lz4_frame(LAST))
    wrong[14] ^= 1
    walk("lz4", "checksum of the header wrong: not looked at", bytes(wrong), 56)
    walk("lz4", "checksum of the content wrong: not looked at", lz4_frame(LAST)[:-4] + bytes(4), 56)
    walk("lz4", "block that holds nothing: not looked into", lz4_frame(LAST, blocks=compressed_block(b"\xff")), 56)

    walk("xz", "example of the page", xz_stream(LAST), 56)
    walk("xz", "three streams", xz_stream(LAST) + xz_stream(LINES, data=LINES_LZMA2) + xz_stream(LAST), 56, 808, 56)
    for size in (1, 2, 3, 4):
        walk("xz", f"{size} bytes, {-size % 4} bytes of padding", xz_stream(b"abcd"[:size]), size)
    walk("xz", "index of 12 bytes", xz_stream(b"a" * 200), 200)
    walk("xz", "1 MiB", xz_stream(b"a" * MIB, data=RUN_LZMA2), MIB)
    walk("xz", "1 MiB, not compressed", xz_stream(b"a" * MIB), MIB)
    for dictionary in (0, 0x10):
        walk("xz", f"dictionary {dictionary:#x}", xz_stream(LAST, block_header=xz_block_header(dictionary)), 56)
    walk("xz", "check wrong: not looked at", xz_stream(LAST, check=bytes(8)), 56)
    walk("xz", "block that holds nothing: not looked into", xz_stream(LAST, data=b"\xff" * 60), 56)
    walk("xz", "stored size at its lowest", xz_stream(LAST, data=b"\xff" * 5), 56)

    for descriptor in BLOCK_SIZES:
        block("lz4-block", f"BD {descriptor:#x}", stored_frame(LAST, descriptor), LAST)
        block("lz4-block", f"BD {descriptor:#x}, 1 MiB", run_frame(MIB, descriptor), b"a" * MIB)
    block("lz4-block", "a byte", lz4_frame(b"a"), b"a")
    block("lz4-block", "lines, compressed", lz4_frame(LINES, blocks=compressed_block(lines_lz4())), LINES)
    block("lz4-block", "lines, not compressed", lz4_frame(LINES), LINES)
    block(
        "lz4-block",
        "two blocks, of which one is compressed",
        lz4_frame(b"a" * (64 * KIB + 1), blocks=two),
        b"a" * 65_537,
    )
    halves = [*compressed_block(lz4_run(40_000)), *compressed_block(lz4_run(30_000))]
    block("lz4-block", "two blocks, neither of them full", lz4_frame(b"a" * 70_000, blocks=halves), b"a" * 70_000)
    block("xz-block", "example of the page", xz_stream(LAST), LAST)
    block("xz-block", "a byte", xz_stream(b"a"), b"a")
    block("xz-block", "lines, compressed", xz_stream(LINES, data=LINES_LZMA2), LINES)
    block("xz-block", "1 MiB, compressed", xz_stream(b"a" * MIB, data=RUN_LZMA2), b"a" * MIB)
    block("xz-block", "1 MiB, not compressed", xz_stream(b"a" * MIB), b"a" * MIB)
    pieces = lzma2(LAST[:20])[:-1] + b"\2" + lzma2(LAST[20:])[1:]
    block("xz-block", "two chunks", xz_stream(LAST, data=pieces), LAST)
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, file: bytes, **fields: object) -> None:
        vector = {"what": what, "name": name, "reason": reason, "class": "malformed"} | given("file", file)
        vectors.append(vector | fields)

    def plain(name: str, file: bytes, *sizes: int) -> None:
        refused("plain", name, "size-of-another", file, sizes=list(sizes))

    plain("a byte short", LAST[:-1], 56)
    plain("a byte behind", LAST + b"\n", 56)
    plain("empty", b"", 56)
    plain("a block missing", LAST, 56, 56)

    def lz4(name: str, reason: str, file: bytes, *sizes: int) -> None:
        refused("lz4", name, reason, file, sizes=list(sizes) or [56])

    frame = lz4_frame(LAST)
    lz4("empty", "frame-missing", b"")
    for cut in (1, 3, 4, 14, 15, 18, 19, 74, 75, 78, 79, 82):
        lz4(f"cut off behind {cut} bytes", "cut-off", frame[:cut])
    for cut in (1, 15, 82):
        lz4(f"the second cut off behind {cut} bytes", "cut-off", frame + frame[:cut], 56, 56)
    lz4("a frame missing", "frame-missing", frame, 56, 56)
    lz4("a frame too many", "bytes-behind", frame + frame)
    lz4("frames changed places", "size-of-another", frame + lz4_frame(SHORT), len(SHORT), 56)
    skippable = bytes.fromhex("502a4d18") + u32(8) + bytes(8)
    extras = {"a zero": b"\0", "a newline": b"\n", "an end mark": bytes(4), "a skippable frame": skippable}
    for what, extra in extras.items():
        lz4(f"{what} behind", "bytes-behind", frame + extra)
    lz4("a zero in front", "magic", b"\0" + frame)
    lz4("a skippable frame in front", "magic", skippable + frame)
    lz4("a skippable frame between", "magic", frame + skippable + frame, 56, 56)
    lz4("zeros between", "magic", frame + bytes(4) + frame, 56, 56)
    legacy = bytes.fromhex("02214c18") + u32(len(lz4_sequence(LAST))) + lz4_sequence(LAST)
    lz4("the legacy format", "magic", legacy)
    lz4("magic big endian", "magic", frame[3::-1] + frame[4:])
    lz4("an xz stream", "magic", xz_stream(LAST))
    flags = {
        "blocks linked": 0x4C,
        "block checksums": 0x7C,
        "no content size": 0x64,
        "no content checksum": 0x68,
        "a dictionary": 0x6D,
        "a reserved bit": 0x6E,
        "version 00": 0x2C,
        "version 10": 0xAC,
    }
    for what, flag in flags.items():
        lz4(f"FLG {flag:#x}: {what}", "flags", lz4_frame(LAST, flags=flag))
    for descriptor in (0, 0x30, 0x70, 0x41, 0xC0):
        lz4(f"BD {descriptor:#x}", "descriptor", lz4_frame(LAST, descriptor=descriptor))
    lz4("content of no bytes", "content-size", lz4_frame(b"", blocks=[]), 0)
    more = [*lz4_blocks(b"a" * MIB, MIB, run=True), u32(1 | 1 << 31) + b"a"]
    larger = lz4_frame(b"a" * (MIB + 1), descriptor=0x60, blocks=more)
    lz4("content of 1 MiB and one byte", "content-size", larger, MIB + 1)
    for size in (2**32 + 56, 2**64 - 1):
        lz4(f"content of {size} bytes, it says", "content-size", lz4_frame(LAST, size=size), size)
    for size in (55, 57):
        lz4(f"content of {size} bytes for 56", "size-of-another", lz4_frame(LAST, size=size))
    lz4("a block of no bytes", "block-size", lz4_frame(LAST, blocks=[u32(1 << 31)]))
    most = 64 * KIB
    for what, high in (("compressed", 0), ("not compressed", 1 << 31)):
        beyond = [u32(most + 1 | high) + b"a" * (most + 1)]
        lz4(f"a block beyond BD's size, {what}", "block-size", lz4_frame(LAST, blocks=beyond))
    lz4("a block's size far beyond", "block-size", lz4_frame(LAST, blocks=[u32(2**31 - 1) + LAST]))
    lz4("no block", "blocks-too-few", lz4_frame(LAST, blocks=[]))
    one = [u32(most | 1 << 31) + b"a" * most]
    lz4("a block too few", "blocks-too-few", lz4_frame(b"a" * (most + 1), blocks=one), most + 1)
    two = [u32(28 | 1 << 31) + LAST[:28], u32(28 | 1 << 31) + LAST[28:]]
    lz4("a block too many", "end-mark", lz4_frame(LAST, blocks=two))
    lz4("an empty block behind", "end-mark", lz4_frame(LAST, end=u32(1 << 31) + bytes(4)))
    lz4("no end mark", "cut-off", lz4_frame(LAST, end=b""))
    lz4("end mark not zeros", "end-mark", lz4_frame(LAST, end=b"\0\0\0\1"))
    lz4("no content checksum", "cut-off", frame[:-4])

    def xz(name: str, reason: str, file: bytes, *sizes: int) -> None:
        refused("xz", name, reason, file, sizes=list(sizes) or [56])

    stream = xz_stream(LAST)
    index = xz_index(80, 56)
    footer = xz_footer(index)
    xz("empty", "stream-missing", b"")
    for cut in (1, 12, 20, 24, 112 - 1):
        xz(f"{cut} bytes of it missing in front", "cut-off", stream[cut:])
    xz("footer only", "cut-off", footer)
    for cut in (1, 4, 12, 20):
        xz(f"cut off {cut} bytes before its end", "footer-magic", stream[:-cut])
    xz("the first of two cut off in front", "cut-off", stream[8:] + stream, 56, 56)
    xz("a stream missing", "stream-missing", stream, 56, 56)
    xz("a stream too many", "bytes-in-front", stream + stream)
    xz("streams changed places", "size-of-another", stream + xz_stream(SHORT), len(SHORT), 56)
    xz("a zero in front", "bytes-in-front", b"\0" + stream)
    xz("padding in front", "bytes-in-front", bytes(4) + stream)
    xz("padding between", "footer-magic", stream + bytes(4) + stream, 56, 56)
    xz("padding behind", "footer-magic", stream + bytes(4))
    xz("a newline behind", "footer-magic", stream + b"\n")
    xz("an LZ4 frame", "footer-magic", frame)
    xz("magic of the header changed", "header", b"\xfe" + stream[1:])
    xz("CRC32 of the header wrong", "header", xz_stream(LAST, header=XZ_HEADER[:-1] + b"\x47"))
    for flag, what in ((0, "no check"), (1, "CRC32"), (10, "SHA-256")):
        other = XZ_HEADER[:6] + summed(bytes([0, flag]))[:2] + u32(zlib.crc32(bytes([0, flag])))
        xz(f"header with flags of {what}", "header", xz_stream(LAST, header=other))
        both = xz_stream(LAST, header=other, footer=xz_footer(index, bytes([0, flag])))
        xz(f"header and footer with flags of {what}", "footer-flags", both)
    xz("footer with a reserved flag", "footer-flags", xz_stream(LAST, footer=xz_footer(index, b"\1\4")))
    xz("CRC32 of the footer wrong", "footer-crc", xz_stream(LAST, footer=bytes(4) + footer[4:]))
    xz("magic of the footer in the other order", "footer-magic", stream[:-2] + b"ZY")
    for backward in (0, 6, 2**32 - 1):
        xz(
            f"footer with {backward} for the size",
            "index-size",
            xz_stream(LAST, footer=xz_footer(index, backward=backward)),
        )
    wider = xz_stream(LAST, footer=xz_footer(index, backward=2))
    xz("footer with a larger size than the index has", "index-crc", wider)

    def indexed(name: str, reason: str, index: bytes, *sizes: int) -> None:
        xz(f"index: {name}", reason, xz_stream(LAST, index=index), *sizes)

    indexed("CRC32 wrong", "index-crc", index[:-4] + bytes(4))
    indexed("not begun with 00", "index-indicator", xz_index(80, 56, head=b"\2\1"))
    indexed("of no records", "index-records", xz_index(80, 56, head=b"\0\0"))
    two_records = summed(padded(b"\0\2" + (vli(80) + vli(56)) * 2))
    indexed("of two records", "index-records", two_records)
    lax = summed(padded(b"\0\1" + b"\xd0\0" + vli(56)))
    indexed("stored size with a zero at its end", "index-number-form", lax)
    lax = summed(padded(b"\0\1" + vli(80) + b"\xb8\x80\0"))
    indexed("bytes of text with a zero at its end", "index-number-form", lax)
    ten = summed(padded(b"\0\1" + vli(80) + b"\xff" * 9 + b"\1"))
    indexed("bytes of text in ten bytes", "index-number-form", ten)
    nine = summed(padded(b"\0\1" + vli(80) + vli(2**63 - 1)))
    indexed("bytes of text in nine bytes", "text-size", nine, 2**63 - 1)
    indexed("bytes of text cut off", "index-cut-off", summed(b"\0\1\x50\xb8"))
    indexed("padding not zeros", "index-padding", summed(b"\0\1" + vli(200) + vli(56)[:1] + b"\0\0\1"))
    indexed("four zeros too many", "index-padding", summed(b"\0\1" + vli(80) + vli(56) + bytes(4)))
    indexed("no text", "text-size", xz_index(80, 0), 0)
    indexed("text of 1 MiB and one byte", "text-size", xz_index(80, MIB + 1), MIB + 1)
    indexed("one byte of text too few", "size-of-another", xz_index(80, 55))
    indexed("one byte of text too many", "size-of-another", xz_index(80, 57))
    xz("index: stored size of 24", "stored-size", xz_stream(LAST, data=b"\xff" * 4))
    indexed("stored size larger than the file", "cut-off", xz_index(2000, 56))
    indexed("stored size in nine bytes", "cut-off", xz_index(2**62, 56))
    indexed("stored size four bytes too small", "header", xz_index(76, 56))
    indexed("stored size four bytes too large", "cut-off", xz_index(84, 56))

    def headed(name: str, reason: str, header: bytes) -> None:
        xz(f"block header: {name}", reason, xz_stream(LAST, block_header=header))

    header = xz_block_header()
    headed("CRC32 wrong", "block-header-crc", header[:-4] + bytes(4))
    headed("dictionary of 1.5 MiB", "dictionary", xz_block_header(0x11))
    headed("dictionary of 4 GiB", "dictionary", xz_block_header(0x28))
    for place, what in ((5, "first"), (7, "last")):
        padding = bytearray(header[:8])
        padding[place] = 1
        headed(f"{what} byte of padding not zero", "block-header", summed(bytes(padding)))
    headed("16 bytes", "block-header", summed(bytes([3, 0, 0x21, 1, 0x0C]) + bytes(7)))
    headed("8 bytes", "block-header", summed(bytes([1, 0, 0x21, 1])))
    headed("with the compressed size", "block-header", summed(bytes([2, 0x40, 60, 0x21, 1, 0x0C, 0, 0])))
    headed("with the size of the text", "block-header", summed(bytes([2, 0x80, 56, 0x21, 1, 0x0C, 0, 0])))
    headed("with a reserved flag", "block-header", summed(bytes([2, 4, 0x21, 1, 0x0C, 0, 0, 0])))
    headed("of two filters", "block-header", summed(bytes([3, 1, 3, 1, 0, 0x21, 1, 0x0C, 0, 0, 0, 0])))
    headed("of another filter", "block-header", summed(bytes([2, 0, 3, 1, 0, 0, 0, 0])))
    headed("properties of two bytes", "block-header", summed(bytes([2, 0, 0x21, 2, 0x0C, 0, 0, 0])))
    blocks = (
        xz_block_header()
        + lzma2(LAST[:28])
        + bytes(-len(lzma2(LAST[:28])) % 4)
        + crc64(LAST[:28]).to_bytes(8, "little")
    )
    several = summed(padded(b"\0\2" + (vli(12 + 32 + 8) + vli(28)) * 2))
    of_two = XZ_HEADER + blocks + blocks + several + xz_footer(several)
    xz("a stream of two blocks", "index-records", of_two)
    none = summed(b"\0\0\0\0")
    xz("a stream of no blocks", "index-records", XZ_HEADER + none + xz_footer(none))

    def block(what: str, name: str, reason: str, file: bytes, text: bytes = LAST, size: int | None = None) -> None:
        fields = {"size": len(text) if size is None else size, "sha256_hex": hashlib.sha256(text).hexdigest()}
        refused(f"{what}-block", name, reason, file, **fields)

    changed = LAST.replace(b"idle", b"size")
    block("lz4", "another text", "digest", lz4_frame(changed))
    block("xz", "another text", "digest", xz_stream(changed))
    block("lz4", "two frames", "bytes-behind", frame + frame)
    block("xz", "two streams", "bytes-in-front", stream + stream)
    head = bytearray(frame)
    head[14] ^= 1
    block("lz4", "checksum of the header wrong", "header-checksum", bytes(head))
    block("lz4", "checksum of the content wrong", "content-checksum", frame[:-1] + bytes([frame[-1] ^ 1]))
    block("lz4", "a bit of the text changed", "content-checksum", frame[:40] + bytes([frame[40] ^ 1]) + frame[41:])

    def lz4_block(name: str, reason: str, blocks: list[bytes], text: bytes = LAST) -> None:
        block("lz4", name, reason, lz4_frame(text, blocks=blocks), text)

    none_such = "block-not-lz4"
    lz4_block("literals cut off", none_such, compressed_block(lz4_sequence(LAST)[:-1]))
    lz4_block("a length cut off", none_such, compressed_block(b"\xff"))
    lz4_block("an offset cut off", none_such, compressed_block(b"\x11a\1"))
    lz4_block(
        "offset 0", none_such, compressed_block(lz4_sequence(b"a", 1, 50).replace(b"a\1\0", b"a\0\0") + b"\x50aaaaa")
    )
    lz4_block("offset before the begin", none_such, compressed_block(lz4_sequence(b"a", 2, 50) + b"\x50aaaaa"))
    text = b"a" * (64 * KIB + 20)
    linked = [*compressed_block(lz4_run(64 * KIB)), *compressed_block(lz4_sequence(b"", 1, 15) + b"\x50aaaaa")]
    lz4_block("offset into the block before", none_such, linked, text)
    beyond = [*compressed_block(lz4_run(64 * KIB + 1)), u32(19 | 1 << 31) + b"a" * 19]
    lz4_block("a block that holds more than BD's size", none_such, beyond, text)
    lz4_block("fewer bytes than the header says", "not-so-many-bytes", compressed_block(lz4_sequence(LAST[:-1])))
    lz4_block("more bytes than the header says", "not-so-many-bytes", compressed_block(lz4_sequence(LAST + b"\n")))
    stored = [u32(57 | 1 << 31) + LAST + b"\n"]
    lz4_block("more bytes than the header says, not compressed", "not-so-many-bytes", stored)
    bomb = compressed_block(lz4_run(64 * KIB))
    lz4_block("far more bytes than the header says", "not-so-many-bytes", bomb)

    def xz_block(name: str, reason: str, data: bytes, text: bytes = LAST) -> None:
        block("xz", name, reason, xz_stream(text, data=data), text)

    good_data = lzma2(LAST)
    block("xz", "check wrong", "check", xz_stream(LAST, check=bytes(8)))
    block("xz", "a bit of the text changed", "check", stream[:40] + bytes([stream[40] ^ 1]) + stream[41:])
    last_padding = xz_stream(b"ab", padding=b"\0\1")
    block("xz", "padding not zeros", "padding", last_padding, b"ab")
    none_such = "block-not-lzma2"
    xz_block("no end mark", none_such, good_data[:-1])
    xz_block("end mark only", "not-so-many-bytes", bytes(5))
    xz_block("a zero behind the end mark", none_such, good_data + b"\0")
    xz_block("a second chunk behind the end mark", none_such, good_data + good_data)
    xz_block("a chunk cut off", "not-so-many-bytes", good_data[:-2])
    xz_block("first chunk does not reset the dictionary", none_such, b"\2" + good_data[1:])
    xz_block("a chunk of unknown kind", none_such, b"\3" + good_data[1:])
    xz_block("LZMA damaged", none_such, LINES_LZMA2[:10] + b"\xff" * 60 + LINES_LZMA2[70:], LINES)
    xz_block("fewer bytes than the index says", "not-so-many-bytes", lzma2(LAST[:-1]))
    xz_block("more bytes than the index says", "not-so-many-bytes", lzma2(LAST + b"\n"))
    xz_block("far more bytes than the index says", "not-so-many-bytes", RUN_LZMA2)
    return vectors
