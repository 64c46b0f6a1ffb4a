"""The words for how a log stands and what is known of its integrity, from what the commands tell."""

from collections.abc import Collection, Mapping
from typing import Any

from logchain.gui.answers import as_time
from logchain.gui.logs import Log

__all__ = ["PROBLEMS", "SIGNS", "STATES", "as_log", "state_of"]

_SILENT = 3_600_000_000  # µs without a line of a connected sender

STATES = {  # what each means, for the help
    "live": "a sender is connected",
    "silent": "a sender is connected, and sent nothing for over an hour",
    "throttled": "a sender is connected, and is read slowly or not at all: its quota, or the store's cap, is used up",
    "open": "no sender is connected; the newest segment takes more lines",
    "closed": "no sender is connected; the newest segment is finished, and not sealed yet",
    "sealed": "all of it is sealed",
    "compressed": "all of it is sealed and compressed",
    "restored": "the store came back from a backup, and no line came since",
    "empty": "no line was ever committed",
    "gave up": "the disk refused a write",
    "broken": "the key state was lost once: nothing links what came before it to what came after",
    "damaged": "something is missing or cannot be read: verify it",
    "missing": "it was here, is not any more, and the ledger has no entry that says why: verify the whole store",
    "no access": "you may not read it",
}
PROBLEMS = ("damaged", "missing", "less", "broken", "gave up", "no access", "throttled")  # states, or integrity
SIGNS = {  # before the word: a state is told by its sign and word, never by colour alone
    "live": "●",
    "silent": "○",
    "throttled": "◐",
    "open": "▷",
    "closed": "□",
    "sealed": "■",
    "compressed": "▣",
    "gone": "✕",
} | dict.fromkeys(("damaged", "missing", "broken", "gave up", "no access"), "▲")


def as_log(row: Mapping[str, Any], throttled: Collection[str], now: int) -> Log:
    """Return a log as the list shows it, from a row of `logchain list --json`, with no word of its integrity."""
    last = as_time(row.get("last"))
    records, size, room = (int(row.get(name) or 0) for name in ("records", "size", "room"))
    state = state_of(row, row.get("vm") in throttled, now - last)
    vm, stream = str(row.get("vm")), str(row.get("stream"))
    first, id_ = as_time(row.get("first")), str(row.get("id", ""))
    return Log(vm, stream, last, first, records, size, room, state, "", id_)


def state_of(row: Mapping[str, Any], throttled: bool, quiet: int) -> str:
    """Return a log's state; `quiet` is how long ago its last record came, µs."""
    told = str(row.get("state"))
    if told not in ("open", "closed"):
        return told
    if row.get("connected"):
        return "throttled" if throttled else "silent" if quiet > _SILENT else "live"
    count = row.get("segments", 0)
    if told == "closed" and count and row.get("sealed") == count:
        return "compressed" if row.get("compressed") == count else "sealed"
    return told
