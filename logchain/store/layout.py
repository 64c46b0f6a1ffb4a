"""Every name and path in a store, and the only way to open them: by directory, never through a link.

format                              store id, creation time
births                              the state from which new streams get their secret
live/<vm>/<stream>/id               the stream's salt and id
                   lock             held (flock) by whoever writes this stream; never unlinked
                   ratchet          key state, two slots
                   00000012.log     a segment, text
                   00000012.tags    its tags
                   forgetting       while all of this is being removed: nobody opens the stream
                   quarantine/      what recovery cut off: 1795437914976476-00000012.log
sealed/<vm>/<stream>/00000011.log   sealed text, as it is, or .log.lz4, or .log.xz
                     00000011.manifest
ledger/entries                      signed notes, one after the other
ledger/heads/00000017               the list that entry 17 hashes
ledger/checkpoint                   the ledger's size and Merkle root, signed
ledger/witnessed                    the last checkpoint that a witness cosigned
ledger/lock                         held (flock) by whoever appends to the ledger; never unlinked
keys/ledger                         the key of the ledger's next entry, two slots
keys/log                            the key that signs checkpoints
keys/compressor                     held (flock) by the log-compressor that runs; never unlinked
restoring                           while 'logchain restored' is at work: nobody opens a stream
catalog.sqlite                      what list, status and sessions ask; made from the rest, and no authority
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from types import TracebackType
from typing import Self

from logchain.format.errors import Full, OddFile, StoreError, UsageError, WriteFailed
from logchain.format.limits import MAX_ENTRIES, MAX_SEGMENT, SEGMENT_ROOM
from logchain.format.names import check_stream, check_vm

__all__ = [
    "BIRTHS",
    "CATALOG",
    "CATALOG_JOURNAL",
    "CHECKPOINT",
    "COMPRESSOR",
    "DEFAULT_CONFIG",
    "DEFAULT_STORE",
    "ENTRIES",
    "FORGETTING",
    "FORMAT",
    "HEADS",
    "ID",
    "KEYS",
    "LEDGER",
    "LEDGER_KEYS",
    "LIVE",
    "LOCK",
    "LOG_KEY",
    "NO_ROOM",
    "QUARANTINE",
    "RATCHET",
    "RESTORING",
    "SEALED",
    "TIERS",
    "WITNESSED",
    "Directory",
    "close_name",
    "heads_name",
    "is_restoring",
    "lists",
    "log_name",
    "manifest_name",
    "manifests",
    "open_directory",
    "open_store",
    "quarantine_name",
    "sealed_name",
    "segments",
    "stream_directory",
    "streams",
    "tags_name",
    "temporary_name",
]

DEFAULT_STORE = "/var/lib/logchain"
DEFAULT_CONFIG = "/etc/logchain.toml"  # no part of the store; here so that `show` need not load what parses it
FORMAT, BIRTHS, LIVE, SEALED, LEDGER, KEYS = "format", "births", "live", "sealed", "ledger", "keys"
ID, LOCK, RATCHET, QUARANTINE, FORGETTING = "id", "lock", "ratchet", "quarantine", "forgetting"
ENTRIES, HEADS, CHECKPOINT, WITNESSED = "entries", "heads", "checkpoint", "witnessed"
LEDGER_KEYS, LOG_KEY, COMPRESSOR = "ledger", "log", "compressor"
RESTORING = "restoring"
CATALOG, CATALOG_JOURNAL = "catalog.sqlite", "catalog.sqlite-journal"  # the second is SQLite's own
TIERS = ("", ".lz4", ".xz")  # what a sealed text's name ends with, and so how it is compressed

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ODD = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)  # a link; not a directory; one; a FIFO or socket
_LOG = re.compile(r"\A([0-9]{8})\.log\Z")
_LIST = re.compile(r"\A([0-9]{8})\Z")
_MANIFEST = re.compile(r"\A([0-9]{8})\.manifest\Z")


class Directory:
    """An open directory; whatever is in it is reached by its name alone, and no link is followed."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd, self.path = fd, path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def directory(self, name: str) -> "Directory":
        """Open a directory in this one; FileNotFoundError where there is none, OddFile where it is no directory."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        except OSError as error:
            raise self._refused(name, error) from error
        return Directory(fd, f"{self.path}/{name}")

    def file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open a regular file in this one; FileNotFoundError where there is none, OddFile where it is no such."""
        try:
            # O_NONBLOCK: a FIFO put in a file's place must not hang whoever opens it
            fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o660, dir_fd=self.fd)
        except OSError as error:
            if flags & os.O_CREAT and error.errno == errno.EIO:
                message = f"the disk refused to make {self.path}/{name}: {error.strerror}; look at dmesg in the LogVM"
                raise WriteFailed(message) from error
            raise self._refused(name, error) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OddFile(f"{self.path}/{name} is not a regular file; move it away")
        return fd

    def read(self, name: str, limit: int) -> bytes:
        """Return a small file's bytes; OddFile where it has more than `limit`."""
        with open(self.file(name), "rb", buffering=0) as file:
            data = file.read(limit + 1) or b""
        if len(data) > limit:
            raise OddFile(f"{self.path}/{name} is larger than {limit} bytes; it is not ours")
        return data

    def names(self) -> list[str]:
        """Return the names in it, sorted."""
        return sorted(os.listdir(self.fd))

    def allocated(self, name: str) -> int:
        """Return the bytes that a file in it takes on the disk; FileNotFoundError where there is none."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_blocks * 512  # stat(2), whatever the block size

    def room(self) -> int:
        """Return the bytes that its files take, and those one level below, as they count against a quota.

        Nobody is weighed wrong for what went meanwhile, or cannot be looked at; OSError where that is all of it.
        """
        size = 0
        with os.scandir(self.fd) as entries:
            for entry in entries:
                with suppress(OSError, OddFile, StoreError):
                    if entry.is_dir(follow_symlinks=False):
                        with self.directory(entry.name) as inner:
                            size += sum(inner._allocated(name) for name in inner.names())
                    else:
                        size += self._allocated(entry.name) + (SEGMENT_ROOM if ".log" in entry.name else 0)
        return size

    def _allocated(self, name: str) -> int:
        with suppress(FileNotFoundError):
            return self.allocated(name)
        return 0

    def holds(self, name: str, fd: int) -> bool:
        """Tell whether the file of this name, or directory, is the one that is open as `fd`."""
        try:
            there = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(fd))

    def has(self, name: str) -> bool:
        """Tell whether there is anything of this name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def free(self) -> int:
        """Return the bytes that are free on its disk for those who are not root."""
        found = os.fstatvfs(self.fd)
        return found.f_bavail * found.f_frsize

    def _refused(self, name: str, error: OSError) -> Exception:
        """Return what an open that failed means."""
        if isinstance(error, FileNotFoundError):
            return error
        if error.errno in _ODD:
            return OddFile(f"{self.path}/{name} is a link or not what it should be; move it away")
        if error.errno in NO_ROOM:
            return Full(f"no room for {self.path}/{name}")
        return StoreError(f"cannot open {self.path}/{name}: {error.strerror}; run this as a user who may")


def open_directory(path: str | PathLike[str]) -> Directory:
    """Open a directory by its path, which may be a link, or raise StoreError."""
    try:
        return Directory(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), str(path))
    except FileNotFoundError as error:
        raise StoreError(f"no store at {path}; give --store, or make one with 'logchain init'") from error
    except OSError as error:
        raise StoreError(f"cannot open the store {path}: {error.strerror}") from error


def open_store(path: str | PathLike[str]) -> Directory:
    """Open a store's root, or raise StoreError."""
    store = open_directory(path)
    if FORMAT not in store.names():
        store.close()
        raise StoreError(f"{path} is no store; give --store, or make one with 'logchain init'")
    return store


def is_restoring(store: Directory) -> bool:
    """Tell whether 'logchain restored' has begun, and not finished: nobody opens a stream meanwhile."""
    return RESTORING in store.names()


def log_name(segment: int) -> str:
    """Return the name of a segment's text."""
    return f"{segment:08}.log"


def tags_name(segment: int) -> str:
    """Return the name of a segment's tags."""
    return f"{segment:08}.tags"


def close_name(segment: int) -> str:
    """Return the name of the mark that asks whoever writes a segment to close it."""
    return f"{segment:08}.close"


def sealed_name(segment: int, tier: str) -> str:
    """Return the name of a sealed segment's text, compressed as one of TIERS says."""
    return f"{segment:08}.log{tier}"


def manifest_name(segment: int) -> str:
    """Return the name of a sealed segment's manifest."""
    return f"{segment:08}.manifest"


def heads_name(number: int) -> str:
    """Return the name of the list that the ledger's entry of this number hashes."""
    return f"{number:08}"


def temporary_name(name: str) -> str:
    """Return the name that a file has until it is whole."""
    return f".{name}.new"


def quarantine_name(name: str, stamp: int) -> str:
    """Return the name under which a file, or what was cut off it, lies in quarantine; `stamp` in µs since 1970."""
    return f"{stamp}-{name}"


def segments(stream: Directory) -> list[int]:
    """Return the numbers of the segments whose text is in a stream's directory, in order."""
    return _numbers(stream, _LOG)


def manifests(stream: Directory) -> list[int]:
    """Return the numbers of the segments whose manifest is in a sealed stream's directory, in order."""
    return _numbers(stream, _MANIFEST)


def lists(heads: Directory) -> list[int]:
    """Return the numbers of the entries whose lists are in `ledger/heads`, in order."""
    return _numbers(heads, _LIST, MAX_ENTRIES - 1)


def _numbers(directory: Directory, name: re.Pattern[str], most: int = MAX_SEGMENT) -> list[int]:
    numbers = (int(match[1]) for found in directory.names() if (match := name.match(found)))
    return [number for number in numbers if 1 <= number <= most]


@contextmanager
def stream_directory(store: Directory, vm: str, stream: str, part: str = LIVE) -> Iterator[Directory]:
    """Open a stream's directory in `part`, LIVE or SEALED; FileNotFoundError where there is none."""
    with store.directory(part) as top, top.directory(vm) as vm_directory, vm_directory.directory(stream) as directory:
        yield directory


def streams(store: Directory, part: str = LIVE, refused: list[StoreError] | None = None) -> Iterator[tuple[str, str]]:
    """Yield VM and stream of every stream in `part`, LIVE or SEALED, sorted; what no stream can be is left out.

    Raises StoreError where a VM's directory may not be looked into; where `refused` is given, the error is put there,
    and the others' streams follow.
    """
    with suppress(FileNotFoundError, OddFile), store.directory(part) as top:
        for vm in _valid(top.names(), check_vm):
            names: list[str] = []
            try:
                with suppress(FileNotFoundError, OddFile), top.directory(vm) as vm_directory:
                    names = [name for name in vm_directory.names() if _is_directory(vm_directory, name)]
            except StoreError as error:
                if refused is None:
                    raise
                refused.append(error)
            yield from ((vm, stream) for stream in _valid(names, check_stream))


def _valid(names: Iterable[str], check: Callable[[str], str]) -> Iterator[str]:
    for name in names:
        with suppress(UsageError):
            yield check(name)


def _is_directory(parent: Directory, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent.fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot look into {parent.path}: {error.strerror}; run this as a user who may") from error
