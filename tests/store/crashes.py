"""Ends a process at any of its steps on the disk: by a kill, in the middle of a write, or with the power."""

import os
import random
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from logchain.format.errors import LogchainError

CRASHED, FINISHED, FAULT = 9, 0, 1
_NAMES = ("open", "rename", "mkdir", "unlink", "rmdir")
Tell = Callable[[bytes], None]


class Crash:
    """Ends this process at its step number `at`; counts from 1.

    `how`: "kill": before the step, all that was written stays. "torn": a write is half done then.
    "power": of what was written since a file's last sync each write is kept, lost or torn, as `chance` has it;
    what is lost below what is kept reads as zeros. "names": the same, and the last of what was created, renamed and
    removed since a directory's last sync is undone, as many steps as `chance` has it: journals keep their order.
    """

    def __init__(self, at: int, how: str, chance: int, stash: str) -> None:
        self._at, self._how, self._random = at, how, random.Random(chance)
        self._stash, self._undo = stash, list[Callable[[], object]]()
        self._steps = 0
        self._synced: dict[int, tuple[int, bytes]] = {}  # inode of a file with writes in the cache: descriptor, bytes
        self._cached: dict[int, list[tuple[int, bytes | None]]] = {}  # its writes since: offset, bytes; None: cut there
        self._real = {name: getattr(os, name) for name in ("pwrite", "ftruncate", *_NAMES)}
        for name in _NAMES:
            setattr(os, name, self._counted(name))
        os.pwrite, os.ftruncate, os.fdatasync = self._pwrite, self._ftruncate, self._fdatasync  # type: ignore[assignment]

    def _counted(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self._step()
            undo = self._to_undo(name, arguments, options) if self._how == "names" else None
            result = real(*arguments, **options)
            if undo:
                self._undo.append(undo)
            return result

        return call

    def _to_undo(self, call: str, arguments: tuple[Any, ...], options: dict[str, int]) -> Callable[[], object] | None:
        """Return what undoes a call that is about to be made."""
        real, name = self._real, arguments[0]
        at = os.dup(options.get("src_dir_fd") or options["dir_fd"])
        match call:
            case "open":
                return None if _is_there(name, at) else lambda: real["unlink"](name, dir_fd=at)
            case "mkdir":
                return None if _is_there(name, at) else lambda: real["rmdir"](name, dir_fd=at)
            case "rmdir":
                return lambda: real["mkdir"](name, 0o770, dir_fd=at)
            case "unlink":
                return self._kept(name, at)
            case _:
                new_name, to = arguments[1], os.dup(options["dst_dir_fd"])
                restore = self._kept(new_name, to) or (lambda: None)

                def undo() -> None:
                    real["rename"](new_name, name, src_dir_fd=to, dst_dir_fd=at)
                    restore()

                return undo

    def _kept(self, name: str, at: int) -> Callable[[], object] | None:
        """Keep a file that is about to go; return what brings it back."""
        stash = f"{self._stash}/{self._steps}"
        if not _is_there(name, at):
            return None
        os.link(name, stash, src_dir_fd=at)
        return lambda: self._real["rename"](stash, name, dst_dir_fd=at)

    def _step(self, half: Callable[[], object] = lambda: None) -> None:
        self._steps += 1
        if self._steps == self._at:
            if self._how == "torn":
                half()
            elif self._how in ("power", "names"):
                self._lose_power()
                for undo in reversed(self._undo[self._random.randrange(len(self._undo) + 1) :]):
                    undo()
            os._exit(CRASHED)

    def _pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self._remember(fd, offset, bytes(data))
        self._step(lambda: self._real["pwrite"](fd, data[: len(data) // 2], offset))
        return int(self._real["pwrite"](fd, data, offset))

    def _ftruncate(self, fd: int, size: int) -> None:
        self._remember(fd, size, None)
        self._step()
        self._real["ftruncate"](fd, size)

    def _fdatasync(self, fd: int) -> None:
        self._step()
        inode = os.fstat(fd).st_ino
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            self._undo.clear()
        self._cached.pop(inode, None)
        if inode in self._synced:
            os.close(self._synced.pop(inode)[0])

    def _remember(self, fd: int, offset: int, data: bytes | None) -> None:
        inode = os.fstat(fd).st_ino
        if inode not in self._synced:
            self._synced[inode] = os.dup(fd), _content(fd)
        self._cached.setdefault(inode, []).append((offset, data))

    def _lose_power(self) -> None:
        for inode, (fd, before) in self._synced.items():
            content = bytearray(before)
            for offset, data in self._cached[inode]:
                kept = self._random.choice([0.0, 1.0, self._random.random()])
                if data is None:
                    if kept:
                        del content[offset:]
                    continue
                data = data[: round(len(data) * kept)]
                if data:
                    content.extend(bytes(max(0, offset - len(content))))
                    content[offset : offset + len(data)] = data
            self._real["ftruncate"](fd, 0)
            self._real["pwrite"](fd, content, 0)


def _is_there(name: str, at: int) -> bool:
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _content(fd: int) -> bytes:
    with open(f"/proc/self/fd/{fd}", "rb") as file:
        return file.read()


def run(action: Callable[[Tell], None], at: int, how: str = "kill", chance: int = 0) -> tuple[bool, list[bytes]]:
    """Run an action in a process that ends at step `at`; return whether it came to its end, and what it told.

    An action that ends with an error of ours has come to its end.
    """
    readable, writable = os.pipe()
    with tempfile.TemporaryDirectory() as stash:
        child = os.fork()
        if not child:
            _act(action, writable, at, how, chance, stash)
        os.close(writable)
        with open(readable, "rb") as pipe:
            told = pipe.read().split(b"\n")[:-1]
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (CRASHED, FINISHED), f"exit code {code} at step {at}"
    return code == FINISHED, told


def _act(action: Callable[[Tell], None], writable: int, at: int, how: str, chance: int, stash: str) -> NoReturn:
    code = FINISHED
    try:
        Crash(at, how, chance, stash)
        action(lambda line: print_to(writable, line))
    except LogchainError:
        pass
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        code = FAULT
    os._exit(code)


def print_to(fd: int, line: bytes) -> None:
    """Tell a line: it is out when this returns, whatever comes then."""
    os.write(fd, line + b"\n")
