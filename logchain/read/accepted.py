"""What the user's last `verify` found good: which manifests, of which ledger (docs/spec/accepted.md, ADR 0012).

It is kept for each user and store outside of the store, so that who writes the store cannot write it.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from logchain.format.errors import FormatError

__all__ = ["Accepted", "accepted_path", "read_accepted", "write_accepted"]

_FIRST = b"logchain accepted v1"
_KEY = 36  # bytes: stream id, u32be segment
_ROW = _KEY + 32  # and the manifest's SHA-256
_MOST = 128 << 20  # bytes of a file: two million segments


class Accepted(NamedTuple):
    """A ledger's length and its last entry's SHA-256, and a row for each manifest that it names, sorted."""

    entries: int
    head: bytes
    rows: bytes

    def manifest(self, stream_id: bytes, segment: int) -> bytes | None:
        """Return the SHA-256 of a segment's manifest, None where it was not accepted."""
        wanted = stream_id + segment.to_bytes(4, "big")
        rows = range(0, len(self.rows), _ROW)
        place = bisect_left(rows, wanted, key=lambda at: self.rows[at : at + _KEY])
        row = self.rows[place * _ROW : (place + 1) * _ROW]
        return row[_KEY:] if row and row[:_KEY] == wanted else None


def accepted_path(store_id: bytes) -> Path:
    """Return where a user's last `verify` of a store is kept."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path("~/.local/state").expanduser()
    return base / "logchain" / f"{store_id.hex()}.accepted"


def read_accepted(store_id: bytes) -> Accepted | None:
    """Return what was accepted last, None where nothing was; FormatError where the file is no such."""
    try:
        with open(accepted_path(store_id), "rb") as file:
            data = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    head, _, rows = data.partition(b"\n\n")
    words = head.split(b"\n")
    try:
        first, store, entries, digest = words[0], words[1], *words[2].split(b" ")[1:]
        found = Accepted(int(entries), bytes.fromhex(digest.decode()), rows)
    except (IndexError, ValueError) as error:
        raise _unreadable(store_id) from error
    if len(data) > _MOST or len(rows) % _ROW or data != _format(store_id, found) or (first, store) != tuple(words[:2]):
        raise _unreadable(store_id)
    return found


def write_accepted(store_id: bytes, entries: int, head: bytes, manifests: Iterable[tuple[bytes, int, bytes]]) -> None:
    """Keep what was accepted: stream id, segment and SHA-256 of each manifest. OSError where it cannot be kept."""
    rows = b"".join(sorted(identity + segment.to_bytes(4, "big") + digest for identity, segment, digest in manifests))
    path = accepted_path(store_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(new, "wb") as file:
            file.write(_format(store_id, Accepted(entries, head, rows)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()


def _format(store_id: bytes, accepted: Accepted) -> bytes:
    head = b"%b\nstore %b\nentries %d %b\n\n" % (
        _FIRST,
        store_id.hex().encode(),
        accepted.entries,
        accepted.head.hex().encode(),
    )
    return head + accepted.rows


def _unreadable(store_id: bytes) -> FormatError:
    return FormatError(f"{accepted_path(store_id)} cannot be read; remove it, and run 'logchain verify' again")
