"""What is signed, and the tree over it: the vectors of note, manifest, ledger, heads and checkpoint."""

from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from logchain.format.checkpoint import Checkpoint, format_checkpoint, open_checkpoint, parse_checkpoint
from logchain.format.errors import FormatError, LogchainError, ProofError, SignatureError, StoreError, UsageError
from logchain.format.heads import format_heads, parse_heads
from logchain.format.ledger import (
    Entry,
    Restored,
    entry_key_name,
    fingerprint,
    format_entry,
    format_fingerprint,
    log_key_name,
    open_entry,
    open_genesis,
    parse_fingerprint,
    split_entries,
)
from logchain.format.ledger_keys import (
    LEDGER_MAGIC,
    LedgerKeys,
    LogKey,
    format_ledger_keys,
    format_log_key,
    parse_ledger_keys,
    parse_log_key,
)
from logchain.format.limits import MAX_CHECKPOINT, MAX_ENTRY
from logchain.format.manifest import format_manifest, open_manifest
from logchain.format.merkle import inclusion_proof, leaf_hash, root, verify_inclusion
from logchain.format.signed_note import Vkey, format_vkey, open_note, parse_note, parse_vkey, public_key, sign
from logchain.format.slots import format_slot, format_slots, parse_slot
from logchain.store.layout import Directory, open_directory
from logchain.store.ledger import open_ledger
from tests.conftest import FakeClock
from tests.format.pages import example
from tests.format.vectors import Vector, raw, vectors


class NotChained(LogchainError):
    """Two entries of which one does not follow the other: what whoever reads both has to find."""


CLASSES: dict[str, type[LogchainError]] = {
    "malformed": FormatError,
    "not signed": SignatureError,
    "not chained": NotChained,
    "not proven": ProofError,
}


def refused(vector: Vector) -> pytest.RaisesExc[LogchainError]:
    """Expect the error of a vector's class, and no other."""
    error = CLASSES[vector["class"]]
    return pytest.RaisesExc(error, check=lambda found: type(found) is error)


def signed_text(note: bytes) -> bytes:
    """Return a note's text, whoever signed it."""
    return parse_note(note, len(note)).text


@vectors("note.json", "good", "vkey")
def test_good_keys(vector: Vector) -> None:
    """A public key is its name and 32 bytes, its id follows from these, and it prints the same again."""
    found = parse_vkey(vector["vkey"])
    assert found == Vkey(vector["key_name"], raw(vector, "public"))
    assert found.key_id == raw(vector, "id")
    assert format_vkey(found) == vector["vkey"]


@vectors("note.json", "bad", "vkey")
def test_bad_keys(vector: Vector) -> None:
    """What is no public key of Ed25519, in every way to write one, is malformed."""
    with refused(vector):
        parse_vkey(vector["vkey"])


@vectors("note.json", "good", "sign")
def test_signing(vector: Vector) -> None:
    """A seed, a name and a text become these bytes, and no others."""
    seed = raw(vector, "seed")
    assert sign(raw(vector, "text"), vector["key_name"], seed) == raw(vector, "note")
    assert format_vkey(public_key(vector["key_name"], seed)) == vector["vkey"]


def open_vector(vector: Vector) -> bytes:
    """Open a note as its vector says."""
    return open_note(raw(vector, "note"), parse_vkey(vector["vkey"]), vector["bytes_max"], vector["signatures_max"])


@vectors("note.json", "good", "note")
def test_good_notes(vector: Vector) -> None:
    """A note opens with the key that signed it, whoever else did, and gives its text to the last byte."""
    assert open_vector(vector) == raw(vector, "text")


@vectors("note.json", "bad", "note")
def test_bad_notes(vector: Vector) -> None:
    """What is no note is malformed, and what its key did not sign is not signed: neither is taken for the other."""
    with refused(vector):
        open_vector(vector)


@vectors("manifest.json", "good", "manifest")
def test_good_manifests(vector: Vector) -> None:
    """A manifest says what its page says, and prints the same again."""
    found = open_manifest(raw(vector, "note"), parse_vkey(vector["vkey"]))
    assert found.store_id == raw(vector, "store")
    assert found.stream_id == raw(vector, "stream")
    numbers = (found.segment, found.birth, found.records, found.first, found.age, found.size)
    assert numbers == tuple(vector[name] for name in ("segment", "birth", "records", "first", "age", "bytes"))
    assert (found.first_time, found.last_time) == (vector["first_time_us"], vector["last_time_us"])
    assert (found.tag, found.previous) == (raw(vector, "tag"), raw(vector, "previous"))
    blocks = [[*block[:-1], f"{block.digest.hex()}"] for block in found.blocks]
    assert len(blocks) == vector.get("block_count", len(blocks))
    assert blocks == vector.get("blocks", blocks)
    assert format_manifest(found) == signed_text(raw(vector, "note"))


@vectors("manifest.json", "bad", "manifest")
def test_bad_manifests(vector: Vector) -> None:
    """A manifest that breaks one rule of its page is refused for that."""
    with refused(vector):
        open_manifest(raw(vector, "note"), parse_vkey(vector["vkey"]))


def told(value: object) -> object:
    """Return a value of an event as vectors have it."""
    if isinstance(value, Vkey):
        return format_vkey(value)
    if isinstance(value, tuple):
        return ",".join(str(one) if isinstance(one, int) else f"{one[0]}.{one[1]}" for one in value)
    return value.hex() if isinstance(value, bytes) else value


def is_what(entry: Entry, vector: Vector) -> None:
    """Assert that an entry says what its vector says."""
    assert (entry.store_id, entry.previous) == (raw(vector, "store"), raw(vector, "previous"))
    assert (entry.number, entry.time, entry.age) == (vector["index"], vector["time_us"], vector["age"])
    assert type(entry.event).__name__.lower() == vector["event"]
    assert [told(value) for value in vars(entry.event).values()] == vector["values"]
    assert format_vkey(entry.next) == vector["next"]


@vectors("ledger.json", "good", "entry")
def test_good_entries(vector: Vector) -> None:
    """An entry says what its page says, whatever happened, and prints the same again."""
    entry = open_entry(raw(vector, "note"), parse_vkey(vector["vkey"]))
    is_what(entry, vector)
    assert format_entry(entry) == signed_text(raw(vector, "note"))


@vectors("ledger.json", "bad", "entry")
def test_bad_entries(vector: Vector) -> None:
    """An entry that breaks one rule of its page is refused for that."""
    with refused(vector):
        open_entry(raw(vector, "note"), parse_vkey(vector["vkey"]))


def open_first(note: bytes, shown: str) -> Entry:
    """Open entry 0, and compare its key with a fingerprint: who reads a ledger does both."""
    entry, genesis = open_genesis(note)
    if fingerprint(genesis.key) != parse_fingerprint(shown):
        raise SignatureError("signed by a key of another fingerprint")
    return entry


@vectors("ledger.json", "good", "genesis")
def test_good_genesis(vector: Vector) -> None:
    """Entry 0 opens with nothing but the fingerprint."""
    is_what(open_first(raw(vector, "note"), vector["fingerprint"]), vector)


@vectors("ledger.json", "bad", "genesis")
def test_bad_genesis(vector: Vector) -> None:
    """Entry 0 does not open with another fingerprint, or signed by another key than the one that it names."""
    with refused(vector):
        open_first(raw(vector, "note"), vector["fingerprint"])


@vectors("ledger.json", "good", "fingerprint", "fingerprint-of")
def test_good_fingerprints(vector: Vector) -> None:
    """A fingerprint is read however a person writes it, and shown in groups of eight."""
    if vector["what"] == "fingerprint":
        assert parse_fingerprint(vector["shown"]) == vector["fingerprint_hex"]
    else:
        assert format_fingerprint(fingerprint(parse_vkey(vector["vkey"]))) == vector["shown"]


@vectors("ledger.json", "bad", "fingerprint")
def test_bad_fingerprints(vector: Vector) -> None:
    """What is no fingerprint is a mistake of the person who gave it."""
    with pytest.raises(UsageError):
        parse_fingerprint(vector["shown"])


def read_ledger(data: bytes, shown: str) -> tuple[list[bytes], Entry, bytes]:
    """Read a whole ledger: its entries, what the last says, and a torn end."""
    entries, torn = split_entries(data)
    assert b"".join([*entries, torn]) == data
    last = open_first(entries[0], shown)
    for before, note in pairwise(entries):
        entry = open_entry(note, last.next)
        if (entry.number, entry.previous) != (last.number + 1, sha256(before).digest()) or entry.age < last.age:
            raise NotChained
        last = entry
    if len(torn) >= MAX_ENTRY:
        raise FormatError("a torn end that is too long")
    return entries, last, torn


@vectors("ledger.json", "good", "entries")
def test_good_ledgers(vector: Vector) -> None:
    """A ledger is read to its last whole entry, and what is torn behind it is left out."""
    entries, last, torn = read_ledger(raw(vector, "entries"), vector["fingerprint"])
    assert (len(entries), len(torn)) == (vector["count"], vector["torn"])
    assert sha256(entries[-1]).digest() == raw(vector, "last")
    assert format_vkey(last.next) == vector["next"]


@vectors("ledger.json", "bad", "entries")
def test_bad_ledgers(vector: Vector) -> None:
    """An entry is malformed, not signed by the key that the one before names, or says what does not follow from it."""
    with refused(vector):
        read_ledger(raw(vector, "entries"), vector["fingerprint"])


@vectors("ledger.json", "good", "ledger-key")
def test_good_ledger_keys(vector: Vector) -> None:
    """The key that goes on, and the entry that names it, are those that the page says, and print the same again."""
    body = raw(vector, "front") + raw(vector, "entry")
    keys = parse_ledger_keys(body)
    assert keys[:3] == (vector["index"], vector["offset"], vector["age"])
    assert keys[3:6] == (raw(vector, "boot"), vector["running"], raw(vector, "seed"))
    assert keys.entry == raw(vector, "entry")
    assert format_ledger_keys(keys) == body


@vectors("ledger.json", "bad", "ledger-key")
def test_bad_ledger_keys(vector: Vector) -> None:
    """A body whose numbers, entry and seed do not belong together is refused."""
    with refused(vector):
        parse_ledger_keys(raw(vector, "front") + raw(vector, "entry"))


@vectors("ledger.json", "good", "slot")
def test_good_slots(vector: Vector) -> None:
    """A slot of `keys/ledger` has its own magic."""
    assert format_slot(LEDGER_MAGIC, vector["generation"], raw(vector, "body")) == raw(vector, "slot")


@vectors("ledger.json", "bad", "slot")
def test_bad_slots(vector: Vector) -> None:
    """A slot of another file is none of `keys/ledger`."""
    with refused(vector):
        parse_slot(LEDGER_MAGIC, 0, raw(vector, "slot"))


@vectors("ledger.json", "good", "log-key")
def test_good_log_keys(vector: Vector) -> None:
    """The file of the log's key gives store and seed, and prints the same again."""
    found = parse_log_key(raw(vector, "text"))
    assert found == LogKey(raw(vector, "store"), raw(vector, "seed"))
    assert format_vkey(public_key(log_key_name(found.store_id), found.seed)) == vector["vkey"]
    assert format_log_key(found) == raw(vector, "text")


@vectors("ledger.json", "bad", "log-key")
def test_bad_log_keys(vector: Vector) -> None:
    """A file of the log's key that is not canonical is refused."""
    with refused(vector):
        parse_log_key(raw(vector, "text"))


GENESIS = example("ledger.md", 1)
ENTRY_SEEDS = [bytes([place]) * 32 for place in (1, 2, 3)]  # of the keys that sign entries 0, 1 and 2
LOG_SEED = bytes(range(32))


FIRST = open_genesis(GENESIS)[0]
KEY_NAME = entry_key_name(FIRST.store_id)


def ledger_of(path: Path, stands: bytes, entry: bytes, boot: bytes = bytes(16), running: int = 0) -> Directory:
    """Make all that a store's ledger is: entry 0, what stands behind it, and the key behind the entry that is to."""
    age = open_entry(entry, public_key(KEY_NAME, ENTRY_SEEDS[1])).age
    keys = LedgerKeys(2, len(GENESIS), age, boot, running, ENTRY_SEEDS[2], entry)
    for directory in ("ledger/heads", "keys"):
        (path / directory).mkdir(parents=True)
    (path / "ledger/entries").write_bytes(GENESIS + stands)
    (path / "keys/ledger").write_bytes(format_slots(LEDGER_MAGIC, format_ledger_keys(keys)))
    (path / "keys/log").write_bytes(format_log_key(LogKey(FIRST.store_id, LOG_SEED)))
    return open_directory(path)


@vectors("ledger.json", "good", "recovery")
def test_recovery(tmp_path: Path, vector: Vector) -> None:
    """However much of an entry was appended, the rest of it is, and nothing else."""
    entry, stands = raw(vector, "entry"), raw(vector, "stands")
    with ledger_of(tmp_path, stands, entry) as store, open_ledger(store, FakeClock()):
        assert (tmp_path / "ledger/entries").read_bytes() == GENESIS + stands + raw(vector, "append")


@vectors("ledger.json", "bad", "recovery")
def test_no_recovery(tmp_path: Path, vector: Vector) -> None:
    """What is not the beginning of the entry is refused, and left as it is."""
    entry, stands = raw(vector, "entry"), raw(vector, "stands")
    with ledger_of(tmp_path, stands, entry) as store, pytest.raises(StoreError):
        open_ledger(store, FakeClock())
    assert (tmp_path / "ledger/entries").read_bytes() == GENESIS + stands


@vectors("ledger.json", "good", "age-now")
def test_the_age_now(tmp_path: Path, vector: Vector) -> None:
    """The age goes on with the boot clock, from nothing in another boot."""
    behind = FIRST._replace(
        number=1,
        age=vector["age"],
        previous=sha256(GENESIS).digest(),
        event=Restored(1),
        next=public_key(KEY_NAME, ENTRY_SEEDS[2]),
    )
    entry = sign(format_entry(behind), KEY_NAME, ENTRY_SEEDS[1])
    clock = FakeClock(up=vector["now"], boot=raw(vector, "boot_now"))
    store = ledger_of(tmp_path, entry, entry, raw(vector, "boot"), vector["running"])
    with store, open_ledger(store, clock) as ledger:
        assert ledger.age() == vector["age_now"]


@vectors("heads.json", "good", "heads")
def test_good_heads(vector: Vector) -> None:
    """A list says what its page says, prints the same again, and is what `heads` in the ledger says of it."""
    data = raw(vector, "text")
    store_id, heads = parse_heads(data)
    assert store_id == raw(vector, "store")
    found = [[head.stream_id.hex(), *head[1:4], head.tag.hex(), head.digest.hex()] for head in heads]
    assert found == vector.get("heads", found)
    assert sha256(data).hexdigest() == vector["sha256"]
    assert format_heads(store_id, heads) == data


@vectors("heads.json", "bad", "heads")
def test_bad_heads(vector: Vector) -> None:
    """A list that breaks one rule of its page is refused for that."""
    with refused(vector):
        parse_heads(raw(vector, "text"))


def checkpoint_of(vector: Vector) -> Checkpoint:
    """Open a checkpoint as the store's own, or as that of any log."""
    note, vkey = raw(vector, "note"), parse_vkey(vector["vkey"])
    return open_checkpoint(note, vkey) if vector["own"] else parse_checkpoint(open_note(note, vkey, MAX_CHECKPOINT))


@vectors("checkpoint.json", "good", "checkpoint")
def test_good_checkpoints(vector: Vector) -> None:
    """A checkpoint says what its page says, and prints the same again."""
    found = checkpoint_of(vector)
    assert (found.origin, found.size, found.root) == (vector["origin"], vector["size"], raw(vector, "root"))
    assert list(found.extensions) == vector.get("further", list(found.extensions))
    length = sum(len(line.encode()) for line in found.extensions)
    assert length == vector.get("further_bytes", length)
    assert format_checkpoint(found) == signed_text(raw(vector, "note"))


@vectors("checkpoint.json", "bad", "checkpoint")
def test_bad_checkpoints(vector: Vector) -> None:
    """A checkpoint that breaks one rule of its page is refused for that."""
    with refused(vector):
        checkpoint_of(vector)


def hashes(vector: Vector) -> list[bytes]:
    """Return the hashes of a vector's leaves."""
    return [leaf_hash(bytes.fromhex(leaf)) for leaf in vector["leaves_hex"]]


@vectors("checkpoint.json", "good", "root")
def test_roots(vector: Vector) -> None:
    """The root over leaves is that of RFC 6962."""
    assert root(hashes(vector)) == raw(vector, "root")


@vectors("checkpoint.json", "good", "proof")
def test_proofs(vector: Vector) -> None:
    """The proof of a leaf is that of RFC 6962, lowest sibling first."""
    found = inclusion_proof(vector["index"], hashes(vector))
    assert [sibling.hex() for sibling in found] == vector["proof_hex"]


def verify_vector(vector: Vector) -> None:
    """Verify a proof as its vector says."""
    proof = [bytes.fromhex(sibling) for sibling in vector["proof_hex"]]
    leaf = leaf_hash(raw(vector, "leaf"))
    verify_inclusion(leaf, vector["index"], vector["size"], proof, raw(vector, "root"))


@vectors("checkpoint.json", "good", "inclusion")
def test_good_inclusions(vector: Vector) -> None:
    """A proof leads from its leaf to the root, in trees of any size."""
    assert leaf_hash(raw(vector, "leaf")) == raw(vector, "leaf_hash")
    verify_vector(vector)


@vectors("checkpoint.json", "bad", "inclusion")
def test_bad_inclusions(vector: Vector) -> None:
    """A proof for another leaf, place or root, or with a hash too few or too many, is not proven."""
    with refused(vector):
        verify_vector(vector)
