"""Manifests: docs/spec/manifest.md."""

from hashlib import sha256
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError, SignatureError
from logchain.format.ledger import Seal, entry_key_name, log_key_name, open_entry
from logchain.format.limits import (
    MAX_BIRTHS,
    MAX_BLOCK,
    MAX_MANIFEST,
    MAX_SEGMENT,
    MAX_SEGMENT_BYTES,
    MAX_SEGMENT_RECORDS,
)
from logchain.format.manifest import NO_MANIFEST, Block, Manifest, format_manifest, open_manifest, parse_manifest
from logchain.format.signed_note import public_key, sign
from tests.format.pages import DIGESTS, KEYS, NUMBERS, SEGMENTS, STORES, TIMES, example, flips, refused_or_the_same

BIRTHS = st.integers(1, MAX_BIRTHS)
PAGE_KEY = public_key(entry_key_name(bytes.fromhex("5b0c7a3f6f6f0b0e9b3f0c55a1d20a11")), bytes([3]) * 32)
PAGE = open_manifest(example("manifest.md"), PAGE_KEY)
TEXT = format_manifest(PAGE)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest that the page allows."""
    parts = st.tuples(st.integers(1, MAX_BLOCK), st.integers(1, 1 << 24), DIGESTS)
    blocks = draw(st.lists(parts, min_size=1, max_size=20))
    *times, last = sorted(draw(st.lists(TIMES, min_size=len(blocks) + 1, max_size=len(blocks) + 1)))
    sizes, records, digests = zip(*blocks, strict=True)
    offsets = accumulate(sizes, initial=0)
    return Manifest(
        store_id=draw(STORES),
        stream_id=draw(DIGESTS),
        segment=draw(SEGMENTS),
        birth=draw(BIRTHS),
        records=sum(records),
        first=draw(NUMBERS),
        first_time=times[0],
        last_time=last,
        age=draw(NUMBERS),
        size=sum(sizes),
        tag=draw(DIGESTS),
        previous=draw(DIGESTS),
        blocks=tuple(map(Block, offsets, sizes, records, times, digests)),
    )


def again(text: bytes) -> bytes:
    """Parse a manifest's text and write it."""
    return format_manifest(parse_manifest(text))


def test_the_page_s_example() -> None:
    """The manifest of the page says what the page tells of it, and the seal of the ledger's page names it."""
    assert (PAGE.segment, PAGE.birth, PAGE.records, PAGE.first, PAGE.size) == (1, 1, 3, 0, 416)
    assert [(block.offset, block.size, block.records) for block in PAGE.blocks] == [(0, 360, 2), (360, 56, 1)]
    assert PAGE.previous == NO_MANIFEST
    event = open_entry(example("ledger.md"), PAGE_KEY).event
    assert event == Seal(PAGE.stream_id, 1, sha256(example("manifest.md")).digest())


@given(manifests(), KEYS)
def test_manifests_come_back(manifest: Manifest, seed: bytes) -> None:
    """What is written is read, signed and not."""
    text, name = format_manifest(manifest), entry_key_name(manifest.store_id)
    assert parse_manifest(text) == manifest
    assert open_manifest(sign(text, name, seed), public_key(name, seed)) == manifest


@given(flips(TEXT))
def test_changed_manifests(text: bytes) -> None:
    """A changed text is refused, or says something else that is written so."""
    refused_or_the_same(text, again)


@given(st.one_of(st.binary(), st.binary().map(lambda data: TEXT + data)))
def test_any_bytes(text: bytes) -> None:
    """Bytes are refused as what they are."""
    refused_or_the_same(text, again)


@given(flips(example("manifest.md")))
def test_changed_notes(note: bytes) -> None:
    """A signed manifest with one byte changed, added or taken away does not open."""
    with pytest.raises((FormatError, SignatureError)):
        open_manifest(note, PAGE_KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"manifest v1", b"manifest v2"),
        (b"birth 1\n", b""),
        (b"birth 1\n", b"birth 1\nbirth 1\n"),
        (b"birth 1\n", b"birth 0\n"),
        (b"birth 1\n", b"birth 01\n"),
        (b"birth 1\n", b"birth 1 \n"),
        (b"birth 1\n", b"birth  1\n"),
        (b"birth 1\n", b"birth 1\r\n"),
        (b"birth 1\n", b"birth %d\n" % (MAX_BIRTHS + 1)),
        (b" 1\nbirth", b" 0\nbirth"),
        (b" 1\nbirth", b" %d\nbirth" % (MAX_SEGMENT + 1)),
        (b"birth 1\nrecords 3 0\n", b"records 3 0\nbirth 1\n"),
        (b"records 3 0", b"records 4 0"),
        (b"records 3 0", b"records 3"),
        (b"records 3 0", b"records 3 0 0"),
        (b"age 7212", b"age -1"),
        (b"age 7212", b"age 9223372036854775808"),
        (b"bytes 416", b"bytes 417"),
        (b"sha256:", b"sha512:"),
        (b"tag 29af", b"tag 29AF"),
        (b"tag 29", b"tag "),
        (b"store 5b", b"store 5b5b"),
        (b"2026-11-23T03:59:59.999120Z\nage", b"2026-11-23T03:59:59.999119Z\nage"),
        (b"time 2026-11-23T03:00:00.000123Z", b"time 2026-11-23T03:00:00.000124Z"),
        (b"time 2026-11-23T03:00:00.000123Z", b"time 2026-11-31T03:00:00.000123Z"),
        (b"block 0 360 2", b"block 0 359 2"),
        (b"block 0 360 2", b"block 1 360 2"),
        (b"block 0 360 2", b"block 0 360 0"),
        (b"block 360 56 1", b"block 361 55 1"),
        (b"block 360 56 1 2026", b"block 360 56 1 2025"),
        (b"block 360", b"black 360"),
        (b"\nblock 0", b"\n\nblock 0"),
    ],
)
def test_bad_manifests(old: bytes, new: bytes) -> None:
    """Each text is refused."""
    assert TEXT.count(old) >= 1
    with pytest.raises(FormatError):
        parse_manifest(TEXT.replace(old, new, 1))


@pytest.mark.parametrize("wrong", [b"", TEXT[:-1], TEXT + b"\n", TEXT.partition(b"block")[0], b"\xc3\xa9" + TEXT])
def test_bad_ends(wrong: bytes) -> None:
    """A text that is cut off, or goes on, is refused."""
    with pytest.raises(FormatError):
        parse_manifest(wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"store_id": bytes(15)},
        {"stream_id": bytes(31)},
        {"segment": 0},
        {"blocks": ()},
        {"size": 0, "blocks": (Block(0, 0, 3, PAGE.first_time, bytes(32)),)},
        {"size": MAX_BLOCK + 1, "blocks": (Block(0, MAX_BLOCK + 1, 3, PAGE.first_time, bytes(32)),)},
        {"last_time": PAGE.first_time - 1},
        {"tag": b""},
    ],
)
def test_nothing_is_written_that_is_not_read(changes: dict[str, object]) -> None:
    """What would be refused is not written."""
    with pytest.raises(FormatError):
        format_manifest(PAGE._replace(**changes))  # type: ignore[arg-type]


def test_the_largest() -> None:
    """A segment of 256 MiB in blocks of 1 MiB is sealed; one more byte, one more record, are not."""
    count = MAX_SEGMENT_BYTES // MAX_BLOCK
    each = MAX_SEGMENT_RECORDS // count
    blocks = tuple(Block(place * MAX_BLOCK, MAX_BLOCK, each, 0, bytes(32)) for place in range(count))
    full = PAGE._replace(size=MAX_SEGMENT_BYTES, records=each * count, first_time=0, blocks=blocks)
    assert parse_manifest(format_manifest(full)) == full
    more = (*blocks, Block(MAX_SEGMENT_BYTES, 1, 1, 0, bytes(32)))
    with pytest.raises(FormatError):
        format_manifest(full._replace(size=MAX_SEGMENT_BYTES + 1, records=full.records + 1, blocks=more))


def test_too_many_bytes() -> None:
    """A manifest of more than 1 MiB is refused before it is looked at."""
    block = TEXT[TEXT.index(b"block 360") :]
    with pytest.raises(FormatError, match="too long"):
        parse_manifest(TEXT + block * (MAX_MANIFEST // len(block)))
    with pytest.raises(FormatError, match="bytes"):
        open_manifest(b"\n" * (MAX_MANIFEST + 1), PAGE_KEY)


@given(manifests(), KEYS)
def test_other_keys(manifest: Manifest, seed: bytes) -> None:
    """A manifest is signed by one key, of this store, and of that kind."""
    text, name = format_manifest(manifest), entry_key_name(manifest.store_id)
    note = sign(text, name, seed)
    with pytest.raises(SignatureError):
        open_manifest(note, public_key(name, sha256(seed).digest()))
    with pytest.raises(FormatError):
        open_manifest(note + note[note.rindex(b"\n\n") + 2 :], public_key(name, seed))
    log = log_key_name(manifest.store_id)
    with pytest.raises(FormatError):
        open_manifest(sign(text, log, seed), public_key(log, seed))
