"""docs/spec/cosignature.md as code: what a witness says of a checkpoint, and when."""

import re

from tests.vectors import ed25519
from tests.vectors.reading_checkpoint import CHECKPOINT_MAX, SIGNER, VKEY, text_of
from tests.vectors.reading_common import NUMBER_MAX, NotSignedError, Vector, given, need, raw, sample
from tests.vectors.reading_note import (
    check_name,
    key_id,
    line_of,
    parse_base64,
    parse_note,
    print_vkey,
    sign,
    signature_line,
)

SPEC = "docs/spec/cosignature.md"
KIND = 4


def parse_key(vkey: str) -> tuple[str, bytes, bytes]:
    """Item 2: name, key id, 32 bytes of public key."""
    parts = vkey.split("+", 2)
    need(len(parts) == 3, "vkey-form")
    name, ident, rest = parts
    check_name(name)
    need(re.match(r"\A[0-9a-f]{8}\Z", ident, re.ASCII), "vkey-id-form")
    key = parse_base64(rest)
    need(key and key[0] == KIND, "vkey-type")
    need(len(key) == 33, "vkey-key-size")
    need(key_id(name, key[1:], KIND).hex() == ident, "vkey-id-of-another")
    return name, bytes.fromhex(ident), key[1:]


def message(time: int, text: bytes) -> bytes:
    """Item 4."""
    return f"cosignature/v1\ntime {time}\n".encode() + text


def cosign(name: str, seed: bytes, time: int, text: bytes) -> bytes:
    """Items 1 to 4: the line of a witness."""
    found = time.to_bytes(8, "big") + ed25519.sign(seed, message(time, text))
    return signature_line(name, key_id(name, ed25519.public_key(seed), KIND), found)


def cosigned(note: bytes, vkey: str) -> int | None:
    """Items 5 and 6: when this witness cosigned, the last time of several; nothing where it did not."""
    name, ident, public = parse_key(vkey)
    text, signatures = parse_note(note, CHECKPOINT_MAX, 16)
    times = []
    for its_name, its_id, found in signatures:
        if (its_name, its_id) == (name, ident):
            need(len(found) == 72, "cosignature-size", NotSignedError)
            time = int.from_bytes(found[:8], "big")
            need(time <= NUMBER_MAX, "time-range", NotSignedError)
            failure = ed25519.failure(public, message(time, text), found[8:])
            need(not failure, failure, NotSignedError)
            times.append(time)
    return max(times, default=None)


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "vkey":
            name, ident, public = parse_key(vector["vkey"])
            return {"key_name": name, "id_hex": ident.hex(), "public_hex": public.hex()}
        case "cosign":
            seed = bytes.fromhex(vector["seed_hex"])
            line = cosign(vector["key_name"], seed, vector["time"], raw(vector, "text"))
            return {"line": line.decode(), "vkey": print_vkey(vector["key_name"], ed25519.public_key(seed), KIND)}
        case "cosigned":
            return {"time": cosigned(raw(vector, "note"), vector["vkey"])}
        case what:
            raise ValueError(what)


NAME, SEED = "vault/logchain-witness", bytes(range(32, 64))
PUBLIC = ed25519.public_key(SEED)
ID, KEY = key_id(NAME, PUBLIC, KIND), print_vkey(NAME, PUBLIC, KIND)
TIME = 1_795_402_800  # 2026-11-23T03:00:00Z
TEXT = text_of()
NOTE = sign(TEXT, SIGNER)


def good() -> list[Vector]:
    """The page's example; times at their bounds; others beside."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    add("vkey", "of the page", vkey=KEY)
    add("vkey", "of a witness that runs", vkey="remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
    for name, time in {"example of the page": TIME, "in 1970": 0, "at its limit": NUMBER_MAX}.items():
        add("cosign", name, key_name=NAME, seed_hex=SEED.hex(), time=time, **given("text", TEXT))
        add("cosigned", name, vkey=KEY, **given("note", NOTE + cosign(NAME, SEED, time, TEXT)))
    longer = text_of("example.com/z\u00fcrich", "7", "e/KwnRsnf22mEQB32uY2RwY2aPqzcEAz5wvusWOeuuA=", "more", "and more")
    add(
        "cosign",
        "a checkpoint with further lines",
        key_name=NAME,
        seed_hex=SEED.hex(),
        time=TIME,
        **given("text", longer),
    )
    line, other = cosign(NAME, SEED, TIME, TEXT), cosign("other.example", sample("other witness"), TIME + 9, TEXT)

    def note(name: str, data: bytes, vkey: str = KEY) -> None:
        add("cosigned", name, vkey=vkey, **given("note", data))

    note("by nobody but the log", NOTE)
    note("by another witness only", NOTE + other)
    note("beside another witness", NOTE + other + line)
    note("before the log's own signature", TEXT + b"\n" + line + line_of(*SIGNER, TEXT))
    note("without the log's signature", TEXT + b"\n" + line)
    note("twice, the later first", NOTE + cosign(NAME, SEED, TIME + 60, TEXT) + line)
    note("by a key of that name and of another id", NOTE + cosign(NAME, sample("again"), TIME, TEXT))
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    refused("vkey", "a log's key", "vkey-type", vkey=VKEY)
    refused("vkey", "of ML-DSA-44", "vkey-type", vkey=print_vkey(NAME, bytes(1312), 6))
    refused("vkey", "31 bytes", "vkey-key-size", vkey=print_vkey(NAME, PUBLIC[:31], KIND))
    refused("vkey", "33 bytes", "vkey-key-size", vkey=print_vkey(NAME, PUBLIC + b"\0", KIND))
    refused("vkey", "id of type 1", "vkey-id-of-another", vkey=KEY.replace(ID.hex(), key_id(NAME, PUBLIC).hex()))
    refused("vkey", "id in uppercase", "vkey-id-form", vkey=KEY.replace(ID.hex(), ID.hex().upper()))
    refused("vkey", "two parts", "vkey-form", vkey=NAME + "+" + ID.hex())

    def note(name: str, reason: str, data: bytes) -> None:
        refused("cosigned", name, reason, "not signed", vkey=KEY, **given("note", data))

    def line(time: int, signature: bytes) -> bytes:
        return signature_line(NAME, ID, time.to_bytes(8, "big") + signature)

    right = ed25519.sign(SEED, message(TIME, TEXT))
    note("another time told", "signature-wrong", NOTE + line(TIME + 1, right))
    note(
        "the time's bytes turned round",
        "signature-wrong",
        NOTE + signature_line(NAME, ID, TIME.to_bytes(8, "little") + right),
    )
    note(
        "of another checkpoint",
        "signature-wrong",
        sign(text_of("a", "4", "e/KwnRsnf22mEQB32uY2RwY2aPqzcEAz5wvusWOeuuA="), SIGNER) + line(TIME, right),
    )
    note("a further line put in", "signature-wrong", NOTE.replace(b"=\n\n", b"=\nmore\n\n", 1) + line(TIME, right))
    note("over the text alone", "signature-wrong", NOTE + line(TIME, ed25519.sign(SEED, TEXT)))
    note(
        "of another version",
        "signature-wrong",
        NOTE + line(TIME, ed25519.sign(SEED, message(TIME, TEXT).replace(b"/v1", b"/v2"))),
    )
    note(
        "the time with a zero in front",
        "signature-wrong",
        NOTE + line(TIME, ed25519.sign(SEED, message(TIME, TEXT).replace(b"time ", b"time 0"))),
    )
    note(
        "the time one beyond",
        "time-range",
        NOTE + line(NUMBER_MAX + 1, ed25519.sign(SEED, message(NUMBER_MAX + 1, TEXT))),
    )
    note("a byte too few", "cosignature-size", NOTE + line(TIME, right[:-1]))
    note("a byte too many", "cosignature-size", NOTE + line(TIME, right + b"\0"))
    note("no time", "cosignature-size", NOTE + signature_line(NAME, ID, right))
    note("a right one, and a wrong one", "signature-wrong", NOTE + line(TIME, right) + line(TIME + 1, right))
    return vectors
