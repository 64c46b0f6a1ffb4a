"""Opening a stream for writing: its lock, its birth, and what a crash left behind. Every start runs this code.

What the key state says is durable must be there; if it is not, no crash of ours did it, and the stream begins anew
with a `broken` note. What lies beyond was written but never acknowledged: it is adopted as far as it verifies under
the key, and written once more, for after a failed sync it may be in the page cache only. The rest is torn, and goes
to `quarantine/`.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from logchain.format.errors import Busy, FormatError, OddFile, StoreError
from logchain.format.identity import format_stream, parse_store, parse_stream
from logchain.format.keystate import (
    NO_KEY,
    NO_SESSION,
    RATCHET_MAGIC,
    KeyState,
    Status,
    format_keystate,
    parse_keystate,
)
from logchain.format.limits import MAX_NUMBER, MAX_RECORD, MAX_SMALL_FILE
from logchain.format.ratchet import step, stream_secret, successor
from logchain.format.record import parse_note, parse_record
from logchain.format.slots import FILE_SIZE, newest
from logchain.format.tags import TAG_ENTRY, format_tags, parse_tags
from logchain.store.births import give_birth
from logchain.store.clock import Clock
from logchain.store.durable import SlotFile, create, make_directory
from logchain.store.layout import (
    FORMAT,
    ID,
    LIVE,
    LOCK,
    QUARANTINE,
    RATCHET,
    Directory,
    log_name,
    segment_number,
    tags_name,
)
from logchain.store.stream import DEFAULT_ROLLING, Rolling, StreamName, StreamWriter

__all__ = ["open_stream"]

_MOST = 16 << 20  # of what lies beyond the key state: several times what a commit can hold


def open_stream(
    store: Directory, vm: str, stream: str, clock: Clock, rolling: Rolling = DEFAULT_ROLLING
) -> StreamWriter:
    """Open a stream for writing, making it where there is none; `vm` and `stream` are checked names.

    Raises Busy while somebody else writes it, Full, WriteFailed, or StoreError.
    """
    try:
        store_id = parse_store(store.read(FORMAT, MAX_SMALL_FILE)).store_id
        live = store.directory(LIVE)
    except (FileNotFoundError, FormatError) as error:
        raise StoreError(f"{store.path} is no store, or not a whole one; make one with 'logchain init'") from error
    with ExitStack() as stack:
        with live, make_directory(live, vm) as vm_directory:
            directory = make_directory(vm_directory, stream)
        stack.callback(directory.close)
        lock = directory.file(LOCK, os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{vm}/{stream} is being written by somebody else") from error
        _see_to_birth(store, directory, vm, stream)
        name = StreamName(store_id, vm, stream, parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream))
        slots = SlotFile(directory.file(RATCHET, os.O_RDWR), RATCHET_MAGIC)
        stack.callback(slots.close)
        state = parse_keystate(slots.body)
        writer = StreamWriter(directory, lock, name, slots, state, clock, rolling)
        stack.pop_all()
    try:
        _recover(directory, writer, state, clock)
    except BaseException:
        writer.abandon()
        raise
    return writer


def _see_to_birth(store: Directory, directory: Directory, vm: str, stream: str) -> None:
    """Give the stream a birth if it has none, or if what is there does not fit together."""
    state, status = None, Status.CLOSED
    try:
        state = parse_keystate(newest(RATCHET_MAGIC, directory.read(RATCHET, FILE_SIZE)).body)
        if not _stands(directory, state):
            status = Status.LOST_TEXT
    except (FileNotFoundError, FormatError):
        status = Status.LOST_KEYS
    try:
        stream_id = parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream)
    except (FileNotFoundError, FormatError):
        status = Status.LOST_ID
    if status == Status.CLOSED:
        return

    last = max(_segments(directory), default=0)
    if state is None and not last and RATCHET not in directory.names():
        status = Status.CLOSED  # nothing was ever written here: a first birth, perhaps one that was cut short
    if status in (Status.LOST_ID, Status.CLOSED):
        salt = os.urandom(32)
        create(directory, ID, format_stream(salt, vm, stream))
        stream_id = parse_stream(directory.read(ID, MAX_SMALL_FILE), vm, stream)
    last = max(last, state.segment if state else 0)

    def accept(birth: int, secret: bytes) -> None:
        newborn = KeyState(
            birth=birth,
            segment=last,
            status=status,
            opened=0,
            first=state.next_number if state else _next_number(directory, last),
            records=0,
            end=0,
            time=state.time if state else 0,
            boot=bytes(16),
            tag=bytes(32),
            key=NO_KEY,
            next=successor(stream_secret(secret, stream_id), last),  # R of segment last + 1
            session=NO_SESSION,
            resume=(),  # better lines twice than lines that a sender believes stored
        )
        create(directory, RATCHET, SlotFile.initial(RATCHET_MAGIC, format_keystate(newborn)))

    give_birth(store, vm, stream, accept)


def _stands(directory: Directory, state: KeyState) -> bool:
    """Tell whether what the key state says is durable is there. The keys to check more are gone, as they should be."""
    if state.status not in (Status.OPEN, Status.GIVEN_UP):
        return True
    with suppress(FileNotFoundError, OddFile), _opened(directory, state.segment) as (log, tag_file):
        last = os.pread(tag_file, TAG_ENTRY, (state.records - 1) * TAG_ENTRY)
        return last == format_tags([state.end], [state.tag]) and os.pread(log, 1, state.end - 1) == b"\n"
    return False


def _recover(directory: Directory, writer: StreamWriter, state: KeyState, clock: Clock) -> None:
    """Adopt what was written and not acknowledged, and put the rest away."""
    stamp = clock.wall()
    for segment in _segments(directory):
        if segment > state.segment:  # opened, and never committed: it holds nothing but its first notes
            for name in (log_name(segment), tags_name(segment)):
                with suppress(FileNotFoundError), make_directory(directory, QUARANTINE) as quarantine:
                    os.rename(name, f"{stamp}-{name}", src_dir_fd=directory.fd, dst_dir_fd=quarantine.fd)
    if state.status not in (Status.OPEN, Status.GIVEN_UP):
        return
    with _opened(directory, state.segment) as (log, tag_file):
        end, records = state.end, state.records
        if state.status == Status.OPEN:
            end, records = _adopt(writer, state, log, tag_file)
        cut = os.fstat(log).st_size - end
        for fd, name, size in (
            (log, log_name(state.segment), end),
            (tag_file, tags_name(state.segment), records * TAG_ENTRY),
        ):
            torn = os.pread(fd, _MOST, size)
            if torn:
                with make_directory(directory, QUARANTINE) as quarantine:
                    create(quarantine, f"{stamp}-{name}", torn)
                os.ftruncate(fd, size)
    if cut:
        writer.recovered(cut)
    writer.commit()


def _adopt(writer: StreamWriter, state: KeyState, log: int, tag_file: int) -> tuple[int, int]:
    """Give the writer the records that verify under the key; return where text ends then, and how many there are."""
    text, end, records, key = os.pread(log, _MOST, state.end), state.end, state.records, state.key
    tags = os.pread(tag_file, _MOST, state.records * TAG_ENTRY)
    for claimed, tag in parse_tags(tags[: len(tags) // TAG_ENTRY * TAG_ENTRY]):
        record = text[end - state.end : claimed - state.end]
        if not record.endswith(b"\n") or end + len(record) != claimed:  # an end is not authenticated
            break
        key, found = step(key, record[:-1])
        if found != tag:
            break
        writer.adopt(record[:-1])
        end, records = claimed, records + 1
    return end, records


def _segments(directory: Directory) -> list[int]:
    return [number for name in directory.names() if (number := segment_number(name)) is not None]


@contextmanager
def _opened(directory: Directory, segment: int) -> Iterator[tuple[int, int]]:
    with ExitStack() as stack:
        fds = []
        for name in (log_name(segment), tags_name(segment)):
            fds.append(directory.file(name, os.O_RDWR))
            stack.callback(os.close, fds[-1])
        yield fds[0], fds[1]


def _next_number(directory: Directory, segment: int) -> int:
    """Return the number of the record after a segment's last, as far as the segment itself can tell."""
    with (
        suppress(FileNotFoundError, FormatError),
        _opened(directory, segment) as (log, tag_file),
    ):
        first = os.pread(log, MAX_RECORD, 0).partition(b"\n")[0]
        records = os.fstat(tag_file).st_size // TAG_ENTRY
        number = parse_note(parse_record(first).payload).number("first") + records
        return number if number < MAX_NUMBER // 2 else 0  # no stream of ours gets that far
    return 0
