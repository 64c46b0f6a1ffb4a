"""docs/spec/tags.md as code, with what record.md and ratchet.md say of a whole segment.

Four kinds of vector: `tags` (the file alone), `segment` (with its text and first
key), `log` (its records in an order that record.md does not allow, though every tag is right), and `segments`
(one behind the other).
"""

from tests.vectors.reading_common import PART, Vector, kdf, need, print_time, sample, u64
from tests.vectors.reading_ratchet import SALT, STORE_ID, A, chain, segment_keys, stream_id
from tests.vectors.reading_record import NOON, SESSION, Field, check_note, note, parse_record, record, segment_fields

SPEC = "docs/spec/tags.md"
OPENING = {"segment", "clock", "recovered", "broken"}
ENDS_LINE = {"session-start", "session-end", "recovered", "broken"}


def parse_tags(tags: bytes) -> list[tuple[int, bytes]]:
    """Items 1 and 2, of a committed file: 40 bytes a record, ends strictly rising."""
    need(len(tags) % 40 == 0, "size")
    entries, before = [], 0
    for at in range(0, len(tags), 40):
        end = int.from_bytes(tags[at : at + 8], "little")
        need(end > before, "ends-not-rising")
        entries.append((end, tags[at + 8 : at + 40]))
        before = end
    return entries


def split_text(text: bytes, entries: list[tuple[int, bytes]]) -> list[bytes]:
    """Cut the text into its records: each end lies just behind a record's newline, the last behind the text."""
    lines, start = [], 0
    for end, _ in entries:
        need(end <= len(text), "text-short")
        line, newline = text[start : end - 1], text[end - 1 : end]
        need(newline == b"\n" and b"\n" not in line, "end-not-behind-record")
        lines.append(line)
        start = end
    need(start == len(text), "text-behind-last-end")
    return lines


def check_segment(key: bytes, text: bytes, tags: bytes) -> Vector:
    """A segment whose every byte is committed: its tags, its text, then the order of its records."""
    entries = parse_tags(tags)
    lines = split_text(text, entries)
    expected, after = chain(key, lines)
    need(expected == [tag for _, tag in entries], "tag")
    found: Vector = {
        "ends": [end for end, _ in entries],
        "record_tags_hex": [tag.hex() for tag in expected],
        "records": len(lines),
        "key_after_hex": after.hex(),
    }
    return found | check_log(lines)


def check_log(lines: list[bytes]) -> Vector:
    """record.md: what may stand where in a segment."""
    need(lines, "no-segment-note")
    records = [parse_record(line) for line in lines]
    head: dict[str, str] = {}
    opening, closed, time_us = True, False, 0
    last_part, line_bytes = 0, 0  # of the unfinished line; 0: there is none
    whole = True  # whether line_bytes is all of it, or began in a segment before
    for index, found in enumerate(records):
        kind, event = found["kind"], found.get("event", "")
        size = len(found["payload_hex"]) // 2
        need(not closed, "record-behind-end")
        need(found["time_us"] >= time_us, "time-goes-back")
        time_us = found["time_us"]
        need((event == "segment") == (index == 0), "segment-note-again" if index else "no-segment-note")
        opening = opening and event in OPENING
        if kind != "#":
            need(last_part in (0, PART), "part-length")  # item 4: only the last part is shorter
            need(not (kind == "-" and last_part and not size), "empty-last-part")
            last_part, line_bytes = (size, line_bytes + size) if kind == "+" else (0, 0)
            whole = whole or kind == "-"
            continue
        check_note(event, found["fields"])
        fields = dict(found["fields"])
        if event == "segment":
            head = fields
            if "continues" in fields:
                last_part, whole = PART, False
        elif event == "clock":
            need(opening, "clock-place")
        elif event == "broken":
            need(opening and "birth" in head, "broken-place")
        elif event == "recovered":
            need(fields["reason"] == "torn" or opening, "recovered-place")
        elif event == "session-end":
            need(("partial" in fields) == bool(last_part), "partial-missing" if last_part else "partial-wrong")
            need(not last_part or not whole or fields["partial"] == str(line_bytes), "partial-wrong")
        elif event == "end":
            need(fields["records"] == str(index + 1), "end-count")
            closed = True
        if event in ENDS_LINE:
            last_part, line_bytes, whole = 0, 0, True
    return {
        "number": int(head["number"]),
        "first": int(head["first"]),
        "previous_hex": head["previous"],
        "birth": int(head["birth"]) if "birth" in head else None,
        "continues": "continues" in head,
        "unfinished": bool(last_part),
        "closed": closed,
        "last_time_us": time_us,
    }


def check_segments(segments: list[Vector]) -> Vector:
    """ratchet.md 5 and record.md 9: each segment fits the one before."""
    tag, number, first, unfinished = "00" * 32, 1, 0, False
    for segment in segments:
        found = check_segment(*(bytes.fromhex(segment[key]) for key in ("key_hex", "text_hex", "tags_hex")))
        need(found["number"] == number, "number")
        need(found["first"] == first, "first")
        need(found["previous_hex"] == tag, "previous")
        need(found["continues"] or not unfinished, "continues-missing")
        need(unfinished or not found["continues"], "continues-without-part")
        tag = found["record_tags_hex"][-1]
        number, first, unfinished = number + 1, first + found["records"], found["unfinished"]
    return {"records": first, "last_tag_hex": tag}


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    if vector["what"] == "segments":
        return check_segments(vector["segments"])
    tags = bytes.fromhex(vector["tags_hex"])
    if vector["what"] == "tags":
        entries = parse_tags(tags)
        ends = [end for end, _ in entries]
        return {"ends": ends, "record_tags_hex": [tag.hex() for _, tag in entries], "records": len(ends)}
    return check_segment(bytes.fromhex(vector["key_hex"]), bytes.fromhex(vector["text_hex"]), tags)


ID = stream_id(SALT, "work-web", "journal")
R1 = kdf(kdf(A, "births", STORE_ID), "stream", ID)
K1 = segment_keys(R1, ID, 1)[0]
Line = tuple[str, bytes]


def entry(end: int, tag: bytes) -> bytes:
    """One record's 40 bytes."""
    return u64(end) + tag


def seal(key: bytes, lines: list[bytes]) -> Vector:
    """Write a segment of these records: text and tags."""
    text, tags = b"", b""
    for line, tag in zip(lines, chain(key, lines)[0], strict=True):
        text += line + b"\n"
        tags += entry(len(text), tag)
    return {"key_hex": key.hex(), "text_hex": text.hex(), "tags_hex": tags.hex()}


def opened(**changed: str) -> Line:
    """Give the first record of a segment."""
    return "#", note("segment", *segment_fields(**changed))


def ended(count: int, reason: str = "age") -> Line:
    """Give the last record of a segment."""
    return "#", note("end", ("reason", reason), ("records", str(count)))


def at_once(*lines: Line) -> list[bytes]:
    """Stamp these records with one time."""
    return [record(kind, payload) for kind, payload in lines]


def left(lines: int, *more: Field) -> Line:
    """Note that the session has ended."""
    return "#", note("session-end", ("session", SESSION), ("reason", "eof"), ("lines", str(lines)), *more)


CAME: Line = ("#", note("session-start", ("session", SESSION), ("service", "logchain.Append")))
LITTLE = [
    record("#", opened()[1], NOON),
    record(*CAME, NOON),
    record("-", b"<13>1 2026-11-23T03:45:00Z web sshd 411 - - Accepted publickey for amy", NOON),
    record("-", b"", NOON),
    record("-", b"\xff\0\r", NOON + 1),
    record("+", b"cut o", NOON + 2_000_000),
    record(*left(3, ("partial", "5")), NOON + 2_000_000),
    record(*ended(8), NOON + 3_000_000_000),
]


def good() -> list[Vector]:
    """The page's example, whole segments, and two that follow one another."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    tag1, tag2 = sample("tag 1"), sample("tag 2")
    example = bytes.fromhex("1f00000000000000") + tag1 + bytes.fromhex("4400000000000000") + tag2
    add("tags", "example of the page", tags_hex=example.hex())
    add("tags", "nothing yet", tags_hex="")
    add("tags", "one record", tags_hex=entry(31, tag1).hex())
    add("tags", "end of three bytes", tags_hex=(entry(65_567, tag1) + entry(131_134, tag2)).hex())
    add("tags", "end beyond 32 bits", tags_hex=(entry(31, tag1) + entry(2**32, tag2)).hex())

    add("segment", "a full little segment", **seal(K1, LITTLE))
    add("segment", "the same, still open", **seal(K1, LITTLE[:5]))
    add("segment", "the same, after a part", **seal(K1, LITTLE[:6]))
    add("segment", "one record", **seal(K1, LITTLE[:1]))
    parts = at_once(opened(), CAME, ("+", b"p" * PART), ("-", b"q"), left(1), ended(6))
    add("segment", "a line of two parts", **seal(K1, parts))
    clock: list[Field] = [("last", "2026-11-23T03:45:01.123456Z"), ("now", "2026-11-23T03:44:00.000000Z")]
    stepped = record("#", note("clock", *clock, ("boot-clock", "86400000000")))
    second = opened(number="2", first="8", previous=sample("t").hex(), birth="")
    add("segment", "clock behind segment", **seal(K1, [*at_once(second), stepped]))
    again = opened(number="3", first="20", birth="7")
    broken: Line = ("#", note("broken", ("reason", "keys")))
    add("segment", "broken behind a birth", **seal(K1, at_once(again, broken, CAME, ("-", b"on"))))
    torn: Line = ("#", note("recovered", ("end", "400"), ("cut", "17"), ("reason", "torn")))
    add("segment", "recovered in the midst", **seal(K1, at_once(opened(), CAME, ("-", b"a"), torn)))
    io: Line = ("#", note("recovered", ("previous", "1"), ("end", "400"), ("reason", "io"), ("proof", "cd" * 32)))
    add("segment", "recovered behind segment", **seal(K1, at_once(second, io)))

    pair = follow(LITTLE)
    add("segments", "the second repeats the last tag of the first", segments=pair)
    open_line = at_once(opened(), CAME, ("+", b"p" * PART), ended(4, "size"))
    crossing = follow(open_line, at_once(("-", b"q"), left(1), ended(4)), first="4", continues="yes")
    add("segments", "a line that goes on in the next segment", segments=crossing)
    return vectors


def follow(lines: list[bytes], more: list[bytes] | None = None, **changed: str) -> list[Vector]:
    """Write a segment, and the one behind it."""
    one = seal(K1, lines)
    head = {"number": "2", "first": "8", "previous": one["tags_hex"][-64:], "birth": ""} | changed
    rest = more if more is not None else at_once(("-", b"more"), ended(3))
    return [one, seal(segment_keys(R1, ID, 2)[0], [*at_once(opened(**head)), *rest])]


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason} | fields)

    tag1, tag2 = sample("tag 1"), sample("tag 2")
    two = entry(31, tag1) + entry(68, tag2)
    for size in (1, 8, 39, 41, 72, 79):
        refused("tags", f"{size} bytes", "size", tags_hex=two[:size].hex())
    refused("tags", "81 bytes", "size", tags_hex=(two + b"\0").hex())
    refused("tags", "newline behind", "size", tags_hex=(two + b"\n").hex())
    refused("tags", "same end twice", "ends-not-rising", tags_hex=(entry(31, tag1) + entry(31, tag2)).hex())
    refused("tags", "end falls", "ends-not-rising", tags_hex=(entry(68, tag2) + entry(31, tag1)).hex())
    refused("tags", "first end 0", "ends-not-rising", tags_hex=(entry(0, tag1) + entry(31, tag2)).hex())
    refused("tags", "zeros behind", "ends-not-rising", tags_hex=(two + bytes(40)).hex())
    wide = entry(2**64 - 1, tag1) + entry(2**64 - 1, tag2)
    refused("tags", "largest end twice", "ends-not-rising", tags_hex=wide.hex())

    little = seal(K1, LITTLE)
    text, tags = bytes.fromhex(little["text_hex"]), bytes.fromhex(little["tags_hex"])
    last = len(LITTLE[-1]) + 1

    def damaged(name: str, reason: str, text: bytes = text, tags: bytes = tags, key: bytes = K1) -> None:
        fields = {"text_hex": text.hex(), "tags_hex": tags.hex(), "key_hex": key.hex()}
        refused("segment", name, reason, **fields)

    def flip(data: bytes, at: int, bit: int = 1) -> bytes:
        return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]

    damaged("last newline missing", "text-short", text=text[:-1])
    damaged("last record missing in the text", "text-short", text=text[:-last])
    damaged("empty text", "text-short", text=b"")
    damaged("last record missing in the tags", "text-behind-last-end", tags=tags[:-40])
    damaged("one byte behind", "text-behind-last-end", text=text + b"x")
    damaged("newline behind", "text-behind-last-end", text=text + b"\n")
    end = int.from_bytes(tags[:8], "little")
    damaged("an end one too low", "end-not-behind-record", tags=u64(end - 1) + tags[8:])
    damaged("an end one too high", "end-not-behind-record", tags=u64(end + 1) + tags[8:])
    joined = tags[:80] + tags[120:]
    damaged("two records under one end", "end-not-behind-record", tags=joined)
    alone = seal(K1, LITTLE[:1])
    only, its_tag = bytes.fromhex(alone["text_hex"]), bytes.fromhex(alone["tags_hex"])
    damaged("end big endian", "text-short", text=only, tags=its_tag[7::-1] + its_tag[8:])
    damaged("text changed, first record", "tag", text=flip(text, 40))
    damaged("text changed, a payload", "tag", text=text.replace(b"for amy", b"for eve"))
    damaged("text changed, a time", "tag", text=text.replace(b"45:01.123457", b"45:01.123458"))
    damaged("text changed, a kind", "tag", text=text.replace(b"Z + cut o", b"Z - cut o"))
    damaged("text changed, the end note", "tag", text=text.replace(b"records=8", b"records=9"))
    damaged("first tag changed", "tag", tags=flip(tags, 8))
    damaged("last tag changed, last bit", "tag", tags=flip(tags, len(tags) - 1, 128))
    damaged("tags of two records changed places", "tag", tags=swap_tags(tags, 2, 4))
    damaged("key changed", "tag", key=flip(K1, 0))
    damaged("key of the next record", "tag", key=bytes.fromhex(seal_after(LITTLE[:1])))
    damaged("key of another segment", "tag", key=segment_keys(R1, ID, 2)[0])
    damaged("R in place of K", "tag", key=R1)
    with_newline = with_newline_hashed(K1, LITTLE)
    damaged("tags over the newline too", "tag", tags=with_newline)
    swapped = seal(K1, [*LITTLE[:3], LITTLE[4], LITTLE[3], *LITTLE[5:]])
    damaged("text of two records changed places, ends too", "tag", *moved(swapped, tags))

    def log(name: str, reason: str, lines: list[bytes]) -> None:
        refused("log", name, reason, **seal(K1, lines))

    hello: Line = ("-", b"hello")
    log("nothing", "no-segment-note", [])
    log("begins with a line", "no-segment-note", at_once(hello, opened()))
    log("begins with another note", "no-segment-note", at_once(CAME, hello))
    log("segment note in the midst", "segment-note-again", at_once(opened(), hello, opened()))
    back = [*at_once(opened()), record("-", b"a", NOON + 1), record("-", b"b", NOON)]
    log("time goes back by a microsecond", "time-goes-back", back)
    log("a line behind end", "record-behind-end", at_once(opened(), hello, ended(3), hello))
    log("two end notes", "record-behind-end", at_once(opened(), hello, ended(3), ended(4)))
    log("end counts one too few", "end-count", at_once(opened(), hello, ended(2)))
    log("end counts one too many", "end-count", at_once(opened(), hello, ended(4)))
    log("short part before the last", "part-length", at_once(opened(), CAME, ("+", b"a"), ("-", b"b")))
    log("short part before a part", "part-length", at_once(opened(), CAME, ("+", b"a"), ("+", b"b")))
    lines = at_once(opened(), CAME, ("+", b"p" * PART), ("-", b""))
    log("last part empty", "empty-last-part", lines)
    log("cut line, no partial", "partial-missing", at_once(opened(), CAME, ("+", b"abc"), left(0)))
    cut = at_once(opened(), CAME, ("+", b"abc"), left(0, ("partial", "4")))
    log("partial is not what was cut", "partial-wrong", cut)
    log("partial, nothing cut", "partial-wrong", at_once(opened(), CAME, hello, left(1, ("partial", "5"))))
    clock: list[Field] = [("last", print_time(NOON).decode()), ("now", print_time(NOON - 9_000_000).decode())]
    stepped: Line = ("#", note("clock", *clock, ("boot-clock", "5")))
    log("clock behind a line", "clock-place", at_once(opened(), hello, stepped))
    broken: Line = ("#", note("broken", ("reason", "keys")))
    second = opened(number="2", first="8", previous=sample("t").hex(), birth="")
    log("broken without a birth", "broken-place", at_once(second, broken))
    log("broken behind a line", "broken-place", at_once(opened(), hello, broken))
    io: Line = ("#", note("recovered", ("previous", "1"), ("end", "400"), ("reason", "io"), ("proof", "cd" * 32)))
    log("recovered from io behind a line", "recovered-place", at_once(second, hello, io))
    log("a record that is none", "kind", [*at_once(opened()), LITTLE[2].replace(b"Z - ", b"Z = ")])
    log("a record too short", "too-short", [*at_once(opened()), b""])

    def behind(name: str, reason: str, **changed: str) -> None:
        refused("segments", name, reason, segments=follow(LITTLE, None, **changed))

    behind("another tag", "previous", previous=sample("t").hex())
    behind("zeros without a birth", "previous", previous="00" * 32)
    behind("the last tag but one", "previous", previous=tags[-72:-40].hex())
    behind("number left out", "number", number="3")
    behind("number again", "number", number="1")
    behind("first one too low", "first", first="7")
    behind("first one too high", "first", first="9")
    behind("continues, though no line is open", "continues-without-part", continues="yes")
    open_line = at_once(opened(), CAME, ("+", b"p" * PART), ended(4, "size"))
    going_on = follow(open_line, at_once(("-", b"q"), left(1), ended(4)), first="4")
    refused("segments", "a line goes on and continues is missing", "continues-missing", segments=going_on)
    return vectors


def swap_tags(tags: bytes, a: int, b: int) -> bytes:
    """Let two entries change their tags, not their ends."""
    entries = [bytearray(tags[at : at + 40]) for at in range(0, len(tags), 40)]
    entries[a][8:], entries[b][8:] = entries[b][8:], entries[a][8:]
    return b"".join(entries)


def seal_after(lines: list[bytes]) -> str:
    """Give the key that is left after these records."""
    return chain(K1, lines)[1].hex()


def with_newline_hashed(key: bytes, lines: list[bytes]) -> bytes:
    """Write the tags of a writer that hashes the newline with the record."""
    tags, end = b"", 0
    for line, tag in zip(lines, chain(key, [line + b"\n" for line in lines])[0], strict=True):
        end += len(line) + 1
        tags += entry(end, tag)
    return tags


def moved(swapped: Vector, tags: bytes) -> tuple[bytes, bytes]:
    """Put the old tags beside the ends of a text of which two records have changed places."""
    ends = bytes.fromhex(swapped["tags_hex"])
    mixed = b"".join(ends[at : at + 8] + tags[at + 8 : at + 40] for at in range(0, len(tags), 40))
    return bytes.fromhex(swapped["text_hex"]), mixed
