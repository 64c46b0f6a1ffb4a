"""Reads and writes the files of seeds and audit secrets, which belong to their owner alone."""

import os
from pathlib import Path

import click

from logchain.cli.frontend import ask, is_frontend
from logchain.format.audit import AuditSecret, LockedSecret, parse_audit, unlock
from logchain.format.errors import FormatError, UsageError, WriteFailed
from logchain.format.limits import MAX_SMALL_FILE
from logchain.format.segment_key import SegmentKey, parse_segment_key

__all__ = ["read_audit_secret", "read_secret", "read_segment_key", "write_secret"]


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read, whole or not at all; one that is there is never replaced."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot make {path}: {error.strerror}") from error
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
    except OSError as error:
        path.unlink()
        raise WriteFailed(f"cannot write {path}: {error.strerror}") from error


def read_secret(path: Path) -> bytes:
    """Return the bytes of a small file, or raise UsageError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SMALL_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def read_audit_secret(path: Path) -> AuditSecret:
    """Return an audit secret; asks for its passphrase where it is locked."""
    try:
        audit = parse_audit(read_secret(path))
    except FormatError as error:
        raise UsageError(f"{path} holds no audit secret: {error}") from error
    if isinstance(audit, LockedSecret):
        question = "Passphrase of the audit secret"
        typed = ask(question, "", secret=True) if is_frontend() else click.prompt(question, hide_input=True, err=True)
        audit = unlock(audit, typed)
    return audit


def read_segment_key(path: Path) -> SegmentKey:
    """Return the key of a segment, as `logchain audit-key` wrote it."""
    try:
        return parse_segment_key(read_secret(path))
    except FormatError as error:
        raise UsageError(f"{path} holds no segment key: {error}") from error
