"""The end of an open segment: cut off, or another's in its place; and then logging goes on, by the real code."""

from functools import partial

from logchain.format.keystate import KeyState
from logchain.format.ratchet import chain
from logchain.format.tags import format_tags
from tests.attacks.attack import DAMAGED, INTACT, Attack, found, good
from tests.attacks.pinned import session
from tests.attacks.test_ends import put_state
from tests.attacks.vault import Watched

__all__ = ["TAILS", "boundaries"]

NEVER_LISTED, LISTED = ("new", 1), ("work", 4)  # VM and segment


def boundaries(store: Watched, vm: str, number: int) -> dict[str, tuple[int, int]]:
    """Return where a segment can be cut: bytes of text, and of tags, that are left."""
    log = (store.directory(vm) / f"{number:08}.log").read_bytes()
    ends = [place + 1 for place, byte in enumerate(log) if byte == 10]
    return {
        "at its last record": (ends[-2], 40 * (len(ends) - 1)),
        "at a record": (ends[2], 40 * 3),
        "in a record": (ends[2] + 40, 40 * 4),
        "behind its first note": (ends[0], 40),
        "in its first note": (20, 40),
        "to nothing": (0, 0),
    }


def cut(store: Watched, where: str, of: tuple[str, int] = NEVER_LISTED, files: str = "log tags") -> None:
    """Cut text, or tags, or both; then let the collector's own code go on."""
    vm, number = of
    size, tags = boundaries(store, vm, number)[where]
    for ending, left in (("log", size), ("tags", tags)):
        if ending in files:
            path = store.directory(vm) / f"{number:08}.{ending}"
            path.write_bytes(path.read_bytes()[:left])
    session(store, 2, vm)


def cut_in_a_tag(store: Watched) -> None:
    """Cut in a tag, and go on."""
    path = store.directory("new") / "00000001.tags"
    path.write_bytes(path.read_bytes()[:-7])
    session(store, 2, "new")


def torn(store: Watched, data: bytes) -> None:
    """Leave text behind the committed end, as a crash does; and go on."""
    path = store.directory("new") / "00000001.log"
    path.write_bytes(path.read_bytes() + data)
    session(store, 2, "new")


def kept_records(store: Watched, of: tuple[str, int], records: int) -> tuple[bytes, bytes]:
    """Return the first records of a segment, and their tags."""
    vm, number = of
    log, tags = ((store.directory(vm) / f"{number:08}{end}").read_bytes() for end in (".log", ".tags"))
    return b"".join(log.splitlines(keepends=True)[:records]), tags[: 40 * records]


def tail_of(store: Watched, of: tuple[str, int], count: int) -> list[bytes]:
    """Return the last records of a segment, as lines without their newlines."""
    vm, number = of
    return (store.directory(vm) / f"{number:08}.log").read_bytes().split(b"\n")[:-1][-count:]


def spliced(store: Watched, of: tuple[str, int], *, keep: int | None = None, with_key: bool = True) -> None:
    """Have the tail of vault/main behind what is kept of a segment, with tags and key state to fit.

    All that root has is the key of now: it makes good tags for what comes next, and none for what was there.
    """
    vm, number = of
    state: KeyState = store.state(vm)
    records = state.records if keep is None else keep
    text, tags = kept_records(store, of, records)
    lines = [b"2026-12-31" + line[10:] for line in tail_of(store, ("vault", 4), 3)]
    key, made = chain(state.key, lines) if with_key else (state.key, [bytes(32)] * len(lines))
    ends = [len(text)]
    for line in lines:
        ends.append(ends[-1] + len(line) + 1)
    (store.directory(vm) / f"{number:08}.log").write_bytes(text + b"".join(line + b"\n" for line in lines))
    (store.directory(vm) / f"{number:08}.tags").write_bytes(tags + format_tags(ends[1:], made))
    if with_key:
        put_state(
            store,
            state._replace(records=records + len(lines), end=ends[-1], tag=made[-1], key=key),
            vm,
        )


TAILS = [
    *found(
        "disk",
        {
            **{
                f"cut an open segment {where}, and log on": partial(cut, where=where)
                for where in (
                    "at its last record",
                    "at a record",
                    "in a record",
                    "behind its first note",
                    "in its first note",
                    "to nothing",
                )
            },
            "cut an open segment's text at a record, not its tags, and log on": partial(
                cut, where="at a record", files="log"
            ),
            "cut an open segment's tags at a record, not its text, and log on": partial(
                cut, where="at a record", files="tags"
            ),
            "cut an open segment's tags in the last one, and log on": cut_in_a_tag,
            "cut an open segment that was listed, and log on": partial(cut, where="at a record", of=LISTED),
            "put another stream's tail in the place of one's own": partial(
                spliced, of=NEVER_LISTED, keep=3, with_key=False
            ),
        },
    ),
    *good(
        "disk",
        {
            "put another stream's tail behind one's own (told, and not counted)": partial(
                spliced, of=NEVER_LISTED, with_key=False
            )
        },
    ),
    Attack(
        "keys",
        "put another stream's tail in the place of what no list fixed, by the key of now",
        INTACT,
        DAMAGED,
        partial(spliced, of=NEVER_LISTED, keep=3),
    ),
    *found(
        "keys",
        {
            "put another stream's tail in the place of what a list fixed, by the key of now": partial(
                spliced, of=LISTED, keep=3
            ),
        },
    ),
    *good(
        "keys",
        {
            "put another stream's tail behind one's own, by the key of now: lines of now": partial(
                spliced, of=NEVER_LISTED
            )
        },
    ),
    *good(
        "luck",
        {
            "a write was torn, and logging went on": partial(torn, data=b"2026-11-23T12:53:00.000000Z - half a li"),
            "a write was torn in its first byte, and logging went on": partial(torn, data=b"2"),
        },
    ),
]
