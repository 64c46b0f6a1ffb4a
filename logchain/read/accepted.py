"""What the user's last `verify` found good: which manifests, of which ledger (docs/spec/accepted.md).

It is kept for each user and store outside of the store, so that who writes the store cannot write it.
"""

import os
import re
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from errno import ENOENT
from typing import NamedTuple, Self

from logchain.format.errors import FormatError

__all__ = ["Accepted", "accepted_path", "read_accepted", "write_accepted"]

_HEAD = re.compile(rb"logchain accepted v1\nstore ([0-9a-f]{32})\nledger ([1-9][0-9]{0,8}) ([0-9a-f]{64})")
_KEY = 36  # bytes: stream id, u32be segment
_ROW = _KEY + 32  # and the manifest's SHA-256
_MOST = 128 << 20  # bytes of a file: two million segments


class Accepted(NamedTuple):
    """A ledger's length and Merkle root, and a row for each segment that it calls sealed, sorted."""

    entries: int
    root: bytes  # RFC 6962, over so many entries
    rows: bytes

    @classmethod
    def of(cls, entries: int, root: bytes, manifests: Iterable[tuple[bytes, int, bytes]]) -> Self:
        """Return what is accepted with a ledger: stream id, segment and manifest's SHA-256 of all that is sealed."""
        return cls(entries, root, b"".join(sorted(_row(*manifest) for manifest in manifests)))

    def manifest(self, stream_id: bytes, segment: int) -> bytes | None:
        """Return the SHA-256 of a segment's manifest, None where it was not accepted."""
        wanted = _row(stream_id, segment, b"")
        rows = range(0, len(self.rows), _ROW)
        place = bisect_left(rows, wanted, key=lambda at: self.rows[at : at + _KEY])
        row = self.rows[place * _ROW : (place + 1) * _ROW]
        return row[_KEY:] if row and row[:_KEY] == wanted else None


def accepted_path(store_id: bytes) -> str:
    """Return where a user's last `verify` of a store is kept; FileNotFoundError where the user has no home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = state if state.startswith("/") else os.path.expanduser("~/.local/state")
    if not base.startswith("/"):
        raise FileNotFoundError(ENOENT, "no home directory", base)
    return f"{base}/logchain/{store_id.hex()}.accepted"


def read_accepted(store_id: bytes) -> Accepted | None:
    """Return what was accepted last, None where nothing was; FormatError where the file is no such."""
    try:
        with open(accepted_path(store_id), "rb") as file:
            data = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    head, blank, rows = data.partition(b"\n\n")
    match = _HEAD.fullmatch(head)
    if not match or not blank or len(data) > _MOST or len(rows) % _ROW or match[1].decode() != store_id.hex():
        raise FormatError(f"{accepted_path(store_id)} cannot be read; remove it, and run 'logchain verify' again")
    return Accepted(int(match[2]), bytes.fromhex(match[3].decode()), rows)


def write_accepted(store_id: bytes, accepted: Accepted) -> None:
    """Keep what was accepted; OSError where it cannot be kept."""
    path = accepted_path(store_id)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    new = f"{path}.{os.getpid()}"
    try:
        with open(new, "wb") as file:
            file.write(_format(store_id, accepted))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def _row(stream_id: bytes, segment: int, digest: bytes) -> bytes:
    return stream_id + segment.to_bytes(4, "big") + digest


def _format(store_id: bytes, accepted: Accepted) -> bytes:
    head = f"logchain accepted v1\nstore {store_id.hex()}\nledger {accepted.entries} {accepted.root.hex()}\n\n"
    return head.encode() + accepted.rows
