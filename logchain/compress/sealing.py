"""Sealing now what a person wants sealed: all that nobody writes, whatever its age; and what is written, with when."""

from collections.abc import Iterator
from typing import NamedTuple

from logchain.format.errors import Busy, FormatError, Full, StoreError, WriteFailed
from logchain.format.keystate import KeyState, Status
from logchain.format.manifest import Manifest
from logchain.format.settings import StoreSettings
from logchain.store.clock import Clock
from logchain.store.layout import LIVE, Directory, segments, stream_directory, streams
from logchain.store.ledger import Ledger
from logchain.store.opening import is_written
from logchain.store.sealer import seal_segment
from logchain.store.segments import close_idle, closed_segments, durable_state

__all__ = ["Stays", "Written", "seal_now"]


class Written(NamedTuple):
    """A segment that is being written; it closes by itself at `closes`, µs since 1970, or before."""

    closes: int


class Stays(NamedTuple):
    """A segment that cannot be sealed, and why; `waits` if its sender's next call is all that is missing."""

    reason: str
    waits: bool = False


def seal_now(
    store: Directory, ledger: Ledger, clock: Clock, settings: StoreSettings, vm: str | None = None
) -> Iterator[tuple[str, str, int, Manifest | Written | Stays]]:
    """Close and seal what nobody writes, of one VM or of all; yield VM, stream, segment, and what became of it.

    Segment 0 stands for all of a stream that may not be looked into. Raises Full, WriteFailed: what was yielded is
    sealed, the rest is as it was.
    """
    for name, stream in streams(store, LIVE, []):
        if vm not in (None, name):
            continue
        try:
            close_error = _close(store, name, stream, clock)
            yield from ((name, stream, *found) for found in _seal(store, ledger, name, stream))
            still_open = _still_open(store, name, stream, clock, settings.segment_age, close_error)
            yield from ((name, stream, *found) for found in still_open)
        except FileNotFoundError:  # forgotten meanwhile
            continue
        except (Full, WriteFailed):
            raise
        except StoreError as error:  # it may not be looked into: the others are sealed
            yield name, stream, 0, Stays(str(error))


def _close(store: Directory, vm: str, stream: str, clock: Clock) -> str:
    """Close the open segment if nobody writes it; return what went wrong, if anything did."""
    try:
        close_idle(store, vm, stream, clock, 0)
    except (Full, WriteFailed):
        raise
    except StoreError as error:
        return str(error)
    return ""


def _seal(store: Directory, ledger: Ledger, vm: str, stream: str) -> Iterator[tuple[int, Manifest | Stays]]:
    for segment in closed_segments(store, vm, stream):
        try:
            yield segment, seal_segment(store, ledger, vm, stream, segment)
        except (Busy, FileNotFoundError):  # the stream was forgotten
            return
        except (Full, WriteFailed):
            raise
        except FormatError as error:
            yield segment, Stays(str(error))
        except StoreError as error:  # it may be otherwise in a moment: then those behind it come after it
            yield segment, Stays(str(error))
            return


def _still_open(
    store: Directory, vm: str, stream: str, clock: Clock, age: int, error: str
) -> Iterator[tuple[int, Written | Stays]]:
    """Yield the segment that is still open."""
    with stream_directory(store, vm, stream) as live:
        try:
            state = durable_state(live)
        except FormatError as lost:
            yield max(segments(live), default=0), Stays(f"the key state cannot be read: {lost}")
            return
        if not state.bounds_segment:
            return
        if is_written(live):
            yield state.segment, Written(_closes(state, clock, age))
        elif state.status == Status.GIVEN_UP:
            yield state.segment, Stays("a write of it failed; the next call of its sender ends it", waits=True)
        elif state.status == Status.RESTORED:
            yield state.segment, Stays("it came back from a backup; the next call of its sender ends it", waits=True)
        else:
            yield state.segment, Stays(error or "it is not what its key state says; 'logchain verify' tells more")


def _closes(state: KeyState, clock: Clock, age: int) -> int:
    """Return when a segment is closed for its age, by the wall clock of now."""
    return clock.wall() + max(0, state.opened + age * 1_000_000 - clock.running())
