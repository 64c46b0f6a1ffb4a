"""What is in sealed/, as far as those who write it have to read it; proving it is for `logchain verify`."""

from collections.abc import Collection
from contextlib import suppress

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_MANIFEST
from logchain.format.manifest import Manifest, unverified_manifest
from logchain.store.durable import reading
from logchain.store.layout import SEALED, TIERS, Directory, manifest_name, manifests, sealed_name, stream_directory
from logchain.store.segments import read_stream_id

__all__ = ["manifest_bytes", "read_manifest", "stream_id", "stream_ids", "tier_of"]


def manifest_bytes(sealed: Directory, segment: int) -> bytes:
    """Return a manifest's file; FormatError where it is odd or the disk refuses it, FileNotFoundError."""
    with reading(f"{sealed.path}/{manifest_name(segment)}"):
        return sealed.read(manifest_name(segment), MAX_MANIFEST)


def read_manifest(sealed: Directory, segment: int) -> Manifest:
    """Return what a manifest says; nobody's signature is checked. FormatError, FileNotFoundError."""
    return unverified_manifest(manifest_bytes(sealed, segment))


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
