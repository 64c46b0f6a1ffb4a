"""catalog.sqlite: its tables, and what their rows may say (docs/spec/catalog.md)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from logchain.format.errors import FormatError, UsageError
from logchain.format.limits import MAX_NUMBER, MAX_SEGMENT, MAX_TIME
from logchain.format.names import check_stream, check_vm

__all__ = ["CATALOG_VERSION", "SCHEMA", "SegmentRow", "parse_row"]

CATALOG_VERSION = 2  # PRAGMA user_version

_SEGMENTS = (
    "CREATE TABLE segments (vm TEXT, stream TEXT, segment INTEGER, tier TEXT, room INTEGER, records INTEGER, "
    "first INTEGER, size INTEGER, first_time INTEGER, last_time INTEGER, age INTEGER, changed INTEGER, "
    "PRIMARY KEY (vm, stream, segment)) WITHOUT ROWID"
)
_ACTIVITY = (
    "CREATE TABLE activity (vm TEXT, stream TEXT, segment INTEGER, told TEXT, "
    "PRIMARY KEY (vm, stream, segment)) WITHOUT ROWID"
)
SCHEMA = (  # as sqlite_master has it, sorted; with anything else in it a file is no catalog
    _ACTIVITY,
    _SEGMENTS,
    "CREATE TABLE state (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE streams (vm TEXT, stream TEXT, changed INTEGER, PRIMARY KEY (vm, stream)) WITHOUT ROWID",
)


class SegmentRow(NamedTuple):
    """A sealed segment, as its manifest and its files say it."""

    vm: str
    stream: str
    segment: int
    tier: str  # what its text's name ends with
    room: int  # bytes on the disk, text and manifest
    records: int
    first: int  # number of its first record in the stream
    size: int  # bytes of its text
    first_time: int  # µs since 1970
    last_time: int
    age: int  # running time of the LogVM when it was sealed, s
    changed: int  # when its manifest's file was, ns since 1970


def parse_row(values: Sequence[Any]) -> SegmentRow:
    """Return a row of `segments`, or raise FormatError: SQLite takes any type and any number."""
    if [type(value) for value in values] != [str, str, int, str, *[int] * 8]:
        raise FormatError("a catalog with a value of another type")
    row = SegmentRow._make(values)
    try:
        check_vm(row.vm)
        check_stream(row.stream)
    except UsageError as error:
        raise FormatError("a catalog with a bad name") from error
    if row.tier not in ("", ".lz4", ".xz") or not 1 <= row.segment <= MAX_SEGMENT:
        raise FormatError("a catalog with an impossible segment")
    if min(row[4:]) < 0 or max(row[4:]) > MAX_NUMBER or max(row.first_time, row.last_time) > MAX_TIME:
        raise FormatError("a catalog with a number out of range")
    return row
