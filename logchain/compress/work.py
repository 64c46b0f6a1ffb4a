"""One round of the compressor: what is closed is sealed, what is open is fixed, what is old shrinks or goes.

Every step finds its work in the store and leaves it so that a kill at any point costs a repetition at most; so a round
is also what follows a crash.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from logchain.compress.catalog import Catalog
from logchain.compress.quota import Room, Sealed, to_evict
from logchain.compress.witness import AskWitness
from logchain.format.errors import Busy, FormatError, Full, StoreError, WriteFailed
from logchain.format.ledger import Config
from logchain.format.limits import SEGMENT_ROOM
from logchain.format.settings import UNLIMITED, Settings
from logchain.store.archive import compress_segment, evict, finish_removals
from logchain.store.clock import Clock
from logchain.store.heads import KeptLists, OpenHeads
from logchain.store.layout import LIVE, SEALED, Directory, stream_directory, streams
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.room import ledger_usage, usage
from logchain.store.sealed import read_manifest
from logchain.store.sealer import seal_segment
from logchain.store.segments import close_idle, closed_segments

__all__ = ["Compressor", "Stopped"]

_AT_ONCE = 8  # segments in a round, sealed of one stream or compressed of all: who has thousands holds up nobody
_LONG = 5_000_000  # µs: when compressing took so long, heads, seals and commands come first again
_TOLD = 64 << 10  # characters of complaints that `logchain status` gets
_BAD_FOR = 3_600  # s of running time until a segment that could not be sealed is read again
_TEXT_AT_ONCE = 256 << 20  # bytes that are condensed in a round: some seconds


class Stopped(Exception):
    """Whoever runs the round wants it to end."""


class _Known:
    """What need not be read again as long as the ledger stays open: a store may come back from a backup meanwhile."""

    def __init__(self) -> None:
        self.heads, self.fixed = OpenHeads(), -UNLIMITED  # and when they were recorded last, s of running time
        self.kept = KeptLists()
        self.bad: dict[tuple[str, str, int], tuple[int, str]] = {}  # segments: when to look again, s; what is wrong


class Compressor:
    """Works on a store, round after round.

    `turn` is told what is being done, before each step that may take a while, and raises Stopped to end the round.
    `log` takes lines for our own log, with a priority as in syslog(3).
    """

    def __init__(
        self, store: Directory, clock: Clock, log: Callable[[int, str], None], turn: Callable[[str], None]
    ) -> None:
        self._store, self._clock, self._log, self._turn = store, clock, log, turn
        self._ledger: Ledger | None = None
        self._witness = AskWitness(store, clock, log)
        self._known = _Known()
        self._told: set[str] = set()  # what is amiss
        self._before: set[str] = set()  # what was in the round before: that was logged

    def round(self, settings: Settings) -> bool:
        """Do what there is to do now, for each stream a little; tell whether more is left for a round at once.

        Raises Busy while a command has the ledger, Stopped, Full, WriteFailed, or StoreError: the store is as after a
        crash then, and the next round goes on. Where the disk is full, what may be evicted is, all the same.
        """
        full: Full | None = None
        more = False
        self._before, self._told = self._told, set()
        if self._witness.complaint:  # of the round before: it is asked behind what `status` is told below
            self._complain(self._witness.complaint)
        with self._open() as ledger:
            try:
                if settings.digest != ledger.state.config:  # by what rules segments will go
                    ledger.append(Config(settings.digest))
                more = self._seal(ledger, settings.store.idle)
                if ledger.age() >= self._known.fixed + settings.store.heads:
                    self._known.heads.record(self._store, ledger)
                    self._known.fixed = ledger.age()
                for complaint in self._known.heads.complaints:
                    self._complain(complaint)
            except Full as error:
                full = error
            catalog = Catalog(self._store)
            try:
                catalog.refresh()
                if not full:
                    more = self._condense(catalog) or more
                    more = self._compress(ledger, catalog, settings) or more
                self._evict(ledger, catalog, settings)
                self._known.kept.drop(self._store, ledger)
                catalog.refresh()
                complaints = "\n".join(sorted(self._told))[:_TOLD]
                catalog.tell(round=self._clock.wall(), entries=ledger.number, complaints=complaints)
            finally:
                catalog.close()
        if full:
            raise full
        if settings.witness:
            self._turn("asking the witness")
        self._witness.tend(settings)  # without the ledger's lock: a witness may be slow
        if self._witness.complaint:
            self._complain(self._witness.complaint)
        return more

    def close(self) -> None:
        """Let the store go."""
        if self._ledger:
            self._ledger.close()
            self._ledger = None

    @contextmanager
    def _open(self) -> Iterator[Ledger]:
        """Take the ledger, and let it go after: commands append to it between our rounds."""
        if self._ledger and not self._ledger.take_up():  # a command has appended, or a backup was unpacked
            self.close()
        if not self._ledger:
            self._ledger = open_ledger(self._store, self._clock)
            self._known = _Known()
            finish_removals(self._store, self._ledger)  # that a crash cut short
        ledger = self._ledger
        try:
            yield ledger
        finally:
            if ledger.usable:
                ledger.let_go()
            else:
                self.close()

    def _seal(self, ledger: Ledger, idle: int) -> bool:
        more = False
        refused: list[StoreError] = []
        for vm, stream in streams(self._store, LIVE, refused):
            try:
                if close_idle(self._store, vm, stream, self._clock, idle * 1_000_000):
                    self._log(6, f"{vm}/{stream}: closed a segment")
                closed = closed_segments(self._store, vm, stream)
                more = self._seal_stream(ledger, vm, stream, closed) or more
            except (Busy, FileNotFoundError):  # a sender came, or somebody forgot the VM
                continue
            except (Full, WriteFailed):
                raise
            except (FormatError, StoreError) as error:  # of this stream alone: the others go on
                self._complain(f"{vm}/{stream}: {error}")
        for refusal in refused:
            self._complain(str(refusal))
        return more

    def _seal_stream(self, ledger: Ledger, vm: str, stream: str, closed: list[int]) -> bool:
        """Seal some of a stream's closed segments; tell whether there are more. A bad one stands in nobody's way."""
        known, tried = self._known.bad, 0
        for gone in [key for key in known if key[:2] == (vm, stream) and key[2] not in closed]:
            del known[gone]
        for segment in closed:
            key = vm, stream, segment
            again, complaint = known.get(key, (0, ""))
            if complaint and ledger.age() < again:
                self._complain(complaint)
                continue
            if tried == _AT_ONCE:
                return True
            tried += 1
            self._turn(f"sealing {vm}/{stream} {segment}")
            try:
                seal_segment(self._store, ledger, vm, stream, segment)
                self._log(6, f"{vm}/{stream}: sealed segment {segment}")
            except FormatError as error:
                known[key] = ledger.age() + _BAD_FOR, f"{vm}/{stream}: {error}"
                self._complain(known[key][1])
        return False

    def _condense(self, catalog: Catalog) -> bool:
        """Let the catalog read what was sealed, as it still is on the disk; tell whether more is left."""
        size = 0
        for one in catalog.condense():
            if size >= _TEXT_AT_ONCE:
                return True
            self._turn(f"condensing {one.vm}/{one.stream} {one.segment}")
            size += one.size
        return False

    def _compress(self, ledger: Ledger, catalog: Catalog, settings: Settings) -> bool:
        tiers, done, begun = settings.tiers, 0, self._clock.running()
        for row in catalog.sealed():
            age = ledger.age() - row.age
            if age >= tiers.xz_after and row.tier != ".xz":
                target, level = ".xz", tiers.xz_level
            elif age >= tiers.lz4_after and not row.tier:
                target, level = ".lz4", tiers.lz4_level
            else:
                continue
            if done == _AT_ONCE or self._clock.running() - begun >= _LONG:
                return True
            self._turn(f"compressing {row.vm}/{row.stream} {row.segment}")
            try:
                compress_segment(self._store, row.vm, row.stream, row.segment, target, level)
                done += 1  # one that cannot be must not stand in the way of others for ever
            except (FormatError, FileNotFoundError) as error:
                self._complain(f"{row.vm}/{row.stream}: segment {row.segment} cannot be compressed: {error}")
        return False

    def _evict(self, ledger: Ledger, catalog: Catalog, settings: Settings) -> None:
        catalog.refresh()  # what was compressed takes less
        room = Room(usage(self._store), ledger_usage(self._store), self._store.free())
        sealed = [
            Sealed(row.vm, row.stream, row.segment, size=row.room + SEGMENT_ROOM, age=ledger.age() - row.age)
            for row in catalog.sealed()
        ]
        for gone, reason in to_evict(sealed, room, settings):
            self._turn(f"evicting {gone.vm}/{gone.stream} {gone.segment}")
            try:
                if ledger.age() - self._sealed_at(gone) >= settings.of(gone.vm).keep_at_least:
                    evict(self._store, ledger, gone.vm, gone.stream, gone.segment, reason)
                    self._log(5, f"{gone.vm}/{gone.stream}: evicted segment {gone.segment} ({reason})")
            except (FormatError, FileNotFoundError, StoreError) as error:
                if isinstance(error, Full) or not ledger.usable:
                    raise
                self._complain(f"{gone.vm}/{gone.stream}: segment {gone.segment} cannot be evicted: {error}")

    def _sealed_at(self, one: Sealed) -> int:
        """Return the age at which a segment was sealed, as its manifest says: the catalog is no authority."""
        with stream_directory(self._store, one.vm, one.stream, SEALED) as sealed:
            return read_manifest(sealed, one.segment).age

    def _complain(self, complaint: str) -> None:
        if complaint not in self._before | self._told:
            self._log(3, complaint)
        self._told.add(complaint)
