"""What stands beside the ledger's entries: the checkpoint, the key that goes on, and what went on purpose."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import groupby

from logchain.format.checkpoint import open_checkpoint
from logchain.format.errors import FormatError, SignatureError, StoreError
from logchain.format.ledger import is_torn, open_entry
from logchain.format.ledger_keys import LedgerKeys, read_ledger_keys
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.settings import Settings
from logchain.format.slots import FILE_SIZE
from logchain.read.findings import Finding
from logchain.read.ledger import Gone, Ledger
from logchain.store.layout import CHECKPOINT, KEYS, LEDGER, LEDGER_KEYS, Directory

__all__ = ["check_checkpoint", "check_key", "tell_clocks", "tell_gone"]

_LEAP = 3_600  # s; clocks that drift over a suspend are set right by less

_TRIES = 20  # a writer holds what belongs together apart for milliseconds
_PAUSE = 0.005  # s


def check_checkpoint(store: Directory, ledger: Ledger) -> Iterator[Finding]:
    """Yield what is wrong with the checkpoint: it is put in place behind every entry.

    So it may be one entry behind, after a crash or for a moment, but never ahead; and more than one only where the disk
    was full and all behind the first make room (docs/spec/ledger.md, 13).
    """
    if not ledger.intact:
        return
    text = ""
    for _ in range(_TRIES):
        text = _judge_checkpoint(store, ledger)
        if not text:
            return
        time.sleep(_PAUSE)
    yield Finding(True, f"the checkpoint: {text}")


def _judge_checkpoint(store: Directory, ledger: Ledger) -> str:
    assert ledger.genesis  # of a ledger that is intact
    try:
        with store.directory(LEDGER) as directory:
            checkpoint = open_checkpoint(directory.read(CHECKPOINT, MAX_CHECKPOINT), ledger.genesis.log)
    except FileNotFoundError:
        return "it is missing"
    except (FormatError, SignatureError) as error:
        return str(error)
    if checkpoint.size > ledger.size:
        ledger.advance()
    if checkpoint.size > ledger.size:
        return f"it is of {checkpoint.size} entries, and there are {ledger.size}: the newest were removed"
    if checkpoint.root != ledger.root(checkpoint.size):
        return f"its first {checkpoint.size} entries are not those of the ledger"
    if checkpoint.size < ledger.owing:
        ledger.advance()
        return f"it is of {checkpoint.size} entries, and there are {ledger.size}: it is an older copy"
    return ""


def check_key(store: Directory, ledger: Ledger) -> tuple[str, Finding | None]:
    """Hold the key that goes on against the ledger's head: whoever removed the newest entries has no such key.

    Returns how it stands: `next` is the one that the head names; `pending` too, but a crash cut its last entry short;
    `other` is neither; `unreadable`, `none` is there. Copies have none, if whoever made them was wise.
    """
    if not ledger.intact:
        return "none", None
    word = "none"
    for _ in range(_TRIES):
        try:
            with store.directory(KEYS) as directory:
                keys = read_ledger_keys(directory.read(LEDGER_KEYS, FILE_SIZE))
        except FileNotFoundError:
            return "none", None
        except StoreError:  # no permission
            return "unreadable", None
        except FormatError as error:
            word, text = "other", f"the ledger's keys are lost: {error}"
        else:
            ledger.advance()
            word, text = _judge_key(keys, ledger)
        if word == "next" and not ledger.torn:
            return word, None
        time.sleep(_PAUSE)
    if word == "pending":
        return word, Finding(False, "an entry was not appended to its end: a crash; the next start appends it")
    return word, Finding(True, text)


def _judge_key(keys: LedgerKeys, ledger: Ledger) -> tuple[str, str]:
    head = ledger.head
    if not head:
        return "none", ""
    if keys.entry == ledger.last and keys.number == ledger.size and keys.offset + len(keys.entry) == ledger.end:
        return ("next", "") if not ledger.torn else ("other", "something stands behind the ledger's last entry")
    if keys.number == ledger.size + 1 and keys.offset == ledger.end and is_torn(ledger.torn, keys.entry):
        with suppress(FormatError, SignatureError):
            open_entry(keys.entry, head.next)
            return "pending", ""
    if keys.number > ledger.size:
        return "other", f"the key in keys/ signs entry {keys.number}: entries from {ledger.size} on were removed"
    return "other", f"the key in keys/ signs entry {keys.number}, not {ledger.size}: keys or ledger are another copy"


def tell_clocks(ledger: Ledger, now: float) -> Iterator[Finding]:
    """Yield a notice where running time and clock contradict each other. `now`: s since 1970, of whoever verifies.

    Ages decide what may go. A clock that was set back explains it, and so does an entry that was made up.
    """
    leap, number = ledger.leap
    if leap > _LEAP:
        text = f"the running time grew by {_span(leap)} more than the clock: it was set back, or this was made up"
        yield Finding(False, text, entry=number)
    if ledger.head and ledger.head.time / 1e6 > now + _LEAP:
        yield Finding(False, "the last entry is of a time to come, by the clock here", entry=ledger.head.number)


def tell_gone(
    ledger: Ledger, names: Mapping[bytes, tuple[str, str]], settings: Settings, now: float
) -> Iterator[Finding]:
    """Yield a notice of all that went on purpose and was young: root can sign that too. `now`: s since 1970.

    Of a stream that is not there any more nobody knows the name, and so the longest that any VM's is kept counts.
    Where a stream had to begin anew, and the segment that says so went, that is damage still (ADR 0004): else a flood
    that has it evicted would wash away what somebody did.
    """

    def kept(stream_id: bytes) -> int:
        return settings.of(names[stream_id][0]).keep_at_least if stream_id in names else settings.longest_kept

    def kind(gone: Gone) -> tuple[bytes, str]:
        return gone.stream_id, gone.what

    went = ledger.young(settings.longest_kept, now)
    young = sorted((gone for gone in went if gone.age < kept(gone.stream_id)), key=kind)
    for (stream_id, what), group in groupby(young, kind):
        found = list(group)
        where = "/".join(names.get(stream_id, ())) or f"stream {stream_id.hex()}"
        segments = sorted(gone.segment for gone in found)
        which = f"segment {segments[0]}" if len(segments) == 1 else f"{len(segments)} segments from {segments[0]} on"
        text = f"{which} of {where} {'was' if len(segments) == 1 else 'were'} {what} within {_span(kept(stream_id))}"
        yield Finding(False, text, entry=found[0].entry)
    for number, event in ledger.forgotten:
        yield Finding(False, f"a stream was forgotten, {event.stream_id.hex()}", entry=number)
    for number, _ in ledger.restored:
        yield Finding(False, "the store came back from a backup: what was logged since then is not in it", entry=number)
    for number, broken in ledger.broken:
        history = ledger.of(broken.stream_id)
        if history.forgotten is None and history.is_gone(broken.segment + 1):
            where = "/".join(names.get(broken.stream_id, ())) or f"stream {broken.stream_id.hex()}"
            text = f"{where} had to begin anew behind segment {broken.segment} ({broken.reason}), and that went since"
            yield Finding(True, text, entry=number)


def _span(seconds: int) -> str:
    """Return a span in words."""
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{seconds} seconds"
