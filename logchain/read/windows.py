"""Prints a long span in windows of time: processes take turns, this one among them; what they print is in order."""

import os
from collections.abc import Iterator, Sequence
from signal import SIGKILL
from typing import NoReturn

from logchain.read.extents import Extents
from logchain.read.formats import Form
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View

__all__ = ["Printer"]

_FIRST = 2 << 20  # bytes that were taken, before others begin: who looks at a screenful in a pager needs no more
_LEAST, _MOST = 24 << 20, 64 << 20  # bytes of text: at either end, each stream has a block of which it wants a part
_SEARCHED = 192 << 20  # the most where few lines are printed
_HELD = 128 << 20  # bytes that a process may hold of what it prints: lines do not lie evenly
_SHORT = 600_000_000  # µs: not looked at whether it could be cut
_JOBS = 4  # processes at most
_LOAD = "/proc/loadavg"
_CHUNK = 1 << 20
_NONE = (1 << 64) - 1  # in the place of a size: read this window yourself


class Printer:
    """Prints what is selected, in a format; `gaps` counts what could not be read."""

    def __init__(self, view: View, selection: Selection, form: Form) -> None:
        self._view, self._selection, self._form = view, selection, form
        self._jobs = max(1, min(_JOBS, _idle()))
        self.gaps = 0

    def print(self) -> Iterator[bytes]:
        """Yield it in parts; the first as soon as it is there."""
        windows = self._windows()
        workers: list[_Worker] = []
        taken = _FIRST if self._selection.pattern else 0  # who searches waits for what is found
        try:
            for place in range(1, min(self._jobs, len(windows))):
                workers.append(_Worker(self._view, windows[place :: self._jobs], self._form, workers))
            idle = list(workers)
            for place, window in enumerate(windows):
                while idle and (place or taken >= _FIRST):
                    idle.pop().go_on()
                if not place % self._jobs:  # ours
                    for text in self._read(window):
                        yield text
                        taken += len(text)
                        while idle and taken >= _FIRST:
                            idle.pop().go_on()
                    continue
                worker = workers[place % self._jobs - 1]
                size = worker.wait()
                if size is None:
                    yield from self._read(self._selection._replace(since=window.since))
                    return
                for text in worker.printed(size):
                    yield self._form.owed + text
                    self._form.owed = b""
                worker.go_on()
        finally:
            for worker in workers:
                worker.end()

    def _windows(self) -> list[Selection]:
        """Return what is selected as windows; as one where it is short, or not in the order of its times."""
        wanted = self._selection
        if self._jobs == 1 or wanted.reverse or wanted.last is not None or wanted.before or wanted.after:
            return [wanted]
        if wanted.until - wanted.since < _SHORT:
            return [wanted]
        extents = Extents(self._view, wanted)
        if not extents.is_ordered:
            return [wanted]
        size, most = extents.size(wanted.since, wanted.until), _SEARCHED if wanted.pattern else _MOST
        rounds = -(-size // (most * self._jobs)) or 1  # in each of which every process has a window
        share = size // (rounds * self._jobs) * 101 // 100  # a little more, or a last one is left with nothing
        cuts = extents.cuts(wanted.since, wanted.until, max(_LEAST, share))
        ends = [*(cut - 1 for cut in cuts), wanted.until]
        return [
            wanted._replace(since=since, until=until) for since, until in zip([wanted.since, *cuts], ends, strict=True)
        ]

    def _read(self, window: Selection) -> Iterator[bytes]:
        show: Show[bytes] = Show(self._view, window, self._form)
        for parts in show.all():
            yield self._form.join(parts) if parts else self._form.apart
            self.gaps, show.gaps = self.gaps + show.gaps, 0
        self.gaps += show.gaps


def _idle() -> int:
    """Return how many CPUs nobody uses in this moment, but for us: collectors come first."""
    with open(_LOAD, encoding="ascii") as file:
        running = int(file.read().split()[3].partition("/")[0])
    return len(os.sched_getaffinity(0)) - running + 1


class _Worker:
    """A process that reads windows, each when it is told to, and holds what it printed of one until the next."""

    def __init__(self, view: View, windows: Sequence[Selection], form: Form, others: Sequence["_Worker"]) -> None:
        self._text = os.memfd_create("logchain-show")
        self._sizes, sizes = os.pipe()
        self._told, self._tell = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            self._pid = -1  # the system has no room for a process: who asks reads
        if not self._pid:
            for worker in (self, *others):
                os.close(worker._tell)  # or it would not see that there is nobody who would tell it
            _work(view, windows, form, self._text, sizes, self._told)
        os.close(sizes)

    def wait(self) -> int | None:
        """Return how many bytes it printed of the next window; None where that is to be read by who asks."""
        size = int.from_bytes(os.read(self._sizes, 8) or b"\xff" * 8, "little")
        return None if size == _NONE else size

    def printed(self, size: int) -> Iterator[bytes]:
        """Yield what it printed."""
        for place in range(0, size, _CHUNK):
            yield os.pread(self._text, min(_CHUNK, size - place), place)

    def go_on(self) -> None:
        """Let it read its first window, or the next."""
        os.write(self._tell, b".")

    def end(self) -> None:
        """End it, if it has not ended."""
        if self._pid > 0:
            os.kill(self._pid, SIGKILL)
            os.waitpid(self._pid, 0)
        for fd in (self._text, self._sizes, self._told, self._tell):
            os.close(fd)


def _work(view: View, windows: Sequence[Selection], form: Form, text: int, sizes: int, told: int) -> NoReturn:
    """Read windows, and end the process. Whatever goes wrong is for the parent to meet again, and to tell.

    So are gaps and marks, which are told once, whatever window they are in, and a cut line, which owes a newline to
    what comes behind it.
    """
    try:
        form.owed = b""  # what is owed by those before is for the parent
        parent = os.getppid()
        for window in windows:
            if not os.read(told, 1):
                break
            show: Show[bytes] = Show(view, window, form)
            marks, size = len(view.marked), 0
            os.lseek(text, 0, os.SEEK_SET)
            with open(text, "wb", closefd=False) as file:
                for parts in show.all():
                    size += file.write(form.join(parts))
                    if size > _HELD or os.getppid() != parent:
                        break
            is_whole = size <= _HELD and not (show.gaps or len(view.marked) > marks or form.owed)
            os.write(sizes, (size if is_whole else _NONE).to_bytes(8, "little"))
            if not is_whole:
                break
    finally:
        os._exit(0)
