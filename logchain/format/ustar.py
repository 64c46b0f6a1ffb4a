"""The little of tar that an evidence file is made of: regular files, each header one way (docs/spec/evidence.md).

A header is a function of path and size, so a reader makes the one that has to come and compares: links, `..`, extended
headers, doubles and whatever else tar knows cannot get in.
"""

import re

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_MEMBER

__all__ = ["BLOCK", "END", "check_header", "format_header", "padding"]

BLOCK = 512  # bytes: headers, and what contents are filled up to
END = bytes(2 * BLOCK)

_SIZE, _TYPE, _MAGIC = slice(124, 136), slice(156, 157), slice(257, 265)  # POSIX.1-1988, ustar
_OCTAL = re.compile(rb"\A[0-7]{11}\x00\Z")
_TYPES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a directory",
    b"6": "a FIFO",
    b"x": "an extended header",
    b"g": "an extended header",
    b"L": "a GNU header",
    b"K": "a GNU header",
    b"S": "a sparse file",
}


def format_header(path: str, size: int) -> bytes:
    """Return the header of a file, or raise FormatError; what stands before the last slash goes into `prefix`."""
    prefix, _, name = path.rpartition("/")
    if not path.isascii() or not 1 <= len(name) <= 100 or len(prefix) > 155 or not 0 <= size <= MAX_MEMBER:
        raise FormatError("a file whose name is too long for tar, or which is too large")
    zero = b"%07o\0" % 0
    parts = [
        name.encode().ljust(100, b"\0"),
        b"%07o\0" % 0o644,
        zero,  # user
        zero,  # group
        b"%011o\0" % size,
        b"%011o\0" % 0,  # time
        b" " * 8,  # the sum, while it is made
        b"0",  # a regular file
        bytes(100),
        b"ustar\x0000",
        bytes(64),  # no names of user and group
        zero,  # device
        zero,
        prefix.encode().ljust(155, b"\0"),
        bytes(12),
    ]
    header = b"".join(parts)
    return header.replace(b" " * 8, b"%06o\0 " % sum(header), 1)


def check_header(untrusted: bytes, path: str) -> int:
    """Return the size of the file that has to come here, or raise FormatError with what is there instead."""
    size = untrusted[_SIZE]
    if len(untrusted) == BLOCK and _OCTAL.match(size) and untrusted == format_header(path, int(size[:-1], 8)):
        return int(size[:-1], 8)
    raise FormatError(f"no {path}: {_instead(untrusted)}")


def _instead(untrusted: bytes) -> str:
    if len(untrusted) < BLOCK:
        return "the file is cut off"
    if not any(untrusted):
        return "the tar ends before it"
    if untrusted[_MAGIC] != b"ustar\x0000":
        return "there is no tar header of POSIX, or one of another tar"
    kind = untrusted[_TYPE]
    if kind != b"0":
        return f"there is {_TYPES.get(kind, 'something that is no regular file')}"
    name, prefix = (untrusted[part].rstrip(b"\0").decode("ascii", "replace") for part in (slice(100), slice(345, 500)))
    found = f"{prefix}/{name}" if prefix else name
    size = untrusted[_SIZE]
    if _OCTAL.match(size) and untrusted == _try_header(found, int(size[:-1], 8)):
        return f"there is {found}, which belongs elsewhere or nowhere"
    return "there is a header that is not as logchain writes it"


def _try_header(path: str, size: int) -> bytes:
    try:
        return format_header(path, size)
    except (FormatError, UnicodeEncodeError):
        return b""


def padding(size: int) -> bytes:
    """Return the zeros behind a content of this size."""
    return bytes(-size % BLOCK)
