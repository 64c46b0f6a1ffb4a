"""docs/spec/note.md as code: keys, notes, and whose signature is on them."""

import base64
import hashlib
import re

from tests.vectors import ed25519
from tests.vectors.reading_common import NotSignedError, Vector, given, need, raw, refuse, sample

SPEC = "docs/spec/note.md"
DASH = "\u2014"
SIGNATURES_MAX = 16
# Unicode's White_Space (PropList.txt), but those of ASCII below U+0020, which are refused as control characters
SPACES = " \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
BASE64 = re.compile(r"\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z", re.ASCII)

Signature = tuple[str, bytes, bytes]  # key name, key id, the signature itself


def parse_base64(text: str) -> bytes:
    """Item 5."""
    need(BASE64.match(text), "base64-form")
    found = base64.b64decode(text)
    need(base64.b64encode(found).decode() == text, "base64-bits-behind-end")
    return found


def check_name(name: str) -> None:
    """Item 4."""
    need(name, "name-empty")
    need(not any(character < " " for character in name), "name-control")
    need(not any(character in SPACES for character in name), "name-space")
    need("+" not in name, "name-plus")


def key_id(name: str, public: bytes, kind: int = 1) -> bytes:
    """Item 7; of other types for bad vectors only."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def parse_vkey(vkey: str) -> tuple[str, bytes, bytes]:
    """Item 9: name, key id, 32 bytes of public key."""
    parts = vkey.split("+", 2)
    need(len(parts) == 3, "vkey-form")
    name, ident, rest = parts
    check_name(name)
    need(re.match(r"\A[0-9a-f]{8}\Z", ident, re.ASCII), "vkey-id-form")
    key = parse_base64(rest)
    need(key and key[0] == 1, "vkey-type")
    need(len(key) == 33, "vkey-key-size")
    need(key_id(name, key[1:]).hex() == ident, "vkey-id-of-another")
    return name, bytes.fromhex(ident), key[1:]


def parse_note(note: bytes, bytes_max: int, signatures_max: int) -> tuple[bytes, list[Signature]]:
    """Items 1 to 6: the text, and who is said to have signed it."""
    need(len(note) <= bytes_max, "too-long")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        refuse("not-utf-8")
    need(whole.endswith("\n"), "no-newline")
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", whole), "control")
    lines = whole[:-1].split("\n")
    need("" in lines, "no-empty-line")
    last = len(lines) - 1 - lines[::-1].index("")
    need(last > 0, "no-text")
    text, below = "".join(f"{line}\n" for line in lines[:last]), lines[last + 1 :]
    need(below, "no-signature-line")
    signatures = []
    for line in below:
        need(line.startswith(f"{DASH} "), "signature-line-form")
        name, space, rest = line[2:].partition(" ")
        need(space, "signature-line-form")
        check_name(name)
        found = parse_base64(rest)
        need(len(found) >= 5, "signature-short")
        signatures.append((name, found[:4], found[4:]))
    need(len(signatures) <= signatures_max, "signatures-too-many")
    return text.encode(), signatures


def open_note(note: bytes, vkey: str, bytes_max: int, signatures_max: int) -> bytes:
    """Items 10 and 11: the text, once all is well-formed and this key's signatures hold."""
    name, ident, public = parse_vkey(vkey)
    text, signatures = parse_note(note, bytes_max, signatures_max)
    own = [found for its_name, its_id, found in signatures if (its_name, its_id) == (name, ident)]
    need(own, "no-signature-of-this-key", NotSignedError)
    for found in own:
        failure = ed25519.failure(public, text, found)
        need(not failure, failure, NotSignedError)
    return text


def vkey_of(name: str, seed: bytes) -> str:
    """Write the public key of a seed."""
    return print_vkey(name, ed25519.public_key(seed))


def print_vkey(name: str, public: bytes, kind: int = 1) -> str:
    """Write a public key; of another type for bad vectors only."""
    key = base64.b64encode(bytes([kind]) + public).decode()
    return f"{name}+{key_id(name, public, kind).hex()}+{key}"


def signature_line(name: str, ident: bytes, found: bytes) -> bytes:
    """Write a signature line, its newline included."""
    return f"{DASH} {name} {base64.b64encode(ident + found).decode()}\n".encode()


def line_of(name: str, seed: bytes, text: bytes) -> bytes:
    """Sign a text: the line that tells it."""
    return signature_line(name, key_id(name, ed25519.public_key(seed)), ed25519.sign(seed, text))


def sign(text: bytes, *signers: tuple[str, bytes]) -> bytes:
    """Write a note, signed by each of these."""
    return text + b"\n" + b"".join(line_of(name, seed, text) for name, seed in signers)


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "vkey":
            name, ident, public = parse_vkey(vector["vkey"])
            return {"key_name": name, "id_hex": ident.hex(), "public_hex": public.hex()}
        case "sign":
            signer = (vector["key_name"], bytes.fromhex(vector["seed_hex"]))
            return {"vkey": vkey_of(*signer), "note": sign(raw(vector, "text"), signer).decode()}
        case "note":
            limits = vector.get("bytes_max", 1 << 20), vector.get("signatures_max", SIGNATURES_MAX)
            return given("text", open_note(raw(vector, "note"), vector["vkey"], *limits))
        case what:
            raise ValueError(what)


NAME, SEED = "log.example/7", sample("note seed")
OTHER_NAME, OTHER_SEED = "witness.example", sample("witness seed")
PUBLIC = ed25519.public_key(SEED)
ID, VKEY = key_id(NAME, PUBLIC), vkey_of(NAME, SEED)
OTHER = (OTHER_NAME, OTHER_SEED)
TEXT = b"two words\nand a line\n"
NOTE = sign(TEXT, (NAME, SEED))
LINE = line_of(NAME, SEED, TEXT)
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
EXAMPLE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    f"{DASH} PeterNeumann {EXAMPLE_SIGNATURE}\n"
).encode()


def seed_with(character: str) -> bytes:
    """Find a seed whose public key has this character in its base64."""
    seeds = (sample(f"seed {index}") for index in range(1000))
    return next(seed for seed in seeds if character in vkey_of("a", seed).split("+", 2)[2])


LOW = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")  # a point of order eight
MIXED = ed25519.compress(ed25519.add(ed25519.multiply(ed25519.scalar(SEED), ed25519.BASE), ed25519.multiply(1, LOW)))


def craft(public: bytes, secret: int, r_low: bytes = b"", *, eighth: bool = True) -> tuple[bytes, bytes]:
    """Sign as nobody does: with a key, or an R, that has a part of small order.

    The text is one whose challenge is a multiple of eight, so that the part does no harm, or (`eighth=False`) is none.
    """
    for count in range(1000):
        text, nonce = f"text {count}\n".encode(), 7 + count
        point = ed25519.multiply(nonce, ed25519.BASE)
        r = ed25519.compress(ed25519.add(point, ed25519.multiply(1, r_low)) if r_low else point)
        challenge = ed25519.challenge(r, public, text)
        if (challenge % 8 == 0) == eighth:
            s = (nonce + challenge * secret) % ed25519.ORDER
            return text, r + s.to_bytes(32, "little")
    raise AssertionError


def with_signature(found: bytes, text: bytes = TEXT, public: bytes = PUBLIC) -> bytes:
    """Write a note with these bytes in place of the signature."""
    return text + b"\n" + signature_line(NAME, key_id(NAME, public), found)


def good() -> list[Vector]:
    """What a note, its signers and their names may be."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    add("vkey", "example of the page", vkey=EXAMPLE_KEY)
    for character in "+/":
        add("vkey", f"{character} in the base64", vkey=vkey_of(NAME, seed_with(character)))
    add("vkey", "shortest name", vkey=vkey_of("a", SEED))
    add("vkey", "32 bytes that are no point of the curve", vkey=print_vkey(NAME, NO_POINT))
    names = {
        "a slash, a dot, a hyphen": "a/b.c-d",
        "beyond ASCII": "z\u00fcrich/\U0001f511",
        "U+007F": "a\x7fb",
        "an em dash": f"a{DASH}b",
        "U+200B and U+FEFF, which are no White_Space": "a\u200bb\ufeff",
    }
    for what, key_name in names.items():
        add("vkey", f"name with {what}", vkey=vkey_of(key_name, SEED))
        add("sign", f"name with {what}", key_name=key_name, seed_hex=SEED.hex(), text=TEXT.decode())
    add("sign", "two lines", key_name=NAME, seed_hex=SEED.hex(), text=TEXT.decode())
    add("sign", "the shortest text", key_name=NAME, seed_hex=SEED.hex(), text="\n")
    add("sign", "a text beyond ASCII", key_name=NAME, seed_hex="00" * 32, text="\u00e8 subito\n")

    def note(name: str, data: bytes, vkey: str = VKEY, bytes_max: int = 4096, signatures_max: int = 16) -> None:
        limits = {"bytes_max": bytes_max, "signatures_max": signatures_max}
        add("note", name, vkey=vkey, **given("note", data), **limits)

    note("example of the page", EXAMPLE, EXAMPLE_KEY)
    note("two words and a line", NOTE)
    texts = {
        "the shortest": "\n",
        "two empty lines": "\n\n",
        "an empty line in the midst": "a\n\nb\n",
        "an empty line at its end": "a\n\n",
        "an empty line in front": "\na\n",
        "a line like a signature's": f"a\n{DASH} b c\n",
        "a whole note": NOTE.decode(),
        "spaces at the ends of lines": " a \n \n",
        "U+007F, U+0080 and U+0085": "a\x7fb\x80c\x85d\n",
        "U+2028 and U+2029": "a\u2028b\u2029c\n",
        "a byte order mark in front": "\ufeffa\n",
        "the highest code point": "a\U0010ffff\n",
        "a combining mark, not normalised": "e\u0301 \u00e9\n",
    }
    for what, text in texts.items():
        note(f"text: {what}", sign(text.encode(), (NAME, SEED)))
    for what, key_name in names.items():
        note(f"name with {what}", sign(TEXT, (key_name, SEED)), vkey_of(key_name, SEED))
    note("a key with + in its base64", sign(TEXT, (NAME, seed_with("+"))), vkey_of(NAME, seed_with("+")))

    other = line_of(*OTHER, TEXT)
    note("another's signature in front", TEXT + b"\n" + other + LINE)
    note("another's signature behind", NOTE + other)
    note("two names, one key", sign(TEXT, (NAME, SEED), (OTHER_NAME, SEED)))
    note("one name, two keys", sign(TEXT, (NAME, SEED), (NAME, OTHER_SEED)))
    wrong = ed25519.sign(SEED, b"another\n")
    note("wrong, of this key's name only", NOTE + signature_line(NAME, key_id(NAME, MIXED), wrong))
    note("wrong, of this key's id only", NOTE + signature_line(OTHER_NAME, ID, wrong))
    note("another's of one byte", NOTE + signature_line(OTHER_NAME, ID, b"\0"))
    note("another's of 2,420 bytes", NOTE + signature_line(OTHER_NAME, ID, sample("ml-dsa", 2420)))
    note("another's twice", NOTE + other + other)
    note("this key's twice", NOTE + LINE)
    fifteen = b"".join(signature_line(f"w{index}", sample(f"w{index}", 4), sample("s", 8)) for index in range(15))
    note("16 signatures, this key's the last", TEXT + b"\n" + fifteen + LINE)
    note("16 signatures, this key's the first", NOTE + fifteen)
    note("one signature, and no more allowed", NOTE, signatures_max=1)
    note("as many bytes as are allowed", NOTE, bytes_max=len(NOTE))
    crafted, found = craft(MIXED, ed25519.scalar(SEED))
    harmless = "a key with a part of order eight, which does no harm"
    note(harmless, with_signature(found, crafted, MIXED), print_vkey(NAME, MIXED))
    return vectors


NO_POINT = bytes([2]) + bytes(31)


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    def vkey(name: str, reason: str, text: str) -> None:
        refused("vkey", name, reason, vkey=text)

    _, ident, key = VKEY.split("+", 2)
    vkey("empty", "vkey-form", "")
    vkey("name only", "vkey-form", NAME)
    vkey("no key", "vkey-form", f"{NAME}+{ident}")
    vkey("name empty", "name-empty", vkey_of("", SEED))
    vkey("space in the name", "name-space", vkey_of("a b", SEED))
    vkey("space in front", "name-space", f" {VKEY}")
    vkey("no-break space in the name", "name-space", vkey_of("a\xa0b", SEED))
    vkey("tab in the name", "name-control", vkey_of("a\tb", SEED))
    vkey("newline in the name", "name-control", vkey_of("a\nb", SEED))
    vkey("nul in the name", "name-control", vkey_of("a\0b", SEED))
    vkey("plus in the name", "vkey-id-form", vkey_of("a+b", SEED))
    vkey(
        "a private key of Go",
        "vkey-id-form",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    )
    vkey("id of seven digits", "vkey-id-form", f"{NAME}+{ident[1:]}+{key}")
    vkey("id of nine digits", "vkey-id-form", f"{NAME}+0{ident}+{key}")
    upper = next(name for name in map(str, range(100)) if not vkey_of(name, SEED).split("+")[1].isdecimal())
    parts = vkey_of(upper, SEED).split("+", 2)
    vkey("id in uppercase", "vkey-id-form", f"{upper}+{parts[1].upper()}+{parts[2]}")
    vkey("id with a prefix", "vkey-id-form", f"{NAME}+0x{ident[2:]}+{key}")
    vkey("id of another name", "vkey-id-of-another", f"{NAME}+{vkey_of(OTHER_NAME, SEED).split('+')[1]}+{key}")
    vkey("id of another key", "vkey-id-of-another", f"{NAME}+{vkey_of(NAME, OTHER_SEED).split('+')[1]}+{key}")
    vkey("id of the bytes in reverse", "vkey-id-of-another", f"{NAME}+{ID[::-1].hex()}+{key}")
    untyped = hashlib.sha256(NAME.encode() + b"\n" + PUBLIC).digest()[:4].hex()
    vkey("id made without the type", "vkey-id-of-another", f"{NAME}+{untyped}+{key}")
    vkey("key in base64 without padding", "base64-form", print_vkey(NAME, PUBLIC[:31]).rstrip("="))
    vkey(
        "key in the alphabet for URLs",
        "base64-form",
        vkey_of(NAME, seed_with("/")).replace("/", "_").replace("log.example_", "log.example/"),
    )
    vkey("newline behind", "base64-form", f"{VKEY}\n")
    vkey("space behind", "base64-form", f"{VKEY} ")
    vkey("a fourth part", "base64-form", f"{VKEY}+a===")
    for kind, what in ((0, "0"), (2, "2, ECDSA"), (4, "4, a cosignature"), (255, "255")):
        vkey(f"type {what}", "vkey-type", print_vkey(NAME, PUBLIC, kind))
    vkey("key empty", "vkey-type", f"{NAME}+{ident}+")
    vkey("type only", "vkey-key-size", print_vkey(NAME, b""))
    vkey("key of 31 bytes", "vkey-key-size", print_vkey(NAME, PUBLIC[:31]))
    vkey("key of 33 bytes", "vkey-key-size", print_vkey(NAME, PUBLIC + b"\0"))

    def note(
        name: str,
        reason: str,
        data: bytes,
        kind: str = "malformed",
        vkey: str = VKEY,
        bytes_max: int = 4096,
        signatures_max: int = 16,
    ) -> None:
        limits = {"bytes_max": bytes_max, "signatures_max": signatures_max}
        refused("note", name, reason, kind, vkey=vkey, **given("note", data), **limits)

    for limit in (0, len(NOTE) - 1):
        note(f"a note of {len(NOTE)} bytes where {limit} are allowed", "too-long", NOTE, bytes_max=limit)
    note("empty", "no-newline", b"")
    note("last newline missing", "no-newline", NOTE[:-1])
    note("carriage return and newline at the end", "control", NOTE[:-1] + b"\r\n")
    for number in (0, 1, 9, 11, 12, 13, 27, 31):
        note(f"U+{number:04X} in the text", "control", sign(b"two" + bytes([number]) + b"words\n", (NAME, SEED)))
    note("tab for a space in the signature line", "control", TEXT + b"\n" + LINE.replace(b" ", b"\t"))
    note("nul behind", "control", NOTE + b"\0\n")
    strange = {
        "a byte of no meaning": b"\xff",
        "Latin-1": b"\xe8 subito",
        "a character cut off": b"\xe2\x80",
        "a surrogate": b"\xed\xa0\x80",
        "a slash in two bytes": b"\xc0\xaf",
        "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    }
    for what, data in strange.items():
        note(f"text with {what}", "not-utf-8", sign(data + b"\n", (NAME, SEED)))
    note("name of another signer in Latin-1", "not-utf-8", NOTE + NOTE[-len(LINE) :].replace(b"log", b"l\xf6g"))

    note("text only", "no-empty-line", TEXT)
    note("one newline", "no-text", b"\n")
    note("no empty line", "no-empty-line", TEXT + LINE)
    note("no text", "no-text", b"\n" + line_of(NAME, SEED, b""))
    note("signature line only", "no-empty-line", LINE)
    note("no signature line", "no-signature-line", TEXT + b"\n")
    note("empty line behind", "no-signature-line", NOTE + b"\n")
    note(
        "empty line between two signature lines: the first is text",
        "no-signature-of-this-key",
        NOTE + b"\n" + line_of(*OTHER, NOTE),
        "not signed",
    )
    note("a line of text behind", "signature-line-form", NOTE + b"more\n")
    note("a line of text between", "signature-line-form", TEXT + b"\nmore\n" + LINE)
    note("a space for the empty line", "no-empty-line", TEXT + b" \n" + LINE)

    def lined(name: str, reason: str, line: str) -> None:
        note(name, reason, TEXT + b"\n" + line.encode())

    line = LINE.decode()
    rest = line.split(" ", 2)[2]
    lined("hyphen for the dash", "signature-line-form", line.replace(DASH, "-"))
    lined("two hyphens for the dash", "signature-line-form", line.replace(DASH, "--"))
    lined("en dash for the dash", "signature-line-form", line.replace(DASH, "\u2013"))
    lined("two dashes", "signature-line-form", DASH + line)
    lined("no dash", "signature-line-form", line[2:])
    lined("no space behind the dash", "signature-line-form", line.replace(f"{DASH} ", DASH))
    lined("no-break space behind the dash", "signature-line-form", line.replace(f"{DASH} ", f"{DASH}\xa0"))
    lined("space in front", "signature-line-form", f" {line}")
    lined("name only", "signature-line-form", f"{DASH} {NAME}\n")
    lined("two spaces behind the dash", "name-empty", line.replace(f"{DASH} ", f"{DASH}  "))
    lined("no name", "name-empty", f"{DASH}  {rest}")
    lined("two spaces behind the name", "base64-form", line.replace(NAME, f"{NAME} "))
    lined("space behind", "base64-form", line[:-1] + " \n")
    lined("a third word", "base64-form", line[:-1] + " more\n")
    lined("space in the name", "base64-form", line.replace(NAME, "log .example"))
    plain = rest.replace("+", "A")
    lined("plus in the name", "name-plus", f"{DASH} {NAME}+ {plain}")
    for character in SPACES[1:]:
        lined(f"U+{ord(character):04X} in the name", "name-space", f"{DASH} a{character}b {rest}")

    def encoded(name: str, reason: str, text: str) -> None:
        lined(f"base64: {name}", reason, f"{DASH} {NAME} {text}\n")
        note(f"base64 of another signer: {name}", reason, NOTE + f"{DASH} {OTHER_NAME} {text}\n".encode())

    whole = base64.b64encode(ID + bytes(range(64))).decode()
    encoded("nothing", "signature-short", "")
    encoded("the id's first three bytes", "signature-short", base64.b64encode(ID[:3]).decode())
    encoded("the id only", "signature-short", base64.b64encode(ID).decode())
    encoded("padding missing", "base64-form", whole[:-1])
    encoded("padding too much", "base64-form", whole + "=")
    encoded("padding of four", "base64-form", whole[:-1] + "A====")
    encoded("padding in the midst", "base64-form", "AA==" + whole)
    encoded("bits behind the end", "base64-bits-behind-end", whole[:-2] + chr(ord(whole[-2]) + 1) + "=")
    encoded("the alphabet for URLs", "base64-form", "-_" + whole[2:])
    encoded("one character short", "base64-form", whole[1:])
    encoded("a character beyond ASCII", "base64-form", "\u0391" + whole[1:])
    encoded("a star", "base64-form", "*" + whole[1:])
    encoded("a star more", "base64-form", "*" + whole)

    sixteen = b"".join(signature_line(f"w{index}", sample(f"w{index}", 4), sample("s", 8)) for index in range(16))
    note("17 signatures", "signatures-too-many", NOTE + sixteen)
    note("17 signatures, all this key's", "signatures-too-many", NOTE + LINE * 16)
    note("two signatures where one is allowed", "signatures-too-many", NOTE + line_of(*OTHER, TEXT), signatures_max=1)
    note("this key's twice where one is allowed", "signatures-too-many", NOTE + LINE, signatures_max=1)
    changed = TEXT.replace(b"two", b"few")
    broken = changed + b"\n" + LINE + f"{DASH} {OTHER_NAME} AA\n".encode()
    note("not signed too, but malformed first", "base64-form", broken)

    def unsigned(name: str, reason: str, data: bytes, vkey: str = VKEY) -> None:
        note(name, reason, data, "not signed", vkey)

    unsigned("no signature of this key", "no-signature-of-this-key", sign(TEXT, OTHER))
    unsigned("this key's name, another key", "no-signature-of-this-key", sign(TEXT, (NAME, OTHER_SEED)))
    unsigned("this key, another name", "no-signature-of-this-key", sign(TEXT, (OTHER_NAME, SEED)))
    unsigned("name in uppercase", "no-signature-of-this-key", sign(TEXT, (NAME.upper(), SEED)))
    unsigned("this key's id, another name", "no-signature-of-this-key", NOTE.replace(NAME.encode(), b"log.example/8"))
    unsigned("16 signatures of others", "no-signature-of-this-key", TEXT + b"\n" + sixteen)
    composed, decomposed = "z\u00fc", "zu\u0308"
    unsigned("name not normalised", "no-signature-of-this-key", sign(TEXT, (decomposed, SEED)), vkey_of(composed, SEED))
    right = ed25519.sign(SEED, TEXT)
    unsigned("text changed", "signature-wrong", changed + b"\n" + LINE)
    unsigned("a line more in the text", "signature-wrong", TEXT + b"more\n\n" + LINE)
    unsigned("an empty line more in the text", "signature-wrong", TEXT + b"\n\n" + LINE)
    unsigned("a line less in the text", "signature-wrong", b"two words\n\n" + LINE)
    unsigned("signed without the last newline", "signature-wrong", with_signature(ed25519.sign(SEED, TEXT[:-1])))
    unsigned("signed with the empty line", "signature-wrong", with_signature(ed25519.sign(SEED, TEXT + b"\n")))
    unsigned("the digest signed", "signature-wrong", with_signature(ed25519.sign(SEED, hashlib.sha512(TEXT).digest())))
    unsigned("first bit changed", "signature-wrong", with_signature(bytes([right[0] ^ 1]) + right[1:]))
    unsigned("a bit of S changed", "signature-wrong", with_signature(right[:40] + bytes([right[40] ^ 16]) + right[41:]))
    unsigned("zeros", "r-of-small-order", with_signature(bytes(64)))
    unsigned("one byte", "signature-size", with_signature(right[:1]))
    unsigned("63 bytes", "signature-size", with_signature(right[:-1]))
    unsigned("65 bytes", "signature-size", with_signature(right + b"\0"))
    unsigned("72 bytes, as a cosignature has", "signature-size", with_signature(bytes(8) + right))
    wrong = signature_line(NAME, ID, right[::-1])
    for what, lines in (("in front of the right one", wrong + LINE), ("behind the right one", LINE + wrong)):
        unsigned(f"wrong, {what}", "s-not-below-order" if right[0] >> 5 else "signature-wrong", TEXT + b"\n" + lines)
    short = signature_line(NAME, ID, right[:-1])
    unsigned("63 bytes, behind the right one", "signature-size", NOTE + short)

    s = int.from_bytes(right[32:], "little")
    larger = right[:32] + (s + ed25519.ORDER).to_bytes(32, "little")
    unsigned("S plus the group's order", "s-not-below-order", with_signature(larger))
    secret, one = ed25519.scalar(SEED), ed25519.compress(ed25519.IDENTITY)
    without_r = one + (ed25519.challenge(one, PUBLIC, TEXT) * secret % ed25519.ORDER).to_bytes(32, "little")
    unsigned("R is nothing, and the equation holds", "r-of-small-order", with_signature(without_r))
    text, found = craft(PUBLIC, secret, LOW)
    unsigned("R with a part of order eight", "signature-wrong", with_signature(found, text))
    keys = {
        "of order one": (one, "key-of-small-order"),
        "of order two": (ed25519.compress(ed25519.multiply(4, LOW)), "key-of-small-order"),
        "of order four": (ed25519.compress(ed25519.multiply(2, LOW)), "key-of-small-order"),
        "of order eight": (LOW, "key-of-small-order"),
        "of order one, y = p + 1": ((ed25519.P + 1).to_bytes(32, "little"), "key-not-canonical"),
        "of order one, with a sign": (one[:31] + b"\x80", "key-not-canonical"),
    }
    for what, (public, reason) in keys.items():
        text, found = craft(public, 0)
        unsigned(
            f"a key {what}: the equation holds", reason, with_signature(found, text, public), print_vkey(NAME, public)
        )
    no_point = with_signature(right, TEXT, NO_POINT)
    unsigned("a key that is no point", "key-not-canonical", no_point, print_vkey(NAME, NO_POINT))
    text, found = craft(MIXED, secret, eighth=False)
    what = "a key with a part of order eight: holds only when multiplied by eight"
    unsigned(what, "signature-wrong", with_signature(found, text, MIXED), print_vkey(NAME, MIXED))
    return vectors
