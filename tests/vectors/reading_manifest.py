"""docs/spec/manifest.md as code: what a sealed segment is, line by line."""

import re

from tests.vectors.reading_common import (
    BIRTH_MAX,
    NUMBER_MAX,
    RECORDS_MAX,
    SEGMENT_MAX,
    Vector,
    given,
    is_hex,
    need,
    parse_number,
    parse_time,
    print_time,
    raw,
    sample,
)
from tests.vectors.reading_note import DASH, line_of, open_note, sign, vkey_of

SPEC = "docs/spec/manifest.md"
KIB, MIB = 1 << 10, 1 << 20
WORDS = ("store", "stream", "birth", "records", "time", "age", "bytes", "tag", "previous")
VALUES = (1, 2, 1, 2, 2, 1, 1, 1, 1)  # of each of these lines
ZEROS = "00" * 32


def parse_hex(text: str, size: int) -> str:
    """A value of so many bytes in hex."""
    need(is_hex(text, size), "hex")
    return text


def parse_digest(text: str) -> str:
    """`sha256:` and 64 hex."""
    need(text.startswith("sha256:"), "digest-form")
    return parse_hex(text[7:], 32)


def parse_block(line: str) -> list[int | str]:
    """Item 11: one block by itself."""
    words = line.split(" ")
    need(words[0] == "block" and len(words) == 6, "line-form")
    numbers = [parse_number(words[1]), parse_number(words[2], 1, MIB), parse_number(words[3], 1, RECORDS_MAX)]
    return [*numbers, parse_time(words[4].encode()), parse_digest(words[5])]


def parse_manifest(text: str) -> Vector:
    """Items 1 to 11."""
    first, *lines = text.removesuffix("\n").split("\n")
    need(first == "logchain manifest v1", "title")
    need(len(lines) > len(WORDS), "line-missing")
    values = []
    for line, word, count in zip(lines, WORDS, VALUES, strict=False):
        words = line.split(" ")
        need(words[0] == word and len(words) == 1 + count, "line-form")
        values.append(words[1:])
    found: Vector = {
        "store_hex": parse_hex(values[0][0], 16),
        "stream_hex": parse_hex(values[1][0], 32),
        "segment": parse_number(values[1][1], 1, SEGMENT_MAX),
        "birth": parse_number(values[2][0], 1, BIRTH_MAX),
        "records": parse_number(values[3][0], 1, RECORDS_MAX),
        "first": parse_number(values[3][1], 0, NUMBER_MAX),
        "first_time_us": parse_time(values[4][0].encode()),
        "last_time_us": parse_time(values[4][1].encode()),
        "age": parse_number(values[5][0], 0, NUMBER_MAX),
        "bytes": parse_number(values[6][0], 1, 256 * MIB),
        "tag_hex": parse_hex(values[7][0], 32),
        "previous_hex": parse_digest(values[8][0]),
    }
    need(found["first_time_us"] <= found["last_time_us"], "time-goes-back")
    blocks = [parse_block(line) for line in lines[len(WORDS) :]]
    end, time_us = 0, found["first_time_us"]
    need(blocks[0][3] == time_us, "first-block-time")
    for offset, size, _, its_time, _ in blocks:
        need(offset == end, "block-offset")
        need(int(its_time) >= time_us, "time-goes-back")
        end, time_us = end + int(size), int(its_time)
    need(time_us <= found["last_time_us"], "time-goes-back")
    need(end == found["bytes"], "bytes-of-blocks")
    need(sum(int(block[2]) for block in blocks) == found["records"], "records-of-blocks")
    return found | {"blocks": blocks}


def open_manifest(note: bytes, vkey: str) -> Vector:
    """Open a note and read it: the signature first, then the text, then whether the key is this store's."""
    text = open_note(note, vkey, MIB, 1)
    need(text.isascii(), "not-ascii")
    found = parse_manifest(text.decode())
    need(vkey.split("+")[0] == f"logchain/{found['store_hex']}/entry", "key-of-another-name")
    return found


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input; of a long one, how many blocks it has."""
    found = open_manifest(raw(vector, "note"), vector["vkey"])
    if "note_parts" in vector:
        found["block_count"] = len(found.pop("blocks"))
    return found


STORE = "5b0c7a3f6f6f0b0e9b3f0c55a1d20a11"
STREAM = "a277df7e31bde339672d989ab7dc5ed66ea4c9909ccbd0e6c79ff7cee02f8132"
NAME, SEED = f"logchain/{STORE}/entry", bytes([3]) * 32
SIGNER = (NAME, SEED)
VKEY = vkey_of(*SIGNER)
BEGIN, END = "2026-11-23T03:00:00.000123Z", "2026-11-23T03:59:59.999120Z"
FIRST_BLOCK = f"block 0 360 2 {BEGIN} sha256:2ad766724e70d0c1bbdedd6c856c6cfc0755826982634e09232fb88c7253ac11"
LAST_BLOCK = f"block 360 56 1 {END} sha256:f2e8a43de0ac07d4bf188a6536190be85109329ad321a96e216b66e9842c3251"
LINES = [
    "logchain manifest v1",
    f"store {STORE}",
    f"stream {STREAM} 1",
    "birth 1",
    "records 3 0",
    f"time {BEGIN} {END}",
    "age 7212",
    "bytes 416",
    "tag 29af58f079a7e4b1d25b1577a86f4402bcff6de092d873219b7546e6e7319762",
    f"previous sha256:{ZEROS}",
    FIRST_BLOCK,
    LAST_BLOCK,
]
EXAMPLE_SIGNATURE = (
    "0OVMsZYUcs0aXH8Nbou6cRSSY6ki+FtZD1A4Yg4PWTap29zsLEp05EmLs+as7l0/SkPNJ2+WlAUDPfDOSlxyIMK06Q8="  # of the page
)


def text_of(lines: list[str]) -> bytes:
    """Join lines, each with its newline."""
    return "".join(f"{line}\n" for line in lines).encode()


def example(**changed: str) -> list[str]:
    """Give the lines of the page's example; a keyword is the first word of a line, and its value the line's values."""
    words = [line.split(" ")[0] for line in LINES]
    lines = list(LINES)
    for word, value in changed.items():
        lines[words.index(word)] = f"{word} {value}"
    return lines


def one_block(size: int = 1, records: int = 1, time: str = BEGIN, last: str = END, **changed: str) -> list[str]:
    """Give the lines of a manifest with one block."""
    fields = {"records": f"{records} 0", "time": f"{time} {last}", "bytes": str(size)} | changed
    return [*example(**fields)[:-2], f"block 0 {size} {records} {time} sha256:{sample('text').hex()}"]


def long_manifest(size: int) -> Vector:
    """Give a manifest of exactly so many bytes, of blocks of one byte and one record."""
    line = f"block {{}} 1 1 {BEGIN} sha256:{sample('text').hex()}\n"
    count = (size - 2000) // len(line)
    while True:
        length = count * (len(line) - 2) + sum(count - ten for ten in (0, 10, 100, 1000))  # digits of 0 to count - 1
        lines = one_block(count, count)[:-1]
        fixed = len(text_of(lines)) + length + 1 + len(line_of(NAME, SEED, b""))
        if 0 <= size - fixed <= 3 + 18:
            break
        count += 1 if fixed < size else -1
    more = size - fixed  # digits: of the age, which has four, and of the first record's number, which has one
    lines[6] = "age " + "7" * (4 + min(more, 3))
    lines[4] = f"records {count} " + "5" * (1 + max(more - 3, 0))
    head = text_of(lines).decode()
    parts: list[str | list[str | int]] = [head, [line, count, 0, 1]]
    text = raw({"note_parts": parts}, "note")
    return {"note_parts": [*parts, "\n" + line_of(NAME, SEED, text).decode()], "vkey": VKEY}


def large_manifest(size: int) -> Vector:
    """Give a manifest of so many bytes of text, in 256 blocks of 1 MiB and one of what is left."""
    count = 256 + (size > 256 * MIB)
    line = f"block {{}} {MIB} 1 {BEGIN} sha256:{sample('text').hex()}\n"
    last = line.replace("{}", str(256 * MIB)).replace(f" {MIB} ", f" {size % MIB} ")
    head = text_of(one_block(size, count)[:-1]).decode()
    parts: list[str | list[str | int]] = [head, [line, 256, 0, MIB], last if count > 256 else ""]
    text = raw({"note_parts": parts}, "note")
    return {"note_parts": [*parts, "\n" + line_of(NAME, SEED, text).decode()]}


def good() -> list[Vector]:
    """The page's example, and every limit."""
    vectors: list[Vector] = []

    def add(name: str, lines: list[str], signer: tuple[str, bytes] = SIGNER, **fields: object) -> None:
        vector = {"what": "manifest", "name": name, "vkey": vkey_of(*signer)} | fields
        vector |= {} if fields else given("note", sign(text_of(lines), signer))
        vectors.append(vector | read(vector))

    page = f"{text_of(LINES).decode()}\n{DASH} {NAME} {EXAMPLE_SIGNATURE}\n"
    add("example of the page", [], note=page)
    add("another key of the store", LINES, (NAME, sample("another")))
    other = "ff" * 16
    add("another store", example(store=other), (f"logchain/{other}/entry", SEED))
    add("one byte, one record", one_block())
    add("segment and birth at their limits", example(stream=f"{STREAM} {SEGMENT_MAX}", birth=str(BIRTH_MAX)))
    add("birth beyond the segment", example(birth="7"))
    add("as many records as can be, in one block", one_block(1, RECORDS_MAX))
    halves = example(records=f"{RECORDS_MAX} 0")
    halves[-2:] = [FIRST_BLOCK.replace(" 360 2 ", f" 360 {RECORDS_MAX - 1} "), LAST_BLOCK]
    add("as many records as can be, in two blocks", halves)
    add("first record at its limit", example(records=f"3 {NUMBER_MAX}"))
    add("age 0", example(age="0"))
    add("age at its limit", example(age=str(NUMBER_MAX)))
    add("a block of 1 MiB", one_block(MIB))
    add("a block of one byte more than is written", one_block(256 * KIB + 1))
    add("256 MiB in 256 blocks", [], **large_manifest(256 * MIB))
    add("1 MiB of manifest", [], **{key: value for key, value in long_manifest(MIB).items() if key != "vkey"})
    add("first and last record at one time", one_block(last=BEGIN))
    add("the first moment there is", one_block(time=print_time(0).decode()))
    add("the last moment there is", one_block(time="9999-12-31T23:59:59.999999Z", last="9999-12-31T23:59:59.999999Z"))
    three = [*example(records="4 0", bytes="417"), f"block 416 1 1 {END} sha256:{ZEROS}"]
    add("two blocks at one time", three)
    add("last record behind the last block's first", example(time=f"{BEGIN} 2026-11-23T03:59:59.999121Z"))
    add("a manifest before", example(stream=f"{STREAM} 2", previous=f"sha256:{sample('before').hex()}"))
    add("a manifest before segment 1: for whoever has both", example(previous=f"sha256:{sample('before').hex()}"))
    add("segment 2, none before: for whoever has both", example(stream=f"{STREAM} 2"))
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": "manifest", "name": name, "reason": reason, "class": kind, "vkey": VKEY} | fields)

    def text(name: str, reason: str, data: bytes) -> None:
        refused(name, reason, **given("note", sign(data, SIGNER)))

    def lines(name: str, reason: str, lines: list[str]) -> None:
        text(name, reason, text_of(lines))

    def changed(name: str, reason: str, **changed: str) -> None:
        lines(name, reason, example(**changed))

    refused("1 MiB and one byte", "too-long", **long_manifest(MIB + 1))
    whole = sign(text_of(LINES), SIGNER)
    refused("empty", "no-newline", note="")
    refused("the text only", "no-empty-line", **given("note", text_of(LINES)))
    refused("two signatures", "signatures-too-many", **given("note", sign(text_of(LINES), SIGNER, ("witness", SEED))))
    refused("newline behind", "no-signature-line", **given("note", whole + b"\n"))
    refused("carriage returns", "control", **given("note", whole.replace(b"\n", b"\r\n")))

    def unsigned(name: str, reason: str, vkey: str, note: bytes) -> None:
        refused(name, reason, "not signed", **{"vkey": vkey} | given("note", note))

    unsigned("wrong key", "no-signature-of-this-key", vkey_of(NAME, sample("another")), whole)
    unsigned("text changed", "signature-wrong", VKEY, whole.replace(b"age 7212", b"age 7213"))
    unsigned("two manifests: one text, up to the last empty line", "signature-wrong", VKEY, whole + whole)
    unsigned("a block less", "signature-wrong", VKEY, whole.replace(text_of([LAST_BLOCK]), b""))
    unsigned("text changed, and malformed", "signature-wrong", VKEY, whole.replace(b"age 7212", b"age 07212"))
    witness = ("witness", SEED)
    unsigned("signed under another name", "no-signature-of-this-key", VKEY, sign(text_of(LINES), witness))

    def named(name: str, key_name: str) -> None:
        signer = (key_name, SEED)
        fields = {"vkey": vkey_of(*signer)} | given("note", sign(text_of(LINES), signer))
        refused(name, "key-of-another-name", **fields)

    named("a key of another name", "witness")
    named("a key of another store", f"logchain/{'ff' * 16}/entry")
    named("the log's key", f"logchain/{STORE}")
    named("a key of more than the name", f"{NAME}/2")
    changed("another store than the key's", "key-of-another-name", store="ff" * 16)

    text("text beyond ASCII", "not-ascii", text_of(LINES).replace(b"age 7212", "age \u0667212".encode()))
    text("U+0080 behind", "not-ascii", text_of(LINES) + "\x80\n".encode())
    text("text is one newline", "title", b"\n")
    lines("title only", "line-missing", LINES[:1])
    lines("no block", "line-missing", LINES[:-2])
    lines("next version", "title", ["logchain manifest v2", *LINES[1:]])
    lines("title in uppercase", "title", [LINES[0].upper(), *LINES[1:]])
    lines("title of a ledger", "title", ["logchain ledger v1", *LINES[1:]])
    lines("space behind the title", "title", [f"{LINES[0]} ", *LINES[1:]])
    lines("empty line in front", "title", ["", *LINES])
    lines("empty line behind", "line-form", [*LINES, ""])
    lines("a line behind", "line-form", [*LINES, "more 1"])
    for index, line in enumerate(LINES[1:10], 1):
        word, rest = line.split(" ", 1)
        before, behind = LINES[:index], LINES[index + 1 :]
        lines(f"{word}: missing", "line-form", before + behind)
        lines(f"{word}: twice", "line-form", [*before, line, line, *behind])
        lines(f"{word}: behind the next", "line-form", [*before, behind[0], line, *behind[1:]])
        forms = {
            "in uppercase": line.upper(),
            "two spaces": f"{word}  {rest}",
            "space behind": f"{line} ",
            "space in front": f" {line}",
            "no value": word,
            "a value too many": f"{line} 1",
        }
        for what, form in forms.items():
            lines(f"{word}: {what}", "line-form", [*before, form, *behind])
    for word in ("stream", "records", "time"):
        value = next(line for line in LINES if line.startswith(word)).split(" ")[1]
        changed(f"{word}: a value too few", "line-form", **{word: value})
    lines("block: in front of previous", "line-form", [*LINES[:9], FIRST_BLOCK, LINES[9], LAST_BLOCK])
    lines("block: two in one line", "line-form", [*LINES[:10], f"{FIRST_BLOCK} {LAST_BLOCK}"])

    def block(name: str, reason: str, form: str) -> None:
        lines(f"block: {name}", reason, [*LINES[:10], form, LAST_BLOCK])

    block("in uppercase", "line-form", FIRST_BLOCK.replace("block", "BLOCK"))
    block("another word", "line-form", FIRST_BLOCK.replace("block", "blocks"))
    block("two spaces", "line-form", FIRST_BLOCK.replace(" 360", "  360"))
    block("space behind", "line-form", f"{FIRST_BLOCK} ")
    block("a value too few", "line-form", FIRST_BLOCK.replace(" 2 ", " "))
    block("a value too many", "line-form", FIRST_BLOCK.replace(" 2 ", " 2 2 "))

    def hexes(what: str, value: str, word: str, form: str) -> None:
        """Put bad hex in place of a value, where `{}` stands in the line of that word."""
        upper = re.sub("[0-9]", "a", value).upper()
        forms = {
            "one digit short": value[1:],
            "one byte short": value[2:],
            "one byte long": value + "00",
            "in uppercase": upper,
            "with 0x": "0x" + value[2:],
            "no hex digit": "g" + value[1:],
        }
        for name, bad_value in forms.items():
            changed(f"{what} {name}", "hex", **{word: form.replace("{}", bad_value)})

    hexes("store id", STORE, "store", "{}")
    hexes("stream id", STREAM, "stream", "{} 1")
    hexes("tag", sample("tag").hex(), "tag", "{}")
    hexes("previous", sample("before").hex(), "previous", "sha256:{}")
    digest = sample("before").hex()
    for name, form in {"none": digest, "of another": f"sha512:{digest}", "in uppercase": f"SHA256:{digest}"}.items():
        changed(f"previous: prefix {name}", "digest-form", previous=form)
        block(f"digest: prefix {name}", "digest-form", FIRST_BLOCK[: FIRST_BLOCK.index("sha256")] + form)
    block("digest one digit short", "hex", FIRST_BLOCK[:-1])
    block("digest one digit long", "hex", FIRST_BLOCK + "0")
    block("digest in uppercase", "hex", FIRST_BLOCK[:-64] + "AB" * 32)

    numbers = {
        "segment": ("stream", STREAM + " {}", 1, SEGMENT_MAX),
        "birth": ("birth", "{}", 1, BIRTH_MAX),
        "records": ("records", "{} 0", 1, RECORDS_MAX),
        "first record": ("records", "3 {}", 0, NUMBER_MAX),
        "age": ("age", "{}", 0, NUMBER_MAX),
        "bytes": ("bytes", "{}", 1, 256 * MIB),
    }
    for what, (word, value, low, high) in numbers.items():
        if low:
            changed(f"{what} 0", "number-range", **{word: value.replace("{}", "0")})
        if what not in ("records", "bytes"):
            changed(f"{what} beyond", "number-range", **{word: value.replace("{}", str(high + 1))})
        changed(f"{what}: leading zero", "number-form", **{word: value.replace("{}", "03")})
        changed(f"{what}: sign", "number-form", **{word: value.replace("{}", "+3")})
    for what, number in {"minus": "-3", "underscore": "1_0", "hex": "0x3", "point": "3.0", "exponent": "3e3"}.items():
        changed(f"age: {what}", "number-form", age=number)
    changed("age: 40 digits", "number-range", age="9" * 40)
    beyond = example(records=f"{RECORDS_MAX + 1} 0")
    beyond[-2] = FIRST_BLOCK.replace(" 360 2 ", f" 360 {RECORDS_MAX} ")
    lines("records beyond, though no block's are", "number-range", beyond)
    refused("bytes beyond, though no block's are", "number-range", **large_manifest(256 * MIB + 1))
    nothing = FIRST_BLOCK.replace(" 0 360 2 ", " 0 0 1 ")
    lines("block: bytes 0", "number-range", [*example(records="4 0")[:10], nothing, FIRST_BLOCK, LAST_BLOCK])
    nobody = FIRST_BLOCK.replace(" 0 360 2 ", " 0 360 0 ")
    lines("block: records 0", "number-range", [*example(records="1 0")[:10], nobody, LAST_BLOCK])
    lines("block: bytes beyond", "number-range", one_block(MIB + 1))
    block("records beyond", "number-range", FIRST_BLOCK.replace(" 2 ", f" {RECORDS_MAX + 1} "))
    block("offset 00", "number-form", FIRST_BLOCK.replace(" 0 ", " 00 "))
    block("bytes: leading zero", "number-form", FIRST_BLOCK.replace(" 360 ", " 0360 "))
    block("records: leading zero", "number-form", FIRST_BLOCK.replace(" 2 ", " 02 "))
    block("records: sign", "number-form", FIRST_BLOCK.replace(" 2 ", " +2 "))

    times = {
        "five digits of a second": (BEGIN.replace("000123", "00123"), "time-form"),
        "no digits of a second": (BEGIN.replace(".000123", ""), "time-form"),
        "lowercase z": (BEGIN.replace("Z", "z"), "time-form"),
        "an offset for Z": (BEGIN.replace("Z", "+00:00"), "time-form"),
        "30 February": (BEGIN.replace("11-23", "02-30"), "time-no-such-moment"),
        "a leap second": (BEGIN.replace("00.000", "60.000"), "time-no-such-moment"),
        "1969": (BEGIN.replace("2026", "1969"), "time-before-1970"),
    }
    for what, (time, reason) in times.items():
        changed(f"time: {what}", reason, time=f"{time} {END}")
        lines(f"last time: {what}", reason, one_block(last=time.replace("2026", "2027")))
        block(f"time: {what}", reason, FIRST_BLOCK.replace(BEGIN, time))

    changed("last time earlier than the first", "time-goes-back", time=f"{BEGIN} 2026-11-23T03:00:00.000122Z")
    changed("first block's time is not the first", "first-block-time", time=f"2026-11-23T03:00:00.000122Z {END}")
    early = "2026-11-23T03:59:59.999119Z"
    changed("last time earlier than the last block's", "time-goes-back", time=f"{BEGIN} {early}")
    back = [*example(records="4 0", bytes="417"), f"block 416 1 1 {early} sha256:{ZEROS}"]
    lines("block: time goes back by a microsecond", "time-goes-back", back)
    block("first not at 0", "block-offset", FIRST_BLOCK.replace(" 0 360 ", " 1 359 "))
    block("one byte between it and the next", "block-offset", FIRST_BLOCK.replace(" 360 ", " 359 "))
    block("one byte into the next", "block-offset", FIRST_BLOCK.replace(" 360 ", " 361 "))
    lines("block: order changed", "block-offset", [*LINES[:9], LINES[9], LAST_BLOCK.replace(END, BEGIN), FIRST_BLOCK])
    lines("block: twice", "block-offset", [*example(records="4 0"), LAST_BLOCK])
    changed("bytes one too few", "bytes-of-blocks", bytes="415")
    changed("bytes one too many", "bytes-of-blocks", bytes="417")
    lines("last block missing", "bytes-of-blocks", [*example(records="2 0")[:-1]])
    changed("records one too few", "records-of-blocks", records="2 0")
    changed("records one too many", "records-of-blocks", records="4 0")
    return vectors
