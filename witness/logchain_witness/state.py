"""What the witness keeps, each file put in place whole and durable, or not at all (docs/spec/witness.md).

key         its name and the seed of its key, 0600
lock        held (flock) by whoever changes anything here
logs/<h>    a log: its key, the qube that may ask, what people did with it, and the latest checkpoint, cosigned
refused/<h> the last checkpoint of that log that did not go on from it
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

from logchain_witness.checkpoint import Checkpoint, parse_checkpoint
from logchain_witness.errors import FormatError, SignatureError, StateError, UsageError
from logchain_witness.note import (
    LOG,
    MAX_NOTE,
    Key,
    Note,
    check_name,
    cosigned_at,
    format_line,
    parse_key,
    parse_note,
    public_key,
    verify,
)

DEFAULT = "/var/lib/logchain-witness"
_KEY, _LOCK, _LOGS, _REFUSED = "key", "lock", "logs", "refused"
_KEY_FILE = re.compile(r"\Alogchain witness key v1\nname (.+)\nseed ([0-9a-f]{64})\n\Z")
_FIRST, _REFUSED_FIRST = "logchain witness log v1", "logchain witness refused v1"
_QUBE = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z", re.ASCII)
_EVENT = re.compile(r"\A[0-9TZ:-]{20} [ -~]{1,300}\Z")
_FILE = re.compile(r"\A[0-9a-f]{64}\Z")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAX_RECORD = MAX_NOTE + 64 * 1024
_LATEST = 253_402_300_799  # s since 1970, the end of the year 9999: only what is damaged has a later time
_WAIT = 20.0  # s for the lock: an answer takes milliseconds


@dataclass
class Log:
    """A log that is pinned: its key, who may ask, what people did with it, and its latest checkpoint."""

    key: Key
    qube: str
    retired: bool = False
    events: list[str] = field(default_factory=list)  # each with its time in front
    note: bytes = b""  # the latest checkpoint with the log's signature and our own; empty: none yet

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The latest checkpoint, None where there is none yet."""
        return parse_checkpoint(parse_note(self.note).text) if self.note else None

    @property
    def restored(self) -> int:
        """How often a person said that this log came back from a backup."""
        return sum(event.split(" ")[1] == "restored" for event in self.events)

    def happened(self, what: str) -> None:
        """Take note of what a person did."""
        self.events.append(f"{stamp(time.time())} {what}")


@dataclass(frozen=True)
class Refused:
    """A checkpoint that a log's key signed and that does not go on from the latest one."""

    time: str
    latest: str  # when the one was cosigned that it did not go on from, or never
    reason: str
    note: bytes


def stamp(seconds: float) -> str:
    """Return a time, s since 1970, as `2026-11-23T03:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(seconds, _LATEST)))


def check_qube(name: str) -> str:
    """Return the name of a qube, or raise UsageError."""
    if not _QUBE.match(name):
        raise UsageError("not the name of a qube")
    return name


class State:
    """A witness's directory. Everything that changes it is done with `locked`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def create(self, name: str) -> Key:
        """Make a witness: directories and key. UsageError where there is a key, FormatError on a bad name."""
        check_name(name)
        with _refusals(self.path):
            for directory in (self.path, f"{self.path}/{_LOGS}", f"{self.path}/{_REFUSED}"):
                os.makedirs(directory, 0o700, exist_ok=True)
        with self.locked():
            if os.path.exists(f"{self.path}/{_KEY}"):
                raise UsageError(f"{self.path} has a key already: the store knows this witness by it")
            seed = os.urandom(32)
            self._put(_KEY, f"logchain witness key v1\nname {name}\nseed {seed.hex()}\n".encode())
        return public_key(name, seed)

    def key(self) -> tuple[Key, bytes]:
        """Return the witness's public key and its seed."""
        try:
            match = _KEY_FILE.match(self._read(_KEY).decode())
        except FileNotFoundError as error:
            raise StateError(f"{self.path} has no key: run 'logchain-witness keygen' first") from error
        except UnicodeDecodeError:
            match = None
        if not match:
            raise StateError(f"{self.path}/{_KEY} is not a key of a witness")
        seed = bytes.fromhex(match[2])
        return public_key(match[1], seed), seed

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from changing anything; StateError where somebody does for too long."""
        with _refusals(f"{self.path}/{_LOCK}"):
            lock = os.open(f"{self.path}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            end = time.monotonic() + _WAIT
            while not _lock(lock):
                if time.monotonic() > end:
                    raise StateError("another call holds the lock: try again")
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)

    def find(self, origin: str) -> Log | None:
        """Return what is known of a log, None where it was never pinned; StateError where that cannot be read."""
        try:
            log = _parse_log(self._read(f"{_LOGS}/{_file(origin)}"))
        except FileNotFoundError:
            return None
        except (FormatError, SignatureError, UnicodeDecodeError) as error:
            raise StateError(f"{self.path}/{_LOGS}/{_file(origin)} is damaged: {error}") from error
        if log.key.name != origin:
            raise StateError(f"{self.path}/{_LOGS}/{_file(origin)} is of another log")
        return log

    def keep(self, log: Log) -> None:
        """Keep a log, durably: when this returns it is on the disk."""
        self._put(f"{_LOGS}/{_file(log.key.name)}", _format_log(log))  # the commit point

    def logs(self) -> list[Log]:
        """Return all logs, by origin; StateError where one cannot be read."""
        found = []
        with _refusals(self.path):
            names = [name for name in os.listdir(f"{self.path}/{_LOGS}") if _FILE.match(name)]
        for name in names:
            try:
                found.append(_parse_log(self._read(f"{_LOGS}/{name}")))
            except (FormatError, SignatureError, UnicodeDecodeError) as error:
                raise StateError(f"{self.path}/{_LOGS}/{name} is damaged: {error}") from error
        return sorted(found, key=lambda log: log.key.name)

    def remember_refused(self, log: Log, reason: str, note: Note) -> None:
        """Keep the last checkpoint that did not go on from the latest: evidence, if there is room for it."""
        lines = b"".join(format_line(*signature) for signature in note.signatures)
        latest = stamp(cosigned_at(parse_note(log.note), self.key()[0])) if log.note else "never"
        head = f"{_REFUSED_FIRST}\ntime {stamp(time.time())}\nlatest {latest}\nreason {reason}\n\n".encode()
        with suppress(StateError):
            self._put(f"{_REFUSED}/{_file(log.key.name)}", head + note.text + b"\n" + lines)

    def refused(self, origin: str) -> Refused | None:
        """Return the last checkpoint of a log that was refused, None where none was."""
        try:
            head, _, note = self._read(f"{_REFUSED}/{_file(origin)}").partition(b"\n\n")
        except FileNotFoundError:
            return None
        lines = head.decode("ascii", "replace").split("\n")
        words = [line.partition(" ")[::2] for line in lines]
        if lines[0] != _REFUSED_FIRST or [word for word, _ in words[1:]] != ["time", "latest", "reason"]:
            raise StateError(f"{self.path}/{_REFUSED}/{_file(origin)} is damaged")
        return Refused(words[1][1], words[2][1], words[3][1], note)

    def _read(self, name: str) -> bytes:
        try:
            fd = os.open(f"{self.path}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:  # a pipe that was put there is empty, and does not stop us
                data = file.read(_MAX_RECORD + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StateError(f"{self.path}/{name} cannot be read: {error.strerror}") from error
        if len(data) > _MAX_RECORD:
            raise StateError(f"{self.path}/{name} is too long")
        return data

    def _put(self, name: str, data: bytes) -> None:
        """Put a file in place whole: written beside it, synced, renamed, and the directory synced."""
        path = f"{self.path}/{name}"
        with _refusals(path):
            fd = os.open(f"{path}.new", _NEW, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(f"{path}.new", path)
            directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


@contextmanager
def _refusals(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _file(origin: str) -> str:
    return sha256(origin.encode(errors="surrogateescape")).hexdigest()  # an origin may have any characters


def _format_log(log: Log) -> bytes:
    lines = [_FIRST, f"key {log.key}", f"qube {log.qube}", f"state {'retired' if log.retired else 'pinned'}"]
    return "\n".join([*lines, *(f"event {event}" for event in log.events), "", ""]).encode() + log.note


def _parse_log(data: bytes) -> Log:
    """Return a log; FormatError where these are not the bytes that it is written as."""
    head, _, note = data.partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    words = [line.partition(" ")[::2] for line in lines]
    if first != _FIRST or [word for word, _ in words[:3]] != ["key", "qube", "state"]:
        raise FormatError("not a log that a witness keeps")
    events = [rest for _, rest in words[3:]]
    log = Log(parse_key(words[0][1], LOG), words[1][1], words[2][1] == "retired", events, note)
    if _format_log(log) != data or not _QUBE.match(log.qube) or not all(map(_EVENT.match, events)):
        raise FormatError("it is not canonical")
    if log.checkpoint and log.checkpoint.origin != log.key.name:
        raise FormatError("its checkpoint is of another log")
    if note:  # a bit that fell over in its size would make us take what does not go on
        verify(parse_note(note), log.key)
    return log
