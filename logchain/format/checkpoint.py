"""The checkpoint of the ledger, C2SP's tlog-checkpoint (docs/spec/checkpoint.md)."""

from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import base64, number, unbase64
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.signed_note import Vkey, check_text, open_note

__all__ = ["Checkpoint", "format_checkpoint", "open_checkpoint", "parse_checkpoint"]

_SIZE = number()


class Checkpoint(NamedTuple):
    """A log's origin, its number of leaves, the root over them (32 bytes), and lines that others may add."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the text that is signed, or raise FormatError on what parse_checkpoint refuses."""
    origin, size, root, extensions = checkpoint
    lines = [origin, _SIZE.format(size), base64(root), *extensions]
    if len(root) != 32 or not all(lines) or any("\n" in line for line in lines):
        raise FormatError("a checkpoint with a bad root, or with an empty line")
    text = "".join(f"{line}\n" for line in lines).encode()
    check_text(text)
    return text


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return what a checkpoint's text says, or raise FormatError."""
    lines = check_text(text).split("\n")[:-1]
    if len(lines) < 3:
        raise FormatError("a checkpoint of less than three lines")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(origin, _SIZE.parse(size), unbase64(root), tuple(extensions))
    if format_checkpoint(checkpoint) != text:
        raise FormatError("a checkpoint that is not canonical")
    return checkpoint


def open_checkpoint(data: bytes, vkey: Vkey) -> Checkpoint:
    """Return the checkpoint of the log that this key signs for; FormatError, SignatureError."""
    checkpoint = parse_checkpoint(open_note(data, vkey, MAX_CHECKPOINT))
    if checkpoint.origin != vkey.name:
        raise FormatError("a checkpoint of another log")
    return checkpoint
