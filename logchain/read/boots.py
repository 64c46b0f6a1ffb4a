"""In which boots of the LogVM records were received: each segment is of one (ADR 0002)."""

import re
from collections.abc import Iterator

from logchain.format.errors import FormatError, UsageError
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.selection import Selection
from logchain.store.layout import Directory

__all__ = ["boot_id"]

_ID = re.compile(r"\A[0-9a-f]{32}\Z")
_NUMBER = re.compile(r"\A-?(0|[1-9][0-9]{0,3})\Z")
_ALL = 1 << 20


def boot_id(store: Directory, selection: Selection, text: str) -> str:
    """Return the id, 32 hex, of the boot that a person means, said as to journalctl.

    That is its id; or 0 for the last with logs, -1 for the one before it, 1 for the first. Raises UsageError where it
    is neither, or where there were not so many.
    """
    plain = text.replace("-", "").lower()
    if _ID.match(plain):
        return plain
    if not _NUMBER.match(text):
        raise UsageError(
            f"{text[:40]!a} is no boot: 0 is the last with logs, -1 the one before it, 1 the first; or give its id"
        )
    number = int(text)
    newest: dict[str, int] = {}  # the last time of a record of each boot, of each stream's last ones
    for vm, stream in selection.names(store):
        try:
            with open_stream_files(store, vm, stream) as files:
                for boot, last in _newest(files, 1 - number if number <= 0 else _ALL):
                    newest[boot] = max(last, newest.get(boot, 0))
        except FormatError:
            continue
    order = sorted(newest, key=newest.__getitem__, reverse=True)
    place = len(order) - number if number > 0 else -number
    if not 0 <= place < len(order):
        raise UsageError(f"there are logs of {len(order)} boots only")
    return order[place]


def _newest(files: StreamFiles, count: int) -> Iterator[tuple[str, int]]:
    """Yield the last boots of a stream, and when the last record of each was received."""
    state, _ = files.try_state()
    found: set[str] = set()
    for number in reversed(files.numbers()):
        try:
            with files.open(number, state) as text:
                boot, last = text.first_note().fields.get("boot", ""), text.last_time()
        except (FormatError, FileNotFoundError):
            continue
        found.add(boot)
        if len(found) > count:
            return
        yield boot, last
