"""Births: each new stream gets a secret that only the audit secret can derive again (docs/spec/keystate.md)."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from logchain.format.errors import FormatError, OddFile, StoreError
from logchain.format.keystate import BIRTHS_MAGIC, BirthState, format_births, parse_births, read_ratchet
from logchain.format.limits import MAX_BIRTHS
from logchain.format.ratchet import successor
from logchain.format.slots import FILE_SIZE, SLOT_SIZE, WIPED, newest
from logchain.store.durable import SlotFile, shred
from logchain.store.layout import BIRTHS, RATCHET, Directory, stream_directory, temporary_name

__all__ = ["finish_birth", "give_birth", "next_birth", "skip_births"]


def give_birth(store: Directory, vm: str, stream: str, accept: Callable[[int, bytes], None]) -> None:
    """Give the next birth to a stream.

    `accept` gets its number and secret (32 bytes) and makes the stream's key state durable. Whoever calls holds
    the stream's lock; the lock of `births` is taken inside it, never the other way round. Raises Full, WriteFailed, or
    StoreError where births are lost or used up.
    """
    with _locked(store) as slots:
        state = _finish(store, slots)
        if state.birth > MAX_BIRTHS:
            raise StoreError("the store has given all the births it may; begin a new store")
        slots.commit(format_births(state._replace(pending=(vm, stream))))
        accept(state.birth, state.secret)  # the commit point: with the key state the birth is given, whatever comes
        slots.commit(format_births(BirthState(state.birth + 1, successor(state.secret))))
        slots.settle()


def finish_birth(store: Directory) -> None:
    """Finish a birth that was cut short, if there is one: its secret must be gone before its stream stores a line."""
    with suppress(FileNotFoundError, FormatError):  # births are lost: streams that are there go on all the same
        data = store.read(BIRTHS, FILE_SIZE)
        slot = newest(BIRTHS_MAGIC, data)
        if not parse_births(slot.body).pending and data[(1 - slot.place) * SLOT_SIZE :][:SLOT_SIZE] == WIPED:
            return
    with suppress(_Lost), _locked(store) as slots:
        _finish(store, slots)


def next_birth(store: Directory) -> int:
    """Return the number of the birth that is given next."""
    with _locked(store) as slots:
        return _finish(store, slots).birth


def skip_births(store: Directory, first: int) -> None:
    """See that births before `first` are not given any more."""
    with _locked(store) as slots:
        state = _finish(store, slots)
        if state.birth < first:
            slots.commit(format_births(BirthState(first, successor(state.secret, first - state.birth))))
            slots.settle()


class _Lost(StoreError):
    """There is nothing to read births from."""

    def __init__(self) -> None:
        super().__init__("the store's births are lost; 'logchain verify' tells what is left")


@contextmanager
def _locked(store: Directory) -> Iterator[SlotFile]:
    try:
        fd = store.file(BIRTHS, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)  # released when SlotFile closes it
        slots = SlotFile(fd, BIRTHS_MAGIC)
    except (FileNotFoundError, FormatError) as error:
        raise _Lost from error
    try:
        yield slots
    finally:
        slots.close()


def _finish(store: Directory, slots: SlotFile) -> BirthState:
    """Return the birth state with no birth under way: one that was cut short was given, or leaves nothing behind."""
    try:
        state = parse_births(slots.body)
    except FormatError as error:
        raise _Lost from error
    if state.pending:
        if _was_given(store, *state.pending, state.birth):
            state = BirthState(state.birth + 1, successor(state.secret))
        else:
            state = state._replace(pending=None)
        slots.commit(format_births(state))
    slots.settle()  # also the wipe of a secret that a crash left in the other slot
    return state


def _was_given(store: Directory, vm: str, stream: str, birth: int) -> bool:
    """Tell whether a birth that was cut short reached the stream's key state; if not, nothing of it stays.

    If something of it may stay, the number is no other stream's: it counts as given. What is in one stream's
    directory must not keep the others from their births.
    """
    try:
        with stream_directory(store, vm, stream) as directory:
            with suppress(FileNotFoundError, FormatError):
                if read_ratchet(directory.read(RATCHET, FILE_SIZE)).birth == birth:
                    return True
            shred(directory, temporary_name(RATCHET))  # it may hold the secret of a number that another stream gets
    except FileNotFoundError:
        return False
    except (OddFile, StoreError):
        return True
    return False
