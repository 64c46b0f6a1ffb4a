"""Sealed text: the vectors of sealed.json against the walk over frames, and against the two that open them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logchain.format.errors import FormatError
from logchain.format.frames import lz4_frames, xz_streams
from logchain.format.manifest import NO_MANIFEST, Block, Manifest
from logchain.read.sealed import SealedText
from logchain.store.tiers import read_blocks
from tests.format.vectors import Vector, raw, vectors


def places(vector: Vector) -> list[tuple[int, int]]:
    """Walk over a file's frames, and hold the sizes that they say against those of the manifest."""
    file, sizes = raw(vector, "file"), vector["sizes"]

    def read(offset: int, size: int) -> bytes:
        return file[offset : offset + size]

    frames = (lz4_frames if vector["what"] == "lz4" else xz_streams)(read, len(file), len(sizes))
    if [frame.content for frame in frames] != sizes:
        raise FormatError("not the manifest's blocks")
    return [(frame.offset, frame.size) for frame in frames]


@vectors("sealed.json", "good", "lz4", "xz")
def test_good_files(vector: Vector) -> None:
    """The frames of a file are found without a look into them."""
    assert places(vector) == [tuple(place) for place in vector["places"]]


@vectors("sealed.json", "bad", "lz4", "xz")
def test_bad_files(vector: Vector) -> None:
    """A file that breaks one rule of its page is refused for that, before anything is decompressed."""
    with pytest.raises(FormatError):
        places(vector)


@pytest.fixture
def sealed(tmp_path: Path, vector: Vector) -> Iterator[int]:
    """Open a file with what the vector says stands in a segment's."""
    path = tmp_path / "sealed"
    path.write_bytes(raw(vector, "file"))
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def manifest_of(vector: Vector) -> Manifest:
    """Return what a manifest says of these blocks; of blocks of whose text nothing is known, zeros."""
    sizes, digest = vector.get("sizes", [vector.get("size")]), bytes.fromhex(vector.get("sha256_hex", "00" * 32))
    blocks = tuple(Block(sum(sizes[:place]), size, 1, 0, digest) for place, size in enumerate(sizes))
    return Manifest(bytes(16), bytes(32), 1, 1, len(blocks), 0, 0, 0, 0, sum(sizes), bytes(32), NO_MANIFEST, blocks)


def tier(vector: Vector) -> str:
    """Return how the file of a vector is compressed."""
    return "" if vector["what"] == "plain" else f".{vector['what'].removesuffix('-block')}"


@vectors("sealed.json", "good", "plain")
def test_good_plain_files(sealed: int, vector: Vector) -> None:
    """A text that is not compressed has the manifest's bytes."""
    assert not SealedText(sealed, manifest_of(vector), tier(vector)).misfit
    assert [[block.offset, block.size] for block in manifest_of(vector).blocks] == vector["places"]


@vectors("sealed.json", "bad", "plain")
def test_bad_plain_files(sealed: int, vector: Vector) -> None:
    """A text that has more or fewer bytes than its manifest says is found by its size, by reader and writer."""
    assert SealedText(sealed, manifest_of(vector), tier(vector)).misfit
    with pytest.raises(FormatError):
        list(read_blocks(sealed, tier(vector), manifest_of(vector)))


@vectors("sealed.json", "good", "lz4-block", "xz-block")
def test_good_blocks(sealed: int, vector: Vector) -> None:
    """What a frame holds is the manifest's block, to its last byte, for reader and writer."""
    text = SealedText(sealed, manifest_of(vector), tier(vector))
    assert not text.misfit
    assert text.block(0) == raw(vector, "text")
    assert list(read_blocks(sealed, tier(vector), manifest_of(vector))) == [raw(vector, "text")]


@vectors("sealed.json", "bad", "lz4-block", "xz-block")
def test_bad_blocks(sealed: int, vector: Vector) -> None:
    """What a frame holds is not believed where it, its checksums or its digest are not right."""
    with pytest.raises(FormatError):
        SealedText(sealed, manifest_of(vector), tier(vector)).block(0)
    with pytest.raises(FormatError):
        list(read_blocks(sealed, tier(vector), manifest_of(vector)))
