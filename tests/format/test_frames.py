"""Frames of sealed text: docs/spec/sealed.md, held against lz4 and liblzma."""

import lzma
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from shutil import which
from typing import Any, NamedTuple
from zlib import crc32

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.frames import Frame, lz4_frames, xz_streams
from logchain.format.limits import MAX_BLOCK
from tests.format.pages import example, flips

Walk = Callable[[Callable[[int, int], bytes], int, int], list[Frame]]


def lz4_frame(text: bytes, **changes: Any) -> bytes:
    """Return a frame as logchain writes it, or with these options of lz4 changed."""
    options = {"block_size": lz4.frame.BLOCKSIZE_MAX256KB, "block_linked": False, "content_checksum": True}
    found: bytes = lz4.frame.compress(text, **options | changes)
    return found


def xz_stream(text: bytes, dictionary: int = 256 << 10, check: int = lzma.CHECK_CRC64, **changes: Any) -> bytes:
    """Return a stream as logchain writes it, or with these options of LZMA2 changed."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": dictionary} | changes]
    return lzma.compress(text, check=check, filters=filters)


class Form(NamedTuple):
    """One of the two."""

    walk: Walk
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]
    program: list[str]


LZ4 = Form(lz4_frames, lz4_frame, lz4.frame.decompress, ["lz4cat"])
XZ = Form(xz_streams, xz_stream, lzma.decompress, ["xzcat"])
BOTH = pytest.mark.parametrize("form", [LZ4, XZ], ids=["lz4", "xz"])

_RANDOM = Random(4)
TEXTS = [
    b"x",
    b"a line\n" * 9,
    _RANDOM.randbytes(1),
    _RANDOM.randbytes(70_000),
    b"".join(b"%08d\n" % number for number in range(29_000)),
    bytes(256 << 10),
    _RANDOM.randbytes(256 << 10),
    bytes(MAX_BLOCK),
    _RANDOM.randbytes(MAX_BLOCK),
]


def walk(form: Form, data: bytes, limit: int = 1_000) -> list[Frame]:
    """Walk over bytes; nothing is ever asked for that they do not have."""

    def read(offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(data)
        assert size <= 24
        return data[offset : offset + size]

    return form.walk(read, len(data), limit)


@BOTH
def test_what_the_libraries_write(form: Form) -> None:
    """Frames of every size, one behind the other, are found, and each opens alone."""
    stored = [form.compress(text) for text in TEXTS]
    data = b"".join(stored)
    frames = walk(form, data, len(TEXTS))
    cut = [data[frame.offset : frame.offset + frame.size] for frame in frames]
    assert cut == stored
    assert [frame.content for frame in frames] == [len(text) for text in TEXTS]
    assert [form.decompress(piece) for piece in cut] == TEXTS


@BOTH
def test_what_the_programs_read(form: Form, tmp_path: Path) -> None:
    """`lz4cat` and `xzcat` read the whole file."""
    if not which(form.program[0]):
        pytest.skip(f"{form.program[0]} is not installed")
    path = tmp_path / "sealed"
    path.write_bytes(b"".join(map(form.compress, TEXTS)))
    with path.open("rb") as file:
        found = subprocess.run(form.program, stdin=file, stdout=subprocess.PIPE, check=True)
    assert found.stdout == b"".join(TEXTS)


@pytest.mark.parametrize("level", [0, 1, 9, 12, 16])
def test_every_level_of_lz4(level: int) -> None:
    """The level changes nothing of the frame's form; the least size of block that holds the text is taken."""
    for text in TEXTS:
        data = lz4_frame(text, compression_level=level)
        assert walk(LZ4, data) == [Frame(0, len(data), len(text))]


@pytest.mark.parametrize("preset", [0, 6, 9])
def test_every_preset_of_xz(preset: int) -> None:
    """The preset changes nothing of the stream's form, as long as the dictionary is given."""
    for text in TEXTS:
        data = xz_stream(text, preset=preset)
        assert walk(XZ, data) == [Frame(0, len(data), len(text))]


@BOTH
def test_an_empty_file(form: Form) -> None:
    """An empty file has no frames."""
    assert walk(form, b"") == []


@BOTH
def test_a_limit(form: Form) -> None:
    """As many frames as there are blocks are found, and not one more is walked over."""
    data = form.compress(b"text\n") * 5
    assert len(walk(form, data, 5)) == 5
    with pytest.raises(FormatError, match="more"):
        walk(form, data, 4)


@BOTH
def test_what_is_cut_off(form: Form) -> None:
    """A file that is cut off anywhere but between frames is refused, at both ends."""
    one = form.compress(b"a text of a few bytes\n" * 3)
    for end in range(1, len(one)):
        for wrong in (one[:end], one + one[:end], one[end:], one[end:] + one):
            with pytest.raises(FormatError):
                walk(form, wrong)


@BOTH
@pytest.mark.parametrize("strange", [b"\0", b"\0\0\0\0", b"\n", bytes(100), b"PK\x03\x04" * 9])
def test_what_stands_between(form: Form, strange: bytes) -> None:
    """Bytes before, between or behind frames are refused."""
    one = form.compress(b"text\n")
    for wrong in (strange, strange + one, one + strange + one, one + strange):
        with pytest.raises(FormatError):
            walk(form, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lz4_frame(b"text\n", content_checksum=False),
        lz4_frame(b"text\n", store_size=False),
        lz4_frame(b"text\n", block_checksum=True),
        lz4_frame(bytes(300_000), block_linked=True),
        lz4_frame(b""),
        lz4_frame(bytes(MAX_BLOCK + 1)),
        lz4_frame(bytes(MAX_BLOCK + 1), block_size=lz4.frame.BLOCKSIZE_MAX4MB),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00text",  # a skippable frame
        b"\x02\x21\x4c\x18\x05\x00\x00\x00\x40text",  # the legacy format
    ],
)
def test_lz4_that_we_do_not_write(wrong: bytes) -> None:
    """Each is LZ4, and is refused, alone and behind a frame of ours."""
    for data in (wrong, lz4_frame(b"text\n") + wrong):
        with pytest.raises(FormatError):
            walk(LZ4, data)


@pytest.mark.parametrize(
    "wrong",
    [
        xz_stream(b"text\n", check=lzma.CHECK_CRC32),
        xz_stream(b"text\n", check=lzma.CHECK_SHA256),
        xz_stream(b"text\n", check=lzma.CHECK_NONE),
        xz_stream(b"text\n", dictionary=(1 << 20) + 1),
        lzma.compress(b"text\n"),  # a dictionary of 8 MiB
        lzma.compress(b"text\n", filters=[{"id": lzma.FILTER_DELTA}, {"id": lzma.FILTER_LZMA2, "dict_size": 4096}]),
        lzma.compress(b"text\n", format=lzma.FORMAT_ALONE),
        xz_stream(b""),  # no block
        xz_stream(bytes(MAX_BLOCK + 1)),
    ],
)
def test_xz_that_we_do_not_write(wrong: bytes) -> None:
    """Each is xz, and is refused, alone and before a stream of ours."""
    for data in (wrong, wrong + xz_stream(b"text\n")):
        with pytest.raises(FormatError):
            walk(XZ, data)


def test_content_that_does_not_fit_its_blocks() -> None:
    """A frame cannot say one byte and hold a gigabyte: the blocks are those that its content asks for."""
    frame = bytearray(lz4_frame(bytes(300_000)))  # two blocks
    for content in (1, 256 << 10, 600_000, MAX_BLOCK + 1, 1 << 63, 0):
        frame[6:14] = content.to_bytes(8, "little")
        with pytest.raises(FormatError):
            walk(LZ4, bytes(frame))


def test_blocks_that_are_too_long() -> None:
    """A block of nothing, or of more than its size says, is refused."""
    frame = bytearray(lz4_frame(_RANDOM.randbytes(70_000)))
    for size in (0, 1 << 31, (256 << 10) + 1, (1 << 31) - 1):
        frame[15:19] = size.to_bytes(4, "little")
        with pytest.raises(FormatError):
            walk(LZ4, bytes(frame))


def with_index(numbers: bytes) -> bytes:
    """Return a stream of one block with this index, whose checksums are right."""
    one = xz_stream(b"text\n")
    index = numbers.ljust(-(-len(numbers) // 4) * 4, b"\0")
    index += crc32(index).to_bytes(4, "little")
    rest = (len(index) // 4 - 1).to_bytes(4, "little") + b"\x00\x04"
    return one[:-20] + index + crc32(rest).to_bytes(4, "little") + rest + b"YZ"


def test_an_index_as_we_write_it() -> None:
    """The helper makes the stream that the library made."""
    assert with_index(b"\x00\x01\x1d\x05") == xz_stream(b"text\n")


@pytest.mark.parametrize(
    "numbers",
    [
        b"\x00\x00",  # no block
        b"\x00\x02\x1d\x05\x1d\x05",  # two
        b"\x01\x01\x1d\x05",  # not an index
        b"\x00\x01\x1d\x00",  # no text
        b"\x00\x01\x1d\x81\x80\x40",  # a byte more than 1 MiB
        b"\x00\x01\x18\x05",  # a block shorter than its header, the least of LZMA2, and its checksum
        b"\x00\x01\x21\x05",  # a block that would begin elsewhere
        b"\x00\x01\x61\x05",  # and before the file
        b"\x00\x01" + b"\xff" * 8 + b"\x7f\x05",
        b"\x00\x01\x9d\x00\x05",  # not the shortest form of a number
        b"\x00\x01\x1d\x85\x00",
        b"\x00\x01" + b"\x9d" * 9 + b"\x01\x05",  # a number of ten bytes
        b"\x00\x01\x1d" + b"\xff" * 5,  # a number that does not end
        b"\x00\x01\x1d\x05\x00\x00\x00\x00",  # too much padding
        b"\x00\x01\x1d\x05\x01",  # padding that is not zero
        b"\x00\x01" + b"\xff" * 22,  # an index too long
    ],
)
def test_bad_indexes(numbers: bytes) -> None:
    """Each index has its right checksum, and is refused."""
    with pytest.raises(FormatError):
        walk(XZ, with_index(numbers))


@BOTH
@given(data=st.data())
def test_changed_files(form: Form, data: st.DataObject) -> None:
    """A changed file is refused, or its frames still cover it from end to end."""
    whole = b"".join(map(form.compress, [b"one\n", b"a line\n" * 40, b"three\n"]))
    _covers(form, data.draw(flips(whole)))


@BOTH
@given(data=st.binary())
def test_any_bytes(form: Form, data: bytes) -> None:
    """Bytes are refused as what they are, with the begin or the end of a frame too."""
    one = form.compress(b"text\n")
    for found in (data, one + data, data + one, one[:15] + data, data + one[-12:], data + one[-20:]):
        _covers(form, found)


def _covers(form: Form, data: bytes) -> None:
    try:
        frames = walk(form, data)
    except FormatError:
        return
    end = 0
    for frame in frames:
        assert frame.offset == end
        assert 1 <= frame.content <= MAX_BLOCK
        end += frame.size
    assert end == len(data)


@BOTH
def test_a_file_that_became_shorter(form: Form) -> None:
    """What was there a moment ago, and is no more, is refused."""
    one = form.compress(b"text\n")
    with pytest.raises(FormatError):
        form.walk(lambda offset, size: one[offset : offset + size], len(one) + 4, 2)
    with pytest.raises(FormatError, match="shorter"):
        form.walk(lambda _offset, _size: b"", len(one), 2)


def test_headers_are_what_the_page_shows() -> None:
    """The bytes of the page's two examples are those of the frames that the libraries make of the page's block."""
    text = b"2026-11-23T03:59:59.999120Z # end reason=idle records=3\n"
    for place, data in [(1, lz4_frame(text)), (2, xz_stream(text))]:
        shown = [line.split("  ")[0] for line in example("sealed.md", place).decode().splitlines()]
        pieces = [bytes.fromhex(line) for line in shown if re.match(r"[0-9a-f]{2}( |$)", line)]
        at = 0
        for piece in pieces:
            at = data.index(piece, at) + len(piece)
        assert data.startswith(pieces[0])
        assert at == len(data)
