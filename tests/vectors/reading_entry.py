"""docs/spec/ledger.md as code, items 1 to 10: an entry by itself, `genesis`, and the fingerprint."""

import hashlib
import re

from tests.vectors.reading_common import (
    BIRTH_MAX,
    NUMBER_MAX,
    SEGMENT_MAX,
    NotSignedError,
    Vector,
    given,
    need,
    parse_number,
    parse_time,
    print_time,
    raw,
    sample,
)
from tests.vectors.reading_manifest import STORE, STREAM, ZEROS, parse_digest, parse_hex, text_of
from tests.vectors.reading_note import (
    DASH,
    open_note,
    parse_note,
    parse_vkey,
    print_vkey,
    sign,
    signature_line,
    vkey_of,
)

ENTRY_MAX = 2048
INDEX_MAX = 99_999_999
WORDS = ("store", "index", "time", "age", "previous")
# item 7: the words behind an event; reasons are those that its line of the table has
EVENTS: dict[str, tuple[str, ...]] = {
    "genesis": ("vkey", "vkey"),
    "birth": ("birth", "stream", "segment"),
    "heads": ("segments", "digest"),
    "seal": ("stream", "segment", "digest"),
    "evict": ("stream", "segment", "digest", "quota cap reserve"),
    "recover": ("stream", "segment", "torn io"),
    "broken": ("stream", "segment", "keys id text"),
    "delete": ("stream", "segment", "digest"),
    "forget": ("stream", "segment or 0"),
    "restored": ("birth",),
    "config": ("digest",),
    "export": ("digest", "time", "time", "births"),
}
RANGES = {"birth": (1, BIRTH_MAX), "segment": (1, SEGMENT_MAX), "segment or 0": (0, SEGMENT_MAX)}
NAMED_MAX = 64


def parse_event(line: str) -> tuple[str, list[str | int]]:
    """Item 7: one line of the table."""
    event, *words = line.split(" ")
    need(event in EVENTS, "event-unknown")
    need(len(words) == len(EVENTS[event]), "event-words")
    values: list[str | int] = []
    for word, kind in zip(words, EVENTS[event], strict=True):
        if kind in RANGES:
            values.append(parse_number(word, *RANGES[kind]))
        elif kind == "segments":
            parse_segments(word)
            values.append(word)
        elif kind == "time":
            values.append(parse_time(word.encode()))
        elif kind == "births":
            parse_births(word)
            values.append(word)
        elif kind == "stream":
            values.append(parse_hex(word, 32))
        elif kind == "digest":
            values.append(parse_digest(word))
        elif kind == "vkey":
            parse_vkey(word)
            values.append(word)
        else:
            need(word in kind.split(" "), "reason-unknown")
            values.append(word)
    if event == "export":
        need(values[1] <= values[2], "range-backwards")  # type: ignore[operator]
    return event, values


def parse_births(word: str) -> None:
    """Item 7: the births that `export` names."""
    named = word.split(",")
    need(len(named) <= NAMED_MAX, "births-too-many")
    before = 0
    for one in named:
        birth = parse_number(one, *RANGES["birth"])
        need(birth != before, "births-twice")
        need(birth > before, "births-order")
        before = birth


def parse_segments(word: str) -> None:
    """Item 7: the segments that `heads` names."""
    named = word.split(",")
    need(len(named) <= NAMED_MAX, "segments-too-many")
    before = (0, 0)
    for one in named:
        need(one.count(".") == 1, "segments-form")
        birth, segment = one.split(".")
        found = parse_number(birth, *RANGES["birth"]), parse_number(segment, *RANGES["segment"])
        need(found != before, "segments-twice")
        need(found > before, "segments-order")
        before = found


def name_of(vkey: object) -> str:
    """Give the name in a vkey that has been parsed."""
    return str(vkey).split("+")[0]


def parse_entry(text: bytes) -> Vector:
    """Items 1 to 8, without the key."""
    need(text.isascii(), "not-ascii")
    lines = text.decode().removesuffix("\n").split("\n")
    need(lines[0] == "logchain ledger v1", "title")
    need(len(lines) == 8, "line-count")
    values = []
    for line, word in zip(lines[1:6], WORDS, strict=True):
        words = line.split(" ")
        need(words[0] == word and len(words) == 2, "line-form")
        values.append(words[1])
    event, event_values = parse_event(lines[6])
    word, _, following = lines[7].partition(" ")
    need(word == "next" and " " not in following, "line-form")
    parse_vkey(following)
    found: Vector = {
        "store_hex": parse_hex(values[0], 16),
        "index": parse_number(values[1], 0, INDEX_MAX),
        "time_us": parse_time(values[2].encode()),
        "age": parse_number(values[3], 0, NUMBER_MAX),
        "previous_hex": parse_digest(values[4]),
        "event": event,
        "values": event_values,
        "next": following,
    }
    firsts = {event == "genesis", found["index"] == 0, found["previous_hex"] == ZEROS}
    need(len(firsts) == 1, "not-all-of-genesis")
    own, log = f"logchain/{found['store_hex']}/entry", f"logchain/{found['store_hex']}"
    need(name_of(following) == own, "next-of-another-name")
    if event == "genesis":
        need(name_of(event_values[0]) == own, "genesis-key-of-another-name")
        need(name_of(event_values[1]) == log, "log-key-of-another-name")
    return found


def open_entry(note: bytes, vkey: str) -> Vector:
    """Item 9: the signature first, then the text, then whether the key is this store's."""
    found = parse_entry(open_note(note, vkey, ENTRY_MAX, 1))
    need(name_of(vkey) == f"logchain/{found['store_hex']}/entry", "key-of-another-name")
    return found


def open_genesis(note: bytes, fingerprint: str) -> Vector:
    """Items 9 and 10: entry 0 names the key that signs it, and the fingerprint says whether that is the right one."""
    found = parse_entry(parse_note(note, ENTRY_MAX, 1)[0])
    need(found["event"] == "genesis", "not-genesis")
    key = str(found["values"][0])
    need(fingerprint_of(key) == parse_fingerprint(fingerprint), "fingerprint-of-another", NotSignedError)
    return open_entry(note, key)


def fingerprint_of(vkey: str) -> bytes:
    """Item 10: SHA-256 of the characters."""
    return hashlib.sha256(vkey.encode()).digest()


def print_fingerprint(fingerprint: bytes) -> str:
    """Item 10: hex in groups of eight."""
    return " ".join(re.findall("." * 8, fingerprint.hex()))


def parse_fingerprint(shown: str) -> bytes:
    """Item 10: as people write it."""
    need(len(shown) <= 256, "fingerprint-too-long")
    digits = re.sub("[ :-]", "", shown).lower()
    need(re.match(r"\A[0-9a-f]{64}\Z", digits, re.ASCII), "fingerprint-form")
    return bytes.fromhex(digits)


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "entry":
            return open_entry(raw(vector, "note"), vector["vkey"])
        case "genesis":
            return open_genesis(raw(vector, "note"), vector["fingerprint"])
        case "fingerprint":
            return {"fingerprint_hex": parse_fingerprint(vector["shown"]).hex()}
        case "fingerprint-of":
            return {"shown": print_fingerprint(fingerprint_of(vector["vkey"]))}
        case what:
            raise ValueError(what)


NAME, LOG_NAME = f"logchain/{STORE}/entry", f"logchain/{STORE}"
SEEDS = [bytes([index]) * 32 for index in range(1, 9)]  # entry 0 is signed by the first, entry 1 by the second
LOG_KEY = vkey_of(LOG_NAME, bytes(range(32)))
NEXT, SIGNER = vkey_of(NAME, SEEDS[3]), (NAME, SEEDS[2])
VKEY = vkey_of(*SIGNER)
BEFORE = "09bc30cde1449f4e66f1a5dc0e39be1b4c23eff2e83314d41661f9ab0098e53f"
MANIFEST = "b5a26c4f2ec98fc49efe849efd8a19b6f6cee0068708654ca9725cfc1585d664"
SOME_TIME, FIRST_TIME = "2026-11-23T03:00:00.000123Z", "1970-01-01T00:00:00.000000Z"
LAST_TIME = "9999-12-31T23:59:59.999999Z"
SEAL = f"seal {STREAM} 1 sha256:{MANIFEST}"
LINES = [
    "logchain ledger v1",
    f"store {STORE}",
    "index 2",
    "time 2026-11-23T04:00:11.000233Z",
    "age 7212",
    f"previous sha256:{BEFORE}",
    SEAL,
    f"next {NEXT}",
]
GENESIS_LINES = [
    "logchain ledger v1",
    f"store {STORE}",
    "index 0",
    "time 2026-11-23T02:58:11.402117Z",
    "age 3",
    f"previous sha256:{ZEROS}",
    f"genesis {vkey_of(NAME, SEEDS[0])} {LOG_KEY}",
    f"next {vkey_of(NAME, SEEDS[1])}",
]
GENESIS_SIGNER = (NAME, SEEDS[0])
GENESIS = sign(text_of(GENESIS_LINES), GENESIS_SIGNER)
FINGERPRINT = "1e5b870b 6e3449da f5e4c498 c3f41d5a aec16fe1 41a0012a 7c78c01c 71a94b8e"  # of the page
SEAL_SIGNATURE = "0OVMsXyKE57yOoAvFkpPu/K3JG1W1+4S/xrNcIrA4O29rrJsGf0cSuSCN4nOUGlcsO5JzIvLrIwA68MTMprrWz5wags="
GENESIS_SIGNATURE = "D7qtk5Y00uFbtuvk8qUei2Gw8l7vphGrpKlo6qVPLD4rYnEWWmNu9+bAZVP7tkBWPHimoPeWS+x6B+ilwSVA7sRIGwI="


def entry(lines: list[str] = LINES, /, **changed: str) -> list[str]:
    """Give the lines of an entry; a keyword is a line's first word and its value what follows; `event` is a line."""
    words = [line.split(" ")[0] for line in lines]
    found = list(lines)
    for word, value in changed.items():
        if word == "event":
            found[6] = value
        else:
            found[words.index(word)] = f"{word} {value}"
    return found


def good() -> list[Vector]:
    """The page's examples, every event, and every limit."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    def signed(name: str, lines: list[str], signer: tuple[str, bytes] = SIGNER) -> None:
        add("entry", name, vkey=vkey_of(*signer), **given("note", sign(text_of(lines), signer)))

    page = f"{text_of(LINES).decode()}\n{DASH} {NAME} {SEAL_SIGNATURE}\n"
    add("entry", "example of the page", vkey=VKEY, note=page)
    genesis = f"{text_of(GENESIS_LINES).decode()}\n{DASH} {NAME} {GENESIS_SIGNATURE}\n"
    add("entry", "genesis of the page", vkey=vkey_of(*GENESIS_SIGNER), note=genesis)
    add("genesis", "genesis of the page", fingerprint=FINGERPRINT, note=genesis)
    add("fingerprint-of", "genesis of the page", vkey=vkey_of(*GENESIS_SIGNER))
    other = "ff" * 16
    other_name = f"logchain/{other}/entry"
    keys = {"next": vkey_of(other_name, SEEDS[3])}
    signed("another store", entry(store=other, **keys), (other_name, SEEDS[2]))

    digest = f"sha256:{sample('file').hex()}"
    events = [
        f"birth 1 {STREAM} 1",
        f"birth {BIRTH_MAX} {STREAM} {SEGMENT_MAX}",
        f"heads 1.1 {digest}",
        f"heads 1.2,1.10,2.1,10.1 {digest}",
        f"heads {','.join(f'{BIRTH_MAX}.{SEGMENT_MAX - 63 + place}' for place in range(64))} {digest}",
        f"seal {STREAM} {SEGMENT_MAX} {digest}",
        f"seal {ZEROS} 1 sha256:{ZEROS}",
        *(f"evict {STREAM} 1 {digest} {reason}" for reason in ("quota", "cap", "reserve")),
        *(f"recover {STREAM} 1 {reason}" for reason in ("torn", "io")),
        *(f"broken {STREAM} 1 {reason}" for reason in ("keys", "id", "text")),
        f"delete {STREAM} 1 {digest}",
        f"forget {STREAM} 0",
        f"forget {STREAM} {SEGMENT_MAX}",
        "restored 1",
        f"restored {BIRTH_MAX}",
        f"config {digest}",
        f"export {digest} {FIRST_TIME} {LAST_TIME} 1",
        f"export {digest} {SOME_TIME} {SOME_TIME} 1,9,10,{BIRTH_MAX}",
        f"export {digest} {FIRST_TIME} {LAST_TIME} {','.join(str(BIRTH_MAX - 63 + place) for place in range(64))}",
    ]
    for event in events:
        name = event.replace(STREAM, "…").replace(digest, "…")
        name = f"{name.split(' ')[0]}: 64 of them" if name.count(",") == 63 else name
        signed(name.replace("heads: 64 of them", "heads: 64 segments"), entry(event=event))
    signed("index 1", entry(index="1"))
    signed("index at its limit", entry(index=str(INDEX_MAX)))
    signed("age 0", entry(age="0"))
    signed("age at its limit", entry(age=str(NUMBER_MAX)))
    signed("the first moment there is", entry(time=print_time(0).decode()))
    signed("the last moment there is", entry(time="9999-12-31T23:59:59.999999Z"))
    signed("the key that signs is next, too", entry(next=VKEY))

    digits = FINGERPRINT.replace(" ", "")
    shown = {
        "as it is shown": FINGERPRINT,
        "without spaces": digits,
        "in uppercase": FINGERPRINT.upper(),
        "with colons": ":".join(re.findall("..", digits)),
        "with hyphens": "-".join(re.findall("....", digits)),
        "spaces around": f"  {FINGERPRINT}   ",
        "256 characters": FINGERPRINT.ljust(256),
    }
    for name, text in shown.items():
        add("fingerprint", name, shown=text)
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    def note(name: str, reason: str, data: bytes, kind: str = "malformed", vkey: str = VKEY) -> None:
        refused("entry", name, reason, kind, vkey=vkey, **given("note", data))

    def lines(name: str, reason: str, lines: list[str], signer: tuple[str, bytes] = SIGNER) -> None:
        note(name, reason, sign(text_of(lines), signer), vkey=vkey_of(*signer))

    def changed(name: str, reason: str, **changed: str) -> None:
        lines(name, reason, entry(**changed))

    for size, reason, kind in ((ENTRY_MAX, "signature-size", "not signed"), (ENTRY_MAX + 1, "too-long", "malformed")):
        note(f"{size} bytes, filled up with signature", reason, long_entry(size), kind)
    whole = sign(text_of(LINES), SIGNER)
    note("empty", "no-newline", b"")
    note("the text only", "no-empty-line", text_of(LINES))
    note("two signatures", "signatures-too-many", sign(text_of(LINES), SIGNER, ("witness", SEEDS[2])))
    note("newline behind", "no-signature-line", whole + b"\n")
    note("last newline missing", "no-newline", whole[:-1])
    note("carriage returns", "control", whole.replace(b"\n", b"\r\n"))
    note("two entries: one text, up to the last empty line", "signature-wrong", whole + whole, "not signed")

    def unsigned(name: str, reason: str, data: bytes, vkey: str = VKEY) -> None:
        note(name, reason, data, "not signed", vkey)

    unsigned("wrong key: the next", "no-signature-of-this-key", whole, NEXT)
    unsigned("wrong key: the log's", "no-signature-of-this-key", whole, LOG_KEY)
    unsigned("text changed", "signature-wrong", whole.replace(b"age 7212", b"age 7213"))
    unsigned("text changed, and malformed", "signature-wrong", whole.replace(b"age 7212", b"age 07212"))
    unsigned("next changed", "signature-wrong", whole.replace(NEXT.encode(), VKEY.encode()))
    unsigned("signed under another name", "no-signature-of-this-key", sign(text_of(LINES), ("witness", SEEDS[2])))
    names = {
        "a key of another name": "witness",
        "a key of another store": f"logchain/{'ff' * 16}/entry",
        "the log's name": LOG_NAME,
        "a key of more than the name": f"{NAME}/2",
    }
    for name, key_name in names.items():
        lines(name, "key-of-another-name", LINES, (key_name, SEEDS[2]))

    def text(name: str, reason: str, data: bytes) -> None:
        note(name, reason, sign(data, SIGNER))

    text("text beyond ASCII", "not-ascii", text_of(LINES).replace(b"age 7212", "age \u0667212".encode()))
    lines("a byte order mark in front", "not-ascii", [f"\ufeff{LINES[0]}", *LINES[1:]])
    text("text is one newline", "title", b"\n")
    lines("next version", "title", ["logchain ledger v2", *LINES[1:]])
    lines("title of a manifest", "title", ["logchain manifest v1", *LINES[1:]])
    lines("space behind the title", "title", [f"{LINES[0]} ", *LINES[1:]])
    lines("empty line in front", "title", ["", *LINES])
    lines("empty line behind", "line-count", [*LINES, ""])
    lines("a line behind", "line-count", [*LINES, "more 1"])
    lines("two events", "line-count", [*LINES[:7], SEAL, LINES[7]])
    lines("no event", "line-count", [*LINES[:6], LINES[7]])
    lines("no next", "line-count", LINES[:7])
    lines("event behind next", "event-unknown", [*LINES[:6], LINES[7], LINES[6]])
    for index, line in enumerate(LINES[1:6], 1):
        word, rest = line.split(" ", 1)
        before, behind = LINES[:index], LINES[index + 1 :]
        lines(f"{word}: missing", "line-count", before + behind)
        moved = [*before, behind[0], line, *behind[1:]]
        lines(f"{word}: behind the next line", "line-form", moved)
        lines(f"{word}: two spaces", "line-form", [*before, f"{word}  {rest}", *behind])
        lines(f"{word}: space behind", "line-form", [*before, f"{line} ", *behind])
        lines(f"{word}: no value", "line-form", [*before, word, *behind])
    changed("store id one digit short", "hex", store=STORE[1:])
    changed("store id in uppercase", "hex", store=STORE.upper())
    changed("store id with 0x", "hex", store="0x" + STORE[2:])
    changed("previous one byte short", "hex", previous=f"sha256:{BEFORE[2:]}")
    changed("previous in uppercase", "hex", previous=f"sha256:{BEFORE.upper()}")
    changed("previous without its prefix", "digest-form", previous=BEFORE)
    changed("previous of another prefix", "digest-form", previous=f"sha512:{BEFORE}")
    changed("index beyond", "number-range", index=str(INDEX_MAX + 1))
    changed("index: leading zeros", "number-form", index="00000002")
    changed("index: sign", "number-form", index="+2")
    changed("index: minus", "number-form", index="-2")
    changed("age beyond", "number-range", age=str(NUMBER_MAX + 1))
    changed("age far beyond", "number-range", age="9" * 40)
    changed("age: leading zero", "number-form", age="07212")
    changed("age: with a point", "number-form", age="7212.5")
    time = LINES[3].split(" ")[1]
    changed("time: no digits of a second", "time-form", time=time.replace(".000233", ""))
    changed("time: an offset for Z", "time-form", time=time.replace("Z", "+00:00"))
    changed("time: 29 February 2026", "time-no-such-moment", time=time.replace("11-23", "02-29"))
    changed("time: a leap second", "time-no-such-moment", time=time.replace("11.000", "60.000"))
    changed("time: 1969", "time-before-1970", time=time.replace("2026", "1969"))

    def event(name: str, reason: str, line: str) -> None:
        changed(f"event: {name}", reason, event=line)

    digest = f"sha256:{MANIFEST}"
    unknown = {
        "empty": "",
        "unknown": f"create {STREAM} 1",
        "witness, which no page knows": "witness logchain",
        "in uppercase": SEAL.upper(),
        "space in front": f" {SEAL}",
        "a word that another begins with": f"sealed {STREAM} 1 {digest}",
        "a word's beginning": f"se {STREAM} 1 {digest}",
    }
    for name, line in unknown.items():
        event(name, "event-unknown", line)
    one = {
        "birth": f"birth 1 {STREAM} 1",
        "heads": f"heads 1.1 {digest}",
        "seal": SEAL,
        "evict": f"evict {STREAM} 1 {digest} quota",
        "recover": f"recover {STREAM} 1 torn",
        "broken": f"broken {STREAM} 1 keys",
        "delete": f"delete {STREAM} 1 {digest}",
        "forget": f"forget {STREAM} 1",
        "restored": "restored 1",
        "config": f"config {digest}",
        "export": f"export {digest} {SOME_TIME} {LAST_TIME} 1",
    }
    for word, line in one.items():
        event(f"{word}: a word too few", "event-words", line.rsplit(" ", 1)[0])
        event(f"{word}: a word too many", "event-words", f"{line} 1")
        if STREAM in line:
            event(f"{word}: stream id one digit short", "hex", line.replace(STREAM, STREAM[1:]))
        if digest in line:
            event(f"{word}: digest without its prefix", "digest-form", line.replace("sha256:", ""))
        if word not in ("heads", "config", "restored", "forget", "export"):
            event(f"{word}: segment 0", "number-range", line.replace(f"{STREAM} 1", f"{STREAM} 0"))
        if STREAM in line:
            beyond = line.replace(f"{STREAM} 1", f"{STREAM} {SEGMENT_MAX + 1}")
            event(f"{word}: segment beyond", "number-range", beyond)
    event("seal: two spaces", "event-words", SEAL.replace(" 1 ", "  1 "))
    event("seal: digest in uppercase", "hex", SEAL.replace(MANIFEST, MANIFEST.upper()))
    event("seal: space behind", "event-words", f"{SEAL} ")
    event("seal: segment with a leading zero", "number-form", SEAL.replace(" 1 ", " 01 "))
    event("seal: segment as in a file's name", "number-form", SEAL.replace(" 1 ", " 00000001 "))
    event("forget: segment 00", "number-form", f"forget {STREAM} 00")
    for word, line in (
        ("birth", f"birth {{}} {STREAM} 1"),
        ("restored", "restored {}"),
        ("heads, birth", f"heads {{}}.1 {digest}"),
        ("export", f"export {digest} {SOME_TIME} {LAST_TIME} {{}}"),
        ("heads, segment", f"heads 1.{{}} {digest}"),
    ):
        high = SEGMENT_MAX if word == "heads, segment" else BIRTH_MAX
        event(f"{word}: 0", "number-range", line.replace("{}", "0"))
        event(f"{word}: beyond", "number-range", line.replace("{}", str(high + 1)))
        event(f"{word}: leading zero", "number-form", line.replace("{}", "01"))
    for name, reason, named in (
        ("65 segments", "segments-too-many", ",".join(f"1.{number}" for number in range(1, 66))),
        ("a count of old", "segments-form", "1"),
        ("no segment behind the dot", "number-form", "1."),
        ("no birth before the dot", "number-form", ".1"),
        ("two dots", "segments-form", "1.1.1"),
        ("a comma behind", "segments-form", "1.1,"),
        ("a comma in front", "segments-form", ",1.1"),
        ("two commas", "segments-form", "1.1,,1.2"),
        ("a semicolon", "segments-form", "1.1;1.2"),
        ("a range", "number-form", "1.1-2"),
        ("a segment twice", "segments-twice", "1.1,1.1"),
        ("segments out of order", "segments-order", "1.2,1.1"),
        ("births out of order", "segments-order", "2.1,1.2"),
        ("in the order of characters", "segments-order", "10.1,9.1"),
    ):
        event(f"heads: {name}", reason, f"heads {named} {digest}")
    for name, reason, named in (
        ("65 births", "births-too-many", ",".join(str(number) for number in range(1, 66))),
        ("a comma behind", "number-form", "1,"),
        ("a comma in front", "number-form", ",1"),
        ("a segment behind the birth", "number-form", "1.1"),
        ("a birth twice", "births-twice", "1,1"),
        ("births out of order", "births-order", "2,1"),
        ("births in the order of characters", "births-order", "10,9"),
    ):
        event(f"export: {name}", reason, f"export {digest} {SOME_TIME} {LAST_TIME} {named}")
    event("export: the range backwards", "range-backwards", f"export {digest} {LAST_TIME} {SOME_TIME} 1")
    event("export: a time without its Z", "time-form", f"export {digest} {SOME_TIME[:-1]} {LAST_TIME} 1")
    event("export: a time that does not exist", "time-no-such-moment", one["export"].replace("11-23", "02-30"))
    event("heads: a space between segments", "event-words", f"heads 1.1, 1.2 {digest}")
    for word, foreign in (("evict", "torn"), ("recover", "keys"), ("broken", "io"), ("evict", "Quota"), ("broken", "")):
        event(f"{word} {foreign or 'of no reason'}", "reason-unknown", f"{one[word].rsplit(' ', 1)[0]} {foreign}")
    event("evict all reasons in one", "reason-unknown", one["evict"].replace("quota", "quota,cap"))

    def first(name: str, **changed: str) -> None:
        lines(name, "not-all-of-genesis", entry(GENESIS_LINES, **changed), GENESIS_SIGNER)

    one_genesis = GENESIS_LINES[6]
    first("genesis, zeros, index 1", index="1")
    first("genesis, index 0, no zeros", previous=f"sha256:{BEFORE}")
    first("zeros, index 0, no genesis", event=SEAL)
    first("genesis, neither zeros nor index 0", index="1", previous=f"sha256:{BEFORE}")
    first("index 0, neither zeros nor genesis", event=SEAL, previous=f"sha256:{BEFORE}")
    first("zeros, neither index 0 nor genesis", event=SEAL, index="1")

    def genesis(name: str, reason: str, event: str) -> None:
        lines(f"genesis: {name}", reason, entry(GENESIS_LINES, event=event), GENESIS_SIGNER)

    own = one_genesis.split(" ")[1]
    entry_seed, log_seed = SEEDS[0], bytes(range(32))
    genesis("one key only", "event-words", f"genesis {own}")
    genesis("a third key", "event-words", f"{one_genesis} {own}")
    genesis("keys in the other order", "genesis-key-of-another-name", f"genesis {LOG_KEY} {own}")
    genesis("the entry's key twice", "log-key-of-another-name", f"genesis {own} {own}")
    genesis("the log's key twice", "genesis-key-of-another-name", f"genesis {LOG_KEY} {LOG_KEY}")
    log_key = vkey_of(f"logchain/{'ff' * 16}", log_seed)
    genesis("log key of another store", "log-key-of-another-name", f"genesis {own} {log_key}")
    entry_key = vkey_of(f"logchain/{'ff' * 16}/entry", entry_seed)
    genesis("entry's key of another store", "genesis-key-of-another-name", f"genesis {entry_key} {LOG_KEY}")
    wrong_id = own.replace(own.split("+")[1], "00000000")
    genesis("id of another key", "vkey-id-of-another", f"genesis {wrong_id} {LOG_KEY}")
    cosignature = print_vkey(LOG_NAME, parse_vkey(LOG_KEY)[2], 4)
    genesis("log key of type 4", "vkey-type", f"genesis {own} {cosignature}")

    def following(name: str, reason: str, vkey: str) -> None:
        changed(f"next: {name}", reason, next=vkey)

    ident = NEXT.split("+")[1]
    following("empty", "vkey-form", "")
    following("no vkey", "vkey-form", NAME)
    following("id of another key", "vkey-id-of-another", NEXT.replace(ident, "00000000"))
    following("id in uppercase", "vkey-id-form", NEXT.replace(ident, "3B73424A"))
    following("lax base64", "base64-form", f"{NEXT}=")
    following("type 2", "vkey-type", print_vkey(NAME, parse_vkey(NEXT)[2], 2))
    following("space behind", "line-form", f"{NEXT} ")
    following("two keys", "line-form", f"{NEXT} {NEXT}")
    following("of another store", "next-of-another-name", vkey_of(f"logchain/{'ff' * 16}/entry", SEEDS[3]))
    following("the log's name", "next-of-another-name", vkey_of(LOG_NAME, SEEDS[3]))
    following("a longer name", "next-of-another-name", vkey_of(f"{NAME}/2", SEEDS[3]))

    def opened(name: str, reason: str, data: bytes, kind: str = "not signed", shown: str = FINGERPRINT) -> None:
        refused("genesis", name, reason, kind, fingerprint=shown, **given("note", data))

    changed_digit = FINGERPRINT[:-1] + "f"
    opened("another fingerprint", "fingerprint-of-another", GENESIS, shown=changed_digit)
    of_log = print_fingerprint(fingerprint_of(LOG_KEY))
    opened("fingerprint of the log's key", "fingerprint-of-another", GENESIS, shown=of_log)
    of_bytes = print_fingerprint(hashlib.sha256(parse_vkey(own)[2]).digest())
    opened("fingerprint of the key's 32 bytes", "fingerprint-of-another", GENESIS, shown=of_bytes)
    of_line = print_fingerprint(hashlib.sha256(f"{own}\n".encode()).digest())
    opened("fingerprint with a newline", "fingerprint-of-another", GENESIS, shown=of_line)
    opened("text changed", "signature-wrong", GENESIS.replace(b"\nage 3\n", b"\nage 4\n"))
    by_next = sign(text_of(GENESIS_LINES), (NAME, SEEDS[1]))
    opened("signed by the key that is next", "no-signature-of-this-key", by_next)
    by_log = sign(text_of(GENESIS_LINES), (LOG_NAME, log_seed))
    opened("signed by the log's key", "no-signature-of-this-key", by_log)
    opened("not genesis", "not-genesis", whole, "malformed")
    opened("malformed", "number-form", sign(text_of(entry(GENESIS_LINES, age="03")), GENESIS_SIGNER), "malformed")

    digits = FINGERPRINT.replace(" ", "")
    shown = {
        "empty": ("", "fingerprint-form"),
        "63 digits": (digits[:-1], "fingerprint-form"),
        "65 digits": (digits + "0", "fingerprint-form"),
        "no hex digit": ("g" + digits[1:], "fingerprint-form"),
        "a digit of another script": ("\u0661" + digits[1:], "fingerprint-form"),
        "a full-width digit": ("\uff11" + digits[1:], "fingerprint-form"),
        "dots between": (FINGERPRINT.replace(" ", "."), "fingerprint-form"),
        "a tab between": (FINGERPRINT.replace(" ", "\t", 1), "fingerprint-form"),
        "a newline behind": (f"{FINGERPRINT}\n", "fingerprint-form"),
        "prefix sha256:": (f"sha256:{digits}", "fingerprint-form"),
        "prefix 0x": (f"0x{digits}", "fingerprint-form"),
        "257 characters": (FINGERPRINT.ljust(257), "fingerprint-too-long"),
    }
    for name, (text_shown, reason) in shown.items():
        refused("fingerprint", name, reason, shown=text_shown)
    return vectors


def long_entry(size: int) -> bytes:
    """Give an entry of so many bytes, by a signature that is too long and would else be this key's."""
    _, ident, _ = parse_vkey(VKEY)
    for digits in range(1, 5):
        text = text_of(entry(age="7" * digits))
        rest = size - len(text) - 1 - len(signature_line(NAME, b"", b""))
        if rest % 4 == 0:
            return text + b"\n" + signature_line(NAME, ident, sample("long", rest // 4 * 3 - 4))
    raise AssertionError
