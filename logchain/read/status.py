"""What `logchain status` tells: how full, how fast, who was there last, and whether all is well. Nothing is verified.

What is sealed comes from the catalog where it is current, else from the files. A VM's rate is the text that it brought
in the last seven days, or since its first record if that is later, but at least a day; how long its quota lasts is
what is left of it, at that rate, if a byte of text takes as much room as those that are there do on average.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from logchain.format.errors import FormatError, OddFile, StoreError
from logchain.format.keystate import KeyState, read_births
from logchain.format.limits import QUOTA_BEYOND, SEGMENT_ROOM
from logchain.format.settings import UNLIMITED, Settings
from logchain.format.slots import FILE_SIZE
from logchain.read.catalog import Catalog, read_catalog
from logchain.read.gone import Gone
from logchain.read.head import Head, read_head
from logchain.read.live import is_connected, open_segment
from logchain.read.sealed import peek
from logchain.read.segments import StreamFiles, all_streams, open_stream_files
from logchain.read.witnessed import WitnessReport, signed_by
from logchain.store.layout import BIRTHS, COMPRESSOR, KEYS, LEDGER, Directory, is_restoring, segments

__all__ = ["BudgetStatus", "CompressorStatus", "SegmentCounts", "Status", "read_status"]

_DAY = 86_400_000_000  # µs
_LATELY = 7 * _DAY
_STALE = 3_600_000_000  # µs without the end of a round: a long one compresses a hundred segments


class _Text(NamedTuple):
    """A segment's text: times of its first and last record, bytes."""

    first: int
    last: int
    size: int


@dataclass
class BudgetStatus:
    """A VM, or all disposables, and its quota. Sizes in bytes, times in µs since 1970, 0 for none."""

    name: str
    quota: int
    vms: int = 0
    used: int = 0
    standing: str = "within"  # its quota; or `over`: read slowly; or `spent`: not read
    text: int = 0  # bytes, of what is there
    rate: float = 0.0  # bytes of text a day, lately
    days: float | None = None  # until the quota is used up at that rate; None: never
    last: int = 0  # its last record
    connected: int = 0  # streams
    names: list[str] = field(default_factory=list)  # of its VMs
    next: str = ""  # stream and segment that goes next for the quota, once old enough; empty: none is sealed


@dataclass
class SegmentCounts:
    """How many segments there are, and bytes of text; `waiting` are closed and not sealed yet, `oldest` since when."""

    sealed: int = 0
    sealed_size: int = 0
    sealed_room: int = 0  # what they take on the disk
    open: int = 0
    waiting: int = 0
    waiting_size: int = 0
    oldest: int = 0


@dataclass(frozen=True)
class CompressorStatus:
    """Whether it runs (None: its lock may not be looked at), when it ended a round, and what it could not do."""

    runs: bool | None
    round: int
    complaints: list[str]


@dataclass
class Status:
    """All of it. `attention` is what needs a person; `catalog` why it is not used, empty where it is."""

    now: int
    budgets: list[BudgetStatus]
    segments: SegmentCounts
    ledger: Head
    ledger_room: int
    compressor: CompressorStatus
    catalog: str
    cap: int | None
    free: int
    reserve: int
    unreadable: list[str] = field(default_factory=list)  # streams
    refused: list[str] = field(default_factory=list)  # why whole VMs are left out
    restoring: bool = False  # `logchain restored` has not finished
    witness: WitnessReport | None = None  # None: the settings have none
    births: int | None = 0  # that were given, where there are no logs; None: they are lost, or may not be read
    forgotten: int = 0  # streams, where there are none

    @property
    def total(self) -> int:
        """What the cap counts."""
        return sum(budget.used for budget in self.budgets) + self.ledger_room

    @property
    def attention(self) -> list[str]:
        """What needs a person, one line each."""
        return list(_attention(self))


def read_status(store: Directory, settings: Settings, now: int) -> Status:
    """Look at a store; `now` in µs since 1970."""
    catalog = read_catalog(store)
    look = _Look(settings, catalog, now)
    refused: list[StoreError] = []
    for vm, stream in all_streams(store, refused):
        with suppress(FileNotFoundError):  # forgotten meanwhile
            look.at(store, vm, stream)
    cap = None if settings.store.cap == UNLIMITED else settings.store.cap
    status = Status(
        now=now,
        budgets=look.budgets(),
        segments=look.counts,
        ledger=read_head(store),
        ledger_room=_ledger_room(store),
        compressor=_compressor(store, catalog),
        catalog=catalog.missing,
        cap=cap,
        free=store.free(),
        reserve=settings.reserve,
        unreadable=look.unreadable,
        refused=[str(error) for error in refused],
        restoring=is_restoring(store),
        witness=signed_by(store, settings.witness) if settings.witness else None,
    )
    if not status.budgets:
        status.births, status.forgotten = _births(store), len(Gone(store).forgotten())
    capped = cap is not None and status.total >= cap
    for budget in status.budgets:
        if capped or budget.used >= budget.quota:
            spent = budget.used >= budget.quota + budget.quota // QUOTA_BEYOND
            budget.standing = "spent" if spent else "over"
    return status


class _Look:
    """Goes through the streams, and adds up."""

    def __init__(self, settings: Settings, catalog: Catalog, now: int) -> None:
        self._settings, self._catalog, self._now = settings, catalog, now
        self._budgets: dict[str, BudgetStatus] = {}
        self._vms: set[str] = set()
        self._largest: dict[str, int] = {}  # room of the stream that `next` is of, by budget
        self._texts: dict[str, list[_Text]] = {}  # by budget
        self.counts = SegmentCounts()
        self.unreadable: list[str] = []

    def at(self, store: Directory, vm: str, stream: str) -> None:
        """Take in one stream."""
        name = self._settings.budget(vm)
        budget = self._budgets.setdefault(name, BudgetStatus(name, self._settings.of(vm).quota))
        if vm not in self._vms:
            self._vms.add(vm)
            budget.vms += 1
            budget.names.append(vm)
        texts = self._texts.setdefault(name, [])
        try:
            with open_stream_files(store, vm, stream) as files:
                state, _ = files.try_state()
                live = segments(files.live) if files.live else []  # before sealed/, where they go
                before = budget.used
                budget.used += files.live.room() if files.live else 0
                sealed = self._sealed(files, budget, vm, stream)
                if sealed and budget.used - before > self._largest.get(name, 0):  # as compress/quota chooses
                    self._largest[name] = budget.used - before
                    budget.next = f"{vm}/{stream} segment {min(sealed)}"
                texts += sealed.values()
                texts += self._live(files, state, [number for number in live if number not in sealed])
                if state:
                    budget.last = max(budget.last, state.time)
                    budget.connected += is_connected(state)
                elif not files.is_unborn:
                    raise FormatError("a stream without its key state")
        except (FormatError, FileNotFoundError, StoreError):
            self.unreadable.append(f"{vm}/{stream}")

    def _sealed(self, files: StreamFiles, budget: BudgetStatus, vm: str, stream: str) -> dict[int, _Text]:
        """Return the sealed segments of a stream, and add them up."""
        rows = self._catalog.rows(vm, stream, files.sealed)
        if rows is not None:
            found = {row.segment: _Text(row.first_time, row.last_time, row.size) for row in rows}
            room = sum(row.room for row in rows) + SEGMENT_ROOM * len(rows)
        else:
            assert files.sealed
            found, room = {}, files.sealed.room()
            for number in files.sealed_numbers():
                with suppress(FileNotFoundError):  # evicted since
                    outline = peek(files.sealed, number)
                    found[number] = _Text(outline.first_time, outline.last_time, outline.size)
        budget.used += room
        self.counts.sealed += len(found)
        self.counts.sealed_size += sum(text.size for text in found.values())
        self.counts.sealed_room += room
        return found

    def _live(self, files: StreamFiles, state: KeyState | None, numbers: Iterable[int]) -> Iterator[_Text]:
        """Yield the segments of a stream that are not sealed, and count them."""
        for number in numbers:
            if not files.live or not state or number > state.segment:  # never committed
                continue
            if number == state.segment and state.bounds_segment:
                self.counts.open += 1
                with open_segment(files.live, number, state) as segment:
                    yield _Text(segment.record_at(0).time, state.time, state.end)
                continue
            with suppress(FileNotFoundError), open_segment(files.live, number, state) as segment:  # sealed since
                text = _Text(segment.record_at(0).time, segment.record_at(segment.records - 1).time, segment.end)
                self.counts.waiting += 1
                self.counts.waiting_size += text.size
                self.counts.oldest = min(self.counts.oldest or text.last, text.last)
                yield text

    def budgets(self) -> list[BudgetStatus]:
        """Return the budgets with what follows for each, the fullest first."""
        for name, budget in self._budgets.items():
            texts = self._texts[name]
            budget.text = sum(text.size for text in texts)
            budget.last = max([budget.last, *(text.last for text in texts)])
            budget.rate = self._rate(texts)
            left = max(0, budget.quota - budget.used)
            if budget.rate and budget.text:
                budget.days = left / (budget.rate * budget.used / budget.text)
        return sorted(self._budgets.values(), key=lambda budget: (-budget.used / max(budget.quota, 1), budget.name))

    def _rate(self, texts: list[_Text]) -> float:
        """Return the bytes of text a day, lately; a segment that began before counts for its part in time."""
        if not texts:
            return 0.0
        since = max(self._now - _LATELY, min(text.first for text in texts))
        size = 0.0
        for first, last, bytes_ in texts:
            if last >= since:
                size += bytes_ * (last - max(first, since) + 1) / (last - first + 1)
        return size * _DAY / max(self._now - since, _DAY)


def _ledger_room(store: Directory) -> int:
    with suppress(FileNotFoundError, OddFile, StoreError), store.directory(LEDGER) as directory:
        return directory.room()
    return 0


def _births(store: Directory) -> int | None:
    with suppress(FileNotFoundError, FormatError, StoreError):
        return read_births(store.read(BIRTHS, FILE_SIZE)).birth - 1
    return None


def _compressor(store: Directory, catalog: Catalog) -> CompressorStatus:
    round_, complaints = catalog.state.get("round", 0), catalog.state.get("complaints", "")
    return CompressorStatus(
        runs=_compressor_runs(store),
        round=round_ if isinstance(round_, int) else 0,
        complaints=complaints.splitlines() if isinstance(complaints, str) else [],
    )


def _compressor_runs(store: Directory) -> bool | None:
    """Tell whether somebody holds the compressor's lock; None where that may not be looked at."""
    try:
        with store.directory(KEYS) as keys:
            fd = keys.file(COMPRESSOR)
    except FileNotFoundError:  # it never ran
        return False
    except (OddFile, StoreError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _no_logs(status: Status) -> str:
    """Return what is to be said where nothing is there that was there once, or may have been."""
    given = "the store's births cannot be read" if status.births is None else f"{status.births:,} were begun"
    return f"there are no logs, but {given}, {status.forgotten:,} forgotten: 'logchain verify' tells what was removed"


def _attention(status: Status) -> Iterator[str]:
    compressor = status.compressor
    if status.restoring:
        yield "'logchain restored' was cut short: nobody can write until it was run again, and has finished"
    if compressor.runs is False:
        yield "log-compressor does not run: nothing is sealed, compressed or evicted until it does"
    elif compressor.round and status.now - compressor.round > _STALE:
        yield "log-compressor has ended no round for over an hour; its log tells why"
    elif compressor.runs is None and not compressor.round:
        yield "nobody can tell whether log-compressor runs; ask as root, or as the store's owner"
    if not status.budgets and not status.refused and (status.births is None or status.births > status.forgotten):
        yield _no_logs(status)
    if compressor.complaints:
        yield "log-compressor could not do all: see above"
    if status.ledger.problem:
        yield "the ledger cannot be read: nothing can be sealed; 'logchain verify' tells what holds"
    witness = status.witness
    if witness and witness.time is None:
        yield "the witness has signed nothing yet: see above, and docs/guides/witness.md"
    elif witness and witness.is_to_come(status.now / 1_000_000):
        yield "the witness signed at a time to come: the clock here is wrong, or that of its qube is or was"
    elif witness and witness.is_stale(status.now / 1_000_000):
        yield "the witness has signed nothing for over an hour: docs/guides/witness.md tells what to look at"
    if status.cap is not None and status.total >= status.cap:
        yield "the store is over its cap: every qube is read slowly"
    if status.free < status.reserve:
        yield "less is free on the disk than the reserve: no qube is read; make room, or make the volume larger"
    for budget in status.budgets:
        if budget.standing == "spent":
            yield f"{budget.name} has used its quota and a quarter more: it is not read; give it more, or delete"
    for stream in status.unreadable:
        yield f"{stream} cannot be read; 'logchain verify' tells what holds"
    yield from status.refused
