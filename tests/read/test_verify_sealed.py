"""What verify makes of a store that is sealed, compressed and evicted, perhaps in the same moment."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logchain.format.errors import StoreError, WriteFailed
from logchain.format.ledger import Config, fingerprint, open_genesis, split_entries
from logchain.format.record import LINE
from logchain.format.settings import Settings, VmSettings
from logchain.read import verify_jobs
from logchain.read import verify_store as checking
from logchain.read.findings import Finding
from logchain.read.selection import EVERYTHING, Selection
from logchain.read.verify import Report, Verdict, verify_store
from logchain.read.verify_heads import Line, Prefix
from logchain.store.layout import open_store
from tests.read.archived import Archive

ROOT = Path(__file__).parents[2]

VAULT = Selection(vms=("vault",))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three sealed segments, and an open one that was listed; another VM with one sealed, one open."""
    store = Archive.make(tmp_path / "store")
    for part in range(3):
        store.log(b"line of part %d" % part)
        store.roll()
        store.clock.go(1)
    store.seal()
    store.log(b"line of an open one")
    store.log(b"another", vm="vault")
    store.roll("vault")
    store.seal("vault", tier=".xz")
    store.log(b"open there", vm="vault")
    store.log(b"never sealed", vm="lone")
    store.list_heads()
    return store


def pinned(store: Archive) -> str:
    """Return the store's fingerprint."""
    entries, _ = split_entries((store.path / "ledger" / "entries").read_bytes())
    return fingerprint(open_genesis(entries[0])[1].key)


def verify(store: Archive, *, pin: bool = True, audit: bool = False, **more: Any) -> Report:
    """Verify the store."""
    with open_store(store.path) as directory:
        return verify_store(
            directory, store.audit if audit else None, fingerprint=pinned(store) if pin else None, **more
        )


def findings(report: Report) -> list[Finding]:
    """Return all findings."""
    return [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]


def bad(report: Report) -> list[str]:
    """Return the damage."""
    return [finding.text for finding in findings(report) if finding.damage]


def test_each_layer_says_what_it_checked(archive: Archive) -> None:
    """Counts of what is sealed, listed, and neither; chained with the secret."""
    archive.log(b"behind the last list")
    report = verify(archive)
    assert report.verdict == Verdict.INTACT
    by_vm = {stream.vm: stream for stream in report.streams}
    assert by_vm["work"].sealed == archive.state().first
    assert (by_vm["work"].listed, by_vm["work"].unlisted) == (4, 3)
    assert (by_vm["vault"].listed, by_vm["vault"].unlisted) == (4, 0)
    assert (by_vm["lone"].listed, by_vm["lone"].sealed) == (4, 0)
    assert by_vm["work"].records == archive.state().next_number
    assert report.chained == 0
    assert (report.ledger.sealed, report.ledger.key) == (4, "next")
    audited = verify(archive, audit=True)
    assert audited.verdict == Verdict.INTACT
    assert audited.chained == audited.records == report.records


def test_the_verdict_by_what_is_at_hand(archive: Archive) -> None:
    """The secret alone carries one as long as nothing went on purpose; the fingerprint always."""
    hands = [(False, False), (False, True), (True, False), (True, True)]
    told = [verify(archive, pin=pin, audit=audit).verdict for pin, audit in hands]
    assert told == [Verdict.CANNOT_TELL, Verdict.INTACT, Verdict.INTACT, Verdict.INTACT]
    archive.evict(1, 2)
    told = [verify(archive, pin=pin, audit=audit).verdict for pin, audit in hands]
    assert told == [Verdict.CANNOT_TELL, Verdict.CANNOT_TELL, Verdict.INTACT, Verdict.INTACT]


def test_with_nothing_sealed_or_listed_the_fingerprint_cannot_tell(tmp_path: Path) -> None:
    """A store of this morning."""
    store = Archive.make(tmp_path / "store")
    assert verify(store).verdict == Verdict.CANNOT_TELL
    store.log(b"first")
    assert verify(store).verdict == Verdict.CANNOT_TELL
    assert verify(store, audit=True).verdict == Verdict.INTACT
    store.list_heads()
    assert verify(store).verdict == Verdict.INTACT


def test_a_birth_whose_segments_went_is_accounted_for(archive: Archive) -> None:
    """By its entry, whatever is left of the stream; a birth whose first segment is there has to be shown by that."""
    archive.evict(1, 2, 3)
    archive.roll()
    archive.seal()
    archive.evict(4)
    for audit in (False, True):
        assert verify(archive, audit=audit).verdict == Verdict.INTACT
        assert verify(archive, audit=audit, wanted=Selection(vms=("work",))).verdict in (
            Verdict.CANNOT_TELL,
            Verdict.INTACT,
        )
    archive.forget()
    for audit in (False, True):
        assert verify(archive, audit=audit).verdict == Verdict.INTACT
    assert [stream.vm for stream in verify(archive).streams] == ["lone", "vault"]


def test_several_processes_find_the_same(archive: Archive) -> None:
    """In the same order, damage included."""
    archive.compress(".lz4")
    path = archive.text(2)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-20])
    for audit in (False, True):
        one, four = (verify(archive, audit=audit, jobs=jobs) for jobs in (1, 4))
        assert one == four
        assert bad(one)


def test_progress_counts_what_list_shows(archive: Archive) -> None:
    """Bytes of text, sealed or not, in one process or more."""
    from logchain.read.listing import list_streams

    with open_store(archive.path) as directory:
        size = sum(row.size for row in list_streams(directory))
        for jobs in (1, 2):
            counted: list[int] = []
            verify_store(directory, None, EVERYTHING, counted.append, jobs=jobs)
            assert sum(counted) == size


def test_one_vm_is_checked_and_nothing_may_be_missing(archive: Archive) -> None:
    """Contents of one, presence of all."""
    report = verify(archive, wanted=VAULT, audit=True)
    assert report.verdict == Verdict.INTACT
    assert [stream.vm for stream in report.streams] == ["vault"]
    path = archive.text(1)
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(bytes(len(data)))
    assert not bad(verify(archive, wanted=VAULT))
    path.unlink()
    assert bad(verify(archive, wanted=VAULT)) == ["work/main: the text is missing"]
    shutil.rmtree(archive.sealed())
    assert len(bad(verify(archive, wanted=VAULT))) == 3


# what happens while verify looks


Action = Callable[[Archive], object]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch, archive: Archive) -> Callable[[Action], None]:
    """Do something between the plan of all checks and the checks."""

    def arrange(action: Action) -> None:
        real = verify_jobs.run_tasks

        def late(*arguments: Any) -> Iterator[Any]:
            action(archive)
            return real(*arguments)

        monkeypatch.setattr(checking, "run_tasks", late)

    return arrange


def _seal_all(store: Archive) -> None:
    store.roll()
    store.seal(tier=".lz4")
    store.log(b"and on")
    store.roll()
    store.seal()
    store.list_heads()


def _go_on(store: Archive) -> None:
    store.log(b"more")
    store.list_heads()


def _newborn(store: Archive) -> None:
    store.log(b"newborn", vm="newborn")
    store.list_heads()
    store.roll("newborn")
    store.seal("newborn")
    _seal_all(store)  # so that the ledger is looked at again


def _seal_and_evict(store: Archive) -> None:
    _seal_all(store)
    store.compress(".xz")
    store.evict(1, 2, 3, 4, 5)


def _forget_and_go_on(store: Archive) -> None:
    store.forget()
    store.log(b"anew")


ACTIONS: list[Action] = [
    _go_on,
    _seal_all,
    _newborn,
    _seal_and_evict,
    _forget_and_go_on,
    lambda store: store.evict(1, 2),
    lambda store: store.delete(3),
    lambda store: store.compress(".lz4"),
    lambda store: store.compress(".xz"),
    lambda store: store.forget(),
    lambda store: store.forget("lone"),
    lambda store: store.forget("vault"),
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("audit", [False, True])
def test_what_a_compressor_does_meanwhile_is_no_alarm(
    archive: Archive, between: Callable[[Action], None], action: Action, audit: bool
) -> None:
    """Sealed, compressed, evicted, forgotten, while it is looked for."""
    between(action)
    report = verify(archive, audit=audit)
    assert not bad(report)
    assert report.verdict == Verdict.INTACT


@pytest.mark.parametrize("left", [[], ["lock"]])
@pytest.mark.parametrize("forgotten", [True, False])
def test_the_last_moment_of_a_stream_is_no_alarm_unless_it_should_be_there(
    archive: Archive, between: Callable[[Action], None], left: list[str], forgotten: bool
) -> None:
    """A directory with nothing in it but a lock is gone a moment later: its id was not there to be read."""
    live = archive.directory("lone")
    if forgotten:
        archive.forget("lone")
    else:
        shutil.rmtree(live)
    live.mkdir(parents=True)
    for name in left:
        (live / name).touch()
    between(lambda _: shutil.rmtree(live.parent))
    assert bool(bad(verify(archive))) != forgotten


def test_what_moved_is_checked_where_it_is(archive: Archive, between: Callable[[Action], None]) -> None:
    """And a change in it is found there."""
    archive.log(b"a line to change")

    def seal_and_change(store: Archive) -> None:
        store.roll()
        store.seal()
        path = store.text(4)
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(b"to change", b"to chance"))

    between(seal_and_change)
    report = verify(archive)
    (text,) = bad(report)
    assert text.endswith("the text was changed, or is not all there")


def test_a_busy_store_is_never_damaged(tmp_path: Path) -> None:
    """Another process seals, compresses, evicts and forgets as fast as it can, for a few seconds."""
    store = Archive.make(tmp_path / "store")
    store.log(b"first")
    store.list_heads()
    code = "from tests.read.busy import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, str(store.path), "4"], cwd=ROOT) as process:
        looks = 0
        while process.poll() is None:
            report = verify(store, audit=looks % 2 == 0)
            assert not bad(report)
            assert report.ledger.pinned
            looks += 1
    assert process.returncode == 0
    assert looks > 3
    assert verify(store, audit=True).verdict == Verdict.INTACT


# streams with a history


def test_a_segment_that_was_given_up_is_accounted_for_when_it_is_sealed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the next segment is held against the key behind the last record of the sealed one."""
    writer = archive.open()
    writer.start_session(os.urandom(8), "logchain.Append")
    writer.commit()
    writer.append(LINE, [b"lost"], archive.clock.wall())

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        with pytest.raises(WriteFailed):
            writer.commit()
        writer.abandon()
    archive.log(b"goes on")
    archive.roll()
    archive.seal()
    archive.list_heads()
    for audit in (False, True):
        report = verify(archive, audit=audit)
        assert report.verdict == Verdict.INTACT, bad(report)
        assert "the disk refused a write: the segment ends early" in [found.text for found in findings(report)]


def test_a_stream_that_began_anew_stays_damaged_when_it_is_sealed(archive: Archive) -> None:
    """By its keys, and by its id; and nothing else is said of the segments that are good."""
    (archive.directory() / "ratchet").unlink()
    archive.log(b"under a new birth")
    archive.roll()
    archive.seal()
    for audit in (False, True):
        assert bad(verify(archive, audit=audit)) == [
            "the stream had to begin anew (keys): what was before was lost or changed"
        ]
    (archive.directory() / "id").unlink()
    archive.log(b"under a new id")
    archive.roll()
    archive.seal()
    for audit in (False, True):
        assert "the stream had to begin anew (id): what was before was lost or changed" in bad(
            verify(archive, audit=audit)
        )


def test_a_store_that_may_not_be_read_is_an_error(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict: whoever asks has to be allowed to."""
    real = os.open

    def refuse(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "00000002.manifest":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="run this as a user who may"):
        verify(archive)


def test_a_key_that_may_not_be_read_is_said(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not the compressor's user can verify all the same."""
    real = os.open

    def refuse(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "keys":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    report = verify(archive)
    assert (report.verdict, report.ledger.key) == (Verdict.INTACT, "unreadable")


def test_a_failing_disk_is_damage_and_no_end_of_the_check(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO in one text; the others are checked."""
    real, bad_file = os.pread, os.stat(archive.text(2)).st_ino

    def refuse(fd: int, *arguments: Any) -> bytes:
        if os.fstat(fd).st_ino == bad_file:
            raise OSError(5, "Input/output error")
        return real(fd, *arguments)

    monkeypatch.setattr(os, "pread", refuse)
    report = verify(archive)
    (finding,) = [finding for finding in findings(report) if finding.damage]
    assert (finding.segment, "Input/output error" in finding.text) == (2, True)


def test_a_large_segment_is_held_against_its_lists(tmp_path: Path) -> None:
    """Text is hashed for blocks and lists at once, in a thread; only lists find a change before the seal."""
    store = Archive.make(tmp_path / "store")
    for _ in range(5):
        store.log(*[os.urandom(500).hex().encode() for _ in range(1500)])
        store.list_heads()
    store.roll()
    path = store.directory() / "00000001.log"
    data = bytearray(path.read_bytes())
    assert len(data) > 7 << 20
    place = len(data) // 2
    data[place] ^= 1 if data[place] != 0x0B else 2
    good = path.read_bytes()
    for text, words in ((good, []), (bytes(data), ["are not what was listed"])):
        copy = Archive(tmp_path / f"copy{len(words)}", store.audit, store.clock)
        shutil.copytree(store.path, copy.path)
        (copy.directory() / "00000001.log").write_bytes(text)
        copy.seal(block_size=256 << 10)
        found = bad(verify(copy))
        assert len(found) == len(words)
        assert all(word in text for text, word in zip(found, words, strict=True))


def test_a_prefix_is_held_against_every_line() -> None:
    """At each size, however the text comes; the first that does not fit ends it."""
    from hashlib import sha256

    text = os.urandom(1000)
    lines = [
        Line(number, 0, 1, size, b"", sha256(text[:size]).digest()) for number, size in enumerate((1, 300, 300, 999))
    ]
    for step in (1, 7, 300, 1000):
        prefix = Prefix(lines)
        for start in range(0, len(text), step):
            prefix.feed(text[start : start + step])
        assert prefix.finish() is None
        assert prefix.good == lines[-1]
    short = Prefix(lines)
    short.feed(text[:500])
    assert short.finish() == lines[-1]
    assert short.good == lines[2]
    wrong = Prefix([lines[0], lines[1]._replace(digest=bytes(32)), lines[3]])
    wrong.feed(text)
    assert wrong.finish() == lines[1]._replace(digest=bytes(32))
    assert wrong.good == lines[0]


def test_evictions_younger_than_asked_for_are_listed(archive: Archive) -> None:
    """By the LogVM's running time between seal and eviction."""
    archive.clock.go(3_600)
    archive.evict(1, 2)
    archive.clock.go(7_200)
    archive.delete(3)

    def young(seconds: int) -> list[str]:
        return [finding.text for finding in findings(verify(archive, settings=_keeping(seconds))) if not finding.damage]

    assert young(3_600) == []
    assert young(3_610) == ["2 segments from 1 on of work/main were evicted (quota) within 60 minutes"]
    assert len(young(4 * 3_600)) == 2


def test_clocks_that_contradict_each_other_are_told(archive: Archive) -> None:
    """Running time that leaps, and a head from a time to come: no damage, for clocks are set."""

    def told() -> list[str]:
        found = [finding for finding in findings(verify(archive)) if "clock" in finding.text]
        assert not [finding for finding in found if finding.damage]
        return [finding.text for finding in found]

    assert told() == []
    archive.clock.now -= 10 * 86_400_000_000
    with archive.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    assert told() == ["the running time grew by 10 days more than the clock: it was set back, or this was made up"]
    archive.clock.now += 4_000 * 86_400_000_000
    with archive.ledger() as (_, ledger):
        ledger.append(Config(bytes(32)))
    assert told()[1:] == ["the last entry is of a time to come, by the clock here"]


def _keeping(seconds: int) -> Settings:
    return Settings(each_vm=VmSettings(keep_at_least=seconds), disposables=VmSettings(keep_at_least=1))


def test_each_vm_is_kept_as_its_settings_say(archive: Archive) -> None:
    """What another VM keeps longer does not count; of a stream that nobody knows the name of, the longest does."""
    archive.clock.go(3_600)
    archive.evict(1)
    settings = Settings(each_vm=VmSettings(keep_at_least=7_200), vms={"work": VmSettings(keep_at_least=60)})
    assert not [finding for finding in findings(verify(archive, settings=settings)) if "evicted" in finding.text]
    settings = settings._replace(vms={})
    assert [finding for finding in findings(verify(archive, settings=settings)) if "evicted" in finding.text]


def test_a_ledger_of_hundreds_of_entries_takes_a_moment(archive: Archive) -> None:
    """About a tenth of a millisecond an entry."""
    with archive.ledger() as (_, ledger):
        for _ in range(200):
            ledger.append(Config(bytes(32)))
    began = time.monotonic()
    assert verify(archive).ledger.entries > 200
    assert time.monotonic() - began < 3
