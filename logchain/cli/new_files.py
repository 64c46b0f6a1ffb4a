"""Makes files that are to be there whole or not at all, and belong to their owner alone."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from logchain.format.errors import Full, UsageError, WriteFailed
from logchain.store.layout import NO_ROOM

__all__ = ["Write", "end_in_order", "new_file"]

Write = Callable[[bytes], None]

_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def end_in_order() -> None:
    """From now on signals that end us let us clear away first what is not to stay, once."""
    for number in _ENDS:
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    for later in _ENDS:
        signal.signal(later, signal.SIG_IGN)
    sys.exit(128 + number)


@contextmanager
def new_file(path: Path) -> Iterator[Write]:
    """Make a new file, and yield what writes to it; where an error or a signal ends that, the file goes again.

    One that is there is never replaced. Raises UsageError where it cannot be made; Full, WriteFailed where the disk
    refuses.
    """
    end_in_order()
    try:
        file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"cannot make {path}: {error.strerror}") from error

    @contextmanager
    def refusals() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            failure = Full if error.errno in NO_ROOM else WriteFailed
            raise failure(f"cannot write {path}: {error.strerror}") from error

    def write(data: bytes) -> None:
        with refusals():
            file.write(data)

    try:
        yield write
        with refusals():
            file.flush()
            os.fsync(file.fileno())
            file.close()
    except BaseException:
        path.unlink(missing_ok=True)
        with refusals():
            file.close()
        raise
