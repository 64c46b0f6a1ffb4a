"""docs/spec/heads.md as code: a list of open segments, line by line."""

import hashlib
import re

from tests.vectors.reading_common import (
    RECORDS_MAX,
    SEGMENT_MAX,
    Vector,
    given,
    need,
    parse_number,
    raw,
    sample,
)
from tests.vectors.reading_manifest import MIB, STORE, STREAM, ZEROS, parse_digest, parse_hex, text_of

SPEC = "docs/spec/heads.md"
LIST_MAX, LINES_MAX = 16 << 10, 64


def parse_heads(data: bytes) -> Vector:
    """Items 1 to 3, and the digest that `heads` in the ledger gives of such a list."""
    need(len(data) <= LIST_MAX, "too-long")
    need(data.isascii(), "not-ascii")
    text = data.decode()
    need(text.endswith("\n"), "no-newline")
    title, *lines = text[:-1].split("\n")
    need(title == "logchain heads v1", "title")
    need(lines, "line-missing")
    store, *lines = lines
    words = store.split(" ")
    need(words[0] == "store" and len(words) == 2, "line-form")
    found: Vector = {"store_hex": parse_hex(words[1], 16), "heads": []}
    need(lines, "no-heads")
    need(len(lines) <= LINES_MAX, "lines-too-many")
    before = ("", 0)
    for line in lines:
        words = line.split(" ")
        need(len(words) == 6, "line-form")
        stream, segment = parse_hex(words[0], 32), parse_number(words[1], 1, SEGMENT_MAX)
        values = [
            parse_number(words[2], 1, RECORDS_MAX),
            parse_number(words[3], 1, 256 * MIB),
            parse_hex(words[4], 32),
            parse_digest(words[5]),
        ]
        need((stream, segment) != before, "segment-twice")
        need((stream, segment) > before, "order")
        before = (stream, segment)
        found["heads"].append([stream, segment, *values])
    return found | {"sha256": hashlib.sha256(data).hexdigest()}


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input; of a long one, the digest only."""
    found = parse_heads(raw(vector, "text"))
    if "text_parts" in vector:
        del found["heads"]
    return found


TAG, DIGEST = sample("tag").hex(), sample("text").hex()
HEAD = (
    f"{STREAM} 1 2 360 b8f32f3e2ba53379d240687e8c852e041fddd96e0d2a17607fc212af7975cb35"
    " sha256:2ad766724e70d0c1bbdedd6c856c6cfc0755826982634e09232fb88c7253ac11"
)
HEADS = ["logchain heads v1", f"store {STORE}", HEAD]


def head(stream: str = STREAM, segment: int | str = 1, records: int = 1, size: int | str = 31) -> str:
    """Write a line of item 3."""
    return f"{stream} {segment} {records} {size} {TAG} sha256:{DIGEST}"


def of(*heads: str) -> list[str]:
    """Give the lines of a list of these."""
    return [*HEADS[:2], *heads]


def long_list(count: int, *more: str | list[str | int]) -> Vector:
    """Give a list of so many lines of one stream, and parts that come behind."""
    line = f"{head(segment='{}', records=RECORDS_MAX, size=256 * MIB)}\n"
    return {"text_parts": [text_of(HEADS[:2]).decode(), [line, count, 999_936, 1], *more]}


def good() -> list[Vector]:
    """The page's example, and every limit."""
    vectors: list[Vector] = []

    def add(name: str, *heads: str, **fields: object) -> None:
        vector = {"what": "heads", "name": name} | (fields or given("text", text_of(of(*heads))))
        vectors.append(vector | read(vector))

    add("example of the page", HEAD)
    add("one record of one byte", head(size=1))
    add("each number at its limit", head(segment=SEGMENT_MAX, records=RECORDS_MAX, size=256 * MIB))
    add("two segments of a stream", head(segment=1), head(segment=2))
    add("segments in the order of numbers", head(segment=9), head(segment=10), head(segment=100))
    low, high = "0" * 63 + "1", "f" * 64
    add("streams in order", head(ZEROS), head(low), head("9" * 64), head("a" * 64), head(high))
    add("the stream goes before the segment", head(low, 7), head(high, 1))
    add("records fewer, text longer than before", head(segment=1, records=9, size=999), head(segment=2, records=1))
    add("as many lines and bytes as can be", **long_list(LINES_MAX))
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(name: str, reason: str, **fields: object) -> None:
        vectors.append({"what": "heads", "name": name, "reason": reason, "class": "malformed"} | fields)

    def text(name: str, reason: str, data: bytes) -> None:
        refused(name, reason, **given("text", data))

    def lines(name: str, reason: str, lines: list[str]) -> None:
        text(name, reason, text_of(lines))

    whole = text_of(HEADS)
    refused("16 KiB and one byte", "too-long", text_parts=[whole.decode(), ["x", LIST_MAX + 1 - len(whole)]])
    refused("16 KiB, of no more than that", "no-newline", text_parts=[whole.decode(), ["x", LIST_MAX - len(whole)]])
    refused("65 lines", "lines-too-many", **long_list(LINES_MAX - 1, f"{head('b' * 64)}\n", f"{head('c' * 64)}\n"))
    text("empty", "no-newline", b"")
    text("last newline missing", "no-newline", whole[:-1])
    text("newline behind", "line-form", whole + b"\n")
    text("a zero behind", "no-newline", whole + b"\0")
    text("beyond ASCII", "not-ascii", whole + "\u00e9\n".encode())
    text("not UTF-8", "not-ascii", whole + b"\xff\n")
    text("carriage returns", "title", whole.replace(b"\n", b"\r\n"))
    lines("title only", "line-missing", HEADS[:1])
    lines("no line of item 3", "no-heads", HEADS[:2])
    lines("next version", "title", ["logchain heads v2", *HEADS[1:]])
    lines("title of a ledger", "title", ["logchain ledger v1", *HEADS[1:]])
    lines("title in uppercase", "title", [HEADS[0].upper(), *HEADS[1:]])
    lines("space behind the title", "title", [f"{HEADS[0]} ", *HEADS[1:]])
    lines("empty line in front", "title", ["", *HEADS])
    lines("store missing", "line-form", [HEADS[0], HEAD])
    lines("store behind", "line-form", [HEADS[0], HEAD, HEADS[1]])
    lines("store twice", "line-form", [*HEADS[:2], *HEADS[1:]])
    stores = {
        "in uppercase": (f"STORE {STORE}", "line-form"),
        "with two spaces": (f"store  {STORE}", "line-form"),
        "with a tab": (f"store\t{STORE}", "line-form"),
        "with a space behind": (f"store {STORE} ", "line-form"),
        "of no value": ("store", "line-form"),
        "one digit short": (f"store {STORE[1:]}", "hex"),
        "one byte long": (f"store {STORE}00", "hex"),
        "in uppercase hex": (f"store {STORE.upper()}", "hex"),
    }
    for name, (line, reason) in stores.items():
        lines(f"store {name}", reason, [HEADS[0], line, HEAD])
    lines("empty line between", "line-form", of(head(segment=1), "", head(segment=2)))

    same = head(segment=2)
    lines("a segment twice", "segment-twice", of(same, same))
    lines("a segment twice, with more of it", "segment-twice", of(same, head(segment=2, records=2, size=62)))
    lines("segments out of order", "order", of(head(segment=2), head(segment=1)))
    lines("segments in the order of characters", "order", of(head(segment=10), head(segment=9)))
    lines("streams out of order", "order", of(head("b" * 64), head("a" * 64)))
    lines("segments before streams", "order", of(head("b" * 64, 1), head("a" * 64, 2)))
    lines("a segment twice, another between", "order", of(head(segment=1), head(segment=2), head(segment=1)))

    def one(name: str, reason: str, form: str) -> None:
        lines(name, reason, of(form))

    one("a word too few", "line-form", head().rsplit(" ", 1)[0])
    one("a word too many", "line-form", f"{head()} 1")
    one("two spaces", "line-form", head().replace(" 31 ", "  31 "))
    one("a tab", "line-form", head().replace(" 31 ", "\t31 "))
    one("space behind", "line-form", f"{head()} ")
    one("space in front", "line-form", f" {head()}")
    for what, place, high in (("segment", 1, SEGMENT_MAX), ("records", 2, RECORDS_MAX)):
        words = head().split(" ")
        before, behind = " ".join(words[:place]), " ".join(words[place + 1 :])
        one(f"{what} 0", "number-range", f"{before} 0 {behind}")
        one(f"{what} beyond", "number-range", f"{before} {high + 1} {behind}")
        one(f"{what}: leading zero", "number-form", f"{before} 01 {behind}")
        one(f"{what}: sign", "number-form", f"{before} +1 {behind}")
    one("bytes 0", "number-range", head(size=0))
    one("bytes beyond", "number-range", head(size=256 * MIB + 1))
    one("bytes far beyond", "number-range", head(size="9" * 40))
    one("bytes: leading zero", "number-form", head(size="031"))
    one("bytes: underscore", "number-form", head(size="3_1"))
    for what, value in (("stream id", STREAM), ("tag", TAG), ("digest", DIGEST)):
        upper = re.sub("[0-9]", "a", value).upper()
        one(f"{what} one digit short", "hex", head().replace(value, value[1:]))
        one(f"{what} one byte long", "hex", head().replace(value, f"{value}00"))
        one(f"{what} in uppercase", "hex", head().replace(value, upper))
        one(f"{what} with 0x", "hex", head().replace(value, f"0x{value[2:]}"))
    one("digest without its prefix", "digest-form", head().replace("sha256:", ""))
    one("digest of another prefix", "digest-form", head().replace("sha256:", "sha512:"))
    one("prefix in uppercase", "digest-form", head().replace("sha256:", "SHA256:"))
    return vectors
