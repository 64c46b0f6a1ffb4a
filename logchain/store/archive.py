"""What becomes of sealed segments: compressed tier after tier, evicted, deleted; and whole qubes forgotten.

A removal is in the ledger first (the commit point), and then done; `finish_removals` does what a crash left to do.
"""

import os
from contextlib import ExitStack, suppress

from logchain.format.errors import FormatError, Full, StoreError, WriteFailed
from logchain.format.ledger import Delete, Evict
from logchain.format.manifest import Manifest
from logchain.store.durable import put, remove
from logchain.store.forgetting import finish_forgetting
from logchain.store.layout import (
    LIVE,
    SEALED,
    TIERS,
    Directory,
    log_name,
    manifest_name,
    manifests,
    sealed_name,
    segments,
    stream_directory,
    streams,
    temporary_name,
)
from logchain.store.ledger import Ledger
from logchain.store.ledger_state import Sealed
from logchain.store.sealed import read_manifest, remove_copy, stream_id, tier_of
from logchain.store.tiers import compress, read_blocks

__all__ = ["compress_segment", "delete", "evict", "finish_removals"]


def compress_segment(store: Directory, vm: str, stream: str, segment: int, tier: str, level: int) -> None:
    """Store a sealed segment in a later tier, `.lz4` or `.xz`, and remove it from those before.

    Every block of the new file is read back and compared with the manifest before that. Raises FormatError where what
    is there is not what the manifest says: then nothing changes; FileNotFoundError, Full, WriteFailed.
    """
    with stream_directory(store, vm, stream, SEALED) as sealed:
        manifest = read_manifest(sealed, segment)
        before = tier_of(sealed.names(), segment)
        if before is None:
            raise FileNotFoundError(f"{sealed.path}/{log_name(segment)}")
        if TIERS.index(before) < TIERS.index(tier):
            with ExitStack() as stack:
                fd = sealed.file(sealed_name(segment, before))
                stack.callback(os.close, fd)
                texts = read_blocks(fd, before, manifest)
                put(sealed, sealed_name(segment, tier), (compress(text, tier, level) for text in texts), 0o440)
            _read_back(sealed, segment, tier, manifest)
            before_it = [sealed_name(segment, old) for old in TIERS[: TIERS.index(tier)]]
            remove(sealed, [*before_it, *map(temporary_name, before_it)])  # also what a crash left of a tier between


def _read_back(sealed: Directory, segment: int, tier: str, manifest: Manifest) -> None:
    name = sealed_name(segment, tier)
    fd = sealed.file(name)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk, not from what we just wrote
        for _ in read_blocks(fd, tier, manifest):
            pass
    except FormatError as error:
        remove(sealed, [name])
        raise WriteFailed(
            f"{sealed.path}/{name} did not come back as it was written: {error}; look at dmesg"
        ) from error
    finally:
        os.close(fd)


def evict(store: Directory, ledger: Ledger, vm: str, stream: str, segment: int, reason: str) -> None:
    """Remove a sealed segment for want of room: `quota`, `cap` or `reserve`.

    Raises StoreError where the ledger knows no such segment, Full, WriteFailed.
    """
    identity, sealed = _find(store, ledger, vm, stream, segment)
    _remove_copy(store, vm, stream, segment)
    ledger.append(Evict(identity, segment, sealed.manifest, reason))
    _remove(store, vm, stream, segment)


def delete(store: Directory, ledger: Ledger, vm: str, stream: str, segment: int) -> None:
    """Remove a sealed segment because a person wants it gone; raises as `evict`."""
    identity, sealed = _find(store, ledger, vm, stream, segment)
    _remove_copy(store, vm, stream, segment)
    ledger.append(Delete(identity, segment, sealed.manifest))
    _remove(store, vm, stream, segment)


def _find(store: Directory, ledger: Ledger, vm: str, stream: str, segment: int) -> tuple[bytes, Sealed]:
    """Return the stream id under which the ledger has a segment, and what it says of it."""
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream, SEALED) as sealed:
        identity = read_manifest(sealed, segment).stream_id  # from before an id was lost, perhaps
        if found := ledger.state.of(identity).sealed.get(segment):
            return identity, found
    identity = stream_id(store, vm, stream) or b""  # the collectors': asked only where there is no manifest
    if found := ledger.state.of(identity).sealed.get(segment):
        return identity, found
    raise StoreError(f"{store.path}: the ledger knows no sealed segment {segment} of {vm}/{stream}")


def _remove(store: Directory, vm: str, stream: str, segment: int) -> None:
    """Remove all there is of a sealed segment."""
    with suppress(FileNotFoundError), stream_directory(store, vm, stream, SEALED) as sealed:
        _remove_sealed(sealed, segment)


def _remove_sealed(sealed: Directory, segment: int) -> None:
    texts = [sealed_name(segment, tier) for tier in TIERS]
    remove(sealed, [*texts, *map(temporary_name, texts)])
    remove(sealed, [manifest_name(segment)])  # behind a sync, for it says whose the rest is


def _remove_copy(store: Directory, vm: str, stream: str, segment: int) -> None:
    """Remove what a crash left in live/ of a sealed segment, before it goes: so nothing of one that went is ever there.

    FormatError where that is another text: then nothing may go.
    """
    with suppress(FileNotFoundError), stream_directory(store, vm, stream) as live:
        if segment in segments(live):
            with stream_directory(store, vm, stream, SEALED) as sealed:
                remove_copy(live, read_manifest(sealed, segment))


def finish_removals(store: Directory, ledger: Ledger) -> None:
    """Remove what the ledger says is gone, evicted, deleted or forgotten: what a crash left of it.

    What is sealed and in live/ too is for `seal_segment` to remove; what went left nothing there. The stream's `id` is
    the collectors': about what is sealed its manifests decide. A stream that may not be looked into waits.
    """
    for vm, stream in sorted({*streams(store, LIVE, []), *streams(store, SEALED, [])}):
        try:
            _finish_stream(store, ledger, vm, stream)
        except (Full, WriteFailed):
            raise
        except StoreError:
            continue
    finish_forgetting(store, ledger)


def _finish_stream(store: Directory, ledger: Ledger, vm: str, stream: str) -> None:
    identity = stream_id(store, vm, stream)
    history = ledger.state.of(identity) if identity else None
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream, SEALED) as sealed:
        for segment in manifests(sealed):
            if not history or segment not in history.sealed:  # is, nearly always
                with suppress(FileNotFoundError, FormatError):
                    if ledger.state.of(read_manifest(sealed, segment).stream_id).is_gone(segment):
                        _remove_sealed(sealed, segment)
