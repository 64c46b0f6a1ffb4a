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

__all__ = ["Checks", "first_bad", "store_key"]

_MOST = 32 << 20  # bytes of the file


def store_key(store: Path) -> str:
    """Return by which name what is kept of a store is kept."""
    return sha256(os.fsencode(store)).hexdigest()[:16]


class Checks:
    """The last check of each log, by the stream's id (hex); of one whose id is lost, by its names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, str] = {}
        try:
            with path.open("rb") as file:
                told = json.loads(file.read(_MOST))
            self._found = {str(name): str(words) for name, words in dict(told).items()}
        except (OSError, ValueError, TypeError, RecursionError):
            pass  # none yet, or none that we wrote: then nothing was checked

    def of(self, vm: str, stream: str, id_: str) -> str:
        """Return what is known of a log, in words."""
        return self._found.get(f"{vm}/{stream}", self._found.get(id_, "not checked")) if id_ else "not checked"

    def take(self, report: Mapping[str, Any], now: int, ids: Mapping[str, str]) -> None:
        """Take in what `logchain verify --json` told at `now`, µs since 1970; `ids` are the streams' by VM/stream.

        Raises OSError where it cannot be kept.
        """
        bad = bool([one for one in report.get("findings") or () if one.get("damage")])
        for row in report.get("streams") or ():
            name = f"{row.get('vm')}/{row.get('stream')}"
            self._found.pop(name, None)
            id_ = ids.get(name, "")
            self._found[id_ or name] = _words(report, row, now, bad)
        self._write()

    def keep(self, vms: Collection[str]) -> None:
        """Leave out what is kept by the name of a qube that is none of these, as far as the file can be written."""
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


def first_bad(report: Mapping[str, Any]) -> str:
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
    ledger = dict(report.get("ledger") or {})
    layers = ["ratchet"] if report.get("audited") else []
    layers += ["ledger"] if ledger.get("pinned") else []
    upto = as_time(row.get("time"))
    if not layers or str(report.get("verdict")) == "cannot-tell":
        return f"cannot tell: no audit secret, no fingerprint{checked}" if not layers else f"cannot tell{checked}"
    rest = int(row.get("unlisted") or 0) if not report.get("audited") else 0
    newest = f", but for the newest {rest:,}" if rest else ""
    store = "; the STORE is damaged" if bad else ""
    return f"intact to {format_second(upto)} ({' and '.join(layers)}){newest}{store}{checked}"
