"""What `logchain show` does: reads the streams that are wanted, filters, and merges them by time, from either end."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from logchain.format.errors import FormatError
from logchain.format.record import format_time
from logchain.read.changes import Changes
from logchain.read.entries import Entry, Item, Kind, Run, StreamReader
from logchain.read.extents import Extents
from logchain.read.merge import Batch, Source, merge
from logchain.read.selection import Selection
from logchain.read.view import View
from logchain.store.layout import Directory

if TYPE_CHECKING:
    from logchain.read.grep import Pattern

__all__ = ["AsEntries", "Maker", "Show", "select"]

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_POLL = 0.04  # s between looks for what is new
_BATCH = 512  # things that are merged in one go, at least
_WINDOW = 20_000  # records, about, that are held to be shown from their end

_HEAD = b" - "  # what is between time and payload of a line
_OTHER, _WANTED, _GAP = 0, 1, 2  # what a thing is, where that matters behind the merge


class Maker(Protocol[T_co]):
    """Makes things of what is read: a format, but for what it does behind the merge."""

    def run(self, run: Run) -> Sequence[T_co]:
        """Return a thing for each record of a run; FormatError where one is none."""

    def entry(self, entry: Entry) -> T_co | None:
        """Return the thing that an entry is, None where it is to be left out."""


class Show(Generic[T]):
    """One look at a store; `gaps` counts what could not be read."""

    def __init__(self, view: View, selection: Selection, maker: Maker[T]) -> None:
        self._view, self._selection, self._maker = view, selection, maker
        self.gaps = 0

    def all(self) -> Iterator[Sequence[T]]:
        """Yield what is selected, in its order; nothing where lines around a match are left out."""
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
                yield from self._new(fresh, self._maker)
            is_first = False
            yield []
            time.sleep(_POLL)

    def _new(self, readers: list[StreamReader], maker: Maker[S]) -> Iterator[list[S]]:
        """Yield what these have not yet given."""
        return merge([Source(b"", partial(self._batches, reader.read(), self._selection, maker)) for reader in readers])

    def _last(self, readers: list[StreamReader], begin: int) -> Iterator[Sequence[T]]:
        """Yield the last lines up to now, as many as are wanted; `begin` is where the readers do, if that is enough."""
        maker = _Tagging(self._maker)
        taken, left = _take_newest(list(chain.from_iterable(self._new(readers, maker))), self._selection.last)
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
            self._view.marked.clear()  # what is newer was read before: each window is marked for itself
            taken, left = _take_newest(list(chain.from_iterable(self._merged(window, _Tagging(self._maker)))), left)
            if taken:
                yield taken
            if since <= wanted.since:
                return
            until, count = since - 1, max(count, min(2 * count, _WINDOW))

    def _in_context(self) -> Iterator[Sequence[T]]:
        """Yield the lines that match, and those around them, whatever stream they are of."""
        wanted = self._selection
        everything = wanted._replace(pattern=None)
        before: deque[T] = deque(maxlen=wanted.before)
        after, is_first, is_apart = 0, True, False
        for things in self._merged(everything, _Tagging(self._maker, wanted.pattern)):
            shown: list[T] = []
            for tag, thing in things:
                if tag != _OTHER:
                    if is_apart and not is_first:
                        yield from [shown, []] if shown else [[]]
                        shown = []
                    shown += [*before, thing]
                    before.clear()
                    after, is_first, is_apart = wanted.after, False, False
                elif after:
                    shown.append(thing)
                    after -= 1
                else:
                    is_apart = is_apart or len(before) == wanted.before
                    before.append(thing)
            if shown:
                yield shown

    def _merged(self, wanted: Selection, maker: Maker[S]) -> Iterator[Sequence[S]]:
        readers = [self._reader(name, wanted, wanted.since) for name in wanted.names(self._view.store)]
        if len(readers) == 1:
            return (things for _, things in self._things(_whole(readers[0]), wanted, maker) if things)
        return merge(
            [Source(reader.begins(), partial(self._batches, _whole(reader), wanted, maker)) for reader in readers]
        )

    def _reader(self, name: tuple[str, str], wanted: Selection, since: int) -> StreamReader:
        return StreamReader(self._view, *name, since, wanted.until, wanted.boot)

    def _batches(self, items: Iterator[Item], wanted: Selection, maker: Maker[S]) -> Iterator[Batch[S]]:
        """Yield things of what a stream gives, with their times."""
        times: list[bytes] = []
        things: list[S] = []
        last = b""
        for item, made in self._things(items, wanted, maker):
            heads = [format_time(item.time) + _HEAD] if isinstance(item, Entry) else item.heads
            if heads[0] < last:  # a clock was set back: number goes first
                heads = [max(head, last) for head in heads]
            times += heads
            things += made
            last = times[-1]
            if len(times) >= _BATCH:
                yield Batch(times, things)
                times, things = [], []
        if times:
            yield Batch(times, things)

    def _things(self, items: Iterator[Item], wanted: Selection, maker: Maker[S]) -> Iterator[tuple[Item, Sequence[S]]]:
        """Filter what a stream gives, and yield it with the things that it makes."""
        for item in items:
            if isinstance(item, Run):
                run = _grep(item, wanted.pattern) if wanted.pattern else item
                try:
                    if run.untrusted_lines:
                        yield run, maker.run(run)
                    continue
                except FormatError as error:
                    gap = f"{len(run.numbers)} records from {run.numbers[0]} on cannot be shown: {error}"
                    item = Entry(0, run.vm, run.stream, run.numbers[0], Kind.GAP, gap.encode())
            if wanted.wants(item):
                self.gaps += item.kind == Kind.GAP
                thing = maker.entry(item)
                if thing is not None:
                    yield item, [thing]


class _Tagging(Generic[T]):
    """Makes the things of another maker, and says of each whether it is wanted for itself, or a gap."""

    def __init__(self, maker: Maker[T], pattern: "Pattern | None" = None) -> None:
        self._maker, self._pattern = maker, pattern

    def run(self, run: Run) -> list[tuple[int, T]]:
        lines = run.untrusted_lines
        flags = self._pattern.flags(lines) if self._pattern else [_WANTED] * len(lines)
        return list(zip(flags, self._maker.run(run), strict=True))

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

    def run(self, run: Run) -> list[Entry]:
        """Return the entries."""
        return list(run.entries())

    def entry(self, entry: Entry) -> Entry:
        """Return the entry."""
        return entry


def select(store: Directory, selection: Selection, view: View | None = None) -> Iterator[Entry]:
    """Yield what is selected, entry by entry."""
    for entries in Show(view or View(store), selection, AsEntries()).all():
        yield from entries


def _whole(reader: StreamReader) -> Iterator[Item]:
    yield from reader.read()
    yield from reader.finish()


def _grep(run: Run, pattern: "Pattern") -> Run:
    """Return a run of the lines that match."""
    text = run.untrusted_text
    places, index, place = [], 0, 0
    for begin, _ in pattern.find(text):
        index += text.count(b"\n", place, begin)
        place = begin
        places.append(index)
    lines = [run.untrusted_lines[at] for at in places]
    return run._replace(
        numbers=[run.numbers[at] for at in places],
        heads=[run.heads[at] for at in places],
        untrusted_lines=lines,
        untrusted_text=b"\n".join([*lines, b""]),
    )


def _take_newest(things: list[tuple[int, T]], left: int | None) -> tuple[list[T], int | None]:
    """Return the newest, newest first, as many as are left to take, and how many then are; gaps do not count."""
    taken = []
    for tag, thing in reversed(things):
        if tag == _GAP or left is None or left > 0:
            taken.append(thing)
            left = left - 1 if left and tag != _GAP else left
    return taken, left
