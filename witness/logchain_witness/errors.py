"""The errors of the witness, and the exit code of each.

WitnessError
├── FormatError       3   bytes that do not fit their page in docs/spec/
├── ProofError        1   a checkpoint that does not go on from what is remembered
├── SignatureError    3   a note that its key did not sign
├── StateError        3   what is remembered cannot be read or kept
└── UsageError        2   the command cannot work as it was given
"""


class WitnessError(Exception):
    """What the witness tells its user in one line."""

    exit_code = 3


class FormatError(WitnessError):
    """Bytes that do not fit their page in docs/spec/."""


class ProofError(WitnessError):
    """A checkpoint that does not go on from what is remembered."""

    exit_code = 1


class SignatureError(WitnessError):
    """A note that its key did not sign."""


class StateError(WitnessError):
    """What is remembered cannot be read or kept."""


class UsageError(WitnessError):
    """The command cannot work as it was given."""

    exit_code = 2
