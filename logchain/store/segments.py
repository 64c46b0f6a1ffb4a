"""Segments in live/ as the compressor finds them: how far they are committed, which are closed, and closing the idle.

A collector may be at work in the same moment: key state first, and nothing is believed beyond it.
"""

import os
import time
from contextlib import ExitStack, suppress
from typing import NamedTuple

from logchain.format.errors import Busy, FormatError, StoreError, WriteFailed
from logchain.format.identity import parse_stream
from logchain.format.keystate import KeyState, Status, read_ratchet
from logchain.format.limits import MAX_RECORD, MAX_SMALL_FILE
from logchain.format.record import NOTE, Note, parse_note, parse_record
from logchain.format.slots import FILE_SIZE
from logchain.format.tags import TAG_ENTRY, parse_tags
from logchain.store.births import finish_birth
from logchain.store.clock import Clock
from logchain.store.durable import reading, sync, write
from logchain.store.layout import ID, LIVE, RATCHET, Directory, log_name, segments, stream_directory, tags_name
from logchain.store.opening import hold_stream, lock_stream, stands

__all__ = [
    "Extent",
    "close_idle",
    "closed_segments",
    "durable_state",
    "extent",
    "first_note",
    "read_stream_id",
    "will_not_change",
]

_TRIES = 20  # a writer holds a slot torn for microseconds


def durable_state(directory: Directory) -> KeyState:
    """Return a stream's key state, and see that it is on the disk: what follows from it outlives a power cut.

    Raises FormatError where neither slot is valid, FileNotFoundError where there is none, WriteFailed: then the next
    look has to write it to the disk in truth.
    """
    state = _state(directory)
    fd = directory.file(RATCHET)
    try:
        sync([fd])
    except WriteFailed:
        _write_again(directory)
        raise
    finally:
        os.close(fd)
    return state


def _write_again(directory: Directory) -> None:
    """Write a key state anew of which a sync failed: the kernel may call clean what it dropped, and a sync would lie.

    Nobody but us does it where its writer was killed. One who lives has been told of the same failure, and does it when
    the stream is next opened.
    """
    with suppress(OSError, StoreError), ExitStack() as stack:
        stack.callback(os.close, lock_stream(directory))
        fd = directory.file(RATCHET, os.O_RDWR)
        stack.callback(os.close, fd)
        write(fd, os.pread(fd, FILE_SIZE, 0), 0)


def read_stream_id(live: Directory, vm: str, stream: str) -> bytes:
    """Return a stream's id; FormatError where it is not its own or the disk refuses it, FileNotFoundError."""
    with reading(f"{live.path}/{ID}"):
        data = live.read(ID, MAX_SMALL_FILE)
    return parse_stream(data, vm, stream)


def _state(directory: Directory) -> KeyState:
    """Return a stream's key state as it is now: enough to see whether there is anything to do, and for no more."""
    for _ in range(_TRIES):
        with reading(f"{directory.path}/{RATCHET}"):
            data = directory.read(RATCHET, FILE_SIZE)
        with suppress(FormatError):
            return read_ratchet(data)
        time.sleep(0.005)
    return read_ratchet(data)


def will_not_change(state: KeyState, segment: int) -> bool:
    """Tell whether nobody will write a segment any more.

    One that was given up is cut at its end when its stream is next opened, and its key proves the place until the next
    segment says so: until then it stays as it is.
    """
    return segment < state.segment or (segment == state.segment and not state.bounds_segment)


def closed_segments(store: Directory, vm: str, stream: str) -> list[int]:
    """Return the segments in live/ that will never change, in order; none where the key state is lost.

    Whoever seals them has to see for himself that this is durable.
    """
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream) as directory:
        state = _state(directory)
        return [segment for segment in segments(directory) if will_not_change(state, segment)]
    return []


def close_idle(store: Directory, vm: str, stream: str, clock: Clock, idle: int) -> bool:
    """Close the open segment if nobody writes the stream and it is `idle` µs old, or of another boot; say whether.

    The lock is not waited for. A stream whose key state does not stand is left to the next who opens it: that takes a
    birth.
    """
    with suppress(FileNotFoundError, FormatError, Busy), reading(f"{store.path}/{LIVE}/{vm}/{stream}"):
        with stream_directory(store, vm, stream) as directory:
            if not _reason(directory, clock, idle):
                return False
        finish_birth(store)  # its secret has to be gone before a record is stored
        held = hold_stream(store, vm, stream)
        with ExitStack() as stack:
            stack.callback(held.close)
            reason = _reason(held.directory, clock, idle)
            if not reason:
                return False
            stack.pop_all()
        writer = held.open(clock)
        try:
            writer.roll(reason)
        finally:
            writer.close()
        return True
    return False


def _reason(directory: Directory, clock: Clock, idle: int) -> str:
    """Return why a stream's segment is to be closed, or nothing."""
    state = _state(directory)  # closing makes its own state durable, over this one
    if state.status != Status.OPEN or not stands(directory, state):
        return ""
    if state.boot != clock.boot_id():
        return "boot"
    return "idle" if clock.running() - state.opened >= idle else ""


class Extent(NamedTuple):
    """How far a segment is committed: records, bytes of text, the last tag."""

    records: int
    size: int
    tag: bytes


def extent(directory: Directory, state: KeyState, segment: int) -> Extent:
    """Return how far a segment is committed; FormatError, FileNotFoundError where its files do not tell."""
    if segment == state.segment and state.bounds_segment:
        return Extent(state.records, state.end, state.tag)
    fd = directory.file(tags_name(segment))
    try:
        size = os.fstat(fd).st_size
        with reading(f"{directory.path}/{tags_name(segment)}"):
            last = os.pread(fd, TAG_ENTRY, max(0, size - TAG_ENTRY))
    finally:
        os.close(fd)
    if not size or size % TAG_ENTRY:
        raise FormatError(f"{directory.path}/{tags_name(segment)} is torn or empty")
    ((end, tag),) = parse_tags(last)
    return Extent(size // TAG_ENTRY, end, tag)


def first_note(directory: Directory, segment: int) -> Note:
    """Return a segment's `segment` note; FormatError, FileNotFoundError where it does not begin with one."""
    fd = directory.file(log_name(segment))
    try:
        with reading(f"{directory.path}/{log_name(segment)}"):
            record = parse_record(os.pread(fd, MAX_RECORD + 1, 0).partition(b"\n")[0])
    finally:
        os.close(fd)
    note = parse_note(record.payload) if record.kind == NOTE else None
    if not note or note.event != "segment":
        raise FormatError("a segment that does not begin with its note")
    return note
