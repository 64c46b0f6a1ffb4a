"""Runs the checks of segments, in this process or in several; what they find comes in the order of the tasks."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeAlias

from logchain.format.errors import FormatError, StoreError
from logchain.read.verify_keys import KeySource
from logchain.read.verify_live import LiveCheck, LiveTask, check_live
from logchain.read.verify_records import SegmentCheck
from logchain.read.verify_sealed import SealedTask, check_sealed
from logchain.store.layout import LIVE, SEALED, Directory, stream_directory

__all__ = ["Checker", "Result", "Task", "run_tasks"]

Task: TypeAlias = LiveTask | SealedTask
Result: TypeAlias = LiveCheck | SegmentCheck

_AHEAD = 4  # tasks a process that are given out before their turn
_KILLED = "a process that checked was killed, for want of memory perhaps; try --jobs 1"


class Checker:
    """Does one task after the other."""

    def __init__(self, store: Directory, secrets: KeySource) -> None:
        self._store, self._secrets = store, secrets
        self._keys = b"", secrets.of(b"")  # of the last stream: its segments come one after the other

    def check(self, task: Task, progress: Callable[[int], None]) -> Result:
        """Check a segment, or the live ones of a stream; `progress` is told the bytes of text as they are read.

        Raises StoreError where that is not allowed. A disk that fails is a finding.
        """
        if isinstance(task, LiveTask):
            return self.check_live(task, progress)
        check = self.check_sealed(task)
        progress(check.size)
        return check

    def check_sealed(self, task: SealedTask) -> SegmentCheck:
        """Check a segment that is sealed; raises StoreError where that is not allowed."""
        if self._keys[0] != task.stream_id:
            self._keys = task.stream_id, self._secrets.of(task.stream_id)
        check = SegmentCheck(task.number, sealed=True)
        try:
            with stream_directory(self._store, task.vm, task.stream, SEALED) as directory:
                return check_sealed(directory, task, self._keys[1])
        except FileNotFoundError:
            check.lost = True
            check.find("the manifest is missing")
        except (FormatError, OSError) as error:
            check.find(f"it cannot be read: {error}")
        return check

    def check_live(self, task: LiveTask, progress: Callable[[int], None]) -> LiveCheck:
        """Check the segments of a stream that are not sealed; `progress` and errors as for `check`."""
        try:
            with stream_directory(self._store, task.vm, task.stream, LIVE) as directory:
                return check_live(directory, task, self._secrets, progress)
        except FileNotFoundError:
            return LiveCheck(gone=True, state_lost="the file is missing", id_lost="the file is missing")
        except (FormatError, OSError) as error:
            return LiveCheck(state_lost=str(error), id_lost=str(error))


def run_tasks(
    store: Directory, secrets: KeySource, tasks: Iterable[Task], jobs: int, progress: Callable[[int], None]
) -> Iterator[Result]:
    """Yield what each task comes to, in their order; raises as Checker.check."""
    if jobs == 1:
        checker = Checker(store, secrets)
        for task in tasks:
            yield checker.check(task, progress)
        return
    # forked, so that each process has the store open, and the secrets, without being told by a name
    _inherited[:] = [Checker(store, secrets)]
    jobs = min(jobs, os.cpu_count() or 1)  # more would only wait
    pool = ProcessPoolExecutor(jobs, get_context("fork"), initializer=_begin)
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # one that was killed takes nothing more; it must not end us
    try:
        waiting: deque[Future[tuple[Result, int]]] = deque()
        for task in tasks:
            waiting.append(_submit(pool, task))
            if len(waiting) >= _AHEAD * jobs:
                yield _result(waiting.popleft(), progress)
        while waiting:
            yield _result(waiting.popleft(), progress)
    finally:
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGPIPE, before)
        _inherited.clear()


_inherited: list[Checker] = []


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us ends us


def _check(task: Task) -> tuple[Result, int]:
    read: list[int] = []
    return _inherited[0].check(task, read.append), sum(read)


def _submit(pool: ProcessPoolExecutor, task: Task) -> "Future[tuple[Result, int]]":
    try:
        return pool.submit(_check, task)
    except BrokenProcessPool as error:
        raise StoreError(_KILLED) from error


def _result(future: "Future[tuple[Result, int]]", progress: Callable[[int], None]) -> Result:
    try:
        result, read = future.result()
    except BrokenProcessPool as error:
        raise StoreError(_KILLED) from error
    progress(read)
    return result
