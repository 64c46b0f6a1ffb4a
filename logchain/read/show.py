"""Selects and formats what `logchain show` prints."""

import base64
import heapq
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import NamedTuple

from logchain.format.limits import MAX_TIME
from logchain.format.record import format_time, parse_note
from logchain.read.display import escape
from logchain.read.entries import Entry, Kind, StreamReader
from logchain.read.gone import Gone
from logchain.read.segments import all_streams
from logchain.read.times import format_local
from logchain.store.layout import Directory

__all__ = ["FORMATS", "Selection", "follow", "select"]

_POLL = 0.1  # s between looks at the key states
_MUNDANE = ("segment", "session-start", "session-end", "end")  # notes that tell of nothing unusual


_SIGNS = {Kind.LINE: ":", Kind.PIECE: "+", Kind.CUT: "+", Kind.RESENT: "+", Kind.NOTE: "#", Kind.GAP: "!"}


class Selection(NamedTuple):
    """What to show. Times in µs since 1970, both included; no names mean all."""

    vms: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    since: int = 0
    until: int = MAX_TIME
    pattern: re.Pattern[bytes] | None = None
    last: int | None = None
    notes: bool = False


def select(store: Directory, selection: Selection) -> Iterator[Entry]:
    """Yield what is selected, of all streams merged by receive time."""
    gone = Gone(store)
    wanted = _wanted((_whole(store, name, selection, gone) for name in _names(store, selection)), selection)
    return wanted if selection.last is None else iter(deque(wanted, maxlen=selection.last))


def follow(store: Directory, selection: Selection) -> Iterator[Entry]:
    """Yield what is selected, then what is committed from then on, for ever."""
    readers: dict[tuple[str, str], StreamReader] = {}
    gone = Gone(store)
    last = selection.last
    while True:
        for name in _names(store, selection):
            if name not in readers:
                readers[name] = StreamReader(store, *name, selection.since, selection.until, gone)
        wanted = _wanted((reader.read() for reader in readers.values()), selection)
        yield from wanted if last is None else deque(wanted, maxlen=last)
        last = None
        time.sleep(_POLL)


def _names(store: Directory, selection: Selection) -> Iterator[tuple[str, str]]:
    for vm, stream in all_streams(store):
        if (not selection.vms or vm in selection.vms) and (not selection.streams or stream in selection.streams):
            yield vm, stream


def _whole(store: Directory, name: tuple[str, str], selection: Selection, gone: Gone) -> Iterator[Entry]:
    reader = StreamReader(store, *name, selection.since, selection.until, gone)
    yield from reader.read()
    yield from reader.finish()


def _wanted(entries: Iterable[Iterator[Entry]], selection: Selection) -> Iterator[Entry]:
    for entry in heapq.merge(*entries, key=lambda entry: entry.time):
        if entry.kind == Kind.GAP:
            yield entry
        elif not selection.since <= entry.time <= selection.until:
            continue
        elif entry.kind == Kind.NOTE:
            telling = selection.notes or parse_note(entry.untrusted_payload).event not in _MUNDANE
            if telling and not selection.pattern:
                yield entry
        elif not selection.pattern or selection.pattern.search(entry.untrusted_payload):
            yield entry


def _short(entries: Iterable[Entry], zone: tzinfo | None) -> Iterator[bytes]:
    """One line an entry, safe to look at. The sign behind the stream tells what it is: no sender can forge it."""
    for entry in entries:
        when, where = format_local(entry.time, zone), f"{entry.vm}/{entry.stream}"
        yield f"{when} {where}{_SIGNS[entry.kind]} {escape(entry.untrusted_payload)}\n".encode()


def _raw(entries: Iterable[Entry], _: tzinfo | None) -> Iterator[bytes]:
    """The bytes of the lines as they were received; a cut line has no newline unless something follows it."""
    owed = b""
    for kind, payload in ((entry.kind, entry.untrusted_payload) for entry in entries):
        if kind in (Kind.LINE, Kind.PIECE, Kind.CUT):
            yield owed + payload
            owed = b"\n" if kind == Kind.CUT else b""
            if kind == Kind.LINE:
                yield b"\n"


def _json(entries: Iterable[Entry], _: tzinfo | None) -> Iterator[bytes]:
    """One JSON object an entry, ASCII; bytes that are not UTF-8 come as `message_base64` instead of `message`."""
    for entry in entries:
        shown: dict[str, str | int] = {
            "time": format_time(entry.time).decode(),
            "vm": entry.vm,
            "stream": entry.stream,
            "number": entry.number,
            "kind": entry.kind.value,
        }
        try:
            shown["message"] = entry.untrusted_payload.decode()
        except UnicodeDecodeError:
            shown["message_base64"] = base64.b64encode(entry.untrusted_payload).decode()
        yield json.dumps(shown).replace("\x7f", "\\u007f").encode() + b"\n"


FORMATS: dict[str, Callable[[Iterable[Entry], tzinfo | None], Iterator[bytes]]] = {
    "short": _short,
    "raw": _raw,
    "json": _json,
}
