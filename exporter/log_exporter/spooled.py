"""A Source from an Intake: its lines go to the spool first, and from there to the collector."""

from log_exporter.resumed import Resumed
from log_exporter.sources import Intake
from log_exporter.spool import Spool
from log_exporter.state import State
from log_exporter.wire import Greeting


class Spooled:
    """What an Intake hands over, each line exactly once, but for what the spool had to drop."""

    pause = None

    def __init__(self, intake: Intake, spool: Spool, host: str, state: State) -> None:
        self._intake = intake
        self.spool = spool
        self._resumed = Resumed(spool, host, state, "spool")  # what is in it does not change with the settings

    @property
    def finished(self) -> bool:
        """Whether the last line was handed out."""
        return self._intake.finished and self._resumed.at_end

    def fileno(self) -> int | None:
        """Return the intake's descriptor; not while whoever writes to it has to wait for room."""
        return None if self._has_to_wait() else self._intake.fileno()

    def _has_to_wait(self) -> bool:
        return self._intake.patient and self.spool.full

    def take(self) -> None:
        """Bring what there is to the spool."""
        if self._has_to_wait():
            return  # others have filled the disk since we were told that there is something
        self.spool.append(self._intake.take(), patient=self._intake.patient)

    def begin(self, greeting: Greeting) -> None:
        """Go to the first line that is not stored."""
        self._resumed.begin(greeting)

    def read(self) -> bytes:
        """Return the spool's next lines."""
        return self._resumed.read()

    def acknowledge(self, lines: int) -> None:
        """Let go of what is stored."""
        self._resumed.acknowledge(lines)

    def close(self) -> str:
        """Save where everything stands; what is in the spool is sent at the next start."""
        self._intake.close()
        said = self._resumed.close()
        return f"{self.spool.untold} lines were dropped, which no line tells of" if self.spool.untold else said
