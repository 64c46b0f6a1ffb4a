"""Where output goes: to standard output, or through a pager when that is a terminal, as git and journalctl do."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["output"]


@contextmanager
def output(use_pager: bool) -> Iterator[IO[bytes]]:
    """Yield a file to write to; leaving waits until the pager is closed."""
    command = shlex.split(os.environ.get("LOGCHAIN_PAGER", os.environ.get("PAGER", "less")))
    if not use_pager or not sys.stdout.isatty() or command in ([], ["cat"]):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # less, told nothing else: quit if it fits, chop no lines, and start no other program
    environment = {"LESS": "FXMK", **os.environ, "LESSSECURE": "1"}
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
