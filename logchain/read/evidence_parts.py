"""Reads the parts of an evidence file from a stream, in the one order that there is."""

from collections.abc import Callable, Iterator

from logchain.format.errors import FormatError
from logchain.format.ustar import BLOCK, END, check_header, padding

__all__ = ["Parts"]

_CHUNK = 1 << 20


class Parts:
    """An evidence file; `untrusted_read(n)` returns at most n bytes, none at the end. All errors are FormatError."""

    def __init__(self, untrusted_read: Callable[[int], bytes]) -> None:
        self._read = untrusted_read

    def whole(self, path: str, most: int) -> bytes:
        """Return the part that has to come now, of at most so many bytes."""
        return b"".join(self.pieces(path, most))

    def pieces(self, path: str, most: int) -> Iterator[bytes]:
        """Yield the part that has to come now; all of it has to be taken before the next."""
        size = left = check_header(self._take(BLOCK), path)
        if size > most:
            raise FormatError(f"{path} has {size:,} bytes, and at most {most:,} can be")
        while left:
            data = self._take(min(left, _CHUNK))
            if not data:
                raise FormatError(f"the file is cut off within {path}")
            left -= len(data)
            yield data
        if self._take(-size % BLOCK) != padding(size):
            raise FormatError(f"{path} is not followed by zeros, or the file is cut off there")

    def end(self) -> None:
        """See that nothing follows but the end of the tar."""
        if self._take(len(END)) != END:
            raise FormatError("there is something behind the last part, or the end of the tar is missing")
        if self._read(1):
            raise FormatError("there is something behind the end of the tar")

    def _take(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        found = self._read(size) if size else b""
        while 0 < len(found) < size and (more := self._read(size - len(found))):
            found += more
        return found
