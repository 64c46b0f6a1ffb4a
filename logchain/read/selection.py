"""What is wanted of a store: which streams, which times, which lines."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from logchain.format.limits import MAX_TIME
from logchain.format.record import parse_note
from logchain.read.entries import Entry, Kind
from logchain.read.segments import all_streams
from logchain.store.layout import Directory

if TYPE_CHECKING:
    from logchain.read.grep import Pattern

__all__ = ["EVERYTHING", "Selection"]

_MUNDANE = ("segment", "session-start", "session-end", "end")  # notes that tell of nothing unusual


class Selection(NamedTuple):
    """What to show. Times in µs since 1970, both included; names may be patterns as of a shell, none mean all."""

    vms: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    since: int = 0
    until: int = MAX_TIME
    pattern: "Pattern | None" = None
    last: int | None = None  # so many of the newest only
    notes: bool = False
    before: int = 0  # so many before and behind each line that matches the pattern
    after: int = 0
    reverse: bool = False  # the newest first
    boot: str = ""  # only what was received in this boot of the LogVM: its id, 32 hex

    def names(self, store: Directory) -> Iterator[tuple[str, str]]:
        """Yield VM and stream of what is wanted, sorted."""
        return (name for name in all_streams(store) if self.has(*name))

    def has(self, vm: str, stream: str) -> bool:
        """Tell whether a stream is wanted."""
        return _is_one(vm, self.vms) and _is_one(stream, self.streams)

    def wants(self, entry: Entry) -> bool:
        """Tell whether an entry is to be shown; a gap always is."""
        if entry.kind == Kind.GAP:
            return True
        if not self.since <= entry.time <= self.until:
            return False
        if entry.kind == Kind.NOTE:
            return not self.pattern and (self.notes or parse_note(entry.untrusted_payload).event not in _MUNDANE)
        return not self.pattern or self.pattern.matches(entry.untrusted_payload)


EVERYTHING = Selection()


def _is_one(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
