"""Births: each new stream gets a secret that only the audit secret can derive again (docs/spec/keystate.md)."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

from logchain.format.errors import FormatError, StoreError
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, format_births, parse_births, read_ratchet
from logchain.format.limits import MAX_BIRTHS
from logchain.format.ratchet import successor
from logchain.format.slots import FILE_SIZE
from logchain.store.durable import SlotFile
from logchain.store.layout import BIRTHS, RATCHET, Directory, stream_directory

__all__ = ["give_birth"]


def give_birth(store: Directory, vm: str, stream: str, accept: Callable[[int, bytes], None]) -> None:
    """Give the next birth to a stream.

    `accept` gets its number and secret (32 bytes) and makes the stream's key state durable. Whoever calls holds
    the stream's lock; the lock of `births` is taken inside it, never the other way round.
    """
    slots = _lock_births(store)
    try:
        state = parse_births(slots.body)
        if state.pending and _was_given(store, *state.pending, state.birth):
            state = BirthState(state.birth + 1, successor(state.secret))
        if state.birth > MAX_BIRTHS:
            raise StoreError("the store has given all the births it may; begin a new store")
        slots.commit(format_births(state._replace(pending=(vm, stream))))
        accept(state.birth, state.secret)
        slots.commit(format_births(BirthState(state.birth + 1, successor(state.secret))))
        slots.settle()
    finally:
        slots.close()


def _lock_births(store: Directory) -> SlotFile:
    try:
        fd = store.file(BIRTHS, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)  # released when SlotFile closes it
        return SlotFile(fd, BIRTHS_MAGIC)
    except (FileNotFoundError, FormatError) as error:
        raise StoreError("the store's births are lost; 'logchain verify' tells what is left") from error


def _was_given(store: Directory, vm: str, stream: str, birth: int) -> bool:
    """Tell whether a birth that was cut short had reached the stream's key state."""
    with suppress(FileNotFoundError, FormatError, StoreError), stream_directory(store, vm, stream) as directory:
        return read_ratchet(directory.read(RATCHET, FILE_SIZE)).birth == birth
    return False
