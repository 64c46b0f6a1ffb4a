"""The names of VMs and streams: the only text of a call that ever becomes part of a path."""

import re

from logchain.format.errors import UsageError

__all__ = ["DEFAULT_STREAM", "check_stream", "check_vm"]

DEFAULT_STREAM = "main"

_VM = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
_STREAM = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,47}\Z")


def check_vm(untrusted_name: str) -> str:
    """Return a VM's name as qrexec gives it, or raise UsageError."""
    if not _VM.match(untrusted_name):
        raise UsageError("not a VM name: 1 to 31 letters, digits, '_', '.', '-', a letter first")
    return untrusted_name


def check_stream(untrusted_name: str) -> str:
    """Return a stream's name, or raise UsageError."""
    if not _STREAM.match(untrusted_name):
        raise UsageError("not a stream name: 1 to 48 letters, digits, '_', '.', '-', not starting with a sign")
    return untrusted_name
