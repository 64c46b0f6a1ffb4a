"""What becomes of sealed segments: compressed, evicted, deleted; never by half, and never without an entry."""

import lzma
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import lz4.frame
import pytest

from logchain.format.errors import FormatError, Full, StoreError, WriteFailed
from logchain.format.frames import lz4_frames, xz_streams
from logchain.format.identity import format_stream
from logchain.format.ledger import Delete, Evict, Forget, Seal
from logchain.format.limits import MAX_BLOCK
from logchain.format.manifest import Manifest
from logchain.store.archive import compress_segment, delete, evict, finish_removals
from logchain.store.forgetting import forget
from logchain.store.layout import Directory, open_store
from logchain.store.sealer import seal_segment
from logchain.store.tiers import compress
from tests.conftest import STREAM, VM, Store
from tests.store.sealing import check, entries, identity, lines, opened, roll, seal, texts
from tests.store.test_durable import Disk

NAMES = {"": "00000001.log", ".lz4": "00000001.log.lz4", ".xz": "00000001.log.xz"}


@pytest.fixture
def manifest(store: Store) -> Manifest:
    """The manifest of a sealed segment of several blocks."""
    store.log(*[b"%d %s" % (number, os.urandom(30).hex().encode()) for number in range(200)])
    roll(store)
    with opened(store) as (directory, ledger):
        return seal_segment(directory, ledger, VM, STREAM, 1, 2_000)


def place(store: Store) -> Path:
    """Return the directory of what is sealed."""
    return store.path / "sealed" / VM / STREAM


def there(store: Store) -> list[str]:
    """Return the names in it."""
    return sorted(path.name for path in place(store).iterdir())


def press(store: Store, tier: str, level: int = 3) -> None:
    """Compress the segment."""
    with open_store(store.path) as directory:
        compress_segment(directory, VM, STREAM, 1, tier, level)


@pytest.mark.usefixtures("unsynced")
def test_what_a_crash_left_of_a_tier_that_is_left_out(store: Store, manifest: Manifest) -> None:
    """Goes when a later tier is made: nothing else would ever remove it."""
    assert manifest.segment == 1
    (place(store) / ".00000001.log.lz4.new").write_bytes(b"begun")
    press(store, ".xz")
    assert there(store) == [NAMES[".xz"], "00000001.manifest"]


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("tiers", [[".lz4"], [".xz"], [".lz4", ".xz"], [".lz4", ".lz4"], [".xz", ".lz4"]])
def test_tier_after_tier(store: Store, manifest: Manifest, tiers: list[str]) -> None:
    """The text stays the same to every tool, block by block; a tier back there is none."""
    text = texts(store)[1]
    for tier in tiers:
        press(store, tier)
        best = max(tiers[: tiers.index(tier) + 1], key=list(NAMES).index)
        assert there(store) == sorted([NAMES[best], "00000001.manifest"])
        check(store)
        data = (place(store) / NAMES[best]).read_bytes()
        walk = lz4_frames if best == ".lz4" else xz_streams
        frames = walk(lambda offset, size: data[offset : offset + size], len(data), len(manifest.blocks))  # noqa: B023
        assert [frame.content for frame in frames] == [block.size for block in manifest.blocks]
        tool = "lz4cat" if best == ".lz4" else "xzcat"
        shown = subprocess.run([tool], input=data, stdout=subprocess.PIPE, check=True).stdout
        assert shown == text


@pytest.mark.parametrize("text", [b"x\n", os.urandom(256 << 10), bytes(256 << 10), b"x" * MAX_BLOCK])
@pytest.mark.parametrize(("tier", "level"), [(".lz4", 0), (".lz4", 12), (".xz", 0), (".xz", 9)])
def test_every_level_is_one_that_readers_take(text: bytes, tier: str, level: int) -> None:
    """Whatever the text, a block is one frame or stream as the page has it, and no larger than need be."""
    data = compress(text, tier, level)
    walk, back = (lz4_frames, lz4.frame.decompress) if tier == ".lz4" else (xz_streams, lzma.decompress)
    (frame,) = walk(lambda offset, size: data[offset : offset + size], len(data), 1)
    assert (frame.size, frame.content) == (len(data), len(text))
    assert back(data) == text


@pytest.mark.usefixtures("unsynced", "manifest")
@pytest.mark.parametrize("tier", ["", ".lz4"])
def test_a_text_that_is_not_what_its_manifest_says(store: Store, tier: str) -> None:
    """It is not compressed, for then the damage would be said to be ours; nothing changes."""
    if tier:
        press(store, tier)
    path = place(store) / NAMES[tier]
    data = path.read_bytes()
    path.chmod(0o660)
    for bad in (
        data[:-1],
        data + b"x",
        data[:700] + b"!" + data[701:],
        b"",
        data[len(data) // 2 :],
        bytes(len(data)),
        data + data,
    ):
        path.write_bytes(bad)
        before = there(store)
        for target in (".lz4", ".xz"):
            if target != tier:
                with pytest.raises(FormatError):
                    press(store, target)
        assert (there(store), path.read_bytes()) == (before, bad)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        press(store, ".xz")
    (place(store) / "00000001.manifest").unlink()
    with pytest.raises(FileNotFoundError):
        press(store, ".xz")


@pytest.mark.usefixtures("unsynced", "manifest")
@pytest.mark.parametrize("tier", [".lz4", ".xz"])
def test_what_does_not_come_back_is_not_kept(store: Store, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file that reads otherwise than it was written goes, and the old one stays."""
    real = Directory.file

    def spoil(self: Directory, name: str, flags: int = os.O_RDONLY) -> int:
        fd = real(self, name, flags)
        if name == NAMES[tier] and not flags:
            os.chmod(f"/proc/self/fd/{fd}", 0o660)
            other = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
            os.pwrite(other, b"!", os.fstat(fd).st_size - 30)
            os.close(other)
        return fd

    monkeypatch.setattr(Directory, "file", spoil)
    with pytest.raises(WriteFailed, match="did not come back"):
        press(store, tier)
    assert there(store) == ["00000001.log", "00000001.manifest"]
    monkeypatch.undo()
    press(store, tier)
    check(store)


@pytest.mark.usefixtures("manifest")
def test_no_room_for_a_tier(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there stays, and nothing else does."""
    disk = Disk(monkeypatch)
    disk.error, disk.fails = 28, lambda *call: call == ("write", ".00000001.log.xz.new") and len(disk.calls) > 3
    before = there(store)
    with pytest.raises(Full):
        press(store, ".xz")
    assert there(store) == before
    disk.fails = lambda *_: False
    press(store, ".xz")
    check(store)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("tier", ["", ".lz4", ".xz"])
def test_a_segment_goes(store: Store, manifest: Manifest, tier: str) -> None:
    """All there is of it, in whatever form; its entry names manifest and reason."""
    if tier:
        press(store, tier)
    (place(store) / ".00000001.log.xz.new").write_bytes(b"what a crash left")
    store.log(b"after")
    roll(store)
    seal(store)
    with opened(store) as (directory, ledger):
        digest = ledger.state.of(manifest.stream_id).sealed[1].manifest
        evict(directory, ledger, VM, STREAM, 1, "reserve")
        delete(directory, ledger, VM, STREAM, 2)
        for again in (1, 2, 3):
            with pytest.raises(StoreError, match="knows no sealed segment"):
                evict(directory, ledger, VM, STREAM, again, "quota")
        for stream in ("nothing", STREAM):
            with pytest.raises(StoreError, match="knows no sealed segment"):
                delete(directory, ledger, VM, stream, 1)
        with pytest.raises(FormatError):
            ledger.append(Evict(manifest.stream_id, 1, digest, "because"))
        assert ledger.usable
    assert there(store) == []
    found = [entry.event for entry in check(store)]
    assert found[-2] == Evict(manifest.stream_id, 1, digest, "reserve")
    assert isinstance(found[-1], Delete)
    assert lines(store) == []


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_segment_with_a_damaged_manifest_goes(store: Store, manifest: Manifest, damage: bytes | None) -> None:
    """The entry names the manifest that was sealed, not the one that lies there."""
    path = place(store) / "00000001.manifest"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 1, "quota")
    assert there(store) == []
    found = check(store)
    assert isinstance(found[-2].event, Seal)
    assert found[-1].event == Evict(manifest.stream_id, 1, found[-2].event.manifest, "quota")


@pytest.mark.usefixtures("unsynced")
def test_what_a_removal_left(store: Store, manifest: Manifest) -> None:
    """It goes from sealed/ when the store is next worked on. No crash leaves it in live/: that stays, for verify."""
    store.log(b"after")
    roll(store)
    live = {path: path.read_bytes() for path in store.directory().glob("0*")}
    seal(store)
    kept = live | {path: path.read_bytes() for path in place(store).iterdir()}
    with opened(store) as (directory, ledger):
        for segment in (1, 2):
            evict(directory, ledger, VM, STREAM, segment, "quota")
        assert there(store) == []
        for path, data in kept.items():
            path.write_bytes(data)
        (place(store) / "00000009.log").write_bytes(b"nobody knows")
        finish_removals(directory, ledger)
    assert there(store) == ["00000009.log"]  # for `logchain verify` to tell
    assert {path: path.read_bytes() for path in store.directory().glob("0*")} == live
    assert manifest.stream_id == identity(store)


@pytest.mark.usefixtures("unsynced")
def test_what_is_sealed_is_out_of_a_collectors_reach(store: Store, manifest: Manifest) -> None:
    """An id that it remembers, of a stream that was forgotten, removes and replaces nothing in sealed/."""
    with opened(store) as (directory, ledger):
        forget(directory, ledger, VM)
    store.log(b"kept")
    store.open().close()
    remembered = (store.directory() / "id").read_bytes()
    with opened(store) as (directory, ledger):
        forget(directory, ledger, VM)
    store.log(b"kept")
    roll(store)
    kept = (store.directory() / "00000001.log").read_bytes(), (store.directory() / "00000001.tags").read_bytes()
    seal(store)
    before = {path.name: path.read_bytes() for path in place(store).iterdir()}
    for name in (remembered, format_stream(b"s" * 32, VM, STREAM)):
        (store.directory() / "id").write_bytes(name)
        for path, data in zip(("00000001.log", "00000001.tags"), kept, strict=True):
            (store.directory() / path).write_bytes(data)
        with opened(store) as (directory, ledger):
            finish_removals(directory, ledger)
            with suppress(StoreError, FormatError):
                seal_segment(directory, ledger, VM, STREAM, 1)
        assert {path.name: path.read_bytes() for path in place(store).iterdir()} == before
    assert manifest.segment == 1


@pytest.mark.usefixtures("unsynced")
def test_finishing_leaves_the_rest(store: Store, manifest: Manifest) -> None:
    """What is sealed, what is open, and what is odd stay where they are."""
    store.log(b"after")
    (place(store) / "00000005.manifest").write_bytes(b"nonsense")
    (store.path / "sealed" / VM / "strange").mkdir()
    (store.path / "sealed" / "file").write_bytes(b"")
    with opened(store) as (directory, ledger):
        before = sorted((path, path.lstat().st_mtime_ns) for path in store.path.rglob("*"))
        finish_removals(directory, ledger)
    assert sorted((path, path.lstat().st_mtime_ns) for path in store.path.rglob("*")) == before
    assert not [entry for entry in entries(store) if isinstance(entry.event, Forget)]
    assert manifest.segment == 1


@pytest.mark.usefixtures("unsynced")
def test_a_segment_of_an_id_that_was_lost(store: Store, manifest: Manifest) -> None:
    """It can be evicted still: its manifest tells its id."""
    (store.directory() / "id").unlink()
    store.log(b"x")
    with opened(store) as (directory, ledger):
        evict(directory, ledger, VM, STREAM, 1, "quota")
        (store.directory() / "id").unlink()
    assert there(store) == []
    found = entries(store)[-1].event
    assert isinstance(found, Evict)
    assert found.stream_id == manifest.stream_id
