"""The segments of a stream, wherever they are: the sealed ones, and behind them those in live/.

A compressor may be at work in the same moment. A segment is in sealed/ before it goes from live/, so live/ is looked at
first, and what went away is looked up once more. Where it is in both, the sealed one is read if the ledger names its
manifest, else the one in live/: the other may be half a seal, or a forgery.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

from logchain.format.errors import FormatError, StoreError
from logchain.format.identity import parse_stream
from logchain.format.keystate import KeyState
from logchain.format.limits import MAX_SMALL_FILE
from logchain.read.live import Segment, open_segment, read_keystate, reason
from logchain.read.sealed import Outline, SealedText, digested_manifest, open_sealed, peek
from logchain.read.seals import is_sealed
from logchain.store.layout import (
    ID,
    LIVE,
    RATCHET,
    SEALED,
    Directory,
    log_name,
    manifests,
    segments,
    stream_directory,
    streams,
)

__all__ = ["StreamFiles", "Text", "all_streams", "open_stream_files"]

Text: TypeAlias = Segment | SealedText


def all_streams(store: Directory, refused: list[StoreError] | None = None) -> list[tuple[str, str]]:
    """Return VM and stream of every stream of which anything is there, sorted.

    Raises StoreError where a VM's directory may not be looked into; where `refused` is given, the error is put there.
    """
    return sorted({*streams(store, LIVE, refused), *streams(store, SEALED, refused)})


class StreamFiles:
    """A stream's directories; each is None where it is not there."""

    def __init__(self, stack: ExitStack, store: Directory, vm: str, stream: str) -> None:
        self._stack, self._store, self._name = stack, store, (vm, stream)
        self.live = self._directory(LIVE)
        self.sealed = self._directory(SEALED)
        self._id = b""

    def _directory(self, part: str) -> Directory | None:
        with suppress(FileNotFoundError), stream_directory(self._store, *self._name, part) as directory:
            return self._stack.enter_context(Directory(os.dup(directory.fd), directory.path))
        return None

    def try_state(self) -> tuple[KeyState | None, str]:
        """Return the key state, or why there is none."""
        try:
            if not self.live:
                raise FileNotFoundError(RATCHET)
            return read_keystate(self.live), ""
        except (FormatError, FileNotFoundError) as error:
            return None, f"the key state cannot be read: {reason(error)}"

    def try_stream_id(self) -> bytes:
        """Return the stream's id, empty where it is lost."""
        with suppress(FormatError, FileNotFoundError):
            if self.live and not self._id:
                self._id = parse_stream(self.live.read(ID, MAX_SMALL_FILE), *self._name)
        return self._id

    def numbers(self) -> list[int]:
        """Return the numbers of all segments, sealed or not, in order."""
        found = set(segments(self.live)) if self.live else set()
        return sorted(found.union(self.sealed_numbers()))

    def sealed_numbers(self) -> list[int]:
        """Return the numbers of the sealed segments, in order."""
        return manifests(self.sealed) if self.sealed else []

    @property
    def is_unborn(self) -> bool:
        """Whether nothing was ever stored here: a birth is under way, or was cut short."""
        return not (self.live and RATCHET in self.live.names()) and not self.numbers()

    def outline(self, number: int, accepted: bytes | None = None) -> Outline | None:
        """Return what a segment's manifest says in short, None where it is not sealed.

        FormatError, also where it is not the one of the SHA-256 that was `accepted`.
        """
        if self.sealed:
            with suppress(FileNotFoundError):
                return peek(self.sealed, number, accepted)
        return None

    def _has_a_copy(self, number: int) -> bool:
        """Tell whether a segment is in live/ and sealed as well, as the ledger says; that is read for such alone."""
        if not (self.live and self.sealed):
            return False
        try:
            os.stat(log_name(number), dir_fd=self.live.fd, follow_symlinks=False)
            manifest, digest = digested_manifest(self.sealed, number)
        except (FileNotFoundError, FormatError):
            return False
        return is_sealed(self._store, manifest.stream_id, number, digest)

    @contextmanager
    def open(self, number: int, state: KeyState | None) -> Iterator[Text]:
        """Open a segment, sealed or not; FileNotFoundError where it is neither, FormatError."""
        with ExitStack() as stack:
            yield self._open(stack, number, state)

    def _open(self, stack: ExitStack, number: int, state: KeyState | None) -> Text:
        for _ in range(2):
            self.sealed = self.sealed or self._directory(SEALED)
            # first where it was first: a copy in sealed/ that nobody sealed must not hide the original, and no forgery
            # in live/ one that was sealed
            places = [self._open_live, self._open_sealed]
            for place in reversed(places) if self._has_a_copy(number) else places:
                with suppress(FileNotFoundError):
                    return place(stack, number, state)
        raise FileNotFoundError(number)

    def _open_live(self, stack: ExitStack, number: int, state: KeyState | None) -> Text:
        if not self.live:
            raise FileNotFoundError(number)
        return stack.enter_context(open_segment(self.live, number, state))

    def _open_sealed(self, stack: ExitStack, number: int, _: KeyState | None) -> Text:
        if not self.sealed:
            raise FileNotFoundError(number)
        manifest, digest = digested_manifest(self.sealed, number)
        text = stack.enter_context(open_sealed(self.sealed, manifest))
        text.digest = digest
        return text


@contextmanager
def open_stream_files(store: Directory, vm: str, stream: str) -> Iterator[StreamFiles]:
    """Open what there is of a stream; OddFile where one of its directories is none."""
    with ExitStack() as stack:
        yield StreamFiles(stack, store, vm, stream)
