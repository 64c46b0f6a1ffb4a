"""Where output goes: to standard output, or through a pager when that is a terminal, as git and journalctl do."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from logchain.format.errors import UsageError

if TYPE_CHECKING:
    import subprocess

__all__ = ["colours", "output"]

_PAGERS = ("LOGCHAIN_PAGER", "SYSTEMD_PAGER", "PAGER")  # the first that is set counts; empty, or `cat`: none


def colours() -> bool:
    """Tell whether what is printed may have colours: on a terminal, and nobody said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def output(use_pager: bool) -> Iterator[IO[bytes]]:
    """Yield a file to write to; leaving waits until the pager is closed."""
    pager = _start() if use_pager and sys.stdout.isatty() else None
    if not pager:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    assert pager.stdin
    try:
        with pager.stdin as file:
            yield file
    except BrokenPipeError:
        pass  # the reader has seen enough
    finally:
        pager.wait()


def _start() -> "subprocess.Popen[bytes] | None":
    """Start the pager; None where none is wanted, or where the one that is set is not there. UsageError."""
    import shlex
    import subprocess  # a pipe shall not wait for what only a terminal needs

    wanted = next((os.environ[name] for name in _PAGERS if name in os.environ), "less")
    try:
        command = shlex.split(wanted)
    except ValueError as error:
        raise UsageError(f"the pager that is set, {wanted}, is no command: {error}") from error
    if command in ([], ["cat"]):
        return None
    # less, told nothing else: quit if it fits, colours, long lines to be scrolled to, and start no other program
    environment = {"LESS": "FRSXMK", **os.environ, "LESSSECURE": "1"}
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:
        return None
