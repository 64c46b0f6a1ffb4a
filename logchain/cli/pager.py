"""Where output goes: to standard output, or through a pager when that is a terminal, as git and journalctl do."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from logchain.format.errors import UsageError

__all__ = ["colours", "output"]

_PAGERS = ("LOGCHAIN_PAGER", "SYSTEMD_PAGER", "PAGER")  # the first that is set counts; empty, or `cat`: none


def colours() -> bool:
    """Tell whether what is printed may have colours: on a terminal, and nobody said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def output(use_pager: bool) -> Iterator[IO[bytes]]:
    """Yield a file to write to; leaving waits until the pager is closed."""
    if not use_pager or not sys.stdout.isatty():
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    import shlex
    import subprocess  # a pipe shall not wait for what only a terminal needs

    wanted = next((os.environ[name] for name in _PAGERS if name in os.environ), "less")
    try:
        command = shlex.split(wanted)
    except ValueError as error:
        raise UsageError(f"the pager that is set, {wanted}, is no command: {error}") from error
    if command in ([], ["cat"]):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # less, told nothing else: quit if it fits, colours, long lines to be scrolled to, and start no other program
    environment = {"LESS": "FRSXMK", **os.environ, "LESSSECURE": "1"}
    try:
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:
        yield sys.stdout.buffer
        return
    assert pager.stdin
    try:
        with pager.stdin as file:
            yield file
    except BrokenPipeError:
        pass  # the reader has seen enough
    finally:
        pager.wait()
