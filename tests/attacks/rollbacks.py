"""Older copies put back, forks, and what else only a witness can tell."""

import shutil
import time
from functools import partial
from pathlib import Path

from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.ledger import Config, log_key_name
from logchain.format.ledger_keys import parse_log_key
from logchain.format.merkle import leaf_hash, root
from logchain.format.signed_note import COSIGNATURE, public_key, sign
from logchain.store.restoring import restore
from logchain_witness.note import Key, cosign
from tests.attacks.attack import CANNOT_TELL, DAMAGED, INTACT, REFUSED, Attack, found, good
from tests.attacks.pinned import session
from tests.attacks.vault import Watched

__all__ = ["ROLLBACKS"]

EVERYTHING = ("live", "sealed", "births", "keys", "ledger")


def put_back(store: Watched, *parts: str, listed: bool = True, seen: bool = True, kept: bool = False) -> None:
    """Go on logging, then put older copies of these in place; `kept`: but for the newest cosignature."""
    older = store.path.parent / "older"
    shutil.copytree(store.path, older)
    session(store, 3)
    session(store, 1, "newest")
    if listed:
        store.list_heads()
    if seen:
        assert store.ask() == ""
    newest = (store.path / "ledger" / "witnessed").read_bytes()
    for part in parts:
        path = store.path / part
        if path.is_dir():
            shutil.rmtree(path)
            shutil.copytree(older / part, path)
        else:
            shutil.copy(older / part, path)
    if kept:
        witnessed(store).write_bytes(newest)


def witnessed(store: Watched) -> Path:
    """The file of what the witness signed."""
    return store.path / "ledger" / "witnessed"


def forked(store: Watched, *, kept: bool = False) -> None:
    """Put all back, and grow another ledger from there, until it is longer than the first one."""
    put_back(store, *EVERYTHING, kept=kept)
    for _ in range(3):
        session(store, 2, "vault")
        store.list_heads()


def spliced(store: Watched) -> None:
    """Have the newest entry of another ledger that grew from the same one behind this one's."""
    put_back(store, *EVERYTHING)
    before = store.split()
    with store.ledger() as (_, ledger):
        ledger.append(Config(b"\x01" * 32))
    other = store.split()[len(before) :]
    for part in ("ledger", "keys"):
        shutil.rmtree(store.path / part)
        shutil.copytree(store.path.parent / "older" / part, store.path / part)
    with store.ledger() as (_, ledger):
        ledger.append(Config(b"\x02" * 32))
    store.entries.write_bytes(b"".join([*store.split(), *other]))


def restored_then(store: Watched) -> None:
    """Put all back, and sign that it was a backup."""
    put_back(store, *EVERYTHING)
    with store.ledger() as (directory, ledger):
        restore(directory, ledger)


def cut_ledger(store: Watched, *, everywhere: bool, seen: bool = False, kept: bool = False) -> None:
    """Take the newest entry away; with the checkpoint and the key that tell of it, too.

    `seen`: the witness has signed it; `kept`: its cosignature stays.
    """
    older = witnessed(store).read_bytes()
    with store.ledger() as (_, ledger):
        ledger.append(Config(b"\x01" * 32))
    if seen:
        assert store.ask() == ""
    entries = store.split()[:-1]
    store.entries.write_bytes(b"".join(entries))
    if not kept:
        witnessed(store).write_bytes(older)
    if everywhere:
        name = log_key_name(store.audit.store_id)
        seed = parse_log_key((store.path / "keys" / "log").read_bytes()).seed
        text = format_checkpoint(Checkpoint(name, len(entries), root(map(leaf_hash, entries))))
        (store.path / "ledger" / "checkpoint").write_bytes(sign(text, name, seed))
        (store.path / "keys" / "ledger").unlink()


def signed_by_another(store: Watched) -> None:
    """Have a cosignature of a key of one's own, under the witness's name."""
    note = (store.path / "ledger" / "checkpoint").read_bytes()
    text, seed = note.partition(b"\n\n")[0] + b"\n", b"\x66" * 32
    key = Key("vault/w", public_key("vault/w", seed).key, COSIGNATURE)
    witnessed(store).write_bytes(note + cosign(text, key, seed, int(time.time())))


def moved_signature(store: Watched) -> None:
    """Have the witness's line below a newer checkpoint."""
    line = witnessed(store).read_bytes().splitlines(keepends=True)[-1]
    store.log(b"more")
    store.list_heads()
    witnessed(store).write_bytes((store.path / "ledger" / "checkpoint").read_bytes() + line)


def changed_signature(store: Watched) -> None:
    """Change a bit of what the witness signed."""
    path = witnessed(store)
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))


ROLLBACKS = [
    *found(
        "disk",
        {"cut the newest entry off": partial(cut_ledger, everywhere=False)},
    ),
    *good("disk", {"remove the witness's signature (told: not witnessed)": lambda s: witnessed(s).unlink()}),
    Attack("disk", "change a bit of what the witness signed", INTACT, INTACT, changed_signature, DAMAGED),
    Attack("disk", "put the witness's signature below a newer checkpoint", INTACT, INTACT, moved_signature, DAMAGED),
    *good("keys", {"sign with a key of one's own as the witness (told: not witnessed)": signed_by_another}),
    *good(
        "keys",
        {"cut the newest entry off, with its checkpoint and key": partial(cut_ledger, everywhere=True)},
    ),
    *good(
        "keys",
        {"the same, of an entry that the witness saw": partial(cut_ledger, everywhere=True, seen=True)},
        REFUSED,
    ),
    Attack(
        "keys",
        "the same, and leave the witness's signature there",
        INTACT,
        INTACT,
        partial(cut_ledger, everywhere=True, seen=True, kept=True),
        DAMAGED,
    ),
    *found(
        "copy",
        {
            "put back a stream of what was listed": lambda s: put_back(s, "live/work/main"),
            "put back a key state": lambda s: put_back(s, "live/work/main/ratchet"),
            "put back `births`": lambda s: put_back(s, "births"),
            "put back the ledger": lambda s: put_back(s, "ledger"),
            "put back `keys/`": lambda s: put_back(s, "keys"),
            "put back all but the ledger": lambda s: put_back(s, "live", "sealed", "births", "keys"),
            "put an entry of a fork behind the ledger's": spliced,
        },
    ),
    *good(
        "copy",
        {
            "put back a stream, of what no list fixed yet": lambda s: put_back(s, "live/work/main", listed=False),
            "put back the whole store, before the witness saw more": lambda s: put_back(s, *EVERYTHING, seen=False),
        },
    ),
    *good(
        "copy",
        {
            "put back the whole store": lambda s: put_back(s, *EVERYTHING),
            "the same, and grow another ledger from there": forked,
        },
        REFUSED,
    ),
    Attack(
        "copy",
        "put back the whole store, and leave the newest signature of the witness",
        INTACT,
        INTACT,
        lambda s: put_back(s, *EVERYTHING, kept=True),
        DAMAGED,
    ),
    Attack(
        "copy",
        "the same, and grow another ledger from there, as long",
        INTACT,
        INTACT,
        partial(forked, kept=True),
        DAMAGED,
    ),
    Attack(
        "copy",
        "put back the whole store, and sign that it was a backup",
        CANNOT_TELL,
        CANNOT_TELL,
        restored_then,
        f"{CANNOT_TELL}, refused",
    ),
]
