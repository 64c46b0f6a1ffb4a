"""Entries of a journal for tests, and their lines read back as docs/spec/line.md says."""

import re

from hypothesis import strategies as st

from log_exporter.choice import Choice, Names
from log_exporter.line import unescape
from log_exporter.sources.entry import FIELDS, MESSAGE_ID, USER_UNIT, Entries

BYTES = st.binary(max_size=40)
BOOT = bytes(range(16))


def line(values: dict[bytes, bytes], entries: Entries | None = None) -> bytes:
    """Return the line of an entry."""
    entries = entries or Entries("work", Choice(), Names(), 7)
    fields = [values.get(name, b"") for name in FIELDS]
    return entries.line(1795000000123456, 12000345, BOOT, fields, lambda name: values.get(name, b""))


def parsed(text: bytes) -> dict[str, bytes]:
    """Read a line back as docs/spec/line.md says, and nothing else."""
    match = re.fullmatch(
        rb'<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) \[journal@32473((?: [a-z_]+="(?:[^"\\\]]|\\.)*")*)\] (.*)\n', text
    )
    assert match, text
    named = dict(re.findall(rb' ([a-z_]+)="((?:[^"\\\]]|\\.)*)"', match[7]))
    found = {key.decode(): unescape(re.sub(rb'\\(["\\\]])', rb"\1", value)) for key, value in named.items()}
    return found | {
        "pri": match[1],
        "time": match[2],
        "app": match[4],
        "pid": match[5],
        "id": match[6],
        "message": unescape(match[8]),
    }


NAMED = {
    "unit": b"_SYSTEMD_UNIT",
    "transport": b"_TRANSPORT",
    "comm": b"_COMM",
    "uid": b"_UID",
    "exe": b"_EXE",
}
WORD = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=32).map(str.encode)
HEADER = {"app": b"SYSLOG_IDENTIFIER", "pid": b"_PID", "id": MESSAGE_ID}
SOME = {
    b"_TRANSPORT": BYTES | st.sampled_from([b"journal", b"driver", b"kernel", b"stdout"]),
    b"_SYSTEMD_UNIT": BYTES | st.just(b"user@1000.service"),
}
VALUES = st.fixed_dictionaries(
    dict.fromkeys(NAMED.values(), BYTES) | {b"MESSAGE": BYTES} | SOME,
    optional=dict.fromkeys(HEADER.values(), WORD)
    | {
        b"PRIORITY": st.sampled_from([b"%d" % number for number in range(8)]),
        b"SYSLOG_FACILITY": st.sampled_from([b"%d" % number for number in range(24)]),
        USER_UNIT: BYTES,
        b"OTHER": BYTES,
    },
)


def is_line_of(text: bytes, values: dict[bytes, bytes]) -> None:
    """All that the entry has, and the page names, is in its line."""
    assert text.count(b"\n") == 1
    text.decode()
    found = parsed(text)
    assert found["message"] == values[b"MESSAGE"]
    assert {name: found.get(name, b"") for name in NAMED} == {name: values[field] for name, field in NAMED.items()}
    of_user = values.get(USER_UNIT, b"") if values[b"_SYSTEMD_UNIT"].startswith(b"user@") else b""
    assert found.get("user_unit", b"") == of_user
    facility = int(values.get(b"SYSLOG_FACILITY", b"0" if values[b"_TRANSPORT"] == b"kernel" else b"1"))
    assert found["pri"] == b"%d" % (facility * 8 + int(values.get(b"PRIORITY", b"6")))
    assert found["pid"] == values.get(b"_PID", b"-")
    assert found["id"] == (values.get(MESSAGE_ID, b"-") if values[b"_TRANSPORT"] in (b"journal", b"driver") else b"-")
    if b"SYSLOG_IDENTIFIER" in values:
        assert found["app"] == values[b"SYSLOG_IDENTIFIER"]
