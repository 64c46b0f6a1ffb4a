"""What all who read one store in one go share: what was looked up once, what was told once."""

from logchain.read.accepted import Accepted
from logchain.read.gone import Gone
from logchain.read.sealed import Outline, SealedText, require_accepted
from logchain.read.segments import StreamFiles
from logchain.store.layout import Directory

__all__ = ["View"]


class View:
    """A store as one reader sees it. `accepted` is what the user's last `verify` found good, None: there was none."""

    def __init__(self, store: Directory, accepted: Accepted | None = None) -> None:
        self.store, self.gone = store, Gone(store)
        self._accepted = accepted
        self._outlines: dict[tuple[str, str, int], Outline] = {}
        self.begins: dict[tuple[str, str, int], int] = {}  # of segments that were opened: when the first record came
        self._told: set[tuple[str, str, str]] = set()
        self.marked: set[tuple[str, str]] = set()  # streams of which it was told that what follows is not yet verified

    @property
    def accepts(self) -> bool:
        """Whether there is anything that a `verify` found good."""
        return self._accepted is not None

    def outline(self, files: StreamFiles, vm: str, stream: str, number: int) -> Outline | None:
        """Return the head of a segment's manifest, which never changes; None where it is not sealed.

        FormatError where the last `verify` accepted another: who changed its times could hide lines.
        """
        found = self._outlines.get((vm, stream, number)) or files.outline(number, self._digest(files, number))
        if found:
            self._outlines[vm, stream, number] = found
        return found

    def judge(self, files: StreamFiles, text: SealedText) -> bool:
        """Tell whether the last `verify` accepted a segment's manifest; FormatError where it accepted another one."""
        digest = self._digest(files, text.number)
        require_accepted(text.digest, digest)
        return digest is not None

    def _digest(self, files: StreamFiles, number: int) -> bytes | None:
        return self._accepted.manifest(files.try_stream_id(), number) if self._accepted else None

    def is_new(self, gap: tuple[str, str, str]) -> bool:
        """Tell whether a gap was not told before: VM, stream, reason."""
        if gap in self._told:
            return False
        self._told.add(gap)
        return True
