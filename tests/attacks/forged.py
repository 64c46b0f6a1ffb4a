"""What root can sign and write with the keys of now: manifests, lists, key states that are well-formed, and lie."""

import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.heads import format_heads, parse_heads
from logchain.format.keystate import (
    BIRTHS_MAGIC,
    NO_KEY,
    NO_SESSION,
    Status,
    format_births,
    read_births,
)
from logchain.format.ledger import Config, Heads, Seal, entry_key_name, log_key_name, parse_entry
from logchain.format.ledger_keys import parse_log_key
from logchain.format.manifest import format_manifest, parse_manifest
from logchain.format.merkle import leaf_hash, root
from logchain.format.signed_note import parse_note, sign
from logchain.format.slots import format_slots
from tests.attacks.pinned import Pinned, session
from tests.attacks.test_ends import put_state
from tests.attacks.test_leftovers import put_live

__all__ = ["FORGED", "MANIFESTS", "seal_cut_short"]


def seal_cut_short(store: Pinned) -> None:
    """Leave manifest and text of a seal whose entry was not appended yet."""
    store.roll()
    older = store.path.parent / "older"
    shutil.copytree(store.path, older)
    store.seal()
    for part in ("ledger", "keys", "live"):
        shutil.rmtree(store.path / part)
        shutil.copytree(older / part, store.path / part)


def sealed_with(store: Pinned, **changes: Any) -> None:
    """Seal segment 4 with a manifest in which this is otherwise."""
    seal_cut_short(store)
    path = store.sealed() / "00000004.manifest"
    manifest = parse_manifest(parse_note(path.read_bytes(), 1 << 20).text)
    changes = {name: change(manifest) if callable(change) else change for name, change in changes.items()}
    path.chmod(0o600)
    with store.ledger() as (_, ledger):
        path.write_bytes(ledger.sign(format_manifest(manifest._replace(**changes))))
        ledger.append(Seal(manifest.stream_id, 4, sha256(path.read_bytes()).digest()))
    for name in ("00000004.log", "00000004.tags"):
        (store.directory() / name).unlink()


def sealed_as(store: Pinned, change: Callable[[bytes], bytes]) -> None:
    """Seal segment 4 with a manifest whose text was changed, and signed as it is."""
    seal_cut_short(store)
    path = store.sealed() / "00000004.manifest"
    text = change(parse_note(path.read_bytes(), 1 << 20).text)
    path.chmod(0o600)
    with store.ledger() as (_, ledger):
        path.write_bytes(ledger.sign(text))
        ledger.append(
            Seal(
                bytes.fromhex((store.directory() / "id").read_text().split()[-1]), 4, sha256(path.read_bytes()).digest()
            )
        )
    for name in ("00000004.log", "00000004.tags"):
        (store.directory() / name).unlink()


def entered(store: Pinned, change: Callable[[bytes], bytes]) -> None:
    """Append an entry whose text was changed, signed with the key of now as it is."""
    text = change(parse_note(store.forge(Config(bytes(32))), 4096).text)
    name = entry_key_name(store.audit.store_id)
    store.entries.write_bytes(store.entries.read_bytes() + sign(text, name, store.keys().seed))
    (store.path / "keys" / "ledger").unlink()


def other_records(manifest: Any) -> tuple[Any, ...]:
    """Let the first block have a record more, and the second one less."""
    one, two, *rest = manifest.blocks
    return (one._replace(records=one.records + 1), two._replace(records=two.records - 1), *rest)


def later(manifest: Any) -> tuple[Any, ...]:
    """Let the second block begin a microsecond later."""
    one, two, *rest = manifest.blocks
    return (one, two._replace(time=two.time + 1), *rest)


def listed_with(store: Pinned, change: Callable[[bytes, tuple[Any, ...]], bytes]) -> None:
    """Enter a list of heads that is the last one, changed; its entry names the same segments."""
    last = next(
        event
        for entry in reversed(store.split())
        if isinstance(event := parse_entry(parse_note(entry, 2048, most=1).text).event, Heads)
    )
    data = change(*parse_heads(store.lists()[-1].read_bytes()))
    number = len(store.split())
    (store.path / f"ledger/heads/{number:08}").write_bytes(data)
    with store.ledger() as (_, ledger):
        ledger.append(Heads(last.segments, sha256(data).digest()))


def shrunk(store_id: bytes, heads: tuple[Any, ...]) -> bytes:
    """A list in which each segment has a record less."""
    return format_heads(store_id, [head._replace(records=head.records - 1) for head in heads])


def fewer(store_id: bytes, heads: tuple[Any, ...]) -> bytes:
    """A list that leaves a segment out."""
    return format_heads(store_id, heads[1:])


def of_another(_: bytes, heads: tuple[Any, ...]) -> bytes:
    """A list of another store, with more of each segment."""
    return format_heads(bytes(16), [head._replace(records=head.records + 1, size=head.size + 1) for head in heads])


def state_with(store: Pinned, **changes: Any) -> None:
    """Have another key state."""
    put_state(store, store.state()._replace(**changes))


def births_with(store: Pinned, **changes: Any) -> None:
    """Have other births."""
    path = store.path / "births"
    path.write_bytes(format_slots(BIRTHS_MAGIC, format_births(read_births(path.read_bytes())._replace(**changes))))


def cut(store: Pinned, **changes: Any) -> int:
    """Cut off what no list fixed yet, and make the key state fit, as far as it goes; return the segment."""
    kept = store.state()
    session(store, 3)
    state = store.state()
    log, tags = (store.directory() / f"{state.segment:08}{end}" for end in (".log", ".tags"))
    log.write_bytes(log.read_bytes()[: kept.end])
    tags.write_bytes(tags.read_bytes()[: 40 * kept.records])
    put_state(store, state._replace(records=kept.records, end=kept.end, tag=kept.tag, **changes))
    return state.segment


def closed(store: Pinned) -> None:
    """Cut, say that it was closed there, and go on."""
    cut(store, status=Status.CLOSED, key=NO_KEY, session=NO_SESSION)
    session(store, 1)


def closed_and_evicted(store: Pinned) -> None:
    """The same, and have the segment behind it evicted, which would have to tell why it has no end."""
    number = cut(store, status=Status.CLOSED, key=NO_KEY, session=NO_SESSION)
    session(store, 1)
    store.roll()
    session(store, 1)
    store.seal(block_size=4096)
    store.evict(number + 1)


def given_up(store: Pinned) -> None:
    """Cut, say that a write had failed there, and go on."""
    cut(store, status=Status.GIVEN_UP)
    session(store, 1)


def manifest_text(store: Pinned) -> bytes:
    """Return what a manifest signs."""
    return parse_note((store.sealed() / "00000001.manifest").read_bytes(), 1 << 20).text


def other_type(text: bytes) -> bytes:
    """Name a key of the type of cosignatures in `next`, with the id that it then has."""
    head, _, key = text[:-1].rpartition(b"+")
    name = head.rpartition(b"next ")[2].rpartition(b"+")[0]
    value = b"\x04" + b64decode(key)[1:]
    short = sha256(name + b"\n" + value).hexdigest()[:8].encode()
    return head.rpartition(b"+")[0] + b"+" + short + b"+" + b64encode(value) + b"\n"


def renoted(store: Pinned, old: bytes, new: bytes) -> None:
    """Rewrite the second segment of what no list fixed, with tags and a key state that fit each other."""
    store.roll("new")
    session(store, 2, "new")
    path = store.directory("new") / "00000002.log"
    text = re.sub(old, new, path.read_bytes(), count=1)
    assert text != path.read_bytes()
    put_live(store, 2, text, "new")
    tags = path.with_suffix(".tags").read_bytes()
    put_state(store, store.state("new")._replace(tag=tags[-32:], end=len(text), records=len(tags) // 40), "new")


def relisted(store: Pinned) -> None:
    """Rewrite what a list fixed, with tags and a key state that fit each other."""
    path = store.directory() / "00000004.log"
    put_live(store, 4, path.read_bytes().replace(b"line 3", b"lime 3"))
    put_state(store, store.state()._replace(tag=path.with_suffix(".tags").read_bytes()[-32:]))


def checkpoint_with(store: Pinned, size: int, **changes: Any) -> None:
    """Sign another checkpoint with the log's key, which never changes."""
    log = parse_log_key((store.path / "keys" / "log").read_bytes())
    name = log_key_name(store.audit.store_id)
    found = Checkpoint(name, size, root(map(leaf_hash, store.split()[:size])))._replace(**changes)
    (store.path / "ledger" / "checkpoint").write_bytes(sign(format_checkpoint(found), name, log.seed))


def claimed(store: Pinned) -> None:
    """Have one stream's key state name the birth of another."""
    put_state(store, store.state("vault")._replace(birth=store.state("work").birth), "vault")


def begun_anew(store: Pinned) -> None:
    """Have a key state say that committed text was lost."""
    zeros = {"records": 0, "end": 0, "opened": 0, "tag": bytes(32), "key": NO_KEY, "session": NO_SESSION}
    state_with(store, status=Status.LOST_TEXT, boot=bytes(16), resume=(), **zeros)


def other_tag(store: Pinned) -> None:
    """Seal with another last tag, and have the key state say the same."""
    sealed_with(store, tag=bytes(32))
    state_with(store, tag=bytes(32))


MANIFESTS: dict[str, Callable[[Pinned], object]] = {  # found with the fingerprint
    "seal with another manifest before it": lambda s: sealed_with(s, previous=bytes(32)),
    "seal with an age to come": lambda s: sealed_with(s, age=1 << 40),
    "seal under another birth": lambda s: sealed_with(s, birth=2),
    "seal as another stream": lambda s: sealed_with(s, stream_id=bytes(32)),
    "seal as another store": lambda s: sealed_with(s, store_id=bytes(16)),
    "seal with other numbers of records": lambda s: sealed_with(s, first=lambda m: m.first + 1),
    "seal with another last time": lambda s: sealed_with(s, last_time=lambda m: m.last_time + 1),
    "seal with blocks of other times": lambda s: sealed_with(s, blocks=later),
    "seal with blocks of other records": lambda s: sealed_with(s, blocks=other_records),
    "seal with another last tag": lambda s: sealed_with(s, tag=bytes(32)),
    "sign a manifest of another version": lambda s: sealed_as(s, lambda text: text.replace(b" v1", b" v2", 1)),
    "sign an entry's text as a manifest": lambda s: sealed_as(s, lambda _: parse_note(s.split()[3], 4096).text),
    "sign an entry of another version": lambda s: entered(s, lambda text: text.replace(b" v1", b" v0", 1)),
    "sign a manifest's text as an entry": lambda s: entered(s, lambda _: manifest_text(s)),
    "sign an entry whose next key is of another type": lambda s: entered(s, other_type),
    "rewrite a first note: another version": lambda s: renoted(s, b"format=logchain/1", b"format=logchain/0"),
    "rewrite what a list fixed, tags and key state to fit": relisted,
    "list fewer records than before": lambda s: listed_with(s, shrunk),
    "list other segments than the entry names": lambda s: listed_with(s, fewer),
    "list as another store": lambda s: listed_with(s, of_another),
    "write a key state of another tag": lambda s: state_with(s, tag=bytes(32)),
    "write a key state of an earlier segment": lambda s: state_with(s, segment=3),
    "write a key state of a birth that was not given": lambda s: state_with(s, birth=7),
    "write a key state that says the segment is closed": lambda s: state_with(s, status=Status.CLOSED, key=NO_KEY),
    "write a key state of another stream's birth": claimed,
    "write a key state that gives its segment up as lost": begun_anew,
    "sign a checkpoint of another root": lambda s: checkpoint_with(s, len(s.split()), root=bytes(32)),
    "sign a checkpoint of more entries": lambda s: checkpoint_with(s, 99),
    "rewrite a first note: another qube": lambda s: renoted(s, b" vm=new ", b" vm=old "),
    "rewrite a first note: another number": lambda s: renoted(s, b" number=2 ", b" number=3 "),
    "rewrite a first note: records left out": lambda s: renoted(s, rb" first=\d+ ", b" first=99 "),
    "rewrite a first note: another tag before": lambda s: renoted(s, rb" previous=\w+ ", b" previous=%064d " % 1),
    "rewrite a first note: a birth": lambda s: renoted(
        s, rb" previous=\w+( boot=\w+)", rb" previous=%064d\1 birth=4" % 0
    ),
    "rewrite a first note: a backup came back": lambda s: renoted(
        s,
        rb"(\S+) # (.*) previous=\w+( boot=\w+)\n",
        rb"\1 # \2 previous=%064d\3 birth=4\n\1 # broken reason=restored\n" % 0,
    ),
    "rewrite a first note: keys were lost": lambda s: renoted(
        s,
        rb"(\S+) # (.*) previous=\w+( boot=\w+)\n",
        rb"\1 # \2 previous=%064d\3 birth=4\n\1 # broken reason=keys\n" % 0,
    ),
    "cut a segment that is closed then": closed,
    "the same, and evict the segment behind it": closed_and_evicted,
}
FORGED: dict[str, Callable[[Pinned], object]] = {  # found with the audit secret alone
    "seal with another last tag, key state to fit": other_tag,
    "write another key of now": lambda s: state_with(s, key=b"\x01" * 32),
    "write another secret of the next segment": lambda s: state_with(s, next=b"\x01" * 32),
    "write another secret of the next birth": lambda s: births_with(s, secret=b"\x01" * 32),
    "cut off what no list fixed yet, key state to fit": cut,
    "the same, as if a write had failed there": given_up,
}
