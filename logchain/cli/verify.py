"""logchain verify: tell whether what is stored is what was logged."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from logchain.cli.evidence_report import verify_evidence
from logchain.cli.findings import DAMAGED, finding_line
from logchain.cli.options import config_option, json_option, store_option
from logchain.cli.progress import Progress
from logchain.cli.secret_files import read_audit_secret, read_segment_key
from logchain.cli.segment_report import print_segments
from logchain.cli.selection import read_selection, stream_option, vm_option
from logchain.cli.table import json_time
from logchain.cli.witness_report import witness_lines, witness_object, witness_policy
from logchain.format.errors import UsageError
from logchain.format.ledger import parse_fingerprint
from logchain.read.accepted import Accepted, read_accepted, write_accepted
from logchain.read.display import escape_text
from logchain.read.findings import StreamReport
from logchain.read.listing import list_streams
from logchain.read.live import read_store_id
from logchain.read.times import format_local
from logchain.read.verify import Report, Verdict, verify_store
from logchain.read.verify_segment import verify_segment
from logchain.store.configuration import read_settings
from logchain.store.layout import open_store

__all__ = ["command"]

_WARNING = (
    "warning: this store is in use. An audit secret that was in a LogVM is no secret to whoever takes that LogVM "
    "over.\n         Better copy the store to an offline disposable, and verify it there."
)
_KEYS = {
    "next": "The key in keys/ is the one that the last entry names: with that key, no entry was cut off behind it.",
    "pending": "The key in keys/ is one entry ahead: a crash; the next start appends that entry.",
    "other": "The key in keys/ is not the one that the last entry names.",
    "unreadable": "You may not read the key in keys/: whether entries were cut off the end was not asked.",
    "none": "No key in keys/ to compare with: whether entries were cut off the end was not asked.",
}


@click.command("verify")
@click.argument("evidence", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@store_option
@vm_option
@stream_option
@click.option(
    "--fingerprint",
    metavar="HEX",
    help="The store's, as 'logchain init' showed it: what is sealed, or was listed while it was open, is checked with "
    "it. (default: that of [verify] in the settings)",
)
@click.option(
    "--witness",
    metavar="VKEY",
    help="The public key of a witness: tell how far it signed the ledger. (default: that of [witness] in the settings)",
)
@click.option(
    "--witness-policy",
    "policy_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Whose signatures are asked for, and how many, as C2SP's tlog-policy has it.",
)
@click.option(
    "--audit-secret",
    "secret_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check every record with it, one by one.",
)
@click.option(
    "--segment-key",
    "key_files",
    type=click.Path(path_type=Path),
    metavar="FILE",
    multiple=True,
    help="Check only the records of the segment that this key of 'logchain audit-key' is for (may be given again).",
)
@click.option(
    "--restored",
    type=click.IntRange(min=0),
    metavar="N",
    help="How often the store was brought back from a backup, as you know yourself. (default: that of [verify] in the "
    "settings, or 0)",
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Processes.")
@config_option
@json_option
def command(
    evidence: Path | None,
    store: str,
    vms: tuple[str, ...],
    wanted: tuple[str, ...],
    fingerprint: str | None,
    witness: str | None,
    policy_file: Path | None,
    secret_file: Path | None,
    key_files: tuple[Path, ...],
    restored: int | None,
    jobs: int,
    config: str | None,
    as_json: bool,
) -> int:
    """Tell whether what is stored is what was logged, and if not, where the first bad record is.

    With FILE, a file that 'logchain export' made is checked by itself: no store is needed, only --fingerprint, and
    --witness if you like.

    With --vm or --stream the records of these logs are checked. Ledger, births, and that nothing is missing, are
    checked in the whole store all the same; what another log has on its disk is not read.

    Exit code 0: intact. 1: damaged. 3: cannot tell. Collectors and the compressor may go on meanwhile.
    """
    if evidence is not None:
        if vms or wanted or secret_file or key_files or restored is not None:
            options = "--vm, --stream, --audit-secret, --segment-key and --restored"
            raise UsageError(f"FILE is checked by itself: leave out {options}")
        settings = read_settings(config)
        pinned = settings.fingerprint if fingerprint is None else parse_fingerprint(fingerprint)
        policy = witness_policy(witness, policy_file, settings.witness)
        return verify_evidence(evidence, pinned, policy, as_json=as_json)
    if key_files:
        others = vms or wanted or secret_file or witness or policy_file
        if others or fingerprint is not None or restored is not None:
            raise UsageError("--segment-key checks its segment alone: leave out the other options")
        keys = [read_segment_key(path) for path in key_files]
        with open_store(store) as directory:
            return print_segments([verify_segment(directory, key) for key in keys], as_json=as_json)
    settings = read_settings(config)
    pinned = settings.fingerprint if fingerprint is None else parse_fingerprint(fingerprint)
    policy = witness_policy(witness, policy_file, settings.witness)
    selection = read_selection(vms, wanted, None, None, utc=False)
    audit = read_audit_secret(secret_file) if secret_file else None
    with open_store(store) as directory:
        rows = list(list_streams(directory))
        if audit and any(row.connected for row in rows):
            click.echo(_WARNING, err=True)
        with Progress("verifying", sum(row.size for row in rows if selection.has(row.vm, row.stream))) as progress:
            report = verify_store(
                directory,
                audit,
                selection,
                progress.add,
                fingerprint=pinned,
                restored=settings.restored if restored is None else restored,
                jobs=jobs,
                settings=settings,
                accepted=read_accepted(read_store_id(directory)),
                policy=policy,
            )
    if report.acceptance and report.verdict == Verdict.INTACT:
        _remember(report.store_id, report.acceptance)
    if as_json:
        click.echo(json.dumps(_as_json(report)))
    else:
        for line in _told(report):
            click.echo(line)
    return report.verdict.value


def _remember(store_id: bytes, accepted: Accepted) -> None:
    """Keep, for this user, what was found good: `show` marks what is not, and the next `verify` goes on from it."""
    try:
        write_accepted(store_id, accepted)
    except OSError as error:
        path = escape_text(str(error.filename))
        click.echo(f"logchain: what was accepted could not be kept: {path}: {error.strerror}", err=True)


def _told(report: Report) -> Iterator[str]:
    """Yield the lines that tell a person what a check came to."""
    yield f"store {report.store_id.hex()}"
    yield from _told_findings(report)
    yield from _summary(report)


def _told_findings(report: Report) -> Iterator[str]:
    """Yield a line for each stream, and what was found, with its place."""
    for stream in report.streams:
        upto = f" up to {format_local(stream.time, None)}" if stream.time else ""
        yield f"  {stream.vm}/{stream.stream}: {stream.records:,} records good{upto}: {_state(report, stream)}"
        for finding in stream.findings:
            yield f"    {finding_line(finding)}"
    for finding in report.findings:
        yield f"  {finding_line(finding)}"


def _summary(report: Report) -> Iterator[str]:
    """Yield the verdict, and what each layer of evidence came to."""
    yield _verdict(report)
    for text in (*_ratchet(report), *_ledger(report), *witness_lines(report.witness, report.ledger.entries)):
        yield f"  {text}".replace("\n", "\n  ")


def _state(report: Report, stream: StreamReport) -> str:
    if stream.damaged:
        return "DAMAGED"
    if report.audited:
        return "intact"
    if not report.ledger.pinned:
        return "not checked against the secret"
    return f"intact, but for {stream.unlisted:,} that nothing has fixed yet" if stream.unlisted else "intact"


def _verdict(report: Report) -> str:
    if report.verdict == Verdict.DAMAGED:
        return DAMAGED
    if report.verdict == Verdict.CANNOT_TELL:
        return f"CANNOT TELL: {_why(report)}"
    if report.audited:
        return "INTACT: every record above is as it was received, and none is missing, up to the time shown."
    unlisted = sum(stream.unlisted for stream in report.streams)
    rest = f"; the newest {unlisted:,} records are not checked" if unlisted else ""
    return f"INTACT: what is sealed or listed in the ledger is as it was then, and none of it is missing{rest}."


def _why(report: Report) -> str:
    if not report.records:
        return "there is no record to check; 'logchain list' tells which logs there are."
    if report.ledger.pinned and report.ledger.restored > report.restored:
        return (
            "the ledger says that the store came back from a backup, and that excuses what is missing. If it did, say "
            "how often (--restored N). If not, treat it as damaged: whoever has the LogVM can say so."
        )
    if report.audited:
        return (
            "every record above is as it was received, but the ledger says why others are not there, and only "
            "--fingerprint HEX can tell whether it is this store's ledger."
        )
    if not report.ledger.pinned:
        return "the structure is sound, but only --fingerprint or --audit-secret can tell whether records were changed."
    return "nothing is sealed or listed in the ledger so far, and there is no audit secret to check the rest with."


def _ratchet(report: Report) -> Iterator[str]:
    """Yield what the first layer of evidence came to."""
    if report.audited:
        yield f"ratchet  {report.chained:,} of {report.records:,} records checked one by one with the audit secret."
    else:
        yield "ratchet  not checked: no --audit-secret."


def _ledger(report: Report) -> Iterator[str]:
    """Yield what the second layer of evidence came to."""
    ledger = report.ledger
    if not ledger.entries:
        yield "ledger   none that is good."
        return
    yield (
        f"ledger   {ledger.entries:,} {'entry' if ledger.entries == 1 else 'entries'} good, the last of "
        f"{format_local(ledger.head_time, None)}, after {_span(ledger.head_age)} of running time."
    )
    if ledger.pinned:
        yield "         It begins with the key that the fingerprint is of."
    else:
        yield "         No pinned fingerprint: it may have been made up, with all that it says."
    listed, unlisted = (sum(getattr(stream, name) for stream in report.streams) for name in ("listed", "unlisted"))
    sealed = sum(stream.sealed for stream in report.streams)
    yield f"         {sealed:,} records are as they were sealed. Sealed segments in the store: {ledger.sealed:,}."
    when = f" by {format_local(ledger.listed_time, None)}" if ledger.listed_time else ""
    yield f"         {listed:,} records of open segments are as listed{when}, {unlisted:,} are not listed yet."
    if ledger.gone > ledger.restored:
        yield (
            f"         Went on purpose, as it says: {ledger.evicted:,} segments evicted, {ledger.deleted:,} deleted, "
            f"{ledger.forgotten:,} streams forgotten."
        )
    if ledger.restored:
        times = f"{ledger.restored:,} times" if ledger.restored > 1 else "once"
        yield f"         As it says, the store came back from a backup {times}."
    if ledger.exported:
        yield f"         As it says, lines were taken out {ledger.exported:,} time{'s' * (ledger.exported != 1)}."
    yield f"         {_KEYS[ledger.key]}"


def _span(seconds: int) -> str:
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3_600, seconds % 3_600 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def _as_json(report: Report) -> dict[str, object]:
    ledger = asdict(report.ledger)
    times = {name: json_time(ledger[name]) for name in ("head_time", "listed_time")}
    return {
        "store": report.store_id.hex(),
        "verdict": report.verdict.word,
        "audited": report.audited,
        "streams": [asdict(row) | {"time": json_time(row.time)} for row in report.streams],
        "ledger": ledger | times,
        "witness": report.witness and witness_object(report.witness),
        "findings": [asdict(finding) for finding in report.findings],
        "told": "\n".join(_told(report)),
        "summary": "\n".join(_summary(report)),
    }
