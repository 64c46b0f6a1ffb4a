"""What the collector says to a sender (docs/spec/wire.md)."""

from collections.abc import Iterable

__all__ = ["BUSY", "FULL", "format_error", "format_greeting", "format_ok"]

BUSY, FULL = b"busy\n", b"full\n"


def format_greeting(session: bytes, resume: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the greeting: this session, and those before it with their durable lines."""
    known = ",".join(f"{name.hex()}:{lines}" for name, lines in resume)
    return f"logchain/1 session={session.hex()} resume={known}\n".encode()


def format_ok(lines: int) -> bytes:
    """Return the acknowledgement of so many lines of this session."""
    return b"ok %d\n" % lines


def format_error(words: str) -> bytes:
    """Return an error line of at most 200 printable ASCII characters; others are shown as `?`."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in words)
    return f"error {shown[:200]}\n".encode()
