"""Reads the files of seeds and audit secrets, which `new_files` makes."""

from pathlib import Path

import click

from logchain.cli.frontend import ask, is_frontend
from logchain.format.audit import AuditSecret, LockedSecret, parse_audit, unlock
from logchain.format.errors import FormatError, UsageError
from logchain.format.limits import MAX_SMALL_FILE
from logchain.format.segment_key import SegmentKey, parse_segment_key

__all__ = ["read_audit_secret", "read_secret", "read_segment_key"]


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
