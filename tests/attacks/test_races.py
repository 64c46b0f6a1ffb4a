"""A hostile process replaces files while verify reads them: it ends, and INTACT is only what it read."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.errors import LogchainError
from logchain.read.verify import Report, Verdict
from tests.attacks.meddling import meddling
from tests.attacks.pinned import Pinned, copy, make_template, session

SAMPLE = int(os.environ.get("RACES", "40"))  # of a few hundred for each file; RACES=100000 tries all of them
FILES = [
    *("format", "births", "ledger/entries", "ledger/checkpoint", "ledger/heads/00000001", "keys/ledger"),
    *("sealed/work/main/00000001.log", "sealed/work/main/00000001.manifest", "sealed/work/main/00000002.log.lz4"),
    *("sealed/work/main/00000003.log.xz", "live/work/main/00000004.log", "live/work/main/00000004.tags"),
    *("live/work/main/ratchet", "live/work/main/id", "live/new/main/00000001.log", "live/new/main/ratchet"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that is attacked."""
    return make_template(tmp_path_factory.mktemp("races") / "store")


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of it."""
    return copy(template, tmp_path / "store")


def essence(report: Report) -> object:
    """Return all that a person is told of a store that is intact: what was good, and what is accepted from now on."""
    streams = [
        (s.vm, s.stream, s.segments, s.records, s.time, s.chained, s.sealed, s.listed, s.unlisted)
        for s in report.streams
    ]
    ledger = report.ledger
    return streams, (ledger.fingerprint, ledger.entries, ledger.head_time, ledger.sealed), report.acceptance


def calls_of(store: Pinned, *, audited: bool) -> list[str]:
    """Return what each call of an undisturbed verify is about, as a path in the store."""
    with meddling() as meddler:
        assert store.report(audited=audited).verdict == Verdict.INTACT
    return [name.removeprefix(f"{store.path}/") for name in meddler.names]


class Replaced:
    """A file of the store, and all that can be put in its place; `back` puts it there again."""

    def __init__(self, path: Path, aside: Path) -> None:
        self.path, self.aside, self.good = path, aside, path.read_bytes()
        self.ways: dict[str, Callable[[], object]] = {
            "another file": self.another,
            "changed in place": self.changed,
            "cut in place": lambda: os.truncate(self.path, len(self.good) // 2),
            "grown in place": self.grown,
            "a FIFO": self.fifo,
            "a link": self.link,
            "gone": self.path.unlink,
            "directory gone": lambda: self.path.parent.rename(self.aside),
        }
        path.chmod(0o600)

    def _bad(self) -> bytes:
        place = len(self.good) // 2
        return self.good[:place] + bytes([self.good[place] ^ 1]) + self.good[place + 1 :]

    def another(self) -> None:
        """Have another file of the name, of the same size."""
        new = self.path.with_name(".between")
        new.write_bytes(self._bad())
        new.rename(self.path)

    def changed(self) -> None:
        """Change a bit of the file that may be open."""
        self.path.write_bytes(self._bad())

    def grown(self) -> None:
        """Have more in it."""
        with self.path.open("ab") as file:
            file.write(b"2026-11-23T12:53:00.000000Z - and more\n" * 999)

    def fifo(self) -> None:
        """Have a FIFO of the name."""
        self.path.unlink()
        os.mkfifo(self.path)

    def link(self) -> None:
        """Have a link of the name, to a file that is not the same."""
        self.another()
        self.path.rename(self.path.with_name(".elsewhere"))
        self.path.symlink_to(".elsewhere")

    def back(self) -> None:
        """Put the good one back, whatever there is."""
        if self.aside.exists():
            self.aside.rename(self.path.parent)
        new = self.path.with_name(".between")
        new.write_bytes(self.good)
        new.rename(self.path)


def look(store: Pinned, *, audited: bool) -> Report | None:
    """Verify; None where it says that it cannot go on."""
    try:
        return store.report(audited=audited)
    except LogchainError as error:
        assert error.exit_code == 3  # noqa: PT017 (an error of ours is allowed, not asked for)
        return None


def holds(report: Report | None, good: Report) -> bool:
    """Tell whether a verdict INTACT is of what was there, or of a beginning of the ledger, and says so."""
    if not report or report.verdict != Verdict.INTACT or essence(report) == essence(good):
        return True
    is_told = any("entries came while this looked" in finding.text for finding in report.findings)
    return is_told and report.ledger.entries < good.ledger.entries


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_replaced_at_any_call(store: Pinned, name: str) -> None:
    """Before each call that is about it, for that call alone, until then, or from then on."""
    if name.startswith("ledger/heads"):
        name = f"ledger/heads/{store.lists()[0].name}"
    chance = random.Random(name)
    for audited in (False, True):
        calls = calls_of(store, audited=audited)
        good = store.report(audited=audited)
        about = [place for place, about in enumerate(calls) if about in (name, str(Path(name).parent))]
        assert about, name
        file = Replaced(store.path / name, store.path.with_name("aside"))
        tries = [(way, place, when) for way in file.ways for place in about for when in ("then", "until", "from")]
        for way, place, when in chance.sample(tries, min(SAMPLE // 2, len(tries))):
            with meddling() as meddler:
                meddler.most = 50 * len(calls)
                if when == "until":
                    file.ways[way]()
                    meddler.plan = {place: file.back}
                elif when == "then":
                    meddler.plan = {place: file.ways[way], place + 1: file.back}
                else:
                    meddler.plan = {place: file.ways[way]}
                report = look(store, audited=audited)
            assert holds(report, good), (way, place, when)
            file.back()
        assert essence(store.report(audited=audited)) == essence(good)


def test_what_comes_while_it_looks_is_left_out(store: Pinned) -> None:
    """What is listed and sealed meanwhile is not counted, nor accepted: nobody looked at it."""
    good = store.report()
    assert good.acceptance
    calls = calls_of(store, audited=False)

    def go_on() -> None:
        session(store, 2)
        store.list_heads()
        store.roll()
        store.seal()

    with meddling() as meddler:
        meddler.plan = {calls.index("live/work/main/00000004.log"): go_on}
        report = store.report()
    assert report.verdict == Verdict.INTACT
    assert report.ledger.entries == good.ledger.entries == len(store.split()) - 3
    assert report.acceptance == good.acceptance
    assert any("3 entries came while this looked" in finding.text for finding in report.findings)
    after = store.report().acceptance
    assert after
    assert len(after.rows) > len(good.acceptance.rows)


@pytest.mark.parametrize("pair", [("live/work", "live/vault"), ("sealed/work", "sealed/vault"), ("ledger", "keys")])
def test_directories_that_are_swapped_at_any_call(store: Pinned, pair: tuple[str, str]) -> None:
    """For one call alone, or from there on."""
    one, two = (store.path / name for name in pair)
    aside = store.path / "aside"

    def swap() -> None:
        one.rename(aside)
        two.rename(one)
        aside.rename(two)

    calls = calls_of(store, audited=False)
    good = store.report()
    tries = [(place, again) for place in range(len(calls)) for again in (1, 5, len(calls))]
    for place, again in random.Random(str(pair)).sample(tries, min(SAMPLE, len(tries))):
        swaps = 0

        def count() -> None:
            nonlocal swaps
            swap()
            swaps += 1

        with meddling() as meddler:
            meddler.most = 50 * len(calls)
            meddler.plan = dict.fromkeys((place, place + again), count)
            report = look(store, audited=False)
        assert holds(report, good), (place, again)
        if swaps % 2:
            swap()


MEDDLE = """
import os, random, sys, time
top, good = sys.argv[1:]
chance = random.Random(7)
files = [name for name in sys.stdin.read().split()]
while True:
    name = chance.choice(files)
    with open(f"{good}/{name}", "rb") as file:
        data = file.read()
    bad = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    for content in (bad, data):
        with open(f"{top}/{name}.new", "wb") as file:
            file.write(content)
        os.rename(f"{top}/{name}.new", f"{top}/{name}")
        time.sleep(chance.random() / 500)
"""


def test_a_process_that_replaces_files_all_the_time(store: Pinned, tmp_path: Path) -> None:
    """A real one, at whatever moment it comes: intact is only what is, and the check comes to its end each time."""
    kept = tmp_path / "kept"
    shutil.copytree(store.path, kept)
    good = store.report()
    names = [name for name in FILES if "heads" not in name]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", MEDDLE, store.path, kept], stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        process.stdin.write("\n".join(names))
        process.stdin.close()
        verdicts = set()
        for _ in range(SAMPLE):
            report = look(store, audited=False)
            verdicts.add(report.verdict if report else Verdict.CANNOT_TELL)
            assert holds(report, good)
        process.kill()
    assert Verdict.DAMAGED in verdicts
