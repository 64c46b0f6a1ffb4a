"""Records what a process does to a directory tree: each write, cut, name and sync, in order, and what was told."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Cut", "File", "Folder", "Named", "Recorder", "Step", "Sync", "Told", "Write"]

_CALLS = (
    *("open", "pwrite", "write", "ftruncate", "fdatasync", "fsync"),
    *("rename", "unlink", "mkdir", "rmdir", "fchmod"),
)


@dataclass(eq=False)
class File:
    """A file, whatever it is called: what it held when the recording began, and who may do what."""

    content: bytes = b""
    mode: int = 0o660


@dataclass(eq=False)
class Folder:
    """A directory: what it held when the recording began."""

    entries: "dict[str, File | Folder]" = field(default_factory=dict)
    mode: int = 0o770


@dataclass(frozen=True)
class Write:
    """Bytes go to a place in a file."""

    file: File
    offset: int
    data: bytes


@dataclass(frozen=True)
class Cut:
    """A file gets a size."""

    file: File
    size: int


@dataclass(frozen=True)
class Named:
    """Names of directories get another file or directory, or none, all at once."""

    changes: tuple[tuple[Folder, str, File | Folder | None], ...]


@dataclass(frozen=True)
class Sync:
    """Somebody waited until a file or directory was on the disk, or was told that it cannot be."""

    node: File | Folder
    error: int = 0


@dataclass(frozen=True)
class Told:
    """Something was promised to the world outside."""

    what: object


Step = Write | Cut | Named | Sync | Told


class Recorder:
    """Stands between a process and the system: takes down what is done below `root`, and does it, but for the syncs.

    A sync is believed, and costs nothing. `refuse` is asked before each one, and returns the error that it is to end
    with, or 0.
    """

    def __init__(self, root: Path) -> None:
        self.steps: list[Step] = []
        self.refuse: Callable[[int], int] = lambda _: 0
        self._nodes: dict[int, File | Folder] = {}  # by inode: one that is open is nobody else's
        self.root = self._scan(root)
        self._real = {name: getattr(os, name) for name in _CALLS}

    def _scan(self, path: Path) -> Folder:
        found = Folder(mode=path.stat().st_mode & 0o7777)
        for inner in sorted(path.iterdir()):
            if inner.is_dir():
                found.entries[inner.name] = self._scan(inner)
            else:
                node = File(inner.read_bytes(), inner.stat().st_mode & 0o7777)
                found.entries[inner.name] = self._nodes[inner.stat().st_ino] = node
        self._nodes[path.stat().st_ino] = found
        return found

    def tell(self, what: object) -> None:
        """Take down a promise."""
        self.steps.append(Told(what))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is done meanwhile."""
        for name in _CALLS:
            setattr(os, name, getattr(self, f"_{name}"))
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        parent, name = self._parent(path, dir_fd)
        is_new = flags & os.O_CREAT and parent and not _there(path, dir_fd)
        fd = int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        if parent and is_new:
            node = File(mode=os.fstat(fd).st_mode & 0o7777)
            self._nodes[os.fstat(fd).st_ino] = node
            self.steps.append(Named(((parent, name, node),)))
        elif flags & os.O_TRUNC and isinstance(known := self._node(fd), File):
            self.steps.append(Cut(known, 0))
        return fd

    def _pwrite(self, fd: int, data: Any, offset: int) -> int:
        count = int(self._real["pwrite"](fd, data, offset))
        if isinstance(node := self._node(fd), File):
            self.steps.append(Write(node, offset, bytes(data[:count])))
        return count

    def _write(self, fd: int, data: Any) -> int:
        node = self._node(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        offset = os.lseek(fd, 0, os.SEEK_CUR) if node else 0
        count = int(self._real["write"](fd, data))
        if isinstance(node, File):
            self.steps.append(Write(node, offset, bytes(data[:count])))
        return count

    def _ftruncate(self, fd: int, size: int) -> None:
        self._real["ftruncate"](fd, size)
        if isinstance(node := self._node(fd), File):
            self.steps.append(Cut(node, size))

    def _fdatasync(self, fd: int) -> None:
        if node := self._node(fd):
            error = self.refuse(len(self.steps))
            self.steps.append(Sync(node, error))
            if error:
                raise OSError(error, os.strerror(error))

    _fsync = _fdatasync

    def _rename(self, old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        (source, old_name), (target, new_name) = self._parent(old, src_dir_fd), self._parent(new, dst_dir_fd)
        inode = os.stat(old, dir_fd=src_dir_fd, follow_symlinks=False).st_ino
        self._real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if source and target:
            self.steps.append(Named(((source, old_name, None), (target, new_name, self._nodes[inode]))))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._gone("unlink", path, dir_fd)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._gone("rmdir", path, dir_fd)

    def _gone(self, call: str, path: Any, dir_fd: int | None) -> None:
        self._real[call](path, dir_fd=dir_fd)
        parent, name = self._parent(path, dir_fd)
        if parent:
            self.steps.append(Named(((parent, name, None),)))

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        parent, name = self._parent(path, dir_fd)
        if parent:
            there = os.stat(path, dir_fd=dir_fd)
            node = self._nodes[there.st_ino] = Folder(mode=there.st_mode & 0o7777)
            self.steps.append(Named(((parent, name, node),)))

    def _fchmod(self, fd: int, mode: int) -> None:
        self._real["fchmod"](fd, mode)
        if node := self._node(fd):
            node.mode = mode  # no order of modes is tried

    def _node(self, fd: int) -> File | Folder | None:
        return self._nodes.get(os.fstat(fd).st_ino)

    def _parent(self, path: Any, dir_fd: int | None) -> tuple[Folder | None, str]:
        """Return the directory in which a name is, if it is one of ours, and the name."""
        above, name = os.path.split(os.fspath(path))
        inode = os.stat(above or ".", dir_fd=dir_fd).st_ino if above or dir_fd is None else os.fstat(dir_fd).st_ino
        found = self._nodes.get(inode)
        return (found if isinstance(found, Folder) else None), name


def _there(path: Any, dir_fd: int | None) -> bool:
    try:
        os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
