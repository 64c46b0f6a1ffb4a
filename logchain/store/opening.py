"""Opening a stream for writing: its birth if it needs one, its lock, and what a crash left behind.

What the key state says is durable must be there. If it is not, no crash of ours did it: the stream is left as it is
and begins anew, under a new birth and with a `broken` note.
"""

import fcntl
import os
import time
from contextlib import ExitStack, suppress

from logchain.format.errors import Busy, FormatError, OddFile, StoreError
from logchain.format.identity import format_stream, parse_store, parse_stream
from logchain.format.keystate import (
    BROKEN,
    NO_KEY,
    NO_SESSION,
    RATCHET_MAGIC,
    KeyState,
    Status,
    format_keystate,
    parse_keystate,
    read_ratchet,
)
from logchain.format.limits import MAX_NUMBER, MAX_RECORD, MAX_SMALL_FILE
from logchain.format.ratchet import stream_id, stream_secret, successor
from logchain.format.record import parse_note, parse_record
from logchain.format.slots import FILE_SIZE, format_slots
from logchain.format.tags import TAG_ENTRY, format_tags
from logchain.store.births import finish_birth, give_birth
from logchain.store.clock import Clock
from logchain.store.durable import SlotFile, make_directory, put, shred
from logchain.store.layout import (
    FORGETTING,
    FORMAT,
    ID,
    LIVE,
    LOCK,
    QUARANTINE,
    RATCHET,
    Directory,
    is_restoring,
    segments,
)
from logchain.store.recovery import open_segment, recover
from logchain.store.stream import DEFAULT_ROLLING, Rolling, StreamName, StreamWriter
from logchain.store.traces import last_sealed, number_behind

__all__ = [
    "HeldStream",
    "begin_anew",
    "hold_stream",
    "is_written",
    "lock_stream",
    "open_stream",
    "prepare_stream",
    "stands",
]

_TRIES, _PAUSE = 10, 0.02  # s: to begin in a directory that somebody holds, or removes, as it is empty


class HeldStream:
    """A stream whose lock is ours; `open` makes it ready for writing."""

    def __init__(self, directory: Directory, lock: int, name: StreamName) -> None:
        self.directory, self._lock, self._name = directory, lock, name

    def open(self, clock: Clock, rolling: Rolling = DEFAULT_ROLLING) -> StreamWriter:
        """Recover what a crash left, and return the writer, which holds the lock from now on.

        Raises Full, WriteFailed, or StoreError; the stream is let go then.
        """
        with ExitStack() as stack:
            stack.callback(self.close)
            slots = SlotFile(self.directory.file(RATCHET, os.O_RDWR), RATCHET_MAGIC)
            stack.callback(slots.close)
            state = parse_keystate(slots.body)
            writer = StreamWriter(self.directory, self._lock, self._name, slots, state, clock, rolling)
            stack.pop_all()
        try:
            recover(self.directory, writer, state, clock.wall())
        except BaseException:
            writer.abandon()
            raise
        return writer

    def close(self) -> None:
        """Let it go."""
        self.directory.close()
        os.close(self._lock)


def open_stream(
    store: Directory, vm: str, stream: str, clock: Clock, rolling: Rolling = DEFAULT_ROLLING
) -> StreamWriter:
    """Open a stream for writing, making it where there is none. Raises what the three steps raise."""
    prepare_stream(store, vm, stream)
    return hold_stream(store, vm, stream).open(clock, rolling)


def prepare_stream(store: Directory, vm: str, stream: str) -> None:
    """See that a stream is there and has a birth; `vm` and `stream` are checked names.

    The secret of births is in memory by then, and with it those of all streams to come. Raises Busy while somebody else
    writes it, Full, WriteFailed, or StoreError.
    """
    try:
        parse_store(store.read(FORMAT, MAX_SMALL_FILE))  # before anything is made in what may be no store of ours
        live = store.directory(LIVE)
    except (FileNotFoundError, FormatError) as error:
        raise _no_store(store) from error
    with live:
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                if _prepare(store, live, vm, stream):
                    return
            time.sleep(_PAUSE)
    raise Busy(f"{store.path}/{LIVE}/{vm}/{stream} is being removed")


def _prepare(store: Directory, live: Directory, vm: str, stream: str) -> bool:
    """Do it if it can be done now; FileNotFoundError where a directory goes meanwhile.

    What is still empty may be the rest of a stream that was forgotten: log-compressor takes its lock to see, and
    removes it.
    """
    with make_directory(live, vm) as vm_directory, make_directory(vm_directory, stream) as directory:
        try:
            lock = _enter(store, directory)
        except Busy:
            if RATCHET in directory.names() or is_restoring(store):
                raise
            return False
        try:
            _see_to_birth(store, directory, vm, stream)
            make_directory(directory, QUARANTINE).close()  # an instance can make none
        finally:
            os.close(lock)
    return True


def hold_stream(store: Directory, vm: str, stream: str) -> HeldStream:
    """Take the lock of a stream that was prepared.

    Raises Busy while somebody else writes it, FileNotFoundError where there is none, or FormatError.
    """
    try:
        store_id = parse_store(store.read(FORMAT, MAX_SMALL_FILE)).store_id
    except (FileNotFoundError, FormatError) as error:
        raise _no_store(store) from error
    with ExitStack() as stack:
        with store.directory(LIVE) as live, live.directory(vm) as vm_directory:
            directory = vm_directory.directory(stream)
        stack.callback(directory.close)
        lock = _enter(store, directory)
        stack.callback(os.close, lock)
        identity = parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream)
        stack.pop_all()
    return HeldStream(directory, lock, StreamName(store_id, vm, stream, identity))


def _no_store(store: Directory) -> StoreError:
    return StoreError(f"{store.path} is no store, or not a whole one; make one with 'logchain init'")


def lock_stream(directory: Directory) -> int:
    """Take a stream's lock without waiting, and return its descriptor. Raises Busy."""
    try:
        lock = directory.file(LOCK, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError as error:
        raise Busy(f"{directory.path} was removed just now") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Busy(f"{directory.path} is being written by somebody else") from error
    if not os.fstat(lock).st_nlink:  # whoever held it removed the stream
        os.close(lock)
        raise Busy(f"{directory.path} was removed just now")
    return lock


def is_written(live: Directory) -> bool:
    """Tell whether somebody writes a stream in this moment."""
    try:
        os.close(lock_stream(live))
    except Busy:
        return True
    return False


def _enter(store: Directory, directory: Directory) -> int:
    lock = lock_stream(directory)
    error = ""
    if FORGETTING in directory.names():
        error = f"{directory.path} is being forgotten; log-compressor, or 'logchain forget', has to finish it"
    elif is_restoring(store):
        error = f"{store.path} comes back from a backup; 'logchain restored' has to finish it"
    if error:
        os.close(lock)
        raise Busy(error)
    return lock


def _see_to_birth(store: Directory, directory: Directory, vm: str, stream: str) -> None:
    """Give the stream a birth if it has none, or if what is there does not fit together."""
    state, identity = _read_state(directory), _read_identity(directory, vm, stream)
    if state and identity and stands(directory, state):
        finish_birth(store)
        return
    last = state.segment if state else last_sealed(store, vm, stream, identity)
    last = max([last, *segments(directory)])
    status = Status.LOST_TEXT if state and identity else Status.LOST_KEYS if identity else Status.LOST_ID
    if not last and RATCHET not in directory.names():
        status = Status.CLOSED  # nothing was ever written here: a first birth, perhaps one that was cut short
    if not identity:
        salt = os.urandom(32)
        put(directory, ID, [format_stream(salt, vm, stream)])
        identity = stream_id(salt, vm, stream)
    newborn = KeyState(
        birth=0,
        segment=last,
        status=status,
        opened=0,
        first=state.next_number if state else _next_number(store, directory, vm, stream, last),
        records=0,
        end=0,
        time=state.time if state else 0,
        boot=bytes(16),
        tag=bytes(32),
        key=NO_KEY,
        next=NO_KEY,
        session=NO_SESSION,
        resume=(),  # better lines twice than lines that a sender believes stored
    )

    def accept(birth: int, secret: bytes) -> None:
        secret = successor(stream_secret(secret, identity), last)  # R of segment last + 1
        body = format_keystate(newborn._replace(birth=birth, next=secret))
        shred(directory, RATCHET)  # the keys of a stream that begins anew
        put(directory, RATCHET, [format_slots(RATCHET_MAGIC, body)])

    give_birth(store, vm, stream, accept)


def begin_anew(store: Directory, directory: Directory, vm: str, stream: str) -> None:
    """Give a stream a new birth, for the store came back from a backup. Its lock is ours.

    The keys that it has may have gone on elsewhere: none is used for a record any more, only to prove where its open
    segment ends. A stream of which something is lost gets its birth when it is next opened.
    """
    state, identity = _read_state(directory), _read_identity(directory, vm, stream)
    if not (state and identity and stands(directory, state)):
        return
    newborn = state._replace(session=NO_SESSION, resume=())  # whoever sent since then has to send it again
    last = max([state.segment, last_sealed(store, vm, stream, identity)])
    if last and state.status not in BROKEN:
        newborn = newborn._replace(status=Status.RESTORED)
    if last > state.segment:  # what is sealed is from a later moment than this
        first = _next_number(store, directory, vm, stream, last)
        newborn = newborn._replace(segment=last, first=first, records=0, end=0, tag=bytes(32), key=NO_KEY)

    def accept(birth: int, secret: bytes) -> None:
        secret = successor(stream_secret(secret, identity), last)  # R of segment last + 1
        slots = SlotFile(directory.file(RATCHET, os.O_RDWR), RATCHET_MAGIC)
        try:
            slots.commit(format_keystate(newborn._replace(birth=birth, next=secret)))
            slots.settle()
        finally:
            slots.close()

    give_birth(store, vm, stream, accept)


def _read_state(directory: Directory) -> KeyState | None:
    with suppress(FileNotFoundError, FormatError):
        return read_ratchet(directory.read(RATCHET, FILE_SIZE))
    return None


def _read_identity(directory: Directory, vm: str, stream: str) -> bytes:
    """Return the stream id, or nothing where it is lost."""
    with suppress(FileNotFoundError, FormatError):
        return parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream)
    return b""


def stands(directory: Directory, state: KeyState) -> bool:
    """Tell whether what the key state says is durable is there. The keys to check more are gone, as they should be."""
    if not state.bounds_segment:
        return True
    with suppress(FileNotFoundError, OddFile), open_segment(directory, state.segment) as (log, tag_file):
        last = os.pread(tag_file, TAG_ENTRY, (state.records - 1) * TAG_ENTRY)
        return last == format_tags([state.end], [state.tag]) and os.pread(log, 1, state.end - 1) == b"\n"
    return False


def _next_number(store: Directory, directory: Directory, vm: str, stream: str, segment: int) -> int:
    """Return the number of the record after a segment's last, as far as the segment itself can tell."""
    with suppress(FileNotFoundError, FormatError), open_segment(directory, segment) as (log, tag_file):
        first = os.pread(log, MAX_RECORD, 0).partition(b"\n")[0]
        records = os.fstat(tag_file).st_size // TAG_ENTRY
        number = parse_note(parse_record(first).payload).number("first") + records
        return number if number < MAX_NUMBER // 2 else 0  # no stream of ours gets that far
    return number_behind(store, vm, stream, segment)
