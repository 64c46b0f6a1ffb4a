"""docs/spec/line.md, items 10 to 17 and Windows: lines of the journal, the kernel, syslog, commands and events."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tests.vectors.reading_common import Vector, need, refuse

Params: TypeAlias = Sequence[tuple[str, bytes]]
Element: TypeAlias = tuple[str, Params]
Escape: TypeAlias = Callable[[bytes], str]

BOOT = "0123456789abcdef0123456789abcdef"
MOMENT = 1_795_405_501_123_456  # 2026-11-23T03:45:01.123456Z
NOW = "2026-11-23T03:45:01.123456Z"

_VALUE = r'"((?:[^"\\\]]|\\.)*)"'  # RFC 5424 6.3.3: behind another character a backslash is one
_NAME = r'[^ =\]"\x00-\x20\x7f]{1,32}'
LINE = re.compile(
    r"<(0|[1-9][0-9]{0,2})>1 ([!-~]{1,35}) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    rf"(-|(?:\[{_NAME}(?: {_NAME}={_VALUE})*\])+) (.*)",
    re.ASCII | re.DOTALL,
)
_ELEMENT = re.compile(rf"\[({_NAME})((?: {_NAME}={_VALUE})*)\]", re.DOTALL)
_PARAM = re.compile(rf" ({_NAME})={_VALUE}", re.DOTALL)


def read(line: bytes, unescape: Callable[[bytes], bytes]) -> Vector:
    """RFC 5424 6, and behind it what the page says of our own elements and of the message."""
    match = LINE.fullmatch(line.decode())
    if not match:
        refuse("line-form")
    priority, time, host, app, process, event, data = match.groups()[:7]
    need(int(priority) <= 191, "priority-range")
    elements = _elements(data)
    return {
        "priority": int(priority),
        "time": time,
        "host": host,
        "app": app,
        "process": process,
        "id": event,
        "data": [
            _element_of(name, [(key, _read_value(name, value, unescape)) for key, value in params])
            for name, params in elements
        ],
        "message_hex": unescape(match.groups()[-1].encode()).hex(),
    }


def _elements(data: str) -> list[Element]:
    """RFC 5424 6.3: the elements, each value without its backslashes."""
    return [
        (match[1], [(key, re.sub(r'\\(["\\\]])', r"\1", value).encode()) for key, value in _PARAM.findall(match[2])])
        for match in _ELEMENT.finditer(data)
    ]


def _element_of(name: str, params: Params) -> str:
    """How a vector tells an element: its name and its parameters in order, each value in hex."""
    return " ".join([name, *(f"{key}={value.hex()}" for key, value in params)])


def _read_value(element: str, value: bytes, unescape: Callable[[bytes], bytes]) -> bytes:
    """Item 7: what stands in an element of ours is escaped; what a sender wrote is as it came (16)."""
    return unescape(value) if element.endswith("@32473") else value


def _word(value: bytes, limit: int) -> str:
    """A field of the header: every byte that RFC 5424 does not allow is `_`, nothing is `-`."""
    return re.sub(r"[^!-~]", "_", value.decode("latin-1")[:limit]) or "-"


class Writer:
    """Makes vectors: the fields that an input means, and the line that has them."""

    def __init__(self, escape: Escape) -> None:
        self.escape = escape

    def vector(
        self, head: tuple[int, str, str, str, str, str], data: Sequence[Element], message: bytes, came: str = ""
    ) -> Vector:
        """Put the fields together: `came` is structured data of a sender, as it came, and stands first."""
        text = came + "".join(self._element(*element) for element in data) or "-"
        priority, time, host, app, process, event = head
        line = f"<{priority}>1 {time} {host} {app} {process} {event} {text} {self.escape(message)}"
        fields = dict(zip(("priority", "time", "host", "app", "process", "id"), head, strict=True))
        elements = [_element_of(*element) for element in [*_elements(came), *data]]
        return (
            fields
            | {"data": elements, "message_hex": message.hex()}
            | ({"line": line} if line.isascii() else {"line_hex": line.encode().hex()})
        )

    def _element(self, name: str, params: Params) -> str:
        return f"[{name}" + "".join(f' {key}="{_quoted(self.escape(value))}"' for key, value in params) + "]"

    def journal(self, host: str, monotonic: int, fields: list[tuple[str, bytes]]) -> Vector:
        """Items 11 to 13."""
        first: dict[str, bytes] = {}
        for key, value in fields:
            first.setdefault(key, value)

        def number(key: str, most: int, otherwise: int) -> int:
            text = first.get(key, b"")
            good = re.fullmatch(rb"[0-9]{1,2}", text) and int(text) <= most
            return int(text) if good else otherwise

        transport = first.get("_TRANSPORT", b"")
        facility = number("SYSLOG_FACILITY", 23, 0 if transport == b"kernel" else 1)
        unit = first.get("_SYSTEMD_UNIT", b"")
        of_user = first.get("_SYSTEMD_USER_UNIT", b"") if re.fullmatch(rb"user@.*\.service", unit) else b""
        event = first.get("MESSAGE_ID", b"") if transport in (b"journal", b"driver") else b""
        named = [("unit", unit), ("user_unit", of_user), ("transport", transport), ("comm", first.get("_COMM", b""))]
        named += [("uid", first.get("_UID", b"")), ("exe", first.get("_EXE", b""))]
        params = [(key, value) for key, value in named if value]
        params += [("boot", BOOT.encode()), ("monotonic", b"%d.%06d" % divmod(monotonic, 1_000_000))]
        params += [] if first.get("MESSAGE") else [("message", b"none")]
        head = (
            facility * 8 + number("PRIORITY", 7, 6),
            NOW,
            _word(host.encode(), 255),
            _word(first.get("SYSLOG_IDENTIFIER", b"") or first.get("_COMM", b""), 48),
            _word(first.get("_PID", b""), 128),
            _word(event, 32),
        )
        given = {"given_host": host, "given_realtime": MOMENT, "given_monotonic": monotonic, "given_boot": BOOT}
        pairs = [f"{key}={value.hex()}" for key, value in fields]
        return given | {"given_fields": pairs} | self.vector(head, [("journal@32473", params)], first["MESSAGE"])

    def kernel(self, code: int, number: int, microseconds: int, text: bytes) -> Vector:
        """Item 14."""
        message, *about = text.split(b"\n")
        params = [("boot", BOOT.encode()), ("monotonic", b"%d.%06d" % divmod(microseconds, 1_000_000))]
        params += [("number", b"%d" % number)]
        for item in about:
            key, _, value = item.strip().partition(b"=")
            if key in (b"SUBSYSTEM", b"DEVICE"):
                params.append((key.decode().lower(), value))
        record = b"%d,%d,%d,-;%b\n" % (code, number, microseconds, text)
        head = (code if code <= 191 else 8 + code % 8, "-", "work", "kernel", "-", "-")
        given = {"given_host": "work", "given_boot": BOOT, "given_record_hex": record.hex()}
        return given | self.vector(head, [("kernel@32473", params)], message)

    def syslog(self, message: bytes, origin: list[tuple[str, bytes]]) -> Vector:
        """Items 15 to 17."""
        given: Vector = {"given_host": "work", "given_now": NOW, "given_message_hex": message.hex()}
        given |= {"given_origin": [f"{key}={value.decode()}" for key, value in origin]}
        came = ("syslog@32473", origin)
        message = message.rstrip(b"\n\0")
        code = 13
        if (match := re.match(rb"<(0|[1-9][0-9]*)>", message)) and int(match[1]) <= 191:
            code, message = int(match[1]), message[match.end() :]
        if found := _rfc5424(message):
            fields, elements, text = found
            return given | self.vector((code, *fields), [came], text, elements)
        data: list[Element] = []
        if time := re.match(rb"[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} ", message):
            data, message = [("rfc3164@32473", [("time", time[0][:-1])])], message[time.end() :]
        host, app, process = b"work", b"", b""
        word = rb"[^ \t\n\r\f\v:\[\]]"
        tag = rb"(?:(%b+) )?(%b{1,48})(?:\[([0-9]{1,10})\])?: ?" % (word, word)
        if match := re.match(tag, message):
            host, app, process = match[1] or host, match[2], match[3] or b""
            message = message[match.end() :]
        head = (code, NOW, _word(host, 255), _word(app, 48), process.decode() or "-", "-")
        return given | self.vector(head, [*data, came], message)

    def command(self, host: str, app: str, message: bytes) -> Vector:
        """Items 2 and 4: a line of a command, or of standard input."""
        given = {"given_host": host, "given_app": app, "given_now": MOMENT}
        return given | self.vector((13, NOW, host, app, "-", "-"), [], message)

    def own(self, event: str, words: str) -> Vector:
        """Item 10."""
        given = {"given_host": "work", "given_event": event, "given_words": words, "given_now": MOMENT}
        return given | self.vector((44, NOW, "work", "log-exporter", "-", event), [], words.encode())

    def event(self, text: str, words: str) -> Vector:
        """An event of Windows, or text that is none."""
        given: dict[str, Any] = {"given_host": "win10", "given_number": 5002, "given_channel": "Security"}
        given |= {"given_xml_hex": text.encode().hex(), "given_words_hex": words.encode().hex()}
        try:
            system, *rest = ET.fromstring(text)
        except ET.ParseError:
            data = [("event@32473", [("Channel", b"Security"), ("EventRecordID", b"5002")])]
            return given | self.vector((13, "-", "win10", "eventlog", "-", "-"), data, text.encode())
        params: list[tuple[str, bytes]] = []
        for element in system:
            name = element.tag.rpartition("}")[2]
            params += [(f"{name}.{key}", value.encode()) for key, value in element.attrib.items()]
            params += [(name, element.text.encode())] if element.text else []
        fields = dict(params)
        data = [("event@32473", params)]
        if (
            rest
            and rest[0].tag.endswith("}EventData")
            and not rest[1:]
            and all(len(item.attrib) < 2 for item in rest[0])
        ):
            data.append(("data@32473", [(_data_name(item), (item.text or "").encode()) for item in rest[0]]))
        elif rest:
            data.append(("xml@32473", [("rest", text.partition("</System>")[2].removesuffix("</Event>").encode())]))
        severity = {b"1": 2, b"2": 3, b"3": 4, b"5": 7}.get(fields.get("Level", b""), 6)
        failed = int(fields.get("Keywords", b"0").removeprefix(b"0x"), 16) & 0x10_0000_0000_0000
        head = (
            (13 if fields["Channel"] == b"Security" else 1) * 8 + (4 if failed else severity),
            fields["TimeCreated.SystemTime"].decode()[:26] + "Z",
            _word(fields["Computer"], 255),
            _word(fields["Provider.Name"], 48),
            _word(fields.get("Execution.ProcessID", b""), 128),
            _word(fields["EventID"], 32),
        )
        return given | self.vector(head, data, words.encode())


def _data_name(item: ET.Element) -> str:
    return item.get("Name") or item.tag.rpartition("}")[2]


def _quoted(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", text)


def _rfc5424(message: bytes) -> tuple[tuple[str, str, str, str, str], str, bytes] | None:
    """Item 16: header, structured data and message, or nothing if it counts as none."""
    head = re.match(rb"1 ([!-~]{1,35}) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ", message)
    if not head:
        return None
    value = rb'"(?:[^"\\\]]|\\.)*"'
    name = rb"[!#-<>-\\^-~]{1,32}"
    data = re.compile(rb"(-|(?:\[%b(?: %b=%b)*\])+)(?: |\Z)" % (name, name, value), re.DOTALL).match(
        message, head.end()
    )
    if not data or b"@32473" in data[1]:
        return None
    try:
        text = data[1].decode()
    except UnicodeDecodeError:
        return None
    if re.search("[\x00-\x1f\x7f-\x9f]", text):
        return None
    time, host, app, process, event = (field.decode() for field in head.groups())
    return (time, host, app, process, event), text if text != "-" else "", message[data.end() :]


# What the vectors are made of

SSH = [("_SYSTEMD_UNIT", b"ssh.service"), ("_TRANSPORT", b"syslog"), ("_COMM", b"sshd"), ("_UID", b"0")]
SSH += [("_EXE", b"/usr/sbin/sshd"), ("SYSLOG_IDENTIFIER", b"sshd"), ("_PID", b"411"), ("SYSLOG_FACILITY", b"4")]
OF_USER = [("_SYSTEMD_UNIT", b"user@1000.service"), ("_SYSTEMD_USER_UNIT", b"app.service")]

ENTRIES: dict[str, tuple[str, int, list[tuple[str, bytes]]]] = {
    "of the page": ("work", 12_000_345, [*SSH, ("PRIORITY", b"6"), ("MESSAGE", b"Accepted publickey for amy")]),
    "message only": ("work", 1, [("MESSAGE", b"x")]),
    "empty message": ("work", 1, [*SSH, ("MESSAGE", b"")]),
    "several lines": ("work", 1, [*SSH, ("MESSAGE", b"one\ntwo\n\tthree\n")]),
    "binary message": ("work", 1, [*SSH, ("MESSAGE", bytes(range(256)))]),
    "of the kernel": ("work", 3, [("_TRANSPORT", b"kernel"), ("PRIORITY", b"4"), ("MESSAGE", b"usb 1-1: new")]),
    "of the kernel, another facility": (
        "work",
        3,
        [("_TRANSPORT", b"kernel"), ("SYSLOG_FACILITY", b"3"), ("PRIORITY", b"7"), ("MESSAGE", b"systemd[1]: x")],
    ),
    "of a user's unit": ("work", 1, [*OF_USER, ("_TRANSPORT", b"stdout"), ("PRIORITY", b"3"), ("MESSAGE", b"x")]),
    "user's unit in a system's": ("work", 1, [*SSH, ("_SYSTEMD_USER_UNIT", b"app.service"), ("MESSAGE", b"x")]),
    "message id": ("work", 1, [("_TRANSPORT", b"journal"), ("MESSAGE_ID", b"f" * 32), ("MESSAGE", b"x")]),
    "message id of a driver": ("work", 1, [("_TRANSPORT", b"driver"), ("MESSAGE_ID", b"f" * 40), ("MESSAGE", b"x")]),
    "message id through syslog": ("work", 1, [*SSH, ("MESSAGE_ID", b"f" * 32), ("MESSAGE", b"x")]),
    "no identifier": ("work", 1, [("_COMM", b"cron"), ("MESSAGE", b"x")]),
    "odd identifier": ("work", 1, [("SYSLOG_IDENTIFIER", "caf\u00e9 1".encode()), ("MESSAGE", b"x")]),
    "long identifier and process": (
        "work",
        1,
        [("SYSLOG_IDENTIFIER", b"a" * 49), ("_PID", b"1" * 129), ("MESSAGE", b"x")],
    ),
    "program with every special byte": (
        "work",
        1,
        [("_COMM", b'"]\\'), ("_EXE", b'/tmp/a"]\\\xff\x1b\n b'), ("MESSAGE", b"x")],
    ),
    "priority and facility that are none": (
        "work",
        1,
        [("PRIORITY", b"8"), ("SYSLOG_FACILITY", b"24"), ("MESSAGE", b"x")],
    ),
    "priority and facility of other letters": (
        "work",
        1,
        [("PRIORITY", b"x"), ("SYSLOG_FACILITY", b"-1"), ("MESSAGE", b"x")],
    ),
    "highest priority and facility": (
        "work",
        1,
        [("PRIORITY", b"7"), ("SYSLOG_FACILITY", b"23"), ("MESSAGE", b"x")],
    ),
    "a field twice": ("work", 1, [("_COMM", b"first"), ("_COMM", b"second"), ("MESSAGE", b"x")]),
    "as if of the exporter": (
        "work",
        1,
        [
            ("SYSLOG_IDENTIFIER", b"log-exporter"),
            ("SYSLOG_FACILITY", b"5"),
            ("PRIORITY", b"4"),
            ("_TRANSPORT", b"journal"),
            ("MESSAGE_ID", b"lost"),
            ("MESSAGE", b"3 lines"),
        ],
    ),
    "other fields": ("work", 1, [("_CMDLINE", b"mysql -psecret"), ("_HOSTNAME", b"h"), ("MESSAGE", b"x")]),
    "of dom0": (
        "dom0",
        86_400_000_000,
        [
            ("_SYSTEMD_UNIT", b"libvirtd.service"),
            ("SYSLOG_IDENTIFIER", b"libvirtd"),
            ("MESSAGE", b"Domain work started"),
        ],
    ),
}

RECORDS = {
    "of the page": (29, 3, 3_000_003, b"usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=c189:1"),
    "message only": (6, 0, 0, b"Linux version 6.1"),
    "escaped by the kernel": (4, 12, 999_999, b"x\\x1b[31m y"),
    "bytes above ASCII": (4, 12, 1, "Ger\u00e4t".encode() + b" \xff"),
    "other properties": (30, 7, 1_000_000, b"x\n SUBSYSTEM=net\n DEVICE=+net:eth0\n OTHER=y"),
    "highest facility": (191, 1, 1, b"x"),
    "facility beyond syslog's": (2047, 1, 1, b"x"),
}

UNIX = [("transport", b"unix"), ("pid", b"411"), ("uid", b"0"), ("gid", b"0")]
UDP, TCP = [("transport", b"udp")], [("transport", b"tcp")]
RFC5424 = b"<165>1 2003-10-11T22:14:15.003Z web app 7 ID47 "

MESSAGES = {
    "of the page, RFC 3164": (b"<38>Nov 23 03:45:00 sshd[411]: Accepted", UNIX),
    "of the page, RFC 5424": (RFC5424 + b'[example@0 x="1"] hello', UDP),
    "RFC 3164 with host": (b"<38>Nov  3 03:45:00 web sshd: a: b", UDP),
    "RFC 3164 without tag": (b"<38>Nov  3 03:45:00 no tag here", UDP),
    "no priority": (b"me[7]: x", UNIX),
    "no tag": (b"<6>no tag at all", TCP),
    "tag of two words": (b"<6>kernel panic: x", TCP),
    "no space behind the colon": (b"<6>me:x", TCP),
    "two spaces behind the colon": (b"<6>me:  x", TCP),
    "tag of 48 bytes": (b"<6>" + b"t" * 48 + b": x", TCP),
    "tag of 49 bytes": (b"<6>" + b"t" * 49 + b": x", TCP),
    "odd tag": ("<6>caf\u00e9[1]: x".encode(), TCP),
    "process that is no number": (b"<6>me[x]: y", TCP),
    "nothing": (b"", UDP),
    "priority only": (b"<191>", UDP),
    "priority too large": (b"<192>x", UDP),
    "priority with a zero": (b"<007>x", UDP),
    "ends in NUL and newline": (b"<13>me: x\0\n", UNIX),
    "newline and control characters": (b"<13>me: a\nb\x1b[31m", UNIX),
    "message that is no UTF-8": (b"<13>me: \xff\xfe", UNIX),
    "RFC 5424 without data": (RFC5424 + b"- hello", UDP),
    "RFC 5424 without message": (RFC5424 + b"-", UDP),
    "RFC 5424 with data and no message": (RFC5424 + b'[a b="c"]', UDP),
    "RFC 5424 that escapes": (RFC5424 + b'[a@1 b="c\\"\\\\\\]d" e=""][f g="\xc3\xbc"] two\nlines', UDP),
    "RFC 5424 with an escape that is none": (RFC5424 + b'[a b="c\\n"] x', UDP),
    "RFC 5424 that turns the direction of text": (RFC5424 + '[a b="\u202e\u200b"] x'.encode(), UDP),
    "RFC 5424 that says what only we say": (RFC5424 + b'[syslog@32473 uid="0"] x', UDP),
    "RFC 5424 with a control character": (RFC5424 + b'[a b="\x1b"] x', UDP),
    "RFC 5424 with a C1 control character": (RFC5424 + '[a b="\u009b"] x'.encode(), UDP),
    "RFC 5424 with an escaped newline": (RFC5424 + b'[a b="\\\n"] x', UDP),
    "RFC 5424 with data that is no UTF-8": (RFC5424 + b'[a b="\xff"] x', UDP),
    "RFC 5424 as if of the exporter": (f"<44>1 {NOW} work log-exporter - lost - 3 lines".encode(), UNIX),
    "RFC 5424 of another version": (b"<13>2 - - - - - - x", UDP),
    "RFC 5424 with a broken element": (RFC5424 + b'[a b="c] x', UDP),
}

COMMANDS = {
    "of a command": ("work", "conntrack", b"[NEW] tcp 6 src=10.137.0.5"),
    "of a command, every byte": ("work", "conntrack", bytes(byte for byte in range(256) if byte != 0x0A)),
    "of a command, empty": ("work", "conntrack", b""),
}

OWN = {
    "lost": ("lost", "3 lines of /var/log/a\nb"),
    "missed": (
        "missed",
        "up to 7 lines: the journal behind 2026-11-23T03:45:01.123456Z was deleted before it was sent",
    ),
    "dropped": ("dropped", "12 lines were dropped: the spool was full"),
}

_NS = "http://schemas.microsoft.com/win/2004/08/events/event"
_PROCESS = (
    '<Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>4688</EventID><Level>{level}</Level>'
    '<Keywords>{keywords}</Keywords><TimeCreated SystemTime="2026-11-23T03:45:02.765432100Z"/>'
    '<EventRecordID>5002</EventRecordID><Execution ProcessID="4" ThreadID="76"/><Channel>{channel}</Channel>'
    "<Computer>win10</Computer>"
)


def _event(rest: str, level: int = 0, keywords: str = "0x8020000000000000", channel: str = "Security") -> str:
    system = _PROCESS.format(level=level, keywords=keywords, channel=channel)
    return f'<Event xmlns="{_NS}"><System>{system}</System>{rest}</Event>'


_NAMED = '<Data Name="NewProcessName">C:\\Windows\\cmd.exe</Data>'
EVENTS = {
    "process": (_event(f"<EventData>{_NAMED}</EventData>"), "A new process has been created.\r\n\r\nCreator:\tx"),
    "without data": (_event(""), ""),
    "audit that failed": (_event("", keywords="0x8010000000000000"), ""),
    "critical": (_event("", 1, channel="System"), ""),
    "error": (_event("", 2, channel="System"), ""),
    "warning": (_event("", 3, channel="System"), ""),
    "information": (_event("", 4, channel="System"), ""),
    "verbose": (_event("", 5, channel="System"), ""),
    "unnamed data": (_event("<EventData><Data>a</Data><Data></Data><Binary>00FF</Binary></EventData>"), "x"),
    "values that need both escapings": (
        _event('<EventData><Data Name="n">"]\\ \u00e4 \u0085 \u202e</Data></EventData>'),
        "\u00e4 \u0085 \\",
    ),
    "user data": (
        _event("<UserData><LogFileCleared><SubjectUserName>amy</SubjectUserName></LogFileCleared></UserData>"),
        "",
    ),
    "no XML": ("<Event><System>\x1b[31m", "words that nobody needs"),
}


def good(escape: Escape) -> list[Vector]:
    """One vector for each rule of each source, and for what is on both sides of it."""
    writer = Writer(escape)
    made = {
        "journal": {name: writer.journal(*given) for name, given in ENTRIES.items()},
        "kernel": {name: writer.kernel(*given) for name, given in RECORDS.items()},
        "syslog": {name: writer.syslog(*given) for name, given in MESSAGES.items()},
        "command": {name: writer.command(*given) for name, given in COMMANDS.items()},
        "own": {name: writer.own(*given) for name, given in OWN.items()},
        "event": {name: writer.event(*given) for name, given in EVENTS.items()},
    }
    return [{"what": what, "name": name} | vector for what, found in made.items() for name, vector in found.items()]
