"""Forgetting a qube: its streams' text, keys and salts, and with them its name; the ledger knows their ids only.

A stream that is being forgotten holds the file `forgetting` until the last of it is gone, and nobody opens it
meanwhile: else a crash in between could let it go on under an id that the ledger calls forgotten.

The order, stream after stream: the mark; its births are in the ledger; its entry `forget` (the commit point); what is
sealed goes, then what is live, the mark last.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from logchain.format.errors import FormatError, Full, OddFile, StoreError, WriteFailed
from logchain.format.identity import parse_stream
from logchain.format.ledger import Forget
from logchain.format.limits import MAX_SMALL_FILE
from logchain.store.births import finish_birth
from logchain.store.durable import reading, remove, shred, sync
from logchain.store.layout import (
    FORGETTING,
    ID,
    LIVE,
    LOCK,
    RATCHET,
    SEALED,
    Directory,
    manifests,
    segments,
    stream_directory,
    streams,
)
from logchain.store.ledger import Ledger
from logchain.store.opening import lock_stream
from logchain.store.sealed import stream_ids
from logchain.store.sealer import record_births
from logchain.store.segments import durable_state

__all__ = ["finish_forgetting", "forget"]


def forget(store: Directory, ledger: Ledger, vm: str) -> int:
    """Forget a qube; return how many streams it had.

    Raises Busy while somebody writes one of them: then nothing was done. Raises Full, WriteFailed, StoreError.
    """
    finish_birth(store)  # the names of one that was cut short stand in `births`
    names = [stream for found, stream in streams(store) if found == vm]
    sealed_only = [stream for found, stream in streams(store, SEALED) if found == vm and stream not in names]
    with ExitStack() as stack:
        for stream in names:
            live = stack.enter_context(stream_directory(store, vm, stream))
            stack.callback(os.close, lock_stream(live))
        for stream in names:
            with stream_directory(store, vm, stream) as live:
                _mark(live)
                with suppress(FileNotFoundError, FormatError):
                    identity = parse_stream(live.read(ID, MAX_SMALL_FILE), vm, stream)
                    record_births(ledger, live, identity, durable_state(live))  # a birth without a stream is a gap
                _enter(store, ledger, vm, stream)
                _remove_stream(store, vm, stream)
    for stream in sealed_only:
        _enter(store, ledger, vm, stream)
        _remove_stream(store, vm, stream)
    _remove_vm(store, vm)
    return len(names) + len(sealed_only)


def _mark(live: Directory) -> None:
    """Put the mark there. It is empty, so it is whole at once: another name first could stay behind a crash."""
    os.close(live.file(FORGETTING, os.O_RDWR | os.O_CREAT))
    sync([live.fd])


def finish_forgetting(store: Directory, ledger: Ledger) -> None:
    """Go on where a crash cut `forget` short; what it had not yet entered in the ledger stays.

    The mark is in live/, where collectors could put one: what is sealed goes only if the ledger says so.
    """
    for vm, stream in list(streams(store, LIVE, [])):
        try:
            _finish_stream(store, ledger, vm, stream)
        except (Full, WriteFailed):
            raise
        except StoreError:  # it may not be looked into, or is being born: the others do not wait for it
            continue
    for part in (SEALED, LIVE):
        with suppress(FileNotFoundError, OddFile), store.directory(part) as top:
            for vm in top.names():
                if _is_empty(top, vm):
                    _remove_directory(top, vm)


def _is_empty(top: Directory, vm: str) -> bool:
    with suppress(FileNotFoundError, OddFile, StoreError), top.directory(vm) as directory:
        return not directory.names()
    return False


def _finish_stream(store: Directory, ledger: Ledger, vm: str, stream: str) -> None:
    with suppress(FileNotFoundError, OddFile), stream_directory(store, vm, stream) as live:
        if not _is_left(live):
            return
        lock = lock_stream(live)
        try:
            if not _is_left(live):
                return
            if _is_entered(store, ledger, vm, stream):
                _remove_stream(store, vm, stream)
            elif not _is_erased(live):
                remove(live, [FORGETTING])
                return
            else:  # the last of it: what was sealed went before the id
                _remove_stream(store, vm, stream, [LIVE])
        finally:
            os.close(lock)
    _remove_vm(store, vm)


def _is_left(live: Directory) -> bool:
    """Tell whether a stream is being forgotten, or all but its lock is gone; so it is in the midst of a birth, too."""
    names = live.names()
    return FORGETTING in names or not set(names) - {LOCK}


def _is_erased(live: Directory) -> bool:
    """Tell whether a stream's id is gone, or overwritten and about to go."""
    try:
        with reading(f"{live.path}/{ID}"):
            return not any(live.read(ID, MAX_SMALL_FILE))
    except FileNotFoundError:
        return True
    except (FormatError, OddFile):
        return False


def _is_entered(store: Directory, ledger: Ledger, vm: str, stream: str) -> bool:
    ids = stream_ids(store, vm, stream)
    return bool(ids) and all(ledger.state.of(identity).forgotten is not None for identity in ids)


def _enter(store: Directory, ledger: Ledger, vm: str, stream: str) -> None:
    """Append the entries for a stream: one for each id that it had."""
    last = 0
    for part, numbers in ((LIVE, segments), (SEALED, manifests)):
        with suppress(FileNotFoundError, OddFile), stream_directory(store, vm, stream, part) as directory:
            last = max([last, *numbers(directory)])
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream) as live:
        last = max(last, durable_state(live).segment)
    for identity in stream_ids(store, vm, stream):
        if ledger.state.of(identity).forgotten is None:
            ledger.append(Forget(identity, max(last, ledger.state.of(identity).last)))


def _remove_stream(store: Directory, vm: str, stream: str, parts: Sequence[str] = (SEALED, LIVE)) -> None:
    """Remove all of a stream: what is sealed, then what is live, its mark last of all."""
    for part in parts:
        with suppress(FileNotFoundError, OddFile), store.directory(part) as top, top.directory(vm) as parent:
            with parent.directory(stream) as directory:
                _empty(directory)
                remove(directory, [FORGETTING, LOCK])
            _remove_directory(parent, stream)


def _remove_vm(store: Directory, vm: str) -> None:
    for part in (SEALED, LIVE):
        with suppress(FileNotFoundError, OddFile), store.directory(part) as top:
            _remove_directory(top, vm)


def _empty(directory: Directory) -> None:
    """Remove what is in a directory but the mark and the lock; keys and salt are overwritten.

    What tells the stream's id goes last: by it a reader knows that the rest is being forgotten.
    """
    names = [name for name in directory.names() if name not in (FORGETTING, LOCK)]
    for name in sorted(names, key=lambda name: name == ID or name.endswith(".manifest")):
        try:
            with directory.directory(name) as inner:
                _empty(inner)
                remove(inner, [FORGETTING, LOCK])
            _remove_directory(directory, name)
        except OddFile:  # a file, as nearly all are
            if name in (RATCHET, ID) or name.startswith("."):  # or what a crash left of writing them
                shred(directory, name)
            else:
                remove(directory, [name])


def _remove_directory(parent: Directory, name: str) -> None:
    """Remove a directory if it is empty: somebody may have begun anew in it."""
    try:
        os.rmdir(name, dir_fd=parent.fd)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise WriteFailed(f"cannot remove {parent.path}/{name}: {error.strerror}") from error
    sync([parent.fd])
