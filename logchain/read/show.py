"""What `logchain show` does: reads the streams that are wanted, filters, and merges them by time, from either end."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Generic, Protocol, TypeVar

from logchain.format.errors import FormatError
from logchain.format.limits import TIME_SIZE
from logchain.format.record import format_time
from logchain.read.changes import Changes
from logchain.read.entries import Entry, Item, Kind, Run, StreamReader
from logchain.read.extents import Extents
from logchain.read.grep import Pattern
from logchain.read.merge import Batch, Source, merge
from logchain.read.selection import Selection
from logchain.read.view import View
from logchain.store.layout import Directory

__all__ = ["AsEntries", "Maker", "Show", "select"]

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_POLL = 0.04  # s between looks for what is new
_BATCH = 512  # things that are merged in one go, at least
_WINDOW = 20_000  # records, about, that are held to be shown from their end

_OTHER, _WANTED, _GAP = 0, 1, 2  # what a thing is, where that matters behind the merge


class Maker(Protocol[T_co]):
    """Makes things of what is read: a format, but for what it does behind the merge."""

    def run(self, run: Run, lines: Sequence[bytes], numbers: Sequence[int]) -> Sequence[T_co]:
        """Return a thing for each of these records of a run, and their numbers; FormatError where one is none."""

    def entry(self, entry: Entry) -> T_co | None:
        """Return the thing that an entry is, None where it is to be left out."""


class Show(Generic[T]):
    """One look at a store. `gaps` counts what could not be read; a None between things stands for lines left out."""

    def __init__(self, view: View, selection: Selection, maker: Maker[T]) -> None:
        self._view, self._selection, self._maker = view, selection, maker
        self.gaps = 0

    def all(self) -> Iterator[Sequence[T | None]]:
        """Yield what is selected, in its order."""
        wanted = self._selection
        if wanted.before or wanted.after:
            yield from self._in_context()
        elif wanted.reverse:
            yield from self._newest_first(wanted)
        elif wanted.last is not None:
            yield from reversed([part[::-1] for part in self._newest_first(wanted)])
        else:
            yield from self._merged(wanted, self._maker)

    def follow(self) -> Iterator[Sequence[T]]:
        """Yield what is selected, then what is committed from then on, for ever; an empty list behind each look."""
        wanted, changes = self._selection, Changes(self._view.store)
        begin = wanted.since
        if wanted.last is not None:
            begin = max(begin, Extents(self._view, wanted).back(wanted.until, max(1, wanted.last)))
        readers: dict[tuple[str, str], StreamReader] = {}
        is_first = True
        while True:
            names = [name for name in changes.changed() if wanted.has(*name)]
            for name in set(names) - readers.keys():
                readers[name] = self._reader(name, wanted, begin if is_first else wanted.since)
            fresh = [readers[name] for name in names]
            if is_first and wanted.last is not None:
                yield from self._last(fresh, begin)
            else:
                yield from merge([self._source(reader.read, wanted, self._maker) for reader in fresh])
            is_first = False
            yield []
            time.sleep(_POLL)

    def _last(self, readers: list[StreamReader], begin: int) -> Iterator[Sequence[T]]:
        """Yield the last lines up to now, as many as are wanted; `begin` is where the readers do, if that is enough."""
        maker = _Tagging(self._maker)
        merged = merge([self._source(reader.read, self._selection, maker) for reader in readers])
        taken, left = _take_newest(list(chain.from_iterable(merged)), self._selection.last)
        if left and begin > self._selection.since:
            older = self._selection._replace(until=begin - 1, last=left)
            yield from reversed([part[::-1] for part in self._newest_first(older)])
        yield taken[::-1]

    def _newest_first(self, wanted: Selection) -> Iterator[list[T]]:
        """Yield what is selected backwards: windows of time, from the newest on, each read forward and turned round."""
        extents, until, left = Extents(self._view, wanted), wanted.until, wanted.last
        count = _WINDOW if left is None or wanted.pattern else max(1, left)
        while left is None or left > 0:
            since = max(wanted.since, extents.back(until, count))
            window = wanted._replace(since=since, until=until)
            taken, left = _take_newest(list(chain.from_iterable(self._merged(window, _Tagging(self._maker)))), left)
            yield taken
            if since <= wanted.since:
                return
            until, count = since - 1, max(count, min(2 * count, _WINDOW))

    def _in_context(self) -> Iterator[Sequence[T | None]]:
        """Yield the lines that match, and those around them, whatever stream they are of."""
        wanted = self._selection
        everything = wanted._replace(pattern=None)
        before: deque[T] = deque(maxlen=wanted.before)
        after, is_first, is_apart = 0, True, False
        for things in self._merged(everything, _Tagging(self._maker, wanted.pattern)):
            shown: list[T | None] = []
            for tag, thing in things:
                if tag != _OTHER:
                    shown += [None] if is_apart and not is_first else []
                    shown += [*before, thing]
                    before.clear()
                    after, is_first, is_apart = wanted.after, False, False
                elif after:
                    shown.append(thing)
                    after -= 1
                else:
                    is_apart = is_apart or len(before) == wanted.before
                    before.append(thing)
            yield shown

    def _merged(self, wanted: Selection, maker: Maker[S]) -> Iterator[list[S]]:
        sources = []
        for name in wanted.names(self._view.store):
            reader = self._reader(name, wanted, wanted.since)
            sources.append(self._source(partial(_whole, reader), wanted, maker)._replace(begins=reader.begins()))
        return merge(sources)

    def _reader(self, name: tuple[str, str], wanted: Selection, since: int) -> StreamReader:
        return StreamReader(self._view, *name, since, wanted.until, wanted.boot)

    def _source(self, read: Callable[[], Iterator[Item]], wanted: Selection, maker: Maker[S]) -> Source[S]:
        return Source(b"", lambda: self._batches(read(), wanted, maker))

    def _batches(self, items: Iterator[Item], wanted: Selection, maker: Maker[S]) -> Iterator[Batch[S]]:
        """Filter what a stream gives, and make things of it."""
        times: list[bytes] = []
        things: list[S] = []
        for item in items:
            if isinstance(item, Run):
                run, found = _grep(item, wanted.pattern) if wanted.pattern else (item, None)
                lines = run.untrusted_text.split(b"\n")[:-1]
                try:
                    made = maker.run(run, lines, found or range(run.number, run.number + len(lines)))
                except FormatError as error:
                    gap = f"{len(lines)} records from {run.number} on cannot be shown: {error}"
                    item = Entry(0, run.vm, run.stream, run.number, Kind.GAP, gap.encode())
                else:
                    if times and lines and lines[0][:TIME_SIZE] < times[-1]:  # a clock was set back: order is by number
                        yield Batch(times, things)
                        times, things = [], []
                    times += [line[:TIME_SIZE] for line in lines]
                    things += made
            if isinstance(item, Entry) and wanted.wants(item):
                self.gaps += item.kind == Kind.GAP
                thing = maker.entry(item)
                if thing is not None:
                    times.append(max(format_time(item.time), times[-1] if times else b""))
                    things.append(thing)
            if len(times) >= _BATCH:
                yield Batch(times, things)
                times, things = [], []
        if times:
            yield Batch(times, things)


class _Tagging(Generic[T]):
    """Makes the things of another maker, and says of each whether it is wanted for itself, or a gap."""

    def __init__(self, maker: Maker[T], pattern: Pattern | None = None) -> None:
        self._maker, self._pattern = maker, pattern

    def run(self, run: Run, lines: Sequence[bytes], numbers: Sequence[int]) -> list[tuple[int, T]]:
        flags = self._pattern.flags(lines) if self._pattern else [_WANTED] * len(lines)
        return list(zip(flags, self._maker.run(run, lines, numbers), strict=True))

    def entry(self, entry: Entry) -> tuple[int, T] | None:
        thing = self._maker.entry(entry)
        if thing is None:
            return None
        if entry.kind == Kind.GAP:
            return _GAP, thing
        is_wanted = not self._pattern or (entry.kind != Kind.NOTE and self._pattern.matches(entry.untrusted_payload))
        return (_WANTED if is_wanted else _OTHER), thing


class AsEntries:
    """Makes entries of runs."""

    def run(self, run: Run, lines: Sequence[bytes], numbers: Sequence[int]) -> list[Entry]:  # noqa: ARG002 (Maker's)
        """Return the entries."""
        return [entry._replace(number=number) for number, entry in zip(numbers, run.entries(), strict=True)]

    def entry(self, entry: Entry) -> Entry:
        """Return the entry."""
        return entry


def select(store: Directory, selection: Selection, view: View | None = None) -> Iterator[Entry]:
    """Yield what is selected, entry by entry."""
    for entries in Show(view or View(store), selection, AsEntries()).all():
        yield from (entry for entry in entries if entry)


def _whole(reader: StreamReader) -> Iterator[Item]:
    yield from reader.read()
    yield from reader.finish()


def _grep(run: Run, pattern: Pattern) -> tuple[Run, Sequence[int]]:
    """Return a run of the lines that match, and their numbers in the stream."""
    text = run.untrusted_text
    parts, numbers, number, place = [], [], run.number, 0
    for begin, end in pattern.find(text):
        number += text.count(b"\n", place, begin)
        place = begin
        numbers.append(number)
        parts.append(text[begin:end])
    return run._replace(untrusted_text=b"".join(parts)), numbers


def _take_newest(things: list[tuple[int, T]], left: int | None) -> tuple[list[T], int | None]:
    """Return the newest, newest first, as many as are left to take, and how many then are; gaps do not count."""
    taken = []
    for tag, thing in reversed(things):
        if tag == _GAP or left is None or left > 0:
            taken.append(thing)
            left = left - 1 if left and tag != _GAP else left
    return taken, left
