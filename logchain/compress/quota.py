"""Which sealed segments have to go, by the settings. Rules without a disk or a clock.

A VM loses its own segments only, the oldest of the stream that takes most, and none younger than it may keep at least.
For the store's cap, and for the reserve of free disk, whoever takes most of its own quota gives.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from logchain.format.settings import Settings

__all__ = ["Room", "Sealed", "to_evict"]


class Sealed(NamedTuple):
    """A sealed segment: whose, which, its room on the disk (bytes), and its age (s of running time)."""

    vm: str
    stream: str
    segment: int
    size: int
    age: int


class Room(NamedTuple):
    """What is used, bytes: by each stream of each VM, live and sealed, and by the ledger; and what is free."""

    used: Mapping[tuple[str, str], int]
    ledger: int
    free: int


def to_evict(sealed: Iterable[Sealed], room: Room, settings: Settings) -> Iterator[tuple[Sealed, str]]:
    """Yield what has to go, in order, each with the reason that the ledger records: `quota`, `cap` or `reserve`."""
    plan = _Plan(sealed, room, settings)
    for budget in list(plan.budgets):
        while plan.budgets[budget] > plan.quotas[budget] and (gone := plan.take([budget])):
            yield gone, "quota"
    total, free = sum(plan.budgets.values()) + room.ledger, room.free + plan.freed
    for reason, need in (("cap", total - settings.store.cap), ("reserve", settings.reserve * 5 // 4 - free)):
        target = plan.freed + need
        while plan.freed < target and (gone := plan.take(plan.by_share())):
            yield gone, reason


class _Plan:
    """What is left as segments are taken away."""

    def __init__(self, sealed: Iterable[Sealed], room: Room, settings: Settings) -> None:
        self._settings, self._used, self.freed = settings, dict(room.used), 0
        self.budgets: dict[str, int] = {}
        self.quotas: dict[str, int] = {}
        for (vm, _), size in room.used.items():
            budget = settings.budget(vm)
            self.budgets[budget] = self.budgets.get(budget, 0) + size
            self.quotas[budget] = settings.of(vm).quota
        self._old: dict[tuple[str, str], list[Sealed]] = {}  # that may go, the oldest last
        for segment in sorted(sealed, key=lambda one: one.segment, reverse=True):
            if segment.age >= settings.of(segment.vm).keep_at_least:
                self._old.setdefault((segment.vm, segment.stream), []).append(segment)

    def by_share(self) -> list[str]:
        """Return the budgets, the one that takes most of its quota first."""
        return sorted(self.budgets, key=lambda budget: self.budgets[budget] / max(self.quotas[budget], 1), reverse=True)

    def take(self, budgets: list[str]) -> Sealed | None:
        """Take the next segment out of the first budget that has one."""
        for budget in budgets:
            streams = [one for one in self._old if self._settings.budget(one[0]) == budget and self._old[one]]
            if streams:
                largest = max(streams, key=lambda one: self._used.get(one, 0))
                gone = self._old[largest].pop()
                self._used[largest] = self._used.get(largest, 0) - gone.size
                self.budgets[budget] -= gone.size
                self.freed += gone.size
                return gone
        return None
