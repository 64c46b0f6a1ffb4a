"""Evidence that lies, made with the real code by who has the store's keys of later, or only a file of it."""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from logchain.cli.evidence_report import evidence_limits
from logchain.format.errors import FormatError
from logchain.format.evidence import INDEX, format_index, parse_index
from logchain.format.ledger import Broken, Restored, Seal
from logchain.format.manifest import Manifest, format_manifest, unverified_manifest
from logchain.format.record import parse_time
from logchain.read.evidence import EvidenceReport
from logchain.read.verify import Verdict
from logchain.store.layout import open_store
from logchain.store.sealer import seal_segment
from tests.export.files import SECOND, Part, check, copied, make, packed, parts, pinned, run_readme, stocked
from tests.read.archived import Archive

WORK = (("work", "journal"),)
PLACE = "evidence/streams/work/journal"
DAY = 86_400  # s


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A store that is only read."""
    return stocked(tmp_path_factory.mktemp("forged") / "store")


def found(report: EvidenceReport) -> list[tuple[bool, str]]:
    """Return what was found of its one stream."""
    (stream,) = report.streams
    return [(finding.damage, finding.text) for finding in stream.findings]


def seal_anew(store: Archive, number: int, change: Callable[[Manifest], Manifest], lie: tuple[bytes, bytes]) -> None:
    """Seal a segment as root in the LogVM can: with the key of now, another text, and what its manifest is to say."""
    directory = store.sealed("work", "journal")
    path, log = directory / f"{number:08}.manifest", directory / f"{number:08}.log"
    manifest = unverified_manifest(path.read_bytes())
    text = log.read_bytes().replace(*lie)
    assert len(text) == manifest.size
    blocks = [
        block._replace(digest=sha256(text[block.offset : block.offset + block.size]).digest())
        for block in manifest.blocks
    ]
    with store.ledger() as (_, ledger):
        note = ledger.sign(format_manifest(change(manifest._replace(blocks=tuple(blocks)))))
        for file, data in ((path, note), (log, text)):
            file.chmod(0o600)
            file.write_bytes(data)
        ledger.append(Seal(manifest.stream_id, number, sha256(note).digest()))


def test_a_segment_that_is_sealed_anew(store: Archive, tmp_path: Path) -> None:
    """A month later with another text: the first seal is in the file, and tells."""
    store = copied(store, tmp_path / "store")
    begin = store.clock.now - 3 * 72 * SECOND
    store.clock.go(30 * DAY)
    seal_anew(store, 2, lambda manifest: manifest, (b"line 3 of 1", b"LIED 3 of 1"))
    forged = make(store, begin + 70 * SECOND, begin + 90 * SECOND, WORK)
    report = check(forged, pinned(store))
    assert report.verdict == Verdict.DAMAGED
    assert found(report) == [(True, "the segment is sealed twice, or out of order: somebody wrote it anew")]
    assert "BAD: streams/work/journal: a segment was sealed twice\n" in run_readme(forged, tmp_path / "there").stdout


def test_a_segment_that_skips_one(store: Archive, tmp_path: Path) -> None:
    """A newest segment whose manifest, signed, names the first as the one before: the seal between is in the file."""
    store = copied(store, tmp_path / "store")
    store.log(b"the last", vm="work", stream="journal")
    store.roll("work", "journal")
    first = unverified_manifest((store.sealed("work", "journal") / "00000001.manifest").read_bytes())
    digest = sha256((store.sealed("work", "journal") / "00000001.manifest").read_bytes()).digest()
    with store.ledger() as (_, ledger):
        ledger.state.of(first.stream_id).previous = digest
        with open_store(store.path) as directory:
            seal_segment(directory, ledger, "work", "journal", 4)
    for number in (2, 3):
        for path in store.sealed("work", "journal").glob(f"{number:08}.*"):
            path.unlink()
    forged = make(store, names=WORK)
    report = check(forged, pinned(store))
    assert report.verdict == Verdict.DAMAGED
    assert found(report)[0] == (True, "the segment was sealed, and is left out")
    assert "journal: a segment was left out, or put there\n" in run_readme(forged, tmp_path / "there").stdout


def test_a_seal_cannot_be_dated_back(store: Archive, tmp_path: Path) -> None:
    """What is made up a year later, with the clock set back, is told as sealed a year later."""
    store = copied(store, tmp_path / "store")
    begin = store.clock.now
    store.clock.go(365 * DAY)
    store.log(b"honest", vm="vault", stream="journal")
    store.roll("vault", "journal")
    store.seal("vault", "journal")
    latest = store.clock.now
    store.clock.now = begin + SECOND
    store.log(b"made up", vm="evil", stream="journal")
    store.roll("evil", "journal")
    store.seal("evil", "journal")
    forged = make(store, names=(("evil", "journal"),))
    report = check(forged, pinned(store))
    (stream,) = report.streams
    assert stream.last_time < begin + 10 * SECOND
    assert latest - SECOND <= stream.sealed_time == report.head_time
    assert [finding.text[:31] for finding in report.findings] == ["the store's clock was set back,"]
    assert any(line.startswith("it was sealed 36") for line in evidence_limits(stream))
    sealed = run_readme(forged, tmp_path / "there").stdout.splitlines()[-2].removeprefix("sealed by: ")
    assert parse_time(sealed.encode()) == stream.sealed_time


def test_what_happened_to_the_stream_is_told(store: Archive, tmp_path: Path) -> None:
    """What the ledger says of it and of the store, up to the last seal: notes, for what is in the file is proven."""
    store = copied(store, tmp_path / "store")
    identity = parse_index(dict(parts(make(store, names=WORK)))[INDEX]).streams[0].stream_id
    with store.ledger() as (_, ledger):
        ledger.append(Broken(identity, 3, "keys"))
        ledger.append(Broken(bytes(32), 3, "keys"))
        ledger.append(Restored(9))
    store.log(b"later", vm="work", stream="journal")
    store.roll("work", "journal")
    store.seal("work", "journal")
    report = check(make(store, names=WORK), pinned(store))
    assert report.verdict == Verdict.INTACT
    assert found(report) == [
        (False, "the stream had to begin anew behind it (keys): what was there was lost or changed")
    ]
    assert [(finding.damage, finding.text) for finding in report.findings] == [
        (False, "the store came back from a backup, 1 time: what it had received since that was made is gone")
    ]


def test_another_name_needs_its_salt(store: Archive) -> None:
    """Without a salt any name could stand there: that is not intact, whatever else holds."""
    files = parts(make(store, names=WORK))
    index = parse_index(dict(files)[INDEX])
    other = format_index(index._replace(streams=(index.streams[0]._replace(vm="vault", salt=None),)))
    forged = [(path.replace("/work/", "/vault/"), other if path == INDEX else data) for path, data in files]
    report = check(packed(forged), pinned(store))
    assert (report.verdict, report.streams[0].named) == (Verdict.CANNOT_TELL, False)
    assert found(report) == [(False, "its id was lost: nothing here proves that these are its names")]


@pytest.mark.parametrize("reach", ["begins", "ends"])
def test_a_clock_that_was_set_back_hides_nothing(tmp_path: Path, reach: str) -> None:
    """Segments beside those in the file may have lines of these times then: that none is missing is not said."""
    store = Archive.make(tmp_path / "store")
    start = store.clock.now
    for step in (0, -1800, 0):  # s
        store.clock.now += step * SECOND
        writer = store.open("work", "journal")
        writer.start_session(b"8 bytes.", "logchain.Append")
        for _ in range(60):
            writer.append(b"-", [b"a line"], store.clock.wall())
            store.clock.go(60)
        writer.end_session("eof", b"", 0)
        writer.roll("size")
        writer.close()
        store.seal("work", "journal")
    manifests = [
        unverified_manifest((store.sealed("work", "journal") / f"{number:08}.manifest").read_bytes())
        for number in (1, 2, 3)
    ]
    assert manifests[1].first_time < manifests[0].last_time
    since, until = start + 50 * 60 * SECOND, start + 55 * 60 * SECOND  # the first two have lines of these
    (stream,) = check(make(store, since, until, WORK), pinned(store)).streams
    assert stream.records > 10
    leave = 1 if reach == "begins" else 2
    for path in store.sealed("work", "journal").glob(f"{leave:08}.*"):
        path.unlink()
    store.log(b"so that the file has entries of then", vm="vault", stream="journal")
    store.roll("vault", "journal")
    store.seal("vault", "journal")
    report = check(make(store, since, until), pinned(store))
    assert not getattr(report.streams[1], reach)
    assert [finding.text for finding in report.findings] == [
        "the store's clock was set back, by 1,800 s at most: what came later can have earlier times"
    ]


def test_silence_that_is_not_proven_is_not_called_so(store: Archive) -> None:
    """A stream with nothing of the range, whose manifests do not reach around it, proves nothing."""
    report = check(make(store, store.clock.now + SECOND, store.clock.now + 2 * SECOND), pinned(store))
    assert not any(stream.is_whole for stream in report.streams)
    assert not report.proves


def without(files: list[Part], *gone: str) -> list[Part]:
    """Return the files but for some, with the text that then stands in the blocks."""
    left = [(path, data) for path, data in files if not path.startswith(gone)]
    text = b"".join(data for path, data in left if path.startswith(f"{PLACE}/0") and not path.endswith(".manifest"))
    return [(path, text if path == f"{PLACE}/text" else data) for path, data in left]


def swapped(files: list[Part]) -> list[Part]:
    """Return the files with the second and third segment under each other's numbers, and the text in that order."""
    names = {"00000002": "00000003", "00000003": "00000002"}

    def other(path: str) -> str:
        number = path.removeprefix(f"{PLACE}/")[:8]
        return path.replace(f"/{number}", f"/{names[number]}") if number in names else path

    return without(sorted((other(path), data) for path, data in files))


LIES: dict[str, Callable[[list[Part]], list[Part]]] = {
    "a block is left out": lambda files: without(files, f"{PLACE}/00000002/000000248"),
    "all blocks of a segment are": lambda files: without(files, f"{PLACE}/00000002/"),
    "a segment is left out": lambda files: without(files, f"{PLACE}/00000002"),
    "segments are in another order": swapped,
    "blocks that no manifest names": lambda files: without(
        sorted([*files, (f"{PLACE}/00000009/000000000", b"2026-11-23T03:46:14.123456Z - made up\n")])
    ),
    "a block more": lambda files: without(
        sorted([*files, (f"{PLACE}/00000002/000000249", b"2026-11-23T03:46:14.123456Z - made up\n")])
    ),
    "a stream without text": lambda files: [*files, ("evidence/streams/evil/journal/00000001.manifest", b"")],
    "a stream without segments": lambda files: without(files, f"{PLACE}/0"),
    "a neighbour is left out": lambda files: without(files, f"{PLACE}/00000001"),
    "another store in the index": lambda files: [
        (path, format_index(parse_index(data)._replace(store_id=bytes(16))) if path == INDEX else data)
        for path, data in files
    ],
    "another key in keys/": lambda files: [
        (path, data.replace(b"M", b"N", 1) if path.endswith("log.pem") else data) for path, data in files
    ],
    "another range in another line": lambda files: [
        (path, b"\n".join([*data.split(b"\n")[:2], b"segment 1 1", *data.split(b"\n")[2:]]) if path == INDEX else data)
        for path, data in files
    ],
}


@pytest.mark.parametrize("lie", LIES)
def test_the_readme_finds_what_is_left_out(store: Archive, tmp_path: Path, lie: str) -> None:
    """Its commands say BAD where lines are left out or put in with all that stands for them; and so does `verify`."""
    forged = packed(LIES[lie](parts(make(store, names=WORK))))
    done = run_readme(forged, tmp_path / "there")
    assert "BAD" in done.stdout
    with suppress(FormatError):
        assert check(forged, pinned(store)).verdict == Verdict.DAMAGED
