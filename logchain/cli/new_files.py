"""Makes files that are to be there whole or not at all, and belong to their owner alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from logchain.format.errors import Full, UsageError, WriteFailed
from logchain.store.layout import NO_ROOM

__all__ = ["Write", "new_file"]

Write = Callable[[bytes], None]


@contextmanager
def new_file(path: Path) -> Iterator[Write]:
    """Make a new file, and yield what writes to it; where an error ends that, the file goes again.

    One that is there is never replaced. Raises UsageError where it cannot be made; Full, WriteFailed where the disk
    refuses.
    """
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
