"""What can be done to a store, one named case each, by attacker, with the verdicts that it leads to.

`tests/examples/test_verify_minimal.py` does all of them and has both verifiers look; docs/threat-model.md ends with the
table (`python -m tests.docs.generate`).
"""

import os
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

from logchain.format.ledger import Broken, Config, Delete, Event, Evict, Forget
from logchain.store.restoring import restore
from tests.attacks.attack import CANNOT_TELL, DAMAGED, INTACT, Attack, found, good
from tests.attacks.forged import FORGED, MANIFESTS, seal_cut_short
from tests.attacks.mistaken import MISTAKEN
from tests.attacks.odd_files import ODD_FILES
from tests.attacks.removals import REMOVALS
from tests.attacks.rollbacks import ROLLBACKS
from tests.attacks.tails import TAILS
from tests.attacks.test_ends import put_state
from tests.attacks.test_ledger import EVENTS, checkpoint
from tests.attacks.test_leftovers import put_live
from tests.attacks.vault import Watched

__all__ = ["ATTACKERS", "ATTACKS", "Attack", "flip"]

ATTACKERS = {
    "disk": "Somebody who can write the disk, and has no key",
    "keys": "Root in the LogVM, with the keys of now",
    "copy": "Root in the LogVM, with an older copy",
    "luck": "Nobody: a crash, or what a person left there",
}


CONTRADICTIONS = (  # what each of test_ledger's EVENTS is
    *("a seal without a manifest", "a seal of what was sealed", "a seal of no stream"),
    *("the eviction of another manifest", "the eviction of what was not sealed", "a deletion in no stream"),
    *("heads without their list", "a birth twice", "a birth that was never given", "a birth of no stream"),
)


def stream(store: Watched) -> bytes:
    """Return the id of work/main."""
    return bytes.fromhex((store.directory() / "id").read_text().split()[-1])


def append(store: Watched, event: Event) -> None:
    """Have an entry in the ledger, signed with the key of now."""
    with store.ledger() as (_, ledger):
        ledger.append(event)


def flip(path: Path, place: int) -> None:
    """Change a bit."""
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def behind(path: Path, data: bytes) -> None:
    """Put something behind a file's end."""
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + data)


def swap(one: Path, two: Path) -> None:
    """Have two files change names."""
    between = one.with_name("between")
    one.rename(between)
    two.rename(one)
    between.rename(two)


def digest(store: Watched, number: int) -> bytes:
    """Return the digest of a manifest of work/main."""
    return sha256((store.sealed() / f"{number:08}.manifest").read_bytes()).digest()


def copied(store: Watched, more: bytes = b"") -> None:
    """Have a sealed text in live/ as well."""
    (store.directory() / "00000001.log").write_bytes(store.text(1).read_bytes() + more)


def moved_back(store: Watched) -> None:
    """Have a sealed text in live/ only."""
    copied(store)
    store.text(1).unlink()


def without_stream(store: Watched) -> None:
    """Remove a stream, wherever it is."""
    shutil.rmtree(store.directory())
    shutil.rmtree(store.sealed())


def longer(store: Watched) -> None:
    """Close a segment, and go on behind its end."""
    store.roll()
    behind(store.directory() / "00000004.log", b"more")


def marked(store: Watched) -> None:
    """Say that a stream is being forgotten, and take its id."""
    (store.directory() / "forgetting").touch()
    (store.directory() / "id").unlink()


def forgotten(store: Watched, *, mark: bool) -> None:
    """Enter that work/main is forgotten, and remove nothing."""
    append(store, Forget(stream(store), 4))
    if mark:
        (store.directory() / "forgetting").touch()


def deleted_twice(store: Watched) -> None:
    """Enter a deletion two times."""
    for _ in range(2):
        append(store, Delete(stream(store), 2, digest(store, 2)))


def evicted(store: Watched) -> None:
    """Sign the eviction of what is young, and remove it."""
    append(store, Evict(stream(store), 2, digest(store, 2), "quota"))
    for path in store.sealed().glob("00000002.*"):
        path.unlink()


def contradict(store: Watched, event: Callable[[Watched], Event]) -> None:
    """Enter what cannot be."""
    append(store, event(store))


def made_up_backup(store: Watched) -> None:
    """Sign that the store came back from a backup."""
    with store.ledger() as (directory, ledger):
        restore(directory, ledger)


def rewritten(store: Watched) -> None:
    """Rewrite what no list fixed yet, with tags and key state that fit each other."""
    path = store.directory("new") / "00000001.log"
    put_live(store, 1, path.read_bytes().replace(b"line 1", b"lime 1"), "new")
    tag = path.with_suffix(".tags").read_bytes()[-32:]
    put_state(store, store.state("new")._replace(tag=tag), "new")


def torn_append(store: Watched) -> None:
    """Leave an entry half written, as a crash does."""
    append(store, Config(b"\x01" * 32))
    store.entries.write_bytes(store.entries.read_bytes()[:-100])
    checkpoint(store, len(store.split()))


def link(path: Path) -> None:
    """Have a link in a file's place, to the very bytes."""
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def fifo(path: Path) -> None:
    """Have a FIFO in a file's place."""
    path.unlink()
    os.mkfifo(path)


ATTACKS = [
    *found(
        "disk",
        {
            "flip a bit of sealed text": lambda s: flip(s.text(1), 300),
            "flip a bit of sealed LZ4": lambda s: flip(s.text(2), 40),
            "flip a bit of an LZ4 header's checksum": lambda s: flip(s.text(2), 14),
            "flip a bit of an LZ4 content's checksum": lambda s: flip(s.text(2), -1),
            "double the frames of sealed LZ4": lambda s: behind(s.text(2), s.text(2).read_bytes()),
            "flip a bit of sealed xz": lambda s: flip(s.text(3), 60),
            "put padding behind sealed xz": lambda s: behind(s.text(3), bytes(4)),
            "remove a sealed text": lambda s: s.text(2).unlink(),
            "move a sealed text back to `live/`": moved_back,
            "put a bad second form of a sealed text": lambda s: (s.sealed() / "00000001.log.xz").write_bytes(b"x"),
            "put a sealed text in `live/`, a line longer": partial(copied, more=b"x\n"),
            "flip a bit of a manifest": lambda s: flip(s.sealed() / "00000001.manifest", 200),
            "remove a manifest": lambda s: (s.sealed() / "00000002.manifest").unlink(),
            "swap two manifests": lambda s: swap(s.sealed() / "00000001.manifest", s.sealed() / "00000002.manifest"),
            "copy a manifest to another number": lambda s: shutil.copy(
                s.sealed() / "00000001.manifest", s.sealed() / "00000009.manifest"
            ),
            "copy a manifest to another stream": lambda s: shutil.copy(
                s.sealed() / "00000001.manifest", s.sealed("vault") / "00000001.manifest"
            ),
            "put a text into `sealed/`": lambda s: (s.sealed() / "00000009.log").write_bytes(b"x"),
            "remove all of `sealed/`": lambda s: shutil.rmtree(s.path / "sealed"),
            "remove a stream": without_stream,
            "remove a stream that nothing listed": lambda s: shutil.rmtree(s.directory("new")),
            "swap the ids of two streams": lambda s: swap(s.directory() / "id", s.directory("vault") / "id"),
            "remove a stream's id": lambda s: (s.directory() / "id").unlink(),
            "say that a stream is being forgotten, and remove its id": marked,
            "flip a bit of what a list fixed": lambda s: flip(s.directory() / "00000004.log", 200),
            "empty a segment that was listed": lambda s: (s.directory() / "00000004.log").write_bytes(b""),
            "remove the tags of an open segment": lambda s: (s.directory() / "00000004.tags").unlink(),
            "go on behind the end of a closed segment": longer,
            "remove a key state": lambda s: (s.directory() / "ratchet").unlink(),
            "wipe a key state": lambda s: (s.directory() / "ratchet").write_bytes(bytes(8192)),
            "remove `births`": lambda s: (s.path / "births").unlink(),
            "put a text of an evicted segment into `live/`": lambda s: (
                s.directory("vault") / "00000001.log"
            ).write_bytes(b"x"),
            "flip a bit of an entry": lambda s: flip(s.entries, 3000),
            "flip a bit of the last entry's signature": lambda s: flip(s.entries, -30),
            "take an entry out": lambda s: s.entries.write_bytes(b"".join(s.split()[:4] + s.split()[5:])),
            "put something behind the last entry": lambda s: behind(s.entries, b"junk"),
            "append an entry signed by another key": lambda s: behind(
                s.entries, s.forge(Config(bytes(32)), b"\x42" * 32)
            ),
            "remove the checkpoint": lambda s: (s.path / "ledger" / "checkpoint").unlink(),
            "put a FIFO in the checkpoint's place": lambda s: fifo(s.path / "ledger" / "checkpoint"),
            "put a link in the ledger's place": lambda s: link(s.entries),
            "remove a list of heads": lambda s: s.lists()[-1].unlink(),
            "flip a bit of a list of heads": lambda s: flip(s.lists()[-1], 150),
        },
    ),
    Attack(
        "disk",
        "flip a bit of a tag that no list fixed yet",
        INTACT,
        DAMAGED,
        lambda s: flip(s.directory("new") / "00000001.tags", 8 + 40 * 2),
    ),
    *found(
        "keys",
        {
            "append an entry, and leave `keys/` and checkpoint behind": lambda s: behind(
                s.entries, s.forge(Config(bytes(32)))
            ),
            "sign a deletion twice": deleted_twice,
            "sign that a stream is forgotten, and leave it": partial(forgotten, mark=False),
            "sign that less is forgotten than was sealed": lambda s: append(s, Forget(stream(s), 0)),
            "sign an older checkpoint": lambda s: checkpoint(s, 3),
            **{
                f"sign {words}": partial(contradict, event=event)
                for words, event in zip(CONTRADICTIONS, EVENTS, strict=True)
            },
            **MANIFESTS,
        },
    ),
    Attack("keys", "rewrite what no list fixed yet, tags and key state to fit", INTACT, DAMAGED, rewritten),
    *(Attack("keys", what, INTACT, DAMAGED, do) for what, do in FORGED.items()),
    Attack("keys", "sign that the store came back from a backup", CANNOT_TELL, CANNOT_TELL, made_up_backup),
    *good("keys", {"sign the eviction of a young segment, and remove it (told as a note)": evicted}),
    *good("keys", {"sign that a stream began anew that did not": lambda s: append(s, Broken(stream(s), 2, "text"))}),
    *good(
        "luck",
        {
            "nothing": lambda _: None,
            "a write was torn behind the committed end": lambda s: behind(s.directory() / "00000004.log", b"torn"),
            "a segment was never committed": lambda s: (s.directory() / "00000005.log").write_bytes(b"x"),
            "an append to the ledger was torn": torn_append,
            "a seal was cut short before its entry": seal_cut_short,
            "a seal was cut short behind its entry": copied,
            "an eviction was cut short": lambda s: append(s, Evict(stream(s), 2, digest(s, 2), "quota")),
            "a forgetting was cut short": partial(forgotten, mark=True),
            "a list was written, and its entry was not": lambda s: (s.path / "ledger/heads/00000099").write_bytes(b"x"),
            "a copy without `keys/`": lambda s: shutil.rmtree(s.path / "keys"),
            "a file that is none of ours": lambda s: (s.sealed() / "notes").write_bytes(b"x"),
        },
    ),
    *ROLLBACKS,
    *REMOVALS,
    *MISTAKEN,
    *ODD_FILES,
    *TAILS,
]
