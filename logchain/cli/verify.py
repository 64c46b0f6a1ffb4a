"""logchain verify: tell whether what is stored is what was logged."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from logchain.cli.options import json_option, store_option
from logchain.cli.secret_files import read_audit_secret
from logchain.cli.table import json_time
from logchain.format.names import check_vm
from logchain.read.display import escape_text
from logchain.read.findings import Finding
from logchain.read.listing import list_streams
from logchain.read.times import format_local
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.layout import open_store

__all__ = ["command"]

_WARNING = (
    "warning: this store is in use. An audit secret that was in a LogVM is no secret to whoever takes that LogVM "
    "over.\n         Better copy the store to an offline disposable, and verify it there."
)
_VERDICTS = {
    Verdict.INTACT: "INTACT: every record above is as it was received, and none is missing, up to the time shown.",
    Verdict.DAMAGED: "DAMAGED: records are missing or changed. No crash does that: somebody did it, or the disk fails.",
    Verdict.CANNOT_TELL: "CANNOT TELL: ",
}


@click.command("verify")
@store_option
@click.option("--vm", metavar="NAME", help="Check the records of this qube only.")
@click.option(
    "--audit-secret",
    "secret_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check every record with it. Without it only the structure can be checked.",
)
@json_option
def command(store: Path, vm: str | None, secret_file: Path | None, as_json: bool) -> int:
    """Tell whether what is stored is what was logged, and if not, where the first bad record is.

    Exit code 0: intact. 1: damaged. 3: cannot tell. Collectors may go on meanwhile.
    """
    audit = read_audit_secret(secret_file) if secret_file else None
    with open_store(store) as directory:
        rows = list(list_streams(directory))
        if audit and any(row.connected for row in rows):
            click.echo(_WARNING, err=True)
        total = sum(row.size for row in rows if vm in (None, row.vm))
        with _Progress(total) as progress:
            report = verify_store(directory, audit, check_vm(vm) if vm else None, progress.add)
    if as_json:
        click.echo(json.dumps(_as_json(report)))
    else:
        _print(report)
    return report.verdict.value


class _Progress:
    """A line on a terminal's standard error that tells how far we are; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._shown = total or 1, 0, -1
        self._visible = sys.stderr.isatty()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible:
            click.echo("\r\x1b[K", err=True, nl=False)

    def add(self, count: int) -> None:
        """Note that so many more bytes were read."""
        self._done += count
        percent = min(100, 100 * self._done // self._total)
        if self._visible and percent > self._shown:
            self._shown = percent
            click.echo(f"\rverifying: {percent} %", err=True, nl=False)


def _print(report: Report) -> None:
    click.echo(f"store {report.store_id.hex()}")
    for stream in report.streams:
        good = not stream.damaged
        state = ("intact" if report.audited else "not checked against the secret") if good else "DAMAGED"
        upto = f" up to {format_local(stream.time, None)}" if stream.time else ""
        click.echo(f"  {stream.vm}/{stream.stream}: {stream.records:,} records good{upto}: {state}")
        for finding in stream.findings:
            click.echo(f"    {_line(finding)}")
    for finding in report.findings:
        click.echo(f"  {_line(finding)}")
    click.echo(_VERDICTS[report.verdict] + (_why(report) if report.verdict == Verdict.CANNOT_TELL else ""))
    if report.audited:
        click.echo(
            "This cannot tell whether a stream, or the whole store, was put back to an older copy, keys and all."
        )


def _why(report: Report) -> str:
    if not report.audited:
        return "the structure is sound, but only --audit-secret FILE can tell whether records were changed."
    return "there is no record to check; 'logchain list' tells which logs there are."


def _line(finding: Finding) -> str:
    place = [
        f"{word} {value:,}" if word != "segment" else f"{word} {value}"
        for word, value in (("segment", finding.segment), ("record", finding.record), ("byte", finding.offset))
        if value is not None
    ]
    return (
        f"{'BAD ' if finding.damage else 'note'} {', '.join(place)}{': ' if place else ''}{escape_text(finding.text)}"
    )


def _as_json(report: Report) -> dict[str, object]:
    return {
        "store": report.store_id.hex(),
        "verdict": report.verdict.name.lower().replace("_", "-"),
        "audited": report.audited,
        "streams": [asdict(row) | {"time": json_time(row.time)} for row in report.streams],
        "findings": [asdict(finding) for finding in report.findings],
    }
