"""Seals as the compressor does, and checks what came of it by the pages in docs/spec alone: no code of store/ reads."""

import lzma
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import lz4.frame

from logchain.format.checkpoint import open_checkpoint
from logchain.format.heads import parse_heads
from logchain.format.ledger import (
    NO_ENTRY,
    Birth,
    Delete,
    Entry,
    Evict,
    Forget,
    Heads,
    Seal,
    open_entry,
    open_genesis,
    split_entries,
)
from logchain.format.ledger_keys import read_ledger_keys
from logchain.format.manifest import NO_MANIFEST, Manifest, open_manifest
from logchain.format.merkle import leaf_hash, root
from logchain.format.record import LINE, NOTE, parse_note, parse_record
from logchain.format.slots import SLOT_SIZE, WIPED
from logchain.store.layout import Directory, open_store
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.sealer import seal_segment
from logchain.store.segments import closed_segments
from tests.conftest import STREAM, VM, Store


def _unlz4(data: bytes) -> bytes:
    with lz4.frame.open(BytesIO(data)) as file:  # all frames: lz4.frame.decompress takes the first only
        text: bytes = file.read()
    return text


DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {".log": bytes, ".lz4": _unlz4, ".xz": lzma.decompress}


@contextmanager
def opened(store: Store) -> Iterator[tuple[Directory, Ledger]]:
    """Open a store and its ledger."""
    with open_store(store.path) as directory, open_ledger(directory, store.clock) as ledger:
        yield directory, ledger


def roll(store: Store, vm: str = VM, stream: str = STREAM) -> None:
    """Close the open segment of a stream."""
    writer = store.open(vm, stream)
    writer.roll("size")
    writer.close()


def seal(store: Store, vm: str = VM, stream: str = STREAM) -> list[Manifest]:
    """Seal what is closed of a stream."""
    with opened(store) as (directory, ledger):
        closed = closed_segments(directory, vm, stream)
        return [seal_segment(directory, ledger, vm, stream, segment) for segment in closed]


def texts(store: Store, vm: str = VM, stream: str = STREAM) -> dict[int, bytes]:
    """Return the text of each segment that is there, live or sealed; one that is both is the same in both."""
    found: dict[int, bytes] = {}
    for part in ("live", "sealed"):
        for path in sorted((store.path / part / vm / stream).glob("0*.log*")):
            text = DECOMPRESS[path.suffix](path.read_bytes())
            number = int(path.name[:8])
            assert found.setdefault(number, text) == text, path
    return dict(sorted(found.items()))


def lines(store: Store, vm: str = VM, stream: str = STREAM) -> list[bytes]:
    """Return the lines of a stream, live and sealed."""
    records = [parse_record(line) for text in texts(store, vm, stream).values() for line in text.split(b"\n")[:-1]]
    return [record.payload for record in records if record.kind == LINE]


def stored(store: Store, vm: str = VM, stream: str = STREAM) -> list[bytes]:
    """Return the lines of a stream, live and sealed, joined from their parts; what was cut is left out."""
    found, parts = list[bytes](), b""
    for text in texts(store, vm, stream).values():
        for record in map(parse_record, text.split(b"\n")[:-1]):
            if record.kind != NOTE:
                parts += record.payload
            elif parse_note(record.payload).event in ("session-start", "session-end", "recovered", "broken"):
                parts = b""
            if record.kind == LINE:
                found.append(parts)
                parts = b""
    return found


def identity(store: Store, vm: str = VM, stream: str = STREAM) -> bytes:
    """Return a stream's id."""
    return bytes.fromhex((store.directory(vm, stream) / "id").read_text().split()[-1])


def entries(store: Store) -> list[Entry]:
    """Return the ledger's entries, each signed by the key that the one before names, one chain from genesis."""
    cut, rest = split_entries((store.path / "ledger/entries").read_bytes())
    assert not rest
    found: list[Entry] = []
    previous = NO_ENTRY
    for number, data in enumerate(cut):
        entry = open_entry(data, found[-1].next) if found else open_genesis(data)[0]
        assert (entry.number, entry.previous) == (number, previous)
        assert not found or (entry.store_id == found[-1].store_id and entry.age >= found[-1].age)
        found.append(entry)
        previous = sha256(data).digest()
    assert len({entry.next for entry in found}) == len(found)
    return found


def check(store: Store) -> list[Entry]:
    """Check the ledger, its keys and checkpoint, all that is sealed and all lists; return the entries."""
    found = entries(store)
    _check_keys(store, found)
    _check_sealed(store, found)
    _check_lists(store, found)
    births = [entry.event.birth for entry in found if isinstance(entry.event, Birth)]
    assert len(set(births)) == len(births)
    assert [str(path) for path in store.path.rglob(".*")] == []  # nothing half done
    return found


def _check_keys(store: Store, found: list[Entry]) -> None:
    data = (store.path / "ledger/entries").read_bytes()
    genesis = open_genesis(split_entries(data)[0][0])[1]
    checkpoint = open_checkpoint((store.path / "ledger/checkpoint").read_bytes(), genesis.log)
    assert (checkpoint.size, checkpoint.root) == (len(found), root(map(leaf_hash, split_entries(data)[0])))
    slots = (store.path / "keys/ledger").read_bytes()
    keys = read_ledger_keys(slots)
    assert (keys.number, data[keys.offset :]) == (len(found), keys.entry)
    assert WIPED in (slots[:SLOT_SIZE], slots[SLOT_SIZE:])
    assert {path.name for path in (store.path / "keys").iterdir()} - {"compressor"} == {"ledger", "log"}


def _check_sealed(store: Store, found: list[Entry]) -> None:
    sealed: dict[tuple[bytes, int], tuple[Entry, Seal]] = {}
    gone: set[tuple[bytes, int]] = set()
    last: dict[bytes, bytes] = {}
    previous: dict[tuple[bytes, int], bytes] = {}
    for entry in found:
        match entry.event:
            case Seal() as event:
                key = event.stream_id, event.segment
                assert key not in previous, "sealed twice"
                previous[key] = last.get(event.stream_id, NO_MANIFEST)
                last[event.stream_id] = event.manifest
                sealed[key] = entry, event
            case Evict() | Delete() as event:
                assert sealed.pop((event.stream_id, event.segment))[1].manifest == event.manifest
                gone.add((event.stream_id, event.segment))
            case Forget() as event:
                sealed = {key: what for key, what in sealed.items() if key[0] != event.stream_id}
    there: set[tuple[bytes, int]] = set()
    for path in sorted((store.path / "sealed").glob("*/*/*.manifest")):
        data = path.read_bytes()
        entry, event = next(known for known in sealed.values() if known[1].manifest == sha256(data).digest())
        manifest = open_manifest(data, found[entry.number - 1].next)
        key = manifest.stream_id, manifest.segment
        assert key == (event.stream_id, event.segment)
        assert int(path.name[:8]) == manifest.segment
        assert (manifest.previous, manifest.store_id) == (previous[key], found[0].store_id)
        assert manifest.age <= entry.age
        there.add(key)
        _check_text(path, manifest)
    assert there == set(sealed)
    assert {path.name[:8] for path in (store.path / "sealed").glob("*/*/*.log*")} <= {f"{key[1]:08}" for key in there}


def _check_text(path: Path, manifest: Manifest) -> None:
    (file,) = path.parent.glob(f"{path.name[:8]}.log*")
    text = DECOMPRESS[file.suffix](file.read_bytes())
    assert len(text) == manifest.size
    assert text.count(b"\n") == manifest.records
    for block in manifest.blocks:
        cut = text[block.offset : block.offset + block.size]
        assert (sha256(cut).digest(), cut.count(b"\n")) == (block.digest, block.records)
        assert parse_record(cut.partition(b"\n")[0]).time == block.time
    assert parse_record(text.split(b"\n")[-2]).time == manifest.last_time
    assert {file.stat().st_mode & 0o777, path.stat().st_mode & 0o777} == {0o440}


def _check_lists(store: Store, found: list[Entry]) -> None:
    there: dict[tuple[bytes, int], bytes] = {}
    for stream in (store.path / "live").glob("*/*"):
        key = identity(store, stream.parent.name, stream.name)
        there |= {(key, number): text for number, text in texts(store, stream.parent.name, stream.name).items()}
    for path in (store.path / "ledger/heads").iterdir():
        event = found[int(path.name)].event
        store_id, heads = parse_heads(path.read_bytes())
        assert isinstance(event, Heads)
        assert path.stat().st_mode & 0o777 == 0o440
        assert event.digest == sha256(path.read_bytes()).digest()
        births = {entry.event.birth: entry.event.stream_id for entry in found if isinstance(entry.event, Birth)}
        assert sorted((births[birth], segment) for birth, segment in event.segments) == [head[:2] for head in heads]
        assert store_id == found[0].store_id
        for head in heads:
            text = there.get((head.stream_id, head.segment), b"")[: head.size]
            assert not text or (sha256(text).digest(), text.count(b"\n")) == (head.digest, head.records)
