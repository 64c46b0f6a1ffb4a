"""What `ratchet` and `births` hold: the keys of now, and how far they reach (docs/spec/keystate.md)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from logchain.format.errors import FormatError, UsageError
from logchain.format.limits import (
    MAX_BIRTHS,
    MAX_NUMBER,
    MAX_SEGMENT,
    MAX_SEGMENT_RECORDS,
    MAX_TIME,
)
from logchain.format.names import check_stream, check_vm
from logchain.format.slots import newest

__all__ = [
    "BIRTHS_MAGIC",
    "BROKEN",
    "NO_KEY",
    "NO_SESSION",
    "RATCHET_MAGIC",
    "BirthState",
    "KeyState",
    "Status",
    "format_births",
    "format_keystate",
    "parse_births",
    "parse_keystate",
    "read_births",
    "read_ratchet",
]

RATCHET_MAGIC, BIRTHS_MAGIC = b"lcratch1", b"lcbirth1"
NO_KEY, NO_SESSION = bytes(32), bytes(8)

_KEYSTATE = Struct("<8Q16s32s32s32s8s128s")
_RESUME = Struct("<8sQ")


class Status(IntEnum):
    """How a stream's last segment stands, and so what the next one has to say."""

    CLOSED = 0
    OPEN = 1
    GIVEN_UP = 2  # a write failed; the segment ends where it was durable
    LOST_KEYS = 3  # a new birth: there was no valid key state
    LOST_ID = 4  # a new birth: the stream's id was gone or not its own
    LOST_TEXT = 5  # a new birth: what the key state says is durable was not there
    RESTORED = 6  # a new birth: the store came back from a backup


# the reason that the next segment's `broken` note gives where something was lost
BROKEN = {Status.LOST_KEYS: "keys", Status.LOST_ID: "id", Status.LOST_TEXT: "text"}


class KeyState(NamedTuple):
    """The body of `ratchet`: one stream's position and keys."""

    birth: int
    segment: int  # the current or last one; 0 before the first
    status: Status
    opened: int  # CLOCK_BOOTTIME when it was, µs
    first: int  # number of its first record in the stream
    records: int  # of it that are committed
    end: int  # bytes of its text that are committed
    time: int  # of the last record, µs since 1970
    boot: bytes  # the boot it was opened in
    tag: bytes  # of the last record
    key: bytes  # K of the next record
    next: bytes  # R of the next segment
    session: bytes  # that is connected
    resume: tuple[tuple[bytes, int], ...]  # sessions and their durable lines, newest first

    @property
    def next_number(self) -> int:
        """The number that the stream's next record gets."""
        return self.first + self.records

    @property
    def bounds_segment(self) -> bool:
        """Whether its segment ends where `end` and `records` say, and not where its files do."""
        return self.status in (Status.OPEN, Status.GIVEN_UP) or (self.status == Status.RESTORED and self.key != NO_KEY)

    @property
    def is_newborn(self) -> bool:
        """Whether the next segment is the first under its birth."""
        return self.status in BROKEN or self.status == Status.RESTORED or not self.segment


def format_keystate(state: KeyState) -> bytes:
    """Return the 312 bytes of the body."""
    resume = b"".join(_RESUME.pack(session, lines) for session, lines in state.resume)
    return _KEYSTATE.pack(*state[:-1], resume)


def parse_keystate(body: bytes) -> KeyState:
    """Return the key state, or raise FormatError where the body breaks a rule of the page."""
    if len(body) != _KEYSTATE.size:
        raise FormatError("a key state of the wrong length")
    *fields, table = _KEYSTATE.unpack(body)
    resume = tuple((session, lines) for session, lines in _RESUME.iter_unpack(table) if session != NO_SESSION)
    state = KeyState._make([*fields, resume])
    if (
        not 1 <= state.birth <= MAX_BIRTHS
        or state.segment > MAX_SEGMENT
        or state.records > MAX_SEGMENT_RECORDS
        or state.time > MAX_TIME
        or max(state.opened, state.first, state.end, *(lines for _, lines in resume)) > MAX_NUMBER
    ):
        raise FormatError("a key state with a number out of range")
    if state.status not in list(Status):
        raise FormatError("a key state with an unknown status")
    if len(dict(resume)) != len(resume):
        raise FormatError("a key state with a session twice")
    if state.bounds_segment != (state.key != NO_KEY):
        raise FormatError("a key state whose key does not fit its status")
    if state.status == Status.RESTORED and not state.segment:
        raise FormatError("a key state of a stream that came back without a segment")
    if state.bounds_segment and not (state.segment and state.records and state.end):
        raise FormatError("a key state of a segment without its first record")
    if format_keystate(state) != body:
        raise FormatError("a key state that is not canonical")
    return state._replace(status=Status(state.status))


def read_ratchet(data: bytes) -> KeyState:
    """Return the key state that the file `ratchet` holds, or raise FormatError."""
    return parse_keystate(newest(RATCHET_MAGIC, data).body)


class BirthState(NamedTuple):
    """The body of `births`: the next birth's number and secret, and to which stream it is being given."""

    birth: int
    secret: bytes
    pending: tuple[str, str] | None = None


def format_births(state: BirthState) -> bytes:
    """Return the body."""
    names = b"".join(bytes([len(name)]) + name.encode() for name in state.pending or ("", ""))
    return state.birth.to_bytes(8, "little") + state.secret + names


def parse_births(body: bytes) -> BirthState:
    """Return the birth state, or raise FormatError."""
    birth, secret, rest = int.from_bytes(body[:8], "little"), body[8:40], body[40:]
    try:
        vm = rest[1 : 1 + rest[0]].decode("ascii")
        stream = rest[2 + len(vm) :].decode("ascii")
        pending = (check_vm(vm), check_stream(stream)) if vm or stream else None
    except (IndexError, UnicodeDecodeError, UsageError) as error:
        raise FormatError("a birth state with bad names") from error
    state = BirthState(birth, secret, pending)
    if not 1 <= birth <= MAX_BIRTHS + (pending is None) or format_births(state) != body:
        raise FormatError("a birth state that is not canonical")
    return state


def read_births(data: bytes) -> BirthState:
    """Return the birth state that the file `births` holds, or raise FormatError."""
    return parse_births(newest(BIRTHS_MAGIC, data).body)
