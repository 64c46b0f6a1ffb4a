"""What sealed/ and the ledger know of a stream whose key state is lost, so that it begins anew behind all it had."""

from collections.abc import Iterator
from contextlib import suppress

from logchain.format.errors import FormatError, StoreError
from logchain.format.fields import SEGMENT, number, parse_line
from logchain.format.limits import MAX_MANIFEST, MAX_NUMBER
from logchain.store.layout import (
    ENTRIES,
    LEDGER,
    SEALED,
    Directory,
    manifest_name,
    manifests,
    stream_directory,
)

__all__ = ["last_sealed", "number_behind"]


def last_sealed(store: Directory, vm: str, stream: str, stream_id: bytes) -> int:
    """Return the highest segment that was ever sealed, 0 for none; without a `stream_id` of those that are there."""
    found = 0
    with suppress(FileNotFoundError, FormatError, StoreError), stream_directory(store, vm, stream, SEALED) as sealed:
        found = max([0, *manifests(sealed)])
    if stream_id:
        with suppress(FileNotFoundError, FormatError, StoreError), store.directory(LEDGER) as ledger:
            found = max([found, *_seals(ledger.file(ENTRIES), stream_id)])  # those that were evicted, too
    return found


def _seals(entries: int, stream_id: bytes) -> Iterator[int]:
    begin = b"seal %s " % stream_id.hex().encode()
    with open(entries, "rb") as lines:
        for line in lines:
            if line.startswith(begin):
                with suppress(FormatError):
                    yield SEGMENT.parse(line[len(begin) :].partition(b" ")[0].decode("ascii", "replace"))


def number_behind(store: Directory, vm: str, stream: str, segment: int) -> int:
    """Return the number of the record after a sealed segment's last, 0 where its manifest does not tell."""
    with suppress(FileNotFoundError, FormatError, StoreError), stream_directory(store, vm, stream, SEALED) as sealed:
        lines = sealed.read(manifest_name(segment), MAX_MANIFEST).decode("ascii", "replace").split("\n")
        records, first = parse_line({"records": (number(), number())}, "records", "".join(lines[4:5]))
        behind = int(records + first)
        return behind if behind < MAX_NUMBER // 2 else 0  # no stream of ours gets that far
    return 0
