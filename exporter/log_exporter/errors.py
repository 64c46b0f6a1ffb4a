"""The errors of the exporter, and the exit code of each.

ExporterError
├── UsageError        2   the command cannot work as it was given
├── NotDelivered      3   it ended, or was told to give up, with lines left
├── NotRunning        3   `status`: there is no exporter to tell about
├── NotInOrder        3   `check`: something is wrong, and was said
└── ConnectionLost    -   this call is over, the next one may work; never reaches the user as an exit code
    ├── WireError     -   the collector said what docs/spec/wire.md does not allow
    ├── StateError    -   the cursor cannot be saved, so nothing may be sent
    ├── SourceError   -   the source cannot be read
    └── Refused       -   the policy does not allow the call: try again in minutes, and say nothing
"""


class ExporterError(Exception):
    """What the exporter tells its user in one line."""

    exit_code = 3


class UsageError(ExporterError):
    """The command cannot work as it was given."""

    exit_code = 2


class NotDelivered(ExporterError):
    """The end has come with lines left that nobody acknowledged."""


class NotRunning(ExporterError):
    """No exporter runs whose status could be told."""


class NotInOrder(ExporterError):
    """Something is not as it must be."""


class ConnectionLost(ExporterError):
    """This call is over; the next one may work."""


class WireError(ConnectionLost):
    """The collector said what the wire does not allow."""


class StateError(ConnectionLost):
    """The cursor cannot be saved, so nothing may be sent."""


class SourceError(ConnectionLost):
    """The source cannot be read."""


class Refused(ConnectionLost):
    """The qrexec policy does not allow the call."""
