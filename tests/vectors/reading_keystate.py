"""docs/spec/keystate.md as code: slots, files of two slots, and the two bodies."""

from tests.vectors.reading_common import (
    BIRTH_MAX,
    RECORDS_MAX,
    SEGMENT_MAX,
    STREAM,
    TIME_MAX,
    VM,
    RefusedError,
    Vector,
    blake2b,
    need,
    sample,
    u64,
)

SPEC = "docs/spec/keystate.md"
SLOT, BODY_MAX = 4096, 4044
RATCHET, BIRTHS = "lcratch1", "lcbirth1"


def parse_slot(slot: bytes, magic: str) -> Vector:
    """Item 1: magic, length, padding and checksum fit."""
    need(len(slot) == SLOT, "slot-size")
    need(any(slot), "slot-wiped")
    need(slot[:8] == magic.encode(), "slot-magic")
    generation = int.from_bytes(slot[8:16], "little")
    need(generation >= 1, "slot-generation")
    length = int.from_bytes(slot[16:20], "little")
    need(length <= BODY_MAX, "slot-length")
    need(not any(slot[20 + length : 4064]), "slot-padding")
    need(slot[4064:] == blake2b(slot[:4064], 32, b"logchain.slot"), "slot-checksum")
    return {"generation": generation, "body_hex": slot[20 : 20 + length].hex()}


def choose(file: bytes, magic: str) -> Vector:
    """Item 3: the valid slot with the higher generation."""
    need(len(file) == 2 * SLOT, "file-size")
    valid = []
    for index in (0, 1):
        try:
            slot = parse_slot(file[index * SLOT : (index + 1) * SLOT], magic)
        except RefusedError:
            continue
        valid.append(slot | {"slot": index})
    need(valid, "no-valid-slot")
    need(len({slot["generation"] for slot in valid}) == len(valid), "generation-twice")
    return max(valid, key=lambda slot: int(slot["generation"]))


NUMBERS = ("birth", "segment", "status", "opened", "first", "records", "end", "time")


def parse_ratchet(body: bytes) -> Vector:
    """Read the body of `ratchet`, items 5 and 6."""
    need(len(body) == 312, "body-size")
    found: Vector = {
        name: int.from_bytes(body[at : at + 8], "little") for name, at in zip(NUMBERS, range(0, 64, 8), strict=True)
    }
    for name, start, end in (("boot", 64, 80), ("tag", 80, 112), ("key", 112, 144), ("next", 144, 176)):
        found[f"{name}_hex"] = body[start:end].hex()
    found["session_hex"] = body[176:184].hex()
    entries = [(body[at : at + 8], int.from_bytes(body[at + 8 : at + 16], "little")) for at in range(184, 312, 16)]
    used = [(session.hex(), lines) for session, lines in entries if any(session)]
    need(all(any(session) or not lines for session, lines in entries), "resume-lines-without-session")
    need(all(any(session) for session, _ in entries[: len(used)]), "resume-gap")
    need(len({session for session, _ in used}) == len(used), "resume-session-twice")
    found["resume"] = [list(entry) for entry in used]
    need(1 <= found["birth"] <= BIRTH_MAX, "birth-range")
    need(found["segment"] <= SEGMENT_MAX, "segment-range")
    need(found["status"] <= 6, "status")
    proves = found["status"] == 6 and found["key_hex"] != "00" * 32
    need(found["status"] != 6 or found["segment"], "status-without-segment")
    if found["status"] in (1, 2) or proves:  # a segment is committed with its first record
        need(found["segment"], "status-without-segment")
        need(found["records"], "status-without-records")
        need(found["end"], "status-without-end")
    need(found["status"] in (1, 2, 6) or found["key_hex"] == "00" * 32, "key-not-erased")
    need(found["records"] <= RECORDS_MAX, "records-range")
    need(found["time"] <= TIME_MAX, "time-range")
    return found


def parse_births(body: bytes) -> Vector:
    """Read the body of `births`, item 7: with or without a birth under way."""
    need(len(body) >= 42, "body-size")
    vm_end = 41 + body[40]
    need(len(body) > vm_end, "body-size")
    stream_end = vm_end + 1 + body[vm_end]
    need(len(body) == stream_end, "body-size")
    vm, stream = body[41:vm_end], body[vm_end + 1 : stream_end]
    need(bool(vm) == bool(stream), "one-name-only")
    if vm:
        need(VM.match(vm.decode("latin-1")), "vm-name")
        need(STREAM.match(stream.decode("latin-1")), "stream-name")
    number = int.from_bytes(body[:8], "little")
    # A store that has given its last birth says "next: one more", and gives none.
    need(1 <= number <= BIRTH_MAX + (0 if vm else 1), "birth-range")
    return {"number": number, "secret_hex": body[8:40].hex(), "vm": vm.decode(), "stream": stream.decode()}


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "slot":
            return parse_slot(bytes.fromhex(vector["slot_hex"]), vector["magic"])
        case "file":
            found = choose(bytes.fromhex(vector["file_hex"]), vector["magic"])
            body = bytes.fromhex(found["body_hex"])
            (parse_ratchet if vector["magic"] == RATCHET else parse_births)(body)
            return found
        case "ratchet":
            return parse_ratchet(bytes.fromhex(vector["body_hex"]))
        case "births":
            return parse_births(bytes.fromhex(vector["body_hex"]))
        case what:
            raise ValueError(what)


def slot_of(body: bytes, generation: int, magic: str = RATCHET, length: int | None = None) -> bytes:
    """Write a slot; `length` other than the body's makes a bad one."""
    size = len(body) if length is None else length
    front = (magic.encode() + u64(generation) + size.to_bytes(4, "little") + body).ljust(4064, b"\0")[:4064]
    return front + blake2b(front, 32, b"logchain.slot")


NO_STATE: Vector = {
    "birth": 1,
    "segment": 0,
    "status": 0,
    "opened": 0,
    "first": 0,
    "records": 0,
    "end": 0,
    "time": 0,
    "boot_hex": "00" * 16,
    "tag_hex": "00" * 32,
    "key_hex": "00" * 32,
    "next_hex": sample("r1").hex(),
    "session_hex": "00" * 8,
    "resume": [],
}
OPEN: Vector = {
    "birth": 3,
    "segment": 12,
    "status": 1,
    "opened": 86_400_000_000,
    "first": 998_123,
    "records": 104_233,
    "end": 12_345_678,
    "time": 1_795_405_501_123_456,
    "boot_hex": sample("boot", 16).hex(),
    "tag_hex": sample("tag").hex(),
    "key_hex": sample("key").hex(),
    "next_hex": sample("r13").hex(),
    "session_hex": "9f81ca46d2e0b7a1",
    "resume": [["9f81ca46d2e0b7a1", 128], ["03aa51c0ffee0042", 10_422], ["77f09bb2d0c1a2e3", 5]],
}
CLOSED = OPEN | {"status": 0, "key_hex": "00" * 32, "session_hex": "00" * 8}
EIGHT = [[sample(f"session {index}", 8).hex(), 1000 - index] for index in range(8)]


def ratchet_body(state: Vector) -> bytes:
    """Write the body of `ratchet`."""
    numbers = b"".join(u64(state[name]) for name in NUMBERS)
    names = ("boot_hex", "tag_hex", "key_hex", "next_hex", "session_hex")
    middle = b"".join(bytes.fromhex(state[name]) for name in names)
    resume = b"".join(bytes.fromhex(session) + u64(lines) for session, lines in state["resume"])
    return numbers + middle + resume.ljust(128, b"\0")


def births_body(number: int, vm: bytes = b"", stream: bytes = b"", secret: bytes | None = None) -> bytes:
    """Write the body of `births`."""
    names = bytes([len(vm)]) + vm + bytes([len(stream)]) + stream
    return u64(number) + (secret or sample("b1")) + names


def good() -> list[Vector]:
    """Every field, every status, every case of item 3."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vectors.append({"what": what, "name": name} | fields)

    def ratchet(name: str, **changed: object) -> None:
        state = OPEN | changed
        add("ratchet", name, body_hex=ratchet_body(state).hex(), **state)

    ratchet("just born", **NO_STATE)
    ratchet("open")
    ratchet("closed", **CLOSED)
    ratchet("given up after a failed write", status=2)
    for status, lost in ((3, "keys"), (4, "id"), (5, "text")):
        ratchet(f"new birth, {lost} lost", **(NO_STATE | {"birth": 9, "segment": 12, "status": status}))
    ratchet("came back from a backup, its segment open", status=6, session_hex="00" * 8, resume=[])
    ratchet("came back from a backup, its segment closed", **(CLOSED | {"status": 6, "resume": []}))
    ratchet("new birth, lost before the first segment", **(NO_STATE | {"birth": 2, "status": 3}))
    ratchet("one record", records=1, end=31)
    ratchet("no session is connected", session_hex="00" * 8)
    ratchet("session connected, no line durable", session_hex="00000000000000ff")
    ratchet("no session yet", session_hex="00" * 8, resume=[])
    ratchet("one in resume", resume=EIGHT[:1])
    ratchet("eight in resume", resume=EIGHT)
    ratchet("session that begins and ends with zeros", resume=[["0000000000000100", 1]])
    limits = {"birth": BIRTH_MAX, "segment": SEGMENT_MAX, "records": RECORDS_MAX, "time": TIME_MAX}
    ratchet("each limit", **limits)
    ratchet("lines in resume at the wire's limit", resume=[[EIGHT[0][0], 2**63 - 1]])
    order = {name: index for index, name in enumerate(NUMBERS, 1)}
    ratchet("fields in their order", **(order | {"status": 1}))

    def births(name: str, number: int, vm: str = "", stream: str = "") -> None:
        body = births_body(number, vm.encode(), stream.encode())
        secret = sample("b1").hex()
        add("births", name, body_hex=body.hex(), number=number, secret_hex=secret, vm=vm, stream=stream)

    births("no birth under way", 1)
    births("a birth under way", 1, "work-web", "journal")
    births("a birth under way, of dom0", 2, "dom0", "main")
    births("a birth under way, of qubes.Log", 2, "work", "qubes.Log")
    births("shortest names", 255, "a", "0")
    births("longest names", 256, "A" + "b" * 30, "0" + "z" * 47)
    births("the last birth", BIRTH_MAX)
    births("the last birth under way", BIRTH_MAX, "a", "b")
    births("all births given", BIRTH_MAX + 1)

    def slot(name: str, body: bytes, generation: int, magic: str = RATCHET) -> None:
        raw = slot_of(body, generation, magic).hex()
        add("slot", name, magic=magic, generation=generation, body_hex=body.hex(), slot_hex=raw)

    slot("ratchet, generation 1", ratchet_body(NO_STATE), 1)
    slot("ratchet, open", ratchet_body(OPEN), 258)
    slot("births", births_body(1), 1, BIRTHS)
    slot("births, a birth under way", births_body(7, b"work-web", b"journal"), 20, BIRTHS)
    slot("highest generation", ratchet_body(OPEN), 2**64 - 1)
    slot("longest body", b"\xaa" * BODY_MAX, 3)
    slot("empty body", b"", 3)
    slot("body that ends in zeros", bytes(100), 3)

    def file(name: str, slots: tuple[bytes, bytes], wins: int, generation: int, body: bytes) -> None:
        expected = {"slot": wins, "generation": generation, "body_hex": body.hex()}
        add("file", name, magic=RATCHET, file_hex=b"".join(slots).hex(), **expected)

    one, two = ratchet_body(NO_STATE), ratchet_body(OPEN)
    wiped = bytes(SLOT)
    file("first slot only", (slot_of(one, 1), wiped), 0, 1, one)
    file("second slot only", (wiped, slot_of(two, 2)), 1, 2, two)
    file("both valid, the second newer", (slot_of(one, 1), slot_of(two, 2)), 1, 2, two)
    file("both valid, the first newer", (slot_of(two, 3), slot_of(one, 2)), 0, 3, two)
    file("generations as numbers, not as bytes", (slot_of(two, 256), slot_of(one, 255)), 0, 256, two)
    file("generations beyond 32 bits", (slot_of(one, 2**32 - 1), slot_of(two, 2**32)), 1, 2**32, two)
    newer, older = slot_of(two, 9), slot_of(one, 8)
    file("newer torn, older used", (newer[:512] + wiped[512:], older), 1, 8, one)
    file("newer torn in the last sector", (older, newer[:3584] + wiped[3584:]), 0, 8, one)
    file("newer torn over the slot before it", (older, newer[:100] + slot_of(one, 7)[100:]), 0, 8, one)
    file("older half wiped", (newer, wiped[:2048] + older[2048:]), 0, 9, two)
    file("newer has another magic", (slot_of(births_body(1), 9, BIRTHS), older), 1, 8, one)
    born = births_body(7, b"work-web", b"journal")
    raw = (slot_of(births_body(7), 20, BIRTHS) + slot_of(born, 21, BIRTHS)).hex()
    add("file", "births", magic=BIRTHS, file_hex=raw, slot=1, generation=21, body_hex=born.hex())
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason} | fields)

    body = ratchet_body(OPEN)
    fits = slot_of(body, 5)

    def slot(name: str, reason: str, raw: bytes, magic: str = RATCHET) -> None:
        refused("slot", name, reason, magic=magic, slot_hex=raw.hex())

    def resum(front: bytes, person: bytes = b"logchain.slot") -> bytes:
        return front + blake2b(front, 32, person)

    slot("wiped", "slot-wiped", bytes(SLOT))
    slot("births in ratchet", "slot-magic", slot_of(births_body(1), 1, BIRTHS))
    slot("ratchet in births", "slot-magic", fits, BIRTHS)
    slot("magic of another version", "slot-magic", slot_of(body, 5, "lcratch2"))
    slot("magic in uppercase", "slot-magic", slot_of(body, 5, "LCRATCH1"))
    slot("magic wiped", "slot-magic", resum(bytes(8) + fits[8:4064]))
    slot("generation 0", "slot-generation", slot_of(body, 0))
    slot("length one beyond", "slot-length", slot_of(b"\xaa" * BODY_MAX, 5, length=BODY_MAX + 1))
    slot("length at its highest", "slot-length", slot_of(body, 5, length=2**32 - 1))
    slot("length one too low", "slot-padding", slot_of(body[:-1] + b"\1", 5, length=len(body) - 1))
    slot("padding, its first byte", "slot-padding", slot_of(body + b"\1", 5, length=len(body)))
    slot("padding, its last byte", "slot-padding", resum(fits[:4063] + b"\1"))
    slot("checksum changed", "slot-checksum", fits[:-1] + bytes([fits[-1] ^ 1]))
    slot("checksum wiped", "slot-checksum", fits[:4064] + bytes(32))
    slot("generation changed", "slot-checksum", fits[:8] + u64(6) + fits[16:])
    slot("body changed", "slot-checksum", fits[:20] + b"\xff" + fits[21:])
    slot("checksum without personalisation", "slot-checksum", resum(fits[:4064], b""))
    slot("torn behind the first sector", "slot-checksum", fits[:512] + bytes(SLOT - 512))
    slot("one byte short", "slot-size", fits[:-1])
    slot("one byte long", "slot-size", fits + b"\0")

    def file(name: str, reason: str, raw: bytes) -> None:
        refused("file", name, reason, magic=RATCHET, file_hex=raw.hex())

    file("both wiped", "no-valid-slot", bytes(2 * SLOT))
    file("both torn", "no-valid-slot", (fits[:512] + bytes(3584)) + (slot_of(body, 6)[:1024] + bytes(3072)))
    file("one torn, one wiped", "no-valid-slot", fits[:512] + bytes(3584) + bytes(SLOT))
    file("both of the other file", "no-valid-slot", slot_of(births_body(1), 1, BIRTHS) + bytes(SLOT))
    file("empty", "file-size", b"")
    file("one slot", "file-size", fits)
    file("one byte short", "file-size", bytes(SLOT) + fits[:-1])
    file("one byte long", "file-size", bytes(SLOT) + fits + b"\0")
    file("three slots", "file-size", bytes(SLOT) + fits + bytes(SLOT))
    file("two valid slots of one generation", "generation-twice", fits + slot_of(ratchet_body(NO_STATE), 5))
    worse = slot_of(ratchet_body(OPEN | {"status": 7}), 6)
    file("newer slot valid, its body refused: the older is not used", "status", fits + worse)

    def ratchet(name: str, reason: str, raw: bytes) -> None:
        refused("ratchet", name, reason, body_hex=raw.hex())

    def changed(name: str, reason: str, **fields: object) -> None:
        ratchet(name, reason, ratchet_body(OPEN | fields))

    ratchet("empty", "body-size", b"")
    ratchet("one byte short", "body-size", body[:-1])
    ratchet("one byte long", "body-size", body + b"\0")
    changed("birth 0", "birth-range", birth=0)
    changed("birth beyond", "birth-range", birth=BIRTH_MAX + 1)
    changed("birth big endian", "birth-range", birth=1 << 56)
    changed("segment beyond", "segment-range", segment=SEGMENT_MAX + 1)
    changed("status 7", "status", status=7)
    changed("status at its highest", "status", status=2**64 - 1)
    changed("open, segment 0", "status-without-segment", segment=0)
    ratchet("given up, segment 0", "status-without-segment", ratchet_body(OPEN | {"status": 2, "segment": 0}))
    changed("open, no record", "status-without-records", records=0)
    changed("open, no text", "status-without-end", end=0)
    ratchet("given up, no record", "status-without-records", ratchet_body(OPEN | {"status": 2, "records": 0}))
    ratchet("given up, no text", "status-without-end", ratchet_body(OPEN | {"status": 2, "end": 0}))
    changed("came back, segment 0", "status-without-segment", status=6, segment=0, key_hex="00" * 32)
    changed("came back, a key and no record", "status-without-records", status=6, records=0)
    changed("came back, a key and no text", "status-without-end", status=6, end=0)
    for status, word in ((0, "closed"), (3, "keys"), (4, "id"), (5, "text")):
        changed(f"{word}, key not zeros", "key-not-erased", status=status)
    changed("records beyond", "records-range", records=RECORDS_MAX + 1)
    changed("time beyond the year 9999", "time-range", time=TIME_MAX + 1)
    none = ["00" * 8, 0]
    changed("unused before used in resume", "resume-gap", resume=[EIGHT[0], none, EIGHT[1]])
    changed("first of resume unused", "resume-gap", resume=[none, EIGHT[1]])
    changed("last of resume only", "resume-gap", resume=[none] * 7 + [EIGHT[0]])
    changed("session twice in resume", "resume-session-twice", resume=[EIGHT[0], EIGHT[1], EIGHT[0]])
    lines = [EIGHT[0], ["00" * 8, 5]]
    changed("lines of no session in resume", "resume-lines-without-session", resume=lines)

    def births(name: str, reason: str, raw: bytes) -> None:
        refused("births", name, reason, body_hex=raw.hex())

    under_way = births_body(7, b"work-web", b"journal")
    births("empty", "body-size", b"")
    births("no second length", "body-size", births_body(7)[:41])
    births("one byte short", "body-size", under_way[:-1])
    births("one byte long", "body-size", under_way + b"\0")
    births("zeros behind no name", "body-size", births_body(7) + bytes(10))
    births("length of the VM beyond the body", "body-size", u64(7) + sample("b1") + b"\xffab\0")
    births("VM without stream", "one-name-only", births_body(7, b"work-web", b""))
    births("stream without VM", "one-name-only", births_body(7, b"", b"journal"))
    births("VM begins with a digit", "vm-name", births_body(7, b"1web", b"journal"))
    births("VM with a slash", "vm-name", births_body(7, b"a/b", b"journal"))
    births("VM with a newline at the end", "vm-name", births_body(7, b"web\n", b"journal"))
    births("VM beyond ascii", "vm-name", births_body(7, "w\u00e9b".encode(), b"journal"))
    births("VM too long", "vm-name", births_body(7, b"a" * 32, b"journal"))
    births("stream is dots", "stream-name", births_body(7, b"web", b".."))
    births("stream with a nul", "stream-name", births_body(7, b"web", b"a\0"))
    births("stream too long", "stream-name", births_body(7, b"web", b"a" * 49))
    births("number 0", "birth-range", births_body(0))
    births("number beyond", "birth-range", births_body(BIRTH_MAX + 2))
    births("a birth beyond under way", "birth-range", births_body(BIRTH_MAX + 1, b"web", b"main"))
    return vectors
