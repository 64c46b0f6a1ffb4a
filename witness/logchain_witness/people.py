"""What a person does with a witness: make it, pin logs, look, and say that a store came back from a backup."""

import argparse
import json
import sys
import time
from typing import Any

from logchain_witness.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from logchain_witness.errors import FormatError, SignatureError, StateError, UsageError
from logchain_witness.note import LOG, MAX_NOTE, Key, check_name, cosigned_at, parse_key, parse_note, verify
from logchain_witness.state import Log, State, check_qube, stamp
from logchain_witness.terminal import printable, say, show

_SILENT = 3_600  # s: a LogVM asks every five minutes
_VERDICTS = {"same": 0, "older": 1, "fork": 1, "cannot-tell": 3}  # of `check`, with its exit code


def keygen(state: State, given: argparse.Namespace) -> int:
    """Make the key, once, and show its public half."""
    try:
        name = check_name(given.name)
    except FormatError as error:
        raise UsageError(str(error)) from error
    if printable(name) != name:
        raise UsageError("take a name of ASCII for the key: it is shown, and copied, in many places")
    show(str(state.create(name)))
    say("that is the public key: put it into /etc/logchain.toml of the LogVM, and keep it for 'logchain verify'")
    return 0


def pin(state: State, given: argparse.Namespace) -> int:
    """Let a qube ask for a log."""
    qube = check_qube(given.qube)
    try:
        key = parse_key(given.key, LOG)
    except FormatError as error:
        raise UsageError(f"{error}; 'logchain status' in the LogVM shows the whole command") from error
    state.key()
    with state.locked():
        log = state.find(key.name) or Log(key, qube)
        if log.key != key:
            raise UsageError(f"{key.name} is pinned with another key, and a log has one for ever")
        log.qube, log.retired = qube, False
        log.happened(f"pinned {qube}")
        state.keep(log)
    show(f"{printable(key.name)}: {qube} may ask for it")
    return 0


def _find(state: State, origin: str) -> Log:
    log = state.find(origin)
    if not log:
        raise UsageError(f"{origin} is not pinned here; 'logchain-witness list' shows what is")
    return log


def retire(state: State, given: argparse.Namespace) -> int:
    """Answer no more for a log."""
    with state.locked():
        log = _find(state, given.origin)
        log.retired = True
        log.happened("retired")
        state.keep(log)
    show(f"{printable(given.origin)}: no more answers")
    return 0


def restored(state: State, given: argparse.Namespace) -> int:
    """Begin a log anew, because a person says that it came back from a backup."""
    latest = _find(state, given.origin).checkpoint
    if not latest:
        raise UsageError(f"nothing is remembered of {given.origin}: the next checkpoint begins anew in any case")
    show(f"The latest checkpoint has {format_checkpoint(latest)}.")
    show("Whoever has the LogVM gains from this: an older ledger is accepted, once.")
    if not given.yes:
        show("Did you bring the store back from a backup yourself? [y/N]")
        if sys.stdin.buffer.readline().strip() != b"y":
            raise UsageError("nothing was done")
    with state.locked():
        log = _find(state, given.origin)
        if log.checkpoint != latest:
            raise StateError("a checkpoint came meanwhile, so the store goes on: nothing was done")
        log.happened(f"restored from {format_checkpoint(latest)}")
        log.note = b""
        state.keep(log)
    show("The next checkpoint begins anew. It is on record here, and 'logchain restored' puts it into the ledger.")
    return 0


def check(state: State, given: argparse.Namespace) -> int:
    """Compare a checkpoint that is handed in with the latest."""
    key, _ = state.key()
    try:
        with open(0 if given.file == "-" else given.file, "rb") as file:
            note = parse_note(file.read(MAX_NOTE + 1))
        handed = parse_checkpoint(note.text)
    except PermissionError as error:
        raise UsageError(f"{given.file}: {error.strerror}; try 'logchain-witness check - < FILE'") from error
    except OSError as error:
        raise UsageError(f"{given.file}: {error.strerror}") from error
    except FormatError as error:
        raise UsageError(f"{given.file}: {error}") from error
    log = _find(state, handed.origin)
    try:
        verify(note, log.key)
    except SignatureError as error:
        raise UsageError(f"{given.file}: {error}: it is no checkpoint of that store") from error
    latest = log.checkpoint
    at = cosigned_at(parse_note(log.note), key) if latest else 0
    word, text = _judge(handed, latest, stamp(at))
    if given.json:
        found = {"verdict": word, "handed": handed.size, "remembered": latest.size if latest else 0, "at": at or None}
        show(json.dumps({"origin": handed.origin} | found))
    else:
        show(f"{word.upper().replace('-', ' ')}: {text}")
    return _VERDICTS[word]


def _judge(handed: Checkpoint, latest: Checkpoint | None, at: str) -> tuple[str, str]:
    if not latest:
        return "cannot-tell", "nothing is remembered of this log"
    size = f"{latest.size} entries at {at}"
    if handed.size > latest.size:
        return "cannot-tell", f"it has {handed.size} entries, and the witness was last shown {size}"
    if handed.size < latest.size:
        return "older", f"it has {handed.size} entries, and the witness signed {size}: the newest are missing"
    if handed.root != latest.root:
        return "fork", f"the witness signed another ledger of {size}: this one was changed"
    return "same", f"it is what the witness signed: {size}"


def _row(log: Log, key: Key) -> dict[str, Any]:
    latest = log.checkpoint
    return {
        "origin": log.key.name,
        "qube": log.qube,
        "state": "retired" if log.retired else "pinned",
        "entries": latest.size if latest else 0,
        "cosigned": cosigned_at(parse_note(log.note), key) if latest else None,
        "restored": log.restored,
        "events": log.events,
    }


def list_logs(state: State, given: argparse.Namespace) -> int:
    """List the logs, and what people did with them."""
    key, _ = state.key()
    rows = [_row(log, key) for log in state.logs()]
    if given.json:
        show(json.dumps(rows))
        return 0
    for row in rows:
        show(printable(row["origin"]))
        when = f", cosigned {stamp(row['cosigned'])}" if row["cosigned"] is not None else ""
        show(f"  {row['state']} for {row['qube']}: {row['entries']} entries{when}")
        for event in row["events"]:
            show(printable(f"  {event}"))
    return 0


def status(state: State, given: argparse.Namespace) -> int:
    """Tell whether all is well; 1 where the last heard of a log contradicts what is remembered, 3 without a log."""
    key, _ = state.key()
    logs, code, now = state.logs(), 0, time.time()
    rows, lines = [], []
    for log in logs:
        row, refused = _row(log, key), state.refused(log.key.name)
        cosigned = stamp(row["cosigned"]) if row["cosigned"] is not None else ""
        row["refused"] = {"time": refused.time, "reason": refused.reason} if refused else None
        rows.append(row)
        age = f", cosigned {cosigned}" if cosigned else ", nothing cosigned yet"
        lines.append(f"{log.key.name}: {row['state']} for {log.qube}, {row['entries']} entries{age}")
        if cosigned and not log.retired and not -_SILENT <= now - row["cosigned"] <= _SILENT:
            code = code or 3
            when = (
                "nothing was cosigned for over an hour"
                if row["cosigned"] < now
                else "the latest was cosigned at a time to come"
            )
            lines.append(f"! {when}: does the LogVM ask, and is the clock right?")
        if refused:
            since = not cosigned or refused.latest == cosigned  # not by their times: a clock may be put back
            code = 1 if since else code
            lines.append(f"{'! ' if since else ''}refused a checkpoint at {refused.time}: {refused.reason}")
    if not logs:
        code = 3
        lines.append("! no log is pinned: logchain-witness pin VKEY --qube NAME")
    if given.json:
        show(json.dumps({"key": str(key), "logs": rows}))
    else:
        for line in [f"key {key}", *lines]:
            show(printable(line))
    return code
