"""Attacks on what is sealed, and on what was listed while it was open."""

import lzma
import os
import resource
import shutil
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import lz4.frame
import pytest

from logchain.format.keystate import RATCHET_MAGIC, format_keystate
from logchain.format.ledger import Seal, entry_key_name
from logchain.format.manifest import Manifest, format_manifest, parse_manifest
from logchain.format.signed_note import parse_note, sign
from logchain.format.slots import WIPED, format_slot
from logchain.format.tags import format_tags
from logchain.read.verify import Verdict
from tests.attacks.pinned import Pinned, copy, make_template, session

TIERS = {1: "", 2: ".lz4", 3: ".xz"}  # of the sealed segments of work/main


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that every test gets a copy of."""
    store = make_template(tmp_path_factory.mktemp("template") / "store")
    assert store.report().verdict == Verdict.INTACT
    return store


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of a store that is intact."""
    store = copy(template, tmp_path / "store")
    assert store.damage() == store.damage(audited=True) == []
    return store


def manifest(store: Pinned, number: int) -> Manifest:
    """Return a manifest of work/main."""
    data = (store.sealed() / f"{number:08}.manifest").read_bytes()
    return parse_manifest(parse_note(data, 1 << 20, 1).text)


@pytest.mark.parametrize("number", TIERS)
def test_a_bit_flip_in_each_byte_of_a_text_is_found(store: Pinned, number: int) -> None:
    """In each tier, headers, checksums and padding of compressed forms included.

    But for one that leaves what is unpacked as it was: how a text is stored is nobody's signature.
    """
    path = store.text(number)
    good = path.read_bytes()
    text = _unpacked(good, TIERS[number])
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 8
        with store.changed(path, bytes(bad)):
            found = store.damage()
        assert found or _unpacked(bytes(bad), TIERS[number]) == text, f"byte {place} of {path.name}"
        assert all(text.startswith(f"{number}:") for text in found), found
    assert not store.damage()


def _unpacked(data: bytes, tier: str) -> bytes:
    if tier == ".lz4":
        unpacked: bytes = lz4.frame.decompress(data)
        return unpacked
    return lzma.decompress(data) if tier else data


def test_a_bad_block_is_named_and_the_rest_is_good(store: Pinned) -> None:
    """Which records, received when; all others are still as they were sealed."""
    path, found = store.text(1), manifest(store, 1)
    bad = found.blocks[1]
    data = bytearray(path.read_bytes())
    data[bad.offset + 40] ^= 1
    with store.changed(path, bytes(data)):
        (text,) = store.damage()
        first = found.blocks[0].records
        assert text.startswith(f"1:{first}:None records {first} to {first + bad.records - 1}, received 2026-11-23T")
        report = next(stream for stream in store.report().streams if stream.vm == "work")
        assert report.sealed == sum(manifest(store, number).records for number in TIERS) - bad.records


def test_a_bit_flip_in_each_byte_of_a_manifest_is_found(store: Pinned) -> None:
    """And the segment is no part of what is good."""
    path = store.sealed() / "00000002.manifest"
    good = path.read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 8
        with store.changed(path, bytes(bad)):
            assert any(text.startswith("2:") for text in store.damage()), f"byte {place}"


@pytest.mark.parametrize("number", TIERS)
@pytest.mark.parametrize("what", ["text", "manifest"])
def test_every_truncation_is_found(store: Pinned, number: int, what: str) -> None:
    """A file cut at any place, and one that goes on."""
    path = store.text(number) if what == "text" else store.sealed() / f"{number:08}.manifest"
    good = path.read_bytes()
    for size in range(0, len(good), 7):
        with store.changed(path, good[:size]):
            assert store.damage(), f"{path.name} cut to {size} bytes"
    for more in (b"\n", bytes(4), good):
        with store.changed(path, good + more):
            assert store.damage(), f"{path.name} with {more[:9]!r} behind it"


@pytest.mark.parametrize("number", TIERS)
@pytest.mark.parametrize("which", ["text", "manifest", "both"])
def test_a_removed_file_is_found(store: Pinned, number: int, which: str) -> None:
    """The first, one in the middle, the last."""
    if which != "manifest":
        store.text(number).unlink()
    if which != "text":
        (store.sealed() / f"{number:08}.manifest").unlink()
    assert any(text.startswith(f"{number}:") for text in store.damage())
    assert store.damage(vm="vault")  # whichever qube is asked for
    assert store.damage(pinned=False)


def test_swapped_and_renamed_segments_are_found(store: Pinned) -> None:
    """Texts, manifests, or both, under each other's number; one under a number that is free."""
    for ends in (("log", "log.lz4"), ("manifest", "manifest")):
        one, two = (store.sealed() / f"0000000{number}.{end}" for number, end in zip((1, 2), ends, strict=True))
        third = store.sealed() / "third"
        one.rename(third)
        two.rename(one)
        third.rename(two)
        assert store.damage(), ends
    for path in list(store.sealed().iterdir()):
        path.rename(path.with_name(path.name.replace("00000003", "00000007")))
    assert any("7:" in text and "the ledger does not name it" in text for text in store.damage())


def test_duplicated_files_are_found(store: Pinned) -> None:
    """A segment under a second number, a text alone, a segment in another stream."""
    for name in ("00000001.log", "00000001.manifest"):
        shutil.copy(store.sealed() / name, store.sealed() / name.replace("1", "9"))
        assert any(text.startswith("9:") for text in store.damage()), name
    for name in ("00000009.log", "00000009.manifest"):
        (store.sealed() / name).unlink()
    assert not store.damage()
    for name in ("00000001.log", "00000001.manifest"):
        shutil.copy(store.sealed() / name, store.sealed("vault") / name)
    assert any("another stream's id" in text or "there twice" in text for text in store.damage())


def test_two_streams_under_each_others_names_are_found(store: Pinned) -> None:
    """Sealed parts alone; and with all that is live."""
    for parts in (["sealed"], ["live"]):
        for part in parts:
            one, two = store.path / part / "work", store.path / part / "vault"
            third = store.path / "third"
            one.rename(third)
            two.rename(one)
            third.rename(two)
        assert store.damage(), parts
        assert store.damage(pinned=False), parts


def test_a_segment_sealed_again_by_root_is_found(store: Pinned) -> None:
    """He has the key of now, and signs another text with it; the ledger names the manifest that was."""
    keys, name = store.keys(), entry_key_name(store.audit.store_id)
    text = store.text(1).read_bytes().replace(b"line 3", b"line 9")
    with store.changed(store.text(1), text):
        found = manifest(store, 1)
        forged = _manifest_of(found, text)
        path = store.sealed() / "00000001.manifest"
        note = sign(format_manifest(forged), name, keys.seed)
        with store.changed(path, note):
            assert any("not the one that entry" in text for text in store.damage())
            with store.ledger() as (_, ledger):
                ledger.append(Seal(forged.stream_id, 1, _sha256(note)))
            assert any("sealed twice, or out of order" in text for text in store.damage())
            assert any("not the one that entry" in text for text in store.damage())


def _manifest_of(found: Manifest, text: bytes) -> Manifest:
    blocks = tuple(
        block._replace(digest=_sha256(text[block.offset : block.offset + block.size])) for block in found.blocks
    )
    return found._replace(blocks=blocks)


def _sha256(data: bytes) -> bytes:
    return sha256(data).digest()


def test_what_was_changed_before_the_seal_is_for_the_secret(store: Pinned) -> None:
    """Root seals what he rewrote since the last list: the ledger signs it, the ratchet does not."""
    session(store, 3)
    store.roll()
    _rewrite(store, 4, b"line 2 of work", b"line 7 of work", last=True)
    store.seal()
    assert not store.damage()
    (found,) = store.damage(audited=True)
    assert found.startswith("4:")
    assert "before they were sealed" in found


def test_what_was_changed_before_the_seal_and_was_listed_is_found(store: Pinned) -> None:
    """The same, below the last list: the ledger's public key is enough, and stays so once it is sealed."""
    session(store, 3)
    store.list_heads()
    store.roll()
    _rewrite(store, 4, b"line 2 of work", b"line 7 of work", last=True)
    assert any("are not what was listed" in text for text in store.damage())
    store.seal()
    for tier in ("", ".lz4"):
        if tier:
            store.compress(tier)
        assert any(text.startswith("4:") and "are not what was listed" in text for text in store.damage())


def _rewrite(store: Pinned, number: int, old: bytes, new: bytes, *, last: bool = False) -> None:
    """Change a live segment's text, where its length stays the same and tags need not change."""
    path = store.directory() / f"{number:08}.log"
    data = path.read_bytes()
    place = data.rfind(old) if last else data.find(old)
    assert place >= 0
    path.write_bytes(data[:place] + new + data[place + len(old) :])


def test_an_open_segment_rewritten_below_its_list_is_found(store: Pinned) -> None:
    """Text of the same length; a tag; records cut off with a key state made to fit; the segment as a whole."""
    directory = store.directory()
    saved = {path: path.read_bytes() for path in directory.glob("0*")} | {
        directory / "ratchet": (directory / "ratchet").read_bytes()
    }
    _rewrite(store, 4, b"line 2", b"line 7")
    assert any("are not what was listed" in text for text in store.damage())
    for path, data in saved.items():
        path.write_bytes(data)
    assert not store.damage()

    log, tags, state = directory / "00000004.log", directory / "00000004.tags", store.state()
    entries = tags.read_bytes()
    tags.write_bytes(entries[:-32] + bytes(32))
    (directory / "ratchet").write_bytes(_slots(state._replace(tag=bytes(32))))
    assert any("are not what was listed" in text for text in store.damage())

    records = log.read_bytes().split(b"\n")[:-2]
    ends = [sum(len(record) + 1 for record in records[: count + 1]) for count in range(len(records))]
    tag = entries[40 * len(records) - 32 : 40 * len(records)]
    log.write_bytes(b"".join(record + b"\n" for record in records))
    tags.write_bytes(entries[: 40 * len(records)])
    assert tags.read_bytes()[-40:] == format_tags([ends[-1]], [tag])
    short = state._replace(records=len(records), end=ends[-1], tag=tag)
    (directory / "ratchet").write_bytes(_slots(short))
    assert any("are not what was listed" in text for text in store.damage())

    log.unlink()
    tags.unlink()
    (directory / "ratchet").write_bytes(_slots(short._replace(segment=3)))
    assert any("it was listed, and is gone" in text for text in store.damage())


def _slots(state: object) -> bytes:
    return format_slot(RATCHET_MAGIC, 99, format_keystate(state)) + WIPED  # type: ignore[arg-type]


def test_a_removed_stream_is_found(store: Pinned) -> None:
    """All of one that was sealed; one that was only listed; one that nobody but `births` knows."""
    for vm, part, words in (
        ("vault", "live", "key state is lost"),
        ("vault", "sealed", "is gone, with a segment that was sealed"),
        ("work", "sealed", "its manifest is gone"),
        ("new", "live", "births are missing"),
    ):
        shutil.copytree(store.path / part / vm, store.path / "kept")
        shutil.rmtree(store.path / part / vm)
        found = store.damage()
        if (vm, part) == ("vault", "sealed"):
            assert any("its manifest is gone" in text for text in found)
            shutil.move(store.path / "live" / vm, store.path / "other")
            assert any(words in text for text in store.damage())
            assert any("was listed, and is gone" in text for text in store.damage())
            assert any("which birth" in text for text in store.damage())
            shutil.move(store.path / "other", store.path / "live" / vm)
        else:
            assert any(words in text for text in found), found
        shutil.move(store.path / "kept", store.path / part / vm)
    assert not store.damage()


def test_what_is_left_of_a_removal_is_no_damage(store: Pinned) -> None:
    """A crash between the entry and the files: they are told of, and do not count."""
    kept = {path.name: path.read_bytes() for path in store.sealed().glob("00000001.*")}
    store.evict(1)
    assert store.report().verdict == Verdict.INTACT
    before = store.report().records
    for name, data in kept.items():
        (store.sealed() / name).write_bytes(data)
        assert not store.damage()
        assert store.report().records == before
    assert any("it went on purpose, and is still there" in text for text in store.notices())


def test_what_is_left_of_a_seal_is_no_damage(store: Pinned) -> None:
    """Crashes before the entry, with text or manifest in sealed/ already; and behind it, with the live one left."""
    session(store, 3)
    store.roll()
    live = {path: path.read_bytes() for path in store.directory().glob("00000004.*")}
    keys = {path: path.read_bytes() for path in [*(store.path / "keys").iterdir(), *_files(store.path / "ledger")]}
    records = store.report().records
    store.seal()
    for path, data in live.items():
        path.write_bytes(data)
    assert not store.damage(audited=True)
    assert "4:None:None it is still in live/ too: a crash left it; the sealed one counts" in store.notices()
    for path in _files(store.path / "ledger"):
        path.unlink()
    for path, data in keys.items():
        path.write_bytes(data)
    assert not store.damage(audited=True)
    assert "4:None:None it is not sealed yet: that is under way, or a crash left it" in store.notices()
    assert store.report().records == records
    (store.sealed() / "00000004.manifest").unlink()
    assert not store.damage(audited=True)
    for path in live:
        path.unlink()
    assert any(text.startswith("4:") for text in store.damage())


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_two_forms_of_a_text_are_no_damage_if_both_are_good(store: Pinned) -> None:
    """A crash between a compression and the removal of what was before."""
    plain = store.text(1).read_bytes()
    store.compress(".lz4")
    path = store.sealed() / "00000001.log"
    path.write_bytes(plain)
    assert not store.damage()
    assert any("in two forms" in text for text in store.notices())
    path.write_bytes(plain[:-1] + b"x")
    assert any(text.startswith("1:") for text in store.damage())
    path.write_bytes(plain)
    lz4 = store.sealed() / "00000001.log.lz4"
    data = bytearray(lz4.read_bytes())
    data[len(data) // 2] ^= 1
    with store.changed(lz4, bytes(data)):
        assert any("second form" in text for text in store.damage())


@pytest.mark.parametrize("number", TIERS)
@pytest.mark.parametrize("odd", ["link", "fifo", "directory"])
@pytest.mark.parametrize("what", ["text", "manifest"])
def test_an_odd_file_is_damage_and_hangs_nobody(
    store: Pinned, tmp_path: Path, number: int, odd: str, what: str
) -> None:
    """A link to the very bytes, a FIFO, a directory."""
    path = store.text(number) if what == "text" else store.sealed() / f"{number:08}.manifest"
    elsewhere = path.rename(tmp_path / "elsewhere")
    if odd == "link":
        path.symlink_to(elsewhere)
    elif odd == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert any(text.startswith(f"{number}:") for text in store.damage())
    assert store.damage(audited=True)


@pytest.mark.parametrize("directory", ["sealed", "sealed/work", "sealed/work/main", "live/work"])
@pytest.mark.parametrize("odd", ["link", "fifo", "file"])
def test_an_odd_directory_is_damage(store: Pinned, tmp_path: Path, directory: str, odd: str) -> None:
    """A link to the very directory, a FIFO, a file."""
    path = store.path / directory
    elsewhere = path.rename(tmp_path / "elsewhere")
    if odd == "link":
        path.symlink_to(elsewhere)
    elif odd == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(b"x")
    assert store.damage()


BOMBS: list[Callable[[], bytes]] = [
    lambda: lz4.frame.compress(bytes(256 << 20), block_linked=False, content_checksum=True),
    lambda: lz4.frame.compress(bytes(200), content_checksum=True) * 100_000,
    lambda: b"\x04\x22\x4d\x18\x6c\x40" + (1 << 60).to_bytes(8, "little") + bytes(99),
    lambda: bytes(64 << 20),
    lambda: b"",
]


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("number", [2, 3])
def test_a_bomb_costs_nothing(store: Pinned, bomb: Callable[[], bytes], number: int) -> None:
    """Files that unpack to much, or say so, or have very many frames."""
    data = bomb()
    path = store.text(number)
    path.unlink()
    path.write_bytes(data)
    del data
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert any(text.startswith(f"{number}:") for text in store.damage())
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB


def test_a_giant_manifest_is_refused(store: Pinned) -> None:
    """Before it is read."""
    path = store.sealed() / "00000001.manifest"
    with store.changed(path, path.read_bytes() + bytes(64 << 20)):
        assert any("larger than" in text for text in store.damage())


def test_very_many_files_are_no_trouble(store: Pinned) -> None:
    """Names that could be segments, thousands of them."""
    for number in range(1000, 3000):
        (store.sealed() / f"{number:08}.manifest").touch()
        (store.sealed() / f"{number:08}.log").touch()
    began = time.monotonic()
    assert len(store.damage()) >= 2000
    assert time.monotonic() - began < 30
