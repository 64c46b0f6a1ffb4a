"""Accounts for births: each number given once, each stream that was born still there (docs/spec/keystate.md)."""

from collections.abc import Iterator
from itertools import count

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError
from logchain.format.keystate import BirthState
from logchain.format.ratchet import seed, successor
from logchain.read.findings import Finding

__all__ = ["Births"]


_NEW = 1_000  # births that may come while we look


class Births:
    """The secrets of births, and who claims which."""

    def __init__(self, audit: AuditSecret | None, known: int) -> None:
        self._secrets = [seed(audit.secret, audit.store_id)] if audit else []
        self._most = known + _NEW
        self.begun: set[int] = set()  # under which a segment was opened
        self._excused: set[int] = set()
        self._claims: dict[int, list[tuple[str, str]]] = {}

    @property
    def audited(self) -> bool:
        """Whether secrets can be derived."""
        return bool(self._secrets)

    def secret(self, birth: int) -> bytes:
        """Return B of a birth; FormatError for a number that was never given."""
        if not 1 <= birth <= self._most:
            raise FormatError(f"birth {birth} was never given")
        while len(self._secrets) < birth:
            self._secrets.append(successor(self._secrets[-1]))
        return self._secrets[birth - 1]

    def excuse(self, numbers: set[int]) -> None:
        """Take these for given, though nothing proves it: where they belong is damaged already."""
        self._excused |= numbers

    def claim(self, name: tuple[str, str], numbers: set[int]) -> None:
        """Note that a stream had these births."""
        for number in numbers:
            self._claims.setdefault(number, []).append(name)

    def findings(self, before: BirthState, after: BirthState) -> Iterator[Finding]:
        """Yield what does not add up: every birth before `before` must be there, and none behind `after`."""
        there = self._excused.union(self._claims)
        missing = before.birth - 1 - sum(1 <= number < before.birth for number in there)
        if missing:
            first = next(number for number in count(1) if number not in there)
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
        if self.audited and self.secret(before.birth) != before.secret:
            yield Finding(True, "the secret of the next birth does not follow from the audit secret")
