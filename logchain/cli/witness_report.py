"""The third layer of evidence on the command line: whose signatures are asked for, and what they came to."""

import time
from collections.abc import Iterator
from pathlib import Path

from logchain.cli.table import json_time
from logchain.format.errors import FormatError, UsageError
from logchain.format.signed_note import COSIGNATURE, Vkey, parse_vkey
from logchain.format.tlog_policy import MAX_POLICY, Policy, parse_policy, policy_of
from logchain.read.amounts import format_ago
from logchain.read.display import escape_text
from logchain.read.times import format_local
from logchain.read.witnessed import WitnessReport

__all__ = ["witness_lines", "witness_object", "witness_policy"]

_NO_WITNESS = (
    "Nothing here proves that this is the newest state of the store, and no older copy with the\n"
    "         keys of its time: compare the last entry above with what you wrote down."
)


def witness_policy(vkey: str | None, path: Path | None, default: Vkey | None) -> Policy | None:
    """Return whose signatures are asked for; None where nobody's are."""
    if vkey is not None and path:
        raise UsageError("either --witness or --witness-policy: the file can name several")
    try:
        if path:
            with path.open("rb") as file:
                return parse_policy(file.read(MAX_POLICY + 1))
        if vkey is not None:
            return policy_of(parse_vkey(vkey, COSIGNATURE))
    except OSError as error:
        raise UsageError(f"{escape_text(str(path))}: {error.strerror}") from error
    except FormatError as error:
        where = escape_text(str(path)) if path else "--witness takes what 'logchain-witness status' shows"
        raise UsageError(f"{where}: {error}") from error
    return policy_of(default) if default else None


def witness_lines(witness: WitnessReport | None, entries: int) -> Iterator[str]:
    """Yield what the third layer of evidence came to, in a ledger of so many entries."""
    if not witness:
        yield f"witness  none. {_NO_WITNESS}"
        return
    if witness.time is None:
        yield f"witness  NOT WITNESSED. {_NO_WITNESS}"
        return
    now = int(time.time())
    ago = f"{format_ago(1_000_000 * (now - witness.time))} ago"
    yield (
        f"witness  {min(witness.entries, entries):,} of {entries:,} entries were signed at "
        f"{format_local(witness.time * 1_000_000, None)}, {'A TIME TO COME' if witness.is_to_come(now) else ago}."
    )
    if witness.is_to_come(now):
        yield f"         A clock is or was wrong, and nobody can tell how old that is. {_NO_WITNESS}"
    elif witness.is_stale(now):
        yield f"         NOT WITNESSED SINCE. {_NO_WITNESS}"


def witness_object(witness: WitnessReport) -> dict[str, object]:
    """Return the same for JSON; `age` in seconds."""
    now = int(time.time())
    age = None if witness.time is None else now - witness.time
    times = {escape_text(name): json_time(at * 1_000_000) for name, at in witness.times.items()}
    at = None if witness.time is None else json_time(witness.time * 1_000_000)
    return {"entries": witness.entries, "time": at, "age": age, "stale": witness.is_stale(now), "witnesses": times}
