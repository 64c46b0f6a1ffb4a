"""What the exporter says to its user: short lines on standard error."""

import os
import sys


def printable(untrusted_text: str) -> str:
    """Return the text with everything escaped that a terminal could obey."""
    return "".join(c if c.isascii() and c.isprintable() else ascii(c)[1:-1] for c in untrusted_text)


def printable_path(untrusted_path: str) -> str:
    """Return a file name for a message; its bytes need not be text."""
    return printable(os.fsencode(untrusted_path).decode("utf-8", "backslashreplace"))


def say(message: str) -> None:
    """Print one line on standard error, if anybody still listens there."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"log-exporter: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # whom could we tell?


def show(text: str) -> None:
    """Write what was asked for on standard output, also to somebody who closes the pipe early."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer goes there
