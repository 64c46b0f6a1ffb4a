"""logchain export: take lines out as evidence that can be checked anywhere."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from logchain.cli.dispvm import dispvm_option, find_disposable, find_qube, private_directory
from logchain.cli.evidence_report import evidence_limits
from logchain.cli.findings import finding_line
from logchain.cli.new_files import Write, new_file
from logchain.cli.options import config_option, store_option
from logchain.cli.progress import Progress
from logchain.cli.selection import check_known, read_selection, selection_options
from logchain.cli.writing import open_to_write, refresh_catalog, take_ledger
from logchain.compress.sealing import seal_now
from logchain.format.encrypted import Encryption
from logchain.format.errors import StoreError, UsageError
from logchain.format.ledger import Export, format_fingerprint
from logchain.format.manifest import Manifest
from logchain.format.recipient import Recipient, parse_recipient
from logchain.format.settings import Settings
from logchain.read.amounts import format_size
from logchain.read.display import escape_text
from logchain.read.evidence import EvidenceReport, check_evidence
from logchain.read.export import Evidence, plan_evidence, unsealed
from logchain.read.selection import Selection
from logchain.read.verify import Verdict
from logchain.store.clock import SystemClock
from logchain.store.closing import being_written, close_written
from logchain.store.configuration import read_settings
from logchain.store.layout import Directory
from logchain.store.ledger import Ledger

__all__ = ["command"]


@click.command("export")
@store_option
@selection_options
@click.option("--output", "path", type=click.Path(path_type=Path), metavar="FILE", help="New file for it.")
@click.option("--encrypt-to", "recipient", metavar="KEY", help="Only who has the secret half can read it.")
@click.option("--to-dispvm", is_flag=True, help="Open it in a disposable; here nothing stays.")
@click.option("--to-qube", is_flag=True, help="Copy it to a qube that dom0 asks for; here nothing stays.")
@dispvm_option
@config_option
def command(
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    since: str | None,
    until: str | None,
    utc: bool,
    path: Path | None,
    recipient: str | None,
    to_dispvm: bool,
    to_qube: bool,
    dispvm: str | None,
    config: str | None,
) -> int:
    """Take lines out as one file that proves what they are, anywhere, to whoever has the store's fingerprint.

    It is a tar: the lines, the sealed blocks that they stand in, and all of the ledger that vouches for these. A README
    in it tells how to check it without logchain; with logchain, 'logchain verify FILE' does. What is not sealed yet is
    sealed first. The ledger gets an entry that says what was taken out. KEY is as 'logchain recipient' shows it.
    """
    if [path is not None, to_dispvm, to_qube].count(True) != 1:
        raise UsageError("where to? Give --output FILE, or --to-dispvm, or --to-qube")
    if dispvm and not to_dispvm:
        raise UsageError("--dispvm goes with --to-dispvm")
    if recipient and to_dispvm:
        raise UsageError("--encrypt-to does not go with --to-dispvm: a disposable has no key to open it with")
    to = parse_recipient(recipient) if recipient else None
    settings = read_settings(config)
    selection = read_selection(vms, wanted, since, until, utc)
    if path:
        if str(path) == "-":
            raise UsageError("--output wants a file: evidence is made to be kept, and checked before it is handed on")
        _export(store, selection, settings, path, to)
        return 0
    destination = find_qube() if to_qube else find_disposable(dispvm or settings.dispvm)
    with private_directory() as directory:
        path = directory / "logchain-evidence.tar"
        _export(store, selection, settings, path, to)
        destination.take(path)
    return 0


def _export(store: str, selection: Selection, settings: Settings, path: Path, to: Recipient | None) -> None:
    with new_file(path) as write:
        made = _make(store, selection, settings, write, to)
    _tell(made, path, to)


class _Made(NamedTuple):
    """What was made: what a check of it finds, its SHA-256 before it was encrypted, its entry, and its bytes."""

    report: EvidenceReport
    digest: bytes
    entry: int
    size: int


def _make(place: str, selection: Selection, settings: Settings, write: Write, to: Recipient | None) -> _Made:
    """Make the file. The ledger is held to seal and to plan, and for the entry: a compressor need not wait for more."""
    clock = SystemClock()
    with open_to_write(place) as store:
        check_known(store, selection)
        names = list(selection.names(store))
        times = _close(store, clock, names, selection)
        with take_ledger(store, clock) as ledger:
            for vm in sorted({found.vm for found in unsealed(store, names, *times)}):
                _seal(store, ledger, clock, settings, vm)
            evidence = plan_evidence(store, names, *times)
        for vm, stream in sorted({*names}.difference(stream[:2] for stream in evidence.index.streams)):
            click.echo(f"{vm}/{stream}: nothing of it is sealed; it is not in the file", err=True)
        try:
            report, digest = _check(evidence, settings)
            with take_ledger(store, clock) as ledger:  # on record before the first byte leaves
                entry = ledger.append(Export(digest, *times, _births(ledger, evidence)))
            size = _write(evidence, digest, write, to)
        except FileNotFoundError as error:
            raise StoreError(
                "something of it was evicted, deleted or forgotten meanwhile: the file was not made; try again"
            ) from error
    return _Made(report, digest, entry.number, size)


def _close(store: Directory, clock: SystemClock, names: list[tuple[str, str]], selection: Selection) -> tuple[int, int]:
    """Have segments closed that are being written, if the range needs them; return the range, up to now at most."""
    since, until, now = selection.since, selection.until, clock.wall()
    busy = being_written(store, [found[:2] for found in unsealed(store, names, since, until)])
    if not busy or since > now:
        return since, until
    for vm, stream in busy:
        click.echo(f"{vm}/{stream}: is being written; what comes from now on is not in it", err=True)
    click.echo("waiting for the collectors to close their segments", err=True)
    close_written(store, busy)
    return since, min(until, now)


def _seal(store: Directory, ledger: Ledger, clock: SystemClock, settings: Settings, vm: str) -> None:
    """Seal what nobody writes of a VM; what cannot be sealed is for `plan_evidence` to refuse."""
    try:
        for _, stream, segment, result in seal_now(store, ledger, clock, settings.store, vm):
            if isinstance(result, Manifest):
                click.echo(f"{vm}/{stream}: segment {segment} is sealed", err=True)
    finally:
        refresh_catalog(store)


def _check(evidence: Evidence, settings: Settings) -> tuple[EvidenceReport, bytes]:
    """Make all of it once, to check it before anything is handed out; return the report and its SHA-256."""
    made = hashlib.sha256()
    chunks = _hashed(evidence.chunks(), made)
    with Progress("checking", evidence.size) as progress:
        report = check_evidence(_Reader(chunks, progress), settings.fingerprint)
    if report.verdict == Verdict.DAMAGED:
        findings = [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]
        for finding in findings:
            click.echo(finding_line(finding), err=True)
        raise StoreError("what is stored proves nothing of that; nothing was taken out. 'logchain verify' tells more")
    if not report.proves:
        raise UsageError(
            "no record of these times is sealed, nor what would prove that none came; nothing was taken out"
        )
    return report, made.digest()


def _hashed(chunks: Iterator[bytes], made: "hashlib._Hash") -> Iterator[bytes]:
    for chunk in chunks:
        made.update(chunk)
        yield chunk


class _Reader:
    """What is made piece by piece, as a file that is read."""

    def __init__(self, chunks: Iterator[bytes], progress: Progress) -> None:
        self._chunks, self._rest, self._progress = chunks, b"", progress

    def __call__(self, size: int) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
        data, self._rest = self._rest[:size], self._rest[size:]
        self._progress.add(len(data))
        return data


def _births(ledger: Ledger, evidence: Evidence) -> tuple[int, ...]:
    streams = [ledger.state.of(stream.stream_id) for stream in evidence.index.streams]
    return tuple(sorted(max(birth for birth, _ in history.births) for history in streams))


def _write(evidence: Evidence, digest: bytes, write: Write, to: Recipient | None) -> int:
    encryption, made, size = Encryption(to) if to else None, hashlib.sha256(), 0
    with Progress("writing", evidence.size) as progress:
        for chunk in _hashed(evidence.chunks(), made):
            data = encryption.take(chunk) if encryption else chunk
            write(data)
            size += len(data)
            progress.add(len(chunk))
    if encryption:
        data = encryption.finish()
        write(data)
        size += len(data)
    if made.digest() != digest:
        raise StoreError("the store changed while lines were taken out: the file was not made; try again")
    return size


def _tell(made: _Made, path: Path, to: Recipient | None) -> None:
    report, count = made.report, len(made.report.streams)
    streams = f"{count} stream{'s' * (count != 1)}"
    click.echo(f"{escape_text(str(path))}  {report.records:,} records of {streams}, {format_size(made.size)}")
    for stream in report.streams:
        lost = [] if stream.named else ["its id was lost: nothing proves these names, so 'verify' cannot tell"]
        for text in [*lost, *evidence_limits(stream)]:
            click.echo(f"  {stream.vm}/{stream.stream}: {text}")
    click.echo(f"Entry {made.entry} of the ledger says so, by its SHA-256{' before it was encrypted' if to else ''}:")
    click.echo(f"  {made.digest.hex()}")
    click.echo("Who gets it needs this store's fingerprint too, by another way than the file:")
    click.echo(f"  {format_fingerprint(report.fingerprint)}")
