"""Where in the journal one is: behind which entry, and whether one boot is read by itself. No I/O.

A journal has entries of two boots in the order of their times, where they are in files without a common sequence of
numbers. So where the clock was set back over a boot, what this boot says may stand before what was read. Then the
others are read to their end, behind that this boot by itself from its first entry on, and the place says so.
"""

from collections.abc import Callable

from log_exporter.sources import Gap, Place, cursor


class Position:
    """What Journald and Journalctl know of where they are; boots are 32 hex digits, or nothing."""

    def __init__(self, now: str, only_now: bool) -> None:
        """`now` is the boot that runs; `only_now` tells that no other is wanted."""
        self.now = now
        self._wanted = now if only_now else ""
        self._alone = ""  # the boot that is read by itself
        self._told = 0  # so many entries behind the last one are missing, and were told of
        self.cursor = ""  # of the last entry that was read
        self.boot = ""  # of the last entry that was read
        self.passing = False  # entries of this boot are left for later, as others of it stand before them

    def go(self, place: Place | None) -> None:
        """Be where the place says."""
        self.cursor, self._told = (place["cursor"], place["missed"]) if place else ("", 0)
        self._alone, self.passing = place.get("alone", "") if place else "", False

    @property
    def place(self) -> Place:
        """What `go` takes."""
        return {"cursor": self.cursor, "missed": self._told, "alone": self._alone}

    @property
    def only(self) -> str:
        """The one boot that is read now; nothing if all are."""
        return self._wanted or self._alone

    def last(self) -> cursor.Cursor | None:
        """Return what is known of the last entry; None if there is none, or of a boot that is not wanted."""
        last = cursor.parse(self.cursor)
        self.boot = last.boot if last else ""
        if last and self._wanted in ("", last.boot):
            return last
        self._begin()
        return None

    def _begin(self) -> None:
        self.cursor, self._told = "", 0

    def read(self, name: str) -> None:
        """Be behind the entry of that cursor."""
        self.cursor, self._told = name, 0

    def lost(self, last: cursor.Cursor) -> Gap:
        """Be at the beginning: of the boot of the last entry nothing is left.

        What there is comes from other boots, whose clocks may have been anywhere: it is new from its first entry.
        """
        self._begin()
        return Gap(last.gone, None, self.place)

    def gap(self, name: str) -> Gap | None:
        """Return what is missing between the last entry and that of this cursor, if anything is."""
        last, now = cursor.parse(self.cursor), cursor.parse(name)
        missing = last.missing(now, self._told) if last and now else 0
        if not last or missing == 0:
            return None
        self._told += missing or 0
        return Gap(last.gone, missing, self.place)

    @property
    def may_be_set_back(self) -> bool:
        """Whether entries of this boot can stand before what was read."""
        return bool(self.cursor) and not self.only

    def next_boot(self, set_back: Callable[[], bool]) -> str | None:
        """Return the boot to read by itself at the end of all, "" for all that are behind, None to stay.

        `set_back` tells whether this boot has entries, where none of them was read.
        """
        if self._alone and self._alone != self.now:
            return ""  # it ended with its machine
        if self.passing or (self.boot != self.now and set_back()):
            return self.now
        return None

    def turn(self, boot: str) -> None:
        """Read a boot by itself from its first entry on, or with "" all behind the last entry."""
        self._alone, self.passing = boot, False
        if boot:
            self._begin()
