"""The verifier that was written from the pages alone agrees with all vectors, and with `logchain verify` on attacks."""

import ast
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logchain.format.audit import format_audit
from logchain.format.ledger import Broken, Config, Delete, Event, Evict, Forget
from logchain.read.verify import verify_store
from logchain.store.layout import open_store
from logchain.store.restoring import restore
from tests.attacks.pinned import Pinned, copy, make_template
from tests.attacks.test_any_change import change
from tests.attacks.test_ledger import EVENTS, checkpoint
from tests.docs.pages import ROOT

PROGRAM = ROOT / "examples" / "verify_minimal.py"
VECTORS = ROOT / "tests" / "vectors"


def load() -> Any:
    """Import the program as a module."""
    spec = spec_from_file_location("verify_minimal", PROGRAM)
    assert spec
    assert spec.loader
    module = sys.modules["verify_minimal"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


minimal = load()


# ---- vectors: what each good one means, by the names that it has there; bad ones are refused ----


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


def disagreement(vector: dict[str, Any], is_good: bool, what: str) -> str | None:
    """Return how the program differs from a vector."""
    refused = ""
    try:
        found = READERS[what](vector)
    except minimal.Malformed:
        refused = "malformed"
    except minimal.NotSigned:
        refused = "not signed"
    if not is_good:
        # of a whole ledger each page tells what is wrong first; here all that matters is that it is refused
        good = refused == vector.get("class", refused) or (refused and what == "ledger/entries")
        return None if refused and good else f"{what}, {vector['name']}: {refused or 'taken for good'}"
    if refused:
        return f"{what}, {vector['name']}: {refused}"
    other = [name for name, value in found.items() if name in vector and vector[name] != value]
    return f"{what}, {vector['name']}: {other}" if other else None


@pytest.mark.parametrize("page", sorted({name.split("/")[0] for name in READERS}))
def test_it_agrees_with_the_vectors(page: str) -> None:
    """Every vector of what it reads: good ones mean the same, bad ones are refused, for the same class of reason."""
    data = json.loads((VECTORS / f"{page}.json").read_text())
    tasks = [
        (vector, group == "good", what)
        for group in ("good", "bad")
        for vector in data[group]
        if (what := f"{page}/{vector['what']}") in READERS
    ]
    assert tasks
    with ThreadPoolExecutor(4) as pool:  # they wait for openssl
        found = pool.map(lambda task: disagreement(*task), tasks)
    assert [line for line in found if line] == []


def test_no_kind_of_vector_is_left_out_unnoticed() -> None:
    """What the program does not read is named here."""
    there = {f"{path.stem}/{v['what']}" for path in VECTORS.glob("*.json") for v in _all(path)}
    left_out = {
        *(
            "checkpoint/proof",
            "checkpoint/inclusion",
            "checkpoint/consistency",
            "checkpoint/growth",
            "files/seed",
            "files/secret",
            "note/sign",
            "record/line",
        ),
        *("ledger/genesis", "ledger/fingerprint-of", "ledger/ledger-key", "ledger/recovery", "ledger/age-now"),
        *("ledger/log-key", "ratchet/segment-step", "segment-key/segment key", "tags/tags", "tags/segments"),
    }
    of_other_programs = {"evidence", "line", "wire", "cosignature", "policy", "witness"}
    assert {name for name in there - set(READERS) - left_out if name.split("/")[0] not in of_other_programs} == set()
    assert set(READERS) <= there


def _all(path: Path) -> list[dict[str, Any]]:
    data = json.loads(path.read_text())
    return [*data["good"], *data["bad"]]


# ---- stores: both verifiers look at each, with the fingerprint alone, and with the audit secret as well ----


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pinned]:
    """The store that is attacked; each signature goes to openssl once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimal, "verifies", cache(minimal.verifies))
        patch.setattr(minimal, "public_of", cache(minimal.public_of))
        yield make_template(tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of it."""
    return copy(template, tmp_path / "store")


def verdicts(store: Pinned, *, pinned: bool, audited: bool, restored: int = 0) -> tuple[int, int]:
    """Return the exit codes that `logchain verify` and the program come to."""
    with open_store(store.path) as directory:
        report = verify_store(
            directory,
            store.audit if audited else None,
            fingerprint=store.fingerprint if pinned else None,
            restored=restored,
        )
    secret = SimpleNamespace(store=store.audit.store_id.hex(), secret=store.audit.secret.hex())
    root = os.open(store.path, os.O_DIRECTORY)
    try:
        pin = minimal.fingerprint_digits(store.fingerprint) if pinned else None
        check = minimal.Check(root, pin, secret if audited else None, restored)
        check.run()
    finally:
        os.close(root)
    return report.verdict.value, 1 if check.damage else 3 if check.unknown else 0


def agreed(store: Pinned) -> list[int]:
    """Return the verdicts with fingerprint, with fingerprint and secret, with the secret alone; both have to agree."""
    found = []
    for pinned, audited in ((True, False), (True, True), (False, True)):
        theirs, mine = verdicts(store, pinned=pinned, audited=audited)
        assert mine == theirs, (pinned, audited)
        found.append(mine)
    return found


def stream(store: Pinned) -> bytes:
    """Return the id of work/main."""
    return bytes.fromhex((store.directory() / "id").read_text().split()[-1])


def append(store: Pinned, event: Event) -> None:
    """Have an entry in the ledger."""
    with store.ledger() as (_, ledger):
        ledger.append(event)


def flip(path: Path, place: int) -> None:
    """Change a bit."""
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def sealed_digest(store: Pinned, number: int) -> bytes:
    """Return the digest of a manifest of work/main."""
    return sha256((store.sealed() / f"{number:08}.manifest").read_bytes()).digest()


def swap(one: Path, two: Path) -> None:
    """Have two files change names."""
    first, second = one.read_bytes(), two.read_bytes()
    for path, data in ((one, second), (two, first)):
        path.chmod(0o600)
        path.write_bytes(data)


def behind(path: Path, data: bytes) -> None:
    """Put something behind a file's end."""
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(data)


def forget(store: Pinned, *, mark: bool) -> None:
    """Enter that work/main is forgotten, and remove nothing."""
    append(store, Forget(stream(store), 4))
    if mark:
        (store.directory() / "forgetting").touch()


def cut_ledger(store: Pinned, count: int, *, everywhere: bool) -> None:
    """Take the newest entries away; with the checkpoint and the key that tell of them, too."""
    append(store, Config(b"\x01" * 32))
    kept = store.split()[:-count]
    store.entries.write_bytes(b"".join(kept))
    if everywhere:
        checkpoint(store, len(kept))
        (store.path / "keys" / "ledger").unlink()


def link(path: Path) -> None:
    """Have a link in a file's place, to the very bytes."""
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def fifo(path: Path) -> None:
    """Have a FIFO in a file's place."""
    path.unlink()
    os.mkfifo(path)


def copied(store: Pinned, *, more: bytes = b"") -> None:
    """Have a sealed text in live/ as well."""
    (store.directory() / "00000001.log").write_bytes(store.text(1).read_bytes() + more)


def moved_back(store: Pinned) -> None:
    """Have a sealed text in live/ only."""
    copied(store)
    store.text(1).unlink()


def without_stream(store: Pinned) -> None:
    """Remove a stream, wherever it is."""
    shutil.rmtree(store.directory())
    shutil.rmtree(store.sealed())


def longer(store: Pinned) -> None:
    """Close a segment, and go on behind its end."""
    store.roll()
    behind(store.directory() / "00000004.log", b"more")


def deleted_twice(store: Pinned) -> None:
    """Enter a deletion two times."""
    for _ in range(2):
        append(store, Delete(stream(store), 2, sealed_digest(store, 2)))


def marked(store: Pinned) -> None:
    """Say that a stream is being forgotten, and take its id."""
    (store.directory() / "forgetting").touch()
    (store.directory() / "id").unlink()


def contradict(store: Pinned, event: Callable[[Pinned], Event]) -> None:
    """Enter what cannot be."""
    append(store, event(store))


INTACT, DAMAGED = 0, 1
ATTACKS: dict[str, tuple[int, Callable[[Pinned], object]]] = {
    "nothing": (INTACT, lambda _: None),
    "sealed text: a bit": (DAMAGED, lambda s: flip(s.text(1), 300)),
    "sealed LZ4: a bit of the text": (DAMAGED, lambda s: flip(s.text(2), 40)),
    "sealed LZ4: the header's checksum": (DAMAGED, lambda s: flip(s.text(2), 14)),
    "sealed LZ4: the content's checksum": (DAMAGED, lambda s: flip(s.text(2), -1)),
    "sealed LZ4: a frame behind": (DAMAGED, lambda s: behind(s.text(2), s.text(2).read_bytes())),
    "sealed xz: a bit": (DAMAGED, lambda s: flip(s.text(3), 60)),
    "sealed xz: padding behind": (DAMAGED, lambda s: behind(s.text(3), bytes(4))),
    "sealed text gone": (DAMAGED, lambda s: s.text(2).unlink()),
    "sealed text gone, a copy in live/": (DAMAGED, moved_back),
    "sealed text twice, the second bad": (DAMAGED, lambda s: (s.sealed() / "00000001.log.xz").write_bytes(b"x")),
    "sealed text in live/ too": (INTACT, copied),
    "sealed text in live/ too, longer": (DAMAGED, partial(copied, more=b"x\n")),
    "manifest: a bit": (DAMAGED, lambda s: flip(s.sealed() / "00000001.manifest", 200)),
    "manifest gone": (DAMAGED, lambda s: (s.sealed() / "00000002.manifest").unlink()),
    "manifests swapped": (
        DAMAGED,
        lambda s: swap(s.sealed() / "00000001.manifest", s.sealed() / "00000002.manifest"),
    ),
    "segment under another number": (
        DAMAGED,
        lambda s: shutil.copy(s.sealed() / "00000001.manifest", s.sealed() / "00000009.manifest"),
    ),
    "segment in another stream": (
        DAMAGED,
        lambda s: shutil.copy(s.sealed() / "00000001.manifest", s.sealed("vault") / "00000001.manifest"),
    ),
    "text that nothing names": (DAMAGED, lambda s: (s.sealed() / "00000009.log").write_bytes(b"x")),
    "a file that is none of ours": (INTACT, lambda s: (s.sealed() / "notes").write_bytes(b"x")),
    "all of sealed/ gone": (DAMAGED, lambda s: shutil.rmtree(s.path / "sealed")),
    "a stream gone": (DAMAGED, without_stream),
    "a stream gone that nothing listed": (DAMAGED, lambda s: shutil.rmtree(s.directory("new"))),
    "streams under each other's names": (
        DAMAGED,
        lambda s: swap(s.directory() / "id", s.directory("vault") / "id"),
    ),
    "entry: a bit": (DAMAGED, lambda s: flip(s.entries, 3000)),
    "last entry: its signature": (DAMAGED, lambda s: flip(s.entries, -30)),
    "entries cut off": (DAMAGED, lambda s: cut_ledger(s, 1, everywhere=False)),
    "entries cut off, with all traces": (INTACT, lambda s: cut_ledger(s, 1, everywhere=True)),
    "entries taken out": (DAMAGED, lambda s: s.entries.write_bytes(b"".join(s.split()[:4] + s.split()[5:]))),
    "an entry with another key": (DAMAGED, lambda s: behind(s.entries, s.forge(Config(bytes(32)), b"\x42" * 32))),
    "an entry with the key of now": (DAMAGED, lambda s: behind(s.entries, s.forge(Config(bytes(32))))),
    "something behind the last entry": (DAMAGED, lambda s: behind(s.entries, b"junk")),
    "an older checkpoint": (DAMAGED, lambda s: checkpoint(s, 3)),
    "no checkpoint": (DAMAGED, lambda s: (s.path / "ledger" / "checkpoint").unlink()),
    "a FIFO for the checkpoint": (DAMAGED, lambda s: fifo(s.path / "ledger" / "checkpoint")),
    "a link for the ledger": (DAMAGED, lambda s: link(s.entries)),
    "no keys": (INTACT, lambda s: shutil.rmtree(s.path / "keys")),
    "list of heads gone": (DAMAGED, lambda s: s.lists()[-1].unlink()),
    "list of heads: a bit": (DAMAGED, lambda s: flip(s.lists()[-1], 150)),
    "a list too many": (INTACT, lambda s: (s.path / "ledger/heads/00000099").write_bytes(b"x")),
    "listed text changed": (DAMAGED, lambda s: flip(s.directory() / "00000004.log", 200)),
    "listed text cut off": (DAMAGED, lambda s: (s.directory() / "00000004.log").write_bytes(b"")),
    "live tags gone": (DAMAGED, lambda s: (s.directory() / "00000004.tags").unlink()),
    "something behind the committed end": (INTACT, lambda s: behind(s.directory() / "00000004.log", b"torn")),
    "something behind a closed segment": (DAMAGED, longer),
    "a segment that was never committed": (
        INTACT,
        lambda s: (s.directory() / "00000005.log").write_bytes(b"x"),
    ),
    "key state gone": (DAMAGED, lambda s: (s.directory() / "ratchet").unlink()),
    "key state wiped": (DAMAGED, lambda s: (s.directory() / "ratchet").write_bytes(bytes(8192))),
    "births gone": (DAMAGED, lambda s: (s.path / "births").unlink()),
    "id gone": (DAMAGED, lambda s: (s.directory() / "id").unlink()),
    "evicted, and still there": (INTACT, lambda s: append(s, Evict(stream(s), 2, sealed_digest(s, 2), "quota"))),
    "evicted, and it was another": (DAMAGED, lambda s: append(s, Evict(stream(s), 2, bytes(32), "quota"))),
    "deleted twice": (DAMAGED, deleted_twice),
    "forgotten, nothing removed": (INTACT, lambda s: forget(s, mark=True)),
    "forgotten, nothing removed, no mark": (DAMAGED, lambda s: forget(s, mark=False)),
    "forgotten up to less than was sealed": (DAMAGED, lambda s: append(s, Forget(stream(s), 0))),
    "a mark, and the id gone": (DAMAGED, marked),
    "broken, and nothing shows it": (INTACT, lambda s: append(s, Broken(stream(s), 2, "text"))),
    "the text of one that went, in live/": (
        DAMAGED,
        lambda s: (s.directory("vault") / "00000001.log").write_bytes(b"x"),
    ),
    **{f"contradiction {i}": (DAMAGED, partial(contradict, event=event)) for i, event in enumerate(EVENTS)},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_both_verifiers_agree_on_an_attack(store: Pinned, name: str) -> None:
    """Whatever was done, both come to the same verdict, with whatever the person has who looks."""
    code, attack = ATTACKS[name]
    attack(store)
    public, audited, _ = agreed(store)
    assert public == audited == code


@pytest.mark.parametrize("place", [0, 100, 333])
def test_only_the_audit_secret_tells_of_what_no_list_fixed(store: Pinned, place: int) -> None:
    """A change to what is not sealed or listed yet: intact to the public key, which says how much it did not check."""
    flip(store.directory("new") / "00000001.tags", 8 + 40 * 2 + place % 32)
    public, audited, alone = agreed(store)
    assert (public, audited, alone) == (0, 1, 1)


@pytest.mark.parametrize("seed", range(24))
def test_both_verifiers_agree_whatever_becomes_of_a_file(store: Pinned, seed: int) -> None:
    """Any one file, changed in any way; and nobody falls over."""
    change(store, random.Random(seed))
    agreed(store)


def test_both_verifiers_agree_on_a_backup_that_came_back(store: Pinned) -> None:
    """It is told, and intact to who knows of it; a segment that was open then is proven to end where it does."""
    with store.ledger() as (directory, ledger):
        restore(directory, ledger)
    assert verdicts(store, pinned=True, audited=False) == (3, 3)
    store.log(b"goes on")
    store.list_heads()
    store.roll()
    store.seal(block_size=4096)
    for audited in (False, True):
        assert verdicts(store, pinned=True, audited=audited, restored=1) == (0, 0)
    shutil.copy(store.directory("vault") / "ratchet", store.directory() / "ratchet")
    assert verdicts(store, pinned=True, audited=False, restored=1) == (1, 1)


# ---- the program ----


def run(*words: str | Path) -> tuple[int, str]:
    """Run it as its reader does: alone, without logchain and all that pip installed."""
    done = subprocess.run([sys.executable, "-I", "-S", PROGRAM, *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_program_says_what_it_checked_and_what_not(store: Pinned, tmp_path: Path) -> None:
    """Exit codes 0 to 3, and plain words for each."""
    secret = tmp_path / "audit-secret"
    secret.write_bytes(format_audit(store.audit))
    pin = ("--fingerprint", store.fingerprint)
    code, out = run(*pin, "--audit-secret", secret, store.path)
    assert (code, out.splitlines()[-1]) == (0, "INTACT")
    assert "not checked: witnesses" in out
    assert "their tags and keys: yes" in out
    code, out = run(*pin, store.path)
    assert (code, "only the audit secret can tell" in out) == (0, True)
    code, out = run(store.path)
    assert (code, out.splitlines()[-1]) == (3, "CANNOT TELL")
    flip(store.text(1), 300)
    code, out = run(*pin, store.path)
    assert (code, out.splitlines()[-1]) == (1, "DAMAGED")
    assert "work/main, segment 1: the text at" in out
    assert run("--fingerprint", "0" * 64, store.path)[0] == 1
    assert run("--fingerprint", "x", store.path)[0] == 2
    assert run(tmp_path / "nowhere")[0] == 2
    assert run(tmp_path)[0] == 3


def test_it_takes_nothing_but_the_standard_library() -> None:
    """What it imports is Python's own; nothing of logchain is among it."""
    names = [
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(PROGRAM.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
