"""Checks the segments of one stream that are not sealed yet, one by one, up to what the key state says."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate

from logchain.format.errors import FormatError
from logchain.format.identity import parse_stream
from logchain.format.keystate import KeyState
from logchain.format.limits import MAX_SMALL_FILE
from logchain.format.ratchet import chain, step
from logchain.format.record import Note, parse_time
from logchain.format.tags import TAG_ENTRY, format_tags
from logchain.read.live import Segment, open_segment, read_keystate, reason
from logchain.read.verify_heads import Line, Prefix, lines
from logchain.read.verify_keys import KeySource, Secrets
from logchain.read.verify_records import (
    Damage,
    SegmentCheck,
    check_form,
    expected_note,
    is_end,
    leading_notes,
    own_note,
)
from logchain.store.layout import ID, Directory, segments

__all__ = ["LiveCheck", "LiveTask", "check_live", "proven_births"]


@dataclass(frozen=True)
class LiveTask:
    """Which stream to check, and what is known of it from the ledger."""

    vm: str
    stream: str
    store_id: bytes
    sealed: Collection[int] = ()  # segments that count as sealed, wherever else they are
    gone: Collection[int] = ()  # segments that went on purpose, whatever is left of them
    births: Sequence[tuple[int, int]] = ()  # first segment under it, birth
    listed: Mapping[int, bytes] = field(default_factory=dict)  # lines of heads, packed


@dataclass
class LiveCheck:
    """What was found: the key state, if there is one, why not, and the segments in order."""

    state: KeyState | None = None
    gone: bool = False  # with its directory
    stream_id: bytes = b""
    id_lost: str = ""  # why
    state_lost: str = ""  # why
    segments: list[SegmentCheck] = field(default_factory=list)
    uncommitted: int | None = None  # a segment beyond the key state
    doubled: list[int] = field(default_factory=list)  # segments that count as sealed, and are here too
    wrong_next: str = ""  # why the secret of the next segment is not the one that follows


def check_live(directory: Directory, task: LiveTask, secrets: KeySource, progress: Callable[[int], None]) -> LiveCheck:
    """Check a stream's directory in live/; `progress` is told the bytes of text as they are read."""
    return _Checker(directory, task, secrets, progress).run()


class _Checker:
    def __init__(
        self, directory: Directory, task: LiveTask, secrets: KeySource, progress: Callable[[int], None]
    ) -> None:
        self._directory, self._task, self._progress = directory, task, progress
        self._secrets = secrets
        self._keys = secrets.of(b"")
        self._found = LiveCheck()
        self._verified = (0, 0)  # the last segment that named its birth, and verified; the birth

    def run(self) -> LiveCheck:
        found = self._found
        found.state = state = self._read_state()
        try:
            identity = self._directory.read(ID, MAX_SMALL_FILE)
            found.stream_id = parse_stream(identity, self._task.vm, self._task.stream)
            self._keys = self._secrets.of(found.stream_id)
        except (FileNotFoundError, FormatError) as error:
            if state or segments(self._directory):
                found.id_lost = reason(error)
        numbers = segments(self._directory)  # after the key state: what it speaks of is there by now
        if numbers and not state and not found.state_lost:  # it was born while we looked: look again
            return _Checker(self._directory, self._task, self._secrets, self._progress).run()
        last = state.segment if state else max(numbers, default=0)
        found.doubled = [number for number in numbers if number in self._task.sealed]
        for number in numbers:
            if number <= last and number not in self._task.sealed and number not in self._task.gone:
                found.segments.append(self._check_segment(number, state))
        if state and numbers and numbers[-1] > last and self._read_state() == state:
            found.uncommitted = numbers[-1]
        if state and self._keys.audited:
            found.wrong_next = self._check_next(state)
        return found

    def _read_state(self) -> KeyState | None:
        try:
            return read_keystate(self._directory)
        except FileNotFoundError as error:
            # a birth that was cut short leaves a directory without key state, and without segments
            if segments(self._directory):
                with suppress(FileNotFoundError, FormatError):
                    return read_keystate(self._directory)  # it was born while we looked
                self._found.state_lost = reason(error)
        except FormatError as error:
            self._found.state_lost = str(error)
        return None

    def _check_next(self, state: KeyState) -> str:
        try:
            right = state.next == self._keys.secret(state.birth, state.segment + 1)
        except FormatError as error:
            return str(error)
        return "" if right else "the secret of the next segment does not follow from the audit secret"

    def _check_segment(self, number: int, state: KeyState | None) -> SegmentCheck:
        check = SegmentCheck(number, sealed=False)
        prefix = Prefix(lines(self._task.listed.get(number, b"")))
        try:
            with open_segment(self._directory, number, state) as segment:
                self._check_records(segment, state, check, prefix)
                if state and state.segment == number and os.fstat(segment.log_fd).st_size > segment.end:
                    self._tell_uncommitted(segment, state, check)
        except Damage as damage:
            check.damage = damage
        except (FileNotFoundError, FormatError) as error:
            check.find(reason(error))
            check.lost = isinstance(error, FileNotFoundError)
        else:
            prefix.finish()
        if prefix.bad:
            check.contradict(prefix.bad)
        elif prefix.overrun:
            check.find("records were put behind its end")
        elif prefix.good:
            check.listed = prefix.good.records
        return check

    def _check_records(self, segment: Segment, state: KeyState | None, check: SegmentCheck, prefix: Prefix) -> None:
        """Check a segment's records one by one; raises Damage at the first that is not as it was written."""
        index, offset, time = 0, 0, b""
        key, tag, last = b"", bytes(32), b""
        blocks = segment.blocks()
        with suppress(FormatError):
            check.claimed = segment.first_note().number("birth")
        while True:
            try:
                text = next(blocks, b"")
            except FormatError as error:
                raise Damage(str(error), index, offset) from error
            if not text:
                break
            prefix.feed(text)
            records = text[:-1].split(b"\n")
            ends = list(accumulate((len(record) + 1 for record in records), initial=offset))
            found = os.pread(segment.tags_fd, len(records) * TAG_ENTRY, index * TAG_ENTRY)
            if not index:
                expected = expected_note(self._task.store_id, self._task.vm, self._task.stream, segment.number)
                note = own_note(records[0], expected)
                key = self._derive(segment.number, note, records[0], found[8:TAG_ENTRY], state)
            if key:
                key, tags = chain(key, records)
            else:  # only the ends are compared; a torn entry is padded, so that it differs
                tags = [
                    found[at + 8 : at + TAG_ENTRY].ljust(32) for at in range(0, len(records) * TAG_ENTRY, TAG_ENTRY)
                ]
            good = _common(format_tags(ends[1:], tags), found)
            check.good += good
            check.chained += good if key else 0
            time = check_form(records[:good], time, index, ends)
            if not index and good:
                check.head, check.first = leading_notes(records[:good]), note.number("first")
                if "birth" in note.fields:
                    self._verified = segment.number, note.number("birth")
            if time:
                check.time = parse_time(time)
            if good < len(records):
                raise Damage("the record or its tag was changed", index + good, ends[good])
            index, offset, tag, last = index + len(records), ends[-1], tags[-1], records[-1]
            check.size = offset
            self._progress(len(text))
        if index != segment.records or not index:
            raise Damage("text and tags do not end together: records are missing, or too many", index, offset)
        check.records, check.tag, check.key, check.ended, check.whole = index, tag, key, is_end(last), True
        for line in lines(self._task.listed.get(segment.number, b"")):
            if line.records <= index and not _is_tagged(segment, line):
                check.contradict(line)
                break

    def _derive(self, number: int, note: Note, record: bytes, tag: bytes, state: KeyState | None) -> bytes:
        """Return K of a segment, or nothing where there is no secret to derive it from."""
        if not self._keys.audited:
            return b""
        known = max([self._verified, *(birth for birth in self._task.births if birth[0] <= number)])[1]
        try:
            birth = note.number("birth") if "birth" in note.fields else known
            if not birth and state:  # the note that named it is lost; perhaps it is still the one of now
                key = self._keys.key(state.birth, number)
                if step(key, record)[1] == tag:
                    self._verified = number, state.birth
                    return key
            if birth:
                return self._keys.key(birth, number)
        except FormatError as error:
            raise Damage(str(error), 0, 0) from error
        raise Damage("the segment's first note was changed, or the birth that it belongs to is lost", 0, 0)

    def _tell_uncommitted(self, segment: Segment, state: KeyState, check: SegmentCheck) -> None:
        with suppress(FileNotFoundError, FormatError):
            if read_keystate(self._directory) == state:
                more = os.fstat(segment.log_fd).st_size - segment.end
                text = f"{more} bytes were not committed: being written, or left by a crash; they do not count"
                check.find(text, damage=False)


def _common(expected: bytes, found: bytes) -> int:
    """Return how many entries two tags files have in common before they differ."""
    if expected == found:
        return len(found) // TAG_ENTRY
    entries = range(0, len(expected), TAG_ENTRY)
    return next(at for at in entries if expected[at : at + TAG_ENTRY] != found[at : at + TAG_ENTRY]) // TAG_ENTRY


def _is_tagged(segment: Segment, line: Line) -> bool:
    """Tell whether the tags have what a list says of them."""
    return os.pread(segment.tags_fd, TAG_ENTRY, (line.records - 1) * TAG_ENTRY) == format_tags([line.size], [line.tag])


def proven_births(directory: Directory, vm: str, stream: str, secrets: Secrets) -> set[int]:
    """Return the births that a stream can show by the first record of a segment in live/, or by its key state.

    Without the audit secret those that it says it had.
    """
    proven = set()
    with suppress(FileNotFoundError, FormatError):
        state = read_keystate(directory)
        keys = secrets.of(parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream))
        if not secrets.audited or (state.is_newborn and state.next == keys.secret(state.birth, state.segment + 1)):
            proven.add(state.birth)
        for number in (number for number in segments(directory) if number <= state.segment):
            with suppress(FileNotFoundError, FormatError), open_segment(directory, number, state) as segment:
                birth = segment.first_note().number("birth")
                if not secrets.audited or step(keys.key(birth, number), segment.line_at(0))[1] == segment.tag_at(0):
                    proven.add(birth)
    return proven
