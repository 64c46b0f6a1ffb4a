"""logchain list: which logs there are."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NoReturn

import click

from logchain.cli.options import json_option, store_option
from logchain.cli.selection import check_known, read_selection, stream_option, vm_option
from logchain.cli.table import json_time, print_table
from logchain.format.errors import StoreError, UsageError
from logchain.read.amounts import format_second, format_size
from logchain.read.catalog import read_catalog
from logchain.read.changes import Changes
from logchain.read.gone import Gone
from logchain.read.listing import StreamRow, list_streams
from logchain.read.segment_listing import SegmentInfo, list_segments
from logchain.read.selection import Selection
from logchain.store.layout import CATALOG, Directory, is_restoring, open_store

__all__ = ["command"]

_HEADINGS = ("VM", "STREAM", "SEGMENTS", "RECORDS", "SIZE", "FIRST", "LAST", "STATE")
_OF_SEGMENTS = ("VM", "STREAM", "SEGMENT", "RECORDS", "SIZE", "ON DISK", "FIRST", "LAST", "STATE")
_OFTEN = 1.0  # s between two looks for changes
_SAY_EVERY = 10.0  # s
_SHARE = 20  # or so many times what a look takes: it may cost a twentieth of a core


@click.command("list")
@store_option
@vm_option
@stream_option
@click.option("--segments", is_flag=True, help="A line for each segment instead.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on: a log again whenever it changed. With --json.")
@json_option
def command(
    store: str, vms: tuple[str, ...], wanted: tuple[str, ...], segments: bool, following: bool, as_json: bool
) -> None:
    """List the logs: a line for each qube and stream. Nothing is verified; that is 'logchain verify'."""
    if following and (segments or not as_json):
        raise UsageError("--follow goes with --json, and not with --segments")
    selection = read_selection(vms, wanted, None, None, utc=False)
    with open_store(store) as directory:
        if not following:
            check_known(directory, selection)
        if is_restoring(directory):
            click.echo("logchain: 'logchain restored' was cut short: nobody can write; run it again", err=True)
        if following:
            _Following(store, directory, selection).run()
        names = list(selection.names(directory))
        if segments:
            _print(as_json, list_segments(directory, names, read_catalog(directory)), _OF_SEGMENTS, _segment_cells)
        else:
            _print(as_json, list_streams(directory, read_catalog(directory), names), _HEADINGS, _cells)


def _print(
    as_json: bool,
    rows: Iterator[StreamRow] | Iterator[SegmentInfo],
    headings: tuple[str, ...],
    cells: Callable[..., tuple[str, ...]],
) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(_object(row)))
    else:  # numbers stand to the right
        print_table([headings, *map(cells, rows)], range(2, len(headings) - 3))


def _object(row: StreamRow | SegmentInfo) -> dict[str, object]:
    return row._asdict() | {"first": json_time(row.first), "last": json_time(row.last)}


def _cells(row: StreamRow) -> tuple[str, ...]:
    times = format_second(row.first), format_second(row.last)
    state = f"{row.state}, connected" if row.connected else row.state
    return row.vm, row.stream, str(row.segments), f"{row.records:,}", format_size(row.size), *times, state


def _segment_cells(row: SegmentInfo) -> tuple[str, ...]:
    numbers = f"{row.segment}", f"{row.records:,}", format_size(row.size), format_size(row.room)
    return row.vm, row.stream, *numbers, format_second(row.first), format_second(row.last), row.state


class _Following:
    """Prints all logs, then one again whenever it changed, for ever. Only what changed is read."""

    def __init__(self, path: str, store: Directory, selection: Selection) -> None:
        self._path = path
        self._store, self._selection = store, selection
        self._changes, self._catalog = Changes(store), read_catalog(store)
        self._shown: dict[tuple[str, str], StreamRow] = {}
        self._said = 0.0  # when we said how many there are; monotonic
        self._ids: dict[tuple[str, str], str] = {}  # that were known last: an id may be lost before its stream
        self._gone = Gone(store)
        self._forgotten = self._gone.forgotten()

    def run(self) -> NoReturn:
        """Print, until a signal ends it or nobody reads it any more."""
        if self._forgotten:
            click.echo(json.dumps({"forgotten": sorted(self._forgotten)}))
        self._changes.changed()
        self._look(list(self._selection.names(self._store)))
        self._say_how_many()
        stamp, rest, again = self._stamp(), 0.0, 0.0
        while True:
            self._rest(max(_OFTEN, rest))
            began = time.monotonic()
            self._see_that_it_is_there()
            wanted = [name for name in self._changes.changed() if self._selection.has(*name)]
            self._look([*wanted, *self._came_back()])
            self._look_for_missing()
            rest = _SHARE * (time.monotonic() - began)
            if self._stamp() != stamp and began >= again:  # the compressor ended a round: sealed, compressed, evicted
                stamp, self._catalog = self._stamp(), read_catalog(self._store)
                self._look(list(self._selection.names(self._store)))
                again = time.monotonic() + _SHARE * (time.monotonic() - began)

    def _rest(self, span: float) -> None:
        """Wait so many seconds; now and then say how many there are, so that we are not taken for one that hangs."""
        end = time.monotonic() + span
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SAY_EVERY))
            if time.monotonic() - self._said >= _SAY_EVERY:
                self._say_how_many()

    def _say_how_many(self) -> None:
        click.echo(json.dumps({"listed": len(self._shown)}))
        self._said = time.monotonic()

    def _see_that_it_is_there(self) -> None:
        """Raise StoreError where the store's path has become another's: who reads us would never know."""
        with suppress(OSError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._store.fd)):
                return
        raise StoreError(f"{self._path} was removed, or another store put in its place")

    def _look(self, names: list[tuple[str, str]]) -> None:
        for row in list_streams(self._store, self._catalog, names):
            name = row[:2]
            if row.state == "damaged" and self._ids.get(name) in self._gone.forgotten():
                continue  # it is being removed, and told of when it is gone
            if self._shown.get(name) != row:
                if row.id not in ("", self._ids.get(name, row.id)) and self._is_forgotten(name):
                    self._tell_gone(name)  # and another has its names now
                self._shown[name] = row
                self._ids[name] = row.id or self._ids.get(name, "")
                click.echo(json.dumps(_object(row)))

    def _came_back(self) -> list[tuple[str, str]]:
        """Return the names of those that were missing and are not: with the times they had, so they look unchanged."""
        return [name for name in self._changes.names if name in self._shown and self._shown[name].state == "missing"]

    def _look_for_missing(self) -> None:
        """Tell of the logs that are not there any more, and whether they were forgotten."""
        for name in self._shown.keys() - set(self._changes.names):
            row = self._shown[name]
            if row.state != "missing":
                if self._is_forgotten(name) or (row.state == "empty" and not self._ids[name]):
                    self._tell_gone(name)
                else:  # neither this program nor anybody who keeps to the ledger removed it
                    self._shown[name] = row._replace(state="missing", connected=False)
                    click.echo(json.dumps(_object(self._shown[name])))

    def _is_forgotten(self, name: tuple[str, str]) -> bool:
        """Tell whether the ledger has it that a stream was forgotten; of one whose id is lost, that one just was."""
        before, self._forgotten = self._forgotten, self._gone.forgotten()
        return self._ids[name] in self._forgotten if self._ids[name] else self._forgotten > before

    def _tell_gone(self, name: tuple[str, str]) -> None:
        """Tell that a log was forgotten."""
        vm, stream = name
        click.echo(json.dumps({"vm": vm, "stream": stream, "state": "gone", "id": self._ids.pop(name)}))
        del self._shown[name]

    def _stamp(self) -> int:
        try:
            return os.stat(CATALOG, dir_fd=self._store.fd, follow_symlinks=False).st_mtime_ns
        except OSError:
            return 0
