"""Appending to the ledger: each entry by a key of its own, so that a crash at any point neither breaks nor forks it.

The order of an append is the promise (docs/spec/ledger.md, 13): what the entry names is durable; the pending slot of
`keys/ledger`, with the next key and the entry's exact bytes, is (the commit point); the entry is appended, synced; the
key that signed it is wiped, synced; the checkpoint is put in place. Opening appends what a crash left pending, the same
bytes again and never others.
"""

import fcntl
import os
from contextlib import ExitStack
from hashlib import sha256
from types import TracebackType
from typing import Self

from logchain.format.checkpoint import Checkpoint, format_checkpoint, open_checkpoint
from logchain.format.errors import Busy, FormatError, Full, SignatureError, StoreError
from logchain.format.ledger import (
    Delete,
    Entry,
    Event,
    Evict,
    Forget,
    entry_key_name,
    format_entry,
    is_torn,
    log_key_name,
)
from logchain.format.ledger_keys import (
    LEDGER_MAGIC,
    LedgerKeys,
    LogKey,
    format_ledger_keys,
    parse_ledger_keys,
    parse_log_key,
)
from logchain.format.limits import MAX_CHECKPOINT, MAX_ENTRY, MAX_SMALL_FILE
from logchain.format.merkle import Tree, leaf_hash
from logchain.format.signed_note import public_key, sign
from logchain.store.clock import Clock
from logchain.store.durable import SlotFile, cut, put, remove, sync, write
from logchain.store.layout import (
    CHECKPOINT,
    ENTRIES,
    HEADS,
    KEYS,
    LEDGER,
    LEDGER_KEYS,
    LOCK,
    LOG_KEY,
    Directory,
    heads_name,
    lists,
    temporary_name,
)
from logchain.store.ledger_entries import BrokenLedger, read_entries
from logchain.store.ledger_state import LedgerState

__all__ = ["Ledger", "open_ledger"]

_DO = "'logchain verify' tells what still holds; then begin a new store"
_SECOND = 1_000_000  # µs


class Ledger:
    """The ledger, open for appending; nobody else appends meanwhile.

    After an error, but for Full where the disk had no room for the pending slot, it takes no more: open it again.
    """

    def __init__(
        self,
        store: Directory,
        directory: Directory,
        lock: int,
        entries: int,
        slots: SlotFile,
        log_key: LogKey,
        clock: Clock,
    ) -> None:
        self._store, self._directory, self._lock, self._entries = store, directory, lock, entries
        self._slots, self._log_key, self._clock = slots, log_key, clock
        self._failed = self._owed = False
        self._keys = parse_ledger_keys(slots.body)
        self.store_id = log_key.store_id
        self.state, self._tree = LedgerState(), Tree()
        self._recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def number(self) -> int:
        """The number of the entry that comes next."""
        return self._keys.number

    @property
    def usable(self) -> bool:
        """Whether it takes entries."""
        return not self._failed

    def age(self) -> int:
        """Return for how many seconds the LogVM has been running, over all its boots; never more than the truth."""
        return self._keys.age + self._since(self._clock.running()) // _SECOND

    def _since(self, running: int) -> int:
        """Return the µs from the last entry's age to a moment of this boot, as far as they are known."""
        return max(0, running - self._keys.running) if self._clock.boot_id() == self._keys.boot else running

    def sign(self, text: bytes) -> bytes:
        """Return a manifest, signed by the key of the entry that comes next and so has to name it."""
        self._check()
        return sign(text, entry_key_name(self.store_id), self._keys.seed)

    def append(self, event: Event) -> Entry:
        """Append an entry, durably. What it names is durable by then. Raises Full, WriteFailed, StoreError."""
        self._check()
        if self._owed:
            self._put_checkpoint()
            if self._owed and not isinstance(event, Evict | Delete | Forget):  # these make room
                raise Full(f"no room for {self._directory.path}/{CHECKPOINT}")
        name, last, running = entry_key_name(self.store_id), self._keys, self._clock.running()
        since, seed = self._since(running), os.urandom(32)
        entry = Entry(
            store_id=self.store_id,
            number=last.number,
            time=self._clock.wall(),
            age=last.age + since // _SECOND,
            previous=sha256(last.entry).digest(),
            event=event,
            next=public_key(name, seed),
        )
        data = sign(format_entry(entry), name, last.seed)
        keys = LedgerKeys(
            number=last.number + 1,
            offset=last.offset + len(last.entry),
            age=entry.age,
            boot=self._clock.boot_id(),
            running=running - since % _SECOND,  # when the age was this whole second
            seed=seed,
            entry=data,
        )
        body = format_ledger_keys(keys)
        self._failed = True
        try:
            self._slots.commit(body)  # the commit point: from here on the entry is, whatever comes
        except Full:
            self._failed = self._slots.body == body  # no room for the slot, or for its wipe only
            raise
        self._keys = keys
        self._append_pending()
        self._tree.append(leaf_hash(data))
        self.state.apply(entry.number, event)
        self._put_checkpoint()
        self._failed = False
        return entry

    def let_go(self) -> None:
        """Let others append, until `take_up`; in between nothing may be asked of it but its state."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        except OSError as error:
            raise StoreError(f"cannot unlock {self._directory.path}/{LOCK}: {error.strerror}") from error

    def take_up(self) -> bool:
        """Take the lock again, and tell whether the ledger is as it was: if not, close it and open it again.

        It is not where somebody else has appended, or put another in its place. Raises Busy while somebody else has it.
        """
        _take_lock(self._lock, self._directory)
        return self._is_in_place() and self._slots.is_unchanged()

    def close(self) -> None:
        """Let the ledger go for good."""
        self._slots.close()
        os.close(self._entries)
        self._directory.close()
        os.close(self._lock)

    def _check(self) -> None:
        if self._failed:
            raise StoreError("the ledger's last write failed; it has to be opened again")
        if not self._is_in_place():  # a backup was unpacked over it: what we have open is not the store any more
            self._failed = True
            raise StoreError(f"another ledger was put in the place of {self._directory.path} in this moment")

    def _is_in_place(self) -> bool:
        """Tell whether the files that are open are those of the store, and not what somebody put others in place of."""
        try:
            with self._store.directory(KEYS) as keys:
                keys_are = self._slots.is_at(keys, LEDGER_KEYS)
        except (FileNotFoundError, FormatError, StoreError):
            return False
        files = self._directory.holds(LOCK, self._lock) and self._directory.holds(ENTRIES, self._entries)
        return keys_are and files and self._store.holds(LEDGER, self._directory.fd)

    def _append_pending(self) -> None:
        write(self._entries, self._keys.entry, self._keys.offset)
        sync([self._entries])
        self._slots.settle()  # the key that signed it is gone

    def _put_checkpoint(self) -> None:
        """Put the checkpoint in place; where there is no room for another file, into the one that is there.

        Its few bytes are in one sector: a crash leaves the old ones or the new ones; were they torn, the next opening
        would make them anew. Where there is no room even so (a disk that copies on write), it is owed.
        """
        checkpoint = Checkpoint(log_key_name(self.store_id), self._tree.size, self._tree.root())
        note = sign(format_checkpoint(checkpoint), checkpoint.origin, self._log_key.seed)
        self._owed = False
        try:
            put(self._directory, CHECKPOINT, [note], 0o640)
        except Full:
            try:
                self._overwrite_checkpoint(note)
            except (Full, FileNotFoundError):
                self._owed = True

    def _overwrite_checkpoint(self, note: bytes) -> None:
        fd = self._directory.file(CHECKPOINT, os.O_RDWR)
        try:
            write(fd, note, 0)
            cut(fd, len(note))
        finally:
            os.close(fd)

    def _recover(self) -> None:
        """Append what is pending, and read all that is there."""
        self._check()
        keys, size = self._keys, os.fstat(self._entries).st_size
        if size < keys.offset or not is_torn(os.pread(self._entries, MAX_ENTRY + 1, keys.offset), keys.entry):
            raise StoreError(
                f"{self._directory.path}/{ENTRIES} does not end as {KEYS}/{LEDGER_KEYS} says: one of them was changed "
                f"or comes from a backup. {_DO}"
            )
        # all of it, not only what is missing: after a sync that failed, what is there may be in the page cache only
        self._append_pending()
        checkpoint = self._read_checkpoint()
        with self._directory.directory(HEADS) as heads:
            stale = heads_name(self.number)  # a list whose entry was never made: another entry may get its number
            if {stale, temporary_name(stale)}.intersection(heads.names()):
                remove(heads, [stale, temporary_name(stale)])
            kept = set(lists(heads))
        try:
            found = read_entries(self._entries, self.store_id, keys.entry, kept, checkpoint)
        except BrokenLedger as error:
            raise StoreError(
                f"{self._directory.path}/{ENTRIES} was changed at entry {error.number}, or {CHECKPOINT} was: nothing "
                f"is appended any more. {_DO}"
            ) from error
        self.state, self._tree = found
        if checkpoint and checkpoint.size > self._tree.size:
            raise StoreError(
                f"{self._directory.path} has fewer entries than its {CHECKPOINT} says: a part of the store comes from "
                f"a backup. {_DO}"
            )
        if self.state.log_key != public_key(log_key_name(self.store_id), self._log_key.seed):
            raise StoreError(f"{KEYS}/{LOG_KEY} is not the key that the ledger began with; put the right one back")
        is_left = temporary_name(CHECKPOINT) in self._directory.names()  # by one that was written over the old one
        if is_left or not checkpoint or checkpoint.size < self._tree.size:
            self._put_checkpoint()

    def _read_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, if it can be read: it can always be made anew."""
        try:
            data = self._directory.read(CHECKPOINT, MAX_CHECKPOINT)
            return open_checkpoint(data, public_key(log_key_name(self.store_id), self._log_key.seed))
        except (FileNotFoundError, FormatError, SignatureError):
            return None


def open_ledger(store: Directory, clock: Clock) -> Ledger:
    """Open a store's ledger for appending, and finish what a crash left.

    Raises Busy while somebody else has it, Full, WriteFailed, or StoreError where it cannot go on.
    """
    with ExitStack() as stack:
        try:
            directory = store.directory(LEDGER)
            stack.callback(directory.close)
            lock = _lock(directory)
            stack.callback(os.close, lock)
            entries = directory.file(ENTRIES, os.O_RDWR)
            stack.callback(os.close, entries)
            with store.directory(KEYS) as keys:
                log_key = parse_log_key(keys.read(LOG_KEY, MAX_SMALL_FILE))
                slots = SlotFile(keys.file(LEDGER_KEYS, os.O_RDWR), LEDGER_MAGIC)
            stack.callback(slots.close)
            ledger = Ledger(store, directory, lock, entries, slots, log_key, clock)
        except (FileNotFoundError, FormatError) as error:
            what = error.filename if isinstance(error, FileNotFoundError) else error
            raise StoreError(
                f"the ledger of {store.path} or its keys are lost ({what}): nothing can be sealed any more. {_DO}"
            ) from error
        except OSError as error:
            raise StoreError(
                f"the ledger of {store.path} cannot be read: {error.strerror}; look at dmesg in the LogVM"
            ) from error
        stack.pop_all()
    return ledger


def _lock(directory: Directory) -> int:
    lock = directory.file(LOCK, os.O_RDWR | os.O_CREAT)
    try:
        _take_lock(lock, directory)
    except StoreError:
        os.close(lock)
        raise
    return lock


def _take_lock(lock: int, directory: Directory) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Busy(f"{directory.path} is being written by somebody else: log-compressor, or a command") from error
    except OSError as error:
        raise StoreError(f"cannot lock {directory.path}/{LOCK}: {error.strerror}") from error
