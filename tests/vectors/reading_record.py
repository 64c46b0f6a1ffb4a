"""docs/spec/record.md as code: a record, its notes, and how a line becomes records."""

import re
from collections.abc import Callable

from tests.vectors.reading_common import (
    BIRTH_MAX,
    PART,
    RECORDS_MAX,
    SEGMENT_MAX,
    STREAM,
    TIME_MAX,
    VM,
    Vector,
    is_hex,
    need,
    parse_number,
    parse_time,
    print_time,
    sample,
)

SPEC = "docs/spec/record.md"
Field = tuple[str, str]

NOTE = re.compile(r"\A[a-z][a-z-]*(?: [a-z][a-z-]*=[A-Za-z0-9_.,:+/@-]+)*\Z", re.ASCII)


def parse_record(line: bytes) -> Vector:
    """Items 1 to 3 and 7: the record without its newline."""
    need(b"\n" not in line, "newline")
    need(len(line) >= 30, "too-short")
    time_us = parse_time(line[:27])
    need(line[27:28] == b" " and line[29:30] == b" ", "separator")
    kind, payload = line[28:29], line[30:]
    need(kind in (b"-", b"+", b"#"), "kind")
    found: Vector = {"time_us": time_us, "kind": kind.decode(), "payload_hex": payload.hex()}
    if kind == b"#":
        need(len(payload) <= 1024, "too-long")
        found["event"], found["fields"] = parse_note(payload)
    else:
        need(len(payload) <= PART, "too-long")
        need(kind == b"-" or payload, "empty-part")
    return found


def parse_note(payload: bytes) -> tuple[str, list[list[str]]]:
    """Item 7: an event, then fields, one space between, no key twice."""
    need(payload.isascii() and NOTE.match(payload.decode()), "note-form")
    event, *words = payload.decode().split(" ")
    fields = [word.split("=", 1) for word in words]
    need(len({key for key, _ in fields}) == len(fields), "note-key-twice")
    return event, fields


# Items 8 to 10. Each event: its fields in order, a `?` behind those that may be missing.
Check = Callable[[str], object]


def one_of(*words: str) -> Check:
    """A value that is one of these words."""
    return lambda text: need(text in words, "note-value")


def hex_of(size: int) -> Check:
    """A value of so many bytes in hex."""
    return lambda text: need(is_hex(text, size), "note-value")


def name(pattern: re.Pattern[str]) -> Check:
    """A value that is a VM's or a stream's name."""
    return lambda text: need(pattern.match(text), "note-value")


def number(low: int = 0, high: int = 2**63 - 1) -> Check:
    """A value that is a number."""
    return lambda text: parse_number(text, low, high)


def moment(text: str) -> object:
    """A value that is a receive time."""
    return parse_time(text.encode())


def anything(text: str) -> object:
    """A value of which the page says no more than item 7 does."""
    return text


EVENTS: dict[str, list[tuple[str, Check]]] = {
    "segment": [
        ("format", one_of("logchain/1")),
        ("store", hex_of(16)),
        ("vm", name(VM)),
        ("stream", name(STREAM)),
        ("number", number(1, SEGMENT_MAX)),
        ("first", number()),
        ("previous", hex_of(32)),
        ("boot", hex_of(16)),
        ("birth?", number(1, BIRTH_MAX)),
        ("continues?", one_of("yes")),
    ],
    "clock": [("last", moment), ("now", moment), ("boot-clock", number())],
    "recovered": [("end", number()), ("cut", number()), ("reason", one_of("torn", "io"))],
    "broken": [("reason", one_of("keys", "id", "text", "restored"))],
    "session-start": [("session", hex_of(8)), ("service", anything)],
    "throttled": [("reason", one_of("rate", "quota", "reserve", "full")), ("rate", number())],
    "session-end": [
        ("session", hex_of(8)),
        ("reason", one_of("eof", "stop", "superseded", "error")),
        ("lines", number()),
        ("partial?", number(1)),
    ],
    "end": [
        ("reason", one_of("size", "age", "idle", "boot", "clock", "sealed")),
        ("records", number(0, RECORDS_MAX)),
    ],
}
RECOVERED_IO: list[tuple[str, Check]] = [
    ("previous", number(1, SEGMENT_MAX)),
    ("end", number()),
    ("reason", one_of("io", "restored")),
    ("proof", hex_of(32)),
]


def check_note(event: str, fields: list[list[str]]) -> None:
    """Items 8 to 10: the fields of each event, in this order, and what their values may be."""
    need(event in EVENTS, "note-event")
    ends_early = event == "recovered" and (["reason", "io"] in fields or ["reason", "restored"] in fields)
    table = RECOVERED_IO if ends_early else EVENTS[event]
    checks = {key.rstrip("?"): check for key, check in table}
    keys = [key for key, _ in fields]
    need(set(keys) <= set(checks), "note-field-unknown")
    need({key for key, _ in table if not key.endswith("?")} <= set(keys), "note-field-missing")
    need(keys == [key for key in checks if key in keys], "note-field-order")
    for key, value in fields:
        checks[key](value)
    known = dict(fields)
    if "birth" in known:
        need(known["previous"] == "0" * 64, "note-value")  # item 9: zeros at a birth


def cut_line(length: int, ended: bool) -> list[list[object]]:
    """Items 4 and 5: the records, [kind, bytes of payload], that a line of this length becomes."""
    parts: list[list[object]] = []
    while length > PART:
        parts.append(["+", PART])
        length -= PART
    if ended:
        parts.append(["-", length])
    elif length:
        parts.append(["+", length])
    return parts


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    if vector["what"] == "line":
        return {"parts": cut_line(vector["length"], vector["ended"])}
    found = parse_record(bytes.fromhex(vector["line_hex"]))
    if vector["what"] == "note":
        check_note(found["event"], found["fields"])
    return found


NOON = 1_795_405_501_123_456  # 2026-11-23T03:45:01.123456Z, the page's example
STORE, BOOT = sample("store", 16).hex(), sample("boot", 16).hex()
SESSION = "9f81ca46d2e0b7a1"
ZEROS = "0" * 64
TIME = "2026-11-23T03:45:01.123456Z"


def record(kind: str, payload: bytes, time_us: int = NOON) -> bytes:
    """Write a record without its newline."""
    return print_time(time_us) + b" " + kind.encode() + b" " + payload


def note(event: str, *fields: Field) -> bytes:
    """Write the payload of a note."""
    return " ".join([event, *(f"{key}={value}" for key, value in fields)]).encode()


def segment_fields(**changed: str) -> list[Field]:
    """Give the fields of a `segment` note that begins a stream; an empty value leaves the field out."""
    fields = {
        "format": "logchain/1",
        "store": STORE,
        "vm": "work-web",
        "stream": "journal",
        "number": "1",
        "first": "0",
        "previous": ZEROS,
        "boot": BOOT,
        "birth": "1",
        "continues": "",
    } | changed
    return [(key, value) for key, value in fields.items() if value]


def good() -> list[Vector]:
    """Every item of the page, and every limit at the limit."""
    vectors: list[Vector] = []

    def line(name: str, kind: str, payload: bytes, time_us: int = NOON) -> None:
        vectors.append(
            {
                "what": "record",
                "name": name,
                "line_hex": record(kind, payload, time_us).hex(),
                "time_us": time_us,
                "kind": kind,
                "payload_hex": payload.hex(),
            }
        )

    def noted(name: str, what: str, event: str, *fields: Field) -> None:
        line(name, "#", note(event, *fields))
        vectors[-1] |= {"what": what, "event": event, "fields": [list(field) for field in fields]}

    example = b"<13>1 2026-11-23T03:45:00Z web sshd 411 - - Accepted publickey for amy"
    line("example of the page", "-", example)
    line("first moment", "-", b"x", 0)
    line("second moment", "-", b"x", 1)
    line("last moment", "-", b"x", TIME_MAX)
    line("whole second keeps six zeros", "-", b"x", 1_795_405_501_000_000)
    line("29 February of a leap year", "-", b"x", 1_709_164_800_000_000)
    line("29 February 2000", "-", b"x", 951_782_400_000_000)
    line("end of a day with a leap second", "-", b"x", 1_483_228_799_999_999)
    line("year of four digits above 2038", "-", b"x", 4_102_444_800_000_000)
    line("empty line", "-", b"")
    line("every byte but newline", "-", bytes(byte for byte in range(256) if byte != 10))
    line("carriage return is payload", "-", b"from Windows\r")
    line("nul is payload", "-", b"\0")
    line("no utf-8", "-", b"\xff\xfe\xc0\x80")
    line("line separators of unicode are payload", "-", "a\u2028b\u0085c\v\f\x1c".encode())
    line("spaces around are payload", "-", b"  x  ")
    line("line that looks like a note", "-", b"# end reason=size records=2")
    line("line that looks like a record", "-", record("#", b"end reason=size records=2"))
    line("longest line", "-", b"a" * PART)
    line("part of full length", "+", b"b" * PART)
    line("part of one byte", "+", b"b")
    line("part of one space", "+", b" ")

    noted("note without fields", "record", "x")
    noted("note, every byte of a key", "record", "a-z-", ("abcdefghijklmnopqrstuvwxyz", "1"), ("a-", "2"))
    every = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:+/@-"
    noted("note, every byte of a value", "record", "x", ("k", every))
    noted("note, value with hyphens first", "record", "x", ("k", "--"))
    noted("note, same value twice", "record", "x", ("k", "v"), ("l", "v"))
    noted("longest note", "record", "x", ("k", "v" * (1024 - len("x k="))))

    noted("segment, birth of a stream", "note", "segment", *segment_fields())
    tag = sample("a tag").hex()
    goes_on = segment_fields(number="2", first="3", previous=tag, birth="")
    noted("segment, the next", "note", "segment", *goes_on)
    noted("segment, continues", "note", "segment", *goes_on, ("continues", "yes"))
    limits = segment_fields(
        vm="A" + "b" * 30,
        stream="0" + "z" * 47,
        number="999999",
        first=str(2**63 - 1),
        birth="10000000",
    )
    noted("segment, each limit", "note", "segment", *limits)
    noted("segment, of dom0", "note", "segment", *segment_fields(vm="dom0", stream="main"))
    noted("segment, of qubes.Log", "note", "segment", *segment_fields(stream="qubes.Log"))
    clock = ("last", TIME), ("now", "2026-11-23T03:44:59.000000Z"), ("boot-clock", "86400000000")
    noted("clock", "note", "clock", *clock)
    noted("clock, each limit", "note", "clock", *clock[:2], ("boot-clock", str(2**63 - 1)))
    noted("recovered, torn", "note", "recovered", ("end", "4096"), ("cut", "17"), ("reason", "torn"))
    io_fields = ("previous", "12"), ("end", "4096"), ("reason", "io"), ("proof", "cd" * 32)
    noted("recovered, io", "note", "recovered", *io_fields)
    noted("recovered, restored", "note", "recovered", *io_fields[:2], ("reason", "restored"), io_fields[3])
    for reason in ("keys", "id", "text", "restored"):
        noted(f"broken, {reason}", "note", "broken", ("reason", reason))
    noted("session-start", "note", "session-start", ("session", SESSION), ("service", "logchain.Append"))
    for reason, rate in (("rate", "4194304"), ("quota", "65536"), ("quota", "0"), ("reserve", "0"), ("full", "0")):
        noted(f"throttled, {reason}, {rate}", "note", "throttled", ("reason", reason), ("rate", rate))
    noted("throttled, each limit", "note", "throttled", ("reason", "rate"), ("rate", str(2**63 - 1)))
    for reason in ("eof", "stop", "superseded", "error"):
        ended = ("session", SESSION), ("reason", reason), ("lines", "128")
        noted(f"session-end, {reason}", "note", "session-end", *ended)
    noted("session-end, a line was cut", "note", "session-end", *ended, ("partial", "65537"))
    none = ("session", SESSION), ("reason", "eof"), ("lines", "0")
    noted("session-end, no line", "note", "session-end", *none)
    most = ("session", SESSION), ("reason", "eof"), ("lines", str(2**63 - 1)), ("partial", str(2**63 - 1))
    noted("session-end, each limit", "note", "session-end", *most)
    for reason in ("size", "age", "idle", "boot", "clock", "sealed"):
        noted(f"end, {reason}", "note", "end", ("reason", reason), ("records", "3"))
    noted("end, each limit", "note", "end", ("reason", "size"), ("records", str(2**32 - 1)))

    for length in (0, 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, 16 * PART + 5):
        for ended_by, is_ended in (("a newline", True), ("the end of the session", False)):
            vectors.append(
                {
                    "what": "line",
                    "name": f"{length} bytes before {ended_by}",
                    "length": length,
                    "ended": is_ended,
                    "parts": LINES[length][0 if is_ended else 1],
                }
            )
    return vectors


# Items 4 and 5 once more, written out by hand: with a newline, and without.
LINES: dict[int, tuple[list[list[object]], list[list[object]]]] = {
    0: ([["-", 0]], []),
    1: ([["-", 1]], [["+", 1]]),
    65_535: ([["-", 65_535]], [["+", 65_535]]),
    65_536: ([["-", 65_536]], [["+", 65_536]]),
    65_537: ([["+", 65_536], ["-", 1]], [["+", 65_536], ["+", 1]]),
    131_071: ([["+", 65_536], ["-", 65_535]], [["+", 65_536], ["+", 65_535]]),
    131_072: ([["+", 65_536], ["-", 65_536]], [["+", 65_536], ["+", 65_536]]),
    131_073: ([["+", 65_536], ["+", 65_536], ["-", 1]], [["+", 65_536], ["+", 65_536], ["+", 1]]),
    1_048_581: ([["+", 65_536]] * 16 + [["-", 5]], [["+", 65_536]] * 16 + [["+", 5]]),
}

TIMES_REFUSED = {
    "five digits of a second": ("2026-11-23T03:45:01.12345Z", "time-form"),
    "seven digits of a second": ("2026-11-23T03:45:01.1234567Z", "time-form"),
    "no digits of a second": ("2026-11-23T03:45:01Z", "time-form"),
    "lowercase z": ("2026-11-23T03:45:01.123456z", "time-form"),
    "lowercase t": ("2026-11-23t03:45:01.123456Z", "time-form"),
    "space for the T": ("2026-11-23 03:45:01.123456Z", "time-form"),
    "comma before the digits": ("2026-11-23T03:45:01,123456Z", "time-form"),
    "offset for the Z": ("2026-11-23T03:45:01.123456+00:00", "time-form"),
    "space in front": (" 2026-11-23T03:45:01.123456Z", "time-form"),
    "plus sign": ("+026-11-23T03:45:01.123456Z", "time-form"),
    "minus sign": ("-026-11-23T03:45:01.123456Z", "time-form"),
    "space for a digit": ("2026-11- 3T03:45:01.123456Z", "time-form"),
    "sign in the day": ("2026-11-+3T03:45:01.123456Z", "time-form"),
    "underscore among the digits": ("2026-11-23T03:45:01.12_456Z", "time-form"),
    "digits of another script": ("2026-11-\u0663T03:45:01.123456Z", "time-form"),
    "slashes in the date": ("2026/11/23T03:45:01.123456Z", "time-form"),
    "year of five digits": ("10000-01-01T00:00:00.00000Z", "time-form"),
    "second 60": ("2016-12-31T23:59:60.000000Z", "time-no-such-moment"),
    "minute 60": ("2026-11-23T03:60:01.123456Z", "time-no-such-moment"),
    "hour 24": ("2026-11-23T24:00:00.000000Z", "time-no-such-moment"),
    "30 February": ("2024-02-30T03:45:01.123456Z", "time-no-such-moment"),
    "29 February of a common year": ("2026-02-29T03:45:01.123456Z", "time-no-such-moment"),
    "29 February 2100": ("2100-02-29T03:45:01.123456Z", "time-no-such-moment"),
    "31 November": ("2026-11-31T03:45:01.123456Z", "time-no-such-moment"),
    "month 13": ("2026-13-01T03:45:01.123456Z", "time-no-such-moment"),
    "month 0": ("2026-00-23T03:45:01.123456Z", "time-no-such-moment"),
    "day 0": ("2026-11-00T03:45:01.123456Z", "time-no-such-moment"),
    "year 0": ("0000-11-23T03:45:01.123456Z", "time-no-such-moment"),
    "year 1969": ("1969-12-31T23:59:59.999999Z", "time-before-1970"),
    "year 1": ("0001-01-01T00:00:00.000000Z", "time-before-1970"),
}

NOTES_REFUSED = {
    "empty note": "",
    "uppercase event": "Segment",
    "event with a digit": "end2 reason=size",
    "event that begins with a hyphen": "-end reason=size",
    "event with an underscore": "session_end reason=eof",
    "field without an event": "reason=size records=2",
    "space before the event": " end reason=size",
    "trailing space": "end reason=size ",
    "two spaces": "end  reason=size",
    "tab between": "end\treason=size",
    "carriage return at the end": "end reason=size\r",
    "nul at the end": "end reason=size\0",
    "word without an equals sign": "end reason",
    "empty value": "end reason=",
    "empty key": "end =size",
    "uppercase key": "end Reason=size",
    "key with a digit": "end reason2=size",
    "key that begins with a hyphen": "end -reason=size",
    "key with an underscore": "end boot_clock=1",
    "equals sign in a value": "end reason=a=b",
    "quotes in a value": 'end reason="size"',
    "percent in a value": "end reason=a%20b",
    "semicolon in a value": "end reason=a;b",
    "tilde in a value": "end reason=~",
    "bell in a value": "end reason=\a",
    "letter beyond ascii": "end reason=gr\u00f6\u00dfe",
}


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(name: str, line: bytes, reason: str, what: str = "record") -> None:
        vectors.append({"what": what, "name": name, "line_hex": line.hex(), "reason": reason})

    for name, (time, reason) in TIMES_REFUSED.items():
        refused(f"time: {name}", time.encode() + b" - padded so that it is long enough", reason)
    start = TIME.encode()
    refused("empty", b"", "too-short")
    refused("time only", start, "too-short")
    refused("one byte short of the shortest", start + b" -", "too-short")
    refused("newline at the end", start + b" - hello\n", "newline")
    refused("newline inside", start + b" - hel\nlo", "newline")
    refused("tab before the kind", start + b"\t- hello", "separator")
    refused("tab behind the kind", start + b" -\thello", "separator")
    refused("no space behind the kind", start + b" -hello", "separator")
    for kind in ("=", "*", "a", " ", "\0", "!", "0", "\x7f"):
        refused(f"kind {kind!r}", start + b" " + kind.encode() + b" hello", "kind")
    refused("kind beyond ascii", start + b" \xad hello", "kind")
    refused("empty part", record("+", b""), "empty-part")
    refused("line too long", record("-", b"a" * (PART + 1)), "too-long")
    refused("part too long", record("+", b"b" * (PART + 1)), "too-long")
    refused("note too long", record("#", note("x", ("k", "v" * 1021))), "too-long")
    for name, payload in NOTES_REFUSED.items():
        refused(f"note: {name}", record("#", payload.encode()), "note-form")
    refused("note: key twice", record("#", b"end reason=size reason=age"), "note-key-twice")
    refused("note: field twice", record("#", b"end reason=size reason=size"), "note-key-twice")

    def wrong(name: str, reason: str, event: str, *fields: Field) -> None:
        refused(f"{event}: {name}", record("#", note(event, *fields)), reason, "note")

    def segment(name: str, reason: str, **changed: str) -> None:
        wrong(name, reason, "segment", *segment_fields(**changed))

    wrong("no such event", "note-event", "segments", *segment_fields())
    for key, _ in EVENTS["segment"][:8]:
        segment(f"{key} missing", "note-field-missing", **{key: ""})
    fields = segment_fields()
    wrong("field that is not known", "note-field-unknown", "segment", *fields, ("age", "1"))
    wrong("two fields changed places", "note-field-order", "segment", fields[1], fields[0], *fields[2:])
    middle = [*fields[:7], fields[8], fields[7]]
    wrong("birth before boot", "note-field-order", "segment", *middle)
    segment("another format", "note-value", format="logchain/2")
    segment("store in uppercase", "note-value", store=STORE.upper())
    segment("store one digit short", "note-value", store=STORE[:-1])
    segment("store one digit long", "note-value", store=STORE + "0")
    segment("VM begins with a digit", "note-value", vm="1web")
    segment("VM too long", "note-value", vm="a" * 32)
    segment("VM with a byte of other values", "note-value", vm="a@b")
    segment("stream begins with a dot", "note-value", stream=".main")
    segment("stream too long", "note-value", stream="a" * 49)
    segment("stream with a slash", "note-value", stream="a/b")
    segment("number 0", "number-range", number="0")
    segment("number beyond", "number-range", number="100000000")
    segment("number with leading zeros", "number-form", number="00000001")
    segment("number with a sign", "number-form", number="+1")
    segment("number with a comma", "number-form", number="1,000")
    segment("number in hex", "number-form", number="0x1")
    segment("number with an underscore", "number-form", number="1_0")
    segment("first negative", "number-form", first="-1")
    segment("first 00", "number-form", first="00")
    segment("first beyond", "number-range", first=str(2**63))
    segment("first far beyond", "number-range", first="9" * 400)
    segment("birth 0", "number-range", birth="0")
    segment("birth beyond", "number-range", birth="10000001")
    segment("previous one digit short", "note-value", previous=ZEROS[1:])
    segment("previous in uppercase", "note-value", previous="AB" * 32, birth="")
    segment("previous not zeros at a birth", "note-value", previous="ab" * 32)
    segment("boot with hyphens", "note-value", boot="5b0c7a3f-6f6f-4b0e-9b3f-0c55a1d20a11")
    segment("continues=no", "note-value", continues="no", birth="", previous="ab" * 32)
    clock: list[Field] = [("last", TIME), ("now", "2026-11-23T03:44:59.000000Z"), ("boot-clock", "1")]
    wrong("boot-clock missing", "note-field-missing", "clock", *clock[:2])
    wrong("now before last", "note-field-order", "clock", clock[1], clock[0], clock[2])
    wrong("last of five digits", "time-form", "clock", ("last", "2026-11-23T03:45:01.12345Z"), *clock[1:])
    wrong(
        "now on 30 February",
        "time-no-such-moment",
        "clock",
        clock[0],
        ("now", TIME.replace("11-23", "02-30")),
        clock[2],
    )
    wrong("boot-clock with a fraction", "number-form", "clock", *clock[:2], ("boot-clock", "1.5"))
    wrong("boot-clock beyond", "number-range", "clock", *clock[:2], ("boot-clock", str(2**63)))
    wrong("reason missing", "note-field-missing", "recovered", ("end", "1"), ("cut", "1"))
    wrong("torn without cut", "note-field-missing", "recovered", ("end", "1"), ("reason", "torn"))
    wrong("io without previous", "note-field-missing", "recovered", ("end", "1"), ("reason", "io"))
    torn = ("end", "1"), ("cut", "1"), ("reason", "torn")
    wrong("torn with previous", "note-field-unknown", "recovered", ("previous", "1"), *torn)
    wrong("another reason", "note-value", "recovered", *torn[:2], ("reason", "crash"))
    wrong("io with cut", "note-field-unknown", "recovered", ("previous", "1"), *torn[:2], ("reason", "io"))
    proof = ("proof", "cd" * 32)
    wrong("previous 0", "number-range", "recovered", ("previous", "0"), ("end", "1"), ("reason", "io"), proof)
    wrong("io without proof", "note-field-missing", "recovered", ("previous", "1"), ("end", "1"), ("reason", "io"))
    wrong("restored with cut", "note-field-unknown", "recovered", *torn[:2], ("reason", "restored"))
    wrong("no reason", "note-field-missing", "broken")
    wrong("another reason", "note-value", "broken", ("reason", "tags"))
    service = ("service", "logchain.Append")
    wrong("session in uppercase", "note-value", "session-start", ("session", SESSION.upper()), service)
    wrong("session too short", "note-value", "session-start", ("session", SESSION[1:]), service)
    wrong("service missing", "note-field-missing", "session-start", ("session", SESSION))
    left: list[Field] = [("session", SESSION), ("reason", "eof"), ("lines", "1")]
    slow = ("reason", "rate"), ("rate", "4194304")
    wrong("rate missing", "note-field-missing", "throttled", slow[0])
    wrong("no reason", "note-field-missing", "throttled", slow[1])
    wrong("rate before reason", "note-field-order", "throttled", slow[1], slow[0])
    wrong("another reason", "note-value", "throttled", ("reason", "burst"), slow[1])
    wrong("a rate with a unit", "number-form", "throttled", slow[0], ("rate", "4MiB"))
    wrong("a rate below zero", "number-form", "throttled", slow[0], ("rate", "-1"))
    wrong("a rate beyond", "number-range", "throttled", slow[0], ("rate", str(2**63)))
    wrong("lines missing", "note-field-missing", "session-end", *left[:2])
    wrong("another reason", "note-value", "session-end", left[0], ("reason", "timeout"), left[2])
    wrong("lines beyond", "number-range", "session-end", *left[:2], ("lines", str(2**63)))
    wrong("partial=0", "number-range", "session-end", *left, ("partial", "0"))
    wrong("partial before lines", "note-field-order", "session-end", *left[:2], ("partial", "1"), left[2])
    wrong("records missing", "note-field-missing", "end", ("reason", "size"))
    wrong("another reason", "note-value", "end", ("reason", "done"), ("records", "2"))
    wrong("records with a leading zero", "number-form", "end", ("reason", "size"), ("records", "02"))
    wrong("records beyond", "number-range", "end", ("reason", "size"), ("records", str(2**32)))
    return vectors
