"""The verifier that was written from the pages alone, and what it makes of each kind of test vector."""

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace
from typing import Any

from tests.docs.pages import ROOT

__all__ = ["PROGRAM", "READERS", "minimal"]

PROGRAM = ROOT / "examples" / "verify_minimal.py"


def _load() -> Any:
    spec = spec_from_file_location("verify_minimal", PROGRAM)
    assert spec
    assert spec.loader
    module = sys.modules["verify_minimal"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


minimal = _load()


def given(vector: dict[str, Any], name: str) -> bytes:
    """Return a field's bytes, in whatever form it stands there (tests/vectors/README.md)."""
    if f"{name}_hex" in vector:
        return bytes.fromhex(vector[f"{name}_hex"])
    if name in vector:
        return str(vector[name]).encode()
    is_hex = f"{name}_hex_parts" in vector
    data = b""
    for part in vector[f"{name}_hex_parts" if is_hex else f"{name}_parts"]:
        text, more = (part, []) if isinstance(part, str) else (part[0], part[1:])
        if len(more) == 3:
            count, first, step = more
            text = "".join(text.replace("{}", str(first + step * i)) for i in range(count))
        elif more:
            text *= more[0]
        data += bytes.fromhex(text) if is_hex else text.encode()
    return data


def micros(time: str) -> int:
    """Return a receive time in µs since 1970."""
    return (datetime.fromisoformat(time) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def record(vector: dict[str, Any], *, is_note: bool = False) -> dict[str, Any]:
    """Read a record; a note is held against the table of events too."""
    time, kind, payload = minimal.parse_record(given(vector, "line"))
    if is_note:
        event = payload.decode().split(" ")[0]
        minimal.need(event in minimal.NOTES, "no such event")
        said = minimal.NOTES[event].read(payload)
        if event == "segment":
            minimal.Segment(lambda _: None, {}, 0).note(event, said)
    return {"time_us": micros(time), "kind": kind, "payload_hex": payload.hex()}


def vkey(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a public key."""
    key = minimal.parse_vkey(vector["vkey"])
    return {"key_name": key.name, "id_hex": key.id.hex(), "public_hex": key.public.hex()}


def opened(vector: dict[str, Any], limit: int, most: int) -> bytes:
    """Open a note with the vector's key."""
    text: bytes = minimal.open_note(given(vector, "note"), minimal.parse_vkey(vector["vkey"]), limit, most)
    return text


def note(vector: dict[str, Any]) -> dict[str, Any]:
    """Open a note of any text."""
    return {"text": opened(vector, vector["bytes_max"], vector["signatures_max"]).decode()}


def entry(vector: dict[str, Any]) -> dict[str, Any]:
    """Read an entry of the ledger."""
    said = minimal.parse_entry(opened(vector, 2048, 1))
    minimal.need(vector["vkey"].startswith(f"logchain/{said.store}/entry+"), "a key of another name")
    found = {"age": said.age, "event": said.event, "index": said.index, "next": said.next.text}
    return found | {"previous_hex": said.previous, "store_hex": said.store, "time_us": micros(said.time)}


def entries(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a whole ledger."""
    data = given(vector, "entries")
    ledger = minimal.Ledger(data.split(b"\n")[1].decode("latin-1").removeprefix("store "))
    ledger.read(io.BytesIO(data))
    first = sha256(ledger.genesis.entry_key.text.encode()).hexdigest()
    minimal.need(first == minimal.fingerprint_digits(vector["fingerprint"]), "another fingerprint")
    found = {"count": len(ledger.leaves), "torn": len(ledger.torn), "next": ledger.last.next.text}
    return found | {"last_hex": sha256(ledger.last_bytes).hexdigest()}


def manifest(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a manifest."""
    said = minimal.parse_manifest(opened(vector, 1 << 20, 1))
    minimal.need(vector["vkey"].startswith(f"logchain/{said.store}/entry+"), "a key of another name")
    names = ("age", "birth", "first", "records", "segment")
    found = {name: getattr(said, name) for name in names} | {"bytes": said.size, "block_count": len(said.blocks)}
    found |= {f"{name}_hex": getattr(said, name) for name in ("store", "stream", "tag", "previous")}
    return found | {"first_time_us": micros(said.begins), "last_time_us": micros(said.ends)}


def heads(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a list of heads."""
    store, marks = minimal.parse_heads(given(vector, "text"))
    rows = [[*place, mark.records, mark.size, mark.tag, mark.sha] for place, mark in marks.items()]
    return {"store_hex": store, "heads": rows}


def head(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a checkpoint."""
    origin, size, root = minimal.parse_checkpoint(opened(vector, 128 * 1024, 16))
    minimal.need(not vector["own"] or vector["vkey"].startswith(f"{origin}+"), "the origin of another")
    return {"origin": origin, "size": size, "root_hex": root.hex()}


def tree(vector: dict[str, Any]) -> dict[str, Any]:
    """Make a root of leaves."""
    leaves = [sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in vector["leaves_hex"]]
    return {"root_hex": minimal.merkle_root(leaves).hex()}


def walked(vector: dict[str, Any], tier: str) -> dict[str, Any]:
    """Find the blocks of a sealed text."""
    return {"places": [list(at) for at in minimal.TIERS[tier][0](io.BytesIO(given(vector, "file")), vector["sizes"])]}


def block(vector: dict[str, Any], tier: str) -> dict[str, Any]:
    """Unpack one block."""
    told = SimpleNamespace(size=vector["size"], sha=vector["sha256_hex"], offset=0)
    assert list(minimal.unpack_file(io.BytesIO(given(vector, "file")), tier, [told]))
    return {}


def slot(vector: dict[str, Any], magic: str = "") -> dict[str, Any]:
    """Read a slot."""
    generation, body = minimal.parse_slot(given(vector, "slot"), vector.get("magic", magic).encode())
    return {"generation": generation, "body_hex": body.hex()}


def state(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a stream's key state."""
    said: dict[str, Any] = vars(minimal.parse_state(given(vector, "body")))
    return {f"{name}_hex": value.hex() for name, value in said.items() if isinstance(value, bytes)} | said


def births(vector: dict[str, Any]) -> dict[str, Any]:
    """Read the births."""
    number, secret, vm, stream = minimal.parse_births(given(vector, "body"))
    return {"birth": number, "secret_hex": secret.hex(), "vm": vm, "stream": stream}


def slots(vector: dict[str, Any]) -> dict[str, Any]:
    """Read a file of two slots."""
    body = minimal.parse_slots(given(vector, "file"), vector["magic"].encode())
    (minimal.parse_state if vector["magic"] == "lcratch1" else minimal.parse_births)(body)
    return {"body_hex": body.hex()}


def store_format(vector: dict[str, Any]) -> dict[str, Any]:
    """Read `format`."""
    said = minimal.FORMAT.read(given(vector, "text"))
    return {"store_hex": said.store, "created_us": micros(said.created)}


def identity(vector: dict[str, Any]) -> dict[str, Any]:
    """Read `id`, and see whether it follows from the names."""
    said = minimal.ID.read(given(vector, "text"))
    minimal.need(minimal.stream_id(bytes.fromhex(said.salt), vector["vm"], vector["stream"]) == said.id, "another id")
    return {"id_hex": said.id, "salt_hex": said.salt}


def kdf(vector: dict[str, Any]) -> dict[str, Any]:
    """Derive."""
    fields = map(bytes.fromhex, vector["fields_hex"])
    return {"out_hex": minimal.kdf(bytes.fromhex(vector["key_hex"]), vector["label"], *fields).hex()}


def chain(vector: dict[str, Any]) -> dict[str, Any]:
    """Make the tags of some records."""
    key, tags = bytes.fromhex(vector["key_hex"]), []
    for line in map(bytes.fromhex, vector["records_hex"] or [""]):
        after, tag = minimal.step(key, line)
        if vector["records_hex"]:
            key = after
            tags.append(tag.hex())
    return {"key_after_hex": key.hex(), "tags_hex": tags}


def derivation(vector: dict[str, Any]) -> dict[str, Any]:
    """Derive all that follows from an audit secret."""
    secret, store = bytes.fromhex(vector["audit_secret_hex"]), bytes.fromhex(vector["store_id_hex"])
    birth, stream, number = vector["birth"], bytes.fromhex(vector["stream_id_hex"]), vector["segment"]
    minimal.need(birth <= 10_000_000, "no birth")
    audit = minimal.Audit(secret, store, {1, birth})
    found = {"segment_key_hex": audit.key(birth, stream, number), "r1_hex": audit.secret(birth, stream, 1)}
    found |= {"next_hex": audit.secret(birth, stream, number + 1), "birth_secret_hex": audit.births[birth]}
    said = {name: value.hex() for name, value in found.items()}
    return said | {"seed_hex": audit.births[1].hex()}


def segment(vector: dict[str, Any]) -> dict[str, Any]:
    """Check a segment in live/: text, tags and key."""
    key, tags = bytes.fromhex(vector["key_hex"]), io.BytesIO(given(vector, "tags"))
    found = minimal.Segment(lambda _: key, {}, None)
    for line in minimal.records([given(vector, "text")]):
        told = tags.read(40)
        found.take(line, told[8:])
        minimal.need(found.size == int.from_bytes(told[:8], "little"), "a tag's offset")
    minimal.need(found.records and not tags.read(1), "no records, or tags without text")
    minimal.need(not found.odd, "no damage, and told: what no writer of ours does")
    said = {"records": found.records, "key_after_hex": found.key.hex(), "closed": found.ended}
    return said | {name: getattr(found.head, name) for name in ("number", "first", "birth")}


READERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "record/record": record,
    "record/note": partial(record, is_note=True),
    "note/vkey": vkey,
    "note/note": note,
    "ledger/entry": entry,
    "ledger/entries": entries,
    "ledger/fingerprint": lambda vector: {"fingerprint_hex": minimal.fingerprint_digits(vector["shown"])},
    "ledger/slot": partial(slot, magic="lcledgr1"),
    "manifest/manifest": manifest,
    "heads/heads": heads,
    "checkpoint/checkpoint": head,
    "checkpoint/root": tree,
    "sealed/plain": partial(walked, tier=""),
    "sealed/lz4": partial(walked, tier=".lz4"),
    "sealed/xz": partial(walked, tier=".xz"),
    "sealed/lz4-block": partial(block, tier=".lz4"),
    "sealed/xz-block": partial(block, tier=".xz"),
    "keystate/slot": slot,
    "keystate/file": slots,
    "keystate/ratchet": state,
    "keystate/births": births,
    "files/format": store_format,
    "files/id": identity,
    "ratchet/kdf": kdf,
    "ratchet/chain": chain,
    "ratchet/given-up": lambda v: {"proof_hex": minimal.step(bytes.fromhex(v["key_hex"]), b"given up\n")[1].hex()},
    "ratchet/stream-id": lambda v: {"id_hex": minimal.stream_id(bytes.fromhex(v["salt_hex"]), v["vm"], v["stream"])},
    "ratchet/derivation": derivation,
    "tags/segment": segment,
    "tags/log": segment,
}
