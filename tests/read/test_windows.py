"""What several processes print, a window of time each, is what one prints: byte for byte, gaps and all."""

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGKILL

import pytest

from logchain.format.limits import MAX_TIME
from logchain.format.record import LINE, PART
from logchain.read import windows
from logchain.read.accepted import Accepted
from logchain.read.formats import FORMATS
from logchain.read.grep import Pattern
from logchain.read.sealed import digested_manifest
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View
from logchain.read.windows import Printer
from logchain.store.layout import TIERS, open_directory, open_store
from tests.read.archived import Archive
from tests.read.shown import EVERYTHING, select

pytestmark = [
    pytest.mark.usefixtures("unsynced"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),  # pytest's own threads, where it has some
]


def cut(monkeypatch: pytest.MonkeyPatch, store: Archive, count: int = 8) -> None:
    """Have about so many windows, all of one size."""
    size = sum(path.stat().st_size for path in store.path.glob("*/*/*/*.log*"))
    for name in ("_LEAST", "_MOST", "_SEARCHED"):
        monkeypatch.setattr(windows, name, size // count)
    monkeypatch.setattr(windows, "_SHORT", 0)


def fill(store: Archive, chance: random.Random) -> None:
    """Log to three qubes by turns, no two lines in one microsecond: in parts too, and cut ones; seal most of it."""
    part, block = chance.choice([(9, 256), (65_536, 128 << 10)])
    for _ in range(chance.randrange(8, 20)):
        vm = chance.choice(["work", "vault", "net"])
        writer = store.open(vm)
        writer.start_session(os.urandom(8), "logchain.Append")
        for _ in range(chance.randrange(1, 12)):
            store.clock.go(chance.choice([0.25, 1, 3]))
            if chance.random() < 0.8:
                lines = [b"line %d \xc3\xa4 \x1b" % chance.randrange(99) for _ in range(chance.randrange(1, 5))]
                writer.append(LINE, lines, store.clock.wall())
                continue
            for _ in range(chance.randrange(1, 3)):
                writer.append(PART, [b"p" * part], store.clock.wall())
                store.clock.go(1)
            if chance.random() < 0.5:
                writer.append(LINE, [b"end"], store.clock.wall())
        store.clock.go(1)
        writer.end_session("eof", *chance.choice([(b"", 0), (b"half", 4)]))
        store.clock.go(1)
        if chance.random() < 0.6:
            writer.roll("size")
        writer.close()
        store.clock.go(1)
        if chance.random() < 0.5:
            store.seal(vm, block_size=block, tier=chance.choice(TIERS))


def printed(store: Archive, form: str, selection: Selection = EVERYTHING, jobs: int = 3) -> tuple[bytes, int, int]:
    """Return what is printed, how many gaps there are, and how many windows there were."""
    with open_store(store.path) as directory:
        printer = Printer(View(directory), selection, FORMATS[form](None, False))
        printer._jobs = jobs
        return b"".join(printer.print()), printer.gaps, len(printer._windows())


@pytest.mark.parametrize("seed", range(8))
def test_windows_are_as_one(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every format, of any span, searched or not: lines over windows, cut ones, bytes that are escaped."""
    chance = random.Random(seed)
    store = Archive.make(tmp_path / "store")
    fill(store, chance)
    cut(monkeypatch, store)
    with open_store(store.path) as directory:
        times = [entry.time for entry in select(directory, EVERYTHING)]
    spans = [(0, MAX_TIME), *(tuple(sorted(chance.choices(times, k=2))) for _ in range(2))]
    most = 0
    for since, until in spans:
        for pattern in (None, Pattern(rb"line [0-4]"), Pattern(rb"9", invert=True)):
            wanted = Selection(since=since, until=until, pattern=pattern, notes=True)
            for form in ("raw", chance.choice(list(FORMATS))):
                alone, gaps, _ = printed(store, form, wanted, jobs=1)
                text, found, count = printed(store, form, wanted)
                assert text == alone
                assert found == gaps == 0
                most = max(most, count)
    assert most > 3


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A store of two streams with six sealed segments each."""
    store = Archive.make(tmp_path / "store")
    for part in range(6):
        for vm in ("work", "vault"):
            writer = store.open(vm)
            writer.start_session(os.urandom(8), "logchain.Append")
            for number in range(20):
                store.clock.go(1)
                writer.append(LINE, [b"%d: line %d" % (part, number)], store.clock.wall())
            store.clock.go(1)
            writer.end_session("eof", b"", 0)
            writer.roll("size")
            writer.close()
            store.clock.go(1)
            store.seal(vm, tier=".lz4")
    cut(monkeypatch, store)
    return store


def change(store: Archive, number: int) -> None:
    """Change a byte in the middle of a segment's file."""
    text = store.text(number)
    data = bytearray(text.read_bytes())
    data[len(data) // 2] ^= 1
    text.chmod(0o640)
    text.write_bytes(data)


@pytest.mark.parametrize("numbers", [(1,), (3,), (6,), (2, 5)])
def test_a_gap_is_told_once_and_in_its_place(archive: Archive, numbers: tuple[int, ...]) -> None:
    """From the window on in which it is, one process reads all."""
    for number in numbers:
        change(archive, number)
    for form in ("short", "raw"):
        alone = printed(archive, form, jobs=1)
        several = printed(archive, form)
        assert several[:2] == alone[:2]
        assert several[1] == len(numbers)
        assert several[2] > 3
    assert printed(archive, "short")[0].count(b"work/main! segment") == len(numbers)


@pytest.mark.parametrize("accepted", [0, 1, 3])
def test_what_is_not_yet_verified_is_marked_once(archive: Archive, accepted: int) -> None:
    """Of each stream, where that begins: in our own window, or in that of another process."""
    manifests = []
    for vm in ("work", "vault"):
        with open_directory(archive.sealed(vm)) as sealed:
            found = [digested_manifest(sealed, number) for number in range(1, accepted + 1)]
        manifests += [(manifest.stream_id, manifest.segment, digest) for manifest, digest in found]
    with open_store(archive.path) as directory:
        view = View(directory, Accepted.of(9, bytes(32), manifests))
        printer = Printer(view, EVERYTHING, FORMATS["short"](None, False))
        printer._jobs = 3
        assert len(printer._windows()) > 3
        text = b"".join(printer.print())
    assert [line.split(b" ", 2)[2] for line in text.splitlines() if b"not-yet" in line] == [
        b"work/main# not-yet-verified segment=%d" % (accepted + 1),
        b"vault/main# not-yet-verified segment=%d" % (accepted + 1),
    ]


@pytest.mark.parametrize("end", ["killed", "failed", "too much", "never began"])
def test_a_process_that_gives_up_costs_nothing_but_time(
    archive: Archive, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed for want of memory, or met with more than it may hold: what it should have read is read all the same."""
    alone = printed(archive, "raw", jobs=1)[0]
    read, parent = Show.all, os.getpid()

    def worse(show: "Show[bytes]") -> Iterator[Sequence[bytes]]:
        for count, lines in enumerate(read(show)):
            if os.getpid() != parent and count:
                if end == "killed":
                    os.kill(os.getpid(), SIGKILL)
                raise MemoryError
            yield lines

    def no_room() -> int:
        raise BlockingIOError

    if end == "never began":
        monkeypatch.setattr(os, "fork", no_room)
    elif end == "too much":
        monkeypatch.setattr(windows, "_HELD", 100)
    else:
        monkeypatch.setattr(Show, "all", worse)
    assert printed(archive, "raw")[0] == alone


@pytest.mark.parametrize(("load", "jobs"), [(b"1/99", 3), (b"2/99", 2), (b"3/99", 1), (b"40/99", 1), (b"0/1", 4)])
def test_only_what_is_idle_is_used(
    archive: Archive, load: bytes, jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many processes as there are CPUs that nobody else runs on in this moment, and four at most."""
    file = tmp_path / "loadavg"
    file.write_bytes(b"9.99 0.00 0.00 %b 123\n" % load)
    monkeypatch.setattr(windows, "_LOAD", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    with open_store(archive.path) as directory:
        assert Printer(View(directory), EVERYTHING, FORMATS["raw"](None, False))._jobs == jobs


@pytest.mark.parametrize("first", [0, 1 << 30])
def test_others_begin_when_more_than_a_screenful_was_taken(
    archive: Archive, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at the first lines in a pager makes nobody else work; a search, which shows nothing for long, does."""
    monkeypatch.setattr(windows, "_FIRST", first)
    begun: list[int] = []
    monkeypatch.setattr(windows._Worker, "go_on", lambda worker: begun.append(worker._pid))
    for pattern in (None, Pattern(b"line")):
        begun.clear()
        with open_store(archive.path) as directory:
            printer = Printer(View(directory), Selection(pattern=pattern), FORMATS["raw"](None, False))
            printer._jobs = 3
            parts = printer.print()
            next(parts)
            assert len(begun) == (2 if pattern or not first else 0)
            parts.close()  # type: ignore[attr-defined]


def test_no_process_is_left(archive: Archive) -> None:
    """Nor a descriptor, whether all was taken or not."""
    before = os.listdir("/proc/self/fd")
    printed(archive, "short")
    with open_store(archive.path) as directory:
        printing = Printer(View(directory), EVERYTHING, FORMATS["short"](None, False))
        printing._jobs = 3
        parts = printing.print()
        for _ in range(12):
            next(parts)
        parts.close()  # type: ignore[attr-defined]
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_clock_that_was_set_back_leaves_one_window(archive: Archive) -> None:
    """The order of a stream is that of its numbers, and windows have that of times."""
    assert printed(archive, "raw")[2] > 3
    archive.clock.now -= 100_000_000
    archive.log(b"earlier")
    text, _, count = printed(archive, "raw")
    assert count == 1
    assert text.endswith(b"earlier\n") or b"earlier\n" in text
