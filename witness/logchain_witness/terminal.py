"""Lines on the terminal. What others named has to be escaped: `say` does it, for `show` the caller does."""

import sys


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal could obey, or an eye be fooled by."""
    return "".join(c if c.isascii() and c.isprintable() else ascii(c)[1:-1] for c in text)


def say(message: str) -> None:
    """Print one line on standard error."""
    if sys.stderr:  # whoever closed it wants to hear nothing
        sys.stderr.write(f"logchain-witness: {printable(message)}\n")


def show(line: str) -> None:
    """Print a line that was asked for."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
