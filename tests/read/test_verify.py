"""What verify can say without the secret, and how it accounts for what the writer had to go through."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logchain.format.audit import AuditSecret
from logchain.format.errors import SecretError, StoreError
from logchain.format.identity import format_stream
from logchain.format.record import LINE
from logchain.read.listing import list_streams
from logchain.read.selection import Selection
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import Directory, open_store
from logchain.store.opening import open_stream


@pytest.fixture
def audit(tmp_path: Path) -> AuditSecret:
    """The audit secret of an empty store."""
    audit, seed = new_secrets()
    create_store(tmp_path / "store", seed, SystemClock())
    return audit


@pytest.fixture
def store(tmp_path: Path, audit: AuditSecret) -> Iterator[Directory]:  # noqa: ARG001 (it makes the store)
    """That store."""
    with open_store(tmp_path / "store") as directory:
        yield directory


def _log(store: Directory, vm: str = "work", *, roll: bool = False) -> None:
    clock = SystemClock()
    writer = open_stream(store, vm, "main", clock)
    writer.start_session(os.urandom(8), "logchain.Append")
    writer.append(LINE, [b"one", b"two"], clock.wall())
    writer.end_session("eof", b"", 0)
    if roll:
        writer.roll("size")
    writer.close()


def _told(report: Report) -> list[str]:
    return [finding.text for stream in report.streams for finding in stream.findings] + [
        finding.text for finding in report.findings
    ]


def test_without_the_secret_it_cannot_tell(store: Directory) -> None:
    """Sound structure is never called intact."""
    _log(store, roll=True)
    _log(store)
    report = verify_store(store)
    assert report.verdict == Verdict.CANNOT_TELL
    assert not _told(report)
    assert report.streams[0].records == 11
    assert report.streams[0].segments == 2


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("00000001.log", b"two\n", b"two", "was changed"),
        ("00000001.log", b" - one", b" = one", "not a record"),
        ("00000001.log", b" - two", b" # TWO", "without an event"),
        ("00000001.log", b"number=1", b"number=2", "not this segment's"),
        ("00000001.log", b"vm=work", b"vm=vork", "not this segment's"),
        ("00000001.log", b"first=0", b"first=x", "without a number"),
        ("00000002.log", b"first=6", b"first=7", "records before it are missing"),
        ("00000002.log", b"previous=", b"previous=0", "was changed"),
        ("00000001.log", b"# end", b"- end", "has no end"),
    ],
)
def test_broken_structure_is_damage_even_without_the_secret(
    store: Directory, name: str, old: bytes, new: bytes, told: str
) -> None:
    """What nobody's collector writes is evidence, whoever looks."""
    _log(store, roll=True)
    _log(store)
    path = Path(store.path) / "live" / "work" / "main" / name
    good = path.read_bytes()
    assert old in good
    path.write_bytes(good.replace(old, new, 1))
    report = verify_store(store)
    assert report.verdict == Verdict.DAMAGED
    assert told in _told(report)[0]


def test_a_time_that_goes_back_is_damage(store: Directory) -> None:
    """Within a segment it never does."""
    _log(store)
    path = Path(store.path) / "live" / "work" / "main" / "00000001.log"
    head, second, *rest = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([head, b"1999" + second[4:], *rest]))
    assert "the time goes back" in _told(verify_store(store))


def test_one_vm_is_checked_but_all_births_are_accounted_for(store: Directory, audit: AuditSecret) -> None:
    """`--vm` reads one qube's records; a removed stream of another is still found."""
    _log(store)
    _log(store, "vault")
    report = verify_store(store, audit, Selection(vms=("work",)))
    assert report.verdict == Verdict.INTACT
    assert [stream.vm for stream in report.streams] == ["work"]
    Path(store.path, "live", "vault").rename(Path(store.path).parent / "gone")
    assert "births are missing" in _told(verify_store(store, audit, Selection(vms=("work",))))[0]


def test_a_qube_that_never_logged_cannot_be_judged(store: Directory, audit: AuditSecret) -> None:
    """Nothing to check is no good news."""
    _log(store)
    assert verify_store(store, audit, Selection(vms=("nobody",))).verdict == Verdict.CANNOT_TELL


def test_another_stores_secret_is_refused(store: Directory) -> None:
    """It could only cry wolf."""
    with pytest.raises(SecretError):
        verify_store(store, new_secrets()[0])


@pytest.mark.parametrize("data", [None, b"", b"logchain store v2\n", bytes(5000)])
def test_no_store_is_an_error(store: Directory, data: bytes | None) -> None:
    """Neither good nor bad: cannot tell."""
    path = Path(store.path) / "format"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StoreError):
        verify_store(store)


def test_what_is_not_committed_is_told_and_not_counted(store: Directory, audit: AuditSecret) -> None:
    """A torn write is no damage, and no record."""
    _log(store)
    before = verify_store(store, audit).streams[0].records
    for name in ("00000001.log", "00000001.tags"):
        with Path(store.path, "live", "work", "main", name).open("ab") as file:
            file.write(b"torn")
    report = verify_store(store, audit)
    assert report.verdict == Verdict.INTACT
    assert report.streams[0].records == before
    assert "4 bytes were not committed" in _told(report)[0]


def test_a_segment_that_was_never_committed_is_told(store: Directory, audit: AuditSecret) -> None:
    """A file beyond the key state counts for nothing."""
    _log(store)
    Path(store.path, "live", "work", "main", "00000007.log").write_bytes(b"2026-11-23T03:45:01.123456Z - forged\n")
    report = verify_store(store, audit)
    assert report.verdict == Verdict.INTACT
    assert _told(report) == ["segment 7 was never committed"]


def test_a_birth_that_was_cut_short_is_nothing(store: Directory, audit: AuditSecret) -> None:
    """A directory with a lock, or an id, and no key state: a crash leaves that."""
    _log(store)
    newborn = Path(store.path, "live", "newborn", "main")
    newborn.mkdir(parents=True)
    for name, data in (("lock", b""), ("id", format_stream(bytes(32), "newborn", "main"))):
        (newborn / name).write_bytes(data)
        assert verify_store(store, audit).verdict == Verdict.INTACT
        assert not _told(verify_store(store, audit))


def test_progress_counts_the_bytes_of_text(store: Directory) -> None:
    """What it is told adds up to what `list` shows."""
    _log(store, roll=True)
    _log(store)
    counted: list[int] = []
    verify_store(store, progress=counted.append)
    (row,) = list_streams(store)
    assert sum(counted) == row.size


def test_a_listing_survives_what_it_cannot_read(store: Directory) -> None:
    """A damaged stream has a row that says so, and the others theirs."""
    for vm in ("a", "b", "c"):
        _log(store, vm)
    Path(store.path, "live", "a", "main", "ratchet").write_bytes(bytes(8192))
    Path(store.path, "live", "b", "main", "ratchet").unlink()
    assert [(row.vm, row.state) for row in list_streams(store)] == [("a", "damaged"), ("b", "damaged"), ("c", "open")]
