"""What there is to check in one stream: its files held against what the ledger says has to be there.

Presence is judged here, contents elsewhere. A compressor may be at work: what is not where it should be is looked up in
the ledger once more before it is called damage.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_MANIFEST, MAX_SMALL_FILE
from logchain.read.findings import Finding
from logchain.read.ledger import Ledger
from logchain.read.sealed import peek
from logchain.read.segments import StreamFiles, open_stream_files
from logchain.read.verify_heads import HeadsLists
from logchain.read.verify_live import LiveTask
from logchain.read.verify_sealed import SealedTask
from logchain.store.layout import FORGETTING, ID, LOCK, Directory, manifest_name, segments

__all__ = ["Planner", "StreamPlan"]

_TEXT = re.compile(r"\A([0-9]{8})\.log(?:\.lz4|\.xz)?\Z")


@dataclass
class StreamPlan:
    """What to check in a stream, and what was found by looking at names alone."""

    vm: str
    stream: str
    stream_id: bytes = b""  # empty where it is lost
    sealed: list[SealedTask] = field(default_factory=list)
    live: LiveTask | None = None
    findings: list[Finding] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)  # all that it ever had, as far as they are known
    lost: set[int] = field(default_factory=set)  # segments whose manifest is gone: that is told
    textless: list[int] = field(default_factory=list)  # segments with a manifest and no text
    bare: bool = False  # there is nothing in it but a lock: the first or the last moment of a stream

    def find(self, text: str, segment: int | None = None, *, damage: bool = True) -> None:
        """Take note of a finding."""
        self.findings.append(Finding(damage, text, segment))


class Planner:
    """Plans the check of stream after stream; knows what was claimed by those before."""

    def __init__(self, store: Directory, store_id: bytes, ledger: Ledger, lists: HeadsLists) -> None:
        self._store, self._store_id, self._ledger, self._lists = store, store_id, ledger, lists
        self._known = [stream_id for stream_id, history in ledger.streams.items() if history.sealed]
        self._seen: set[tuple[bytes, int]] = set()
        self.ids: set[bytes] = set()  # of all streams that are there

    def plan(self, vm: str, stream: str) -> StreamPlan:
        """Look at the names of a stream's files; raises StoreError where that is not allowed."""
        plan = StreamPlan(vm, stream)
        try:
            with open_stream_files(self._store, vm, stream) as files:
                self._look(files, plan)
        except FormatError as error:
            plan.find(str(error))
        self.ids |= plan.ids
        return plan

    def _look(self, files: StreamFiles, plan: StreamPlan) -> None:
        plan.stream_id = files.try_stream_id()
        history = self._ledger.of(plan.stream_id)
        names = files.live.names() if files.live else []
        plan.bare = not set(names) - {LOCK}
        if FORGETTING in names and (history.forgotten is not None or _is_erased(files, names)):
            plan.find("the stream is being forgotten, or a crash left the rest of it", damage=False)
            plan.ids |= {plan.stream_id} - {b""}
            return
        unsealed = set(segments(files.live)) if files.live else set()  # before sealed/: it moves that way
        listed = self._lists.take(plan.stream_id)
        with_manifest = files.sealed_numbers()
        for number in with_manifest:
            self._plan_sealed(files, plan, number, unsealed, listed)
        texts = _texts(files)
        plan.textless = [task.number for task in plan.sealed if task.number not in texts]
        self._look_at_texts(files, plan, texts.difference(with_manifest), unsealed)
        if not files.live and not plan.sealed:
            return  # empty, or what a crash left of a stream that was forgotten: whether it was is asked by its id
        plan.ids |= {plan.stream_id} - {b""}
        for stream_id in list(plan.ids):
            for number in self._missing(stream_id):
                if number in files.sealed_numbers():  # sealed while we looked
                    self._plan_sealed(files, plan, number, unsealed, listed)
                else:
                    self._miss(plan, stream_id, number)
        plan.sealed.sort(key=lambda task: task.number)
        sealed = frozenset(task.number for task in plan.sealed)
        history = self._ledger.of(plan.stream_id)
        gone = frozenset(number for number in unsealed - sealed if history.is_gone(number))
        for number in sorted(gone):
            plan.find("it went on purpose, and a text of it is in live/: it was put there", number)
        plan.live = LiveTask(plan.vm, plan.stream, self._store_id, sealed, gone, tuple(history.births), listed)

    def _plan_sealed(
        self, files: StreamFiles, plan: StreamPlan, number: int, unsealed: set[int], listed: dict[int, bytes]
    ) -> None:
        """Plan the check of a segment that has a manifest."""
        assert files.sealed
        stream_id = plan.stream_id
        try:
            stream_id = peek(files.sealed, number).stream_id
        except FileNotFoundError:
            return  # it went while we looked; whether it should have is asked when all is planned
        except FormatError:
            pass  # told when it is checked; it may be the one that has to be there
        history = self._ledger.of(stream_id)
        if number not in history.sealed and not history.is_gone(number):
            self._ledger.advance()
            history = self._ledger.of(stream_id)
        entry = history.sealed.get(number)
        if not entry:
            if history.is_gone(number):
                with suppress(FileNotFoundError):  # it goes while we look
                    if stream_id == plan.stream_id and _digest(files.sealed, number) == history.went.get(number):
                        plan.find("it went on purpose, and is still there: a crash left it", number, damage=False)
                    else:
                        plan.find("it went on purpose, and what is there now is another", number)
                return
            if number in unsealed or (files.live and number in segments(files.live)):
                plan.find("it is not sealed yet: that is under way, or a crash left it", number, damage=False)
                return
            if self._ledger.intact:  # else it may stand where nothing can be read
                plan.find("it is in sealed/, and the ledger does not name it", number)
        elif (stream_id, number) in self._seen:
            plan.find("it is there twice: in another stream's directory too", number)
        elif plan.stream_id and stream_id != plan.stream_id:
            plan.find("its manifest has another stream's id: files were moved, or the id was lost", number)
        self._seen.add((stream_id, number))
        plan.ids.add(stream_id)
        found = listed.pop(number, b"") if stream_id == plan.stream_id else self._lists.take_one(stream_id, number)
        birth = history.birth_of(number)
        plan.sealed.append(SealedTask(plan.vm, plan.stream, number, self._store_id, stream_id, entry, birth, found))

    def _look_at_texts(self, files: StreamFiles, plan: StreamPlan, texts: set[int], unsealed: set[int]) -> None:
        """Tell of sealed texts that no manifest speaks of."""
        for number in sorted(texts):
            history = self._ledger.of(plan.stream_id)
            if number in unsealed or number in history.sealed or history.is_gone(number):
                continue  # a seal under way; or told with the manifest; or a removal under way
            if self._ledger.intact and number not in files.sealed_numbers():
                plan.find("it is in sealed/ without a manifest, and the ledger does not name it", number)

    def _missing(self, stream_id: bytes) -> list[int]:
        """Return the segments that the ledger says are sealed, and of which no manifest was seen."""
        return [number for number in self._ledger.of(stream_id).sealed if (stream_id, number) not in self._seen]

    def _miss(self, plan: StreamPlan, stream_id: bytes, number: int) -> None:
        """Tell of a manifest that is gone, unless it went on purpose while we looked."""
        self._ledger.advance()
        entry = self._ledger.of(stream_id).sealed.get(number)
        if entry:
            self._seen.add((stream_id, number))
            plan.lost.add(number)
            plan.findings.append(Finding(True, "it was sealed, and its manifest is gone", number, entry=entry.entry))

    def gone_streams(self) -> Iterable[Finding]:
        """Yield the streams that the ledger knew when all began, and of which there is nothing."""
        lost = [stream_id for stream_id in self._known if stream_id not in self.ids]
        if lost:
            self._ledger.advance()  # forgotten, perhaps
        for stream_id in lost:
            history = self._ledger.of(stream_id)
            if history.sealed:
                count = len(history.sealed)
                sealed = f"{count:,} segments that were sealed" if count > 1 else "a segment that was sealed"
                text = f"stream {stream_id.hex()} is gone, with {sealed}"
                yield Finding(True, text, entry=next(iter(history.sealed.values())).entry)


def _is_erased(files: StreamFiles, names: Iterable[str]) -> bool:
    """Tell whether nothing is left of a stream but perhaps its id, overwritten, as it is before it goes."""
    if set(names) - {FORGETTING, LOCK, ID}:
        return False
    with suppress(FileNotFoundError):
        return not (files.live and any(files.live.read(ID, MAX_SMALL_FILE)))
    return True


def _digest(sealed: Directory, number: int) -> bytes:
    """Return SHA-256 of a manifest, nothing where it is none; FileNotFoundError."""
    with suppress(FormatError):
        return sha256(sealed.read(manifest_name(number), MAX_MANIFEST)).digest()
    return b""


def _texts(files: StreamFiles) -> set[int]:
    """Return the numbers of which there is a text in sealed/."""
    found = set()
    for _ in range(2 if files.sealed else 0):  # one that moves to the next tier may not show in either place
        assert files.sealed
        found |= {int(match[1]) for name in files.sealed.names() if (match := _TEXT.match(name))}
    return found
