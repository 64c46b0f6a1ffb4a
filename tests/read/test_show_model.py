"""Whatever is stored, and whichever way it is read: what is shown is what somebody would write down who saw it come."""

import random
import re
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import pytest

from logchain.format.limits import MAX_TIME
from logchain.format.record import LINE, PART
from logchain.read import show, windows
from logchain.read.display import escape
from logchain.read.formats import FORMATS
from logchain.read.grep import Pattern
from logchain.read.selection import Selection
from logchain.read.times import format_local
from logchain.read.view import View
from logchain.read.windows import Printer
from logchain.store.layout import TIERS, Directory, open_store
from tests.read.archived import Archive

pytestmark = [
    pytest.mark.usefixtures("unsynced"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),  # pytest's own threads, where it has some
]

WORDS = (b"", b"error", b"ERROR", b"disk 7", b"disk full", b"\x1b[31m", b"2026-11-23T03:45:01.123456Z - ", b"Z - x")
MORE = ("gr\u00f6\u00dfer".encode(), b"\xff\x00\r", "\u202e".encode(), b"# end", b"+", b"a+b", b"<27>1 ")
PATTERNS = (
    rb"error",
    rb"disk [0-9]",
    rb"disk",
    rb"Z - ",
    rb"^",
    rb"a\+b",
    rb"^<27>1",
    rb"\xff",
    rb"2026",
    rb"x$",
    rb"#",
)


class Seen(NamedTuple):
    """A line as it was received: when, of which qube and stream, the how manieth of that, and its bytes."""

    time: int
    vm: str
    stream: str
    place: int
    line: bytes


def write(store: Archive, chance: random.Random) -> list[Seen]:
    """Log to some streams by turns, lines and lines in parts; seal some of it; return what came, in its order."""
    seen: list[Seen] = []
    names = [("net", "main"), ("vault", "main"), ("work", "audit"), ("work", "main")][: chance.randrange(1, 5)]
    for _ in range(chance.randrange(1, 9)):
        name = chance.choice(names)
        store.clock.go(0.000_001)  # lines of two streams in one microsecond come as they are met
        writer = store.open(*name)
        writer.start_session(chance.randbytes(8), "logchain.Append")
        for _ in range(chance.randrange(12)):
            store.clock.go(chance.choice([0, 0, 0.000001, 0.5, 100]))
            lines = [b" ".join(chance.choices(WORDS + MORE, k=chance.randrange(3))) for _ in range(chance.randrange(4))]
            parts = [b"part" * chance.randrange(1, 40) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
            for part in parts:
                writer.append(PART, [part], store.clock.wall())
            if parts:
                lines = [*lines, b"end"]
            if lines:
                writer.append(LINE, lines, store.clock.wall())
                whole = [b"".join([*parts, lines[0]]), *lines[1:]]
                seen += [Seen(store.clock.wall(), *name, len(seen) + n, line) for n, line in enumerate(whole)]
        writer.end_session("eof", b"", 0)
        if chance.random() < 0.5:
            writer.roll("size")
        writer.close()
        if chance.random() < 0.5:
            store.seal(*name, block_size=chance.choice([512, 2_000, 128 << 10]), tier=chance.choice(TIERS))
    return sorted(seen)


def choose(seen: list[Seen], wanted: Selection, regex: bytes) -> list[Seen | None]:
    """Return what is to be shown, line by line; None stands for what is left out around what matches."""
    rows = [row for row in seen if wanted.since <= row.time <= wanted.until and wanted.has(row.vm, row.stream)]
    if not wanted.pattern:
        found = list(range(len(rows)))
    else:
        flags = re.IGNORECASE if wanted.pattern._regex.flags & re.IGNORECASE else 0
        hits = [bool(re.search(regex, row.line, flags)) != wanted.pattern._invert for row in rows]
        around = range(-wanted.after, wanted.before + 1)
        found = [n for n in range(len(rows)) if any(0 <= n + d < len(rows) and hits[n + d] for d in around)]
    if wanted.last is not None:
        found = found[max(0, len(found) - wanted.last) :]
    chosen: list[Seen | None] = []
    for before, place in zip([None, *found], found, strict=False):
        if (wanted.before or wanted.after) and before is not None and place > before + 1:
            chosen.append(None)
        chosen.append(rows[place])
    return chosen[::-1] if wanted.reverse else chosen


def print_plainly(rows: list[Seen | None], form: str) -> bytes:
    """Print rows as the guide says."""
    if form == "raw":
        return b"".join(row.line + b"\n" for row in rows if row)
    return b"".join(
        f"{format_local(row.time, UTC)} {row.vm}/{row.stream}: {escape(row.line)}\n".encode() if row else b"--\n"
        for row in rows
    )


def select(chance: random.Random, seen: list[Seen]) -> tuple[Selection, bytes]:
    """Choose options, and the expression that is searched for."""
    times = sorted(chance.choices([row.time for row in seen], k=2)) if seen and chance.random() < 0.5 else [0, MAX_TIME]
    wanted = Selection(since=times[0], until=times[1], vms=chance.choice([(), (), ("work",), ("*o*", "net")]))
    regex = chance.choice(PATTERNS)
    if chance.random() < 0.6:
        wanted = wanted._replace(pattern=Pattern(regex, chance.random() < 0.3, chance.random() < 0.3))
        if chance.random() < 0.3:
            return wanted._replace(before=chance.randrange(3), after=chance.randrange(3)), regex
    if chance.random() < 0.3:
        return wanted._replace(last=chance.randrange(6), reverse=chance.random() < 0.5), regex
    return wanted._replace(reverse=chance.random() < 0.2), regex


def printed(directory: Directory, wanted: Selection, form: str, jobs: int) -> bytes:
    """Return what is printed by so many processes."""
    printer = Printer(View(directory), wanted, FORMATS[form](UTC, False))
    printer._jobs = jobs
    text = b"".join(printer.print())
    assert printer.gaps == 0
    return text


@pytest.mark.parametrize("seed", range(40))
def test_what_is_shown_is_what_came(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged by time, searched, cut out, from either end, by one process or several: byte for byte."""
    chance = random.Random(seed)
    store = Archive.make(tmp_path / "store")
    seen = write(store, chance)
    for name, least in (("_SHORT", 0), ("_LEAST", 200), ("_MOST", 400), ("_SEARCHED", 400)):
        monkeypatch.setattr(windows, name, least)
    monkeypatch.setattr(show, "_BATCH", chance.choice([1, 3, 512]))
    monkeypatch.setattr(show, "_WINDOW", chance.choice([1, 5, 20_000]))
    with open_store(store.path) as directory:
        for _ in range(12):
            wanted, regex = select(chance, seen)
            form = chance.choice(["short", "raw"])
            expected = print_plainly(choose(seen, wanted, regex), form)
            for jobs in (1, 2):
                assert printed(directory, wanted, form, jobs) == expected, (wanted, regex, form, jobs)
