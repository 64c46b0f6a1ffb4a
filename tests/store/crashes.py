"""Ends a process at any of its steps on the disk: by a kill, in the middle of a write, or with the power."""

import os
import random
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from logchain.format.errors import LogchainError

CRASHED, FINISHED, FAULT = 9, 0, 1
Tell = Callable[[bytes], None]


class Crash:
    """Ends this process at its step number `at`; counts from 1.

    `how`: "kill": before the step, all that was written stays. "torn": a write is half done then.
    "power": of what was written since a file's last sync each write is kept, lost or torn, as `chance` has it;
    what is lost below what is kept reads as zeros.
    """

    def __init__(self, at: int, how: str, chance: int) -> None:
        self._at, self._how, self._random = at, how, random.Random(chance)
        self._steps = 0
        self._synced: dict[int, tuple[int, bytes]] = {}  # inode of a file with writes in the cache: descriptor, bytes
        self._cached: dict[int, list[tuple[int, bytes | None]]] = {}  # its writes since: offset, bytes; None: cut there
        self._real = {name: getattr(os, name) for name in ("pwrite", "ftruncate", "open", "rename", "mkdir", "unlink")}
        for name in ("open", "rename", "mkdir", "unlink"):
            setattr(os, name, self._counted(name))
        os.pwrite, os.ftruncate, os.fdatasync = self._pwrite, self._ftruncate, self._fdatasync  # type: ignore[assignment]

    def _counted(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*arguments: Any, **options: Any) -> Any:
            if name != "open" or arguments[1] & os.O_CREAT:
                self._step()
            return real(*arguments, **options)

        return call

    def _step(self, half: Callable[[], object] = lambda: None) -> None:
        self._steps += 1
        if self._steps == self._at:
            if self._how == "torn":
                half()
            elif self._how == "power":
                self._lose_power()
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


def _content(fd: int) -> bytes:
    with open(f"/proc/self/fd/{fd}", "rb") as file:
        return file.read()


def run(action: Callable[[Tell], None], at: int, how: str = "kill", chance: int = 0) -> tuple[bool, list[bytes]]:
    """Run an action in a process that ends at step `at`; return whether it came to its end, and what it told.

    An action that ends with an error of ours has come to its end.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        _act(action, writable, at, how, chance)
    os.close(writable)
    with open(readable, "rb") as pipe:
        told = pipe.read().split(b"\n")[:-1]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (CRASHED, FINISHED), f"exit code {code} at step {at}"
    return code == FINISHED, told


def _act(action: Callable[[Tell], None], writable: int, at: int, how: str, chance: int) -> NoReturn:
    code = FINISHED
    try:
        Crash(at, how, chance)
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
