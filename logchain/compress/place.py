"""The place of the one log-compressor of a store: a lock, held as long as it runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from logchain.format.errors import Busy, StoreError, UsageError
from logchain.store.layout import COMPRESSOR, KEYS, Directory

__all__ = ["Place", "take_place"]


class Place:
    """The place, taken."""

    def __init__(self, path: str, lock: int) -> None:
        self._path, self._lock = path, lock

    def check(self) -> None:
        """See that the store at this path is the one in which we have the place; StoreError where it is another."""
        try:
            if os.path.samestat(os.stat(f"{self._path}/{KEYS}/{COMPRESSOR}"), os.fstat(self._lock)):
                return
        except OSError:
            pass
        raise StoreError(f"{self._path} was replaced while log-compressor ran, or its lock was: start it again")


@contextmanager
def take_place(store: Directory) -> Iterator[Place]:
    """Take the place of the one compressor of a store; Busy where there is one."""
    try:
        with store.directory(KEYS) as keys:
            lock = keys.file(COMPRESSOR, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError as error:
        raise UsageError(f"{store.path} has no ledger; make a new store with 'logchain init'") from error
    try:
        _lock(store, lock)
        yield Place(store.path, lock)
    finally:
        os.close(lock)


def _lock(store: Directory, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Busy(f"log-compressor runs on {store.path}") from error
    except OSError as error:
        raise StoreError(f"cannot lock {store.path}/{KEYS}/{COMPRESSOR}: {error.strerror}") from error
