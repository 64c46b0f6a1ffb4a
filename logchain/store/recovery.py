"""What a crash left behind a stream's key state. Every start runs this code.

What lies beyond the key state was written but never acknowledged. It is adopted as far as it verifies under the key,
and written once more: after a sync that failed it may be in the page cache only. The rest is torn, and goes to
`quarantine/`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from logchain.format.keystate import KeyState, Status
from logchain.format.ratchet import step
from logchain.format.tags import TAG_ENTRY, parse_tags
from logchain.store.durable import cut, make_directory, move, put, remove
from logchain.store.layout import (
    QUARANTINE,
    Directory,
    log_name,
    quarantine_name,
    segments,
    tags_name,
    temporary_name,
)
from logchain.store.stream import StreamWriter

__all__ = ["open_segment", "recover"]

_MOST = 16 << 20  # of what lies beyond the key state is adopted: several times what a commit can hold
_CHUNK = 1 << 20


@contextmanager
def open_segment(directory: Directory, segment: int) -> Iterator[tuple[int, int]]:
    """Open a segment's text and tags for writing; FileNotFoundError where one is not there."""
    with ExitStack() as stack:
        fds = []
        for name in (log_name(segment), tags_name(segment)):
            fds.append(directory.file(name, os.O_RDWR))
            stack.callback(os.close, fds[-1])
        yield fds[0], fds[1]


def recover(directory: Directory, writer: StreamWriter, state: KeyState, stamp: int) -> None:
    """Adopt what was written and not acknowledged, and put the rest away; `stamp` names it there, µs since 1970."""
    names = directory.names()
    for segment in segments(directory):
        if segment > state.segment:  # opened, and never committed: it holds nothing but its first notes
            for name in {log_name(segment), tags_name(segment)}.intersection(names):
                with make_directory(directory, QUARANTINE) as quarantine:
                    move(directory, name, quarantine, quarantine_name(name, stamp))
    if not state.bounds_segment:
        return
    with open_segment(directory, state.segment) as (log, tag_file):
        end, records = state.end, state.records
        if state.status == Status.OPEN:
            end, records = _adopt(writer, state, log, tag_file)
        torn = os.fstat(log).st_size - end
        _put_away(directory, log, log_name(state.segment), end, stamp)
        _put_away(directory, tag_file, tags_name(state.segment), records * TAG_ENTRY, stamp)
    if torn:
        writer.recovered(torn)
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


def _put_away(directory: Directory, fd: int, name: str, start: int, stamp: int) -> None:
    """Move what a file has from `start` on to quarantine."""
    end = os.fstat(fd).st_size
    if end > start:
        chunks = (os.pread(fd, _CHUNK, at) for at in range(start, end, _CHUNK))
        with make_directory(directory, QUARANTINE) as quarantine:
            unfinished = temporary_name(f"-{name}")[1:]  # by a recovery that a crash cut short, with another stamp
            if left := [found for found in quarantine.names() if found.endswith(unfinished)]:
                remove(quarantine, left)
            put(quarantine, quarantine_name(name, stamp), chunks)
        cut(fd, start)
