"""Writing a stream: records are chained in memory, and count from the commit that made them durable.

The order of a commit is the promise: text and tags, sync; key state, sync (the commit point); only then may the
caller acknowledge. Whoever has a StreamWriter holds the stream's lock (store.opening gives one out).

Where the disk is full nothing is lost: what was appended waits in memory, and the same call, made again, goes on.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

from logchain.format.errors import Full, StoreError, WriteFailed
from logchain.format.keystate import BROKEN, NO_KEY, NO_SESSION, KeyState, Status, format_keystate
from logchain.format.limits import MAX_SEGMENT, RESUME_SESSIONS
from logchain.format.ratchet import chain, given_up_proof, segment_key, successor
from logchain.format.record import LINE, NOTE, PART, format_note, format_time, parse_note, parse_record
from logchain.format.tags import TAG_ENTRY, format_tags
from logchain.store.clock import Clock
from logchain.store.durable import SlotFile, sync, write
from logchain.store.layout import Directory, close_name, log_name, tags_name

__all__ = ["DEFAULT_ROLLING", "Rolling", "StreamName", "StreamWriter"]

_FLUSH = 256 << 10  # what waits in memory for the next write, so that many connections stay small
_STEP = 1_000_000  # µs: a clock set back by more closes the segment


class StreamName(NamedTuple):
    """Which stream this is, as its segment notes say it."""

    store_id: bytes
    vm: str
    stream: str
    stream_id: bytes


class Rolling(NamedTuple):
    """When a segment is closed: bytes of text, and age in µs of running time."""

    size: int = 64 << 20
    age: int = 86_400_000_000


DEFAULT_ROLLING = Rolling()


class StreamWriter:
    """One stream, open for writing."""

    def __init__(
        self,
        directory: Directory,
        lock: int,
        name: StreamName,
        slots: SlotFile,
        state: KeyState,
        clock: Clock,
        rolling: Rolling,
    ) -> None:
        self._directory, self._lock, self._name, self._slots = directory, lock, name, slots
        self._clock, self._rolling = clock, rolling
        self._durable = self._head = state
        self._text: list[bytes] = []
        self._tags: list[bytes] = []
        self._waiting = 0  # bytes of text in self._text
        self._in_line = False  # the last record was a part whose line goes on
        self._files: tuple[int, ...] = ()  # log and tags of the open segment
        self._new_names = False  # the directory has to be synced too
        self._failed = False
        self._stalled = False  # there was no room for what waits in memory
        if state.status == Status.OPEN:
            self._open_files(state.segment)

    @property
    def uncommitted(self) -> int:
        """Bytes of text that a crash may still lose."""
        return self._head.end - self._durable.end

    def durable_lines(self, session: bytes) -> int:
        """Return how many lines of a session are durable."""
        return _lines(self._durable, session)

    @property
    def resume(self) -> tuple[tuple[bytes, int], ...]:
        """The sessions before the connected one, newest first, with their durable lines."""
        return tuple(entry for entry in self._durable.resume if entry[0] != self._head.session)

    def free(self) -> int:
        """Return the bytes that are free on the stream's disk."""
        return self._directory.free()

    def start_session(self, session: bytes, service: str) -> None:
        """Note that a sender connected."""
        self.note("session-start", session=session.hex(), service=service)
        self._head = self._head._replace(session=session)

    def end_session(self, reason: str, partial: bytes, cut: int) -> None:
        """Note that the sender went, and store what it left of a line: `cut` bytes with its earlier parts."""
        if partial:
            self.append(PART, [partial], self._clock.wall())
        session = self._head.session.hex()
        fields = {"partial": cut} if cut else {}
        self.note("session-end", session=session, reason=reason, lines=_lines(self._head, self._head.session), **fields)
        self._head = self._head._replace(session=NO_SESSION)
        self._in_line = False

    def append(self, kind: bytes, payloads: Sequence[bytes], received: int) -> None:
        """Store payloads of one kind (LINE or PART) that were received at one time, µs since 1970.

        Raises Full where there is no room for a new segment: then nothing was appended. Raises WriteFailed.
        """
        if self._head.session == NO_SESSION:
            raise ValueError("lines come within a session")
        self._ready(received)
        self._advance(received)
        prefix = b"%s %s " % (format_time(self._head.time), kind)
        self._extend([prefix + payload for payload in payloads], lines=len(payloads) if kind == LINE else 0)
        self._in_line = kind == PART

    def note(self, event: str, **fields: str | int) -> None:
        """Store a note of the collector's own."""
        now = self._clock.wall()
        self._ready(now)
        self._advance(now)
        self._note(format_note(event, **fields))

    def _extend(self, records: Sequence[bytes], lines: int) -> None:
        """Chain records that fit where the segment stands; recovery adopts with the same call."""
        head = self._head
        key, tags = chain(head.key, records)
        ends = list(accumulate((len(record) + 1 for record in records), initial=head.end))[1:]
        self._tags.append(format_tags(ends, tags))
        self._text += records
        resume = head.resume
        if lines:
            others = (entry for entry in resume if entry[0] != head.session)
            resume = ((head.session, _lines(head, head.session) + lines), *others)[:RESUME_SESSIONS]
        self._head = head._replace(
            records=head.records + len(records), end=ends[-1], tag=tags[-1], key=key, resume=resume
        )
        self._waiting += ends[-1] - head.end
        if self._waiting >= _FLUSH:
            with suppress(Full):  # it waits for the next commit
                self._guard(self._flush)

    def adopt(self, record: bytes) -> None:
        """Take over a record that a crash left uncommitted and that verified under the key."""
        time, kind, payload = parse_record(record)
        self._advance(time)
        self._extend([record], lines=int(kind == LINE))
        event, fields = parse_note(payload) if kind == NOTE else ("", {})
        if event == "session-start":
            self._head = self._head._replace(session=bytes.fromhex(fields["session"]))
        elif event == "session-end":
            self._head = self._head._replace(session=NO_SESSION)
        elif event == "end":
            self._head = self._head._replace(status=Status.CLOSED, key=NO_KEY)

    def recovered(self, cut: int) -> None:
        """Note that a torn write of `cut` bytes was cut off behind what is adopted."""
        if self._head.status == Status.OPEN:  # behind an adopted `end` there was nothing of ours
            self._note(format_note("recovered", end=self._head.end, cut=cut, reason="torn"))

    def commit(self) -> None:
        """Make durable what was appended. Raises Full: call again when there is room; or WriteFailed."""
        if self._head != self._durable:
            self._guard(self._commit)

    def settle(self) -> None:
        """Make durable that the key before the last commit is erased."""
        self._guard(self._slots.settle)

    def roll(self, reason: str) -> None:
        """Close the open segment, if there is one; the next line opens the next."""
        if self._head.status == Status.OPEN:
            self._advance(self._clock.wall())
            self._note(format_note("end", reason=reason, records=self._head.records + 1))
            self._head = self._head._replace(status=Status.CLOSED, key=NO_KEY)
            self._guard(self._commit)

    def roll_if_old(self) -> None:
        """Close a segment that has been open for longer than it may."""
        if self._head.status == Status.OPEN and self._clock.running() - self._head.opened >= self._rolling.age:
            self.roll("age")

    def roll_if_asked(self) -> None:
        """Close a segment that somebody wants to be sealed now: a mark beside it says so (docs/spec/files.md, 13)."""
        if self._head.status == Status.OPEN and self._directory.has(close_name(self._head.segment)):
            self.roll("sealed")

    def close(self) -> None:
        """Commit, unless a write failed before, and let the stream go; raises as `commit`, and lets go all the same."""
        try:
            if not self._failed:
                self.commit()
                self.settle()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let the stream go as it is on the disk."""
        self._close_files()
        self._slots.close()
        self._directory.close()
        os.close(self._lock)

    def _ready(self, received: int) -> None:
        """See that a segment is open that can take a record received now."""
        if self._stalled:  # whatever comes next stands behind what waits
            self.commit()
            self._stalled = False
        head = self._head
        boot = self._clock.boot_id()
        if head.status == Status.OPEN:
            if head.boot != boot:
                self.roll("boot")
            elif received < head.time - _STEP:
                self.roll("clock")
            elif head.end >= self._rolling.size:
                self.roll("size")
            else:
                self.roll_if_old()
        if self._head.status != Status.OPEN:
            self._open_segment(received, boot)

    def _open_segment(self, received: int, boot: bytes) -> None:
        before = self._head
        number = before.segment + 1
        if number > MAX_SEGMENT:
            raise StoreError("the stream has all the segments it may have; send to another stream")
        stepped = received < before.time - _STEP
        self._guard(lambda: self._open_files(number))
        self._head = before._replace(
            segment=number,
            status=Status.OPEN,
            opened=self._clock.running(),
            first=before.next_number,
            records=0,
            end=0,
            time=received if stepped else max(received, before.time),
            boot=boot,
            key=segment_key(before.next, self._name.stream_id, number),
            next=successor(before.next),  # R_n is gone from memory here, from the disk with the next commit
        )
        fields: dict[str, str | int] = {"birth": before.birth} if before.is_newborn else {}
        if self._in_line:
            fields["continues"] = "yes"
        self._note(
            format_note(
                "segment",
                format="logchain/1",
                store=self._name.store_id.hex(),
                vm=self._name.vm,
                stream=self._name.stream,
                number=number,
                first=self._head.first,
                previous=bytes(32).hex() if before.is_newborn else before.tag.hex(),
                boot=boot.hex(),
                **fields,
            )
        )
        restored = before.status == Status.RESTORED
        if restored or before.status in BROKEN:
            self._note(format_note("broken", reason="restored" if restored else BROKEN[before.status]))
        if before.bounds_segment:
            reason, proof = "restored" if restored else "io", given_up_proof(before.key).hex()
            self._note(format_note("recovered", previous=before.segment, end=before.end, reason=reason, proof=proof))
        if stepped:
            last, now = format_time(before.time).decode(), format_time(received).decode()
            self._note(format_note("clock", last=last, now=now, boot_clock=self._head.opened))
        self._guard(self._commit)  # so that recovery never meets lines in a segment the key state does not know

    def _advance(self, received: int) -> None:
        """Move on to a time, but never back."""
        if received > self._head.time:
            self._head = self._head._replace(time=received)

    def _note(self, payload: bytes) -> None:
        self._extend([b"%s %s %s" % (format_time(self._head.time), NOTE, payload)], lines=0)

    def _commit(self) -> None:
        self._flush()
        sync(self._files)
        if self._new_names:
            sync([self._directory.fd])
            self._new_names = False
        self._slots.commit(format_keystate(self._head))  # the commit point
        self._durable = self._head
        if self._head.status != Status.OPEN:
            self._close_files()

    def _flush(self) -> None:
        if not self._text:
            return
        log, tag_file = self._files
        text, tags = b"\n".join(self._text) + b"\n", b"".join(self._tags)
        write(log, text, self._head.end - len(text))
        # Starts the writeback of these pages (Linux, mm/fadvise.c; Python has no sync_file_range(2)): the disk works
        # while the next lines are chained, and the sync waits for less.
        with suppress(OSError):
            os.posix_fadvise(log, self._head.end - len(text), len(text), os.POSIX_FADV_DONTNEED)
        write(tag_file, tags, self._head.records * TAG_ENTRY - len(tags))
        self._text, self._tags, self._waiting = [], [], 0

    def _guard(self, action: Callable[[], None]) -> None:
        """Do what may fail on the disk; after a failure nothing more is written but that the segment is given up.

        No room is no failure: all writes go to places of their own, and can be made again.
        """
        if self._failed:
            raise StoreError("this stream's last write failed; connect again")
        self._failed = True  # what is written by then verifies, or is cut off, when the stream is opened again
        try:
            action()
        except Full:
            self._failed, self._stalled = False, True
            raise
        except WriteFailed:
            if self._durable.status == Status.OPEN:
                given_up = self._durable._replace(status=Status.GIVEN_UP, session=NO_SESSION)
                with suppress(StoreError):
                    self._slots.commit(format_keystate(given_up))
            raise
        self._failed = False

    def _open_files(self, segment: int) -> None:
        self._close_files()  # of a try that found no room
        for name in (log_name(segment), tags_name(segment)):
            self._files += (self._directory.file(name, os.O_RDWR | os.O_CREAT),)
        self._new_names = True

    def _close_files(self) -> None:
        files, self._files = self._files, ()
        for fd in files:
            os.close(fd)


def _lines(state: KeyState, session: bytes) -> int:
    return dict(state.resume).get(session, 0)
