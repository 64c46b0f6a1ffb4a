"""Checks one segment with the key that the vault handed out for it (docs/spec/segment-key.md), and nothing else.

So it works on a copy of which the rest is missing. Neither ledger nor signature is asked: who has no key can no more
make up a record than with the audit secret at hand.
"""

from collections.abc import Callable

from logchain.format.errors import FormatError, SecretError, StoreError
from logchain.format.segment_key import SegmentKey
from logchain.read.findings import Finding, SegmentReport
from logchain.read.live import read_store_id
from logchain.read.sealed import peek
from logchain.read.segments import StreamFiles, all_streams, open_stream_files
from logchain.read.verify_jobs import Checker
from logchain.read.verify_keys import GivenKey
from logchain.read.verify_live import LiveTask
from logchain.read.verify_records import SegmentCheck
from logchain.read.verify_sealed import SealedTask
from logchain.store.layout import Directory

__all__ = ["verify_segment"]


def verify_segment(
    store: Directory, key: SegmentKey, progress: Callable[[int], None] = lambda _: None
) -> SegmentReport:
    """Check a segment, sealed or not, record by record. `progress` is told the bytes of text as they are read.

    Raises SecretError where the key is of another store, StoreError where the segment is not here.
    """
    if key.store_id != read_store_id(store):
        raise SecretError("this segment key belongs to another store, or the store's id was changed")
    checker = Checker(store, GivenKey(key))
    for vm, stream in all_streams(store):
        with open_stream_files(store, vm, stream) as files:
            if not _is_in(files, key):
                continue
            is_sealed, numbers = key.segment in files.sealed_numbers(), files.numbers()
        if is_sealed:
            check = checker.check_sealed(
                SealedTask(vm, stream, key.segment, key.store_id, key.stream_id, None, key.birth)
            )
            progress(check.size)
        else:
            others = frozenset(numbers) - {key.segment}
            task = LiveTask(vm, stream, key.store_id, gone=others, births=((1, key.birth),))
            checks = checker.check_live(task, progress).segments
            if not checks:
                raise StoreError(f"segment {key.segment} of {vm}/{stream} was never committed: it cannot be checked")
            (check,) = checks
        return _report(vm, stream, check)
    raise StoreError(f"segment {key.segment} of stream {key.stream_id.hex()} is not here")


def _is_in(files: StreamFiles, key: SegmentKey) -> bool:
    """Tell whether a stream has the segment: by its id, or, where that is missing, by the segment's manifest."""
    if key.segment not in files.numbers():
        return False
    stream_id = files.try_stream_id()
    if not stream_id and files.sealed:
        try:
            stream_id = peek(files.sealed, key.segment).stream_id
        except (FileNotFoundError, FormatError):
            return False
    return stream_id == key.stream_id


def _report(vm: str, stream: str, check: SegmentCheck) -> SegmentReport:
    report = SegmentReport(vm, stream, check.number, check.chained, check.first, check.time, check.ended)
    report.findings += check.findings
    if check.damage:
        record = None if check.first is None else check.first + check.damage.index
        report.findings.append(Finding(True, check.damage.text, check.number, record, check.damage.offset))
    elif not check.ended and not report.damaged:
        text = "it has no end so far: whether records are missing behind the last one, its key cannot tell"
        report.findings.append(Finding(False, text, check.number))
    return report
