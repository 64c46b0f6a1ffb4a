"""A compressor that works on a small real store, round by round, with a clock that does as it is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from logchain.compress.work import Compressor
from logchain.format.settings import Settings, parse_settings
from logchain.store.layout import open_store
from tests.conftest import Store

TIERS = '[tiers]\nlz4-after = "1 hour"\nxz-after = "3 days"\n'


class Working:
    """A compressor, what it said in its own log, and what it was about to do."""

    def __init__(self, store: Store) -> None:
        self.store, self.logged, self.turns = store, list[str](), list[str]()
        self._root = open_store(store.path)
        self.compressor = Compressor(self._root, store.clock, lambda _, line: self.logged.append(line), self.turn)
        self.settings = parse_settings(TIERS)

    def turn(self, status: str) -> None:
        """Take note of what is about to be done."""
        self.turns.append(status)

    def round(self, settings: Settings | None = None) -> None:
        """Let it do what there is to do."""
        self.compressor.round(settings or self.settings)

    def after(self, hours: float) -> None:
        """Let time pass, and then let it work."""
        self.store.clock.go(3_600 * hours)
        self.round()

    def close(self) -> None:
        """Let the store go."""
        self.compressor.close()
        self._root.close()

    def told(self) -> str:
        """Return what `logchain status` is told that could not be done."""
        with closing(sqlite3.connect(self.store.path / "catalog.sqlite")) as catalog:
            ((complaints,),) = catalog.execute("SELECT value FROM state WHERE key = 'complaints'").fetchall()
        return str(complaints)

    def sealed(self) -> list[str]:
        """Return the texts in sealed/, without the manifests."""
        top = self.store.path / "sealed"
        return sorted(str(path.relative_to(top)) for path in top.rglob("*.log*"))

    def events(self) -> list[str]:
        """Return the ledger's events, as their words stand in it."""
        lines = (self.store.path / "ledger" / "entries").read_text().splitlines()
        return [line.split()[0] for line in lines[6::10]]


@pytest.fixture
def working(store: Store) -> Iterator[Working]:
    """A compressor on an empty store."""
    working = Working(store)
    yield working
    working.close()
