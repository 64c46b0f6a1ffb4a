"""The ledger: signed entries of what happened to the store, each signed by the key that the one before names.

docs/spec/ledger.md
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from logchain.format.errors import FormatError, UsageError
from logchain.format.fields import (
    BIRTH,
    DIGEST,
    SEGMENT,
    STORE_ID,
    STREAM_ID,
    TIME,
    Field,
    format_line,
    number,
    one_of,
    parse_line,
)
from logchain.format.limits import MAX_ENTRIES, MAX_ENTRY, MAX_EXPORTED, MAX_HEADS, MAX_SEGMENT
from logchain.format.signed_note import Vkey, format_vkey, open_note, parse_note, parse_vkey

__all__ = [
    "NO_ENTRY",
    "Birth",
    "Broken",
    "Config",
    "Delete",
    "Entry",
    "Event",
    "Evict",
    "Export",
    "Forget",
    "Genesis",
    "Heads",
    "Recover",
    "Restored",
    "Seal",
    "entry_key_name",
    "fingerprint",
    "format_entry",
    "format_fingerprint",
    "is_torn",
    "log_key_name",
    "open_entry",
    "open_genesis",
    "parse_entry",
    "parse_fingerprint",
    "split_entries",
    "unverified_entry",
]

NO_ENTRY = bytes(32)  # before the first

_FIRST = "logchain ledger v1"
_ENTRY_LINES = 10  # eight of text, an empty one, a signature
_FINGERPRINT = re.compile(r"\A[0-9a-f]{64}\Z")


# Events are no tuples, for a seal never equals the deletion of the same segment.


@dataclass(frozen=True)
class Genesis:
    """The first: the key that signs this entry, which a fingerprint is of, and the key that signs checkpoints."""

    key: Vkey
    log: Vkey


@dataclass(frozen=True)
class Birth:
    """A birth was given to a stream; the segment is the first whose key comes from it."""

    birth: int
    stream_id: bytes
    segment: int


@dataclass(frozen=True)
class Heads:
    """A list of open segments: which, as (birth, segment) in order, and SHA-256 of its bytes (docs/spec/heads.md)."""

    segments: tuple[tuple[int, int], ...]
    digest: bytes


@dataclass(frozen=True)
class Seal:
    """A segment was sealed: SHA-256 of its manifest, signature included."""

    stream_id: bytes
    segment: int
    manifest: bytes


@dataclass(frozen=True)
class Evict:
    """A sealed segment had to go: `quota` of its VM, `cap` of the store, `reserve` of the disk."""

    stream_id: bytes
    segment: int
    manifest: bytes
    reason: str


@dataclass(frozen=True)
class Recover:
    """A torn end was cut off a segment (`torn`), or it was given up after a failed write (`io`)."""

    stream_id: bytes
    segment: int
    reason: str


@dataclass(frozen=True)
class Broken:
    """A stream begins anew after this segment, for its `keys`, `id` or `text` were lost."""

    stream_id: bytes
    segment: int
    reason: str


@dataclass(frozen=True)
class Delete:
    """A person had a sealed segment deleted."""

    stream_id: bytes
    segment: int
    manifest: bytes


@dataclass(frozen=True)
class Forget:
    """A person had a whole stream forgotten, up to this segment, 0 where it had none."""

    stream_id: bytes
    segment: int


@dataclass(frozen=True)
class Restored:
    """The store came back from a backup; streams begin anew with this birth."""

    birth: int


@dataclass(frozen=True)
class Config:
    """SHA-256 of the settings' file from now on."""

    digest: bytes


@dataclass(frozen=True)
class Export:
    """A person took lines out: SHA-256 of the evidence file, from when to when (µs since 1970, both included).

    And of which streams: the newest birth of each, in order.
    """

    evidence: bytes
    since: int
    until: int
    births: tuple[int, ...]


Event: TypeAlias = (  # no witness yet
    Genesis | Birth | Heads | Seal | Evict | Recover | Broken | Delete | Forget | Restored | Config | Export
)


def _format_segments(segments: tuple[tuple[int, int], ...]) -> str:
    if not 1 <= len(segments) <= MAX_HEADS or any(one >= after for one, after in pairwise(segments)):
        raise FormatError("segments of a list that are none, too many, or out of order")
    return ",".join(f"{BIRTH.format(birth)}.{SEGMENT.format(segment)}" for birth, segment in segments)


def _parse_segments(text: str) -> tuple[tuple[int, int], ...]:
    segments = []
    for word in text.split(","):
        birth, dot, segment = word.partition(".")
        if not dot:
            raise FormatError("not a birth and a segment")
        segments.append((BIRTH.parse(birth), SEGMENT.parse(segment)))
    return tuple(segments)  # that they are in order, and not too many, shows when the entry is formatted again


def _format_births(births: tuple[int, ...]) -> str:
    if not 1 <= len(births) <= MAX_EXPORTED or any(one >= after for one, after in pairwise(births)):
        raise FormatError("births that are none, too many, or out of order")
    return ",".join(map(BIRTH.format, births))


def _parse_births(text: str) -> tuple[int, ...]:
    return tuple(map(BIRTH.parse, text.split(",")))  # the rest shows when the entry is formatted again


_VKEY = Field(format_vkey, parse_vkey)
_SEGMENTS, _BIRTHS = Field(_format_segments, _parse_segments), Field(_format_births, _parse_births)
_HEAD = {  # in the order of Entry's fields
    "store": (STORE_ID,),
    "index": (number(0, MAX_ENTRIES - 1),),
    "time": (TIME,),
    "age": (number(),),
    "previous": (DIGEST,),
}
_NEXT = {"next": (_VKEY,)}
_EVENTS: dict[str, tuple[Field, ...]] = {
    "genesis": (_VKEY, _VKEY),
    "birth": (BIRTH, STREAM_ID, SEGMENT),
    "heads": (_SEGMENTS, DIGEST),
    "seal": (STREAM_ID, SEGMENT, DIGEST),
    "evict": (STREAM_ID, SEGMENT, DIGEST, one_of("quota", "cap", "reserve")),
    "recover": (STREAM_ID, SEGMENT, one_of("torn", "io")),
    "broken": (STREAM_ID, SEGMENT, one_of("keys", "id", "text")),
    "delete": (STREAM_ID, SEGMENT, DIGEST),
    "forget": (STREAM_ID, number(0, MAX_SEGMENT)),
    "restored": (BIRTH,),
    "config": (DIGEST,),
    "export": (DIGEST, TIME, TIME, _BIRTHS),
}
_CLASSES: dict[str, type[Event]] = {
    "genesis": Genesis,
    "birth": Birth,
    "heads": Heads,
    "seal": Seal,
    "evict": Evict,
    "recover": Recover,
    "broken": Broken,
    "delete": Delete,
    "forget": Forget,
    "restored": Restored,
    "config": Config,
    "export": Export,
}
_WORDS = {found: word for word, found in _CLASSES.items()}


class Entry(NamedTuple):
    """One entry: when (µs since 1970, and running time in s), what happened, and which key signs the next."""

    store_id: bytes
    number: int  # index, from 0
    time: int
    age: int
    previous: bytes  # SHA-256 of the entry before, signature included, or NO_ENTRY
    event: Event
    next: Vkey


def log_key_name(store_id: bytes) -> str:
    """Return the name of the key that signs checkpoints, which is their origin."""
    return f"logchain/{store_id.hex()}"


def entry_key_name(store_id: bytes) -> str:
    """Return the name of the keys that sign entries and manifests."""
    return f"{log_key_name(store_id)}/entry"


def format_entry(entry: Entry) -> bytes:
    """Return the text that is signed, eight lines, or raise FormatError on what parse_entry refuses."""
    event = entry.event
    head = [format_line(_HEAD, word, [value]) for word, value in zip(_HEAD, entry, strict=False)]
    happened = format_line(_EVENTS, _WORDS[type(event)], vars(event).values())
    following = format_line(_NEXT, "next", [entry.next])
    if len({entry.number == 0, entry.previous == NO_ENTRY, isinstance(event, Genesis)}) != 1:
        raise FormatError("a ledger that does not begin with genesis, or does so twice")
    log, signs = log_key_name(entry.store_id), entry_key_name(entry.store_id)
    if entry.next.name != signs:
        raise FormatError("an entry whose next key is another store's")
    if isinstance(event, Export) and event.since > event.until:
        raise FormatError("an export whose range ends before it begins")
    if isinstance(event, Genesis) and (event.key.name, event.log.name) != (signs, log):
        raise FormatError("a genesis whose keys are another store's")
    return "".join([f"{_FIRST}\n", *head, happened, following]).encode()


def parse_entry(text: bytes) -> Entry:
    """Return what an entry's text says, or raise FormatError."""
    if len(text) > MAX_ENTRY or not text.isascii():
        raise FormatError("an entry too long, or not ASCII")
    lines = text.decode().split("\n")
    if len(lines) != _ENTRY_LINES - 1 or lines[0] != _FIRST or lines[-1]:
        raise FormatError("not an entry of a ledger")
    values = [value for word, line in zip(_HEAD, lines[1:], strict=False) for value in parse_line(_HEAD, word, line)]
    word = lines[6].partition(" ")[0]
    if word not in _EVENTS:
        raise FormatError("an entry of an unknown event")
    event = _CLASSES[word](*parse_line(_EVENTS, word, lines[6]))
    entry = Entry._make([*values, event, *parse_line(_NEXT, "next", lines[7])])
    if format_entry(entry) != text:
        raise FormatError("an entry that is not canonical")
    return entry


def open_entry(data: bytes, vkey: Vkey) -> Entry:
    """Return what an entry says that this key signed; FormatError, SignatureError.

    That it follows the one before (index, previous, age, store) is for the caller to see.
    """
    entry = parse_entry(open_note(data, vkey, MAX_ENTRY, most=1))
    if vkey.name != entry_key_name(entry.store_id):
        raise FormatError("an entry of another store")
    return entry


def unverified_entry(data: bytes) -> Entry:
    """Return what an entry says, whoever signed it, or raise FormatError."""
    return parse_entry(parse_note(data, MAX_ENTRY, most=1).text)


def open_genesis(data: bytes) -> tuple[Entry, Genesis]:
    """Return entry 0, signed by the key that it names itself; FormatError, SignatureError.

    Whether that key is the one that a person kept the fingerprint of is for the caller to see.
    """
    event = unverified_entry(data).event
    if not isinstance(event, Genesis):
        raise FormatError("a ledger that does not begin with genesis")
    return open_entry(data, event.key), event


def split_entries(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut `ledger/entries`, or a piece of it from an entry's begin, into entries of ten lines, and what is left.

    What is left is empty, a torn entry, or the begin of one; of MAX_ENTRY bytes or more it is none of these.
    Nothing is checked here.
    """
    lines = data.split(b"\n")
    whole = (len(lines) - 1) // _ENTRY_LINES * _ENTRY_LINES
    if lines[whole:] == [b""] and any(b"\0" in line for line in lines[whole - _ENTRY_LINES : whole]):
        whole -= _ENTRY_LINES  # torn within: one of its sectors was not written
    entries = [b"\n".join([*lines[at : at + _ENTRY_LINES], b""]) for at in range(0, whole, _ENTRY_LINES)]
    return entries, b"\n".join(lines[whole:])


def is_torn(found: bytes, entry: bytes) -> bool:
    """Tell whether this is what a crash leaves of an entry: some of its bytes, all or none, and zeros for the others.

    No entry has a zero in it, so nothing that somebody appended can be taken for it.
    """
    return len(found) <= len(entry) and all(is_ in (0, to_be) for is_, to_be in zip(found, entry, strict=False))


def fingerprint(vkey: Vkey) -> str:
    """Return a store's fingerprint from the key that signs its genesis: 64 hex."""
    return sha256(format_vkey(vkey).encode()).hexdigest()  # SHA-256(vkey, no newline)


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint as a person is shown it: in groups of eight."""
    return " ".join(fingerprint[at : at + 8] for at in range(0, len(fingerprint), 8))


def parse_fingerprint(text: str) -> str:
    """Return the 64 hex of a fingerprint as a person gives it: spaces, hyphens, colons and case are ignored."""
    found = re.sub(r"[ :-]", "", text).lower() if len(text) <= 256 else ""
    if not _FINGERPRINT.match(found):
        raise UsageError("not a fingerprint: 64 digits from 0 to 9 and a to f")
    return found
