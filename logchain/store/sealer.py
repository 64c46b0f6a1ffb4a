"""Sealing: a closed segment is copied to sealed/, gets its manifest and its entry, and goes from live/.

The order: births, and what went wrong, are in the ledger; text and manifest are on the disk, the manifest signed with
the key of the entry to come; the entry (the commit point: from here on the segment is sealed, and is only tidied);
then tags and text go from live/. Until then all of it is done anew after a crash.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256

from logchain.format.errors import FormatError, StoreError
from logchain.format.keystate import KeyState, Status
from logchain.format.ledger import Birth, Broken, Recover, Seal
from logchain.format.limits import MAX_SEGMENT_BYTES
from logchain.format.manifest import Block, Manifest, format_manifest, unverified_manifest
from logchain.format.tags import TAG_ENTRY
from logchain.store.blocks import BLOCK_SIZE, TextCheck, cut_blocks
from logchain.store.durable import make_directory, put, remove
from logchain.store.layout import (
    SEALED,
    Directory,
    log_name,
    manifest_name,
    manifests,
    sealed_name,
    segments,
    stream_directory,
    tags_name,
)
from logchain.store.ledger import Ledger
from logchain.store.sealed import manifest_bytes, read_manifest, remove_copy, tier_of
from logchain.store.segments import durable_state, first_note, read_stream_id, will_not_change

__all__ = ["record_births", "seal_segment"]

_MOST_BIRTHS = 16  # of a stream, between two rounds: each is a key state that was lost
_PRIVATE = 0o750  # collectors may read what is sealed, and no more
_SEALED_MODE = 0o440


def seal_segment(
    store: Directory, ledger: Ledger, vm: str, stream: str, segment: int, block_size: int = BLOCK_SIZE
) -> Manifest:
    """Seal a closed segment of live/, or finish what a crash left of it; return its manifest.

    Raises FormatError where its text is not what a collector writes, or a later one was sealed: then it stays where it
    is, for ever, and those behind it are sealed without it. Raises StoreError where it may still change or may not be
    read; Full, WriteFailed.
    """
    with stream_directory(store, vm, stream) as live:
        state = durable_state(live)
        if not will_not_change(state, segment):
            raise StoreError(f"{live.path}/{log_name(segment)} may still change; close it first")
        identity = read_stream_id(live, vm, stream)
        record_births(ledger, live, identity, state)
        with _sealed_directory(store, vm, stream) as sealed:
            identity = _stream_id(ledger, sealed, identity, segment)
            history = ledger.state.of(identity)
            if segment in history.sealed:
                manifest = _sealed_before(sealed, segment, history.sealed[segment].manifest)
                remove_copy(live, manifest)
            elif segment <= history.last or _is_taken(ledger, sealed, segment):
                raise FormatError(
                    f"{live.path}/{log_name(segment)} is never sealed: a later one was, or its name is taken"
                )
            else:
                manifest = _seal(ledger, live, sealed, identity, state, segment, block_size)
                remove(live, [tags_name(segment), log_name(segment)])
    return manifest


def record_births(ledger: Ledger, live: Directory, identity: bytes, state: KeyState) -> None:
    """Append an entry for each birth of a stream that the ledger does not know as the stream's yet.

    One that is known as another's is told all the same: `logchain verify` finds the doubling, and the honest stream of
    the two can be sealed. FormatError where a stream claims more than it can have had.
    """
    known = {birth for birth, _ in ledger.state.of(identity).births}
    if state.birth in known:
        return
    begins: dict[int, int] = {}  # birth: first segment under it
    silent = []  # segments that say nothing of their birth, for their begin is damaged
    for segment in segments(live):
        try:
            note = first_note(live, segment)
            if "birth" in note.fields and note.number("birth") <= state.birth:
                begins[note.number("birth")] = segment
        except (FileNotFoundError, FormatError):
            silent += [segment] * (segment <= state.segment)
    if state.is_newborn:
        begins[state.birth] = state.segment + 1
    if state.birth not in begins:  # the segment that said so is one of the silent, or gone
        is_first = not known | begins.keys()  # then all there is comes from it
        begins[state.birth] = (min if is_first else max)(silent, default=max(1, state.segment))
    if len(begins.keys() - known) > _MOST_BIRTHS:
        raise FormatError(f"{live.path} claims {len(begins.keys() - known)} births that nobody has heard of")
    for birth, segment in sorted(begins.items()):
        if birth not in known:
            ledger.append(Birth(birth, identity, segment))


def _stream_id(ledger: Ledger, sealed: Directory, identity: bytes, segment: int) -> bytes:
    """Return the stream id that a segment's key was made with: that of before, where the stream's `id` was lost."""
    if ledger.state.of(identity).birth_of(segment):
        return identity
    for number in reversed(manifests(sealed)):
        with suppress(FileNotFoundError, FormatError):
            before = read_manifest(sealed, number).stream_id
            if ledger.state.of(before).birth_of(segment):
                return before
    raise StoreError(f"{sealed.path}: the birth of segment {segment} is not known; it stays in live/")


def _is_taken(ledger: Ledger, sealed: Directory, segment: int) -> bool:
    """Tell whether a segment of another stream id lies where this one would: nothing sealed is ever replaced.

    No crash of ours leads there. Collectors own `id` and all that is in live/; what is sealed they must not reach.
    """
    try:
        data = manifest_bytes(sealed, segment)
        manifest = unverified_manifest(data)
    except FileNotFoundError:
        return False
    except FormatError:
        return True
    found = ledger.state.of(manifest.stream_id).sealed.get(segment)
    return found is not None and found.manifest == sha256(data).digest()


def _sealed_before(sealed: Directory, segment: int, digest: bytes) -> Manifest:
    """Return the manifest of a segment that the ledger calls sealed, if it and a text are there."""
    data = manifest_bytes(sealed, segment)
    if sha256(data).digest() != digest or tier_of(sealed.names(), segment) is None:
        raise FormatError(f"{sealed.path}/{manifest_name(segment)} or its text was changed; the one in live/ is kept")
    return unverified_manifest(data)


@contextmanager
def _sealed_directory(store: Directory, vm: str, stream: str) -> Iterator[Directory]:
    with (
        make_directory(store, SEALED, _PRIVATE) as top,
        make_directory(top, vm, _PRIVATE) as vm_directory,
        make_directory(vm_directory, stream, _PRIVATE) as directory,
    ):
        yield directory


def _seal(
    ledger: Ledger,
    live: Directory,
    sealed: Directory,
    identity: bytes,
    state: KeyState,
    segment: int,
    block_size: int,
) -> Manifest:
    try:
        check, blocks = _copy(live, sealed, ledger.store_id, state, segment, block_size)
    except (OSError, FormatError) as error:  # not there, or not readable, or not well-formed
        raise FormatError(f"{live.path}/{log_name(segment)} cannot be sealed and stays: {error}") from error
    history = ledger.state.of(identity)
    for event in _incidents(check, identity, segment):
        if event not in history.noted:
            ledger.append(event)
    manifest = Manifest(
        store_id=ledger.store_id,
        stream_id=identity,
        segment=segment,
        birth=history.birth_of(segment),
        records=check.records,
        first=check.begin.number("first"),
        first_time=check.first_time,
        last_time=check.last_time,
        age=ledger.age(),
        size=check.size,
        tag=check.tag,
        previous=history.previous,
        blocks=tuple(blocks),
    )
    note = ledger.sign(format_manifest(manifest))
    put(sealed, manifest_name(segment), [note], _SEALED_MODE)
    ledger.append(Seal(identity, segment, sha256(note).digest()))  # the commit point
    return manifest


def _copy(
    live: Directory, sealed: Directory, store_id: bytes, state: KeyState, segment: int, block_size: int
) -> tuple[TextCheck, list[Block]]:
    """Copy a segment's text to sealed/, checking what is copied; if anything is wrong with it, no copy is made."""
    blocks: list[Block] = []
    with ExitStack() as stack:
        fds = []
        for name in (log_name(segment), tags_name(segment)):
            fds.append(live.file(name))
            stack.callback(os.close, fds[-1])
        log, tags = fds
        check = TextCheck(tags)

        def copy() -> Iterator[bytes]:
            size = os.fstat(log).st_size
            if not 1 <= size <= MAX_SEGMENT_BYTES:
                raise FormatError("a text that is empty, or too long")
            for text in cut_blocks(log, size, block_size):
                offset = check.size
                records, time = check.take(text)
                blocks.append(Block(offset, len(text), records, time, sha256(text).digest()))
                yield text
            if os.fstat(tags).st_size != check.records * TAG_ENTRY:
                raise FormatError("more tags than records")
            check.begin.number("first")  # is there
            if check.begin.fields.get("store") != store_id.hex() or check.begin.number("number") != segment:
                raise FormatError("a segment of another store, or of another number")
            told = (state.records, state.end, state.tag)
            if (
                segment == state.segment
                and state.status == Status.CLOSED
                and told != (check.records, check.size, check.tag)
            ):
                raise FormatError("a text that does not end where the key state says")

        put(sealed, sealed_name(segment, ""), copy(), _SEALED_MODE)
    return check, blocks


def _incidents(check: TextCheck, identity: bytes, segment: int) -> Iterator[Recover | Broken]:
    """Yield what a segment's notes say that went wrong, but for `restored`, which has an entry of its own."""
    for event, reason in sorted(check.incidents):
        about = segment if reason == "torn" else segment - 1  # the others tell how the segment before ended
        if about:  # before the first nothing was lost but the birth
            yield Recover(identity, about, reason) if event == "recovered" else Broken(identity, about, reason)
