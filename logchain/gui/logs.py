"""The rows of the list of logs, in an SQLite database in memory that sorts and filters them."""

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from logchain.format.limits import MAX_NUMBER, MAX_TIME

__all__ = ["COLUMNS", "Filter", "Log", "Logs"]

COLUMNS = ("vm", "stream", "last", "first", "records", "size", "room", "state", "integrity")
_PAGE = 128  # rows


class Log(NamedTuple):
    """A log as the list shows it. Times in µs since 1970, 0 for none; sizes in bytes."""

    vm: str
    stream: str
    last: int
    first: int
    records: int
    size: int
    room: int
    state: str
    integrity: str
    id: str = ""


_FIELDS = ", ".join(Log._fields)


class Filter(NamedTuple):
    """Which logs are shown: with all these words, with records between two times, in one of these states."""

    words: tuple[str, ...] = ()
    since: int = 0
    until: int = MAX_TIME
    states: tuple[str, ...] = ()  # beginnings of them, or of what is known of the integrity; none: all

    def of_all_times(self) -> "Filter":
        """Return it without its times."""
        return self._replace(since=0, until=MAX_TIME)


class Logs:
    """All logs, and the order in which those that pass the filter are shown; a log keeps its number, 1 and up."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        numbered = "number INTEGER PRIMARY KEY AUTOINCREMENT"  # one that is gone lends its number to no other
        self._database.execute(f"CREATE TABLE logs ({numbered}, {_FIELDS}, UNIQUE (vm, stream))")
        self._pages: dict[int, list[Log]] = {}
        self.order: list[int] = []
        self.places: dict[int, int] = {}  # by number

    def put(self, logs: Iterable[Log]) -> list[int]:
        """Take in logs, new or changed; return the numbers of those that are shown. New ones are after `sort`.

        A count that no store can have, which only a forged catalog tells, is cut to MAX_NUMBER; half a character, as a
        file's name that is not UTF-8 may have, becomes a question mark.
        """
        values = ",".join(["?"] * len(Log._fields))
        changed = ", ".join(f"{name} = excluded.{name}" for name in Log._fields[2:])
        query = f"INSERT INTO logs ({_FIELDS}) VALUES ({values}) ON CONFLICT DO UPDATE SET {changed} RETURNING number"
        rows = [list(map(_storable, log)) for log in logs]
        self._database.execute("BEGIN")
        numbers = [self._database.execute(query, row).fetchone()[0] for row in rows]
        self._database.execute("COMMIT")
        shown = [number for number in numbers if number in self.places]
        for number in shown:
            self._pages.pop(self.places[number] // _PAGE, None)
        return shown

    def remove(self, vm: str, stream: str) -> None:
        """Leave out a log; it goes with the next `sort`."""
        self._database.execute("DELETE FROM logs WHERE vm = ? AND stream = ?", (vm, stream))

    def sort(self, column: str, *, descending: bool, wanted: Filter) -> bool:
        """Make the order anew, by one of COLUMNS; tell whether it is another."""
        assert column in COLUMNS
        where, values = _where(wanted)
        way = "DESC" if descending else "ASC"
        query = f"SELECT number FROM logs WHERE {where} ORDER BY {column} {way}, vm, stream"
        order = [number for (number,) in self._database.execute(query, values)]
        if order == self.order:
            return False
        self.order, self._pages = order, {}
        self.places = {number: place for place, number in enumerate(order)}
        return True

    def at(self, place: int) -> Log:
        """Return the log at a place of the order."""
        page = place // _PAGE
        if page not in self._pages:
            if len(self._pages) > 32:
                self._pages.clear()
            numbers = self.order[page * _PAGE : (page + 1) * _PAGE]
            marks = ",".join("?" * len(numbers))
            rows = self._database.execute(f"SELECT * FROM logs WHERE number IN ({marks})", numbers).fetchall()
            found = {number: Log._make(row) for number, *row in rows}
            # one that was removed, and not sorted out yet, is shown as it may still be
            self._pages[page] = [found.get(number, Log("", "", 0, 0, 0, 0, 0, "gone", "")) for number in numbers]
        return self._pages[page][place % _PAGE]

    def close(self) -> None:
        """Let go of all of it."""
        self.order, self.places, self._pages = [], {}, {}
        self._database.close()

    def sums(self) -> tuple[int, int, int, int]:
        """Return how many logs there are, shown or not, and their records, bytes of text and bytes on the disk."""
        found = self._database.execute("SELECT count(*), total(records), total(size), total(room) FROM logs").fetchone()
        return int(found[0]), int(found[1]), int(found[2]), int(found[3])

    def all(self) -> list[Log]:
        """Return all logs, by VM and stream."""
        return self.passing(Filter())

    def vms(self) -> set[str]:
        """Return the VMs that have logs."""
        return {str(vm) for (vm,) in self._database.execute("SELECT DISTINCT vm FROM logs")}

    def passing(self, wanted: Filter, most: int = -1) -> list[Log]:
        """Return the logs that pass a filter, by VM and stream: so many at most, all of them where that is negative."""
        where, values = _where(wanted)
        query = f"SELECT {_FIELDS} FROM logs WHERE {where} ORDER BY vm, stream LIMIT ?"
        return [Log._make(row) for row in self._database.execute(query, [*values, most])]


def _storable(value: Any) -> str | int:
    """Return what SQLite takes for a value."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    return int(max(-MAX_NUMBER, min(value, MAX_NUMBER)))


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    tests, values = ["1"], list[Any]()
    for word in wanted.words:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        tests.append("vm || '/' || stream || ' ' || state || ' ' || integrity LIKE ? ESCAPE '\\'")
        values.append(f"%{escaped}%")
    if wanted.since or wanted.until < MAX_TIME:
        tests.append("last >= ? AND first <= ? AND first > 0")
        values += [wanted.since, wanted.until]
    if wanted.states:
        tests.append(f"({' OR '.join(['state LIKE ? OR integrity LIKE ?'] * len(wanted.states))})")
        values += [f"{state}%" for state in wanted.states for _ in range(2)]
    return " AND ".join(tests), values
