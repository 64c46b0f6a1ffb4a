"""What is in sealed/, as far as those who write it have to read it; proving it is for `logchain verify`."""

import os
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_MANIFEST
from logchain.format.manifest import Manifest, unverified_manifest
from logchain.store.durable import reading, remove
from logchain.store.layout import (
    SEALED,
    TIERS,
    Directory,
    log_name,
    manifest_name,
    manifests,
    sealed_name,
    stream_directory,
    tags_name,
)
from logchain.store.segments import read_stream_id

__all__ = ["manifest_bytes", "read_manifest", "remove_copy", "stream_id", "stream_ids", "tier_of"]


def manifest_bytes(sealed: Directory, segment: int) -> bytes:
    """Return a manifest's file; FormatError where it is odd or the disk refuses it, FileNotFoundError."""
    with reading(f"{sealed.path}/{manifest_name(segment)}"):
        return sealed.read(manifest_name(segment), MAX_MANIFEST)


def read_manifest(sealed: Directory, segment: int) -> Manifest:
    """Return what a manifest says; nobody's signature is checked. FormatError, FileNotFoundError."""
    return unverified_manifest(manifest_bytes(sealed, segment))


def remove_copy(live: Directory, manifest: Manifest) -> None:
    """Remove from live/ the text that was sealed, where a crash left it.

    FormatError where it is another text: then somebody put it there, and it stays for a person to look at.
    """
    segment = manifest.segment
    with suppress(FileNotFoundError):
        name = f"{live.path}/{log_name(segment)}"
        fd = live.file(log_name(segment))
        try:
            with reading(name):
                same = os.fstat(fd).st_size == manifest.size and all(
                    sha256(os.pread(fd, block.size, block.offset)).digest() == block.digest for block in manifest.blocks
                )
        finally:
            os.close(fd)
        if not same:
            raise FormatError(f"{name} is not the text that was sealed under its number: it was put there, and stays")
    remove(live, [tags_name(segment), log_name(segment)])


def tier_of(names: Collection[str], segment: int) -> str | None:
    """Return the tier that readers take a segment's text from, given the names in its directory; None without one."""
    return next((tier for tier in TIERS if sealed_name(segment, tier) in names), None)


def stream_id(store: Directory, vm: str, stream: str) -> bytes | None:
    """Return the id that a stream has now, None where it is lost."""
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream) as live:
        return read_stream_id(live, vm, stream)
    return None


def stream_ids(store: Directory, vm: str, stream: str) -> list[bytes]:
    """Return the id that a stream has, and those that it had until they were lost, as manifests tell of them."""
    found = [stream_id(store, vm, stream)]
    with suppress(FileNotFoundError, FormatError), stream_directory(store, vm, stream, SEALED) as sealed:
        for segment in manifests(sealed):
            with suppress(FileNotFoundError, FormatError):
                found.append(read_manifest(sealed, segment).stream_id)
    return [identity for identity in dict.fromkeys(found) if identity]
