"""docs/spec/line.md as code: the escaping byte by byte, and a line of a file field by field."""

import re

from tests.vectors import reading_sources
from tests.vectors.reading_common import Vector, need, refuse

SPEC = "docs/spec/line.md"
ESCAPE = re.compile(r"\\(?:(\\)|(n)|x([0-9a-f]{2})|)")
LINE = re.compile(
    r'<13>1 (-) ([!-~]{1,255}) ([!-~]{1,48}) - - \[file@32473 path="((?:[^"\\\]]|\\["\\\]])*)"\] (.*)',
    re.ASCII | re.DOTALL,
)


def escape(message: bytes) -> str:
    """Items 8 and 9, one character after the other."""
    text = ""
    while message:
        for length in (1, 2, 3, 4):
            try:
                character = message[:length].decode()
                break
            except UnicodeDecodeError:
                character = ""
        taken = len(character.encode()) or 1
        if character == "\\":
            text += "\\\\"
        elif character == "\n":
            text += "\\n"
        elif not character or ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0:
            text += "".join(f"\\x{byte:02x}" for byte in message[:taken])
        else:
            text += character
        message = message[taken:]
    return text


def unescape(escaped: bytes) -> bytes:
    """Back, and nothing that escape() would have written otherwise."""
    try:
        text = escaped.decode()
    except UnicodeDecodeError:
        refuse("not-utf-8")
    need(not re.search("[\x00-\x1f\x7f-\x9f]", text), "control")
    message, position = b"", 0
    for match in ESCAPE.finditer(text):
        message += text[position : match.start()].encode()
        backslash, newline, digits = match.groups()
        need(backslash or newline or digits, "escape-form")
        message += b"\\" if backslash else b"\n" if newline else bytes.fromhex(digits)
        position = match.end()
    message += text[position:].encode()
    need(escape(message) == text, "escape-needless")
    return message


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    field = "escaped" if vector["what"] == "message" else "line"
    raw = vector[field].encode() if field in vector else bytes.fromhex(vector[f"{field}_hex"])
    if vector["what"] == "message":
        return {"message_hex": unescape(raw).hex()}
    if vector["what"] != "line":
        return reading_sources.read(raw, unescape)
    match = LINE.fullmatch(raw.decode())
    if not match:
        refuse("line-form")
    time, host, app, path, message = match.groups()
    path = unescape(re.sub(r'\\(["\\\]])', r"\1", path).encode()).hex()
    return {
        "time": time,
        "host": host,
        "app": app,
        "path_hex": path,
        "message_hex": unescape(message.encode()).hex(),
    }


def text_or_hex(field: str, value: str) -> Vector:
    """As README.md says: text if it is ASCII."""
    return {field: value} if value.isascii() else {f"{field}_hex": value.encode().hex()}


MESSAGES = {
    "of the page": b"tab\tand back\\slash",
    "empty": b"",
    "plain": b"Accepted publickey for amy",
    "all of ASCII": bytes(range(0x80)),
    "newline": b"one\ntwo",
    "backslash and n": b"\\n",
    "two backslashes": b"\\\\",
    "looks like an escape": b"\\x41",
    "escape sequence": b"\x1b]0;title\x07\x1b[31m",
    "delete": b"\x7f",
    "nul": b"\0",
    "letters of two, three and four bytes": "é€😀".encode(),
    "first and last that are no C1 control": "\u00a0\U0010ffff".encode(),
    "C1 controls": "\u0080\u009b\u009f".encode(),
    "single high bytes": b"\x80\x9b\xff",
    "Latin-1": "Grüße".encode("latin-1"),
    "overlong": b"\xc0\x80 \xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "cut character": "é€😀".encode()[:-1],
    "cut, then ASCII": b"\xe2\x82x",
    "separators and marks stay": "\u2028\u202e\ufeff".encode(),
}

LINES = {
    "of the page": ("work", "", b"/var/log/syslog", b"tab\tand back\\slash"),
    "empty message": ("work", "", b"/var/log/syslog", b""),
    "program by name": ("work", "web", b"/var/log/syslog", b"x"),
    "path that needs both escapings": ("work", "", b'/a"]\\\n\xff/b c', b"x"),
    "no host": ("", "", b"/a", b"x"),
    "host and program with odd characters": ("my host", "caf\u00e9 1", b"/a", b"x"),
    "host and program of the longest": ("h" * 256, "a" * 49, b"/a", b"x"),
    "program from a name that is no text": ("work", "", b"/a/\xc3\xa9 x", b"x"),
    "console of dom0": ("dom0", "", b"/var/log/xen/console/guest-work.log", b"[   12.3] Kernel panic: \x1b[31mboom\r"),
    "log of dom0": ("dom0", "", b"/var/log/qubes/guid.work.log.old", b"last words"),
}


def good() -> list[Vector]:
    """Every kind of byte, and every field at its limit."""
    vectors: list[Vector] = []
    for name, message in MESSAGES.items():
        vectors.append({"what": "message", "name": name, "message_hex": message.hex()})
        vectors[-1] |= text_or_hex("escaped", escape(message))

    def field(text: str, limit: int) -> str:
        return re.sub(r"[^!-~]", "_", text[:limit]) or "-"

    for name, (host, app, path, message) in LINES.items():
        given = {"given_host_hex": host.encode().hex(), "given_app_hex": app.encode().hex()}
        host = field(host, 255)
        app = field(app or path.rpartition(b"/")[2].decode("latin-1"), 48)
        value = re.sub(r'(["\\\]])', r"\\\1", escape(path))
        line = f'<13>1 - {host} {app} - - [file@32473 path="{value}"] {escape(message)}'
        vector = {"what": "line", "name": name, "time": "-", "host": host, "app": app, "path_hex": path.hex()}
        vectors.append(vector | {"message_hex": message.hex()} | given | text_or_hex("line", line))
    return vectors + reading_sources.good(escape)


REFUSED = {
    "newline": (b"a\n", "control"),
    "tab": (b"a\tb", "control"),
    "delete": (b"\x7f", "control"),
    "C1 control": ("\u009b".encode(), "control"),
    "no UTF-8": (b"\xff", "not-utf-8"),
    "surrogate": (b"\xed\xa0\x80", "not-utf-8"),
    "backslash at the end": (b"a\\", "escape-form"),
    "another letter": (b"\\t", "escape-form"),
    "uppercase digits": (b"\\x1B", "escape-form"),
    "uppercase x": (b"\\X1b", "escape-form"),
    "one digit": (b"\\x1", "escape-form"),
    "a letter": (b"\\x41", "escape-needless"),
    "the newline": (b"\\x0a", "escape-needless"),
    "the backslash": (b"\\x5c", "escape-needless"),
    "a whole character": (b"\\xc3\\xa9", "escape-needless"),
    "the rest of a character": (b"\\xe2\\x82\\xac", "escape-needless"),
}


def bad() -> list[Vector]:
    """What nobody writes who follows the page."""
    return [
        {"what": "message", "name": name, "escaped_hex": escaped.hex(), "reason": reason}
        for name, (escaped, reason) in REFUSED.items()
    ]
