"""What `logchain verify --segment-key` tells."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from logchain.cli.findings import DAMAGED, finding_line
from logchain.cli.table import json_time
from logchain.read.findings import SegmentReport
from logchain.read.times import format_local
from logchain.read.verify import Verdict

__all__ = ["print_segments"]


def print_segments(reports: Sequence[SegmentReport], *, as_json: bool) -> int:
    """Print what the checks of segments came to; return the exit code."""
    verdict = _verdict(reports)
    if as_json:
        rows = [asdict(report) | {"time": json_time(report.time)} for report in reports]
        click.echo(json.dumps({"verdict": verdict.word, "segments": rows}))
        return verdict.value
    for report in reports:
        click.echo(f"{report.vm}/{report.stream}, segment {report.segment}: {_records(report)}: {_state(report)}")
        for finding in report.findings:
            click.echo(f"  {finding_line(finding)}")
    click.echo(
        {
            Verdict.DAMAGED: DAMAGED,
            Verdict.CANNOT_TELL: "CANNOT TELL: what is there is as it was received, but more of it may have been.",
            Verdict.INTACT: "INTACT: every record of what was asked for is as it was received, and none is missing.",
        }[verdict]
    )
    click.echo("  Nothing else was checked: neither the ledger, nor the segments around.")
    return verdict.value


def _verdict(reports: Iterable[SegmentReport]) -> Verdict:
    if any(report.damaged for report in reports):
        return Verdict.DAMAGED
    return Verdict.INTACT if all(report.ended for report in reports) else Verdict.CANNOT_TELL


def _records(report: SegmentReport) -> str:
    if not report.records or report.first is None:
        return "no record good"
    last = report.first + report.records - 1
    return f"records {report.first:,} to {last:,} good, the last of {format_local(report.time, None)}"


def _state(report: SegmentReport) -> str:
    return "DAMAGED" if report.damaged else "intact" if report.ended else "intact so far"
