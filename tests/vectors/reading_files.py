"""docs/spec/files.md as code: the four small text files, one of them in two forms."""

import re

import nacl.exceptions
import nacl.pwhash.argon2id
import nacl.secret

from tests.vectors.reading_common import Vector, is_hex, kdf, need, parse_number, parse_time, refuse, sample
from tests.vectors.reading_ratchet import SALT, STORE_ID, A, stream_id

SPEC = "docs/spec/files.md"
MIB = 1 << 20


def parse_lines(raw: bytes, title: str, *words: str) -> list[str]:
    """All of the page's first sentence: ASCII, at most 4,096 bytes, this title, these words in this order."""
    need(len(raw) <= 4096, "too-long")
    need(raw.isascii(), "not-ascii")
    text = raw.decode()
    need(text.endswith("\n"), "no-newline")
    first, *lines = text[:-1].split("\n")
    need(first == title, "title")
    values = []
    for word, line in zip(words, lines, strict=False):
        need(re.match(rf"\A(?:{word}) \S", line, re.ASCII), "line-form")
        values.append(line)
    need(len(lines) >= len(words), "line-missing")
    need(len(lines) == len(words), "line-too-many")
    return [line.split(" ", 1)[1] for line in values]


def hex_value(text: str, size: int) -> str:
    """A value of so many bytes in hex."""
    need(is_hex(text, size), "hex")
    return text


def parse_locked(value: str, passphrase: str | None) -> Vector:
    """Item 7: Argon2id over the passphrase gives the key of the box."""
    parts = value.split(" ")
    need(len(parts) == 5, "locked-form")
    need(parts[0] == "argon2id", "locked-form")
    passes, memory = parse_number(parts[1], 1, 10), parse_number(parts[2], 8 * MIB, 1024 * MIB)
    need(memory % 1024 == 0, "memory-not-whole")
    found: Vector = {
        "passes": passes,
        "memory": memory,
        "salt_hex": hex_value(parts[3], 16),
        "box_hex": hex_value(parts[4], 72),
    }
    if passphrase is None:
        return found
    key = nacl.pwhash.argon2id.kdf(32, passphrase.encode(), bytes.fromhex(parts[3]), passes, memory)
    try:
        secret = nacl.secret.SecretBox(key).decrypt(bytes.fromhex(parts[4]))
    except nacl.exceptions.CryptoError:
        refuse("does-not-open")
    return found | {"secret_hex": secret.hex()}


def parse_file(what: str, raw: bytes, vector: Vector) -> Vector:
    """One of the files."""
    if what == "format":
        store, created = parse_lines(raw, "logchain store v1", "store", "created")
        return {"store_hex": hex_value(store, 16), "created_us": parse_time(created.encode())}
    if what == "id":
        salt, ident = parse_lines(raw, "logchain stream v1", "salt", "id")
        found = {"salt_hex": hex_value(salt, 32), "id_hex": hex_value(ident, 32)}
        follows = stream_id(bytes.fromhex(salt), vector["vm"], vector["stream"]).hex()
        need(ident == follows, "id-does-not-follow")
        return found
    if what == "seed":
        store, seed = parse_lines(raw, "logchain seed v1", "store", "seed")
        return {"store_hex": hex_value(store, 16), "seed_hex": hex_value(seed, 32)}
    store, value = parse_lines(raw, "logchain audit secret v1", "store", "secret|locked")
    secret: Vector = {"store_hex": hex_value(store, 16), "locked": b"\nlocked " in raw}
    if secret["locked"]:
        return secret | parse_locked(value, vector.get("passphrase"))
    return secret | {"secret_hex": hex_value(value, 32)}


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    raw = vector["text"].encode() if "text" in vector else bytes.fromhex(vector["text_hex"])
    return parse_file(vector["what"], raw, vector)


STORE, SEED = STORE_ID.hex(), kdf(A, "births", STORE_ID).hex()
CREATED = "2026-11-23T03:00:00.000123Z"
PASSPHRASE = "correct horse battery staple"
NONCE, LOCK_SALT = sample("nonce", 24), sample("lock salt", 16)


def text_of(*lines: str) -> str:
    """Join lines, each with its newline."""
    return "".join(f"{line}\n" for line in lines)


def boxed(passphrase: str = PASSPHRASE, passes: int = 1, memory: int = 8 * MIB) -> str:
    """Lock the audit secret and give the box in hex: nonce, then what SecretBox makes."""
    key = nacl.pwhash.argon2id.kdf(32, passphrase.encode(), LOCK_SALT, passes, memory)
    return nacl.secret.SecretBox(key).encrypt(A, NONCE).hex()


FORMAT = ("logchain store v1", f"store {STORE}", f"created {CREATED}")
STREAM_FILE = (
    "logchain stream v1",
    f"salt {SALT.hex()}",
    f"id {stream_id(SALT, 'work-web', 'journal').hex()}",
)
SEED_FILE = ("logchain seed v1", f"store {STORE}", f"seed {SEED}")
SECRET_FILE = ("logchain audit secret v1", f"store {STORE}", f"secret {A.hex()}")
NAMES = {"vm": "work-web", "stream": "journal"}
LOCKED_HEAD = SECRET_FILE[:2]


def good() -> list[Vector]:
    """Every file, and the limits of the lock."""
    vectors: list[Vector] = []

    def add(what: str, name: str, text: str, **fields: object) -> None:
        vectors.append({"what": what, "name": name, "text": text} | fields)

    store = {"store_hex": STORE}
    add("format", "format", text_of(*FORMAT), created_us=1_795_402_800_000_123, **store)
    first = text_of(*FORMAT[:2], "created 1970-01-01T00:00:00.000000Z")
    add("format", "created at the first moment", first, created_us=0, **store)
    last = text_of(*FORMAT[:2], "created 9999-12-31T23:59:59.999999Z")
    add("format", "created at the last moment", last, created_us=253_402_300_799_999_999, **store)
    ident = STREAM_FILE[2].split(" ")[1]
    add("id", "id", text_of(*STREAM_FILE), salt_hex=SALT.hex(), id_hex=ident, **NAMES)
    own = stream_id(b"\0" * 32, "dom0", "main").hex()
    of_dom0 = text_of("logchain stream v1", "salt " + "00" * 32, f"id {own}")
    add("id", "id of dom0", of_dom0, salt_hex="00" * 32, id_hex=own, vm="dom0", stream="main")
    add("seed", "seed", text_of(*SEED_FILE), seed_hex=SEED, **store)
    add("secret", "audit secret", text_of(*SECRET_FILE), locked=False, secret_hex=A.hex(), **store)

    def locked(name: str, passphrase: str | None, passes: int, memory: int, box: str = "") -> None:
        box = box or boxed(passphrase or "", passes, memory)
        text = text_of(*LOCKED_HEAD, f"locked argon2id {passes} {memory} {LOCK_SALT.hex()} {box}")
        fields = {"passes": passes, "memory": memory, "salt_hex": LOCK_SALT.hex(), "box_hex": box}
        opened = {} if passphrase is None else {"passphrase": passphrase, "secret_hex": A.hex()}
        add("secret", name, text, locked=True, **store, **fields, **opened)

    locked("locked, the least", PASSPHRASE, 1, 8 * MIB)
    locked("locked, ten passes", PASSPHRASE, 10, 8 * MIB)
    locked("locked, more memory", PASSPHRASE, 2, 16 * MIB)
    locked("locked, a passphrase beyond ascii", "Z\u00fcrich \u2713 \U0001f511", 1, 8 * MIB)
    locked("locked, the most; read only, not to be opened", None, 10, 1024 * MIB, sample("box", 72).hex())
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, text: str, **fields: object) -> None:
        shown = {"text": text} if text.isascii() else {"text_hex": text.encode().hex()}
        vectors.append({"what": what, "name": name, "reason": reason} | shown | fields)

    files: list[tuple[str, tuple[str, ...], dict[str, object]]] = [
        ("format", FORMAT, {}),
        ("id", STREAM_FILE, dict(NAMES)),
        ("seed", SEED_FILE, {}),
        ("secret", SECRET_FILE, {}),
    ]
    for what, lines, names in files:
        text, (title, one, two) = text_of(*lines), lines

        def each(name: str, reason: str, text: str, what: str = what, names: dict[str, object] = names) -> None:
            refused(what, name, reason, text, **names)

        each("empty", "no-newline", "")
        each("last newline missing", "no-newline", text[:-1])
        each("empty line behind", "line-too-many", text + "\n")
        each("line behind", "line-too-many", text + "more 1\n")
        each("last line twice", "line-too-many", text + two + "\n")
        each("bytes behind without a newline", "no-newline", text + "x")
        each("4097 bytes", "too-long", text.ljust(4096, "x") + "\n")
        each("next version", "title", text_of(title.replace("v1", "v2"), one, two))
        each("title in uppercase", "title", text_of(title.upper(), one, two))
        each("space behind the title", "title", text_of(title + " ", one, two))
        each("empty line in front", "title", "\n" + text)
        each("byte order mark in front", "not-ascii", "\ufeff" + text)
        each("title only", "line-missing", text_of(title))
        each("last line missing", "line-missing", text_of(title, one))
        each("middle line missing", "line-form", text_of(title, two))
        each("lines in another order", "line-form", text_of(title, two, one))
        each("carriage returns", "title", text.replace("\n", "\r\n"))
        each("two spaces", "line-form", text_of(title, one.replace(" ", "  "), two))
        each("tab for the space", "line-form", text_of(title, one.replace(" ", "\t"), two))
        each("space in front of a line", "line-form", text_of(title, " " + one, two))
        each("no value", "line-form", text_of(title, one.split(" ")[0] + " ", two))
        each("no space", "line-form", text_of(title, one.split(" ")[0], two))
        each("another word", "line-form", text_of(title, one, "x" + two))
        each("word in uppercase", "line-form", text_of(title, one[0].upper() + one[1:], two))
        each("space behind a value", "hex", text_of(title, one + " ", two))
        each("uppercase hex", "hex", text_of(title, one.split(" ")[0] + " " + one.split(" ")[1].upper(), two))
        each("one digit short", "hex", text_of(title, one[:-1], two))
        each("one digit long", "hex", text_of(title, one + "0", two))
        each("one byte short", "hex", text_of(title, one[:-2], two))
        each("prefix 0x", "hex", text_of(title, one.replace(" ", " 0x"), two))
        each("no hex digit", "hex", text_of(title, one[:-1] + "g", two))
        if what != "format":
            each("last value one digit short", "hex", text_of(title, one, two[:-1]))
            each("last value one byte long", "hex", text_of(title, one, two + "00"))
            each("last value in uppercase", "hex", text_of(title, one, two.split(" ")[0] + " " + "AB" * 32))

    def created(name: str, reason: str, value: str) -> None:
        refused("format", name, reason, text_of(*FORMAT[:2], f"created {value}"))

    created("created, five digits of a second", "time-form", CREATED.replace("000123", "00123"))
    created("created, no digits of a second", "time-form", CREATED.replace(".000123", ""))
    created("created, lowercase z", "time-form", CREATED.lower().replace("t", "T"))
    created("created, space behind", "time-form", CREATED + " ")
    created("created on 30 February", "time-no-such-moment", CREATED.replace("11-23", "02-30"))
    created("created in 1969", "time-before-1970", CREATED.replace("2026", "1969"))
    title, salt, ident = STREAM_FILE
    for name, other in (("another VM", {"vm": "work-mail"}), ("another stream", {"stream": "kernel"})):
        refused(
            "id",
            f"in the directory of {name}",
            "id-does-not-follow",
            text_of(*STREAM_FILE),
            **(NAMES | other),
        )
    refused(
        "id",
        "VM and stream changed places",
        "id-does-not-follow",
        text_of(*STREAM_FILE),
        vm="journal",
        stream="work-web",
    )
    refused("id", "another salt", "id-does-not-follow", text_of(title, "salt " + "00" * 32, ident), **NAMES)
    refused("id", "id of zeros", "id-does-not-follow", text_of(title, salt, "id " + "00" * 32), **NAMES)

    box = boxed()

    def locked(name: str, reason: str, value: str, **fields: object) -> None:
        refused("secret", name, reason, text_of(*LOCKED_HEAD, f"locked {value}"), **fields)

    def with_parts(name: str, reason: str, **parts: str) -> None:
        known = {
            "how": "argon2id",
            "passes": "1",
            "memory": "8388608",
            "salt": LOCK_SALT.hex(),
            "box": box,
        } | parts
        locked(name, reason, " ".join(known.values()), passphrase=PASSPHRASE)

    with_parts("locked, another function", "locked-form", how="argon2i")
    with_parts("locked, function in uppercase", "locked-form", how="Argon2id")
    with_parts("locked, two spaces", "locked-form", how="argon2id ")
    with_parts("locked, space behind", "locked-form", box=box + " ")
    locked("locked, no box", "locked-form", f"argon2id 1 8388608 {LOCK_SALT.hex()}", passphrase=PASSPHRASE)
    with_parts("locked, no passes", "number-range", passes="0")
    with_parts("locked, eleven passes", "number-range", passes="11")
    with_parts("locked, passes with a leading zero", "number-form", passes="01")
    with_parts("locked, passes with a sign", "number-form", passes="+1")
    with_parts("locked, a byte too little memory", "number-range", memory="8388607")
    with_parts("locked, a byte too much memory", "number-range", memory="1073741825")
    with_parts("locked, memory far beyond", "number-range", memory="9" * 40)
    with_parts("locked, memory with a leading zero", "number-form", memory="08388608")
    with_parts("locked, memory with a unit", "number-form", memory="8MiB")
    with_parts("locked, salt one byte short", "hex", salt=LOCK_SALT.hex()[2:])
    with_parts("locked, salt one byte long", "hex", salt=LOCK_SALT.hex() + "00")
    with_parts("locked, salt in uppercase", "hex", salt="AB" * 16)
    with_parts("locked, box one byte short", "hex", box=box[:-2])
    with_parts("locked, box one byte long", "hex", box=box + "00")
    with_parts("locked, box in uppercase", "hex", box=box.upper())
    with_parts("locked, box changed", "does-not-open", box=flip_last(box))
    with_parts("locked, nonce changed", "does-not-open", box=flip_last(box[:48]) + box[48:])
    with_parts("locked, salt changed", "does-not-open", salt=flip_last(LOCK_SALT.hex()))
    with_parts("locked, passes changed", "does-not-open", passes="2")
    with_parts("locked, memory changed", "does-not-open", memory="8389632")
    whole = f"argon2id 1 8388608 {LOCK_SALT.hex()} {box}"
    locked("locked, another passphrase", "does-not-open", whole, passphrase=PASSPHRASE + " ")
    locked("locked, no passphrase typed", "does-not-open", whole, passphrase="")
    both = text_of(*SECRET_FILE, f"locked {whole}")
    refused("secret", "both secret and locked", "line-too-many", both)
    return vectors


def flip_last(digits: str) -> str:
    """Change the last hex digit."""
    return digits[:-1] + ("0" if digits[-1] != "0" else "1")
