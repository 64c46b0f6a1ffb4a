"""Sealed streams are read as they were before they were sealed, whatever became of their files."""

import io
import json
import lzma
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import pytest

from logchain.format.errors import FormatError, OddFile
from logchain.format.limits import MAX_BLOCK, MAX_JOINED, MAX_PART
from logchain.format.manifest import Block, Manifest
from logchain.format.record import LINE, PART
from logchain.read.entries import Entry, Item, Kind, Run, StreamReader
from logchain.read.listing import StreamRow, list_streams
from logchain.read.sealed import BadBlock, SealedText, _decompress, open_sealed, peek, read_manifest
from logchain.read.segments import open_stream_files
from logchain.read.selection import Selection
from logchain.read.sessions import Event, Session, list_sessions
from logchain.read.show import select
from logchain.read.view import View
from logchain.store.layout import TIERS, Directory, open_directory, open_store
from tests.read.archived import Archive
from tests.read.shown import EVERYTHING, formatted

LINES = [b"line %d of a log" % number for number in range(40)]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two sealed segments of several blocks, and an open one; a second passes between any two lines."""
    store = Archive.make(tmp_path / "store")
    fill(store)
    return store


def fill(store: Archive) -> None:
    """Log three sessions, a segment each."""
    for part in range(3):
        writer = store.open()
        writer.start_session(os.urandom(8), "logchain.Append")
        for line in LINES:
            store.clock.go(1)
            writer.append(LINE, [b"%d: %s" % (part, line)], store.clock.wall())
        writer.end_session("eof", b"", 0)
        if part < 2:
            writer.roll("size")
        writer.close()
        store.clock.go(60)


def shown(store: Archive, selection: Selection = EVERYTHING) -> list[Entry]:
    """Return what is shown."""
    with open_store(store.path) as directory:
        return list(select(directory, selection))


def one_by_one(items: Iterator[Item]) -> list[Entry]:
    """Return entries, runs taken apart."""
    return [entry for item in items for entry in (item.entries() if isinstance(item, Run) else [item])]


def sessions(store: Archive) -> list[Session | Event]:
    """Return who was connected when."""
    with open_store(store.path) as directory:
        return list_sessions(directory, Selection(), store.clock.wall())


def listed(store: Archive) -> list[StreamRow]:
    """Return the rows of `list`, but for how it is stored."""
    with open_store(store.path) as directory:
        return [row._replace(room=0, sealed=0, compressed=0) for row in list_streams(directory)]


@pytest.mark.parametrize("tier", TIERS)
def test_a_sealed_stream_reads_as_it_did(archive: Archive, tier: str) -> None:
    """Lines, notes, sessions and the row of `list` are the same before the seal and after it, in each tier."""
    before = shown(archive), sessions(archive), listed(archive)
    assert len([entry for entry in before[0] if entry.kind == Kind.LINE]) == 120
    archive.seal(tier=tier)
    assert [path.name for path in sorted(archive.sealed().iterdir())] == [
        f"0000000{number}.{end}" for number in (1, 2) for end in (f"log{tier}", "manifest")
    ]
    assert (shown(archive), sessions(archive), listed(archive)) == before


@pytest.mark.parametrize("tier", TIERS)
def test_any_span_of_time_reads_as_it_did(archive: Archive, tier: str) -> None:
    """Since and until cut at the same records, wherever they fall in blocks."""
    times = sorted({entry.time for entry in shown(archive)})
    spans = [
        (times[at], times[at + width])
        for at in range(0, len(times), 7)
        for width in (0, 1, 30)
        if at + width < len(times)
    ]
    before = [shown(archive, Selection(since=since, until=until, notes=True)) for since, until in spans]
    archive.seal(tier=tier)
    for (since, until), expected in zip(spans, before, strict=True):
        assert shown(archive, Selection(since=since, until=until, notes=True)) == expected


@pytest.mark.parametrize("tier", TIERS)
def test_a_reader_goes_on_over_a_seal(archive: Archive, tier: str) -> None:
    """Who read into a live segment goes on in the sealed one where it stopped: nothing twice, nothing lost."""
    with open_store(archive.path) as directory:
        reader = StreamReader(View(directory), "work", "main")
        found = one_by_one(reader.read())
        archive.log(b"more")
        archive.roll()
        archive.log(b"and more")
        archive.seal(tier=tier)
        assert not [path for path in archive.directory().glob("*.log") if path.name != "00000004.log"]
        found += one_by_one(reader.read())
        found += one_by_one(reader.read())
    assert found == shown(archive)
    assert [entry.number for entry in found] == list(range(len(found)))


def test_a_segment_in_both_places_is_read_once(archive: Archive) -> None:
    """A crash between the seal and the removal from live/ leaves the same segment twice."""
    before = shown(archive), sessions(archive), listed(archive)
    live = {path.name: path.read_bytes() for path in archive.directory().glob("00000001.*")}
    archive.seal()
    for name, data in live.items():
        (archive.directory() / name).write_bytes(data)
    assert (shown(archive), sessions(archive), listed(archive)) == before


def test_a_manifest_without_text_leaves_the_live_one(archive: Archive) -> None:
    """A text that is not there, where the live one is: that is shown."""
    before = shown(archive)
    live = {path.name: path.read_bytes() for path in archive.directory().glob("00000001.*")}
    archive.seal()
    archive.text().unlink()
    assert [entry.kind for entry in shown(archive)].count(Kind.GAP) == 1
    for name, data in live.items():
        (archive.directory() / name).write_bytes(data)
    assert shown(archive) == before


@pytest.mark.parametrize("tier", TIERS)
def test_a_changed_block_is_a_gap_and_the_next_goes_on(archive: Archive, tier: str) -> None:
    """Nothing of a block that was changed is shown; what is before and behind it is, with the same numbers."""
    before = {entry.number: entry for entry in shown(archive)}
    archive.seal(tier=tier)
    data = bytearray(archive.text().read_bytes())
    data[len(data) // 2] ^= 1
    archive.text().chmod(0o640)
    archive.text().write_bytes(data)
    after = shown(archive)
    (gap,) = [entry for entry in after if entry.kind == Kind.GAP]
    with open_directory(archive.sealed()) as sealed:
        manifest = read_manifest(sealed, 1)
    bad = next(block for block in manifest.blocks if before[_first(manifest, block)] not in after)
    first = _first(manifest, bad)
    assert gap.untrusted_payload.startswith(b"segment 1, records %d to %d: " % (first, first + bad.records - 1))
    left = [entry for entry in after if entry.kind != Kind.GAP]
    assert left == [entry for number, entry in before.items() if not first <= number < first + bad.records]
    assert [row for row in sessions(archive) if isinstance(row, Event) and row.kind == Kind.GAP]


def _first(manifest: Manifest, wanted: Block) -> int:
    return manifest.first + sum(block.records for block in manifest.blocks if block.offset < wanted.offset)


@pytest.mark.parametrize("tier", TIERS)
def test_lines_in_parts_over_blocks_are_joined(tmp_path: Path, tier: str) -> None:
    """A line that is longer than a block comes out whole."""
    store = Archive.make(tmp_path / "store")
    writer = store.open()
    writer.start_session(os.urandom(8), "logchain.Append")
    long = os.urandom(MAX_PART // 2).hex().encode()
    for _ in range(5):
        writer.append(PART, [long], store.clock.wall())
    writer.append(LINE, [b"end"], store.clock.wall())
    writer.roll("size")
    writer.close()
    store.seal(block_size=128 << 10, tier=tier)
    (line,) = [entry for entry in shown(store) if entry.kind == Kind.LINE]
    assert line.untrusted_payload == 5 * long + b"end"
    assert len(line.untrusted_payload) < MAX_JOINED


def test_what_was_evicted_is_a_note_and_no_gap(archive: Archive) -> None:
    """Segments that went on purpose are told of at the time at which the next begins, and `show` exits with 0."""
    archive.seal()
    second = next(entry for entry in shown(archive) if entry.untrusted_payload.startswith(b"segment") and entry.number)
    archive.evict(1)
    entries = shown(archive)
    assert entries[0] == Entry(
        second.time, "work", "main", 0, Kind.NOTE, b"evicted segments=1 reason=quota verified=no"
    )
    assert entries[1] == second
    assert not [entry for entry in entries if entry.kind == Kind.GAP]
    told = sessions(archive)[0]
    assert isinstance(told, Event)
    assert told.untrusted_text == entries[0].untrusted_payload
    archive.delete(2)
    assert [entry.untrusted_payload for entry in shown(archive)[:2]] == [
        b"evicted segments=1 reason=quota verified=no",
        b"deleted segments=2 verified=no",
    ]
    row = listed(archive)[0]
    assert (row.segments, row.state) == (1, "open")
    assert row.records == archive.state().next_number - archive.state().first
    since = Selection(since=entries[-1].time, notes=True)
    assert not [entry for entry in shown(archive, since) if entry.untrusted_payload.startswith(b"evicted")]


def test_a_stream_of_which_all_went_is_not_damaged(archive: Archive) -> None:
    """A stream that was silent until the last of it was evicted."""
    archive.roll()
    archive.seal()
    archive.evict(1, 2, 3)
    (row,) = listed(archive)
    assert (row.segments, row.records, row.size, row.first, row.state) == (0, 0, 0, 0, "closed")
    (note,) = shown(archive)
    assert note.untrusted_payload == b"evicted segments=1-3 reason=quota verified=no"
    assert len(sessions(archive)) == 1


def test_what_was_removed_by_hand_is_a_gap(archive: Archive) -> None:
    """No entry of the ledger speaks of it."""
    archive.seal()
    for path in archive.sealed().glob("00000001.*"):
        path.unlink()
    entries = shown(archive)
    assert entries[0].kind == Kind.GAP
    assert entries[0].untrusted_payload == b"segment 1 is missing"


def test_a_stream_whose_key_state_is_lost_shows_what_is_sealed(archive: Archive) -> None:
    """And says that the rest cannot be read."""
    archive.seal()
    (archive.directory() / "ratchet").unlink()
    entries = shown(archive)
    assert len([entry for entry in entries if entry.kind == Kind.LINE]) == 80
    assert entries[-1].untrusted_payload.startswith(b"the key state cannot be read")
    assert listed(archive)[0].state == "damaged"
    assert [row for row in sessions(archive) if isinstance(row, Event) and row.kind == Kind.GAP]


def test_formats_take_what_is_told(archive: Archive) -> None:
    """A note of what went passes through every output."""
    archive.seal()
    archive.evict(1)
    for form in ("short", "raw", "json"):
        out = io.BytesIO(formatted(form, shown(archive)))
        if form == "json":
            assert json.loads(out.readline())["message"].startswith("evicted")


# the file itself, in the hands of somebody who means harm


@pytest.fixture
def sealed(archive: Archive) -> Iterator[Directory]:
    """The directory of the sealed segments."""
    archive.seal(tier=".lz4")
    with open_directory(archive.sealed()) as directory:
        yield directory


def test_the_head_of_a_manifest_is_read_alone(sealed: Directory) -> None:
    """It says the same as the whole."""
    manifest = read_manifest(sealed, 2)
    assert peek(sealed, 2) == (
        manifest.stream_id,
        2,
        manifest.records,
        manifest.first,
        manifest.first_time,
        manifest.last_time,
        manifest.size,
    )


@pytest.mark.parametrize(
    "data", [b"", b"logchain manifest v1\n", b"x" * 5000, b"logchain manifest v1\nstore " + b"\0" * 99]
)
def test_no_manifest_is_refused(sealed: Directory, data: bytes) -> None:
    """Before anything is made of it."""
    path = Path(sealed.path, "00000001.manifest")
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(FormatError):
        peek(sealed, 1)
    with pytest.raises(FormatError):
        read_manifest(sealed, 1)


def test_a_manifest_of_another_segment_is_refused(sealed: Directory) -> None:
    """Two manifests that were swapped."""
    one, two = (Path(sealed.path, f"0000000{number}.manifest") for number in (1, 2))
    one.unlink()
    two.rename(one)
    with pytest.raises(FormatError, match="another segment"):
        read_manifest(sealed, 1)


def read_text(sealed: Directory, manifest: Manifest) -> list[bytes | BadBlock]:
    """Return the blocks of a text."""
    with open_sealed(sealed, manifest) as text:
        return list(text.blocks())


def bomb(size: int, tier: str, told: int) -> bytes:
    """Return a frame or stream of zeros that says to hold less than it does."""
    if tier == ".lz4":
        data: bytes = lz4.frame.compress(
            bytes(size), block_size=lz4.frame.BLOCKSIZE_MAX1MB, block_linked=False, content_checksum=True
        )
        return data[:6] + told.to_bytes(8, "little") + data[14:]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 10}]
    return lzma.compress(bytes(size), lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)


@pytest.mark.parametrize("tier", TIERS[1:])
def test_a_bomb_takes_no_memory(archive: Archive, tier: str) -> None:
    """A file that unpacks to 512 MiB where a block of 256 bytes should be."""
    archive.seal(tier=tier)
    path = archive.text()
    with open_directory(archive.sealed()) as sealed:
        manifest = read_manifest(sealed, 1)
        data = bomb(512 << 20, tier, manifest.blocks[0].size)
        path.unlink()
        path.write_bytes(data)
        tracemalloc.start()
        found = read_text(sealed, manifest)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert all(isinstance(block, BadBlock) for block in found)
    assert len(found) == len(manifest.blocks)
    assert peak < 4 * MAX_BLOCK


def test_a_block_that_unpacks_to_more_is_refused() -> None:
    """A frame whose header tells the truth about everything but what it holds."""
    data: bytes = lz4.frame.compress(bytes(100_000), content_checksum=True)
    for size in (1, 99_999):
        with pytest.raises(FormatError, match="more or less"):
            _decompress(".lz4", data, size)
    with pytest.raises(FormatError, match="more or less"):
        _decompress(".lz4", data[:-9], 100_000)
    with pytest.raises(FormatError, match="cannot be decompressed"):
        _decompress(".lz4", b"\x04\x22\x4d\x18" + data[9:], 100_000)
    with pytest.raises(FormatError, match="cannot be decompressed"):
        _decompress(".xz", b"\xfd7zXZ\x00" + bytes(99), 100_000)
    assert len(_decompress(".lz4", data, 100_000)) == 100_000


@pytest.mark.parametrize("size", [0, 1, 100, -1, -100])
@pytest.mark.parametrize("tier", TIERS)
def test_a_file_of_another_size_gives_out_what_is_whole(archive: Archive, tier: str, size: int) -> None:
    """Cut, or with something behind it: what is given out is what the manifest says, and nothing else."""
    archive.seal(tier=tier)
    path = archive.text()
    data = path.read_bytes()
    with open_directory(archive.sealed()) as sealed:
        manifest = read_manifest(sealed, 1)
        good = read_text(sealed, manifest)
        path.unlink()
        path.write_bytes(data[:size] if size <= 0 else data + bytes(size))
        found = read_text(sealed, manifest)
        with open_sealed(sealed, manifest) as text:
            assert text.misfit
    assert len(found) == len(good)
    assert all(new == old or isinstance(new, BadBlock) for new, old in zip(found, good, strict=True))
    if not tier:
        assert sum(isinstance(block, BadBlock) for block in found) == (0 if size > 0 else len(good) if not size else 1)


def test_a_whole_text_goes_before_one_that_is_not(archive: Archive) -> None:
    """Where two tiers are there, the first that has the right size."""
    archive.seal()
    plain = archive.text()
    data = plain.read_bytes()
    archive.compress(".lz4")
    with open_directory(archive.sealed()) as sealed:
        manifest = read_manifest(sealed, 1)
        for wrong, tier in ((data, ""), (data[:-1], ".lz4"), (b"", ".lz4")):
            plain.write_bytes(wrong)
            with open_sealed(sealed, manifest) as text:
                assert text.tier == tier
                assert not text.misfit
                assert not any(isinstance(block, BadBlock) for block in text.blocks())
            plain.unlink()


@pytest.mark.parametrize("tier", TIERS)
def test_no_link_or_device_is_followed(archive: Archive, tmp_path: Path, tier: str) -> None:
    """A link to the very bytes, a FIFO, a directory."""
    archive.seal(tier=tier)
    path = archive.text()
    elsewhere = path.rename(tmp_path / "elsewhere")
    with open_directory(archive.sealed()) as sealed:
        manifest = read_manifest(sealed, 1)
        path.symlink_to(elsewhere)
        with pytest.raises(OddFile), open_sealed(sealed, manifest):
            pass
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(OddFile), open_sealed(sealed, manifest):
            pass
        path.unlink()
        path.mkdir()
        with pytest.raises(OddFile), open_sealed(sealed, manifest):
            pass
    assert [entry.kind for entry in shown(archive)].count(Kind.GAP) == 1


def test_a_block_that_the_disk_refuses_is_bad(sealed: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO is a reason, and no end of the program."""
    with open_sealed(sealed, read_manifest(sealed, 1)) as text:

        def refuse(*_: object) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "pread", refuse)
        (bad, *_) = text.blocks()
    assert isinstance(bad, BadBlock)
    assert "Input/output error" in str(bad)
    assert isinstance(text, SealedText)


def test_the_ledger_is_not_read_for_what_is_in_one_place(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store has thousands of segments, and a long ledger: only a segment that is in both is looked up in it."""
    asked = []

    def is_sealed(_: object, __: bytes, number: int, ___: bytes) -> bool:
        asked.append(number)
        return True

    monkeypatch.setattr("logchain.read.segments.is_sealed", is_sealed)
    assert archive.seal() == [1, 2]
    with open_store(archive.path) as store, open_stream_files(store, "work", "main") as files:
        state, _ = files.try_state()
        for number in files.numbers():
            with files.open(number, state):
                pass
    assert asked == []
    (archive.directory() / "00000001.log").write_bytes(b"x")
    with (
        open_store(archive.path) as store,
        open_stream_files(store, "work", "main") as files,
        files.open(1, None) as text,
    ):
        assert isinstance(text, SealedText)
    assert asked == [1]
