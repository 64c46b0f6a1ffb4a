"""Every error of logchain, and what it makes a command exit with.

    LogchainError               3   cannot tell, cannot go on
    ├── FormatError             3   bytes that do not fit their page in docs/spec/
    │   └── OddFile             3   a link, a device or a giant where a file of ours belongs
    ├── UsageError              2   a name, an option or a file that the caller gave is wrong
    ├── StoreError              3   no store there, or not one that can be read
    │   ├── Busy                3   somebody else writes this stream
    │   ├── Full                3   no room on the disk
    │   └── WriteFailed         3   the disk refused a write or a sync; what was acknowledged is safe
    ├── SecretError             3   the audit secret is locked, or another store's
    ├── SignatureError          3   a note that its key did not sign
    └── ProofError              3   a Merkle proof that does not lead to its root

Evidence of tampering is no exception but a verdict (`read.verify`), exit 1. Messages are one line, name
what to do, and hold no text of a sender unescaped.
"""

__all__ = [
    "Busy",
    "FormatError",
    "Full",
    "LogchainError",
    "OddFile",
    "ProofError",
    "SecretError",
    "SignatureError",
    "StoreError",
    "UsageError",
    "WriteFailed",
]


class LogchainError(Exception):
    """The root of the tree above."""

    exit_code = 3


class FormatError(LogchainError):
    """Bytes that do not fit their page in docs/spec/."""


class OddFile(FormatError):
    """A link, a device or a giant where a file of ours belongs."""


class UsageError(LogchainError):
    """The caller gave something wrong."""

    exit_code = 2


class StoreError(LogchainError):
    """No store there, or not one that can be read."""


class Busy(StoreError):
    """Somebody else writes this stream."""


class Full(StoreError):
    """No room on the disk."""


class WriteFailed(StoreError):
    """The disk refused a write or a sync."""


class SecretError(LogchainError):
    """The audit secret is locked, or another store's."""


class SignatureError(LogchainError):
    """A note that its key did not sign."""


class ProofError(LogchainError):
    """A Merkle proof that does not lead to its root."""
