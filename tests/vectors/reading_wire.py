"""docs/spec/wire.md as code: what comes down, line by line and as a whole, and the names."""

import re

from tests.vectors.reading_common import STREAM, VM, Vector, need, parse_number, refuse

SPEC = "docs/spec/wire.md"
GREETING = re.compile(r"\Alogchain/1 session=([0-9a-f]{16}) resume=(.*)\Z", re.ASCII)
RESUME = re.compile(r"\A([0-9a-f]{16}):(.*)\Z", re.ASCII)


def parse_line(line: bytes) -> Vector:
    """Items 3 to 5: one line without its newline."""
    need(len(line) <= 1024, "too-long")
    if line.startswith(b"error"):
        need(re.match(rb"\Aerror .", line, re.DOTALL), "words-missing")
        need(all(0x20 <= byte <= 0x7E for byte in line), "words-not-printable")
        need(len(line) <= 200 + len("error "), "words-too-long")
        return {"kind": "error", "words": line[6:].decode()}
    need(line.isascii(), "line-form")
    text = line.decode()
    if text in ("busy", "full"):
        return {"kind": text}
    if text.startswith("ok "):
        return {"kind": "ok", "number": parse_number(text[3:])}
    greeting = GREETING.match(text)
    if not greeting:
        refuse("greeting-form" if text.startswith("logchain/1 ") else "line-form")
    session, resume = greeting.groups()
    entries = []
    for entry in resume.split(",") if resume else []:
        one = RESUME.match(entry)
        if not one:
            refuse("resume-form")
        entries.append([one[1], parse_number(one[2])])
    need(len(entries) <= 8, "resume-too-many")
    ids = [ident for ident, _ in entries]
    need(len(set(ids)) == len(ids), "resume-session-twice")
    need(session not in ids, "resume-own-session")
    return {"kind": "greeting", "session": session, "resume": entries}


def parse_down(down: bytes) -> Vector:
    """The whole way down: greeting first and once, `ok` never less than before, nothing behind `busy` and the like.

    What stands behind the last newline is no line: `ok 12` may be the begin of `ok 128`.
    """
    greeted, last, number = False, "", 0
    for line in down.split(b"\n")[:-1]:
        found = parse_line(line)
        need(last not in ("busy", "full", "error"), "line-behind-last")
        last = found["kind"]
        if last == "greeting":
            need(not greeted, "greeting-twice")
            greeted = True
        elif last == "ok":
            need(greeted, "no-greeting")
            need(found["number"] >= number, "ok-goes-back")
            number = found["number"]
    return {"greeted": greeted, "acknowledged": number, "last": last}


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""

    def raw(field: str) -> bytes:
        return vector[field].encode("ascii") if field in vector else bytes.fromhex(vector[f"{field}_hex"])

    match vector["what"]:
        case "line":
            return parse_line(raw("line"))
        case "down":
            return parse_down(raw("down"))
        case "vm":
            need(VM.match(raw("vm").decode("latin-1")), "vm-name")
            return {"vm": vector["vm"]}
        case "argument":
            stream = raw("argument").decode("latin-1") or "main"
            need(STREAM.match(stream), "stream-name")
            need(stream != "qubes.Log", "stream-reserved")
            return {"stream": stream}
        case what:
            raise ValueError(what)


S1, S2, S3 = "9f81ca46d2e0b7a1", "03aa51c0ffee0042", "77f09bb2d0c1a2e3"
HELLO = f"logchain/1 session={S1} resume="
MOST = 2**63 - 1


def good() -> list[Vector]:
    """Every kind of line, and each limit at the limit."""
    vectors: list[Vector] = []

    def line(name: str, line: str, kind: str, **fields: object) -> None:
        vectors.append({"what": "line", "name": name, "line": line, "kind": kind} | fields)

    def greeting(name: str, *resume: tuple[str, int], session: str = S1) -> None:
        listed = ",".join(f"{ident}:{number}" for ident, number in resume)
        text = f"logchain/1 session={session} resume={listed}"
        line(name, text, "greeting", session=session, resume=[list(entry) for entry in resume])

    greeting("greeting of the page", (S2, 10_422), (S3, 5))
    greeting("greeting, nothing to resume")
    greeting("greeting, one to resume", (S2, 1))
    greeting("greeting, eight to resume", *((f"{index:016x}", index) for index in range(1, 9)))
    greeting("greeting, the longest", *((f"{index:016x}", MOST) for index in range(1, 9)))
    greeting("greeting, digits only in the session", session="0123456789012345")
    greeting("greeting, letters only in the session", session="abcdefabcdefabcd")
    for number in (0, 1, 9, 10, 128, 2**31, 2**32, 2**53 + 1, MOST):
        line(f"ok {number}", f"ok {number}", "ok", number=number)
    line("busy", "busy", "busy")
    line("full", "full", "full")
    line("error, one word", "error io", "error", words="io")
    line("error, several words", "error disk: write failed (EIO)", "error", words="disk: write failed (EIO)")
    line("error, one character", "error !", "error", words="!")
    line("error, 200 characters", "error " + "x" * 200, "error", words="x" * 200)
    printable = "".join(map(chr, range(0x21, 0x7F)))
    line("error, every printable character", "error " + printable, "error", words=printable)
    line("error, words that look like a line", "error ok 5", "error", words="ok 5")

    def down(name: str, text: str, acknowledged: int, last: str, greeted: bool = True) -> None:
        expected = {"greeted": greeted, "acknowledged": acknowledged, "last": last}
        vectors.append({"what": "down", "name": name, "down": text} | expected)

    down("example of the page", f"{HELLO}{S2}:10422,{S3}:5\nok 1\nok 128\n", 128, "ok")
    down("greeting only", HELLO + "\n", 0, "greeting")
    down("same ok again, to keep alive", HELLO + "\nok 0\nok 0\nok 5\nok 5\n", 5, "ok")
    down("ended by error", HELLO + "\nok 5\nerror io\n", 5, "error")
    down("ended by full", HELLO + "\nfull\n", 0, "full")
    down("busy in place of a greeting", "busy\n", 0, "busy", greeted=False)
    down("full in place of a greeting", "full\n", 0, "full", greeted=False)
    down("error in place of a greeting", "error io\n", 0, "error", greeted=False)
    down("nothing", "", 0, "", greeted=False)
    down("cut in the greeting", HELLO[:30], 0, "", greeted=False)
    down("cut in an ok: not counted", HELLO + "\nok 1\nok 12", 1, "ok")

    vms = ["a", "Z", "dom0", "work-web", "sys-log", "disp1234", "a.b_c-d", "a--", "x" * 31, "main"]
    vectors += [{"what": "vm", "name": vm, "vm": vm} for vm in vms]
    streams = ["main", "journal", "0", "Z", "a.b_c-d", "0..", "qubes.log", "qubes.Log2", "x" * 48]
    vectors += [{"what": "argument", "name": stream, "argument": stream, "stream": stream} for stream in streams]
    vectors.append({"what": "argument", "name": "without an argument", "argument": "", "stream": "main"})
    return vectors


GREETINGS_REFUSED = {
    "next version": (HELLO.replace("/1", "/2"), "line-form"),
    "no version": (HELLO.replace("/1", ""), "line-form"),
    "in uppercase": (HELLO.replace("logchain", "LOGCHAIN"), "line-form"),
    "space in front": (" " + HELLO, "line-form"),
    "nothing behind the version": ("logchain/1", "line-form"),
    "no session": ("logchain/1 resume=", "greeting-form"),
    "no resume": (f"logchain/1 session={S1}", "greeting-form"),
    "resume first": (f"logchain/1 resume= session={S1}", "greeting-form"),
    "another field behind": (HELLO + " more=1", "resume-form"),
    "trailing space": (HELLO + " ", "resume-form"),
    "trailing space behind a list": (f"{HELLO}{S2}:5 ", "number-form"),
    "carriage return": (f"{HELLO}{S2}:5\r", "number-form"),
    "two spaces": (HELLO.replace(" resume", "  resume"), "greeting-form"),
    "tab": (HELLO.replace(" resume", "\tresume"), "greeting-form"),
    "session of 15 digits": (HELLO.replace(S1, S1[1:]), "greeting-form"),
    "session of 17 digits": (HELLO.replace(S1, S1 + "0"), "greeting-form"),
    "session in uppercase": (HELLO.replace(S1, S1.upper()), "greeting-form"),
    "session empty": (HELLO.replace(S1, ""), "greeting-form"),
    "resume, id of 15 digits": (f"{HELLO}{S2[1:]}:5", "resume-form"),
    "resume, id in uppercase": (f"{HELLO}{S2.upper()}:5", "resume-form"),
    "resume, no number": (f"{HELLO}{S2}", "resume-form"),
    "resume, number empty": (f"{HELLO}{S2}:", "number-form"),
    "resume, number with a leading zero": (f"{HELLO}{S2}:05", "number-form"),
    "resume, number with a sign": (f"{HELLO}{S2}:+5", "number-form"),
    "resume, number negative": (f"{HELLO}{S2}:-5", "number-form"),
    "resume, number beyond": (f"{HELLO}{S2}:{2**63}", "number-range"),
    "resume, comma behind": (f"{HELLO}{S2}:5,", "resume-form"),
    "resume, comma in front": (f"{HELLO},{S2}:5", "resume-form"),
    "resume, comma only": (f"{HELLO},", "resume-form"),
    "resume, two commas": (f"{HELLO}{S2}:5,,{S3}:5", "resume-form"),
    "resume, space behind a comma": (f"{HELLO}{S2}:5, {S3}:5", "resume-form"),
    "resume, semicolon": (f"{HELLO}{S2}:5;{S3}:5", "number-form"),
    "resume, nine entries": (
        HELLO + ",".join(f"{index:016x}:1" for index in range(1, 10)),
        "resume-too-many",
    ),
    "resume, a session twice": (f"{HELLO}{S2}:5,{S2}:6", "resume-session-twice"),
    "resume, this session": (f"{HELLO}{S2}:5,{S1}:6", "resume-own-session"),
}
LINES_REFUSED = {
    "empty line": ("", "line-form"),
    "ok without a number": ("ok", "line-form"),
    "ok and a space": ("ok ", "number-form"),
    "ok without a space": ("ok5", "line-form"),
    "ok, two spaces": ("ok  5", "number-form"),
    "ok, tab": ("ok\t5", "line-form"),
    "ok, space behind": ("ok 5 ", "number-form"),
    "ok, carriage return": ("ok 5\r", "number-form"),
    "ok, newline": ("ok 5\n", "number-form"),
    "ok, leading zero": ("ok 05", "number-form"),
    "ok, 00": ("ok 00", "number-form"),
    "ok, plus sign": ("ok +5", "number-form"),
    "ok, minus sign": ("ok -5", "number-form"),
    "ok, -0": ("ok -0", "number-form"),
    "ok, underscore": ("ok 1_0", "number-form"),
    "ok, fraction": ("ok 5.0", "number-form"),
    "ok, exponent": ("ok 1e3", "number-form"),
    "ok, hex": ("ok 0x5", "number-form"),
    "ok, one beyond": (f"ok {2**63}", "number-range"),
    "ok, far beyond": ("ok " + "9" * 500, "number-range"),
    "ok in uppercase": ("OK 5", "line-form"),
    "OK of qubes.Log": ("OK", "line-form"),
    "ok, two numbers": ("ok 5 6", "number-form"),
    "busy with words": ("busy later", "line-form"),
    "busy, space behind": ("busy ", "line-form"),
    "full with words": ("full disk", "line-form"),
    "full in uppercase": ("FULL", "line-form"),
    "error without words": ("error", "words-missing"),
    "error and a space": ("error ", "words-missing"),
    "error, 201 characters": ("error " + "x" * 201, "words-too-long"),
    "error, tab": ("error a\tb", "words-not-printable"),
    "error, escape": ("error \x1b[2J", "words-not-printable"),
    "error, nul": ("error a\0", "words-not-printable"),
    "error, delete": ("error a\x7f", "words-not-printable"),
    "error, carriage return": ("error a\r", "words-not-printable"),
    "error, newline": ("error a\n", "words-not-printable"),
    "another word": ("wait 5", "line-form"),
    "1025 bytes": ("x" * 1025, "too-long"),
}
DOWN_REFUSED = {
    "ok before the greeting": ("ok 1\n", "no-greeting"),
    "two greetings": (HELLO + "\n" + HELLO + "\n", "greeting-twice"),
    "ok goes back": (HELLO + "\nok 5\nok 4\n", "ok-goes-back"),
    "ok behind busy": (HELLO + "\nbusy\nok 1\n", "line-behind-last"),
    "greeting behind full": ("full\n" + HELLO + "\n", "line-behind-last"),
    "error twice": ("error a\nerror b\n", "line-behind-last"),
    "empty line between": (HELLO + "\n\nok 1\n", "line-form"),
    "carriage returns": (f"{HELLO}{S2}:1\r\n", "number-form"),
}
VMS_REFUSED = [
    "",
    "x" * 32,
    "1web",
    "-web",
    ".web",
    "_web",
    "a b",
    "a/b",
    "a+b",
    "a@b",
    "a:b",
    "$adminvm",
    "@default",
    "..",
    "a\n",
    "a\0",
]
ARGUMENTS_REFUSED = [
    "x" * 49,
    ".",
    "..",
    ".main",
    "-main",
    "_main",
    "a b",
    "a/b",
    "../a",
    "a+b",
    "a@b",
    "a:b",
    "a=b",
    "a\n",
    "a\0",
    "\n",
]


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, text: str, **fields: object) -> None:
        field = {"vm": "vm", "argument": "argument", "down": "down", "line": "line"}[what]
        plain = text.isascii() and (what == "down" or text.isprintable())
        shown = {field: text} if plain else {f"{field}_hex": text.encode().hex()}
        vectors.append({"what": what, "name": name, "reason": reason} | shown | fields)

    for name, (text, reason) in GREETINGS_REFUSED.items():
        refused("line", f"greeting, {name}", reason, text)
    for name, (text, reason) in LINES_REFUSED.items():
        refused("line", name, reason, text)
    refused("line", "error beyond ascii", "words-not-printable", "error gr\u00f6\u00dfe")
    refused("line", "ok, digits of another script", "line-form", "ok \u0665")
    for name, (text, reason) in DOWN_REFUSED.items():
        refused("down", name, reason, text)
    for vm in [*VMS_REFUSED, "w\u00e9b"]:
        refused("vm", repr(vm), "vm-name", vm)
    for argument in [*ARGUMENTS_REFUSED, "m\u00e4in", "\u0663"]:
        refused("argument", repr(argument), "stream-name", argument)
    refused("argument", "qubes.Log", "stream-reserved", "qubes.Log")
    return vectors
