"""The journal through libsystemd, by ctypes: no more of it than journald.py needs (sd-journal(3))."""

import ctypes
import os
from typing import Any

_LOCAL_ONLY = 1
INVALIDATE = 2  # what `process` says when files have come or gone

_LIBRARY = "libsystemd.so.0"

_bytes_at = ctypes.PyDLL(None).PyBytes_FromStringAndSize  # what ctypes.string_at calls, at half the cost
_bytes_at.restype = ctypes.py_object


def load() -> Any:
    """Return the library; raises OSError where it is not there."""
    library = ctypes.PyDLL(_LIBRARY)  # nobody else wants the interpreter while we read
    library.sd_journal_close.restype = None
    library.sd_journal_seek_tail.argtypes = library.sd_journal_seek_head.argtypes = [ctypes.c_void_p]
    return library


class Journal:
    """An open journal that stands at an entry, or before the first or behind the last.

    Of a field no more than `most` bytes are handed out, its name and sign included.
    """

    def __init__(self, library: Any, directory: str, most: int) -> None:
        self._library = library
        self._directory = directory
        self._most = most
        self._journal = ctypes.c_void_p()
        self.descriptor = -1
        self._pointer, self._size = ctypes.c_void_p(), ctypes.c_size_t()
        self._number, self._boot = ctypes.c_uint64(), (ctypes.c_char * 16)()
        self._references = ctypes.byref(self._pointer), ctypes.byref(self._size)

    def open(self, match: bytes) -> None:
        """Open it, anew if it is open; all that is read of it is as it is then, and what was mapped is let go."""
        self.close()
        library, opened = self._library, ctypes.byref(self._journal)
        if self._directory:
            self._check(library.sd_journal_open_directory(opened, os.fsencode(self._directory), 0))
        else:
            self._check(library.sd_journal_open(opened, _LOCAL_ONLY))
        library.sd_journal_set_data_threshold(self._journal, ctypes.c_size_t(self._most))
        if match:
            self.match(match)
        self.descriptor = self._check(library.sd_journal_get_fd(self._journal))

    def _check(self, result: int) -> int:
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def close(self) -> None:
        """Close it."""
        self._library.sd_journal_close(self._journal)  # which does nothing if it is not open
        self._journal.value, self.descriptor = None, -1

    def match(self, match: bytes) -> None:
        """See only entries with this FIELD=value; with nothing, all again."""
        self._library.sd_journal_flush_matches(self._journal)
        if match:
            self._check(self._library.sd_journal_add_match(self._journal, match, ctypes.c_size_t(len(match))))

    def process(self) -> int:
        """Take in what the descriptor has; return INVALIDATE if files have come or gone."""
        return self._check(self._library.sd_journal_process(self._journal))

    def head(self) -> None:
        """Go before the first entry."""
        self._check(self._library.sd_journal_seek_head(self._journal))

    def seek(self, cursor: str) -> bool:
        """Go to the entry of a cursor, or if it is gone to the one behind it; False if there is none either."""
        self._check(self._library.sd_journal_seek_cursor(self._journal, cursor.encode()))
        return self.next()

    def is_at(self, cursor: str) -> bool:
        """Whether this is the entry of the cursor."""
        return self._check(self._library.sd_journal_test_cursor(self._journal, cursor.encode())) > 0

    def next(self) -> bool:
        """Go to the next entry; False if there is none."""
        return self._check(self._library.sd_journal_next(self._journal)) > 0

    def cursor(self) -> str:
        """Return what `seek` finds this entry by."""
        self._check(self._library.sd_journal_get_cursor(self._journal, self._references[0]))
        try:
            return ctypes.string_at(self._pointer.value or 0).decode("ascii")
        finally:
            self._library.free(self._pointer)

    def times(self) -> tuple[int, int, bytes]:
        """Return the entry's microseconds since 1970 and since its boot, and that boot's id."""
        number = ctypes.byref(self._number)
        self._check(self._library.sd_journal_get_realtime_usec(self._journal, number))
        realtime = self._number.value
        self._check(self._library.sd_journal_get_monotonic_usec(self._journal, number, self._boot))
        return realtime, self._number.value, self._boot.raw

    def values(self, names: tuple[bytes, ...]) -> list[bytes]:
        """Return the fields' values, empty where it has none that can be read; the first where it has several."""
        get, journal = self._library.sd_journal_get_data, self._journal
        pointer, size = self._pointer, self._size
        to_pointer, to_size = self._references
        found = []
        for name in names:
            if get(journal, name, to_pointer, to_size):
                found.append(b"")
                continue
            if size.value > self._most:
                size.value = self._most
            found.append(_bytes_at(pointer, size)[len(name) + 1 :])
        return found

    def value(self, name: bytes) -> bytes:
        """Return one field's value."""
        return self.values((name,))[0]
