"""logchain audit-key: in the vault, hand out the key of one segment."""

from pathlib import Path

import click

from logchain.cli.new_files import new_file
from logchain.cli.secret_files import read_audit_secret
from logchain.format.errors import FormatError, UsageError
from logchain.format.limits import MAX_BIRTHS, MAX_SEGMENT
from logchain.format.segment_key import derive_segment_key, format_segment_key
from logchain.format.small_files import unhex

__all__ = ["command"]

_FILE = click.Path(path_type=Path)


@click.command("audit-key")
@click.option("--audit-secret", "secret_file", type=_FILE, metavar="FILE", required=True, help="Of the store.")
@click.option("--stream-id", metavar="HEX", required=True, help="Of the stream: 64 digits.")
@click.option("--birth", type=click.IntRange(1, MAX_BIRTHS), metavar="I", required=True, help="Of the segment.")
@click.option("--segment", type=click.IntRange(1, MAX_SEGMENT), metavar="N", required=True, help="Its number.")
@click.option("--key-out", type=_FILE, metavar="FILE", required=True, help="New file for the key.")
def command(secret_file: Path, stream_id: str, birth: int, segment: int, key_out: Path) -> None:
    """Hand out the key of one segment, from the audit secret.

    So its records can be checked where the audit secret shall not go. Run this in the vault qube; it reads no log. The
    lines 'stream' and 'birth' of the segment's manifest have the three numbers; those of an open segment are in
    'logchain list --json'.
    """
    try:
        identity = unhex(stream_id, 32)
    except FormatError as error:
        raise UsageError("--stream-id is not 64 digits from 0 to 9 and a to f") from error
    key = derive_segment_key(read_audit_secret(secret_file), birth, identity, segment)
    with new_file(key_out) as write:
        write(format_segment_key(key))
    click.echo(
        f"{key_out}  the key of segment {segment}, for 'logchain verify --segment-key' on a copy of the store. It is\n"
        "good for this segment only. Whoever has it can forge the segment: never give it to the LogVM."
    )
