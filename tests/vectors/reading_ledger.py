"""docs/spec/ledger.md as code: entries behind one another, a torn end, and the two files of `keys/`.

An entry by itself, `genesis` and the fingerprint are in `reading_entry.py`.
"""

import hashlib

from tests.vectors import reading_entry
from tests.vectors.ed25519 import public_key
from tests.vectors.reading_common import NUMBER_MAX, NotChainedError, Vector, given, need, raw, sample, u64
from tests.vectors.reading_entry import (
    ENTRY_MAX,
    FINGERPRINT,
    GENESIS,
    GENESIS_LINES,
    INDEX_MAX,
    NAME,
    SEEDS,
    entry,
    open_entry,
    open_genesis,
    parse_entry,
)
from tests.vectors.reading_files import parse_lines
from tests.vectors.reading_keystate import parse_slot, slot_of
from tests.vectors.reading_manifest import STORE, STREAM, parse_hex, text_of
from tests.vectors.reading_note import parse_note, parse_vkey, sign, vkey_of

SPEC = "docs/spec/ledger.md"
MAGIC = "lcledgr1"


def read_entries(data: bytes, fingerprint: str) -> Vector:
    """Items 2 to 11: the whole ledger, as whoever has the fingerprint can check it."""
    found: Vector = {}
    count = 0
    while data.count(b"\n") >= 10:
        end = 0
        for _ in range(10):
            end = data.index(b"\n", end) + 1
        note, data = data[:end], data[end:]
        if not data and b"\0" in note:
            data = note
            break
        last, found = found, open_entry(note, found["next"]) if found else open_genesis(note, fingerprint)
        if last:
            need(found["index"] == last["index"] + 1, "index", NotChainedError)
            need(found["previous_hex"] == last["digest_hex"], "previous", NotChainedError)
            need(found["age"] >= last["age"], "age-goes-back", NotChainedError)
        found["digest_hex"] = hashlib.sha256(note).hexdigest()
        count += 1
    need(len(data) < ENTRY_MAX, "torn-end-too-long")
    need(found, "no-entry")
    return {"count": count, "last_hex": found["digest_hex"], "next": found["next"], "torn": len(data)}


def parse_ledger_key(body: bytes) -> Vector:
    """Item 12 and the table above it: the body of `keys/ledger`."""
    need(len(body) > 80, "body-size")
    numbers = [int.from_bytes(body[at : at + 8], "little") for at in (0, 8, 16, 40)]
    need(1 <= numbers[0] <= INDEX_MAX + 1, "index-range")
    need(all(number <= NUMBER_MAX for number in numbers[1:]), "number-range")
    last = parse_entry(parse_note(body[80:], ENTRY_MAX, 1)[0])
    need(last["index"] == numbers[0] - 1, "index-of-another")
    need(last["age"] == numbers[2], "age-of-another")
    need(parse_vkey(last["next"])[2] == public_key(body[48:80]), "seed-of-another")
    return {
        "index": numbers[0],
        "offset": numbers[1],
        "age": numbers[2],
        "boot_hex": body[24:40].hex(),
        "running": numbers[3],
        "seed_hex": body[48:80].hex(),
    }


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "entries":
            return read_entries(raw(vector, "entries"), vector["fingerprint"])
        case "slot":
            return parse_slot(raw(vector, "slot"), MAGIC)
        case "ledger-key":
            return parse_ledger_key(bytes.fromhex(vector["front_hex"]) + raw(vector, "entry"))
        case "recovery":
            whole, stands = raw(vector, "entry"), raw(vector, "stands")
            need(len(stands) <= len(whole), "more-than-the-entry")
            need(whole.startswith(stands), "not-the-entry")
            return given("append", whole[len(stands) :])
        case "age-now":
            past = vector["running"] if vector["boot_hex"] == vector["boot_now_hex"] else 0
            return {"age_now": (vector["age"] * 1_000_000 + vector["now"] - past) // 1_000_000}
        case "log-key":
            store, seed = parse_lines(raw(vector, "text"), "logchain log key v1", "store", "seed")
            found = {"store_hex": parse_hex(store, 16), "seed_hex": parse_hex(seed, 32)}
            return found | {"vkey": vkey_of(f"logchain/{store}", bytes.fromhex(seed))}
        case _:
            return reading_entry.read(vector)


def chain(*events: str, **changed: dict[str, str]) -> list[bytes]:
    """Write a ledger: `genesis`, then these; `e2={...}` changes words of entry 2."""
    entries = [GENESIS]
    for index, event in enumerate(events, 1):
        words = {
            "index": str(index),
            "age": str(3 + index),
            "previous": f"sha256:{hashlib.sha256(entries[-1]).hexdigest()}",
            "event": event,
            "next": vkey_of(NAME, SEEDS[index + 1]),
        } | changed.get(f"e{index}", {})
        entries.append(sign(text_of(entry(GENESIS_LINES, **words)), (NAME, SEEDS[index])))
    return entries


def body_fields(body: bytes) -> Vector:
    """Put the body of `keys/ledger` into a vector: what stands before the entry, and the entry."""
    return {"front_hex": body[:80].hex()} | given("entry", body[80:])


EVENTS = (f"birth 1 {STREAM} 1", f"heads 1.1 sha256:{sample('heads').hex()}", f"seal {STREAM} 1 sha256:{'ab' * 32}")
KEY: Vector = {"index": 1, "offset": 0, "age": 3, "boot": sample("boot", 16), "running": 60_000_000, "seed": SEEDS[1]}


def key_body(last: bytes = GENESIS, **changed: int | bytes) -> bytes:
    """Write the body of `keys/ledger`."""
    key = KEY | changed
    front = b"".join(u64(key[name]) for name in ("index", "offset", "age"))
    return front + bytes(key["boot"]) + u64(key["running"]) + bytes(key["seed"]) + last


def good() -> list[Vector]:
    """Those of an entry, and those of what this file reads."""
    vectors = reading_entry.good()

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    def entries(name: str, parts: list[bytes]) -> None:
        add("entries", name, fingerprint=FINGERPRINT, **given("entries", b"".join(parts)))

    whole = chain(*EVENTS)
    entries("genesis only", whole[:1])
    entries("four entries", whole)
    entries("the clock goes back", chain(EVENTS[0], e1={"time": "2025-01-01T00:00:00.000000Z"}))
    entries("the age stands still", chain(*EVENTS[:2], e2={"age": "4"}))
    entries("one key signs on", [*chain(EVENTS[0], e1={"next": vkey_of(NAME, SEEDS[1])})])
    entries("a restored store", chain(EVENTS[0], "restored 2", f"birth 2 {STREAM} 2"))
    last = whole[1]
    for cut in (1, 400, len(last) - 1):
        entries(f"a torn end of {cut} bytes", [GENESIS, last[:cut]])
    entries("a torn end that is no entry's begin", [GENESIS, b"\0" * 40])
    entries("a torn end of nine newlines", [GENESIS, b"\n" * 9])
    entries("a torn end with a sector of zeros", [GENESIS, last[:100] + bytes(50) + last[150:]])
    entries(f"a torn end of {ENTRY_MAX - 1} bytes", [GENESIS, b"x" * (ENTRY_MAX - 1)])

    body = key_body()
    add("slot", "of this file", **given("slot", slot_of(body, 7, MAGIC)))

    def key(name: str, last: bytes = GENESIS, **changed: int | bytes) -> None:
        add("ledger-key", name, **body_fields(key_body(last, **changed)))

    key("behind genesis")
    key("behind entry 1", whole[1], index=2, offset=len(GENESIS), age=4, seed=SEEDS[2])
    key("another boot, running 0", boot=bytes(16), running=0)
    key("offset and running at their limits", offset=NUMBER_MAX, running=NUMBER_MAX)
    old = chain(EVENTS[0], e1={"age": str(NUMBER_MAX), "index": str(INDEX_MAX)})[1]
    key("age at its limit, and no index left", old, index=INDEX_MAX + 1, age=NUMBER_MAX, seed=SEEDS[2])
    forged = sign(text_of(GENESIS_LINES), (NAME, sample("nobody")))
    key("last entry signed by nobody knows whom", forged)

    def recovery(name: str, stands: bytes) -> None:
        add("recovery", name, entry=last.decode(), **given("stands", stands))

    recovery("nothing was appended", b"")
    recovery("one byte", last[:1])
    recovery("cut in the midst", last[:300])
    recovery("cut in the midst of the dash", last[: last.index("\u2014".encode()) + 1])
    recovery("all but the last newline", last[:-1])
    recovery("all of it", last)

    def age_now(name: str, age: int, running: int, now: int, *, same: bool = True) -> None:
        boots = {"boot_hex": "ab" * 16, "boot_now_hex": ("ab" if same else "cd") * 16}
        add("age-now", name, age=age, running=running, now=now, **boots)

    age_now("at once", 7212, 60_000_000, 60_000_000)
    age_now("a microsecond less than a second", 7212, 60_000_001, 61_000_000)
    age_now("a second", 7212, 60_000_001, 61_000_001)
    age_now("another boot", 7212, 60_000_000, 5_999_999, same=False)
    age_now("another boot, at once", 7212, 60_000_000, 0, same=False)
    age_now("a year", 3, 0, 31_536_000_000_000)
    age_now("beyond 32 bits", 2**32, 2**50, 2**50 + 2**42)
    add("log-key", "example of the page", text=text_of(LOG_FILE).decode())
    return vectors


LOG_FILE = ["logchain log key v1", f"store {STORE}", f"seed {bytes(range(32)).hex()}"]


def bad() -> list[Vector]:
    """One failure each."""
    vectors = reading_entry.bad()

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    def entries(
        name: str, reason: str, parts: list[bytes], kind: str = "not chained", shown: str = FINGERPRINT
    ) -> None:
        refused("entries", name, reason, kind, fingerprint=shown, **given("entries", b"".join(parts)))

    whole = chain(*EVENTS)
    entries("another fingerprint", "fingerprint-of-another", whole[:2], "not signed", FINGERPRINT[:-1] + "f")
    entries("entry 0 missing", "not-genesis", whole[1:], "malformed")
    entries("entry 1 missing", "no-signature-of-this-key", [whole[0], *whole[2:]], "not signed")
    entries("two entries changed places", "no-signature-of-this-key", [whole[0], whole[2], whole[1]], "not signed")
    entries("entry 1 twice", "no-signature-of-this-key", [*whole[:2], whole[1]], "not signed")
    entries("genesis twice", "no-signature-of-this-key", [GENESIS, GENESIS], "not signed")
    again = sign(text_of(GENESIS_LINES), (NAME, SEEDS[1]))
    entries("another genesis, by the next key", "index", [GENESIS, again])
    entries("an index left out", "index", chain(EVENTS[0], e1={"index": "2"}))
    entries("an index again", "index", chain(*EVENTS[:2], e2={"index": "1"}))
    other = hashlib.sha256(b"").hexdigest()
    entries("previous of another entry", "previous", chain(EVENTS[0], e1={"previous": f"sha256:{other}"}))
    text_only = hashlib.sha256(text_of(GENESIS_LINES)).hexdigest()
    entries("previous of the text alone", "previous", chain(EVENTS[0], e1={"previous": f"sha256:{text_only}"}))
    before = f"sha256:{hashlib.sha256(GENESIS).hexdigest()}"
    entries("previous of the entry before that", "previous", chain(*EVENTS[:2], e2={"previous": before}))
    entries("age goes back", "age-goes-back", chain(EVENTS[0], e1={"age": "2"}))
    changed = whole[1].replace(b"\nage 4\n", b"\nage 5\n")
    entries("text of an entry changed", "signature-wrong", [GENESIS, changed], "not signed")
    skipped = chain(*EVENTS[:2], e1={"next": vkey_of(NAME, SEEDS[5])})
    entries("signed by another key than next", "no-signature-of-this-key", skipped, "not signed")
    entries("an entry malformed", "number-form", chain(EVENTS[0], e1={"age": "04"}), "malformed")
    entries("an empty line in front", "no-signature-line", [b"\n", GENESIS], "malformed")
    hole = whole[1].replace(b"\nage", b"\n\0ge")
    entries("a zero in an entry that is not the last", "control", [GENESIS, hole, whole[2]], "malformed")
    entries("ten newlines behind", "not-utf-8", [GENESIS, b"\xff" + b"\n" * 10], "malformed")
    entries(f"a torn end of {ENTRY_MAX} bytes", "torn-end-too-long", [GENESIS, b"x" * ENTRY_MAX], "malformed")
    long = b"\n" * 9 + b"x" * (ENTRY_MAX - 9) + b"\n"
    entries(f"an entry of {ENTRY_MAX + 1} bytes", "too-long", [GENESIS, long], "malformed")

    body = key_body()
    refused("slot", "magic of another file", "slot-magic", **given("slot", slot_of(body, 7, "lcbirth1")))

    def key(name: str, reason: str, data: bytes) -> None:
        refused("ledger-key", name, reason, **body_fields(data))

    key("empty", "body-size", b"")
    key("one byte short of an entry", "body-size", body[:80])
    key("no entry but a newline", "no-text", body[:80] + b"\n")
    key("index 0", "index-range", key_body(index=0))
    key("index beyond", "index-range", key_body(index=INDEX_MAX + 2))
    key("index big endian", "index-range", key_body(index=1 << 56))
    key("index one too high", "index-of-another", key_body(index=2))
    key("offset beyond", "number-range", key_body(offset=NUMBER_MAX + 1))
    key("running beyond", "number-range", key_body(running=NUMBER_MAX + 1))
    key("age beyond", "number-range", key_body(age=NUMBER_MAX + 1))
    key("age one too low", "age-of-another", key_body(age=2))
    key("age one too high", "age-of-another", key_body(age=4))
    key("seed of the key that signed", "seed-of-another", key_body(seed=SEEDS[0]))
    key("seed of zeros", "seed-of-another", key_body(seed=bytes(32)))
    key("the public key for the seed", "seed-of-another", key_body(seed=public_key(SEEDS[1])))
    key("entry cut by its newline", "no-newline", body[:-1])
    key("a zero behind the entry", "no-newline", body + b"\0")
    key("a newline behind the entry", "no-signature-line", body + b"\n")
    two = sign(text_of(GENESIS_LINES), (NAME, SEEDS[0]), ("witness", SEEDS[0]))
    key("entry of two signatures", "signatures-too-many", key_body(two))
    malformed = sign(text_of(entry(GENESIS_LINES, age="03")), (NAME, SEEDS[0]))
    key("entry malformed", "number-form", key_body(malformed))
    key("entry too long", "too-long", key_body(GENESIS + b"x" * (ENTRY_MAX - len(GENESIS)) + b"\n"))

    last = whole[1]

    def recovery(name: str, reason: str, stands: bytes) -> None:
        refused("recovery", name, reason, entry=last.decode(), **given("stands", stands))

    recovery("another entry", "not-the-entry", GENESIS[:300])
    recovery("one byte, another", "not-the-entry", b"m")
    recovery("the last byte another", "not-the-entry", last[:-1] + b"x")
    recovery("a bit changed", "not-the-entry", last[:100] + bytes([last[100] ^ 1]))
    recovery("a byte behind", "more-than-the-entry", last + b"\n")
    recovery("twice", "more-than-the-entry", last + last)

    def log_key(name: str, reason: str, lines: list[str] | bytes) -> None:
        data = lines if isinstance(lines, bytes) else text_of(lines)
        refused("log-key", name, reason, **given("text", data))

    title, store, seed = LOG_FILE
    text = text_of(LOG_FILE)
    log_key("empty", "no-newline", b"")
    log_key("4097 bytes", "too-long", text.ljust(4096, b"x") + b"\n")
    log_key("last newline missing", "no-newline", text[:-1])
    log_key("line behind", "line-too-many", [*LOG_FILE, "more 1"])
    log_key("no seed", "line-missing", LOG_FILE[:2])
    log_key("another order", "line-form", [title, seed, store])
    log_key("next version", "title", ["logchain log key v2", store, seed])
    log_key("title of a store's seed", "title", ["logchain seed v1", store, seed])
    log_key("carriage returns", "title", text.replace(b"\n", b"\r\n"))
    log_key("beyond ASCII", "not-ascii", text + "\u00e9\n".encode())
    log_key("two spaces", "line-form", [title, store.replace(" ", "  "), seed])
    log_key("store id one byte long", "hex", [title, store + "00", seed])
    log_key("seed one byte short", "hex", [title, store, seed[:-2]])
    log_key("seed in uppercase", "hex", [title, store, "seed " + "AB" * 32])
    log_key("space behind", "hex", [title, store, seed + " "])
    return vectors
