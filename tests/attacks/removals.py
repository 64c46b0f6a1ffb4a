"""What can be taken away, piece by piece, and what can be signed to excuse it."""

import shutil
from collections.abc import Iterable
from functools import partial

from logchain.format.ledger import Birth, Delete, Evict, Forget, Seal, parse_entry
from logchain.format.signed_note import parse_note
from tests.attacks.attack import CANNOT_TELL, Attack, found, good
from tests.attacks.vault import Watched

__all__ = ["REMOVALS"]

STREAMS = ("work", "vault", "new")


def identity(store: Watched, vm: str = "work") -> bytes:
    """Return the id of a VM's stream `main`."""
    return bytes.fromhex((store.directory(vm) / "id").read_text().split()[-1])


def without_sealed(store: Watched, *numbers: int) -> None:
    """Remove sealed segments of work/main, text and manifest."""
    for number in numbers:
        for path in store.sealed().glob(f"{number:08}.*"):
            path.unlink()


def without_live(store: Watched, vms: Iterable[str] = ("work",)) -> None:
    """Remove text and tags of all open segments."""
    for vm in vms:
        for path in store.directory(vm).glob("0*"):
            path.unlink()


def without_segments(store: Watched, *vms: str) -> None:
    """Remove all segments, sealed or not, and leave the rest."""
    without_live(store, vms)
    for vm in vms:
        for path in store.sealed(vm).glob("0*"):
            path.unlink()


def emptied(store: Watched, *parts: str) -> None:
    """Leave these directories empty."""
    for part in parts:
        shutil.rmtree(store.path / part)
        (store.path / part).mkdir()


def seals(store: Watched) -> list[Seal]:
    """Return the entries that say what was sealed of work/main."""
    events = (parse_entry(parse_note(data, 4096, most=1).text).event for data in store.split())
    return [event for event in events if isinstance(event, Seal) and event.stream_id == identity(store)]


def unsigned(store: Watched, event: Delete | Evict | Forget) -> None:
    """Append an entry that another key signed."""
    with store.entries.open("ab") as file:
        file.write(store.forge(event, b"\x42" * 32))


def evicted_unsigned(store: Watched) -> None:
    """Forge a tombstone without the key, and remove what it is of."""
    one = seals(store)[0]
    unsigned(store, Evict(one.stream_id, one.segment, one.manifest, "quota"))
    without_sealed(store, one.segment)


def forgotten_unsigned(store: Watched) -> None:
    """Forge that a stream was forgotten without the key, and remove it."""
    unsigned(store, Forget(identity(store), 4))
    shutil.rmtree(store.directory())
    shutil.rmtree(store.sealed())


def deleted(store: Watched, *, but: int = 0) -> None:
    """Sign the deletion of all that is sealed of a stream, and remove all of it but one."""
    for one in seals(store):
        with store.ledger() as (_, ledger):
            ledger.append(Delete(one.stream_id, one.segment, one.manifest))
        if one.segment != but:
            without_sealed(store, one.segment)


def deleted_and_more(store: Watched) -> None:
    """Sign the deletion of one segment, and remove two."""
    one = seals(store)[0]
    with store.ledger() as (_, ledger):
        ledger.append(Delete(one.stream_id, one.segment, one.manifest))
    without_sealed(store, 1, 2)


def evicted_open(store: Watched) -> None:
    """Seal what is open, sign its eviction, and remove it."""
    store.roll()
    store.seal()
    one = seals(store)[-1]
    with store.ledger() as (_, ledger):
        ledger.append(Evict(one.stream_id, one.segment, one.manifest, "reserve"))
    without_sealed(store, one.segment)


def forgotten(store: Watched) -> None:
    """Sign that a stream is forgotten, and remove it."""
    with store.ledger() as (_, ledger):
        ledger.append(Forget(identity(store), 4))
    shutil.rmtree(store.directory())
    shutil.rmtree(store.sealed())


def reborn(store: Watched) -> None:
    """Remove a stream that nothing listed, and sign that its birth was another's, which is forgotten."""
    birth = store.state("new").birth
    shutil.rmtree(store.directory("new"))
    with store.ledger() as (_, ledger):
        ledger.append(Birth(birth, bytes(31) + b"\x01", 1))
        ledger.append(Forget(bytes(31) + b"\x01", 0))


def broken_and_evicted(store: Watched) -> None:
    """Take a key state away; have the stream begin anew, and what says so evicted."""
    (store.directory() / "ratchet").unlink()
    store.log(b"goes on")
    store.roll()
    store.seal(block_size=4096)
    store.evict(store.state().segment)
    store.log(b"and on")


REMOVALS = [
    *found(
        "disk",
        {
            "remove the first sealed segment": lambda s: without_sealed(s, 1),
            "remove the middle sealed segment": lambda s: without_sealed(s, 2),
            "remove the last sealed segment": lambda s: without_sealed(s, 3),
            "remove all sealed segments of a stream": lambda s: without_sealed(s, 1, 2, 3),
            "remove the open segment of a stream": without_live,
            "remove the open segment of a stream that nothing listed": lambda s: without_live(s, ("new",)),
            "remove the open segments of all streams": lambda s: without_live(s, STREAMS),
            "remove all segments of a stream, and leave its keys": lambda s: without_segments(s, "work"),
            "remove all segments of all streams": lambda s: without_segments(s, "work", "vault", "new"),
            "leave a stream's directory empty": lambda s: emptied(s, "live/work/main"),
            "leave a qube's directory empty": lambda s: emptied(s, "live/work", "sealed/work"),
            "leave `live/` empty": lambda s: emptied(s, "live"),
            "leave `live/` and `sealed/` empty": lambda s: emptied(s, "live", "sealed"),
            "leave `ledger/` empty": lambda s: emptied(s, "ledger"),
            "leave `ledger/heads/` empty": lambda s: emptied(s, "ledger/heads"),
            "leave `ledger/entries` empty": lambda s: s.entries.write_bytes(b""),
            "forge an eviction without the key, and remove the segment": evicted_unsigned,
            "forge a forgetting without the key, and remove the stream": forgotten_unsigned,
            "take a key state; what says so is evicted later": broken_and_evicted,
        },
    ),
    *(
        Attack("disk", what, CANNOT_TELL, CANNOT_TELL, do)
        for what, do in {
            "leave the store's directory empty": lambda s: emptied(s, ""),
            "remove `format`": lambda s: (s.path / "format").unlink(),
        }.items()
    ),
    *found(
        "keys",
        {
            "sign the deletion of one segment, and remove two": deleted_and_more,
        },
    ),
    *good(
        "keys",
        {
            "sign the deletion of all that is sealed, and remove it (told as notes)": deleted,
            "sign that a stream is forgotten, and remove it (told as a note)": forgotten,
            "seal what is open, sign its eviction, and remove it (told as a note)": evicted_open,
            "remove a stream, and sign that its birth was another's, which is forgotten (told as a note)": reborn,
        },
    ),
    *good(
        "luck",
        {
            "a deletion was cut short": partial(deleted, but=3),
            "an empty directory beside the streams": lambda s: (s.path / "live/work/empty").mkdir(),
            "an empty directory beside the qubes": lambda s: (s.path / "sealed/empty").mkdir(),
        },
    ),
]
