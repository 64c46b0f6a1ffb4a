"""A segment's activity: its notes that tell of sessions, and what lies between them (docs/spec/catalog.md).

Who was connected when follows from a stream's notes, and from times and number of the lines between two of them. So a
segment is condensed once, and what comes out tells the same as its text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from logchain.format.errors import FormatError
from logchain.format.fields import format_words, number, parse_words
from logchain.format.limits import MAX_ACTIVITY, MAX_SEGMENT_RECORDS, MAX_TIME, TIME_SIZE
from logchain.format.record import parse_note, parse_time

__all__ = ["Condenser", "Item", "Mark", "Run", "format_activity", "parse_activity"]

_SILENT = ("segment", "end")  # notes that tell nothing of a session

# A note, or a part of a line. Looked for behind newlines only: a sender who writes notes into lines costs nothing.
_NOTE_OR_PART = re.compile(rb"\n(.{27}) (?:# (.*)|\+ )")
_TIME = number(0, MAX_TIME)
_RUN = (_TIME, _TIME, number(0, MAX_SEGMENT_RECORDS), _TIME)
_IS_RUN = re.compile(r"\A[0-9]+ [0-9]")  # no note begins with a digit


class Run(NamedTuple):
    """Lines and parts between two marks. Times in µs since 1970."""

    first: int
    last: int
    lines: int  # parts are not counted
    longest: int  # silence between two of them, µs


class Mark(NamedTuple):
    """A note that tells something, or, without one, the last record that was looked at."""

    time: int  # µs since 1970
    note: bytes


Item: TypeAlias = Run | Mark

_BEGIN: Item = Mark(0, b"-")  # before the first item


class Condenser:
    """Condenses a segment's text, block after block; where it is cut makes no difference."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._time: int | None = None  # of the last record

    def take(self, block: bytes) -> Iterator[Item]:
        """Take the next block, whole records with their newlines; yield what is complete by then.

        Raises FormatError where they are no records: `rest` is what they came to before that.
        """
        text = b"\n" + block[:-1]  # so that each record has its newline before it
        place = 0
        for match in _NOTE_OR_PART.finditer(text):
            self._take_lines(text, place, match.start())
            place = match.end()
            self._time = time = parse_time(match[1])
            if match[2] is None:
                self._extend(Run(time, time, 0, 0))
            elif _tells(match[2]):
                yield from self._flush()
                yield Mark(time, match[2])
        self._take_lines(text, place, len(text))

    def rest(self) -> Iterator[Item]:
        """Yield what is left behind the last mark, and a mark without a note; nothing where there was no record."""
        yield from self._flush()
        if self._time is not None:
            yield Mark(self._time, b"")

    def _flush(self) -> Iterator[Run]:
        run, self._run = self._run, None
        if run:
            yield run

    def _extend(self, run: Run) -> None:
        if before := self._run:
            longest = max(before.longest, run.longest, run.first - before.last)
            run = Run(before.first, run.last, before.lines + run.lines, longest)
        self._run = run

    def _take_lines(self, text: bytes, start: int, end: int) -> None:
        """Count the lines between two places, and find the longest silence between them."""
        lines = text.count(b"\n", start, end)
        if not lines:
            return
        first, last = text.find(b"\n", start, end) + 1, text.rfind(b"\n", start, end) + 1
        times = _time_at(text, first), _time_at(text, last)
        longest = _longest_silence(text, first, last, self._run.longest if self._run else 0)
        self._extend(Run(*times, lines, longest))
        self._time = times[1]


def _tells(payload: bytes) -> bool:
    """Tell whether a note tells something of sessions; FormatError where it is none, or lacks what it has to tell."""
    note = parse_note(payload)
    if note.event == "session-end":
        note.number("lines")
        if "partial" in note.fields:
            note.number("partial")
    elif note.event == "clock":
        for key in ("last", "now"):
            parse_time(note.fields.get(key, "").encode())
    return note.event not in _SILENT


def _time_at(text: bytes, place: int) -> int:
    return parse_time(text[place : place + TIME_SIZE])


def _longest_silence(text: bytes, first: int, last: int, known: int) -> int:
    """Return the longest silence between the records that begin at two places, or `known` where that is longer.

    Times never go back within a segment, so what took no longer than `known` needs no look inside.
    """
    silence = _time_at(text, last) - _time_at(text, first)
    if silence <= known:
        return known
    half = (first + last) // 2
    middle = text.find(b"\n", half, last - 1) + 1 or text.rfind(b"\n", first, half) + 1
    if not middle:  # nothing between the two
        return silence
    return _longest_silence(text, middle, last, _longest_silence(text, first, middle, known))


def format_activity(items: Iterable[Item]) -> str:
    """Return a segment's activity, a line an item, or raise FormatError on what parse_activity refuses."""
    lines: list[str] = []
    before, size = _BEGIN, 0
    for item in items:
        _check(before, item)
        lines.append(_format_item(item))
        before, size = item, size + len(lines[-1]) + 1
        if size > MAX_ACTIVITY + 1:
            raise FormatError("an activity too long")
    if isinstance(before, Run) or before.note:
        raise FormatError("an activity without its end")
    return "\n".join(lines)


def parse_activity(text: str) -> list[Item]:
    """Return what a segment's activity says, or raise FormatError."""
    if len(text) > MAX_ACTIVITY or not text.isascii():
        raise FormatError("an activity too long, or not ASCII")
    items = [_parse_item(line) for line in text.split("\n")]
    if format_activity(items) != text:
        raise FormatError("an activity that is not canonical")
    return items


def _format_item(item: Item) -> str:
    if isinstance(item, Run):
        return format_words(_RUN, item)
    time = _TIME.format(item.time)
    return f"{time} {item.note.decode()}" if item.note else time


def _parse_item(line: str) -> Item:
    if _IS_RUN.match(line):
        return Run._make(parse_words(_RUN, line))
    time, _, note = line.partition(" ")
    return Mark(_TIME.parse(time), note.encode())


def _check(before: Item, item: Item) -> None:
    """See that an item can stand behind another one."""
    if isinstance(item, Run):
        good = isinstance(before, Mark) and item.longest <= item.last - item.first
    else:
        good = not item.note or _tells(item.note)
    if isinstance(before, Mark) and not before.note:  # the end
        good = False
    if not good or item[0] < (before.last if isinstance(before, Run) else before.time):
        raise FormatError("an activity in which something cannot follow on another")
