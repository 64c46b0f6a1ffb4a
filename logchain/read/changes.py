"""Tells which streams were committed to since one last asked: a look at times of files, no reading."""

import os
import time

from logchain.read.segments import all_streams
from logchain.store.layout import LIVE, RATCHET, SEALED, Directory

__all__ = ["Changes"]

_GRAIN = 50_000_000  # ns: a file may change again within the grain of its time, and show the same
_RESCAN = 1_000_000_000  # ns


class Changes:
    """The streams of a store, and when their key states were written."""

    def __init__(self, store: Directory) -> None:
        self._store = store
        self._stamps: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str]] = []
        self._tops: tuple[int, ...] = ()
        self._scanned = 0

    @property
    def names(self) -> list[tuple[str, str]]:
        """VM and stream of all that were there when one last asked."""
        return self._names

    def changed(self) -> list[tuple[str, str]]:
        """Return VM and stream of those that are new, or whose key state may have changed."""
        now = time.time_ns()
        tops = tuple(self._stamp(name) for name in (LIVE, SEALED, *sorted({f"{LIVE}/{vm}" for vm, _ in self._names})))
        if tops != self._tops or not 0 <= now - self._scanned < _RESCAN:
            self._names, self._tops, self._scanned = all_streams(self._store), tops, now
        found = []
        for vm, stream in self._names:
            stamp = self._stamp(f"{LIVE}/{vm}/{stream}/{RATCHET}")
            if stamp != self._stamps.get((vm, stream)):
                self._stamps[vm, stream] = 0 if abs(now - stamp) < _GRAIN else stamp
                found.append((vm, stream))
        return found

    def _stamp(self, name: str) -> int:
        try:
            return os.stat(name, dir_fd=self._store.fd, follow_symlinks=False).st_mtime_ns
        except OSError:
            return -1
