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
