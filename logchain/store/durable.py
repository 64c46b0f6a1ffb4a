"""Bytes that are on the disk when a call returns; a write or a sync that fails is never tried again."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from logchain.format.errors import FormatError, Full, OddFile, StoreError, WriteFailed
from logchain.format.slots import FILE_SIZE, SLOT_SIZE, WIPED, Slot, format_slot, newest
from logchain.store.layout import NO_ROOM, Directory, temporary_name

__all__ = ["SlotFile", "cut", "make_directory", "move", "put", "reading", "remove", "shred", "sync", "write"]


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Raise FormatError where the disk refuses to read something: it is damage, of this alone."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}; look at dmesg in the LogVM") from error


def write(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset; Full where there is no room, WriteFailed where the disk refuses."""
    view = memoryview(data)
    while view:
        try:
            count = os.pwrite(fd, view, offset)
        except OSError as error:
            raise _failure(error)(f"the disk refused a write: {error.strerror}{_advice(error)}") from error
        view, offset = view[count:], offset + count


def sync(fds: Iterable[int]) -> None:
    """Wait until what was written to these is on the disk, or raise WriteFailed: then nobody knows what is."""
    for fd in fds:
        try:
            os.fdatasync(fd)
        except OSError as error:  # the kernel may have dropped the pages: trying again would only lie
            raise WriteFailed(f"the disk refused a sync: {error.strerror}; look at dmesg in the LogVM") from error


def put(directory: Directory, name: str, chunks: Iterable[bytes], mode: int | None = None) -> None:
    """Put a file in place whole, or not at all; one that is there is replaced. Whatever `chunks` raises ends it.

    The mode is set whatever the umask; without one it is that of Directory.file.
    """
    temporary = temporary_name(name)
    shred(directory, temporary)  # what a crash left
    fd = directory.file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        if mode is not None:
            with _as_refusal(directory, temporary):
                os.fchmod(fd, mode)
        size = 0
        for chunk in chunks:
            write(fd, chunk, size)
            size += len(chunk)
        sync([fd])
        move(directory, temporary, directory, name)
    except BaseException:
        with suppress(StoreError):
            shred(directory, temporary)
        raise
    finally:
        os.close(fd)


def shred(directory: Directory, name: str) -> None:
    """Overwrite a file that may hold secrets, and remove it, if it is there; a link is only removed.

    A file that nobody may write is sealed text or the like, and holds no secret.
    """
    with _as_refusal(directory, name), suppress(FileNotFoundError):
        if os.stat(name, dir_fd=directory.fd, follow_symlinks=False).st_mode & stat.S_IWUSR:
            with suppress(OddFile):
                fd = directory.file(name, os.O_RDWR)
                try:
                    write(fd, bytes(min(os.fstat(fd).st_size, FILE_SIZE)), 0)
                    sync([fd])
                finally:
                    os.close(fd)
        os.unlink(name, dir_fd=directory.fd)
        sync([directory.fd])


def remove(directory: Directory, names: Iterable[str]) -> None:
    """Remove files that hold no secret, those that are there, in this order."""
    for name in names:
        with _as_refusal(directory, name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory.fd)
    sync([directory.fd])


def move(source: Directory, name: str, target: Directory, new_name: str) -> None:
    """Give a file another name, or another directory."""
    with _as_refusal(target, new_name):
        os.rename(name, new_name, src_dir_fd=source.fd, dst_dir_fd=target.fd)
    sync([target.fd])


def cut(fd: int, size: int) -> None:
    """Cut a file to a size, durably."""
    try:
        os.ftruncate(fd, size)
    except OSError as error:
        raise WriteFailed(f"the disk refused to cut a file: {error.strerror}; look at dmesg in the LogVM") from error
    sync([fd])


def make_directory(parent: Directory, name: str, mode: int = 0o770) -> Directory:
    """Open a directory, making it first where there is none; FileNotFoundError where somebody removes it meanwhile.

    A setgid bit comes from the parent alone: mkdir(2) ignores one, and systemd's RestrictSUIDSGID= refuses it.
    """
    try:
        directory = parent.directory(name)  # first: an instance may make none
    except FileNotFoundError:
        try:
            os.mkdir(name, mode & 0o777, dir_fd=parent.fd)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failure(error)(f"cannot make {parent.path}/{name}: {error.strerror}") from error
        directory = parent.directory(name)
    try:
        sync([parent.fd])  # also what another process made and has not synced yet
    except StoreError:
        directory.close()
        raise
    return directory


@contextmanager
def _as_refusal(directory: Directory, name: str) -> Iterator[None]:
    """Raise Full or WriteFailed, and which file it is about, where the system refuses."""
    try:
        yield
    except OSError as error:
        raise _failure(error)(f"cannot put {directory.path}/{name} in place: {error.strerror}") from error


def _advice(error: OSError) -> str:
    return "" if error.errno in NO_ROOM else "; look at dmesg in the LogVM"


def _failure(error: OSError) -> type[StoreError]:
    return Full if error.errno in NO_ROOM else WriteFailed


class SlotFile:
    """A file of two slots. Takes over `fd`, and closes it where it raises FormatError: neither slot is valid."""

    def __init__(self, fd: int, magic: bytes) -> None:
        self._fd, self._magic = fd, magic
        self._failed = self._unsynced = False
        try:
            self._slot = newest(magic, os.pread(fd, FILE_SIZE + 1, 0))
            # what was read may be in the page cache only, after a sync that failed: write what we go on from
            self._put(self._slot.place, format_slot(magic, self._slot.generation, self._slot.body))
            self._wipe(1 - self._slot.place)
        except BaseException:
            os.close(fd)
            raise

    def is_at(self, directory: Directory, name: str) -> bool:
        """Tell whether it is the file of this name in a directory."""
        return directory.holds(name, self._fd)

    @property
    def body(self) -> bytes:
        """The body that counts now."""
        return self._slot.body

    def is_unchanged(self) -> bool:
        """Tell whether the file still says what it said when we last wrote it."""
        try:
            return newest(self._magic, os.pread(self._fd, FILE_SIZE + 1, 0)) == self._slot
        except FormatError:
            return False

    def commit(self, body: bytes) -> None:
        """Make a new body durable and wipe the old one; the wipe is durable with the next `commit` or `settle`."""
        old = self._slot
        slot = Slot(1 - old.place, old.generation + 1, body)
        self._put(slot.place, format_slot(self._magic, slot.generation, body))  # the commit point, when it returns
        self._slot = slot
        self._wipe(old.place)

    def settle(self) -> None:
        """Make a wipe durable that is not yet."""
        if self._unsynced:
            sync([self._fd])
            self._unsynced = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _put(self, place: int, data: bytes) -> None:
        if self._failed:  # which slot is on the disk is not known, so neither may be touched
            raise WriteFailed("the last write of the keys failed; connect again")
        self._failed = True
        try:
            write(self._fd, data, place * SLOT_SIZE)
        except Full:  # the other slot stands, and this one can be written again
            self._failed = False
            raise
        sync([self._fd])
        self._failed = self._unsynced = False

    def _wipe(self, place: int) -> None:
        write(self._fd, WIPED, place * SLOT_SIZE)
        self._unsynced = True
