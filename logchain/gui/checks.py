"""What `verify` found last, log by log: kept for each user and store, and told in the list of logs."""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from logchain.gui.answers import as_time
from logchain.gui.logs import Log
from logchain.read.amounts import format_second

__all__ = ["Checks", "store_key", "told_of"]

_MOST = 32 << 20  # bytes of the file


def store_key(store: Path) -> str:
    """Return by which name what is kept of a store is kept."""
    return sha256(os.fsencode(store)).hexdigest()[:16]


class _Check(NamedTuple):
    """What a check found of a log: the stream's id (hex), the time of its last record (µs since 1970), how many."""

    id: str
    last: int
    records: int
    words: str


class Checks:
    """The last check of each log. Another log that got the names of one that was forgotten has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = _read(path)

    def of(self, log: Log) -> str:
        """Return what is known of a log, in words: of one that is less than it was when it was checked, that it is."""
        kept = self._found.get(f"{log.vm}/{log.stream}")
        if not kept:
            return "not checked"
        if kept.words.startswith("DAMAGED") or log.state == "no access":
            return kept.words
        if log.state == "missing":
            return "LESS than what was checked: it is not here any more"
        if log.id and kept.id and log.id != kept.id:
            return "LESS than what was checked: another log is in its place"
        if _is_less(kept, log.last, log.records):
            return f"LESS than what was checked, which went to {format_second(kept.last)}: verify the store"
        return kept.words

    def take(self, report: Mapping[str, Any], now: int, logs: Iterable[Log], *, whole: bool) -> None:
        """Take in what `logchain verify --json` told at `now`, µs since 1970.

        `logs` are those that are known; where the whole store was checked each has to be in the report. Raises OSError
        where it cannot be kept.
        """
        self._found = _read(self._path)  # another window may have checked another log
        bad = any(one.get("damage") for one in report.get("findings") or ())
        rows = {f"{row.get('vm')}/{row.get('stream')}": row for row in report.get("streams") or ()}
        for log in logs:
            name = f"{log.vm}/{log.stream}"
            before = self._found.get(name)
            if row := rows.get(name):
                words = _words(report, row, now, bad)
                found = _Check(log.id, as_time(row.get("time")), int(row.get("records") or 0), words)
                seen = (
                    found if found.records else found._replace(last=log.last, records=log.records)
                )  # all was deleted?
                if before and not words.startswith("DAMAGED") and _is_less(before, seen.last, seen.records):
                    less = f"LESS than an earlier check, which went to {format_second(before.last)}; now: "
                    found = found._replace(words=f"{less}{words}")
                elif before and not found.records:
                    found = before._replace(id=log.id, words=words)
                else:  # the list may be behind the check: what it does not have yet is not lost
                    found = found._replace(last=min(found.last, log.last), records=min(found.records, log.records))
                self._found[name] = found
            elif whole:
                checked = f"checked {format_second(now)}"
                words = f"cannot tell: the check of the whole store did not find it; {checked}"
                if log.state == "missing":
                    words = f"DAMAGED: it is not in the store any more; {checked}"
                elif before and before.words.startswith("DAMAGED"):
                    words = before.words
                self._found[name] = (before or _Check(log.id, log.last, log.records, ""))._replace(words=words)
        self._write()

    def forget(self, ids: Collection[str], names: Collection[str] = ()) -> None:
        """Leave out the logs with these ids, and these names (VM/stream), as far as the file can be written."""
        self._found = _read(self._path)
        kept = {name: check for name, check in self._found.items() if check.id not in ids and name not in names}
        if kept != self._found:
            self._found = kept
            with suppress(OSError):
                self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        new.write_text(json.dumps({name: check._asdict() for name, check in self._found.items()}), "utf-8")
        new.replace(self._path)


def _is_less(kept: _Check, last: int, records: int) -> bool:
    """Tell whether records that were checked are gone. The clock alone may be set back, and old ones may be evicted."""
    return last < kept.last and records < kept.records


def _read(path: Path) -> dict[str, _Check]:
    """Return what was kept; nothing where there is none yet, or none that we wrote: then nothing was checked."""
    try:
        with path.open("rb") as file:
            told = dict(json.loads(file.read(_MOST)))
        found = {str(name): _Check(**check) for name, check in told.items()}
        if all(list(map(type, check)) == [str, int, int, str] for check in found.values()):
            return found
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return {}


def told_of(report: Mapping[str, Any]) -> str:
    """Return what a check tells a person: the first bad place, verdict and layers, and then log by log."""
    summary = str(report.get("summary", ""))
    streams = str(report.get("told", "")).removesuffix(summary).rstrip("\n")
    return "\n\n".join(part for part in (_first_bad(report), summary, streams) if part)


def _first_bad(report: Mapping[str, Any]) -> str:
    """Return the first bad place that a check found, in words; nothing where it found none."""
    for row in ({"findings": report.get("findings")}, *(report.get("streams") or ())):
        for one in row.get("findings") or ():
            if one.get("damage"):
                where = f"{row['vm']}/{row['stream']}, " if "vm" in row else ""
                return f"First bad place: {where}{_place(one)}"
    return ""


def _place(finding: Mapping[str, Any]) -> str:
    names = (("segment", "segment"), ("record", "record"), ("entry", "ledger entry"))
    place = [f"{words} {finding[name]}" for name, words in names if finding.get(name) is not None]
    return f"{', '.join(place)}{': ' if place else ''}{finding.get('text')}"


def _words(report: Mapping[str, Any], row: Mapping[str, Any], now: int, bad: bool) -> str:
    """Return what a check found of one log: whether it is good, up to when, by which layers, when checked."""
    checked = f"; checked {format_second(now)}"
    damage = [one for one in row.get("findings") or () if one.get("damage")]
    if damage:
        return f"DAMAGED: {_place(damage[0])}{checked}"
    pinned = bool(dict(report.get("ledger") or {}).get("pinned"))
    if not report.get("audited") and not pinned:
        return f"cannot tell: no audit secret, no fingerprint{checked}"
    layers = ["ratchet"] if report.get("audited") and row.get("chained") else []
    layers += ["ledger"] if pinned and (row.get("sealed") or row.get("listed")) else []
    if not layers or str(report.get("verdict")) == "cannot-tell":
        return f"cannot tell{checked}"
    rest = int(row.get("unlisted") or 0) if "ratchet" not in layers else 0
    newest = f", but for the newest {rest:,}" if rest else ""
    store = "; the STORE is damaged" if bad else ""
    upto = format_second(as_time(row.get("time")))
    return f"intact to {upto} by {' and '.join(layers)}{newest}; {_witnessed(report)}{store}{checked}"


def _witnessed(report: Mapping[str, Any]) -> str:
    """Return how far the third layer, which is of the whole store, reaches."""
    witness = report.get("witness")
    if not witness:
        return "no witness asked"
    time_us = as_time(witness.get("time"))
    return f"witnessed to {format_second(time_us)}" if time_us and not witness.get("stale") else "NOT WITNESSED lately"
