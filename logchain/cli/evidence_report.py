"""`logchain verify FILE`: what it tells of an evidence file."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from logchain.cli.findings import finding_line
from logchain.cli.progress import Progress
from logchain.cli.table import json_time
from logchain.cli.witness_report import witness_object
from logchain.format.encrypted import ENCRYPTED
from logchain.format.errors import FormatError, UsageError
from logchain.format.limits import MAX_TIME
from logchain.format.record import format_time
from logchain.format.tlog_policy import Policy
from logchain.read.evidence import EvidenceReport, check_evidence
from logchain.read.evidence_stream import EvidenceStream
from logchain.read.verify import Verdict

__all__ = ["evidence_limits", "verify_evidence"]

_DAY = 86_400_000_000  # µs
_LATE = 2 * _DAY  # a segment closes after a day at most, unless the settings say more, and is sealed then
_DAMAGED = "DAMAGED: this file was changed, or was made of something that was. Believe only what is said to be good."
_PROOF = """\
proves   that the store with this fingerprint received these lines, in this order within each stream, at these times by
         its own clock, and that nobody changed them since they were sealed: by then the keys that could were erased.
not      that the lines are true; who controlled the store's machine before they were sealed, or that its clock was
         right; what came before and after where it says so above; that this is the only ledger with this beginning:
         compare entry and SHA-256 with what others, or a witness, have of it."""


def verify_evidence(path: Path, pinned: str | None, policy: Policy | None, *, as_json: bool) -> int:
    """Check an evidence file, and print what that came to; return the exit code. FormatError, UsageError."""
    try:
        with path.open("rb") as file, Progress("verifying", os.fstat(file.fileno()).st_size) as progress:

            def read(size: int) -> bytes:
                data = file.read(size)
                progress.add(len(data))
                return data

            if file.peek(len(ENCRYPTED)).startswith(ENCRYPTED):
                raise UsageError(f"{path} is encrypted: 'logchain decrypt' makes a file of it that can be checked")
            report = check_evidence(read, pinned, policy)
    except FormatError as error:
        raise FormatError(f"{path} is no evidence file that is whole: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return _print_evidence(report, as_json=as_json)


def _print_evidence(report: EvidenceReport, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(_as_json(report)))
        return report.verdict.value
    click.echo(f"evidence of store {report.store_id.hex()}, received {_range(report)}")
    for stream in report.streams:
        claimed = "" if stream.named else "what this file calls "
        click.echo(f"  {claimed}{stream.vm}/{stream.stream}: {_records(stream)}: {_state(report, stream)}")
        for text in evidence_limits(stream):
            click.echo(f"    {text}")
        for finding in stream.findings:
            click.echo(f"    {finding_line(finding)}")
    for finding in report.findings:
        click.echo(f"  {finding_line(finding)}")
    click.echo(_verdict(report))
    for text in _ledger(report):
        click.echo(f"  {text}")
    if report.verdict == Verdict.INTACT:
        click.echo(f"  {_PROOF}".replace("\n", "\n  "))
    return report.verdict.value


def evidence_limits(stream: EvidenceStream) -> Iterator[str]:
    """Yield where a stream's evidence does not reach the ends of the range."""
    if not stream.begins:
        yield f"what came before {_record(stream.first)} is not in it: older records of the range may be missing"
    if not stream.ends:
        yield f"what came behind {_record(stream.last)} is not in it: newer records of the range may be missing"
    if stream.waited > _LATE:
        days = stream.waited // _DAY
        yield f"it was sealed {days:,} days after it came, where one is usual: until then it could be changed"


def _record(number: int | None) -> str:
    return "that" if number is None else f"record {number:,}"


def _time(time: int) -> str:
    return format_time(time).decode()


def _range(report: EvidenceReport) -> str:
    begin = _time(report.since) if report.since else "the beginning"
    return f"from {begin} to {_time(report.until) if report.until < MAX_TIME else 'the end'}"


def _records(stream: EvidenceStream) -> str:
    if stream.first is None or stream.last is None:
        return "nothing was received in these times" if stream.is_whole else "no record of these times is in it"
    times = f"received {_time(stream.first_time)} to {_time(stream.last_time)}"
    return f"{stream.records:,} records good, {stream.first:,} to {stream.last:,}, {times}"


def _state(report: EvidenceReport, stream: EvidenceStream) -> str:
    if stream.damaged:
        return "DAMAGED"
    if not report.pinned:
        return "as this file's own ledger says"
    if not stream.records and not stream.is_whole:
        return "proves nothing"
    return f"intact, as sealed by {_time(stream.sealed_time)} (ledger entry {stream.sealed_entry})"


def _verdict(report: EvidenceReport) -> str:
    if report.verdict == Verdict.DAMAGED:
        return _DAMAGED
    if report.verdict == Verdict.INTACT:
        return "INTACT: every record above is as the store received and sealed it."
    if report.pinned and not report.proves:
        return "CANNOT TELL: there is no record in it, and others may be missing."
    if report.pinned:
        return (
            "CANNOT TELL: the store with this fingerprint received and sealed these records. Of which qube they are,\n"
            "nothing here proves: a name is the word of who made this file."
        )
    return (
        "CANNOT TELL: all of it fits together, but anybody can make such a file. Whose it is, only --fingerprint HEX\n"
        "can tell: you need it from the owner of the store, by another way than this file."
    )


def _ledger(report: EvidenceReport) -> Iterator[str]:
    if not report.entries:
        return
    yield f"ledger   {report.entries:,} entries good, the last of {_time(report.head_time)}, with the SHA-256"
    yield f"         {report.head_digest}"
    if report.checkpoint:
        yield (
            f"         The checkpoint is of {report.checkpoint:,} entries. Its key never changes: by itself it "
            "proves nothing."
        )
    if report.witness and report.witness.time is not None:
        yield f"witness  signed that checkpoint at {_time(report.witness.time * 1_000_000)}: it was there by then"
    elif report.witness:
        yield "witness  NOT WITNESSED: the checkpoint has no cosignature of those that were asked for, or not of enough"


def _as_json(report: EvidenceReport) -> dict[str, object]:
    times = {name: json_time(getattr(report, name)) for name in ("since", "until", "head_time")}
    streams = [
        asdict(stream) | {name: json_time(getattr(stream, name)) for name in ("first_time", "last_time", "sealed_time")}
        for stream in report.streams
    ]
    verdict = report.verdict.name.lower().replace("_", "-")
    found: dict[str, object] = {"store_id": report.store_id.hex(), "verdict": verdict, "streams": streams}
    return asdict(report) | times | found | {"witness": report.witness and witness_object(report.witness)}
