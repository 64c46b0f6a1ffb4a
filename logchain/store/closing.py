"""Asking whoever writes streams to close their segments, so that these can be sealed (docs/spec/files.md, 13)."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from logchain.format.errors import FormatError, StoreError
from logchain.format.keystate import Status
from logchain.store.layout import Directory, close_name, stream_directory
from logchain.store.opening import is_written
from logchain.store.segments import durable_state

__all__ = ["being_written", "close_written"]

_PATIENCE = 8.0  # s: a collector looks every three, and may have to wait for its disk
_STEP = 0.1  # s between two looks of ours


def being_written(store: Directory, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the streams of these that somebody writes, with the segment that is open."""
    found = {}
    for vm, stream in names:
        with suppress(FileNotFoundError, FormatError, StoreError), stream_directory(store, vm, stream) as live:
            state = durable_state(live)
            if state.status == Status.OPEN and is_written(live):
                found[vm, stream] = state.segment
    return found


def close_written(store: Directory, wanted: dict[tuple[str, str], int]) -> None:
    """Wait until these segments are closed by those who write them, or until that takes too long.

    Whoever ends meanwhile leaves a segment that anybody can close.
    """
    with ExitStack() as stack:
        for (vm, stream), segment in wanted.items():
            with suppress(OSError, StoreError, FormatError):
                stack.enter_context(_mark(store, vm, stream, segment))
        end = time.monotonic() + _PATIENCE
        while any(_is_open(store, *one) for one in wanted.items()) and time.monotonic() < end:
            time.sleep(_STEP)


def _is_open(store: Directory, name: tuple[str, str], segment: int) -> bool:
    with suppress(FileNotFoundError, FormatError, StoreError), stream_directory(store, *name) as live:
        state = durable_state(live)
        return state.status == Status.OPEN and state.segment == segment
    return False


@contextmanager
def _mark(store: Directory, vm: str, stream: str, segment: int) -> Iterator[None]:
    """Put a mark beside a segment for a while. One that a crash leaves says nothing once the segment is closed."""
    with stream_directory(store, vm, stream) as live:
        name = close_name(segment)
        os.close(live.file(name, os.O_WRONLY | os.O_CREAT))
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=live.fd)
