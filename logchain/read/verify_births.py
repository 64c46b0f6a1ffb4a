"""Accounts for births: each number given once, each stream that was born still there (docs/spec/keystate.md).

A birth is accounted for by a segment that shows it, by a key state, or, where that segment was evicted or the stream
forgotten, by its entry in the ledger.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import count

from logchain.format.keystate import BirthState, KeyState
from logchain.read.findings import Finding
from logchain.read.ledger import Ledger
from logchain.read.verify_keys import Secrets

__all__ = ["Births"]


class Births:
    """Who claims which birth."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self.begun: set[int] = set()  # under which a segment was opened
        self._excused: set[int] = set()
        self._claims: dict[int, list[tuple[str, str]]] = {}
        self._names: dict[bytes, tuple[str, str]] = {}  # of streams that are there
        self._unopened: dict[tuple[bytes, int], int] = {}  # stream id and segment to come: birth it will show
        self._recorded: set[int] = set()  # that the ledger has
        # behind a backup that came back births went on here: those before that nobody recorded are not missing
        self._left_out = 0

    def excuse(self, numbers: set[int]) -> None:
        """Take these for given, though nothing proves it: where they belong is damaged already."""
        self._excused |= numbers

    def claim(
        self, name: tuple[str, str], stream_ids: set[bytes], numbers: set[int], state: KeyState | None = None
    ) -> None:
        """Note that a stream, known by these ids, had these births; `state` is its key state, if there is one."""
        self._names.update(dict.fromkeys(stream_ids, name))
        if state and state.is_newborn:
            self._unopened |= {(stream_id, state.segment + 1): state.birth for stream_id in stream_ids}
        for number in numbers:
            self._claims.setdefault(number, []).append(name)

    def findings(self, before: BirthState, after: BirthState) -> Iterator[Finding]:
        """Yield what does not add up: every birth before `before` must be there, and none behind `after`."""
        missing, first = self._missing(before.birth)
        if missing:
            yield Finding(
                True, f"{missing} of {before.birth - 1} births are missing, birth {first} first: a stream was removed"
            )
        for number, names in sorted(self._claims.items()):
            if len(names) > 1:
                yield Finding(True, f"birth {number} is claimed by {' and '.join('/'.join(name) for name in names)}")
            if number == after.birth and number in self.begun:
                yield Finding(
                    True, f"birth {number} was never closed: all that {'/'.join(names[0])} logged can be forged"
                )
            if number > after.birth or (number == after.birth and after.pending not in names):
                text = f"birth {number}, claimed by {'/'.join(names[0])}, was never given, or births is an older copy"
                yield Finding(True, text)
        if self._secrets.audited and self._secrets.secret(before.birth) != before.secret:
            yield Finding(True, "the secret of the next birth does not follow from the audit secret")

    def _missing(self, end: int) -> tuple[int, int]:
        """Return how many births before `end` nobody accounts for, and the first of them."""
        there = self._excused.union(self._claims)
        start = min(max(1, self._left_out), end)
        early = [number for number in self._recorded if number < start and number not in there]
        late = end - start - sum(start <= number < end for number in there)
        first = min(early) if early else next(number for number in count(start) if number not in there)
        return len(early) + late, first

    def _restore(self, ledger: Ledger) -> None:
        """See which births backups that came back account for: those left out, and those that were never used.

        A birth was never used where, behind such a backup, its stream got another one for the same segment.
        """
        firsts = sorted(first for _, first in ledger.restored)
        self._recorded, self._left_out = set(ledger.births), max(firsts, default=0)
        latest: dict[tuple[bytes, int], int] = {}  # by stream id and segment: behind how many backups its last birth is
        births = {number: (event.stream_id, event.segment) for number, event in ledger.births.items()}
        for number, place in [*births.items(), *((number, place) for place, number in self._unopened.items())]:
            latest[place] = max(latest.get(place, 0), bisect_right(firsts, number))
        self._excused.update(number for number in births if bisect_right(firsts, number) < latest[births[number]])

    def recorded(self, ledger: Ledger, before: BirthState | None, after: BirthState | None) -> Iterator[Finding]:
        """Hold the entries of births against the streams that are there; births from `before` on came while we looked.

        An entry accounts for its birth only where the first segment under it went on purpose: else that has to show it.
        """
        self._restore(ledger)
        for number, event in sorted(ledger.births.items()):
            history = ledger.of(event.stream_id)
            name = self._names.get(event.stream_id)
            others = [claim for claim in self._claims.get(number, []) if claim != name]
            if others:
                text = f"birth {number}, claimed by {'/'.join(others[0])}, was given to another stream"
                yield Finding(True, text)
            elif not name and history.forgotten is None and not (before and number >= before.birth):
                text = f"the stream {event.stream_id.hex()}, which birth {number} was given to, is gone"
                yield Finding(True, text)
                self._excused.add(number)
            if history.forgotten is not None or history.is_gone(event.segment):
                self._excused.add(number)
            if after and (number > after.birth or (number == after.birth and not after.pending)):
                yield Finding(True, f"birth {number} was recorded, and never given: births is an older copy")
