"""Records and notes, the lines of a `.log` file (docs/spec/record.md)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_NOTE, MAX_NUMBER, MAX_RECORD, MAX_TIME, PREFIX

__all__ = [
    "LINE",
    "NOTE",
    "PART",
    "Note",
    "Record",
    "format_note",
    "format_time",
    "parse_note",
    "parse_record",
    "parse_time",
]

LINE, PART, NOTE = b"-", b"+", b"#"

_KINDS = {b" %s " % kind: kind for kind in (LINE, PART, NOTE)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# one form for each time: fromisoformat takes no other day, minute or second, but from Python 3.14 on it takes hour 24
_TIME = re.compile(rb"\A\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z\Z")
_EVENT = re.compile(r"\A[a-z][a-z-]*\Z")
_NUMBER = re.compile(r"\A(0|[1-9][0-9]{0,18})\Z")
_VALUE = re.compile(r"\A[A-Za-z0-9_.,:+/@-]+\Z")


class Record(NamedTuple):
    """One record: receive time in µs since 1970, kind (LINE, PART, NOTE), payload."""

    time: int
    kind: bytes
    payload: bytes


class Note(NamedTuple):
    """The payload of a NOTE record: what happened, and its fields in order."""

    event: str
    fields: dict[str, str]

    def number(self, key: str) -> int:
        """Return a field that has to be a number, or raise FormatError."""
        text = self.fields.get(key, "")
        if not _NUMBER.match(text) or int(text) > MAX_NUMBER:
            raise FormatError(f"a {self.event} note without a number for {key}")
        return int(text)


def format_time(time: int) -> bytes:
    """Return 27 bytes for µs since 1970, 0 to MAX_TIME."""
    if not 0 <= time <= MAX_TIME:
        raise FormatError("a time outside the years 1970 to 9999")
    # isoformat leaves out a fraction of zero unless told not to
    text = (_EPOCH + timedelta(microseconds=time)).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.encode() + b"Z"


@lru_cache(maxsize=1024)  # the lines of one read share one time
def parse_time(text: bytes) -> int:
    """Return µs since 1970 of 27 bytes, or raise FormatError."""
    if not _TIME.match(text):
        raise FormatError("not a receive time")
    try:
        moment = datetime.fromisoformat(text.decode())
    except ValueError as error:
        raise FormatError("a receive time that does not exist") from error
    time = (moment - _EPOCH) // _MICROSECOND
    if time < 0:
        raise FormatError("a receive time that does not exist")
    return time


def parse_record(line: bytes) -> Record:
    """Take a record apart, given without its newline, or raise FormatError."""
    if not PREFIX <= len(line) <= MAX_RECORD:
        raise FormatError("a record too short or too long")
    kind = _KINDS.get(line[27:PREFIX])
    if kind is None:
        raise FormatError("a record without a kind")
    payload = line[PREFIX:]
    if b"\n" in payload:
        raise FormatError("a record with a newline in it")
    if kind == PART and not payload:
        raise FormatError("an empty part")
    if kind == NOTE:
        parse_note(payload)
    return Record(parse_time(line[:27]), kind, payload)


def format_note(event: str, **fields: str | int) -> bytes:
    """Return a note's payload; `_` in a field's name becomes `-`. FormatError on what parse_note refuses."""
    words = [event, *(f"{key.replace('_', '-')}={value}" for key, value in fields.items())]
    payload = " ".join(words).encode()
    parse_note(payload)
    return payload


def parse_note(payload: bytes) -> Note:
    """Take a note's payload apart, or raise FormatError."""
    if len(payload) > MAX_NOTE or not payload.isascii():
        raise FormatError("a note too long, or not ASCII")
    event, *words = payload.decode().split(" ")
    fields: dict[str, str] = {}
    for word in words:
        key, _, value = word.partition("=")
        if not _EVENT.match(key) or not _VALUE.match(value) or key in fields:
            raise FormatError("a note with a bad field")
        fields[key] = value
    if not _EVENT.match(event):
        raise FormatError("a note without an event")
    return Note(event, fields)
