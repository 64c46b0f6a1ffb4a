"""A store that a test fills, seals, compresses and evicts, with the code that the compressor uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logchain.store.archive import compress_segment, delete, evict
from logchain.store.forgetting import forget
from logchain.store.heads import OpenHeads
from logchain.store.layout import Directory, manifests, open_store, stream_directory
from logchain.store.ledger import Ledger, open_ledger
from logchain.store.sealer import seal_segment
from logchain.store.segments import closed_segments
from tests.conftest import STREAM, VM, Store

__all__ = ["Archive"]

BLOCK = 256  # bytes of a block's text, so that a small segment has several


class Archive(Store):
    """A store with all that the compressor does to one, call by call."""

    @contextmanager
    def ledger(self) -> Iterator[tuple[Directory, Ledger]]:
        """Open store and ledger, as the compressor has them."""
        with open_store(self.path) as store, open_ledger(store, self.clock) as ledger:
            yield store, ledger

    def roll(self, vm: str = VM, stream: str = STREAM) -> None:
        """Close the open segment."""
        writer = self.open(vm, stream)
        writer.roll("size")
        writer.close()

    def seal(self, vm: str = VM, stream: str = STREAM, block_size: int = BLOCK, *, tier: str = "") -> list[int]:
        """Seal what is closed, and compress it; return which segments."""
        with self.ledger() as (store, ledger):
            numbers = closed_segments(store, vm, stream)
            for number in numbers:
                seal_segment(store, ledger, vm, stream, number, block_size)
                if tier:
                    compress_segment(store, vm, stream, number, tier, 3)
        return numbers

    def compress(self, tier: str, vm: str = VM, stream: str = STREAM) -> None:
        """Compress all that is sealed of a stream."""
        with open_store(self.path) as store:
            with stream_directory(store, vm, stream, "sealed") as sealed:
                numbers = manifests(sealed)
            for number in numbers:
                compress_segment(store, vm, stream, number, tier, 3)

    def list_heads(self) -> None:
        """Fix how far the open segments have come."""
        with self.ledger() as (store, ledger):
            OpenHeads().record(store, ledger)

    def evict(self, *numbers: int, vm: str = VM, stream: str = STREAM, reason: str = "quota") -> None:
        """Evict sealed segments."""
        with self.ledger() as (store, ledger):
            for number in numbers:
                evict(store, ledger, vm, stream, number, reason)

    def delete(self, *numbers: int, vm: str = VM, stream: str = STREAM) -> None:
        """Delete sealed segments."""
        with self.ledger() as (store, ledger):
            for number in numbers:
                delete(store, ledger, vm, stream, number)

    def forget(self, vm: str = VM) -> None:
        """Forget a qube."""
        with self.ledger() as (store, ledger):
            forget(store, ledger, vm)

    def sealed(self, vm: str = VM, stream: str = STREAM) -> Path:
        """Return a stream's directory in sealed/."""
        return self.path / "sealed" / vm / stream

    def text(self, number: int = 1, vm: str = VM, stream: str = STREAM) -> Path:
        """Return the file of a sealed segment's text, of whatever tier."""
        (found,) = self.sealed(vm, stream).glob(f"{number:08}.log*")
        return found
