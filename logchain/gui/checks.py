"""What `verify` found last, log by log: kept for each user and store, and told in the list of logs."""

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from logchain.gui.answers import as_time
from logchain.read.amounts import format_second

__all__ = ["Checks", "store_key", "told_of"]

_MOST = 32 << 20  # bytes of the file


def store_key(store: Path) -> str:
    """Return by which name what is kept of a store is kept."""
    return sha256(os.fsencode(store)).hexdigest()[:16]


class Checks:
    """The last check of each log, by the stream's id (hex); of one whose id is lost, by its names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = _read(path)

    def of(self, vm: str, stream: str, id_: str) -> str:
        """Return what is known of a log, in words; `id_` is the stream's, empty where it is lost."""
        name = f"{vm}/{stream}"
        return self._found.get(name) or self._found.get(id_) or "not checked"

    def take(self, report: Mapping[str, Any], now: int, ids: Mapping[str, str]) -> None:
        """Take in what `logchain verify --json` told at `now`, µs since 1970; `ids` are the streams' by VM/stream.

        Raises OSError where it cannot be kept.
        """
        self._found = _read(self._path)  # another window may have checked another log
        bad = bool([one for one in report.get("findings") or () if one.get("damage")])
        for row in report.get("streams") or ():
            name = f"{row.get('vm')}/{row.get('stream')}"
            self._found.pop(name, None)
            id_ = ids.get(name, "")
            words = _words(report, row, now, bad)
            self._found[id_ or name] = words
            if words.startswith("DAMAGED"):  # the id may be what is lost next
                self._found[name] = words
        self._write()

    def keep(self, vms: Collection[str]) -> None:
        """Leave out what is kept by the name of a qube that is none of these, as far as the file can be written."""
        self._found = _read(self._path)
        gone = [name for name in self._found if "/" in name and name.partition("/")[0] not in vms]
        for name in gone:
            del self._found[name]
        if gone:
            with suppress(OSError):
                self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        new.write_text(json.dumps(self._found), "utf-8")
        new.replace(self._path)


def _read(path: Path) -> dict[str, str]:
    """Return what was kept; nothing where there is none yet, or none that we wrote: then nothing was checked."""
    try:
        with path.open("rb") as file:
            return {str(name): str(words) for name, words in dict(json.loads(file.read(_MOST))).items()}
    except (OSError, ValueError, TypeError, RecursionError):
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
