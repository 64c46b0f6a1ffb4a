"""Checks one stream: its segments in order, each linked to the one before, the last to the key state."""

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, takewhile

from logchain.format.errors import FormatError, StoreError
from logchain.format.identity import parse_stream
from logchain.format.keystate import BROKEN, KeyState, Status
from logchain.format.limits import MAX_RECORD, MAX_SMALL_FILE, PREFIX, TIME_SIZE
from logchain.format.ratchet import chain, given_up_proof, segment_key, step, stream_secret, successor
from logchain.format.record import LINE, NOTE, PART, Note, parse_note, parse_time
from logchain.format.tags import TAG_ENTRY, format_tags
from logchain.read.findings import Finding, StreamReport
from logchain.read.live import Segment, missing, open_segment, read_keystate, reason
from logchain.read.verify_births import Births
from logchain.store.layout import ID, Directory, segments

__all__ = ["StreamCheck"]

_SIGNS = {b" %s " % kind: kind for kind in (LINE, PART, NOTE)}


class _Damage(Exception):
    """Where a segment is damaged: record counted from the segment's first, offset of it in the text."""

    def __init__(self, text: str, index: int, offset: int) -> None:
        self.text, self.index, self.offset = text, index, offset


class StreamCheck:
    """The check of one stream; `report` says what it found, `births` the births that verified, and the key state's."""

    def __init__(self, directory: Directory, vm: str, stream: str, store_id: bytes, births: Births) -> None:
        self._directory, self._store_id, self._births = directory, store_id, births
        self.report = StreamReport(vm, stream)
        self.births: set[int] = set()
        self._stream_id = b""
        self._roots: dict[int, tuple[int, bytes]] = {}  # by birth: R, and of which segment
        self._birth = 0  # the last one that verified
        self._linked = 0  # the last segment whose first record did
        self._first: int | None = 0  # number that the next segment begins with; None where that is lost
        self._tag: bytes | None = bytes(32)  # the last tag before it
        self._unended: tuple[int, int, bytes] | None = None  # a segment without `end`, its size, its key: next says why

    def claimed_births(self) -> set[int]:
        """Return the births that this stream says it had, unchecked."""
        claimed = set()
        with suppress(FileNotFoundError, FormatError):
            claimed.add(read_keystate(self._directory).birth)
        for number in segments(self._directory):
            with (
                suppress(FileNotFoundError, FormatError, StoreError),
                open_segment(self._directory, number, None) as segment,
            ):
                claimed.add(segment.first_note().number("birth"))
        return claimed

    def proven_births(self) -> set[int]:
        """Return the births that this stream can show by a segment's first record or its key state."""
        if not self._births.audited:
            return self.claimed_births()
        proven = set()
        with suppress(FileNotFoundError, FormatError):
            state = read_keystate(self._directory)
            self._read_identity()
            if state.is_newborn and state.next == self._born(state.birth, state.segment + 1):
                proven.add(state.birth)
            for number in (number for number in segments(self._directory) if number <= state.segment):
                with suppress(FileNotFoundError, FormatError), open_segment(self._directory, number, state) as segment:
                    birth = segment.first_note().number("birth")
                    key = segment_key(self._born(birth, number), self._stream_id, number)
                    if step(key, segment.line_at(0))[1] == segment.tag_at(0):
                        proven.add(birth)
        return proven

    def run(self, progress: Callable[[int], None]) -> None:
        """Check all of it; `progress` is told the bytes of text as they are read."""
        state = self._read_state()
        try:
            self._read_identity()
        except (FileNotFoundError, FormatError) as error:
            if state or segments(self._directory):
                self._find(f"the stream's id is lost: {reason(error)}")
        numbers = segments(self._directory)  # after the key state: what it speaks of is there by now
        last = state.segment if state else max(numbers, default=0)
        expected = 1
        for number in [*(number for number in numbers if number <= last), last + 1]:
            if number > expected:
                self._find(missing(expected, number - 1), segment=expected)
                self._first = self._tag = self._unended = None
            expected = number + 1
            if number <= last:
                self._check_segment(number, state, progress)
        if self._unended and not (state and state.segment == self._unended[0] and state.status != Status.CLOSED):
            self._find("the segment has no end: records are missing", segment=self._unended[0])
        if state:
            self._check_state(state)
            if numbers and numbers[-1] > last:
                self._find(f"segment {numbers[-1]} was never committed", damage=False, segment=numbers[-1])

    def _read_identity(self) -> None:
        identity = self._directory.read(ID, MAX_SMALL_FILE)
        self._stream_id = parse_stream(identity, self.report.vm, self.report.stream)

    def _read_state(self) -> KeyState | None:
        try:
            return read_keystate(self._directory)
        except FileNotFoundError as error:
            # a birth that was cut short leaves a directory without key state, and without segments
            if segments(self._directory):
                with suppress(FileNotFoundError, FormatError):
                    return read_keystate(self._directory)  # it was born while we looked
                self._find(f"the key state is lost: {reason(error)}")
        except FormatError as error:
            self._find(f"the key state is lost: {error}")
        return None

    def _check_segment(self, number: int, state: KeyState | None, progress: Callable[[int], None]) -> None:
        try:
            with open_segment(self._directory, number, state) as segment:
                self._check_records(segment, state, progress)
                if state and state.segment == number and os.fstat(segment.log_fd).st_size > segment.end:
                    self._tell_uncommitted(segment, state)
        except _Damage as damage:
            record = None if self._first is None else self._first + damage.index
            self._find(damage.text, segment=number, record=record, offset=damage.offset)
            self._first = self._tag = self._unended = None
        except (FileNotFoundError, FormatError) as error:
            self._find(reason(error), segment=number)
            self._first = self._tag = self._unended = None

    def _check_records(self, segment: Segment, state: KeyState | None, progress: Callable[[int], None]) -> None:
        """Check a segment's records one by one; raises _Damage at the first that is not as it was written."""
        index, offset, time = 0, 0, b""
        key, tag, last = b"", bytes(32), b""
        blocks = segment.blocks()
        while True:
            try:
                text = next(blocks, b"")
            except FormatError as error:
                raise _Damage(str(error), index, offset) from error
            if not text:
                break
            records = text[:-1].split(b"\n")
            ends = list(accumulate((len(record) + 1 for record in records), initial=offset))
            found = os.pread(segment.tags_fd, len(records) * TAG_ENTRY, index * TAG_ENTRY)
            if not index:
                note = _segment_note(records[0], self._expected(segment.number))
                key = self._derive(segment.number, note, records[0], found[8:TAG_ENTRY], state)
            if key:
                key, tags = chain(key, records)
            else:  # only the ends are compared; a torn entry is padded, so that it differs
                tags = [
                    found[at + 8 : at + TAG_ENTRY].ljust(32) for at in range(0, len(records) * TAG_ENTRY, TAG_ENTRY)
                ]
            good = _common(format_tags(ends[1:], tags), found)
            self.report.records += good
            time = _check_form(records[:good], time, index, ends)
            if not index and good:
                self._check_links(segment.number, _leading_notes(records[:good]))
            if time:
                self.report.time = parse_time(time)
            if good < len(records):
                raise _Damage("the record or its tag was changed", index + good, ends[good])
            index, offset, tag, last = index + len(records), ends[-1], tags[-1], records[-1]
            progress(len(text))
        self._check_foot(segment, state, index, offset, key, tag, last)
        self.report.segments += 1

    def _expected(self, number: int) -> dict[str, str]:
        """Return what a segment's note has to say whatever it holds."""
        vm, stream = self.report.vm, self.report.stream
        return {
            "format": "logchain/1",
            "store": self._store_id.hex(),
            "vm": vm,
            "stream": stream,
            "number": str(number),
        }

    def _check_links(self, number: int, head: list[Note]) -> None:
        """Check that a segment, whose first record is good, goes on where the one before it ended."""
        first, is_birth = head[0].number("first"), "birth" in head[0].fields
        self._linked = number
        broken = next((note.fields.get("reason") for note in head if note.event == "broken"), None)
        if is_birth:
            self._birth = head[0].number("birth")
            self.births.add(self._birth)
            self._births.begun.add(self._birth)
        if broken:
            self._find(f"the stream had to begin anew ({broken}): what was before was lost or changed", segment=number)
        elif is_birth != (number == 1):
            self._find("a birth where none should be, or none where one should", segment=number)
        elif self._first not in (None, first):
            text = f"the segment begins with record {first}: records before it are missing"
            self._find(text, segment=number, record=self._first)
        if self._tag is not None and head[0].fields.get("previous") != (bytes(32) if is_birth else self._tag).hex():
            self._find("the segment does not follow the one before it", segment=number)
        self._check_unended(head, broken is not None)
        self._first = first

    def _check_unended(self, head: list[Note], broken: bool) -> None:
        """See that a segment without `end` before this one is accounted for."""
        if self._unended and not broken:
            before, size, key = self._unended
            told = {"previous": str(before), "end": str(size), "reason": "io"}
            told |= {"proof": given_up_proof(key).hex()} if key else {}
            if any(note.event == "recovered" and told.items() <= note.fields.items() for note in head):
                self._find("the disk refused a write: the segment ends early", damage=False, segment=before)
            else:
                self._find("the segment has no end: records are missing", segment=before)
        self._unended = None

    def _derive(self, number: int, note: Note, record: bytes, tag: bytes, state: KeyState | None) -> bytes:
        """Return K of a segment, or nothing where there is no secret to derive it from."""
        if not self._births.audited or not self._stream_id:
            return b""
        try:
            birth = note.number("birth") if "birth" in note.fields else self._birth
            if not birth and state:  # the note that named it is lost; perhaps it is still the one of now
                key = segment_key(self._born(state.birth, number), self._stream_id, number)
                if step(key, record)[1] == tag:
                    birth = self._birth = state.birth
            if birth:
                return segment_key(self._born(birth, number), self._stream_id, number)
        except FormatError as error:
            raise _Damage(str(error), 0, 0) from error
        raise _Damage("the segment's first note was changed, or the birth that it belongs to is lost", 0, 0)

    def _born(self, birth: int, number: int) -> bytes:
        """Return R of a segment under a birth; segments are asked for in their order, so that no step is made twice."""
        at, secret = self._roots.get(birth, (0, b""))
        if not 1 <= at <= number:
            at, secret = 1, stream_secret(self._births.secret(birth), self._stream_id)
        self._roots[birth] = number, successor(secret, number - at)
        return self._roots[birth][1]

    def _check_foot(
        self, segment: Segment, state: KeyState | None, index: int, offset: int, key: bytes, tag: bytes, last: bytes
    ) -> None:
        """Check how a segment ends: with its `end`, or where the key state says."""
        if index != segment.records or not index:
            raise _Damage("text and tags do not end together: records are missing, or too many", index, offset)
        ended = _is_note(last) and parse_note(last[PREFIX:]).event == "end"
        self._unended = None if ended else (segment.number, offset, key)
        self._tag = tag
        if self._first is not None:
            self._first += index
        if not state or state.segment != segment.number or state.status in BROKEN:
            return
        if state.tag != tag or (state.records, state.end) != (index, offset):
            self._find(
                "the segment does not end where the key state says: records are missing, or too many",
                segment=segment.number,
            )
        elif key and state.status != Status.CLOSED and state.key != key:
            self._find("the key of now does not follow from the audit secret", segment=segment.number)

    def _check_state(self, state: KeyState) -> None:
        """Check that the key state's secrets follow from the birth it names."""
        self.births.add(state.birth)
        if state.status in BROKEN:
            self._find(
                f"the stream has to begin anew ({BROKEN[state.status]}): what was stored before was lost or changed"
            )
        if not self._births.audited or not self._stream_id:
            return
        if not state.is_newborn and self._linked != state.segment:
            return  # its last segment could not be checked, and that was found
        try:
            secret = self._born(state.birth, state.segment + 1)
        except FormatError as error:
            self._find(str(error))
            return
        if state.next != secret or (not state.is_newborn and state.birth != self._birth):
            self._find("the secret of the next segment does not follow from the audit secret")

    def _tell_uncommitted(self, segment: Segment, state: KeyState) -> None:
        with suppress(FileNotFoundError, FormatError):
            if read_keystate(self._directory) == state:
                more = os.fstat(segment.log_fd).st_size - segment.end
                text = f"{more} bytes were not committed: being written, or left by a crash; they do not count"
                self._find(text, damage=False, segment=segment.number)

    def _find(
        self,
        text: str,
        *,
        damage: bool = True,
        segment: int | None = None,
        record: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.report.findings.append(Finding(damage, text, segment, record, offset))


def _segment_note(record: bytes, expected: dict[str, str]) -> Note:
    """Return the note that a segment begins with; raises _Damage where it is not the note of this segment."""
    try:
        note = parse_note(record[PREFIX:])
        if not _is_note(record) or note.event != "segment" or not expected.items() <= note.fields.items():
            raise FormatError("it is not this segment's")
        note.number("first")
    except FormatError as error:
        raise _Damage(f"the segment does not begin with its note: {error}", 0, 0) from error
    return note


def _is_note(record: bytes) -> bool:
    return record[TIME_SIZE:PREFIX] == b" # "


def _leading_notes(records: list[bytes]) -> list[Note]:
    """Return the notes that a segment begins with, of records whose form was checked."""
    notes = takewhile(_is_note, records[:5])
    return [parse_note(record[PREFIX:]) for record in notes]


def _common(expected: bytes, found: bytes) -> int:
    """Return how many entries two tags files have in common before they differ."""
    if expected == found:
        return len(found) // TAG_ENTRY
    entries = range(0, len(expected), TAG_ENTRY)
    return next(at for at in entries if expected[at : at + TAG_ENTRY] != found[at : at + TAG_ENTRY]) // TAG_ENTRY


def _check_form(records: list[bytes], time: bytes, index: int, ends: list[int]) -> bytes:
    """Check the form of records, and that no time goes back behind `time`; return the last time.

    The rules of `parse_record`, but a time is parsed once for all records that share it: this is the hot loop.
    """
    for place, record in enumerate(records):
        kind = _SIGNS.get(record[TIME_SIZE:PREFIX])
        now = record[:TIME_SIZE]
        try:
            if kind is None or not PREFIX + (kind == PART) <= len(record) <= MAX_RECORD:
                raise FormatError("not a record")
            if now != time:
                parse_time(now)
            if kind == NOTE:
                parse_note(record[PREFIX:])
        except FormatError as error:
            raise _Damage(str(error), index + place, ends[place]) from error
        if now < time:
            raise _Damage("the time goes back", index + place, ends[place])
        time = now
    return time
