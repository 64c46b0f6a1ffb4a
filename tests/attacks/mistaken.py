"""What is well-formed and signed, and is of another version, another store, another stream, or another kind."""

import lzma
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import lz4.frame

from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.keystate import BIRTHS_MAGIC, RATCHET_MAGIC
from logchain.format.ledger import Config, Heads, Seal, entry_key_name, log_key_name, parse_entry
from logchain.format.ledger_keys import LEDGER_MAGIC, parse_log_key
from logchain.format.manifest import parse_manifest
from logchain.format.merkle import leaf_hash, root
from logchain.format.signed_note import parse_note, sign
from logchain.format.slots import format_slots, newest
from tests.attacks.attack import CANNOT_TELL, DAMAGED, INTACT, Attack, found, good
from tests.attacks.forged import entered, listed_with, manifest_text, seal_cut_short, sealed_as
from tests.attacks.pinned import Pinned, session
from tests.attacks.vault import Watched

__all__ = ["MISTAKEN"]


def changed(store: Watched, name: str, old: bytes, new: bytes) -> None:
    """Have other words in a file."""
    path = store.path / name
    data = path.read_bytes()
    assert old in data
    path.chmod(0o600)
    path.write_bytes(data.replace(old, new, 1))


def another(store: Watched) -> Pinned:
    """Make another store, with streams and segments of the same names and numbers."""
    other = Pinned.make(store.path.parent / "another")
    for vm in ("work", "vault"):
        for _ in range(2):
            session(other, 2, vm)
            other.roll(vm)
        other.seal(vm)
        session(other, 2, vm)
    other.list_heads()
    return other


def of_another(store: Watched, *names: str) -> None:
    """Have another store's file, or directory, in the place of this one's."""
    other = another(store)
    for name in names:
        path = store.path / name
        if path.is_dir():
            shutil.rmtree(path)
            shutil.copytree(other.path / name, path)
        else:
            path.unlink()
            shutil.copy(other.path / name, path)


def in_place(store: Watched, what: str, place: str) -> None:
    """Have one file of the store in the place of another."""
    (store.path / place).unlink()
    shutil.copy(store.path / what, store.path / place)


def segment_of_another(store: Watched, vm: str = "vault") -> None:
    """Have the open segment of another stream in the place of one's own, which has its number."""
    for ending in ("log", "tags"):
        in_place(store, f"live/{vm}/main/00000004.{ending}", f"live/work/main/00000004.{ending}")


def slots(store: Watched, name: str, magic: bytes, other: bytes) -> None:
    """Have a file of two slots of another version, checksum included."""
    path = store.path / name
    path.write_bytes(format_slots(other, newest(magic, path.read_bytes()).body))


def signed_by_log_key(store: Watched, text: bytes) -> bytes:
    """Sign anything with the key of checkpoints."""
    seed = parse_log_key((store.path / "keys" / "log").read_bytes()).seed
    return sign(text, log_key_name(store.audit.store_id), seed)


def checkpoint_text(store: Watched) -> bytes:
    """Return a checkpoint of all entries."""
    entries = store.split()
    name = log_key_name(store.audit.store_id)
    return format_checkpoint(Checkpoint(name, len(entries), root(map(leaf_hash, entries))))


def checkpoint_by_entry_key(store: Watched) -> None:
    """Sign the right checkpoint with the key of the next entry, under the log's name."""
    note = sign(checkpoint_text(store), log_key_name(store.audit.store_id), store.keys().seed)
    (store.path / "ledger/checkpoint").write_bytes(note)


def checkpoint_of_an_entry(store: Watched) -> None:
    """Sign an entry's text with the log's key, in the checkpoint's place."""
    text = parse_note(store.split()[-1], 4096, most=1).text
    (store.path / "ledger/checkpoint").write_bytes(signed_by_log_key(store, text))


def checkpoint_of_another_log(store: Watched) -> None:
    """Sign a checkpoint whose origin is another log's."""
    text = checkpoint_text(store).replace(store.audit.store_id.hex().encode(), b"66" * 16, 1)
    (store.path / "ledger/checkpoint").write_bytes(signed_by_log_key(store, text))


def manifest_by_log_key(store: Watched) -> None:
    """Seal with a manifest that the log's key signed."""
    resealed(store, lambda text, _: signed_by_log_key(store, text))


def manifest_by_older_key(store: Watched) -> None:
    """Seal with a manifest that is signed by a key of one's own, under the right name."""
    resealed(store, lambda text, name: sign(text, name, b"\x77" * 32))


def resealed(store: Watched, signed: Callable[[bytes, str], bytes]) -> None:
    """Seal segment 4 with a manifest that is signed in another way; the entry names it."""
    seal_cut_short(store)
    path = store.sealed() / "00000004.manifest"
    text = parse_note(path.read_bytes(), 1 << 20).text
    note = signed(text, entry_key_name(store.audit.store_id))
    path.chmod(0o600)
    path.write_bytes(note)
    with store.ledger() as (_, ledger):
        ledger.append(Seal(parse_manifest(text).stream_id, 4, sha256(note).digest()))
    for name in ("00000004.log", "00000004.tags"):
        (store.directory() / name).unlink()


def entry_by_log_key(store: Watched) -> None:
    """Append an entry that the log's key signed."""
    text = parse_note(store.forge(Config(bytes(32))), 4096, most=1).text
    with store.entries.open("ab") as file:
        file.write(signed_by_log_key(store, text))
    (store.path / "keys/ledger").unlink()


def entry_of_a_checkpoint(store: Watched) -> None:
    """Append a checkpoint's text as an entry."""
    entered(store, lambda _: checkpoint_text(store))


def list_as_manifest(store: Watched) -> None:
    """Seal with a list of heads as the manifest."""
    sealed_as(store, lambda _: store.lists()[-1].read_bytes())


def manifest_as_list(store: Watched) -> None:
    """List with a manifest's text in the list's place, and its hash in the entry."""
    last = [parse_entry(parse_note(data, 2048, most=1).text).event for data in store.split()]
    segments = next(event.segments for event in reversed(last) if isinstance(event, Heads))
    number, data = len(store.split()), manifest_text(store)
    (store.path / f"ledger/heads/{number:08}").write_bytes(data)
    with store.ledger() as (_, ledger):
        ledger.append(Heads(segments, sha256(data).digest()))


def replaced(path: Path, data: bytes) -> None:
    """Put other bytes into a file that is read-only."""
    path.chmod(0o600)
    path.write_bytes(data)


def packed_lz4(store: Watched, *, content_checksum: bool) -> None:
    """Compress the same text, block by block, with or without its checksum."""
    manifest = parse_manifest(parse_note((store.sealed() / "00000002.manifest").read_bytes(), 1 << 20).text)
    text, rest = b"", store.text(2).read_bytes()
    while rest:
        decoder = lz4.frame.LZ4FrameDecompressor()
        text, rest = text + decoder.decompress(rest), decoder.unused_data or b""
    frames = [
        lz4.frame.compress(
            text[block.offset : block.offset + block.size],
            compression_level=12,
            block_linked=False,
            content_checksum=content_checksum,
            store_size=True,
        )
        for block in manifest.blocks
    ]
    replaced(store.text(2), b"".join(frames))


def packed_xz(store: Watched, check: int) -> None:
    """Compress the same text, block by block, with another check."""
    manifest = parse_manifest(parse_note((store.sealed() / "00000003.manifest").read_bytes(), 1 << 20).text)
    text = lzma.decompress(store.text(3).read_bytes())
    streams = [
        lzma.compress(text[block.offset : block.offset + block.size], check=check, preset=1)
        for block in manifest.blocks
    ]
    replaced(store.text(3), b"".join(streams))


MISTAKEN = [
    *found(
        "disk",
        {
            "say that a stream's id is of another version": lambda s: changed(
                s, "live/work/main/id", b"stream v1", b"stream v2"
            ),
            "say that a key state is of a later version": lambda s: slots(
                s, "live/work/main/ratchet", RATCHET_MAGIC, b"lcratch2"
            ),
            "say that a key state is of an earlier version": lambda s: slots(
                s, "live/work/main/ratchet", RATCHET_MAGIC, b"lcratch0"
            ),
            "say that `births` is of another version": lambda s: slots(s, "births", BIRTHS_MAGIC, b"lcbirth2"),
            "say that `keys/ledger` is of another version": lambda s: slots(
                s, "keys/ledger", LEDGER_MAGIC, b"lcledgr2"
            ),
            "say that a list of heads is of another version": lambda s: changed(
                s, f"ledger/heads/{s.lists()[-1].name}", b"heads v1", b"heads v2"
            ),
            "say that the first entry is of another version": lambda s: changed(
                s, "ledger/entries", b"ledger v1", b"ledger v2"
            ),
            "put a stream's id of another store in place": lambda s: of_another(s, "live/work/main/id"),
            "put a key state of another store in place": lambda s: of_another(s, "live/work/main/ratchet"),
            "put `births` of another store in place": lambda s: of_another(s, "births"),
            "put a stream of another store in place": lambda s: of_another(s, "live/work/main", "sealed/work/main"),
            "put a sealed text of another store in place": lambda s: of_another(s, "sealed/work/main/00000001.log"),
            "put a manifest of another store in place": lambda s: of_another(s, "sealed/work/main/00000001.manifest"),
            "put the ledger of another store in place": lambda s: of_another(s, "ledger"),
            "put the checkpoint of another store in place": lambda s: of_another(s, "ledger/checkpoint"),
            "put `keys/` of another store in place": lambda s: of_another(s, "keys"),
            "put all but `format` of another store in place": lambda s: of_another(
                s, "births", "live", "sealed", "ledger", "keys"
            ),
            "put a key state of another stream in place": lambda s: in_place(
                s, "live/vault/main/ratchet", "live/work/main/ratchet"
            ),
            "put an open segment of another stream in place": segment_of_another,
            "put a key state in the place of `births`": lambda s: in_place(s, "live/work/main/ratchet", "births"),
            "put `births` in the place of a key state": lambda s: in_place(s, "births", "live/work/main/ratchet"),
            "put `births` in the place of `keys/ledger`": lambda s: in_place(s, "births", "keys/ledger"),
            "put an entry in the checkpoint's place": lambda s: (s.path / "ledger/checkpoint").write_bytes(
                s.split()[-1]
            ),
            "put a manifest in the place of a list of heads": lambda s: in_place(
                s, "sealed/work/main/00000001.manifest", f"ledger/heads/{s.lists()[-1].name}"
            ),
            "compress the same text without its checksum (LZ4)": partial(packed_lz4, content_checksum=False),
            "compress the same text without a check (xz)": lambda s: packed_xz(s, lzma.CHECK_NONE),
            "compress the same text with a weaker check (xz)": lambda s: packed_xz(s, lzma.CHECK_CRC32),
        },
    ),
    Attack(
        "disk",
        "put `format` of another store in place",
        DAMAGED,
        CANNOT_TELL,
        lambda s: of_another(s, "format"),
    ),
    *(
        Attack("disk", what, CANNOT_TELL, CANNOT_TELL, do)
        for what, do in {
            "say that the store is of a later version": lambda s: changed(s, "format", b"store v1", b"store v2"),
            "say that the store is of an earlier version": lambda s: changed(s, "format", b"store v1", b"store v0"),
        }.items()
    ),
    *found(
        "keys",
        {
            "sign a manifest whose hashes are SHA-1": lambda s: sealed_as(s, lambda t: t.replace(b"sha256:", b"sha1:")),
            "sign an entry whose hash is SHA-512": lambda s: entered(
                s, lambda t: t.replace(b"previous sha256:", b"previous sha512:")
            ),
            "sign an entry with an event of a later version": lambda s: entered(
                s, lambda t: t.replace(b"\nconfig ", b"\nprune ")
            ),
            "sign a manifest with a line of a later version": lambda s: sealed_as(
                s, lambda t: t.replace(b"\nprevious ", b"\ncodec zstd\nprevious ", 1)
            ),
            "list as another version": lambda s: listed_with(
                s, lambda *_: s.lists()[-1].read_bytes().replace(b"heads v1", b"heads v2")
            ),
            "sign a manifest with the log's key": manifest_by_log_key,
            "sign a manifest with a key of one's own": manifest_by_older_key,
            "sign an entry with the log's key": entry_by_log_key,
            "sign a list of heads as a manifest": list_as_manifest,
            "enter a manifest's text as a list of heads": manifest_as_list,
            "sign the checkpoint with the key of entries": checkpoint_by_entry_key,
            "sign an entry's text as the checkpoint": checkpoint_of_an_entry,
            "sign the checkpoint of another log": checkpoint_of_another_log,
        },
    ),
    Attack(
        "disk",
        "put the cosigned checkpoint of another store in place",
        INTACT,
        INTACT,
        lambda s: shutil.copy(another(s).path / "ledger/checkpoint", s.path / "ledger/witnessed"),
        INTACT,
    ),
    *good("keys", {"sign a checkpoint's text as an entry (told as a torn append)": entry_of_a_checkpoint}),
    *good(
        "luck",
        {"the same text is compressed in another way (LZ4)": partial(packed_lz4, content_checksum=True)},
    ),
]
